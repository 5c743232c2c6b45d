/*-------------------------------------------------------------------------
 *
 * consumer_offset.c
 *	  The table kafka.consumer_offset: offsets that are kept with the rows they produced.
 *
 * Layer 3.  A row for each server, group, topic and partition has the next offset and the epoch
 * of its owner.  Taking a partition raises the epoch.  Storing compares offset and epoch:
 * where either has changed somebody else has the partition, and the transaction fails.  So two
 * consumers that believe they have the same partition can never both commit its messages.
 *
 * Everything is done as the table's owner: users have no right on it.  Operators and types are
 * pg_catalog's whatever search_path says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ground/query.h"
#include "mb/pg_wchar.h"
#include "transaction/consumer_offset.h"
#include "utils/builtins.h"

#define THIS_ROW \
	"o.server OPERATOR(pg_catalog.=) $1 AND o.group_id OPERATOR(pg_catalog.=) $2 AND " \
	"o.topic OPERATOR(pg_catalog.=) $3 AND o.partition OPERATOR(pg_catalog.=) $4"

#define KEY_TYPES NAMEOID, TEXTOID, TEXTOID, INT4OID

static KafkaQuery query_take = {
	"UPDATE kafka.consumer_offset o SET owner_epoch = o.owner_epoch OPERATOR(pg_catalog.+) 1, "
	"owner_pid = pg_catalog.pg_backend_pid(), claimed = pg_catalog.now() "
	"WHERE " THIS_ROW " RETURNING o.next_offset, o.owner_epoch",
	4, {KEY_TYPES}, NULL
};

static KafkaQuery query_begin = {
	"INSERT INTO kafka.consumer_offset AS o (server, group_id, topic, partition, next_offset, "
	"owner_epoch, owner_pid, claimed, updated) "
	"VALUES ($1, $2, $3, $4, $5, 1, pg_catalog.pg_backend_pid(), pg_catalog.now(), pg_catalog.now()) "
	"ON CONFLICT (server, group_id, topic, partition) DO UPDATE SET "
	"owner_epoch = o.owner_epoch OPERATOR(pg_catalog.+) 1, owner_pid = excluded.owner_pid, "
	"claimed = excluded.claimed RETURNING o.next_offset, o.owner_epoch",
	5, {KEY_TYPES, INT8OID}, NULL
};

static KafkaQuery query_store = {
	"UPDATE kafka.consumer_offset o SET next_offset = $5, metadata = $8, "
	"updated = pg_catalog.now() WHERE " THIS_ROW " AND o.next_offset OPERATOR(pg_catalog.=) $6 "
	"AND o.owner_epoch OPERATOR(pg_catalog.=) $7",
	8, {KEY_TYPES, INT8OID, INT8OID, INT8OID, TEXTOID}, NULL
};

static KafkaQuery query_look = {
	"SELECT o.next_offset, o.owner_epoch FROM kafka.consumer_offset o WHERE " THIS_ROW,
	4, {KEY_TYPES}, NULL
};

#define MAX_ARGUMENTS 8

/* Text of Kafka's as the database has it. */
static Datum
text_datum(const char *utf8)
{
	return CStringGetTextDatum(pg_any_to_server(utf8, (int) strlen(utf8), PG_UTF8));
}

static void
fill_key(const KafkaSessionConsumer *consumer, const KafkaMemberPartition *partition,
		 Datum *values)
{
	values[0] = DirectFunctionCall1(namein,
									CStringGetDatum(consumer->spec.opts->server_name));
	values[1] = text_datum(consumer->spec.opts->group_id);
	values[2] = text_datum(partition->topic);
	values[3] = Int32GetDatum(partition->partition);
}

/* Rows that the query touched or gave; of the first one, where that is asked for. */
static uint64
run(KafkaQuery *query, Datum *values, const char *nulls, int64 *next_offset, int64 *epoch)
{
	uint64		rows;
	bool		isnull;

	SPI_connect();
	rows = kafka_query_run(query, values, nulls);
	if (rows > 0 && next_offset)
	{
		*next_offset = DatumGetInt64(kafka_query_value(1, &isnull));
		*epoch = DatumGetInt64(kafka_query_value(2, &isnull));
	}
	SPI_finish();
	return rows;
}

bool
kafka_consumer_offset_claim(const KafkaSessionConsumer *consumer, const KafkaPosition *position,
							int64 start, int64 *next_offset, int64 *epoch)
{
	Datum		values[MAX_ARGUMENTS];

	fill_key(consumer, position->partition, values);
	if (start == KAFKA_UNKNOWN)
		return run(&query_take, values, NULL, next_offset, epoch) > 0;
	values[4] = Int64GetDatum(start);
	return run(&query_begin, values, NULL, next_offset, epoch) > 0;
}

void
kafka_consumer_offset_store(KafkaSessionConsumer *consumer, const KafkaPosition *position)
{
	Datum		values[MAX_ARGUMENTS];
	char		nulls[MAX_ARGUMENTS + 1] = "        ";

	fill_key(consumer, position->partition, values);
	values[4] = Int64GetDatum(position->target);
	values[5] = Int64GetDatum(position->committed);
	values[6] = Int64GetDatum(position->epoch);
	values[7] = (Datum) 0;
	if (position->metadata)
		values[7] = text_datum(position->metadata);
	else
		nulls[7] = 'n';
	consumer->must_reload = true;	/* also where PostgreSQL finds that it has come too late */
	if (run(&query_store, values, nulls, NULL, NULL) == 1)
	{
		consumer->must_reload = false;
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("another consumer of the group has taken topic \"%s\" partition %d",
					position->partition->topic, position->partition->partition),
			 errdetail("This transaction was to move the offset from " INT64_FORMAT " to "
					   INT64_FORMAT ".", position->committed, position->target),
			 errhint("Nothing of this transaction is kept. Poll again: the position is taken "
					 "from kafka.consumer_offset.")));
}

int64
kafka_consumer_offset_look(const KafkaSessionConsumer *consumer,
						   const KafkaMemberPartition *partition)
{
	Datum		values[MAX_ARGUMENTS];
	int64		next_offset;
	int64		epoch;

	fill_key(consumer, partition, values);
	if (run(&query_look, values, NULL, &next_offset, &epoch) == 0)
		return KAFKA_UNKNOWN;
	return next_offset;
}
