/*-------------------------------------------------------------------------
 *
 * dead_letters.c
 *	  kafka.retry_dead_letters, kafka.discard_dead_letters.
 *
 * Layer 3.  A retry is the pipeline's own way, as it is now, without its offsets: the messages
 * come from kafka.dead_letter.  All is one transaction, the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "format/headers.h"
#include "format/row.h"
#include "ground/query.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pipeline/poison.h"
#include "sql/common.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

enum
{
	COLUMN_ID = 1,
	COLUMN_TOPIC,
	COLUMN_PARTITION,
	COLUMN_OFFSET,
	COLUMN_TS,
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_HEADERS
};

/* $1 the pipeline, $2 ids or NULL */
#define CHOSEN \
	"d.pipeline OPERATOR(pg_catalog.=) $1 " \
	"AND ($2 IS NULL OR d.id OPERATOR(pg_catalog.=) ANY ($2))"

#define BYTES \
	"(COALESCE(pg_catalog.octet_length(d.key), 0) OPERATOR(pg_catalog.+) " \
	"COALESCE(pg_catalog.octet_length(d.value), 0))::bigint"

static KafkaQuery query_last = {
	"SELECT pg_catalog.max(d.id) FROM kafka.dead_letter d WHERE " CHOSEN,
	2, {INT4OID, INT8ARRAYOID}, NULL
};

/* The last one of the next batch: behind $3 and not behind $4, at most $5, of about $6 bytes. */
static KafkaQuery query_batch = {
	"SELECT pg_catalog.max(b.id) FROM (SELECT a.id, pg_catalog.sum(a.bytes) "
	"OVER (ORDER BY a.id ROWS UNBOUNDED PRECEDING) OPERATOR(pg_catalog.-) a.bytes AS before "
	"FROM (SELECT d.id, " BYTES " AS bytes FROM kafka.dead_letter d WHERE " CHOSEN " "
	"AND d.id OPERATOR(pg_catalog.>) $3 AND d.id OPERATOR(pg_catalog.<=) $4 "
	"ORDER BY d.id LIMIT $5) a) b "
	"WHERE b.before OPERATOR(pg_catalog.<=) $6::bigint::pg_catalog.numeric",
	6, {INT4OID, INT8ARRAYOID, INT8OID, INT8OID, INT8OID, INT8OID}, NULL
};

static KafkaQuery query_read = {
	"SELECT d.id, d.topic, d.partition, d.\"offset\", d.ts, d.key, d.value, d.headers "
	"FROM kafka.dead_letter d WHERE " CHOSEN " "
	"AND d.id OPERATOR(pg_catalog.>) $3 AND d.id OPERATOR(pg_catalog.<=) $4 "
	"ORDER BY d.id FOR UPDATE",
	4, {INT4OID, INT8ARRAYOID, INT8OID, INT8OID}, NULL
};

static KafkaQuery query_failed = {
	"UPDATE kafka.dead_letter d SET sqlstate = $2, error = $3, detail = $4, context = $5, "
	"failed = pg_catalog.clock_timestamp(), attempts = d.attempts OPERATOR(pg_catalog.+) 1 "
	"WHERE d.id OPERATOR(pg_catalog.=) $1",
	5, {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}, NULL
};

static KafkaQuery query_delete = {
	"DELETE FROM kafka.dead_letter d WHERE " CHOSEN,
	2, {INT4OID, INT8ARRAYOID}, NULL
};

/* ------------------------------------------------------------------------
 * Which
 * ------------------------------------------------------------------------
 */

/* Messages that are tried again, and what is known of them. */
typedef struct Retry
{
	KafkaPipeline *pipeline;
	Datum		ids;			/* bigint[] */
	bool		all;			/* no ids */
	KafkaLoader *loader;

	/* the batch */
	int			n;
	int64	   *numbers;
	KafkaMessage *messages;
} Retry;

/*
 * The pipeline that the first argument names; loads: its functions and triggers are to run here.
 * SPI is connected from here on.
 */
static Retry
begin_retry(FunctionCallInfo fcinfo, bool loads)
{
	Retry		retry = {.all = PG_ARGISNULL(1)};

	retry.pipeline = kafka_pipeline_find(kafka_sql_text(fcinfo, 0, "pipeline"), false);
	if (loads)
		kafka_pipeline_require_self(retry.pipeline);
	else
		kafka_pipeline_require_owner(retry.pipeline);
	if (!retry.all)
		retry.ids = PointerGetDatum(PG_GETARG_ARRAYTYPE_P(1));
	SPI_connect();
	return retry;
}

/* The highest id that a query finds, or -1. */
static int64
find_id(KafkaQuery *query, Datum *values, const Retry *retry)
{
	Datum		id;
	bool		isnull;

	values[0] = Int32GetDatum(retry->pipeline->id);
	values[1] = retry->ids;
	kafka_query_run(query, values, retry->all ? " n    " : NULL);
	id = kafka_query_value(1, &isnull);
	SPI_freetuptable(SPI_tuptable);
	return isnull ? -1 : DatumGetInt64(id);
}

static int64
find_last(const Retry *retry)
{
	Datum		values[2];

	return find_id(&query_last, values, retry);
}

static int64
find_batch_end(const Retry *retry, int64 after, int64 last)
{
	Datum		values[6];

	values[2] = Int64GetDatum(after);
	values[3] = Int64GetDatum(last);
	values[4] = Int64GetDatum(retry->pipeline->batch_rows);
	values[5] = Int64GetDatum(retry->pipeline->batch_bytes);
	return find_id(&query_batch, values, retry);
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
static Datum
column_value(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static KafkaBytes
column_bytes(int row, int column)
{
	KafkaBytes	bytes = {NULL, 0};
	bool		isnull;
	Datum		value = column_value(row, column, &isnull);

	if (!isnull)
	{
		bytea	   *data = DatumGetByteaPP(value);

		bytes.data = VARDATA_ANY(data);
		bytes.len = VARSIZE_ANY_EXHDR(data);
	}
	return bytes;
}

static void
read_message(int row, KafkaMessage *msg)
{
	Datum		value;
	bool		isnull;

	memset(msg, 0, sizeof(*msg));
	msg->topic = TextDatumGetCString(column_value(row, COLUMN_TOPIC, &isnull));
	msg->partition = DatumGetInt32(column_value(row, COLUMN_PARTITION, &isnull));
	msg->offset = DatumGetInt64(column_value(row, COLUMN_OFFSET, &isnull));
	msg->leader_epoch = KAFKA_UNKNOWN;
	value = column_value(row, COLUMN_TS, &isnull);
	msg->timestamp_type = isnull ? KAFKA_TIMESTAMP_NONE : KAFKA_TIMESTAMP_CREATE;
	msg->timestamp = isnull ? KAFKA_UNKNOWN : kafka_timestamp_ms(value);
	msg->key = column_bytes(row, COLUMN_KEY);
	msg->value = column_bytes(row, COLUMN_VALUE);
	value = column_value(row, COLUMN_HEADERS, &isnull);
	if (!isnull)
		kafka_headers_from_array(value, msg);
}

/* Locks them, too: two retries at a time do not load the same. */
static void
read_batch(Retry *retry, int64 after, int64 last)
{
	Datum		values[4];
	bool		isnull;

	values[0] = Int32GetDatum(retry->pipeline->id);
	values[1] = retry->ids;
	values[2] = Int64GetDatum(after);
	values[3] = Int64GetDatum(last);
	retry->n = (int) kafka_query_run(&query_read, values, retry->all ? " n  " : NULL);
	retry->numbers = palloc(sizeof(int64) * Max(retry->n, 1));
	retry->messages = palloc(sizeof(KafkaMessage) * Max(retry->n, 1));
	for (int i = 0; i < retry->n; i++)
	{
		retry->numbers[i] = DatumGetInt64(column_value(i, COLUMN_ID, &isnull));
		read_message(i, &retry->messages[i]);
	}
}

/* ------------------------------------------------------------------------
 * Loading
 * ------------------------------------------------------------------------
 */

/* It stays, with what is wrong now.  Called as a KafkaOnFailure. */
static KafkaFate
note_failure(void *arg, int i, const ErrorData *error)
{
	const Retry *retry = arg;
	Datum		values[5] = {0};
	char		nulls[] = {' ', ' ', ' ', error->detail ? ' ' : 'n', error->context ? ' ' : 'n'};

	values[0] = Int64GetDatum(retry->numbers[i]);
	values[1] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[2] = CStringGetTextDatum(error->message ? error->message : "");
	if (error->detail)
		values[3] = CStringGetTextDatum(error->detail);
	if (error->context)
		values[4] = CStringGetTextDatum(error->context);
	(void) kafka_query_run(&query_failed, values, nulls);
	return KAFKA_FATE_DEAD_LETTER;
}

static int64
delete_loaded(const Retry *retry, const KafkaFate *fates)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(retry->n, 1));
	Datum		values[2];
	int			n = 0;

	for (int i = 0; i < retry->n; i++)
		if (fates[i] != KAFKA_FATE_DEAD_LETTER)
			ids[n++] = Int64GetDatum(retry->numbers[i]);
	if (n == 0)
		return 0;
	values[0] = Int32GetDatum(retry->pipeline->id);
	values[1] = PointerGetDatum(construct_array(ids, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	(void) kafka_query_run(&query_delete, values, NULL);
	return n;
}

/* Those behind one id and up to another; returns how many are dead letters no longer. */
static int64
retry_batch(Retry *retry, int64 after, int64 last)
{
	KafkaBatchLoad load = {0};
	SPITupleTable *rows;
	int64		loaded;

	read_batch(retry, after, last);
	rows = SPI_tuptable;
	load.fates = palloc0(sizeof(KafkaFate) * Max(retry->n, 1));
	kafka_batch_sift(retry->loader, retry->messages, retry->n, &load, note_failure, retry);
	loaded = delete_loaded(retry, load.fates);
	SPI_freetuptable(rows);
	return loaded;
}

static int64
retry_all(Retry *retry)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw dead letters",
												ALLOCSET_DEFAULT_SIZES);
	int64		last = find_last(retry);
	int64		after = 0;
	int64		loaded = 0;

	while (after < last)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		int64		end = find_batch_end(retry, after, last);

		if (end >= 0)
			loaded += retry_batch(retry, after, end);
		after = end >= 0 ? end : last;
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
		CHECK_FOR_INTERRUPTS();
	}
	return loaded;
}

PG_FUNCTION_INFO_V1(kafka_retry_dead_letters);

/* kafka.retry_dead_letters(pipeline, ids) */
Datum
kafka_retry_dead_letters(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Retry		retry = begin_retry(fcinfo, true);
	KafkaPipelineUser saved;
	int64		loaded;

	MemoryContextSwitchTo(context);
	/* what the caller has deferred is his, and no message's fault */
	AfterTriggerSetState(makeNode(ConstraintsSetStmt));
	kafka_pipeline_resolve(retry.pipeline);
	saved = kafka_pipeline_enter(retry.pipeline);
	retry.loader = kafka_loader_begin(retry.pipeline);
	loaded = retry_all(&retry);
	kafka_loader_defer_constraints(retry.loader);
	kafka_loader_end(retry.loader);
	kafka_pipeline_leave(&saved);
	SPI_finish();
	PG_RETURN_INT64(loaded);
}

PG_FUNCTION_INFO_V1(kafka_discard_dead_letters);

/* kafka.discard_dead_letters(pipeline, ids) */
Datum
kafka_discard_dead_letters(PG_FUNCTION_ARGS)
{
	Retry		retry = begin_retry(fcinfo, false);
	Datum		values[2];
	uint64		n;

	values[0] = Int32GetDatum(retry.pipeline->id);
	values[1] = retry.ids;
	n = kafka_query_run(&query_delete, values, retry.all ? " n" : NULL);
	SPI_finish();
	PG_RETURN_INT64((int64) n);
}
