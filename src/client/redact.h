/*-------------------------------------------------------------------------
 *
 * redact.h
 *	  Takes secrets out of what librdkafka says.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_REDACT_H
#define KAFKA_REDACT_H

#include "postgres.h"

#include "nodes/pg_list.h"

/*
 * Puts "***" into a text, which never gets longer, for each of the secrets (a List of char *,
 * those of three bytes and more), for user, password and query of URLs, and for what a message
 * quotes of sasl.oauthbearer.config.  Neither allocates nor throws.
 */
extern void kafka_redact(char *text, List *secrets);

#endif							/* KAFKA_REDACT_H */
