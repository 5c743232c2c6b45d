/*-------------------------------------------------------------------------
 *
 * run.h
 *	  Running a pipeline: batch after batch, each with its offsets in one transaction.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_RUN_H
#define KAFKA_PIPELINE_RUN_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "ground/compat.h"
#include "ground/host.h"

typedef enum KafkaPipelineEnd
{
	KAFKA_PIPELINE_DONE,		/* `until` is reached */
	KAFKA_PIPELINE_STOPPED,		/* should_stop, or kafka.stop_pipeline */
	KAFKA_PIPELINE_FAILED,		/* a message failed and on_error is stop; or offsets are gone */
	KAFKA_PIPELINE_REPLACED,	/* another process has taken its partitions */
	KAFKA_PIPELINE_GONE			/* it, or the extension, is not there any more */
} KafkaPipelineEnd;

typedef struct KafkaPipelineUntil
{
	bool		wait;			/* a worker: until it is stopped; waits for a Kafka that is away */
	bool		end;			/* what was in the topic when it began */
	TimestampTz time;			/* 0: no limit */
} KafkaPipelineUntil;

/*
 * Runs a pipeline.  With until->wait errors are logged, shown, and tried again; without, they are raised.
 * A worker's share of the partitions is what kafka_workers_share() says (worker/shared.h).
 * Not in a transaction of the caller's but for host->begin.
 */
extern KafkaPipelineEnd kafka_pipeline_run(int32 pipeline, const KafkaHost *host,
										   const KafkaPipelineUntil *until);

/* Has a message failed, with on_error stop, or are offsets gone?  As committed now, with SPI connected. */
extern bool kafka_pipeline_has_failed(int32 pipeline);

/* Raises the error that pipeline_state has of a failed pipeline, with its place.  With SPI connected. */
extern KAFKA_NORETURN void kafka_pipeline_throw_failed(int32 pipeline, const char *name);

#endif							/* KAFKA_PIPELINE_RUN_H */
