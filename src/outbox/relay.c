/*-------------------------------------------------------------------------
 *
 * relay.c
 *	  Publishing an outbox: its committed rows become messages, each exactly once.
 *
 * Layer 3.  The route of a row: kafka_outbox_write (row.c) -> COMMIT wakes the relay -> make_tick
 * -> kafka_relay_publish (publish.c) -> client/transaction.c.
 *
 * The protocol.  A tick is a snapshot that is stored in PostgreSQL (tick.c): its rows are those
 * that it sees and the tick before did not.  So a tick has the same rows whenever and by whomever
 * they are read, although transactions end in another order than they began.  The relay
 *
 *	 1.  stores the next tick, durably, and replicated if that is asked for;
 *	 2.  sends its rows in the order of their ids in a Kafka transaction, and with them, as the
 *		 last record, the position: number and token of the tick, in the outbox's own topic;
 *	 3.  commits in Kafka.  Now tick and position are visible together, or neither is.
 *
 * Wherever a relay dies, the next one reads from Kafka which tick was the last, and goes on behind
 * it: with the tick that was stored last, whose rows are still the same.  Nothing that PostgreSQL
 * says of publishing decides anything: `acknowledged` in outbox_tick only says which rows may go,
 * and serves to see that Kafka's position has not gone back.
 *
 * At most one relay publishes.  In this database the lease (lease.c) sees to that; against other
 * databases with the same past (clones, restored copies, an old primary) the claim in Kafka does;
 * and in Kafka the fencing of transactional ids.  start.c has the order of these.
 *
 * What order means: if a row was visible before another was written, it comes first, because then
 * its id is lower and its tick not later.
 *
 * Errors.  A worker lets go of its producers and starts anew at start.c's step 2, with a pause that
 * grows.  It never assumes what became of a transaction: it looks.  "Fenced" may only mean that
 * a transaction took longer than its time-out; then the claim in Kafka is still its own.
 *
 * Signals, threads, memory: nothing here that is not in client/; a relay has two producers, and
 * keeps no row in memory.  SIGINT is ignored by the worker: a cancelled wait for a standby would
 * only be a WARNING, and the tick not replicated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "ground/compat.h"
#include "ground/logfmt.h"
#include "ground/settings.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "outbox/relay_internal.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* Pause after an error, ms: doubles. */
#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 5000
/* Ticks that are kept behind the base before they are forgotten. */
#define FORGET_TICKS 200
/* How often the parts of outbox_row are looked at, s. */
#define RING_SECONDS 5
/* A transaction that took this long when it failed, s, may have been too large. */
#define LARGE_SECONDS 1
#define MAX_DIVISOR (1024 * 1024)
/* An error that repeats is logged again after so long, s. */
#define REPEAT_LOG_SECONDS 60
/* The advisory lock of whoever relays an outbox: its class. */
#define RELAY_LOCK_CLASS 0x6b66

/* Names in pg_stat_activity, where PostgreSQL has such. */
static uint32 rows_event;
static uint32 retry_event;
static uint32 standby_event;

/* Options of a server or user mapping, or an outbox's definition, may have changed. */
static bool options_changed;

static void
on_syscache_change(Datum arg, int cacheid, uint32 hash)
{
	options_changed = true;
}

static void
watch_options(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_syscache_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, on_syscache_change, (Datum) 0);
	registered = true;
}

/* ------------------------------------------------------------------------
 * Transactions of PostgreSQL
 * ------------------------------------------------------------------------
 */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
							 false);
}

void
kafka_relay_begin(KafkaRelay *relay)
{
	static const char *const settings[][2] = {
		/* the first: no snapshot may have been taken before it */
		{"transaction_isolation", "read committed"},
		{"search_path", "pg_catalog"},
		{"synchronous_commit", "on"},
		{"enable_seqscan", "off"},
		{"jit", "off"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"}
	};

	relay->host->begin();
	for (size_t i = 0; i < lengthof(settings); i++)
		set_local(settings[i][0], settings[i][1]);
	/* since PostgreSQL 17 */
	if (GetConfigOption("transaction_timeout", true, false))
		set_local("transaction_timeout", "0");
}

void
kafka_relay_begin_here(KafkaRelay *relay)
{
	kafka_relay_begin(relay);
	set_local("synchronous_commit", "local");
}

void
kafka_relay_commit(KafkaRelay *relay)
{
	relay->host->commit();
	MemoryContextSwitchTo(relay->context);
}

/* ------------------------------------------------------------------------
 * What is seen from outside
 * ------------------------------------------------------------------------
 */
static void
show(const KafkaRelay *relay, const char *doing)
{
	if (relay->host->show)
		relay->host->show(doing);
}

static void
log_running(const KafkaRelay *relay)
{
	if (relay->waits)
		ereport(LOG,
				(errmsg_internal("event=relay_running outbox=%s tick=" INT64_FORMAT,
								 kafka_logfmt_quote(relay->outbox.name), relay->base.tick),
				 errhidecontext(true)));
}

static void
log_unresolved(const KafkaRelay *relay, const char *reason)
{
	if (relay->waits)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_internal("event=relay_unresolved outbox=%s tick=" INT64_FORMAT " error=%s",
								 kafka_logfmt_quote(relay->outbox.name), relay->position.tick,
								 kafka_logfmt_quote(reason)),
				 errhint("See kafka.outbox_resolve in the manual."),
				 errhidecontext(true)));
}

/* In a transaction of its own. */
static void
set_state(KafkaRelay *relay, const char *state, const char *reason, const char *error, bool gone)
{
	KafkaLeaseState now = {.state = state, .reason = reason, .error = error, .gone = gone};

	kafka_relay_begin(relay);
	kafka_lease_set_state(relay->outbox.id, relay->epoch, &now);
	kafka_relay_commit(relay);
}

/* ------------------------------------------------------------------------
 * One round: make a tick, publish it
 * ------------------------------------------------------------------------
 */

/*
 * A wait for a standby that was broken off, as by a changed setting, is no error to PostgreSQL: but
 * what is published must not be lost by a failover.
 */
bool
kafka_relay_await_replicated(KafkaRelay *relay)
{
	XLogRecPtr	lsn = XactLastCommitEnd;

	for (;;)
	{
		bool		replicated;

		/* also reads the settings anew: there may be no such standby any more */
		if (relay->host->should_stop())
			return false;
		LWLockAcquire(SyncRepLock, LW_SHARED);
		replicated = max_wal_senders == 0 || SyncRepStandbyNames == NULL ||
			SyncRepStandbyNames[0] == '\0' || WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH] >= lsn;
		LWLockRelease(SyncRepLock);
		if (replicated)
			return true;
		show(relay, "waiting for a synchronous standby");
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100,
						 KAFKA_WAIT_EVENT(standby_event, "KafkaRelayStandby"));
		CHECK_FOR_INTERRUPTS();
	}
}

typedef enum Round
{
	ROUND_TICK,					/* there is a tick to publish */
	ROUND_NOTHING,				/* no rows */
	ROUND_REPLACED,
	ROUND_STOPPED
} Round;

/* A tick that was stored and not published. */
static bool
find_stored_tick(KafkaRelay *relay, KafkaTick *tick)
{
	relay->behind = relay->behind && kafka_tick_next(relay->outbox.id, relay->base.tick, tick);
	return relay->behind;
}

static Round
store_tick(KafkaRelay *relay, KafkaTick *tick)
{
	KafkaXidRanges ranges;

	tick->tick = relay->base.tick + 1;
	tick->snapshot = kafka_snapshot_now();
	ranges = kafka_snapshot_between(&relay->base.snapshot, &tick->snapshot);
	if (!kafka_rows_exist(relay->outbox.id, &ranges))
		return ROUND_NOTHING;
	if (!kafka_lease_hold(relay->outbox.id, relay->epoch))
		return ROUND_REPLACED;
	kafka_tick_store(relay->outbox.id, tick, &relay->progress);
	if (relay->base.tick - relay->forgotten >= FORGET_TICKS)
	{
		kafka_tick_forget_before(relay->outbox.id, relay->base.tick);
		relay->forgotten = relay->base.tick;
	}
	return ROUND_TICK;
}

/* The tick is palloc'd in the current context. */
static Round
next_tick(KafkaRelay *relay, KafkaTick *tick)
{
	MemoryContext caller = CurrentMemoryContext;
	Round		round = ROUND_TICK;

	kafka_relay_begin(relay);
	relay->generation = kafka_outbox_generation();
	MemoryContextSwitchTo(caller);
	memset(tick, 0, sizeof(*tick));
	if (!find_stored_tick(relay, tick))
		round = store_tick(relay, tick);
	kafka_relay_commit(relay);
	MemoryContextSwitchTo(caller);
	if (round == ROUND_TICK && !kafka_relay_await_replicated(relay))
		return ROUND_STOPPED;
	return round;
}

/* False: the host wants to stop. */
static bool
publish(KafkaRelay *relay, const KafkaTick *tick)
{
	char		doing[64];
	bool		complete;

	snprintf(doing, sizeof(doing), "publishing tick " INT64_FORMAT, tick->tick);
	show(relay, doing);
	kafka_relay_begin(relay);
	complete = kafka_relay_publish(relay, tick);
	kafka_relay_commit(relay);
	relay->batch_divisor = Max(1, relay->batch_divisor / 2);
	return complete;
}

/* Sessions that wait for their rows look at this; it may be lost in a crash. */
static void
record(KafkaRelay *relay)
{
	if (relay->recorded || relay->base.tick == 0)
		return;
	kafka_relay_begin(relay);
	set_local("synchronous_commit", "off");
	kafka_tick_acknowledge(relay->outbox.id, relay->base.tick, &relay->progress);
	kafka_relay_commit(relay);
	relay->recorded = true;
}

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------
 */
static void
wait_for_rows(KafkaRelay *relay)
{
	show(relay, "waiting for rows");
	if (!kafka_workers_was_woken())
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 kafka_setting_relay_naptime,
						 KAFKA_WAIT_EVENT(rows_event, "KafkaRelayRows"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * The outbox is to be relayed still, and by this process?  DONE: it is.  Looked at when definitions
 * have changed, or somebody has decided something.
 */
static KafkaRelayEnd
judge(KafkaRelay *relay)
{
	KafkaRelayEnd end = KAFKA_RELAY_DONE;
	const KafkaOutbox *outbox;

	if (relay->judged_generation == relay->generation)
		return KAFKA_RELAY_DONE;
	kafka_relay_begin(relay);
	relay->judged_generation = kafka_outbox_generation();
	outbox = kafka_outbox_by_id(relay->outbox.id);
	if (outbox == NULL || (relay->waits && !outbox->enabled))
		end = KAFKA_RELAY_STOPPED;
	else if (!kafka_lease_is_ours(relay->outbox.id, relay->epoch))
		end = KAFKA_RELAY_REPLACED;
	kafka_relay_commit(relay);
	return end;
}

static void
show_running(KafkaRelay *relay)
{
	if (relay->shown)
		return;
	set_state(relay, "running", NULL, NULL, false);
	log_running(relay);
	relay->shown = true;
}

/* Somebody has restored a dump into the outbox. */
static bool
has_restored_rows(KafkaRelay *relay)
{
	bool		has;

	kafka_relay_begin(relay);
	has = kafka_tick_has_restored_rows(relay->outbox.id);
	kafka_relay_commit(relay);
	return has;
}

/* With a start behind it, until something ends it; DONE and not finished: it needs a new start. */
static KafkaRelayEnd
relay_rows(KafkaRelay *relay, int64 *ticks_left)
{
	TimestampTz ring = 0;
	MemoryContext round_context = AllocSetContextCreate(relay->session, "kafka_fdw relay round",
														ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		KafkaTick	tick;
		Round		round;
		KafkaRelayEnd end;

		if (options_changed)
		{
			options_changed = false;
			if (kafka_relay_has_new_options(relay))
				return KAFKA_RELAY_DONE;
		}

		if (relay->host->should_stop())
			return KAFKA_RELAY_STOPPED;
		MemoryContextReset(round_context);
		MemoryContextSwitchTo(round_context);
		round = next_tick(relay, &tick);
		if (round == ROUND_REPLACED)
			return KAFKA_RELAY_REPLACED;
		if (round == ROUND_STOPPED)
			return KAFKA_RELAY_STOPPED;
		end = judge(relay);
		if (end != KAFKA_RELAY_DONE)
			return end;
		if (round == ROUND_TICK)
		{
			if (!publish(relay, &tick))
				return KAFKA_RELAY_STOPPED;
			if (*ticks_left > 0 && --(*ticks_left) == 0)
				relay->finished = true;
		}
		if (round != ROUND_TICK || relay->finished)
			record(relay);
		show_running(relay);
		if (relay->finished)
			return KAFKA_RELAY_DONE;
		if (TimestampDifferenceExceeds(ring, GetCurrentTimestamp(), RING_SECONDS * 1000))
		{
			record(relay);
			kafka_relay_turn_ring(relay);
			ring = GetCurrentTimestamp();
			if (has_restored_rows(relay))
				return KAFKA_RELAY_DONE;	/* a new start says what is to be done */
		}
		if (round == ROUND_TICK)
			continue;
		if (!relay->waits)
		{
			relay->finished = true;
			return KAFKA_RELAY_DONE;
		}
		wait_for_rows(relay);
	}
}

static KafkaRelayEnd
run(KafkaRelay *relay, int64 *ticks_left, char **reason)
{
	for (;;)
	{
		KafkaRelayStart start;
		KafkaRelayEnd end;

		options_changed = false;
		show(relay, "connecting to Kafka");
		start = kafka_relay_start(relay);
		if (start.end != KAFKA_RELAY_DONE)
		{
			*reason = start.reason;
			return start.end;
		}
		relay->behind = true;
		end = relay_rows(relay, ticks_left);
		if (end != KAFKA_RELAY_DONE || relay->finished)
			return end;
	}
}

/* ------------------------------------------------------------------------
 * Errors of a worker
 * ------------------------------------------------------------------------
 */
static bool
extension_is_gone(KafkaRelay *relay)
{
	bool		gone;

	relay->host->begin();
	gone = !OidIsValid(get_extension_oid("kafka_fdw", true)) ||
		!OidIsValid(get_relname_relid("outbox_definition", get_namespace_oid("kafka", true)));
	relay->host->commit();
	MemoryContextSwitchTo(relay->context);
	return gone;
}

/* An error as text that tells one from another, with the rows it is about; palloc'd. */
static char *
error_text(const KafkaRelay *relay, const ErrorData *error)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, error->message);
	if (error->detail)
		appendStringInfo(&text, " (%s)", error->detail);
	if (relay->begun && relay->first_row == relay->last_row && relay->last_row > 0)
		appendStringInfo(&text, "; row " INT64_FORMAT, relay->last_row);
	else if (relay->begun && relay->last_row > 0)
		appendStringInfo(&text, "; rows " INT64_FORMAT " to " INT64_FORMAT, relay->first_row,
						 relay->last_row);
	return text.data;
}

typedef struct Trouble
{
	char	   *text;			/* of the last error, or NULL */
	TimestampTz logged;
	int			pause_ms;
} Trouble;

static void
log_trouble(const KafkaRelay *relay, Trouble *trouble, const ErrorData *error, const char *text)
{
	if (trouble->text && strcmp(trouble->text, text) == 0 &&
		!TimestampDifferenceExceeds(trouble->logged, GetCurrentTimestamp(),
									REPEAT_LOG_SECONDS * 1000))
		return;
	trouble->logged = GetCurrentTimestamp();
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg_internal("event=relay_waiting outbox=%s tick=" INT64_FORMAT
							 " sqlstate=%s error=%s",
							 kafka_logfmt_quote(relay->outbox.name), relay->base.tick,
							 unpack_sql_state(error->sqlerrcode), kafka_logfmt_quote(text)),
			 errhidecontext(true)));
}

/*
 * Smaller batches may help: the transaction took long, or Kafka does not take one of its messages, and
 * those before it can go alone.
 */
static bool
may_be_the_batch(const KafkaRelay *relay, const ErrorData *error)
{
	return error->sqlerrcode != ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION ||
		TimestampDifferenceExceeds(relay->begun, GetCurrentTimestamp(), LARGE_SECONDS * 1000);
}

/* Rolls back, tells, and waits.  False: the extension is gone. */
static bool
overcome(KafkaRelay *relay, Trouble *trouble)
{
	ErrorData  *error;
	char	   *text;

	MemoryContextSwitchTo(relay->context);
	error = CopyErrorData();
	FlushErrorState();
	relay->host->abort();
	MemoryContextSwitchTo(relay->context);
	/* an open transaction would hold readers up as long as we wait */
	kafka_relay_forget_session(relay);
	if (extension_is_gone(relay))
		return false;
	text = error_text(relay, error);
	log_trouble(relay, trouble, error, text);
	set_state(relay, "waiting", text, text, false);
	relay->shown = false;
	if (trouble->text)
		pfree(trouble->text);
	trouble->text = text;
	if (relay->begun && may_be_the_batch(relay, error))
		relay->batch_divisor = Min(relay->batch_divisor * 4, MAX_DIVISOR);
	relay->begun = 0;
	FreeErrorData(error);
	show(relay, "waiting after an error");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, trouble->pause_ms,
					 KAFKA_WAIT_EVENT(retry_event, "KafkaRelayRetry"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	trouble->pause_ms = Min(trouble->pause_ms * 2, LAST_PAUSE_MS);
	return true;
}

static void
forget_trouble(const KafkaRelay *relay, Trouble *trouble, int64 tick, int64 row)
{
	if (relay->position.tick == tick && relay->position.row == row)
		return;					/* no progress since */
	if (trouble->text)
		pfree(trouble->text);
	trouble->text = NULL;
	trouble->pause_ms = FIRST_PAUSE_MS;
}

static KafkaRelayEnd
run_through_errors(KafkaRelay *relay, int64 *ticks_left, char **reason)
{
	Trouble		trouble = {.pause_ms = FIRST_PAUSE_MS};

	for (;;)
	{
		volatile int64 tick = relay->position.tick;
		volatile int64 row = relay->position.row;
		volatile bool failed = false;
		volatile KafkaRelayEnd end = KAFKA_RELAY_DONE;

		PG_TRY();
		{
			end = run(relay, ticks_left, reason);
		}
		PG_CATCH();
		{
			failed = true;
			forget_trouble(relay, &trouble, tick, row);
			if (!overcome(relay, &trouble))
				return KAFKA_RELAY_GONE;
		}
		PG_END_TRY();
		if (!failed)
			return end;
		if (relay->host->should_stop())
			return KAFKA_RELAY_STOPPED;
	}
}

/* ------------------------------------------------------------------------
 * Beginning and end
 * ------------------------------------------------------------------------
 */
static LOCKTAG
relay_lock(int32 outbox)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, RELAY_LOCK_CLASS, (uint32) outbox, 3);
	return tag;
}

/* Has somebody asked for this outbox to be taken from a process that does not answer? */
static bool
may_take_over(KafkaRelay *relay)
{
	bool		may;

	kafka_relay_begin(relay);
	may = kafka_lease_has_resolution(relay->outbox.id);
	kafka_relay_commit(relay);
	return may;
}

static void
finish(KafkaRelay *relay, KafkaRelayEnd end, const char *reason)
{
	if (end == KAFKA_RELAY_UNRESOLVED)
	{
		set_state(relay, "unresolved", reason, NULL, true);
		log_unresolved(relay, reason);
	}
	else if (end == KAFKA_RELAY_DONE || end == KAFKA_RELAY_STOPPED)
		set_state(relay, "stopped", NULL, NULL, true);
}

static KafkaRelayEnd
run_and_finish(KafkaRelay *relay, int64 max_ticks)
{
	int64		ticks_left = max_ticks;
	char	   *reason = NULL;
	KafkaRelayEnd end = relay->waits ? run_through_errors(relay, &ticks_left, &reason) :
		run(relay, &ticks_left, &reason);

	if (end != KAFKA_RELAY_GONE && end != KAFKA_RELAY_REPLACED)
		finish(relay, end, reason);
	return end;
}

static void
tell_outbox(void *arg)
{
	errcontext("relaying outbox \"%s\"", ((const KafkaRelay *) arg)->outbox.name);
}

static KafkaRelay *
make_relay(int32 outbox, const KafkaHost *host, bool waits)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "kafka_fdw relay",
												  ALLOCSET_DEFAULT_SIZES);
	KafkaRelay *relay = MemoryContextAllocZero(context, sizeof(KafkaRelay));

	relay->host = host;
	relay->waits = waits;
	relay->context = context;
	relay->outbox.id = outbox;
	relay->outbox.name = MemoryContextStrdup(context, "");
	relay->batch_divisor = 1;
	relay->session = AllocSetContextCreate(context, "kafka_fdw relay session",
										   ALLOCSET_DEFAULT_SIZES);
	return relay;
}

KafkaRelayEnd
kafka_relay_run(int32 outbox, const KafkaHost *host, bool wait, int64 max_ticks)
{
	MemoryContext caller = CurrentMemoryContext;
	KafkaRelay *relay = make_relay(outbox, host, wait);
	LOCKTAG		tag = relay_lock(outbox);
	ErrorContextCallback callback = {.callback = tell_outbox, .arg = relay};
	bool		locked;
	volatile KafkaRelayEnd end = KAFKA_RELAY_REPLACED;

	watch_options();
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	locked = LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	PG_TRY();
	{
		if (locked || may_take_over(relay))
		{
			(void) kafka_workers_enter_relay(outbox, &relay->status);
			end = run_and_finish(relay, max_ticks);
		}
	}
	PG_FINALLY();
	{
		kafka_workers_leave_relay();
		if (locked)
			LockRelease(&tag, ExclusiveLock, true);
		MemoryContextSwitchTo(caller);
		/* closes its producers */
		MemoryContextDelete(relay->context);
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	return end;
}
