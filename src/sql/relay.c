/*-------------------------------------------------------------------------
 *
 * relay.c
 *	  kafka.relay, a relay in the foreground, and kafka.outbox_resolve.
 *
 * Layer 3.  The procedure commits after each step, as a worker does; so it cannot run in a
 * transaction block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "ground/logfmt.h"
#include "miscadmin.h"
#include "outbox/lease.h"
#include "outbox/outbox.h"
#include "outbox/position.h"
#include "outbox/relay.h"
#include "sql/common.h"
#include "sql/procedure.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "worker/requests.h"

static void
tell_end(const KafkaOutbox *outbox, KafkaRelayEnd end)
{
	if (end == KAFKA_RELAY_REPLACED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("outbox \"%s\" is relayed by another process", outbox->name),
				 errhint("See kafka.outbox_status; kafka.stop_relay stops a worker.")));
	if (end == KAFKA_RELAY_UNRESOLVED)
	{
		const char *reason = kafka_lease_reason(outbox->id);

		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("outbox \"%s\" is unresolved", outbox->name),
				 reason ? errdetail("Reason: %s.", reason) : 0,
				 errhint("Nothing is published until kafka.outbox_resolve says how to go on.")));
	}
}

/* The outboxes that the argument means; palloc'd in the current context. */
static List *
wanted_outboxes(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		return kafka_outbox_list();
	return list_make1(kafka_outbox_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), false));
}

static int64
wanted_ticks(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		return 0;
	if (PG_GETARG_INT32(1) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_ticks\" must be positive"),
				 errhint("NULL relays until nothing is left.")));
	return PG_GETARG_INT32(1);
}

PG_FUNCTION_INFO_V1(kafka_relay_procedure);

/* CALL kafka.relay(outbox, max_ticks) */
Datum
kafka_relay_procedure(PG_FUNCTION_ARGS)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	int64		ticks = wanted_ticks(fcinfo);
	List	   *outboxes;
	ListCell   *lc;

	kafka_sql_require_nonatomic(fcinfo, "kafka.relay");
	PreventCommandIfReadOnly("kafka.relay");
	/* the session's settings stay as they are: the relay's are local to its transactions */
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	outboxes = wanted_outboxes(fcinfo);
	/* a new one, whose isolation level can still be set */
	SPI_commit();
	foreach(lc, outboxes)
	{
		const KafkaOutbox *outbox = (const KafkaOutbox *) lfirst(lc);

		tell_end(outbox, kafka_relay_run(outbox->id, &kafka_procedure_host, false, ticks));
		MemoryContextSwitchTo(context);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* What may lose rows, or publish them twice, is for those who were asked. */
static void
check_unresolved(const KafkaOutbox *outbox, KafkaResolution resolution)
{
	KafkaIncarnation self = kafka_incarnation_of_this();

	if (resolution == KAFKA_RESOLUTION_TAKE_OVER ||
		!kafka_lease_is_settled(outbox->id, kafka_incarnation_text(&self)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("outbox \"%s\" is not unresolved", outbox->name),
			 errhint("A row that cannot be published is removed by kafka.outbox_discard.")));
}

PG_FUNCTION_INFO_V1(kafka_outbox_resolve);

/* kafka.outbox_resolve(outbox, action) */
Datum
kafka_outbox_resolve(PG_FUNCTION_ARGS)
{
	char	   *name = kafka_sql_text(fcinfo, 0, "outbox");
	char	   *action = kafka_sql_text(fcinfo, 1, "action");
	const KafkaOutbox *outbox;

	(void) kafka_resolution_of(action);
	PreventCommandIfReadOnly("kafka.outbox_resolve()");
	outbox = kafka_outbox_find(name, false);
	SPI_connect();
	check_unresolved(outbox, kafka_resolution_of(action));
	kafka_lease_resolve(outbox->id, action);
	SPI_finish();
	ereport(LOG,
			(errmsg_internal("event=outbox_resolve outbox=%s action=%s user=%s",
							 kafka_logfmt_quote(outbox->name), action,
							 kafka_logfmt_quote(GetUserNameFromId(GetUserId(), false))),
			 errhidestmt(true), errhidecontext(true)));
	/* relays and launcher are told at COMMIT */
	kafka_outbox_changed();
	kafka_workers_request_at_commit(outbox->id);
	PG_RETURN_VOID();
}
