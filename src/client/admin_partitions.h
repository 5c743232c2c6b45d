/*-------------------------------------------------------------------------
 *
 * admin_partitions.h
 *	  More partitions for a topic, fewer records in them, offsets with timestamps.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ADMIN_PARTITIONS_H
#define KAFKA_ADMIN_PARTITIONS_H

#include "postgres.h"

#include "client/partition_offsets.h"
#include "client/transaction.h"
#include "ground/options.h"

typedef struct KafkaNewPartitions
{
	const char *topic;
	int32		current;		/* how many there are */
	int32		total;			/* how many there are to be, more than that */
	List	  **replica_assignment; /* broker ids of each new partition, or NULL */
	bool		validate_only;
} KafkaNewPartitions;

/*
 * Gives a topic more partitions and waits until the metadata shows them.  Raises 22023 for what
 * Kafka refuses, HV00R, 42501, HV00N, HV00L.  timeout_ms covers the request, and again the wait.
 */
extern void kafka_admin_create_partitions(const KafkaOptions *opts,
										  const KafkaNewPartitions *partitions, int timeout_ms);

/* What became of one partition of kafka_admin_delete_records. */
typedef struct KafkaDeletion
{
	int64		low;			/* the first offset that is still there */
	char	   *error;			/* NULL: done */
	int			sqlstate;
} KafkaDeletion;

/*
 * Deletes the records before the offsets (KAFKA_BEFORE_END: all that are there), n partitions, each
 * named once.  Raises only what concerns the request as a whole.
 */
#define KAFKA_BEFORE_END (-1)
extern void kafka_admin_delete_records(const KafkaOptions *opts, const KafkaGroupOffset *offsets,
									   int n, KafkaDeletion *results);

/* Times that stand for a place. */
#define KAFKA_TIME_MAX (-3)		/* the message with the greatest timestamp */

/* Can kafka_admin_list_offsets tell timestamps, and KAFKA_TIME_MAX? */
extern bool kafka_admin_knows_timestamps(void);

/*
 * Of the partitions 0 to n - 1 the offset for a time (ms since 1970, or one of the above), and the
 * timestamp of the message there.  KAFKA_UNKNOWN where there is no such message, or no telling.
 */
extern void kafka_admin_list_offsets(const KafkaOptions *opts, const char *topic, int64 time,
									 int32 n, int64 *offsets, int64 *timestamps);

#endif							/* KAFKA_ADMIN_PARTITIONS_H */
