/*-------------------------------------------------------------------------
 *
 * scout.c
 *	  The background worker that looks which outboxes and pipelines of a database are to run.
 *
 * Layer 3.  It is started by the launcher, answers through the registry, and ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "ground/query.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

/* It gives up a look for which it has to wait; the launcher comes back. */
#define LOCK_TIMEOUT_MS 5000

static KafkaQuery query_outboxes = {
	"SELECT d.id, d.name, 1, l.resolution IS NOT NULL"
	"  FROM kafka.outbox_definition AS d"
	"  LEFT JOIN kafka.outbox_lease AS l ON l.outbox OPERATOR(pg_catalog.=) d.id"
	" WHERE d.enabled ORDER BY d.id LIMIT $1",
	1, {INT8OID}, NULL
};

static KafkaQuery query_pipelines = {
	"SELECT d.id, d.name, d.parallelism, true"
	"  FROM kafka.pipeline_definition AS d"
	"  LEFT JOIN kafka.pipeline_state AS s ON s.pipeline OPERATOR(pg_catalog.=) d.id"
	" WHERE d.enabled AND (s.state IS NULL OR s.state OPERATOR(pg_catalog.<>) 'failed')"
	" ORDER BY d.id LIMIT $1",
	1, {INT8OID}, NULL
};

static void
take_row(HeapTuple tuple, TupleDesc desc, KafkaFound *found)
{
	bool		isnull;
	char	   *name = TextDatumGetCString(SPI_getbinval(tuple, desc, 2, &isnull));
	int			len = pg_mbcliplen(name, (int) strlen(name), KAFKA_WORKER_NAME - 1);

	found->id = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
	memcpy(found->name, name, len);
	found->processes = DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
	found->resolved = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
}

static int
look_for(KafkaJobKind kind, KafkaQuery *query, KafkaFound *found, int max)
{
	Datum		values[1] = {Int64GetDatum(max)};
	int			count = (int) kafka_query_run(query, values, NULL);

	memset(found, 0, count * sizeof(KafkaFound));
	for (int i = 0; i < count; i++)
	{
		found[i].kind = kind;
		take_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &found[i]);
	}
	return count;
}

static int
look(KafkaFound *found, int max)
{
	int			count;

	if (!OidIsValid(get_extension_oid("kafka_fdw", true)))
		return 0;
	count = look_for(KAFKA_JOB_RELAY, &query_outboxes, found, max / 2);
	return count + look_for(KAFKA_JOB_PIPELINE, &query_pipelines, found + count, max / 2);
}

void
kafka_scout_main(Datum arg)
{
	int			max = kafka_registry_found_max();
	KafkaFound *found;

	(void) kafka_worker_connect(arg, LOCK_TIMEOUT_MS);
	found = palloc(max * sizeof(KafkaFound));
	pgstat_report_activity(STATE_RUNNING, "looking for outboxes and pipelines");
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	kafka_registry_answer(found, look(found, max));
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	proc_exit(0);
}
