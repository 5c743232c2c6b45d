/*-------------------------------------------------------------------------
 *
 * pipeline_args.h
 *	  Arguments of the functions that make and change pipelines.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_ARGS_H
#define KAFKA_PIPELINE_ARGS_H

#include "postgres.h"

#include "fmgr.h"
#include "pipeline/pipeline.h"

/* Arguments of kafka.create_pipeline; kafka.alter_pipeline has all but "start". */
enum
{
	KAFKA_PIPELINE_ARG_NAME,
	KAFKA_PIPELINE_ARG_SOURCE,
	KAFKA_PIPELINE_ARG_TARGET,
	KAFKA_PIPELINE_ARG_HANDLER,
	KAFKA_PIPELINE_ARG_COLUMNS,
	KAFKA_PIPELINE_ARG_MODE,
	KAFKA_PIPELINE_ARG_ON_ERROR,
	KAFKA_PIPELINE_ARG_START,
	KAFKA_PIPELINE_ARG_BATCH_ROWS,
	KAFKA_PIPELINE_ARG_BATCH_INTERVAL,
	KAFKA_PIPELINE_ARG_PARALLELISM,
	KAFKA_PIPELINE_ARG_OPTIONS,
	KAFKA_PIPELINE_ARG_SERVER
};

/*
 * Changes the definition by the arguments that are not NULL.  Raises 22023 and the like for what
 * cannot be; asks no broker.  has_start: they are create_pipeline's.
 */
extern void kafka_sql_pipeline_arguments(FunctionCallInfo fcinfo, bool has_start,
										 KafkaPipeline *pipeline);

/*
 * The pipeline that a text argument names, if the current user has its owner's privileges; nobody
 * else changes it until this transaction ends.  With SPI connected.
 */
extern KafkaPipeline *kafka_sql_pipeline_lock(FunctionCallInfo fcinfo, int argno);

/*
 * Raises what the owner of a resolved pipeline would meet if he ran it: rights, the target's
 * columns, the handler.  With SPI connected; asks no broker.
 */
extern void kafka_sql_pipeline_check(const KafkaPipeline *pipeline);

/* Places in the partitions of a topic. */
typedef struct KafkaPipelinePlaces
{
	int			n;
	int32	   *partitions;		/* ascending */
	int64	   *offsets;
	bool	   *earliest;		/* it was to be the earliest message */
} KafkaPipelinePlaces;

/*
 * What a text means in the pipeline's topic: 'earliest', 'latest', an offset, a timestamp, or a JSON
 * object that has these by partition.  partition: only of this one; -1: of all.  Partitions that
 * an object leaves out: the earliest, or with `only_named` they are left out.  Asks the brokers;
 * raises 22023 for offsets that are not there, HV00R where there is no topic.  The pipeline is
 * resolved.
 */
extern KafkaPipelinePlaces kafka_sql_pipeline_places(const KafkaPipeline *pipeline, char *text,
													 int32 partition, bool only_named);

/*
 * pipeline.c: partitions that are new to the pipeline begin there; with `seek` the others move
 * there too, and what is under way is not committed.
 */
extern void kafka_sql_pipeline_move(int32 pipeline, const KafkaPipelinePlaces *places, bool seek);

/* pipeline.c: one line in the server's log, that somebody has done this. */
extern void kafka_sql_pipeline_log(const char *event, const KafkaPipeline *pipeline);

/* Partitions of its topic; raises HV00R. */
extern int32 kafka_sql_pipeline_partitions(const KafkaPipeline *pipeline);

#endif							/* KAFKA_PIPELINE_ARGS_H */
