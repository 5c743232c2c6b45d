/*-------------------------------------------------------------------------
 *
 * partition_offsets.h
 *	  Offsets of partitions of any topics, with an error for each.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PARTITION_OFFSETS_H
#define KAFKA_PARTITION_OFFSETS_H

#include "postgres.h"

#include "ground/message.h"
#include "ground/options.h"

/* Times that stand for the first offset that is there, and for the end. */
#define KAFKA_TIME_EARLIEST INT64CONST(-2)
#define KAFKA_TIME_LATEST INT64CONST(-1)

typedef struct KafkaPartitionOffset
{
	const char *topic;
	int32		partition;
	int64		time;			/* ms since 1970, or one of the above */
	int64		offset;			/* the answer; KAFKA_UNKNOWN: no message is that late, or error */
	const char *error;			/* palloc'd, or NULL */
	int			sqlstate;
} KafkaPartitionOffset;

/*
 * Asks for all of them, in one round trip per broker; no partition may come twice.  A row that
 * has an error already is left alone.  The end is the last stable offset unless the options
 * set isolation.level.  What is wrong with a topic or partition is the error of its rows;
 * raises where brokers do not answer within kafka_fdw.connect_timeout, or refuse us.
 */
extern void kafka_partition_offsets(const KafkaOptions *opts, KafkaPartitionOffset *rows,
									int n);

#endif							/* KAFKA_PARTITION_OFFSETS_H */
