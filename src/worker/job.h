/*-------------------------------------------------------------------------
 *
 * job.h
 *	  What background workers are for.
 *
 * Layer 3, private to src/worker and the view kafka.workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WORKER_JOB_H
#define KAFKA_WORKER_JOB_H

#include "postgres.h"

typedef enum KafkaJobKind
{
	KAFKA_JOB_NONE,				/* a scout's, or of a request: only to look */
	KAFKA_JOB_RELAY,			/* of an outbox: one process */
	KAFKA_JOB_PIPELINE			/* up to its parallelism, each with a slot */
} KafkaJobKind;

/* Instead of a number: all of that kind in the database. */
#define KAFKA_ALL_JOBS (-1)

typedef struct KafkaJob
{
	Oid			database;
	KafkaJobKind kind;
	int32		id;				/* of the outbox or pipeline */
} KafkaJob;

#endif							/* KAFKA_WORKER_JOB_H */
