/*-------------------------------------------------------------------------
 *
 * offsets.c
 *	  Where pipelines stand in their topics: kafka.pipeline_offset.
 *
 * Layer 3.  The same compare-and-set as of kafka.consumer_offset: whoever takes a partition raises
 * its epoch, and a batch is stored only if offset and epoch are what its worker believes.  Whoever
 * changes or stops a pipeline raises the epochs too, so that no batch that began before can be
 * committed after.  All lock rows in the order of partitions.  Epochs begin anywhere: a process that
 * outlives the extension, and finds it made anew, does not meet its own by chance.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "format/row.h"
#include "ground/message.h"
#include "ground/query.h"
#include "pipeline/offsets.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#define THIS_PIPELINE "o.pipeline OPERATOR(pg_catalog.=) $1"
#define THESE_PARTITIONS THIS_PIPELINE " AND o.partition OPERATOR(pg_catalog.=) ANY ($2)"
#define LOCKED \
	"WITH locked AS MATERIALIZED (SELECT o.partition FROM kafka.pipeline_offset o WHERE " \
	THESE_PARTITIONS " ORDER BY o.partition FOR UPDATE) "
#define LOCKED_ALL \
	"WITH locked AS MATERIALIZED (SELECT o.partition FROM kafka.pipeline_offset o WHERE " \
	THIS_PIPELINE " ORDER BY o.partition FOR UPDATE) "
#define OF_LOCKED THIS_PIPELINE " AND o.partition OPERATOR(pg_catalog.=) locked.partition"
#define RAISED "owner_epoch = o.owner_epoch OPERATOR(pg_catalog.+) 1"

static KafkaQuery query_count = {
	"SELECT pg_catalog.count(*) FROM kafka.pipeline_offset o WHERE " THIS_PIPELINE,
	1, {INT4OID}, NULL
};

static KafkaQuery query_add = {
	"INSERT INTO kafka.pipeline_offset (pipeline, partition, next_offset, owner_epoch, untouched) "
	"SELECT $1, n.partition, n.next_offset, (pg_catalog.random() "
	"OPERATOR(pg_catalog.*) 1e15::pg_catalog.float8)::pg_catalog.int8, $4 "
	"FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS n(partition, next_offset) "
	"ON CONFLICT DO NOTHING",
	4, {INT4OID, INT4ARRAYOID, INT8ARRAYOID, BOOLOID}, NULL
};

static KafkaQuery query_lock = {
	"SELECT FROM kafka.pipeline_definition d WHERE d.id OPERATOR(pg_catalog.=) $1 FOR SHARE",
	1, {INT4OID}, NULL
};

static KafkaQuery query_claim = {
	LOCKED "UPDATE kafka.pipeline_offset o SET " RAISED ", "
	"owner_pid = pg_catalog.pg_backend_pid(), claimed = pg_catalog.now() "
	"FROM locked WHERE " OF_LOCKED
	" RETURNING o.partition, o.next_offset, o.owner_epoch, o.untouched",
	2, {INT4OID, INT4ARRAYOID}, NULL
};

static KafkaQuery query_store = {
	LOCKED "UPDATE kafka.pipeline_offset o SET next_offset = n.target, "
	"untouched = o.untouched AND n.messages OPERATOR(pg_catalog.=) 0, "
	"end_offset = COALESCE(n.end_offset, o.end_offset), "
	"message_time = COALESCE(n.message_time, o.message_time), "
	"messages = o.messages OPERATOR(pg_catalog.+) n.messages, "
	"bytes = o.bytes OPERATOR(pg_catalog.+) n.bytes, "
	"rows = o.rows OPERATOR(pg_catalog.+) n.rows, "
	"skipped = o.skipped OPERATOR(pg_catalog.+) n.skipped, "
	"dead_letters = o.dead_letters OPERATOR(pg_catalog.+) n.dead_letters, "
	"batches = o.batches OPERATOR(pg_catalog.+) n.batches, "
	"batch_ms = CASE WHEN n.messages OPERATOR(pg_catalog.>) 0 THEN $15 ELSE o.batch_ms END, "
	"rate = n.rate, updated = pg_catalog.clock_timestamp() "
	"FROM locked, ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), "
	"pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), "
	"pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), "
	"pg_catalog.unnest($12), pg_catalog.unnest($13), pg_catalog.unnest($14)) "
	"AS n(partition, next_offset, epoch, target, end_offset, message_time, messages, bytes, rows, "
	"skipped, dead_letters, batches, rate) "
	"WHERE " OF_LOCKED " AND o.partition OPERATOR(pg_catalog.=) n.partition "
	"AND o.next_offset OPERATOR(pg_catalog.=) n.next_offset "
	"AND o.owner_epoch OPERATOR(pg_catalog.=) n.epoch",
	15, {INT4OID, INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		TIMESTAMPTZARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		INT8ARRAYOID,
		FLOAT8ARRAYOID, FLOAT8OID}, NULL
};

static KafkaQuery query_hold = {
	"SELECT pg_catalog.count(*) FROM kafka.pipeline_offset o JOIN ROWS FROM "
	"(pg_catalog.unnest($2), pg_catalog.unnest($3)) AS n(partition, epoch) "
	"ON n.partition OPERATOR(pg_catalog.=) o.partition "
	"WHERE " THIS_PIPELINE " AND o.owner_epoch OPERATOR(pg_catalog.=) n.epoch",
	3, {INT4OID, INT4ARRAYOID, INT8ARRAYOID}, NULL
};

static KafkaQuery query_reached = {
	"SELECT pg_catalog.count(*) FROM kafka.pipeline_offset o JOIN ROWS FROM "
	"(pg_catalog.unnest($2), pg_catalog.unnest($3)) AS n(partition, wanted) "
	"ON n.partition OPERATOR(pg_catalog.=) o.partition "
	"WHERE " THIS_PIPELINE " AND o.next_offset OPERATOR(pg_catalog.>=) n.wanted",
	3, {INT4OID, INT4ARRAYOID, INT8ARRAYOID}, NULL
};

static KafkaQuery query_fence = {
	LOCKED_ALL "UPDATE kafka.pipeline_offset o SET " RAISED " FROM locked WHERE " OF_LOCKED,
	1, {INT4OID}, NULL
};

static KafkaQuery query_seek = {
	LOCKED_ALL "UPDATE kafka.pipeline_offset o SET " RAISED ", "
	"next_offset = COALESCE(n.next_offset, o.next_offset), "
	"untouched = CASE WHEN n.partition IS NULL THEN o.untouched ELSE $4 END, "
	"message_time = CASE WHEN n.partition IS NULL THEN o.message_time END "
	"FROM locked LEFT JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) "
	"AS n(partition, next_offset) ON n.partition OPERATOR(pg_catalog.=) locked.partition "
	"WHERE " OF_LOCKED,
	4, {INT4OID, INT4ARRAYOID, INT8ARRAYOID, BOOLOID}, NULL
};

/* ------------------------------------------------------------------------
 * Arrays of a batch
 * ------------------------------------------------------------------------
 */
static Datum
int4_array(const int32 *numbers, int n)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elems[i] = Int32GetDatum(numbers[i]);
	return PointerGetDatum(construct_array(elems, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

/* KAFKA_UNKNOWN is NULL where that may be. */
static Datum
int8_array(const int64 *numbers, int n, bool has_nulls)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	int			lower = 1;

	for (int i = 0; i < n; i++)
	{
		elems[i] = Int64GetDatum(numbers[i]);
		nulls[i] = has_nulls && numbers[i] == KAFKA_UNKNOWN;
	}
	return PointerGetDatum(construct_md_array(elems, nulls, 1, &n, &lower, INT8OID, sizeof(int64),
											  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* A field of each position, of type int64, at that place in the struct. */
static Datum
field_array(const KafkaPipelinePosition *positions, int n, size_t place, bool has_nulls)
{
	int64	   *numbers = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		numbers[i] = *(const int64 *) ((const char *) &positions[i] + place);
	return int8_array(numbers, n, has_nulls);
}

#define FIELD(name) field_array(positions, n, offsetof(KafkaPipelinePosition, name), false)

/* Timestamps of messages may be anything: those that PostgreSQL cannot have are NULL. */
static Datum
time_array(const KafkaPipelinePosition *positions, int n)
{
	static const int64 most = (END_TIMESTAMP - 1) / 1000;
	Datum	   *elems = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	int			lower = 1;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = positions[i].message_time < 0 || positions[i].message_time > most;
		elems[i] = nulls[i] ? (Datum) 0 : kafka_timestamp_datum(positions[i].message_time);
	}
	return PointerGetDatum(construct_md_array(elems, nulls, 1, &n, &lower, TIMESTAMPTZOID,
											  sizeof(TimestampTz), FLOAT8PASSBYVAL,
											  TYPALIGN_DOUBLE));
}

static Datum
rate_array(const KafkaPipelinePosition *positions, int n)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elems[i] = Float8GetDatum(positions[i].rate);
	return PointerGetDatum(construct_array(elems, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

static Datum
partition_array(const KafkaPipelinePosition *positions, int n)
{
	int32	   *numbers = palloc(sizeof(int32) * Max(n, 1));

	for (int i = 0; i < n; i++)
		numbers[i] = positions[i].partition;
	return int4_array(numbers, n);
}

/* ------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------
 */
int
kafka_pipeline_offsets_count(int32 pipeline)
{
	Datum		values[] = {Int32GetDatum(pipeline)};
	bool		isnull;

	(void) kafka_query_run(&query_count, values, NULL);
	return (int) DatumGetInt64(kafka_query_value(1, &isnull));
}

void
kafka_pipeline_offsets_add(int32 pipeline, const int32 *partitions, const int64 *offsets, int n,
						   bool earliest)
{
	Datum		values[] = {Int32GetDatum(pipeline), int4_array(partitions, n),
	int8_array(offsets, n, false), BoolGetDatum(earliest)};

	/* who stops or changes it at this moment could not fence rows that he does not see */
	(void) kafka_query_run(&query_lock, values, NULL);
	(void) kafka_query_run(&query_add, values, NULL);
}

static int
by_partition(const void *a, const void *b)
{
	int32		left = ((const KafkaPipelinePosition *) a)->partition;
	int32		right = ((const KafkaPipelinePosition *) b)->partition;

	return (left > right) - (left < right);
}

KafkaPipelinePosition *
kafka_pipeline_offsets_claim(int32 pipeline, const int32 *partitions, int n, int *claimed)
{
	Datum		values[] = {Int32GetDatum(pipeline), int4_array(partitions, n)};
	KafkaPipelinePosition *positions = palloc0(sizeof(KafkaPipelinePosition) * Max(n, 1));

	*claimed = (int) kafka_query_run(&query_claim, values, NULL);
	for (int i = 0; i < *claimed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		positions[i].partition = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		positions[i].next_offset = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		positions[i].epoch = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
		positions[i].untouched = DatumGetBool(SPI_getbinval(row, desc, 4, &isnull));
		positions[i].target = positions[i].next_offset;
		positions[i].end_offset = positions[i].message_time = KAFKA_UNKNOWN;
	}
	qsort(positions, *claimed, sizeof(KafkaPipelinePosition), by_partition);
	return positions;
}

bool
kafka_pipeline_offsets_store(int32 pipeline, const KafkaPipelinePosition *positions, int n,
							 double ms)
{
	Datum		values[] = {Int32GetDatum(pipeline), partition_array(positions, n),
		FIELD(next_offset), FIELD(epoch), FIELD(target),
		field_array(positions, n, offsetof(KafkaPipelinePosition, end_offset), true),
		time_array(positions, n), FIELD(messages), FIELD(bytes), FIELD(rows), FIELD(skipped),
	FIELD(dead_letters), FIELD(batches), rate_array(positions, n), Float8GetDatum(ms)};

	return kafka_query_run(&query_store, values, NULL) == (uint64) n;
}

bool
kafka_pipeline_offsets_hold(int32 pipeline, const KafkaPipelinePosition *positions, int n)
{
	Datum		values[] = {Int32GetDatum(pipeline), partition_array(positions, n), FIELD(epoch)};
	bool		isnull;

	(void) kafka_query_look(&query_hold, values, NULL);
	return DatumGetInt64(kafka_query_value(1, &isnull)) == n;
}

int
kafka_pipeline_offsets_reached(int32 pipeline, const int64 *ends, int n)
{
	int32	   *numbers = palloc(sizeof(int32) * Max(n, 1));
	Datum		values[3];
	bool		isnull;

	for (int i = 0; i < n; i++)
		numbers[i] = i;
	values[0] = Int32GetDatum(pipeline);
	values[1] = int4_array(numbers, n);
	values[2] = int8_array(ends, n, false);
	(void) kafka_query_look(&query_reached, values, NULL);
	return (int) DatumGetInt64(kafka_query_value(1, &isnull));
}

void
kafka_pipeline_offsets_fence(int32 pipeline)
{
	Datum		values[] = {Int32GetDatum(pipeline)};

	(void) kafka_query_run(&query_fence, values, NULL);
}

void
kafka_pipeline_offsets_seek(int32 pipeline, const int32 *partitions, const int64 *offsets, int n,
							bool earliest)
{
	Datum		values[] = {Int32GetDatum(pipeline), int4_array(partitions, n),
	int8_array(offsets, n, false), BoolGetDatum(earliest)};

	(void) kafka_query_run(&query_seek, values, NULL);
}
