/*-------------------------------------------------------------------------
 *
 * dead_letter.c
 *	  Messages that could not be loaded are kept: in kafka.dead_letter, or in another topic.
 *
 * Layer 3.  Either is in the transaction of the batch, with its offsets: the topic is sent to
 * through the outbox.  What is kept of a message is exact, but for names of headers that the
 * database's encoding does not have.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "format/loose.h"
#include "format/row.h"
#include "ground/attempt.h"
#include "ground/logfmt.h"
#include "ground/query.h"
#include "mb/pg_wchar.h"
#include "pipeline/poison.h"
#include "transaction/send.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Most of an error that becomes a header, bytes. */
#define HEADER_ERROR_BYTES 2048

enum
{
	ARG_PIPELINE,
	ARG_TOPIC,
	ARG_PARTITION,
	ARG_OFFSET,
	ARG_TS,
	ARG_KEY,
	ARG_VALUE,
	ARG_HEADER_NAMES,
	ARG_HEADER_VALUES,
	ARG_SQLSTATE,
	ARG_ERROR,
	ARG_DETAIL,
	ARG_CONTEXT,
	ARGS
};

/* Headers come as two arrays: a plan that is kept must not depend on the extension's types. */
static KafkaQuery query_keep = {
	"INSERT INTO kafka.dead_letter (pipeline, topic, partition, \"offset\", ts, key, value, "
	"headers, sqlstate, error, detail, context, failed) "
	"SELECT $1, $2, $3, $4, $5, $6, $7, "
	"(SELECT pg_catalog.array_agg(ROW(h.name, h.value)::kafka.header ORDER BY h.place) "
	"FROM ROWS FROM (pg_catalog.unnest($8), pg_catalog.unnest($9)) WITH ORDINALITY "
	"AS h(name, value, place)), "
	"$10, $11, $12, $13, pg_catalog.clock_timestamp()",
	ARGS, {INT4OID, TEXTOID, INT4OID, INT8OID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID,
	TEXTARRAYOID, BYTEAARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}, NULL
};

/* ------------------------------------------------------------------------
 * In the table
 * ------------------------------------------------------------------------
 */
static void
set_bytes(Datum *values, char *nulls, int arg, KafkaBytes bytes)
{
	nulls[arg] = bytes.data ? ' ' : 'n';
	if (bytes.data)
		values[arg] = PointerGetDatum(cstring_to_text_with_len(bytes.data, (int) bytes.len));
}

/* Text of the database; of an error, so that it should be valid. */
static void
set_text(Datum *values, char *nulls, int arg, const char *text)
{
	int			encoding = GetDatabaseEncoding();

	nulls[arg] = text ? ' ' : 'n';
	if (text)
		values[arg] = CStringGetTextDatum(kafka_text_loosely(text, encoding, encoding));
}

static void
set_headers(Datum *values, const KafkaMessage *message)
{
	int			n = message->nheaders;
	int			lower = 1;
	Datum	   *names = palloc(sizeof(Datum) * Max(n, 1));
	Datum	   *contents = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		const KafkaHeader *header = &message->headers[i];

		names[i] = CStringGetTextDatum(kafka_text_loosely(header->name, PG_UTF8,
														  GetDatabaseEncoding()));
		nulls[i] = header->value.data == NULL;
		contents[i] = nulls[i] ? (Datum) 0 :
			PointerGetDatum(cstring_to_text_with_len(header->value.data, (int) header->value.len));
	}
	values[ARG_HEADER_NAMES] =
		PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	values[ARG_HEADER_VALUES] =
		PointerGetDatum(construct_md_array(contents, nulls, 1, &n, &lower, BYTEAOID, -1, false,
										   TYPALIGN_INT));
}

/* Timestamps of messages may be anything: those that PostgreSQL cannot have are NULL. */
static bool
has_time(const KafkaMessage *message)
{
	return message->timestamp_type != KAFKA_TIMESTAMP_NONE && message->timestamp >= 0 &&
		message->timestamp <= (END_TIMESTAMP - 1) / 1000;
}

static void
keep_in_table(const KafkaPipeline *pipeline, const KafkaMessage *message, const ErrorData *error)
{
	Datum		values[ARGS] = {0};
	char		nulls[ARGS];

	memset(nulls, ' ', sizeof(nulls));
	values[ARG_PIPELINE] = Int32GetDatum(pipeline->id);
	set_text(values, nulls, ARG_TOPIC, message->topic);
	values[ARG_PARTITION] = Int32GetDatum(message->partition);
	values[ARG_OFFSET] = Int64GetDatum(message->offset);
	if (has_time(message))
		values[ARG_TS] = kafka_timestamp_datum(message->timestamp);
	else
		nulls[ARG_TS] = 'n';
	set_bytes(values, nulls, ARG_KEY, message->key);
	set_bytes(values, nulls, ARG_VALUE, message->value);
	set_headers(values, message);
	set_text(values, nulls, ARG_SQLSTATE, unpack_sql_state(error->sqlerrcode));
	set_text(values, nulls, ARG_ERROR, error->message ? error->message : "");
	set_text(values, nulls, ARG_DETAIL, error->detail);
	set_text(values, nulls, ARG_CONTEXT, error->context);
	(void) kafka_query_run(&query_keep, values, nulls);
}

/* ------------------------------------------------------------------------
 * In a topic
 * ------------------------------------------------------------------------
 */
static void
add_header(KafkaMessage *message, const char *name, const char *value)
{
	KafkaHeader *header = &message->headers[message->nheaders++];

	header->name = name;
	header->value.data = value;
	header->value.len = strlen(value);
}

/* The first bytes of a text, in UTF-8. */
static char *
clip_to_utf8(const char *text, int limit)
{
	int			len = pg_mbcliplen(text, (int) strlen(text), limit);

	return kafka_text_loosely(pnstrdup(text, len), GetDatabaseEncoding(), PG_UTF8);
}

/* Key, value and headers as they were, and headers behind them that say what happened. */
static KafkaMessage
make_letter(const KafkaPipeline *pipeline, const KafkaMessage *message, const ErrorData *error)
{
	KafkaMessage letter = *message;

	letter.topic = pipeline->dead_letter_topic;
	letter.partition = KAFKA_PARTITION_ANY;
	/* not the message's own: by that one retention could remove it at once */
	letter.timestamp = KAFKA_UNKNOWN;
	letter.headers = palloc(sizeof(KafkaHeader) * (message->nheaders + 7));
	if (message->nheaders > 0)
		memcpy(letter.headers, message->headers, sizeof(KafkaHeader) * message->nheaders);
	add_header(&letter, "kafka_fdw.pipeline", clip_to_utf8(pipeline->name, HEADER_ERROR_BYTES));
	add_header(&letter, "kafka_fdw.topic", message->topic);
	add_header(&letter, "kafka_fdw.partition", psprintf("%d", message->partition));
	add_header(&letter, "kafka_fdw.offset", psprintf(INT64_FORMAT, message->offset));
	if (message->timestamp_type != KAFKA_TIMESTAMP_NONE)
		add_header(&letter, "kafka_fdw.timestamp", psprintf(INT64_FORMAT, message->timestamp));
	add_header(&letter, "kafka_fdw.sqlstate", pstrdup(unpack_sql_state(error->sqlerrcode)));
	add_header(&letter, "kafka_fdw.error",
			   clip_to_utf8(error->message ? error->message : "", HEADER_ERROR_BYTES));
	return letter;
}

typedef struct Sending
{
	KafkaSender *sender;
	const KafkaMessage *letter;
} Sending;

static void
run_sending(void *arg)
{
	const Sending *sending = arg;

	kafka_sender_send(sending->sender, sending->letter);
}

/* False: the message is such that it cannot be sent, as one that was just not too large before. */
static bool
send_to_topic(const KafkaPipeline *pipeline, const KafkaMessage *message, const ErrorData *error)
{
	KafkaMessage letter = make_letter(pipeline, message, error);
	Sending		sending = {.letter = &letter};
	ErrorData  *trouble;

	sending.sender = kafka_sender_open(pipeline->opts, letter.topic, KAFKA_DELIVERY_OUTBOX);
	trouble = kafka_attempt(run_sending, &sending, kafka_error_is_poison);
	kafka_sender_finish(sending.sender);
	kafka_sender_close(sending.sender);
	if (trouble == NULL)
		return true;
	ereport(LOG,
			(errcode(trouble->sqlerrcode),
			 errmsg_internal("event=dead_letter_not_sent pipeline=%s topic=%s partition=%d "
							 "offset=" INT64_FORMAT " sqlstate=%s error=%s",
							 kafka_logfmt_quote(pipeline->name), message->topic,
							 message->partition, message->offset,
							 unpack_sql_state(trouble->sqlerrcode),
							 kafka_logfmt_quote(trouble->message)),
			 errhidestmt(true), errhidecontext(true)));
	return false;
}

void
kafka_dead_letter_keep(const KafkaPipeline *pipeline, const KafkaMessage *message,
					   const ErrorData *error)
{
	if (pipeline->dead_letter_topic == NULL || !send_to_topic(pipeline, message, error))
		keep_in_table(pipeline, message, error);
}
