/*-------------------------------------------------------------------------
 *
 * check_relay.c
 *	  kafka.check: does a row of the outbox become a message, and do workers do their work?
 *
 * Layer 3.  The row goes through the outbox that the caller's own messages would take, if there is
 * one and a process relays it; nothing is made or started.  A row that is not published in time is
 * taken back before its topic goes: the relay would wait for the topic for ever, and everybody behind it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "client/topic.h"
#include "executor/spi.h"
#include "ground/message.h"
#include "ground/query.h"
#include "outbox/outbox.h"
#include "outbox/row.h"
#include "sql/check.h"
#include "transaction/send.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/xid8.h"
#include "worker/shared.h"

static const char *const message_text = "kafka.check by the outbox";

static KafkaQuery query_outbox = {
	"SELECT d.id, d.name, d.enabled FROM kafka.outbox_definition d WHERE d.source IS NULL "
	"AND d.server OPERATOR(pg_catalog.=) $1 AND d.username OPERATOR(pg_catalog.=) $2",
	2, {NAMEOID, NAMEOID}, NULL
};

static KafkaQuery query_row = {
	"SELECT pg_catalog.max(r.id) FROM kafka.outbox_row r "
	"WHERE r.outbox OPERATOR(pg_catalog.=) $1 AND r.xid OPERATOR(pg_catalog.=) $2",
	2, {INT4OID, XID8OID}, NULL
};

static KafkaQuery query_discard = {
	"SELECT kafka.outbox_discard($1, $2)", 2, {TEXTOID, INT8OID}, NULL
};

/* The reason for no row, or NULL, with the outbox's number and name. */
static char *
find_outbox(KafkaCheck *check, int32 *outbox)
{
	MemoryContext context = GetMemoryChunkContext(check->topic);
	const char *username = kafka_outbox_username(check->opts->serverid, check->opts->userid);
	Datum		values[2];
	bool		isnull;
	KafkaRelayStatus status;

	values[0] = DirectFunctionCall1(namein, CStringGetDatum(check->opts->server_name));
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(username));
	if (kafka_query_run(&query_outbox, values, NULL) == 0)
		return "nobody has sent through an outbox of this server and user yet";
	if (!DatumGetBool(kafka_query_value(3, &isnull)))
		return "kafka.stop_relay has stopped the outbox";
	*outbox = DatumGetInt32(kafka_query_value(1, &isnull));
	if (kafka_workers_relay_of(*outbox, &status) == 0)
		return "no process relays the outbox";
	check->outbox = MemoryContextStrdup(context, TextDatumGetCString(kafka_query_value(2,
																					   &isnull)));
	return NULL;
}

/* Through the sender, as everybody's messages. */
static void
send_message(const KafkaCheck *check)
{
	KafkaSender *sender = kafka_sender_open(check->opts, check->topic, KAFKA_DELIVERY_OUTBOX);
	KafkaMessage msg = {.topic = check->topic, .partition = 0, .timestamp = KAFKA_UNKNOWN};

	msg.value.data = message_text;
	msg.value.len = strlen(message_text);
	kafka_sender_send(sender, &msg);
	kafka_sender_finish(sender);
	kafka_sender_close(sender);
}

char *
kafka_check_outbox(KafkaCheck *check)
{
	int32		outbox = 0;
	int32		partition = 0;
	char	   *reason;
	Datum		values[2];
	bool		isnull;

	SPI_connect();
	reason = find_outbox(check, &outbox);
	check->skipped = reason != NULL;
	if (reason)
	{
		SPI_finish();
		return reason;
	}
	kafka_topic_offsets(check->opts, check->topic, KAFKA_OFFSET_END, &partition, 1, &check->end);
	send_message(check);
	values[0] = Int32GetDatum(outbox);
	values[1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	(void) kafka_query_run(&query_row, values, NULL);
	check->row = DatumGetInt64(kafka_query_value(1, &isnull));
	SPI_finish();
	return psprintf("1 row in outbox \"%s\"", check->outbox);
}

char *
kafka_check_relay(KafkaCheck *check)
{
	check->skipped = check->outbox == NULL;
	if (check->skipped)
		return "there is no row in an outbox";
	kafka_check_await_visible(check, check->end, "the relay has not published the row");
	kafka_check_expect(check, check->end, check->end + 1, message_text);
	return "the row was published, and read back";
}

void
kafka_check_discard(KafkaCheck *check)
{
	Datum		values[2];

	if (check->outbox == NULL)
		return;
	values[0] = CStringGetTextDatum(check->outbox);
	values[1] = Int64GetDatum(check->row);
	SPI_connect();
	(void) kafka_query_run(&query_discard, values, NULL);
	SPI_finish();
	check->outbox = NULL;
}

/* ------------------------------------------------------------------------
 * What workers are to do all the time
 * ------------------------------------------------------------------------
 */
static KafkaQuery query_outboxes = {
	"SELECT d.id, d.name, l.state FROM kafka.outbox_definition d "
	"LEFT JOIN kafka.outbox_lease l ON l.outbox OPERATOR(pg_catalog.=) d.id "
	"WHERE d.enabled AND d.server OPERATOR(pg_catalog.=) $1 ORDER BY d.name",
	1, {NAMEOID}, NULL
};

static KafkaQuery query_pipelines = {
	"SELECT d.name, s.state FROM kafka.pipeline_definition d "
	"LEFT JOIN kafka.pipeline_state s ON s.pipeline OPERATOR(pg_catalog.=) d.id "
	"WHERE d.enabled AND d.server OPERATOR(pg_catalog.=) $1 ORDER BY d.name",
	1, {NAMEOID}, NULL
};

static char *
text_at(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* What stands in the table when nobody works there any more says nothing. */
static const char *
outbox_trouble(uint64 row)
{
	const char *state = text_at(row, 3);
	KafkaRelayStatus status;
	bool		isnull;
	int32		outbox = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[row],
													 SPI_tuptable->tupdesc, 1, &isnull));

	if (state && strcmp(state, "unresolved") == 0)
		return "is unresolved, see kafka.outbox_resolve";
	if (kafka_workers_are_there() && kafka_workers_relay_of(outbox, &status) == 0)
		return "is not relayed: no worker has it";
	if (state && strcmp(state, "waiting") == 0)
		return "waits, see the reason in kafka.outbox_status";
	return NULL;
}

static const char *
pipeline_trouble(uint64 row)
{
	const char *state = text_at(row, 2);

	if (state && strcmp(state, "failed") == 0)
		return "has failed, see the error in kafka.pipelines";
	if (state && strcmp(state, "waiting") == 0)
		return "waits, see the error in kafka.pipelines";
	return NULL;
}

static void
note_trouble(List **list, const char *kind, const char *name, const char *trouble)
{
	if (trouble)
		*list = lappend(*list, psprintf("%s \"%s\" %s", kind, name, trouble));
}

/* In the order of the names, outboxes first; the list is the caller's memory's. */
List *
kafka_check_unhealthy(const KafkaCheck *check, int64 *total)
{
	Datum		server = DirectFunctionCall1(namein, CStringGetDatum(check->opts->server_name));
	MemoryContext context = CurrentMemoryContext;
	List	   *troubles = NIL;
	uint64		n;

	SPI_connect();
	MemoryContextSwitchTo(context);
	n = kafka_query_look(&query_outboxes, &server, NULL);
	*total = (int64) n;
	for (uint64 i = 0; i < n; i++)
		note_trouble(&troubles, "outbox", text_at(i, 2), outbox_trouble(i));
	n = kafka_query_look(&query_pipelines, &server, NULL);
	*total += (int64) n;
	for (uint64 i = 0; i < n; i++)
		note_trouble(&troubles, "pipeline", text_at(i, 1), pipeline_trouble(i));
	SPI_finish();
	return troubles;
}
