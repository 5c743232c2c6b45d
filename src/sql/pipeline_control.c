/*-------------------------------------------------------------------------
 *
 * pipeline_control.c
 *	  kafka.start_pipeline, stop_pipeline and seek_pipeline.
 *
 * Layer 3.  All is in the caller's transaction.  Once it has committed, no batch that began before
 * is committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "pipeline/offsets.h"
#include "pipeline/pipeline.h"
#include "pipeline/run.h"
#include "sql/common.h"
#include "sql/pipeline_args.h"
#include "utils/builtins.h"
#include "worker/requests.h"
#include "worker/shared.h"

static void
set_enabled(const KafkaPipeline *pipeline, bool enabled)
{
	static KafkaQuery query = {
		"UPDATE kafka.pipeline_definition d SET enabled = $2, "
		"orders = d.orders OPERATOR(pg_catalog.+) 1 "
		"WHERE d.id OPERATOR(pg_catalog.=) $1",
		2, {INT4OID, BOOLOID}, NULL
	};
	Datum		values[2] = {Int32GetDatum(pipeline->id), BoolGetDatum(enabled)};

	(void) kafka_query_run(&query, values, NULL);
}

/* What failed is tried again. */
static void
clear_failure(const KafkaPipeline *pipeline)
{
	static KafkaQuery query = {
		"UPDATE kafka.pipeline_state s SET state = 'new', since = pg_catalog.now(), "
		"sqlstate = NULL, error = NULL, detail = NULL, context = NULL, partition = NULL, "
		"\"offset\" = NULL "
		"WHERE s.pipeline OPERATOR(pg_catalog.=) $1 AND s.state OPERATOR(pg_catalog.=) 'failed'",
		1, {INT4OID}, NULL
	};
	Datum		values[1] = {Int32GetDatum(pipeline->id)};

	(void) kafka_query_run(&query, values, NULL);
}

PG_FUNCTION_INFO_V1(kafka_start_pipeline);

/* (name); what would fail at once is raised. */
Datum
kafka_start_pipeline(PG_FUNCTION_ARGS)
{
	KafkaPipeline *pipeline;

	PreventCommandIfReadOnly("kafka.start_pipeline()");
	kafka_workers_require("run pipelines",
						  "run the pipeline from a session, with CALL kafka.run_pipeline()");
	SPI_connect();
	pipeline = kafka_sql_pipeline_lock(fcinfo, 0);
	kafka_pipeline_resolve(pipeline);
	kafka_sql_pipeline_check(pipeline);
	set_enabled(pipeline, true);
	/* who runs it in the foreground gives way; workers that run it need not */
	if (!pipeline->enabled)
		kafka_pipeline_offsets_fence(pipeline->id);
	clear_failure(pipeline);
	kafka_sql_pipeline_log("pipeline_started", pipeline);
	kafka_workers_request_pipeline_at_commit(pipeline->id);
	SPI_finish();
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_stop_pipeline);

/* (name) */
Datum
kafka_stop_pipeline(PG_FUNCTION_ARGS)
{
	KafkaPipeline *pipeline;

	PreventCommandIfReadOnly("kafka.stop_pipeline()");
	SPI_connect();
	pipeline = kafka_sql_pipeline_lock(fcinfo, 0);
	set_enabled(pipeline, false);
	kafka_pipeline_offsets_fence(pipeline->id);
	kafka_sql_pipeline_log("pipeline_stopped", pipeline);
	kafka_workers_request_pipeline_at_commit(pipeline->id);
	SPI_finish();
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_seek_pipeline);

/* (name, target, partition): NULL means all. */
Datum
kafka_seek_pipeline(PG_FUNCTION_ARGS)
{
	char	   *target = kafka_sql_text(fcinfo, 1, "target");
	int32		partition = PG_ARGISNULL(2) ? -1 : PG_GETARG_INT32(2);
	KafkaPipeline *pipeline;
	KafkaPipelinePlaces places;

	PreventCommandIfReadOnly("kafka.seek_pipeline()");
	if (!PG_ARGISNULL(2) && partition < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"partition\" must not be negative"),
				 errhint("NULL means all partitions.")));
	SPI_connect();
	pipeline = kafka_sql_pipeline_lock(fcinfo, 0);
	kafka_pipeline_resolve(pipeline);
	places = kafka_sql_pipeline_places(pipeline, target, partition, true);
	kafka_sql_pipeline_move(pipeline->id, &places, true);
	if (pipeline->enabled && kafka_pipeline_has_failed(pipeline->id))
		ereport(NOTICE,
				(errmsg("pipeline \"%s\" has failed and stays so", pipeline->name),
				 errhint("kafka.start_pipeline lets it go on.")));
	kafka_sql_pipeline_log("pipeline_moved", pipeline);
	kafka_workers_request_pipeline_at_commit(pipeline->id);
	SPI_finish();
	PG_RETURN_VOID();
}
