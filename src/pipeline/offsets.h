/*-------------------------------------------------------------------------
 *
 * offsets.h
 *	  Where pipelines stand in their topics: kafka.pipeline_offset.
 *
 * Layer 3, private to src/pipeline and the pipelines' functions in src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_OFFSETS_H
#define KAFKA_PIPELINE_OFFSETS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pipeline/pipeline.h"

/* A partition that a worker has claimed, and what its next transaction adds. */
typedef struct KafkaPipelinePosition
{
	int32		partition;
	int64		next_offset;	/* as stored */
	int64		epoch;			/* of the claim */
	bool		untouched;

	/* of the batch */
	int64		target;			/* next_offset after it */
	int64		end_offset;		/* KAFKA_UNKNOWN: not heard of */
	int64		message_time;	/* ms since 1970; KAFKA_UNKNOWN: none */
	int64		messages;
	int64		bytes;
	int64		rows;
	int64		skipped;
	int64		dead_letters;
	int64		batches;		/* 1 in one partition of each batch, so that a sum counts them */
	double		rate;			/* messages per second, as it is to be shown */
} KafkaPipelinePosition;

/* How many partitions have a row; all in a transaction with SPI connected, as everything here. */
extern int	kafka_pipeline_offsets_count(int32 pipeline);

/*
 * Partitions begin at these offsets; those that have a row keep it.  earliest: they may begin later,
 * if messages are removed before any is loaded.
 */
extern void kafka_pipeline_offsets_add(int32 pipeline, const int32 *partitions,
									   const int64 *offsets, int n, bool earliest);

/*
 * Makes partitions this process's: who had one before can store nothing any longer.  Partitions
 * without a row are left out.  palloc'd, by partition.
 */
extern KafkaPipelinePosition *kafka_pipeline_offsets_claim(int32 pipeline,
														   const int32 *partitions, int n,
														   int *claimed);

/*
 * Stores what the batch has made of these positions.  False, and the transaction must be rolled back, unless each still is where
 * it was and of the epoch it had.  ms: how long the batch took.
 */
extern bool kafka_pipeline_offsets_store(int32 pipeline, const KafkaPipelinePosition *positions,
										 int n, double ms);

/* How many of the partitions 0 to n - 1 have loaded all that is before ends[i]; as committed now. */
extern int	kafka_pipeline_offsets_reached(int32 pipeline, const int64 *ends, int n);

/* Are all of these still where they were, and of the epochs they had? */
extern bool kafka_pipeline_offsets_hold(int32 pipeline, const KafkaPipelinePosition *positions,
										int n);

/* Whatever batch is under way in any process cannot be committed. */
extern void kafka_pipeline_offsets_fence(int32 pipeline);

/* Moves partitions, of which each has a row, and fences. */
extern void kafka_pipeline_offsets_seek(int32 pipeline, const int32 *partitions,
										const int64 *offsets, int n, bool earliest);

#endif							/* KAFKA_PIPELINE_OFFSETS_H */
