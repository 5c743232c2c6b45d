/*-------------------------------------------------------------------------
 *
 * statistics.h
 *	  librdkafka's own statistics of this session's clients, by name.
 *
 * Layer 1.  Names, units and meanings are librdkafka's (its STATISTICS.md).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_STATISTICS_H
#define KAFKA_STATISTICS_H

#include "postgres.h"

#include "client/handle.h"
#include "nodes/pg_list.h"

/* What there is a row of. */
typedef enum KafkaStatisticsLevel
{
	KAFKA_STATISTICS_CLIENT,	/* every client, also one without statistics */
	KAFKA_STATISTICS_BROKER,	/* every broker that a client with statistics knows */
	KAFKA_STATISTICS_PARTITION	/* every partition of the topics that such a client knows */
} KafkaStatisticsLevel;

/*
 * One value: a number or a text.  Not known: librdkafka does not have it (yet, or in this version),
 * or says so with a negative number.
 */
typedef struct KafkaFigure
{
	bool		known;
	int64		number;
	const char *text;			/* or NULL: a number */
} KafkaFigure;

typedef struct KafkaStatisticsRow
{
	const KafkaClient *client;
	bool		known;			/* the client has statistics */
	TimestampTz as_of;			/* when librdkafka made them */
	KafkaFigure *figures;		/* in the order of the keys */
} KafkaStatisticsRow;

/*
 * The last statistics of the session's clients, as a List of KafkaStatisticsRow, palloc'd.  A key
 * is a member's name, or two with a dot between.  Statistics that cannot be read are a WARNING, and
 * count as none.
 */
extern List *kafka_statistics_read(KafkaStatisticsLevel level, const char *const *keys, int nkeys);

#endif							/* KAFKA_STATISTICS_H */
