/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Unsecured tokens for OAUTHBEARER.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_TOKEN_H
#define KAFKA_TOKEN_H

#include "postgres.h"

#include "client/rdkafka_api.h"

/*
 * The callback by which librdkafka asks for a token: gives it one made of config, the property
 * sasl.oauthbearer.config, or says why there is none, without a word of config.  From any
 * thread; it calls nothing of PostgreSQL's.
 */
extern void kafka_token_refresh(rd_kafka_t *rk, const char *config, void *opaque);

#endif							/* KAFKA_TOKEN_H */
