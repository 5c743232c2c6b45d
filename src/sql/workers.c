/*-------------------------------------------------------------------------
 *
 * workers.c
 *	  kafka.start_relay, kafka.stop_relay and the view kafka.workers.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/settings.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "worker/registry.h"
#include "worker/requests.h"
#include "worker/shared.h"

#define WORKER_COLUMNS 13

/* ------------------------------------------------------------------------
 * Starting and stopping
 * ------------------------------------------------------------------------
 */
static KafkaQuery query_enable = {
	"UPDATE kafka.outbox_definition SET enabled = $1"
	" WHERE $2 IS NULL OR name OPERATOR(pg_catalog.=) $2 RETURNING id",
	2, {BOOLOID, TEXTOID}, NULL
};

/* Effect at COMMIT. */
static void
enable(FunctionCallInfo fcinfo, bool enabled)
{
	bool		all = PG_ARGISNULL(0);
	Datum		values[2] = {BoolGetDatum(enabled), all ? (Datum) 0 : PG_GETARG_DATUM(0)};
	uint64		count;

	SPI_connect();
	count = kafka_query_run(&query_enable, values, all ? " n" : "  ");
	if (count == 0 && !all)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("outbox \"%s\" does not exist", TextDatumGetCString(values[1])),
				 errhint("\"kafka.outbox_status\" lists them.")));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		id = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		kafka_workers_request_at_commit(enabled ? DatumGetInt32(id) : 0);
	}
	SPI_finish();
	if (count > 0)
		kafka_outbox_changed();
}

PG_FUNCTION_INFO_V1(kafka_start_relay);

Datum
kafka_start_relay(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("kafka.start_relay()");
	kafka_workers_require("relay outboxes", "relay from a session, with CALL kafka.relay()");
	enable(fcinfo, true);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_stop_relay);

Datum
kafka_stop_relay(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("kafka.stop_relay()");
	enable(fcinfo, false);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * The view
 * ------------------------------------------------------------------------
 */
/* Of a pipeline what is unresolved has failed. */
static const char *const states[] = {
	[KAFKA_WORKER_STARTING] = "starting",
	[KAFKA_WORKER_RUNNING] = "running",
	[KAFKA_WORKER_ENDED] = "stopped",
	[KAFKA_WORKER_PENDING] = "pending",
	[KAFKA_WORKER_STOPPED] = "stopped",
	[KAFKA_WORKER_UNRESOLVED] = "unresolved",
};

static const char *const ends[] = {
	[KAFKA_END_DIED] = "died",
	[KAFKA_END_DONE] = "done",
	[KAFKA_END_STOPPED] = "stopped",
	[KAFKA_END_UNRESOLVED] = "unresolved",
	[KAFKA_END_REPLACED] = "replaced",
	[KAFKA_END_LEFT] = "left",
};

static const char *
text_of(const KafkaWorker *worker, const char *text)
{
	return worker->job.kind == KAFKA_JOB_PIPELINE && strcmp(text, "unresolved") == 0 ?
		"failed" : text;
}

static void
put_launcher(FunctionCallInfo fcinfo)
{
	Datum		values[WORKER_COLUMNS] = {0};
	bool		nulls[WORKER_COLUMNS];
	TimestampTz started;
	int			pid = kafka_registry_launcher(&started);

	if (pid == 0)
		return;
	memset(nulls, true, sizeof(nulls));
	values[0] = Int32GetDatum(pid);
	values[1] = CStringGetTextDatum("launcher");
	values[8] = CStringGetTextDatum("running");
	values[9] = TimestampTzGetDatum(started);
	nulls[0] = nulls[1] = nulls[8] = nulls[9] = false;
	kafka_sql_put_row(fcinfo, values, nulls);
}

/* What it works for: an outbox's number and name, or a pipeline's, and slot. */
static void
fill_job(const KafkaWorker *worker, Datum *values, bool *nulls)
{
	bool		relay = worker->job.kind == KAFKA_JOB_RELAY;
	bool		pipeline = worker->job.kind == KAFKA_JOB_PIPELINE;
	char	   *database = get_database_name(worker->job.database);

	values[1] = CStringGetTextDatum(relay ? "relay" : pipeline ? "pipeline" : "scout");
	nulls[2] = database == NULL;
	if (database)
		values[2] = DirectFunctionCall1(namein, CStringGetDatum(database));
	values[3] = values[5] = Int32GetDatum(worker->job.id);
	/* in its database's encoding */
	values[4] = values[6] = kafka_sql_foreign_text(worker->name);
	values[7] = Int32GetDatum(worker->slot);
	nulls[3] = nulls[4] = !relay;
	nulls[5] = nulls[6] = nulls[7] = !pipeline;
}

static void
put_worker(FunctionCallInfo fcinfo, const KafkaWorker *worker)
{
	Datum		values[WORKER_COLUMNS] = {0};
	bool		nulls[WORKER_COLUMNS] = {false};
	KafkaWorkerEnd end = kafka_worker_is_live(worker) ? worker->previous : worker->end;

	values[0] = Int32GetDatum(worker->pid);
	nulls[0] = worker->pid == 0;
	fill_job(worker, values, nulls);
	values[8] = CStringGetTextDatum(text_of(worker, states[worker->state]));
	values[9] = TimestampTzGetDatum(worker->started);
	nulls[9] = worker->started == 0;
	values[10] = Int32GetDatum(worker->restarts);
	nulls[11] = end == KAFKA_END_NONE;
	if (end != KAFKA_END_NONE)
		values[11] = CStringGetTextDatum(text_of(worker, ends[end]));
	values[12] = TimestampTzGetDatum(worker->next_start);
	nulls[12] = worker->state != KAFKA_WORKER_PENDING;
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_get_workers);

Datum
kafka_get_workers(PG_FUNCTION_ARGS)
{
	int			count = kafka_registry_count();
	KafkaWorker *copy = palloc(Max(count, 1) * sizeof(KafkaWorker));

	InitMaterializedSRF(fcinfo, 0);
	if (count == 0)
		return (Datum) 0;
	put_launcher(fcinfo);
	kafka_registry_lock(false);
	memcpy(copy, kafka_registry_worker(0), count * sizeof(KafkaWorker));
	kafka_registry_unlock();
	for (int i = 0; i < count; i++)
		if (copy[i].state != KAFKA_WORKER_NONE)
			put_worker(fcinfo, &copy[i]);
	return (Datum) 0;
}
