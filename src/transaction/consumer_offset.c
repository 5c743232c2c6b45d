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

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "transaction/consumer_offset.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define THIS_ROW \
	"o.server OPERATOR(pg_catalog.=) $1 AND o.group_id OPERATOR(pg_catalog.=) $2 AND " \
	"o.topic OPERATOR(pg_catalog.=) $3 AND o.partition OPERATOR(pg_catalog.=) $4"

static const char *const take_query =
	"UPDATE kafka.consumer_offset o SET owner_epoch = o.owner_epoch OPERATOR(pg_catalog.+) 1, "
	"owner_pid = pg_catalog.pg_backend_pid(), claimed = pg_catalog.now() "
	"WHERE " THIS_ROW " RETURNING o.next_offset, o.owner_epoch";
static const char *const begin_query =
	"INSERT INTO kafka.consumer_offset AS o (server, group_id, topic, partition, next_offset, "
	"owner_epoch, owner_pid, claimed, updated) "
	"VALUES ($1, $2, $3, $4, $5, 1, pg_catalog.pg_backend_pid(), pg_catalog.now(), pg_catalog.now()) "
	"ON CONFLICT (server, group_id, topic, partition) DO UPDATE SET "
	"owner_epoch = o.owner_epoch OPERATOR(pg_catalog.+) 1, owner_pid = excluded.owner_pid, "
	"claimed = excluded.claimed RETURNING o.next_offset, o.owner_epoch";
static const char *const store_query =
	"UPDATE kafka.consumer_offset o SET next_offset = $5, metadata = $8, "
	"updated = pg_catalog.now() WHERE " THIS_ROW " AND o.next_offset OPERATOR(pg_catalog.=) $6 "
	"AND o.owner_epoch OPERATOR(pg_catalog.=) $7";
static const char *const look_query =
	"SELECT o.next_offset, o.owner_epoch FROM kafka.consumer_offset o WHERE " THIS_ROW;

#define MAX_ARGUMENTS 8

static Oid	argument_types[MAX_ARGUMENTS] = {NAMEOID, TEXTOID, TEXTOID, INT4OID, INT8OID, INT8OID,
INT8OID, TEXTOID};

static SPIPlanPtr take_plan;
static SPIPlanPtr begin_plan;
static SPIPlanPtr store_plan;
static SPIPlanPtr look_plan;

static Oid
table_owner(void)
{
	Oid			relid = get_relname_relid("consumer_offset", get_namespace_oid("kafka", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"kafka.consumer_offset\" does not exist")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

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

/* Runs a query as the table's owner; rows that it touched or gave.  An error rolls all back. */
static uint64
run(SPIPlanPtr *plan, const char *query, Datum *values, const char *nulls, int nargs,
	int64 *next_offset, int64 *epoch)
{
	Oid			user;
	int			security;
	uint64		rows;
	int			rc;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(table_owner(), security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	SPI_connect();
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(query, nargs, argument_types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare a query on kafka.consumer_offset");
		*plan = prepared;
	}
	rc = SPI_execute_plan(*plan, values, nulls, false, 0);
	if (rc < 0)
		elog(ERROR, "a query on kafka.consumer_offset failed: %s", SPI_result_code_string(rc));
	rows = SPI_processed;
	if (rows > 0 && next_offset)
	{
		bool		isnull;

		*next_offset = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
												   SPI_tuptable->tupdesc, 1, &isnull));
		*epoch = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2,
											 &isnull));
	}
	SPI_finish();
	SetUserIdAndSecContext(user, security);
	return rows;
}

bool
kafka_consumer_offset_claim(const KafkaSessionConsumer *consumer, const KafkaPosition *position,
							int64 start, int64 *next_offset, int64 *epoch)
{
	Datum		values[MAX_ARGUMENTS];

	fill_key(consumer, position->partition, values);
	if (start == KAFKA_UNKNOWN)
		return run(&take_plan, take_query, values, NULL, 4, next_offset, epoch) > 0;
	values[4] = Int64GetDatum(start);
	return run(&begin_plan, begin_query, values, NULL, 5, next_offset, epoch) > 0;
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
	if (run(&store_plan, store_query, values, nulls, 8, NULL, NULL) == 1)
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
	if (run(&look_plan, look_query, values, NULL, 4, &next_offset, &epoch) == 0)
		return KAFKA_UNKNOWN;
	return next_offset;
}
