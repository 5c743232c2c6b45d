/*-------------------------------------------------------------------------
 *
 * pipeline_run.c
 *	  kafka.run_pipeline, a pipeline in the foreground, and kafka.wait_for_pipeline.
 *
 * Layer 3.  The procedure commits after each batch, as a worker does; so it cannot run in a
 * transaction block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/sent.h"
#include "client/topic.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "ground/clock.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "pipeline/offsets.h"
#include "pipeline/pipeline.h"
#include "pipeline/run.h"
#include "sql/common.h"
#include "sql/procedure.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* So often the table is looked at. */
#define LOOK_MS 20

static uint32 wait_event;

/* ------------------------------------------------------------------------
 * The procedure
 * ------------------------------------------------------------------------
 */
static KafkaPipelineUntil
parse_until(FunctionCallInfo fcinfo)
{
	char	   *text = kafka_sql_text(fcinfo, 1, "until");
	KafkaPipelineUntil until = {0};
	Datum		interval;

	if (pg_strcasecmp(text, "end") == 0)
	{
		until.end = true;
		return until;
	}
	interval = DirectFunctionCall3(interval_in, CStringGetDatum(text),
								   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	until.time = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
														 TimestampTzGetDatum(GetCurrentTimestamp()),
														 interval));
	if (until.time < GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"until\" must be positive"),
				 errhint("It is 'end', or an interval.")));
	return until;
}

/* How a run ended other than well. */
static void
tell_end(const char *name, int32 id, KafkaPipelineEnd end)
{
	if (end == KAFKA_PIPELINE_REPLACED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("pipeline \"%s\" is run by another process", name),
				 errhint("See kafka.pipelines; kafka.stop_pipeline stops its workers.")));
	if (end == KAFKA_PIPELINE_STOPPED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" was started or stopped while it ran", name),
				 errdetail("What it has loaded is kept.")));
	if (end == KAFKA_PIPELINE_GONE)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" was dropped while it ran", name)));
	if (end == KAFKA_PIPELINE_FAILED)
		kafka_pipeline_throw_failed(id, name);
}

PG_FUNCTION_INFO_V1(kafka_run_pipeline);

/* CALL kafka.run_pipeline(name, until) */
Datum
kafka_run_pipeline(PG_FUNCTION_ARGS)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	char	   *name = kafka_sql_text(fcinfo, 0, "name");
	KafkaPipelineUntil until = parse_until(fcinfo);
	KafkaPipeline *pipeline;

	kafka_sql_require_nonatomic(fcinfo, "kafka.run_pipeline");
	PreventCommandIfReadOnly("kafka.run_pipeline");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	pipeline = kafka_pipeline_find(name, false);
	kafka_pipeline_require_self(pipeline);
	SPI_commit();
	tell_end(name, pipeline->id, kafka_pipeline_run(pipeline->id, &kafka_procedure_host, &until));
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */
/* All partitions are there. */
static bool
is_reached(const KafkaPipeline *pipeline, const int64 *ends, int32 partitions)
{
	bool		reached;

	SPI_connect();
	if (kafka_pipeline_by_id(pipeline->id) == NULL)
		tell_end(pipeline->name, pipeline->id, KAFKA_PIPELINE_GONE);
	if (kafka_pipeline_has_failed(pipeline->id))
		kafka_pipeline_throw_failed(pipeline->id, pipeline->name);
	reached = kafka_pipeline_offsets_reached(pipeline->id, ends, partitions) == partitions;
	SPI_finish();
	return reached;
}

PG_FUNCTION_INFO_V1(kafka_wait_for_pipeline);

/* kafka.wait_for_pipeline(name, timeout): what is in the topic now is loaded when it returns. */
Datum
kafka_wait_for_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = kafka_sql_text(fcinfo, 0, "name");
	int			limit_ms = kafka_sql_wait_ms(fcinfo, 1, "timeout", INT_MAX);
	KafkaPipeline *pipeline = kafka_pipeline_find(name, false);
	int			level = NewGUCNestLevel();
	int32		partitions;
	int64	   *ends;
	instr_time	begin;

	kafka_pipeline_require_owner(pipeline);
	kafka_pipeline_resolve(pipeline);
	INSTR_TIME_SET_CURRENT(begin);
	/* a Kafka that does not answer is waited for no longer than that, either */
	if (limit_ms < kafka_setting_connect_timeout)
		(void) set_config_option("kafka_fdw.connect_timeout", psprintf("%dms", Max(limit_ms, 100)),
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	partitions = kafka_topic_partitions(pipeline->opts, pipeline->topic, false, false);
	ends = palloc(sizeof(int64) * Max(partitions, 1));
	kafka_topic_offsets(pipeline->opts, pipeline->topic, KAFKA_OFFSET_END, NULL, partitions, ends);
	kafka_sent_await(pipeline->opts, pipeline->topic, partitions, ends);
	AtEOXact_GUC(true, level);
	if (!pipeline->enabled && !is_reached(pipeline, ends, partitions))
		ereport(NOTICE,
				(errmsg("pipeline \"%s\" is not started: waiting for a session to run it", name)));
	while (!is_reached(pipeline, ends, partitions))
	{
		CHECK_FOR_INTERRUPTS();
		if (kafka_elapsed_ms(begin) >= limit_ms)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
					 errmsg("pipeline \"%s\" has not loaded all of its topic in time", name),
					 errdetail("Waited for %d ms.", limit_ms),
					 errhint("See kafka.pipelines.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS,
						 KAFKA_WAIT_EVENT(wait_event, "KafkaPipelineWait"));
		ResetLatch(MyLatch);
	}
	PG_RETURN_VOID();
}
