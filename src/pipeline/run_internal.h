/*-------------------------------------------------------------------------
 *
 * run_internal.h
 *	  What the files that run a pipeline share.
 *
 * Layer 3, private to src/pipeline.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_RUN_INTERNAL_H
#define KAFKA_PIPELINE_RUN_INTERNAL_H

#include "postgres.h"

#include "client/member.h"
#include "ground/host.h"
#include "pipeline/offsets.h"
#include "pipeline/pipeline.h"
#include "pipeline/run.h"
#include "portability/instr_time.h"

/* A partition that this process reads. */
typedef struct KafkaPipelinePartition
{
	KafkaPipelinePosition position;
	KafkaMemberPartition *member;
	int64		limit;			/* of a run until the end; KAFKA_UNKNOWN: none */
	TimestampTz counted;		/* when messages were last counted; at first: when it was taken */
	TimestampTz stored;			/* when the position was stored last; 0: not by this process */
} KafkaPipelinePartition;

typedef struct KafkaPipelineRun
{
	int32		id;
	const KafkaHost *host;
	const KafkaPipelineUntil *until;
	MemoryContext context;		/* of all */
	char	   *name;			/* for messages; "" at first */

	/* a session: from a look at the definition to the next one */
	MemoryContext session;
	KafkaPipeline *pipeline;	/* as it was then */
	KafkaMember *member;		/* NULL: there is none */
	KafkaPipelinePartition *partitions;
	int			npartitions;
	int32		topic_partitions;	/* as many has the topic */
	int			rank;			/* among the pipeline's workers, and how many these are */
	int			count;
	TimestampTz next_look;		/* for new partitions */
	TimestampTz next_order;		/* whether it was stopped, moved or changed */
	int64		orders;			/* in a session: as it began; -1: not yet */
	bool		shown_running;	/* pipeline_state says so */
	bool		has_limits;		/* limits of `until` are known */
	int64	   *limits;			/* by number of the partition, in `context` */
	int32		nlimits;

	int			losses;			/* of partitions in a row, without a batch in between */

	/* the batch in work */
	MemoryContext batch;
	KafkaMessage *messages;		/* kept in the member, by number */
	KafkaPipelinePartition **origins;	/* of each message */
	int			nmessages;
	int			max_messages;
	int64		bytes;
	bool		positions_moved;	/* past something that is no message */
	instr_time	begin;			/* of its first message */

	bool		untold;			/* positions have moved since the group was told */
	TimestampTz next_group_commit;
	bool		group_refused;	/* it was said */
} KafkaPipelineRun;

/* What a step of the loop has found. */
typedef enum KafkaPipelineStep
{
	KAFKA_STEP_ON,
	KAFKA_STEP_ANEW,			/* begin a new session */
	KAFKA_STEP_END				/* *end says how */
} KafkaPipelineStep;

/* run.c: a transaction; raises what goes wrong. */
extern void kafka_pipeline_begin(KafkaPipelineRun *run);
extern void kafka_pipeline_commit(KafkaPipelineRun *run);
extern void kafka_pipeline_show(const KafkaPipelineRun *run, const char *what);

/*
 * Another worker has the partitions, or the pipeline was changed: nothing of the transaction is
 * kept.  Returns ANEW.
 */
extern KafkaPipelineStep kafka_pipeline_roll_back(KafkaPipelineRun *run);

/* session.c: reads the definition, takes this process's partitions, begins to read them. */
extern KafkaPipelineStep kafka_pipeline_start(KafkaPipelineRun *run, KafkaPipelineEnd *end);
extern void kafka_pipeline_forget(KafkaPipelineRun *run);

/* Does somebody else work now, has the pipeline's server been changed, or may the topic have more partitions? */
extern bool kafka_pipeline_must_restart(KafkaPipelineRun *run);

/* The broker does not have the position: moved, or the pipeline fails (END). */
extern KafkaPipelineStep kafka_pipeline_missing(KafkaPipelineRun *run,
												KafkaPipelinePartition *partition,
												KafkaPipelineEnd *end);

/*
 * state.c: writes kafka.pipeline_state, in a transaction of the caller's.  error NULL: there is
 * none; partition -1: of no message.
 */
extern void kafka_pipeline_set_state(int32 pipeline, const char *state, const ErrorData *error,
									 int32 partition, int64 offset);

/* In a transaction of its own, once in a session: messages can be read, or there are none. */
extern void kafka_pipeline_note_running(KafkaPipelineRun *run);

/* collect.c: waits for messages, until the batch is full or its time is over. */
extern KafkaPipelineStep kafka_pipeline_collect(KafkaPipelineRun *run, KafkaPipelineEnd *end);

/* True if all that a run until the end was to read is read. */
extern bool kafka_pipeline_is_through(const KafkaPipelineRun *run);

/* batch.c: loads the batch with its offsets in one transaction. */
extern KafkaPipelineStep kafka_pipeline_load(KafkaPipelineRun *run, KafkaPipelineEnd *end);

/* The positions have nothing to add: they begin where they are. */
extern void kafka_pipeline_clear_counts(KafkaPipelineRun *run);

/* Tells the group where the pipeline stands, now and then, or now. */
extern void kafka_pipeline_tell_group(KafkaPipelineRun *run, bool now);

#endif							/* KAFKA_PIPELINE_RUN_INTERNAL_H */
