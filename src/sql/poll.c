/*-------------------------------------------------------------------------
 *
 * poll.c
 *	  kafka.poll and kafka.poll_text.
 *
 * Layer 3.  Messages go into a tuplestore, as every set that a function returns: a LIMIT or
 * WHERE on it throws messages away whose positions have moved.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "format/format.h"
#include "format/headers.h"
#include "format/row.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/consumer_args.h"
#include "transaction/outgoing.h"
#include "transaction/polling.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define DEFAULT_MESSAGES 500
#define DEFAULT_TIMEOUT_MS 1000

/* Columns of kafka.message. */
enum
{
	COLUMN_TOPIC,
	COLUMN_PARTITION,
	COLUMN_OFFSET,
	COLUMN_TIMESTAMP,
	COLUMN_TIMESTAMP_TYPE,
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_HEADERS,
	COLUMN_LEADER_EPOCH,
	COLUMNS
};

typedef struct Rows
{
	FunctionCallInfo fcinfo;
	bool		as_text;
	Oid			headers_type;
	MemoryContext row_context;	/* reset for each message */
	MemoryContext context;
	const char *topic;			/* of the last message, and as a text */
	Datum		topic_datum;
	Datum		types[2];		/* 'create', 'log_append' */
	const KafkaMessage *msg;
} Rows;

static void
error_context(void *arg)
{
	const KafkaMessage *msg = ((Rows *) arg)->msg;

	if (msg)
		errcontext("topic \"%s\" partition %d offset " INT64_FORMAT, msg->topic, msg->partition,
				   msg->offset);
}

/* Topic names are the member's: the same one has the same address. */
static Datum
topic_datum(Rows *rows, const KafkaMessage *msg)
{
	if (msg->topic != rows->topic)
	{
		MemoryContext old = MemoryContextSwitchTo(rows->context);

		rows->topic = msg->topic;
		rows->topic_datum = CStringGetTextDatum(msg->topic);
		MemoryContextSwitchTo(old);
	}
	return rows->topic_datum;
}

static Datum
bytes_datum(const Rows *rows, KafkaBytes bytes, bool *isnull)
{
	*isnull = bytes.data == NULL;
	if (*isnull)
		return (Datum) 0;
	if (rows->as_text)
		return CStringGetTextDatum(kafka_text_decode(bytes, PG_UTF8));
	return PointerGetDatum(cstring_to_text_with_len(bytes.data, (int) bytes.len));
}

static void
put_message(Rows *rows, const KafkaMessage *msg)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};

	rows->msg = msg;
	values[COLUMN_TOPIC] = topic_datum(rows, msg);
	values[COLUMN_PARTITION] = Int32GetDatum(msg->partition);
	values[COLUMN_OFFSET] = Int64GetDatum(msg->offset);
	nulls[COLUMN_TIMESTAMP] = nulls[COLUMN_TIMESTAMP_TYPE] =
		msg->timestamp_type == KAFKA_TIMESTAMP_NONE;
	if (!nulls[COLUMN_TIMESTAMP])
	{
		values[COLUMN_TIMESTAMP] = kafka_timestamp_datum(msg->timestamp);
		values[COLUMN_TIMESTAMP_TYPE] =
			rows->types[msg->timestamp_type == KAFKA_TIMESTAMP_CREATE ? 0 : 1];
	}
	values[COLUMN_KEY] = bytes_datum(rows, msg->key, &nulls[COLUMN_KEY]);
	values[COLUMN_VALUE] = bytes_datum(rows, msg->value, &nulls[COLUMN_VALUE]);
	nulls[COLUMN_HEADERS] = msg->nheaders == 0;
	if (msg->nheaders > 0)
		values[COLUMN_HEADERS] = rows->as_text ? kafka_headers_to_object(msg) :
			kafka_headers_to_array(msg, rows->headers_type);
	nulls[COLUMN_LEADER_EPOCH] = msg->leader_epoch < 0;
	values[COLUMN_LEADER_EPOCH] = Int32GetDatum(msg->leader_epoch);
	kafka_sql_put_row(rows->fcinfo, values, nulls);
	rows->msg = NULL;
}

static int
max_messages_argument(FunctionCallInfo fcinfo)
{
	int			max = PG_ARGISNULL(0) ? DEFAULT_MESSAGES : PG_GETARG_INT32(0);

	if (max < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_messages\" must be 1 or more")));
	return max;
}

static void
begin_rows(Rows *rows, FunctionCallInfo fcinfo, bool as_text)
{
	TupleDesc	desc;

	InitMaterializedSRF(fcinfo, 0);
	desc = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	rows->fcinfo = fcinfo;
	rows->as_text = as_text;
	rows->headers_type = TupleDescAttr(desc, COLUMN_HEADERS)->atttypid;
	rows->context = CurrentMemoryContext;
	rows->row_context = AllocSetContextCreate(CurrentMemoryContext, "kafka.poll row",
											  ALLOCSET_DEFAULT_SIZES);
	rows->types[0] = CStringGetTextDatum("create");
	rows->types[1] = CStringGetTextDatum("log_append");
}

/* (max_messages, timeout, consumer) */
static Datum
poll(FunctionCallInfo fcinfo, bool as_text)
{
	KafkaSessionConsumer *consumer = kafka_sql_consumer(fcinfo, 2);
	int			max_messages = max_messages_argument(fcinfo);
	int			timeout = kafka_sql_wait_ms(fcinfo, 1, "timeout", DEFAULT_TIMEOUT_MS);
	Rows		rows = {NULL};
	ErrorContextCallback callback = {.callback = error_context, .arg = &rows};
	KafkaPoll	poll;
	const KafkaMessage *msg;

	if (kafka_commit_is_under_way())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot poll from Kafka while the transaction commits")));
	begin_rows(&rows, fcinfo, as_text);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	kafka_poll_begin(&poll, consumer, max_messages, timeout);
	while ((msg = kafka_poll_next(&poll)) != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(rows.row_context);

		put_message(&rows, msg);
		MemoryContextSwitchTo(old);
		MemoryContextReset(rows.row_context);
	}
	error_context_stack = callback.previous;
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_poll);

Datum
kafka_poll(PG_FUNCTION_ARGS)
{
	return poll(fcinfo, false);
}

PG_FUNCTION_INFO_V1(kafka_poll_text);

Datum
kafka_poll_text(PG_FUNCTION_ARGS)
{
	return poll(fcinfo, true);
}
