/*-------------------------------------------------------------------------
 *
 * state.c
 *	  How a pipeline is: kafka.pipeline_state.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ground/message.h"
#include "ground/query.h"
#include "pipeline/run_internal.h"
#include "utils/builtins.h"

/*
 * Rows are changed only when they say something new.  A worker that has begun to read, or has to wait, does not
 * hide that another one has failed; who ends that says "new" or "stopped" first.
 */
static KafkaQuery query_set = {
	"INSERT INTO kafka.pipeline_state AS s "
	"(pipeline, state, since, sqlstate, error, detail, context, partition, \"offset\") "
	"VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4, $5, $6, $7, $8) "
	"ON CONFLICT (pipeline) DO UPDATE SET state = excluded.state, since = excluded.since, "
	"sqlstate = excluded.sqlstate, error = excluded.error, detail = excluded.detail, "
	"context = excluded.context, partition = excluded.partition, \"offset\" = excluded.\"offset\" "
	"WHERE ROW(s.state, s.sqlstate, s.error, s.partition, s.\"offset\") IS DISTINCT FROM "
	"ROW(excluded.state, excluded.sqlstate, excluded.error, excluded.partition, "
	"excluded.\"offset\") AND (s.state OPERATOR(pg_catalog.<>) 'failed' OR "
	"excluded.state OPERATOR(pg_catalog.<>) ALL ('{running,waiting}'::pg_catalog.text[]))",
	8, {INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT8OID}, NULL
};

static KafkaQuery query_failed = {
	"SELECT FROM kafka.pipeline_state s WHERE s.pipeline OPERATOR(pg_catalog.=) $1 "
	"AND s.state OPERATOR(pg_catalog.=) 'failed'", 1, {INT4OID}, NULL
};

static KafkaQuery query_error = {
	"SELECT s.sqlstate, s.error, s.detail, s.context FROM kafka.pipeline_state s "
	"WHERE s.pipeline OPERATOR(pg_catalog.=) $1", 1, {INT4OID}, NULL
};

static void
set_text(Datum *value, char *null, const char *text)
{
	*null = text ? ' ' : 'n';
	*value = text ? CStringGetTextDatum(text) : (Datum) 0;
}

void
kafka_pipeline_set_state(int32 pipeline, const char *state, const ErrorData *error,
						 int32 partition, int64 offset)
{
	Datum		values[8] = {Int32GetDatum(pipeline), CStringGetTextDatum(state)};
	char		nulls[9] = "        ";

	set_text(&values[2], &nulls[2], error ? unpack_sql_state(error->sqlerrcode) : NULL);
	set_text(&values[3], &nulls[3], error ? error->message : NULL);
	set_text(&values[4], &nulls[4], error ? error->detail : NULL);
	set_text(&values[5], &nulls[5], error ? error->context : NULL);
	values[6] = Int32GetDatum(partition);
	values[7] = Int64GetDatum(offset);
	nulls[6] = partition < 0 ? 'n' : ' ';
	nulls[7] = offset < 0 ? 'n' : ' ';
	(void) kafka_query_run(&query_set, values, nulls);
}

void
kafka_pipeline_note_running(KafkaPipelineRun *run)
{
	if (run->shown_running)
		return;
	kafka_pipeline_begin(run);
	kafka_pipeline_set_state(run->id, "running", NULL, KAFKA_UNKNOWN, KAFKA_UNKNOWN);
	kafka_pipeline_commit(run);
	run->shown_running = true;
}

static char *
text_or_null(int column)
{
	bool		isnull;
	Datum		value = kafka_query_value(column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* A message failed, or it is not there any more. */
static int
hint_failed(const char *sqlstate)
{
	if (strncmp(sqlstate, "HV", 2) == 0)
		return errhint("kafka.seek_pipeline says where it goes on; with the option on_missing "
					   "'earliest' it does so by itself.");
	return errhint("All before that is loaded. Mend the table, or use on_error 'skip' or "
				   "'dead_letter', or kafka.seek_pipeline; then run it again.");
}

void
kafka_pipeline_throw_failed(int32 pipeline, const char *name)
{
	Datum		values[] = {Int32GetDatum(pipeline)};
	char	   *sqlstate;
	char	   *detail;
	char	   *context;
	char	   *error;

	if (kafka_query_look(&query_error, values, NULL) == 0)
		elog(ERROR, "pipeline \"%s\" has no state", name);
	sqlstate = text_or_null(1);
	error = text_or_null(2);
	detail = text_or_null(3);
	context = text_or_null(4);
	if (sqlstate == NULL)
		sqlstate = pstrdup("XX000");
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
			 errmsg("pipeline \"%s\" has failed: %s", name, error ? error : ""),
			 detail ? errdetail("%s", detail) : 0,
			 hint_failed(sqlstate),
			 context ? errcontext("%s", context) : 0));
}

bool
kafka_pipeline_has_failed(int32 pipeline)
{
	Datum		values[] = {Int32GetDatum(pipeline)};

	return kafka_query_look(&query_failed, values, NULL) > 0;
}
