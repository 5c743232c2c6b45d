/*-------------------------------------------------------------------------
 *
 * warning.h
 *	  Warnings where nothing may be raised.
 *
 * Layer 3, private to src/transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WARNING_H
#define KAFKA_WARNING_H

#include "postgres.h"

#define WARNING_SIZE 1024

typedef struct KafkaWarning
{
	int			sqlstate;
	char		message[WARNING_SIZE];
	char		detail[WARNING_SIZE];
} KafkaWarning;

/* Raises nothing; what the client's encoding cannot hold goes to the server's log only. */
extern void kafka_warn_quietly(const KafkaWarning *warning);

#endif							/* KAFKA_WARNING_H */
