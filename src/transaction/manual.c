/*-------------------------------------------------------------------------
 *
 * manual.c
 *	  Kafka transactions by hand: kafka.begin_transaction and its kin.
 *
 * Layer 3.  The session has a list of the transactional ids that were used in it.  Each has a
 * state; from begin to the end it also has a producer, in a memory context of its own under
 * TopMemoryContext, so that it outlives PostgreSQL's transactions.
 *
 *	 READY, COMMITTED, ABORTED, FENCED --begin--> IN_TRANSACTION
 *	 IN_TRANSACTION --commit--> COMMITTING --> COMMITTED
 *	 IN_TRANSACTION --abort--> ABORTING --> ABORTED
 *
 * COMMITTING and ABORTING are seen after a cancel, a time limit or a broken connection only.
 * As long as there is a producer then, the call goes on in a helper thread, and commit or
 * abort wait for it again; without one, Kafka did not say what became of it, and the next
 * begin settles it: its init_transactions ends whatever the id has left open.
 *
 * A producer goes back to the session's cache after a clean commit, from where the next begin
 * has it again; else it is destroyed (client/transaction.c says why).  At the end of the
 * session handle.c destroys all clients, which aborts what is open.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/rules.h"
#include "client/topic.h"
#include "common/string.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "transaction/manual.h"
#include "transaction/outgoing.h"
#include "transaction/send.h"
#include "utils/memutils.h"

#define WHY_SIZE 512
/* Kafka's own limit is 32767; nobody needs that. */
#define MAX_ID_LENGTH 1000

static List *manuals;			/* in TopMemoryContext */

static const char *const state_names[] = {
	[KAFKA_MANUAL_READY] = "READY",
	[KAFKA_MANUAL_IN_TRANSACTION] = "IN_TRANSACTION",
	[KAFKA_MANUAL_COMMITTING] = "COMMITTING",
	[KAFKA_MANUAL_ABORTING] = "ABORTING",
	[KAFKA_MANUAL_COMMITTED] = "COMMITTED",
	[KAFKA_MANUAL_ABORTED] = "ABORTED",
	[KAFKA_MANUAL_FENCED] = "FENCED",
};

const char *
kafka_manual_state_name(const KafkaManual *manual)
{
	return state_names[manual->state];
}

List *
kafka_manual_list(void)
{
	return manuals;
}

/* ------------------------------------------------------------------------
 * States
 * ------------------------------------------------------------------------
 */
static void
set_state(KafkaManual *manual, KafkaManualState state)
{
	manual->state = state;
	manual->since = GetCurrentTimestamp();
}

static void
set_error(KafkaManual *manual, const char *text)
{
	if (manual->error)
		pfree(manual->error);
	manual->error = text ? MemoryContextStrdup(manual->context, text) : NULL;
}

/* The producer goes: back to the cache if it is clean, else it aborts what is open. */
static void
release_producer(KafkaManual *manual)
{
	if (manual->producer)
		kafka_producer_close(manual->producer);
	if (manual->work)
		MemoryContextDelete(manual->work);
	manual->producer = NULL;
	manual->opts = NULL;
	manual->work = NULL;
}

static void
finish(KafkaManual *manual, KafkaManualState state)
{
	release_producer(manual);
	set_state(manual, state);
}

static bool
is_open(const KafkaManual *manual)
{
	return manual->state == KAFKA_MANUAL_IN_TRANSACTION ||
		manual->state == KAFKA_MANUAL_COMMITTING || manual->state == KAFKA_MANUAL_ABORTING;
}

/*
 * Something has failed and the producer says how it is now.  Fenced while it committed: what
 * became of it is not known, either, and the error has said so.
 */
static void
judge(KafkaManual *manual, const char *why)
{
	KafkaTransactionHealth health = kafka_transaction_health(manual->producer);

	if (health == KAFKA_TRANSACTION_SOUND)
	{
		if (manual->state != KAFKA_MANUAL_IN_TRANSACTION)
			set_state(manual, KAFKA_MANUAL_IN_TRANSACTION);
		return;
	}
	if (health == KAFKA_TRANSACTION_BUSY)
		return;
	set_error(manual, why);
	if (health == KAFKA_TRANSACTION_FENCED)
		finish(manual, KAFKA_MANUAL_FENCED);
	else if (health == KAFKA_TRANSACTION_FAILED && manual->state != KAFKA_MANUAL_IN_TRANSACTION)
		set_state(manual, KAFKA_MANUAL_IN_TRANSACTION);
	else if (health == KAFKA_TRANSACTION_LOST)
		finish(manual, manual->state == KAFKA_MANUAL_COMMITTING ? KAFKA_MANUAL_COMMITTING :
			   KAFKA_MANUAL_ABORTING);
}

/* In PG_CATCH, before the error goes on. */
static void
judge_error(KafkaManual *manual)
{
	MemoryContext old = MemoryContextSwitchTo(manual->context);
	ErrorData  *error = CopyErrorData();

	judge(manual, error->message);
	FreeErrorData(error);
	MemoryContextSwitchTo(old);
}

static void
note_committed(KafkaManual *manual)
{
	kafka_producer_note_sent(manual->producer);
	set_error(manual, NULL);
	set_state(manual, KAFKA_MANUAL_COMMITTED);
}

void
kafka_manual_refresh(KafkaManual *manual)
{
	char		why[WHY_SIZE];

	if (!is_open(manual) || manual->producer == NULL ||
		manual->state == KAFKA_MANUAL_IN_TRANSACTION ||
		!kafka_transaction_has_result(manual->producer))
		return;
	if (!kafka_transaction_take_result(manual->producer, why, sizeof(why)))
		judge(manual, why);
	else if (manual->state == KAFKA_MANUAL_COMMITTING)
	{
		note_committed(manual);
		release_producer(manual);
	}
	else
		finish(manual, KAFKA_MANUAL_ABORTED);
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */
static void
tell_transaction(void *arg)
{
	const KafkaManual *manual = (const KafkaManual *) arg;

	if (manual->state == KAFKA_MANUAL_COMMITTING)
		errcontext("committing the Kafka transaction \"%s\"; it may become visible",
				   manual->id);
	else
		errcontext("Kafka transaction \"%s\"", manual->id);
}

static const char *
what_to_do(const KafkaManual *manual)
{
	switch (manual->state)
	{
		case KAFKA_MANUAL_IN_TRANSACTION:
			return "End it with kafka.commit_transaction or kafka.abort_transaction.";
		case KAFKA_MANUAL_COMMITTING:
			return manual->producer ?
				"kafka.commit_transaction waits for its end, kafka.close_transaction gives it up." :
				"Its outcome is unknown. Begin anew with kafka.begin_transaction.";
		case KAFKA_MANUAL_ABORTING:
			return "Call kafka.abort_transaction again, or begin anew with "
				"kafka.begin_transaction.";
		default:
			return "Begin with kafka.begin_transaction.";
	}
}

static KAFKA_NORETURN void
throw_wrong_state(const KafkaManual *manual, const char *doing)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
			 errmsg("cannot %s: Kafka transaction \"%s\" is in state %s", doing, manual->id,
					kafka_manual_state_name(manual)),
			 errhint("%s", what_to_do(manual))));
}

static KAFKA_NORETURN void
throw_others(const KafkaManual *manual)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for Kafka transaction \"%s\"", manual->id),
			 errdetail("Another user of this session has begun it.")));
}

/* In a transaction, and nothing has gone wrong in it. */
static void
require_sound(KafkaManual *manual, const char *doing)
{
	kafka_manual_refresh(manual);
	if (manual->state != KAFKA_MANUAL_IN_TRANSACTION)
		throw_wrong_state(manual, doing);
	if (manual->error)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot %s: Kafka transaction \"%s\" can only be aborted", doing,
						manual->id),
				 errdetail("It has failed: %s.", manual->error),
				 errhint("Call kafka.abort_transaction.")));
}

static void
check_id(const char *id)
{
	if (id[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a transactional id must not be empty")));
	if (strlen(id) > MAX_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transactional id is too long"),
				 errdetail("It has %zu bytes, the limit is %d.", strlen(id), MAX_ID_LENGTH)));
	if (strncmp(id, KAFKA_TRANSACTIONAL_ID_PREFIX, strlen(KAFKA_TRANSACTIONAL_ID_PREFIX)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transactional id \"%s\" is not allowed", id),
				 errhint("Ids that begin with \"%s\" are the extension's own.",
						 KAFKA_TRANSACTIONAL_ID_PREFIX)));
	if (GetDatabaseEncoding() != PG_UTF8 && !pg_is_ascii(id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transactional id \"%s\" is not allowed", id),
				 errhint("In a database whose encoding is not UTF8 an id has ASCII characters "
						 "only.")));
}

/* ------------------------------------------------------------------------
 * The session's list
 * ------------------------------------------------------------------------
 */
static KafkaManual *
look_up(const char *id, Oid serverid)
{
	ListCell   *lc;

	foreach(lc, manuals)
	{
		KafkaManual *manual = (KafkaManual *) lfirst(lc);

		if (manual->serverid == serverid && strcmp(manual->id, id) == 0)
			return manual;
	}
	return NULL;
}

static KafkaManual *
add(const KafkaOptions *opts, const char *id)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "kafka_fdw transaction",
												  ALLOCSET_SMALL_SIZES);
	KafkaManual *manual = MemoryContextAllocZero(context, sizeof(KafkaManual));
	MemoryContext old;

	manual->context = context;
	manual->id = MemoryContextStrdup(context, id);
	manual->server_name = MemoryContextStrdup(context, opts->server_name);
	manual->serverid = opts->serverid;
	manual->userid = opts->userid;
	old = MemoryContextSwitchTo(TopMemoryContext);
	manuals = lappend(manuals, manual);
	MemoryContextSwitchTo(old);
	return manual;
}

static void
forget(KafkaManual *manual)
{
	release_producer(manual);
	manuals = list_delete_ptr(manuals, manual);
	MemoryContextDelete(manual->context);
}

static bool
matches(const KafkaManual *manual, const char *id, Oid serverid)
{
	if (OidIsValid(serverid) && manual->serverid != serverid)
		return false;
	return id ? strcmp(manual->id, id) == 0 : manual->userid == GetUserId();
}

static KAFKA_NORETURN void
throw_not_found(const char *id, int found)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
			 found > 1 ? errmsg("it is not clear which Kafka transaction is meant") :
			 id ? errmsg("Kafka transaction \"%s\" has not begun in this session", id) :
			 errmsg("no Kafka transaction has begun in this session"),
			 found > 1 ? errhint(id ? "Pass the argument \"server\"." :
								 "Pass the argument \"transactional_id\".") :
			 errhint("Begin with kafka.begin_transaction.")));
}

KafkaManual *
kafka_manual_find(const char *id, Oid serverid)
{
	KafkaManual *found = NULL;
	KafkaManual *found_open = NULL;
	int			count = 0;
	int			count_open = 0;
	ListCell   *lc;

	PreventCommandIfParallelMode("a Kafka transaction");
	foreach(lc, manuals)
	{
		KafkaManual *manual = (KafkaManual *) lfirst(lc);

		if (!matches(manual, id, serverid))
			continue;
		found = manual;
		count++;
		if (!is_open(manual))
			continue;
		found_open = manual;
		count_open++;
	}
	if (count_open == 1)
		found = found_open;
	else if (count != 1)
		throw_not_found(id, count);
	if (found->userid != GetUserId())
		throw_others(found);
	return found;
}

/* ------------------------------------------------------------------------
 * Begin
 * ------------------------------------------------------------------------
 */

/* Options and producer outlive whatever PostgreSQL does. */
static void
open_producer(KafkaManual *manual)
{
	MemoryContext old;

	manual->work = AllocSetContextCreate(manual->context, "kafka_fdw transaction's producer",
										 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(manual->work);
	manual->opts = kafka_options_of_server(manual->serverid, manual->userid);
	manual->producer = kafka_transaction_open_named(manual->opts, manual->id);
	MemoryContextSwitchTo(old);
}

static void
begin(KafkaManual *manual)
{
	ErrorContextCallback callback = {.callback = tell_transaction, .arg = manual};

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	release_producer(manual);
	open_producer(manual);
	kafka_transaction_begin(manual->producer);
	error_context_stack = callback.previous;
	list_free_deep(manual->groups);
	manual->groups = NIL;
	manual->messages = 0;
	set_error(manual, NULL);
	set_state(manual, KAFKA_MANUAL_IN_TRANSACTION);
}

static void
require_startable(KafkaManual *manual, Oid userid)
{
	kafka_manual_refresh(manual);
	if (is_open(manual) && manual->userid != userid)
		throw_others(manual);
	if (manual->state == KAFKA_MANUAL_IN_TRANSACTION ||
		(manual->state == KAFKA_MANUAL_COMMITTING && manual->producer))
		throw_wrong_state(manual, "begin");
}

/* An id that could not begin even once is not kept. */
static void
begin_or_forget(KafkaManual *manual, bool is_new)
{
	PG_TRY();
	{
		begin(manual);
	}
	PG_CATCH();
	{
		if (is_new)
			forget(manual);
		else
			finish(manual, KAFKA_MANUAL_READY);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
kafka_manual_begin(const KafkaOptions *opts, const char *id)
{
	KafkaManual *manual;

	PreventCommandIfParallelMode("a Kafka transaction");
	check_id(id);
	manual = look_up(id, opts->serverid);
	if (manual == NULL)
	{
		begin_or_forget(add(opts, id), true);
		return;
	}
	require_startable(manual, opts->userid);
	manual->userid = opts->userid;
	begin_or_forget(manual, false);
}

/* ------------------------------------------------------------------------
 * Messages and offsets
 * ------------------------------------------------------------------------
 */
void
kafka_manual_send(KafkaManual *manual, const KafkaMessage *msg)
{
	ErrorContextCallback callback = {.callback = tell_transaction, .arg = manual};

	kafka_rules_require_usage(manual->serverid, manual->server_name);
	require_sound(manual, "send");
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		kafka_sender_send(kafka_sender_on_producer(manual->opts, msg->topic, manual->producer),
						  msg);
	}
	PG_CATCH();
	{
		judge_error(manual);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	manual->messages++;
}

/* A topic or partition that does not exist would be waited for until the time limit. */
static void
check_offset(KafkaManual *manual, const KafkaGroupOffset *offset)
{
	int32		npartitions = kafka_topic_partitions(manual->opts, offset->topic, false, true);

	if (offset->partition < 0 || offset->partition >= npartitions)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("partition %d of topic \"%s\" does not exist", offset->partition,
						offset->topic)));
	if (offset->offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset " INT64_FORMAT " of topic \"%s\", partition %d, is negative",
						offset->offset, offset->topic, offset->partition)));
}

static void
note_group(KafkaManual *manual, const char *group_id)
{
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, manual->groups)
		if (strcmp((char *) lfirst(lc), group_id) == 0)
			return;
	old = MemoryContextSwitchTo(manual->context);
	manual->groups = lappend(manual->groups, pstrdup(group_id));
	MemoryContextSwitchTo(old);
}

void
kafka_manual_send_offsets(KafkaManual *manual, const char *group_id,
						  const KafkaGroupOffset *offsets, int n)
{
	ErrorContextCallback callback = {.callback = tell_transaction, .arg = manual};

	kafka_rules_require_usage(manual->serverid, manual->server_name);
	require_sound(manual, "send offsets");
	for (int i = 0; i < n; i++)
		check_offset(manual, &offsets[i]);
	if (n == 0)
		return;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		kafka_transaction_send_offsets(manual->producer, group_id, offsets, n);
	}
	PG_CATCH();
	{
		judge_error(manual);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	note_group(manual, group_id);
}

/* ------------------------------------------------------------------------
 * The end
 * ------------------------------------------------------------------------
 */

/* A flush that is cancelled leaves the transaction open, as it was. */
static void
commit(KafkaManual *manual)
{
	if (manual->state == KAFKA_MANUAL_IN_TRANSACTION)
	{
		kafka_producer_flush(manual->producer);
		set_state(manual, KAFKA_MANUAL_COMMITTING);
	}
	kafka_transaction_commit(manual->producer);
}

void
kafka_manual_commit(KafkaManual *manual)
{
	ErrorContextCallback callback = {.callback = tell_transaction, .arg = manual};

	if (manual->state != KAFKA_MANUAL_COMMITTING || manual->producer == NULL)
		require_sound(manual, "commit");
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		commit(manual);
	}
	PG_CATCH();
	{
		judge_error(manual);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	note_committed(manual);
	kafka_commit_await_visible(manual->producer, manual->server_name,
							   kafka_setting_commit_timeout);
	release_producer(manual);
}

/* Where the producer is lost, a new one's init_transactions ends what it has left open. */
static void
abort_it(KafkaManual *manual)
{
	set_state(manual, KAFKA_MANUAL_ABORTING);
	if (manual->producer)
	{
		kafka_transaction_abort(manual->producer);
		return;
	}
	open_producer(manual);
	kafka_transaction_settle(manual->producer);
}

void
kafka_manual_abort(KafkaManual *manual)
{
	ErrorContextCallback callback = {.callback = tell_transaction, .arg = manual};

	if (manual->state != KAFKA_MANUAL_IN_TRANSACTION && manual->state != KAFKA_MANUAL_ABORTING)
		throw_wrong_state(manual, "abort");
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		abort_it(manual);
	}
	PG_CATCH();
	{
		if (manual->producer)
			judge_error(manual);
		else
			release_producer(manual);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	finish(manual, KAFKA_MANUAL_ABORTED);
}

void
kafka_manual_close(KafkaManual *manual)
{
	char	   *id = pstrdup(manual->id);

	forget(manual);
	kafka_transaction_forget_client(id);
}

void
kafka_manual_close_all(void)
{
	while (manuals != NIL)
		forget((KafkaManual *) llast(manuals));
}
