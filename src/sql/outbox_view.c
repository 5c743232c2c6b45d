/*-------------------------------------------------------------------------
 *
 * outbox_view.c
 *	  What the views kafka.outbox and kafka.outbox_status are made of, and kafka.wait_for_relay.
 *
 * Layer 3.  A row is published when the snapshot of the last acknowledged tick sees its
 * transaction; kafka.outbox_acknowledged finds that tick.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "format/headers.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "outbox/row.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "utils/xid8.h"
#include "worker/shared.h"

/* Pauses between two looks, in ms. */
#define FIRST_PAUSE 1
#define LONGEST_PAUSE 50

#define RELAY_COLUMNS 8

/* ------------------------------------------------------------------------
 * For the views
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_outbox_headers);

/* Headers as kafka.outbox_row holds them, as kafka.header[]. */
Datum
kafka_outbox_headers(PG_FUNCTION_ARGS)
{
	bytea	   *packed = PG_GETARG_BYTEA_PP(0);
	const char *data = VARDATA_ANY(packed);
	size_t		len = VARSIZE_ANY_EXHDR(packed);
	KafkaMessage msg = {0};

	msg.nheaders = kafka_outbox_unpack_headers(data, len, NULL, 0);
	msg.headers = palloc(sizeof(KafkaHeader) * Max(msg.nheaders, 1));
	(void) kafka_outbox_unpack_headers(data, len, msg.headers, msg.nheaders);
	PG_RETURN_DATUM(kafka_headers_to_array(&msg, get_fn_expr_rettype(fcinfo->flinfo)));
}

static void
put_relay(FunctionCallInfo fcinfo, int32 outbox)
{
	KafkaRelayStatus status;
	int			pid = kafka_workers_relay_of(outbox, &status);
	Datum		values[RELAY_COLUMNS];
	bool		nulls[RELAY_COLUMNS] = {false};
	uint64		published;

	if (pid == 0)
		return;
	published = pg_atomic_read_u64(&status.published);
	values[0] = Int32GetDatum(outbox);
	values[1] = Int32GetDatum(pid);
	values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&status.messages));
	values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&status.bytes));
	values[4] = Int64GetDatum((int64) pg_atomic_read_u64(&status.transactions));
	values[5] = Int64GetDatum((int64) pg_atomic_read_u64(&status.tick));
	nulls[6] = published == 0;
	values[6] = TimestampTzGetDatum((TimestampTz) published);
	values[7] = TimestampTzGetDatum((TimestampTz) pg_atomic_read_u64(&status.started));
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_get_relays);

/* (outbox, pid, messages, bytes, transactions, tick, published, started) of relays that run. */
Datum
kafka_get_relays(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_outbox_list())
		put_relay(fcinfo, ((KafkaOutbox *) lfirst(lc))->id);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * wait_for_relay
 * ------------------------------------------------------------------------
 */
typedef struct Wait
{
	uint64		xid;
	int			limit_ms;		/* -1: none */
	instr_time	begin;
	int			pause_ms;
	bool		running;		/* the transaction has not ended */
	const char *outbox;			/* one that the wait is for; NULL: none */
	const char *state;			/* and how its relay is */
	const char *reason;
} Wait;

/* 0: there is nothing to wait for. */
static uint64
transaction_of(FunctionCallInfo fcinfo)
{
	uint64		own = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	uint64		xid;

	if (PG_ARGISNULL(1))
		xid = kafka_outbox_writing_xid() ? own : kafka_outbox_last_xid();
	else
		xid = U64FromFullTransactionId(PG_GETARG_FULLTRANSACTIONID(1));
	if (xid != 0 && xid == own)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("the rows of the running transaction cannot be published before it "
						"commits"),
				 errhint("COMMIT first.")));
	if (xid >= U64FromFullTransactionId(ReadNextFullTransactionId()))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transaction " UINT64_FORMAT " is in the future", xid)));
	return xid;
}

static bool
is_running(uint64 xid)
{
	static KafkaQuery query = {
		.text = "SELECT pg_catalog.pg_visible_in_snapshot($1, pg_catalog.pg_current_snapshot())",
		.nargs = 1,
		.types = {XID8OID}
	};
	Datum		value = FullTransactionIdGetDatum(FullTransactionIdFromU64(xid));
	bool		isnull;

	(void) kafka_query_look(&query, &value, NULL);
	return !DatumGetBool(kafka_query_value(1, &isnull));
}

static const char *
text_value(int column)
{
	bool		isnull;
	Datum		datum = kafka_query_value(column, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

/* Has the outbox rows of the transaction that are not published? */
static bool
is_behind(Wait *wait, const KafkaOutbox *outbox)
{
	static KafkaQuery query = {
		.text = "SELECT l.state, l.reason "
		"FROM kafka.outbox_definition d "
		"LEFT JOIN kafka.outbox_lease l ON l.outbox OPERATOR(pg_catalog.=) d.id "
		"WHERE d.id OPERATOR(pg_catalog.=) $1 "
		"AND EXISTS (SELECT FROM kafka.outbox_row r "
		"WHERE r.outbox OPERATOR(pg_catalog.=) $1 AND r.xid OPERATOR(pg_catalog.=) $2) "
		"AND NOT EXISTS (SELECT FROM kafka.outbox_acknowledged($1) a "
		"WHERE pg_catalog.pg_visible_in_snapshot($2, a.snapshot))",
		.nargs = 2,
		.types = {INT4OID, XID8OID}
	};
	Datum		values[2];

	values[0] = Int32GetDatum(outbox->id);
	values[1] = FullTransactionIdGetDatum(FullTransactionIdFromU64(wait->xid));
	if (kafka_query_look(&query, values, NULL) == 0)
		return false;
	wait->outbox = outbox->name;
	wait->state = text_value(1);
	wait->reason = text_value(2);
	return true;
}

/* A copy in the caller's memory. */
static const char *
out_of_spi(const char *text)
{
	return text ? strcpy(SPI_palloc(strlen(text) + 1), text) : NULL;
}

/* Plans by the index: the tables have no statistics. */
static int
begin_settings(void)
{
	static const char *const off[] = {"enable_seqscan", "jit"};
	int			level = NewGUCNestLevel();

	for (size_t i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return level;
}

static bool
is_published(Wait *wait)
{
	int			level = begin_settings();
	ListCell   *lc;
	bool		behind = false;

	wait->outbox = NULL;
	SPI_connect();
	wait->running = is_running(wait->xid);
	if (!wait->running)
		foreach(lc, kafka_outbox_list())
			if ((behind = is_behind(wait, (const KafkaOutbox *) lfirst(lc))))
				break;
	if (behind)
	{
		wait->outbox = out_of_spi(wait->outbox);
		wait->state = out_of_spi(wait->state);
		wait->reason = out_of_spi(wait->reason);
	}
	SPI_finish();
	AtEOXact_GUC(true, level);
	return !wait->running && !behind;
}

static int
elapsed_ms(const Wait *wait)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, wait->begin);
	return (int) INSTR_TIME_GET_MILLISEC(now);
}

/* A reason may tell of other people's messages: only who sees kafka.outbox_status gets it. */
static bool
may_see_reasons(void)
{
	Oid			view = get_relname_relid("outbox_status", get_namespace_oid("kafka", true));

	return OidIsValid(view) &&
		pg_class_aclcheck(view, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static char *
describe(const Wait *wait)
{
	if (wait->running)
		return psprintf("Transaction " UINT64_FORMAT " has not ended.", wait->xid);
	if (wait->state == NULL)
		return psprintf("Outbox \"%s\" has not had a relay yet.", wait->outbox);
	if (wait->reason == NULL || !may_see_reasons())
		return psprintf("The relay of outbox \"%s\" is in state \"%s\".", wait->outbox,
						wait->state);
	return psprintf("The relay of outbox \"%s\" is in state \"%s\": %s", wait->outbox,
					wait->state, wait->reason);
}

static void
check_time(const Wait *wait)
{
	int			elapsed = elapsed_ms(wait);

	if (wait->limit_ms < 0 || elapsed < wait->limit_ms)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("the transaction's rows are not published yet"),
			 errdetail("Waited %d ms. %s", elapsed, describe(wait)),
			 errhint("The view kafka.outbox_status shows how the relay is.")));
}

static void
pause_a_little(Wait *wait)
{
	int			pause_ms = wait->pause_ms;

	if (wait->limit_ms >= 0)
		pause_ms = Max(1, Min(pause_ms, wait->limit_ms - elapsed_ms(wait)));
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause_ms,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	wait->pause_ms = Min(wait->pause_ms * 2, LONGEST_PAUSE);
}

PG_FUNCTION_INFO_V1(kafka_wait_for_relay);

/* (timeout, xid) */
Datum
kafka_wait_for_relay(PG_FUNCTION_ARGS)
{
	Wait		wait = {
		.xid = transaction_of(fcinfo),
		.limit_ms = PG_ARGISNULL(0) ? -1 : kafka_sql_wait_ms(fcinfo, 0, "timeout", 0),
		.pause_ms = FIRST_PAUSE
	};
	MemoryContext context;
	MemoryContext old;

	if (wait.xid == 0)
		PG_RETURN_VOID();
	INSTR_TIME_SET_CURRENT(wait.begin);
	context = AllocSetContextCreate(CurrentMemoryContext, "kafka.wait_for_relay",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	while (!is_published(&wait))
	{
		check_time(&wait);
		pause_a_little(&wait);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
