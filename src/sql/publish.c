/*-------------------------------------------------------------------------
 *
 * publish.c
 *	  kafka.publish: a trigger function that sends row changes as JSON.
 *
 * Layer 3.  Rows become JSON by PostgreSQL's own row_to_json().  What arguments, server and
 * columns come to is looked up once per call site, that is for each trigger of a statement.
 *
 * A trigger for each statement reads the transition tables.  PostgreSQL does not promise that
 * OLD TABLE and NEW TABLE are in the same order, but it fills both in one step for each row.
 * Only a row that moves to another partition, where a BEFORE trigger then suppresses it, leaves
 * an old one without a new one: as many in both means that they are pairs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "format/format.h"
#include "format/row.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "sql/common.h"
#include "sql/publish_args.h"
#include "sql/publish_columns.h"
#include "transaction/send.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

enum
{
	HEADER_OP,
	HEADER_SCHEMA,
	HEADER_TABLE,
	HEADER_XID,
	HEADER_LSN,
	HEADERS
};

/* A change's letter, as Debezium's, and what of it there is. */
typedef struct Change
{
	const char *op;
	HeapTuple	before;
	HeapTuple	after;
} Change;

/* What is looked up once per call site. */
typedef struct Publish
{
	Oid			userid;
	const KafkaPublishArgs *args;
	const KafkaOptions *opts;
	KafkaDeliveryMode mode;
	KafkaPublishColumns *columns;
	char	   *source;			/* the envelope's member, as JSON */
	KafkaHeader headers[HEADERS];
	MemoryContext row_context;	/* reset for each row */
	StringInfoData value;

	/* for this call */
	const char *trigger_name;
	Relation	rel;
	KafkaSender *sender;		/* modes with a transaction: kept */
} Publish;

static void
tell_trigger(void *arg)
{
	const Publish *publish = (const Publish *) arg;

	errcontext("trigger \"%s\" on table \"%s\", publishing to topic \"%s\"",
			   publish->trigger_name, RelationGetRelationName(publish->rel),
			   publish->args->topic);
}

/* ------------------------------------------------------------------------
 * Once per call site
 * ------------------------------------------------------------------------
 */
static void
check_trigger(FunctionCallInfo fcinfo)
{
	const TriggerData *data = (const TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("kafka.publish can only be called as a trigger")));
	if (!TRIGGER_FIRED_AFTER(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must be fired AFTER the change to publish it",
						data->tg_trigger->tgname),
				 errhint("Before it, what will be stored is not known for sure.")));
}

/* The table's name; of a partition whose trigger was made for its parent, the topmost parent's. */
static Oid
published_relid(const TriggerData *data)
{
	Oid			relid = RelationGetRelid(data->tg_relation);

	if (!data->tg_trigger->tgisclone)
		return relid;
	return llast_oid(get_partition_ancestors(relid));
}

static void
set_names(Publish *publish, Oid relid)
{
	char	   *table = get_rel_name(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"schema\":");
	escape_json(&json, schema);
	appendStringInfoString(&json, ",\"table\":");
	escape_json(&json, table);
	appendStringInfoChar(&json, '}');
	publish->source = json.data;
	publish->headers[HEADER_OP].name = "op";
	publish->headers[HEADER_SCHEMA].name = "schema";
	publish->headers[HEADER_SCHEMA].value.data = pg_server_to_any(schema, strlen(schema), PG_UTF8);
	publish->headers[HEADER_TABLE].name = "table";
	publish->headers[HEADER_TABLE].value.data = pg_server_to_any(table, strlen(table), PG_UTF8);
	publish->headers[HEADER_XID].name = "xid";
	publish->headers[HEADER_LSN].name = "lsn";
}

static Publish *
make_publish(const TriggerData *data)
{
	Publish    *publish = palloc0(sizeof(Publish));

	publish->userid = GetUserId();
	publish->args = kafka_publish_args(data->tg_trigger);
	publish->opts = kafka_sql_server_named(publish->args->server);
	publish->mode = kafka_delivery_mode(publish->args->delivery);
	publish->columns = kafka_publish_columns(data->tg_relation, publish->args);
	set_names(publish, published_relid(data));
	publish->row_context = AllocSetContextCreate(CurrentMemoryContext, "kafka.publish row",
												 ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&publish->value);
	return publish;
}

/* Deferred triggers of one call site may run as several users. */
static Publish *
get_publish(FunctionCallInfo fcinfo)
{
	const TriggerData *data = (const TriggerData *) fcinfo->context;
	Publish    *publish = (Publish *) fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (publish == NULL || publish->userid != GetUserId())
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		publish = make_publish(data);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = publish;
	}
	publish->rel = data->tg_relation;
	publish->trigger_name = data->tg_trigger->tgname;
	return publish;
}

/* ------------------------------------------------------------------------
 * A change as messages
 * ------------------------------------------------------------------------
 */
static void
set_header(Publish *publish, int number, const char *value)
{
	publish->headers[number].value.data = value;
	publish->headers[number].value.len = strlen(value);
}

static void
set_headers(Publish *publish, const char *op)
{
	XLogRecPtr	lsn = GetXLogInsertRecPtr();

	set_header(publish, HEADER_OP, op);
	set_header(publish, HEADER_SCHEMA, publish->headers[HEADER_SCHEMA].value.data);
	set_header(publish, HEADER_TABLE, publish->headers[HEADER_TABLE].value.data);
	set_header(publish, HEADER_XID,
			   psprintf(UINT64_FORMAT, U64FromFullTransactionId(GetTopFullTransactionId())));
	set_header(publish, HEADER_LSN, psprintf("%X/%X", LSN_FORMAT_ARGS(lsn)));
}

static void
append_row(Publish *publish, const char *member, HeapTuple row)
{
	appendStringInfo(&publish->value, "\"%s\":", member);
	if (row)
		kafka_publish_append_row(publish->columns, publish->rel, row, &publish->value);
	else
		appendStringInfoString(&publish->value, "null");
	appendStringInfoChar(&publish->value, ',');
}

/* The value, in the database's encoding. */
static void
make_value(Publish *publish, const Change *change)
{
	resetStringInfo(&publish->value);
	if (publish->args->format == KAFKA_PUBLISH_ROW)
	{
		kafka_publish_append_row(publish->columns, publish->rel, change->after, &publish->value);
		return;
	}
	appendStringInfo(&publish->value, "{\"op\":\"%s\",", change->op);
	append_row(publish, "before", change->before);
	append_row(publish, "after", change->after);
	appendStringInfo(&publish->value, "\"source\":%s,\"ts_ms\":" INT64_FORMAT "}",
					 publish->source,
					 kafka_timestamp_ms(TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())));
}

static KafkaBytes
value_bytes(const Publish *publish)
{
	KafkaBytes	bytes = {publish->value.data, publish->value.len};
	char	   *converted = pg_server_to_any(publish->value.data, publish->value.len, PG_UTF8);

	if (converted != publish->value.data)
	{
		bytes.data = converted;
		bytes.len = strlen(converted);
	}
	return bytes;
}

static void
send_message(Publish *publish, KafkaBytes key, KafkaBytes value)
{
	KafkaMessage msg = {
		.topic = publish->args->topic,
		.partition = KAFKA_PARTITION_ANY,
		.offset = KAFKA_UNKNOWN,
		.timestamp = KAFKA_UNKNOWN,
		.key = key,
		.value = value,
		.nheaders = HEADERS,
		.headers = publish->headers
	};

	kafka_sender_send(publish->sender, &msg);
}

static bool
is_same(KafkaBytes a, KafkaBytes b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static void
reject_keyless_tombstone(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("kafka.publish cannot send a tombstone without a key"),
			 errhint("Name the key's columns in the second argument.")));
}

/* The old key has no row any more. */
static void
send_tombstone(Publish *publish, KafkaBytes key)
{
	KafkaBytes	null = {NULL, 0};

	if (key.data == NULL)
		reject_keyless_tombstone();
	send_message(publish, key, null);
}

/* The message of the change, with the tombstones that belong to it. */
static void
publish_change(Publish *publish, const Change *change)
{
	const bool	as_row = publish->args->format == KAFKA_PUBLISH_ROW;
	const bool	tombstones = as_row || publish->args->tombstones;
	MemoryContext old = MemoryContextSwitchTo(publish->row_context);
	KafkaBytes	before_key = {NULL, 0};
	KafkaBytes	after_key = {NULL, 0};

	MemoryContextReset(publish->row_context);
	set_headers(publish, change->op);
	if (change->before && (tombstones || change->after == NULL))
		before_key = kafka_publish_key(publish->columns, publish->rel, change->before);
	if (change->after)
		after_key = kafka_publish_key(publish->columns, publish->rel, change->after);
	if (tombstones && change->before && change->after && before_key.data &&
		!is_same(before_key, after_key))
		send_tombstone(publish, before_key);
	if (change->after || !as_row)
	{
		make_value(publish, change);
		send_message(publish, change->after ? after_key : before_key, value_bytes(publish));
	}
	if (tombstones && change->before && change->after == NULL)
		send_tombstone(publish, before_key);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * What a trigger sees
 * ------------------------------------------------------------------------
 */
static void
publish_row(Publish *publish, const TriggerData *data)
{
	Change		change = {"c", NULL, NULL};

	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		change.after = data->tg_trigtuple;
	else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
	{
		change.op = "u";
		change.before = data->tg_trigtuple;
		change.after = data->tg_newtuple;
	}
	else
	{
		change.op = "d";
		change.before = data->tg_trigtuple;
	}
	publish_change(publish, &change);
}

static void
publish_truncate(Publish *publish)
{
	Change		change = {"t", NULL, NULL};

	if (publish->args->format == KAFKA_PUBLISH_ROW)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("kafka.publish cannot send TRUNCATE with \"format=row\""),
				 errhint("Use DELETE, or the format \"envelope\".")));
	publish_change(publish, &change);
}

/* A transition table; several triggers read the same one, each with a pointer of its own. */
typedef struct TransitionTable
{
	Tuplestorestate *store;		/* NULL: the trigger does not name it */
	int			pointer;
	TupleTableSlot *slot;
} TransitionTable;

static void
open_table(TransitionTable *table, Tuplestorestate *store, TupleDesc desc)
{
	table->store = store;
	if (store == NULL)
		return;
	table->pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(store, table->pointer);
	tuplestore_rescan(store);
	table->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

/* NULL at the end; valid until the next one. */
static HeapTuple
next_row(TransitionTable *table)
{
	bool		should_free;

	if (table->store == NULL)
		return NULL;
	tuplestore_select_read_pointer(table->store, table->pointer);
	if (!tuplestore_gettupleslot(table->store, true, false, table->slot))
		return NULL;
	return ExecFetchSlotHeapTuple(table->slot, false, &should_free);
}

static void
close_table(TransitionTable *table)
{
	if (table->store)
		ExecDropSingleTupleTableSlot(table->slot);
}

/* From an old row alone nobody can tell an update from a deletion, nor a new key from an old one. */
static void
check_tombstones(const Publish *publish, const TriggerData *data)
{
	if (!TRIGGER_FIRED_BY_UPDATE(data->tg_event) || (data->tg_oldtable && data->tg_newtable) ||
		!(publish->args->tombstones || publish->args->format == KAFKA_PUBLISH_ROW))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" needs old and new rows of an UPDATE",
					data->tg_trigger->tgname),
			 errdetail("With \"tombstones=true\" or \"format=row\" a changed key gets a "
					   "tombstone."),
			 errhint("Make it FOR EACH ROW, or give it both transition tables.")));
}

static void
check_tables(const TriggerData *data)
{
	if (data->tg_oldtable == NULL && data->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" sees no rows to publish", data->tg_trigger->tgname),
				 errhint("Make it FOR EACH ROW, or give it transition tables: REFERENCING "
						 "OLD TABLE AS ... NEW TABLE AS ...")));
	if (data->tg_oldtable && data->tg_newtable &&
		tuplestore_tuple_count(data->tg_oldtable) != tuplestore_tuple_count(data->tg_newtable))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("old and new rows of the UPDATE do not form pairs"),
				 errdetail("There are " INT64_FORMAT " old and " INT64_FORMAT " new rows.",
						   tuplestore_tuple_count(data->tg_oldtable),
						   tuplestore_tuple_count(data->tg_newtable)),
				 errhint("Use a trigger FOR EACH ROW.")));
}

static void
publish_statement(Publish *publish, const TriggerData *data)
{
	Change		change = {"c", NULL, NULL};
	TransitionTable before;
	TransitionTable after;

	check_tables(data);
	check_tombstones(publish, data);
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		change.op = "u";
	else if (TRIGGER_FIRED_BY_DELETE(data->tg_event))
		change.op = "d";
	open_table(&before, data->tg_oldtable, RelationGetDescr(publish->rel));
	open_table(&after, data->tg_newtable, RelationGetDescr(publish->rel));
	for (;;)
	{
		change.before = next_row(&before);
		change.after = next_row(&after);
		if (change.before == NULL && change.after == NULL)
			break;
		publish_change(publish, &change);
		CHECK_FOR_INTERRUPTS();
	}
	close_table(&before);
	close_table(&after);
}

/* In immediate mode confirmed before the trigger returns, else kept. */
static void
run(Publish *publish, FunctionCallInfo fcinfo)
{
	const TriggerData *data = (const TriggerData *) fcinfo->context;
	MemoryContext old;

	if (publish->sender == NULL)
	{
		old = MemoryContextSwitchTo(publish->mode == KAFKA_DELIVERY_IMMEDIATE ?
									CurrentMemoryContext : fcinfo->flinfo->fn_mcxt);
		publish->sender = kafka_sender_open(publish->opts, publish->args->topic, publish->mode);
		MemoryContextSwitchTo(old);
	}
	if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
		publish_row(publish, data);
	else if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		publish_truncate(publish);
	else
		publish_statement(publish, data);
	if (publish->mode != KAFKA_DELIVERY_IMMEDIATE)
		return;
	kafka_sender_finish(publish->sender);
	kafka_sender_close(publish->sender);
	publish->sender = NULL;
}

PG_FUNCTION_INFO_V1(kafka_publish);

Datum
kafka_publish(PG_FUNCTION_ARGS)
{
	ErrorContextCallback callback = {.callback = tell_trigger};
	Publish    *publish;
	int			settings;

	check_trigger(fcinfo);
	publish = get_publish(fcinfo);
	callback.arg = publish;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	settings = kafka_text_settings_begin();
	run(publish, fcinfo);
	kafka_text_settings_end(settings);
	error_context_stack = callback.previous;
	return PointerGetDatum(NULL);
}
