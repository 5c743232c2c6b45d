/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  What this session has done with each server, in numbers: kafka.client_stats.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_STATS_H
#define KAFKA_STATS_H

#include "postgres.h"

#include "ground/options.h"

/* In the order of the view's columns. */
typedef enum KafkaCounter
{
	KAFKA_COUNT_CLIENT_USES,	/* times that a client was taken: every way to Kafka */
	KAFKA_COUNT_CLIENTS_STARTED,
	KAFKA_COUNT_REQUESTS,		/* metadata, offsets, administration */
	KAFKA_COUNT_MESSAGES_SENT,	/* handed to librdkafka */
	KAFKA_COUNT_BYTES_SENT,		/* of their keys and values */
	KAFKA_COUNT_MESSAGES_CONFIRMED,
	KAFKA_COUNT_MESSAGES_FAILED,
	KAFKA_COUNT_TRANSACTIONS_COMMITTED,
	KAFKA_COUNT_TRANSACTIONS_ABORTED,
	KAFKA_COUNT_TRANSACTIONS_UNKNOWN,	/* the broker did not say what became of them */
	KAFKA_COUNT_AFTER_COMMIT_FAILURES,	/* PostgreSQL has committed, Kafka has not, or perhaps */
	KAFKA_COUNT_AFTER_COMMIT_MESSAGES,	/* messages of those */
	KAFKA_COUNT_VISIBLE_TIMEOUTS,	/* commit_wait 'visible' in vain */
	KAFKA_COUNT_MESSAGES_POLLED,
	KAFKA_COUNT_OFFSET_COMMITS, /* of consumers, to their groups */
	KAFKA_COUNT_OFFSET_COMMIT_FAILURES,
	KAFKA_COUNTERS
} KafkaCounter;

typedef struct KafkaStats
{
	Oid			serverid;
	Oid			userid;
	int64		counters[KAFKA_COUNTERS];
} KafkaStats;

/* The session's counters for a server and user; made where there are none.  They stay. */
extern KafkaStats *kafka_stats_of(const KafkaOptions *opts);

/* Counters of the session, as a List of KafkaStats, in the order they were made. */
extern List *kafka_stats_list(void);

/* All counters begin at zero again. */
extern void kafka_stats_reset(void);

#endif							/* KAFKA_STATS_H */
