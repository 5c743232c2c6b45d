/*-------------------------------------------------------------------------
 *
 * commit.c
 *	  The end of the transaction: what was sent goes to Kafka.
 *
 * Layer 3.  In PostgreSQL's PRE_COMMIT event, where an error still rolls back:
 *
 *	 phase 1  one Kafka transaction for each server, user and mode: send all, see every
 *			  report;
 *	 phase 2  commit those of before_commit, last of all.
 *
 * A failure in phase 1 rolls PostgreSQL back and aborts in Kafka: nothing is visible.  In
 * phase 2 a transaction may be committed already, or its outcome unknown: the error says
 * so in its context.  PostgreSQL can still fail afterwards (a serialization failure, another
 * extension): that is before_commit's documented weakness.  To keep that window small,
 * cancels are held from the first of Kafka's commits to PostgreSQL's own (a terminate is not:
 * another extension may wait there for long), and the context of whatever error comes tells that
 * messages are visible.
 *
 * The Kafka transactions of after_commit stay open until the COMMIT event.  There PostgreSQL
 * has committed, holds its locks and interrupts, and must not meet an error (it would be a
 * PANIC): the wait is bounded by kafka_fdw.after_commit_timeout, a cancel or terminate ends
 * it, and a failure is a WARNING and counted.
 *
 * The ABORT event only closes producers, which aborts in the background, and drops memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/transaction.h"
#include "client/stats.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "transaction/consumers.h"
#include "transaction/outgoing.h"
#include "transaction/pending.h"
#include "transaction/send.h"
#include "transaction/warning.h"
#include "utils/memutils.h"

#define WHY_SIZE 512

static bool ending;				/* PRE_COMMIT has begun: no more sends */
static uint32 holdoff;			/* QueryCancelHoldoffCount with ours in it; 0: we hold none */

static void tell_visible(void *arg);
static ErrorContextCallback visible_context = {.callback = tell_visible};

bool
kafka_commit_is_under_way(void)
{
	return ending;
}

bool
kafka_sends_are_pending(Oid serverid, Oid userid)
{
	ListCell   *lc;

	if (kafka_pending_count() == 0)
		return false;
	foreach(lc, kafka_outgoing_groups())
	{
		const KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);

		if (group->opts->serverid == serverid && group->opts->userid == userid)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * What an error's context tells
 * ------------------------------------------------------------------------
 */
static void
tell_visible(void *arg)
{
	ListCell   *lc;

	foreach(lc, kafka_outgoing_groups())
	{
		const KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);

		if (group->committed)
			errcontext("messages sent through server \"%s\" are committed in Kafka already",
					   group->opts->server_name);
	}
}

static void
tell_committing(void *arg)
{
	const KafkaSendGroup *group = (const KafkaSendGroup *) arg;

	errcontext("committing the Kafka transaction of server \"%s\"; its messages may become "
			   "visible", group->opts->server_name);
}

static void
forget_visible_context(void)
{
	for (ErrorContextCallback **link = &error_context_stack; *link; link = &(*link)->previous)
		if (*link == &visible_context)
		{
			*link = visible_context.previous;
			return;
		}
}

/* Until PostgreSQL has committed too, or failed. */
static void
remember_visible_context(void)
{
	visible_context.previous = error_context_stack;
	error_context_stack = &visible_context;
}

/* ------------------------------------------------------------------------
 * PRE_COMMIT
 * ------------------------------------------------------------------------
 */
static void
require_producer(KafkaSendGroup *group)
{
	if (group->producer)
		return;
	group->producer = kafka_transaction_open(group->opts);
	kafka_transaction_begin(group->producer);
}

static void
send_one(int number, const KafkaMessage *msg)
{
	KafkaDestination *destination = kafka_outgoing_at(number);
	KafkaSendGroup *group = destination->group;

	require_producer(group);
	if (destination->target == NULL)
		destination->target = kafka_producer_target(group->producer, destination->topic,
													destination->npartitions,
													destination->partitioner);
	kafka_producer_send(group->producer, destination->target, msg);
	group->messages++;
}

/*
 * Consumers whose offsets are to go with the messages: in one Kafka transaction, or it would not
 * be all or nothing.
 */
static void
check_offsets(const KafkaSessionConsumer *consumer)
{
	ListCell   *lc;

	foreach(lc, kafka_outgoing_groups())
	{
		const KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);

		if (group->producer == NULL)
			continue;			/* all of it was rolled back to savepoints */
		if (group->mode != KAFKA_DELIVERY_BEFORE_COMMIT ||
			group->opts->serverid != consumer->serverid ||
			group->opts->userid != consumer->userid)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("offsets of consumer \"%s\" cannot be committed with these messages",
							consumer->spec.name),
					 errhint("With offsets => 'transaction' all messages of the transaction go to the "
							 "consumer's server as the same user, in delivery \"before_commit\".")));
	}
	if (!consumer->spec.allow_table_writes &&
		TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a transaction with offsets of consumer \"%s\" cannot write to tables",
						consumer->spec.name),
				 errdetail("With offsets => 'transaction' messages and offsets are one transaction "
						   "in Kafka; rows are not part of it."),
				 errhint("Use offsets => 'postgres', or allow it with the option "
						 "\"allow_table_writes\" of kafka.subscribe.")));
}

static void
send_offsets(List *transactional)
{
	ListCell   *lc;

	foreach(lc, transactional)
	{
		KafkaSessionConsumer *consumer = (KafkaSessionConsumer *) lfirst(lc);
		KafkaSendGroup *group = kafka_outgoing_group(consumer->spec.opts,
													 KAFKA_DELIVERY_BEFORE_COMMIT);

		check_offsets(consumer);
		require_producer(group);
		/* from here on only the group knows where it stands, unless PostgreSQL commits */
		consumer->must_reload = true;
		kafka_member_note_generation(consumer->member);
		kafka_member_send_offsets(consumer->member, group->producer, consumer->offsets,
								  consumer->noffsets);
	}
}

static void
send_pending(List *transactional)
{
	KafkaMessage msg;
	int			number;
	ListCell   *lc;

	kafka_pending_rewind();
	while (kafka_pending_next(&number, &msg))
		send_one(number, &msg);
	foreach(lc, kafka_outgoing_groups())
		if (((KafkaSendGroup *) lfirst(lc))->producer)
			kafka_producer_flush(((KafkaSendGroup *) lfirst(lc))->producer);
	send_offsets(transactional);
}

static void
commit_group(KafkaSendGroup *group)
{
	ErrorContextCallback callback = {.callback = tell_committing, .arg = group};

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	kafka_transaction_commit(group->producer);
	group->committed = true;
	kafka_producer_note_sent(group->producer);
	error_context_stack = callback.previous;
}

static void
commit_before(void)
{
	ListCell   *lc;

	foreach(lc, kafka_outgoing_groups())
	{
		KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);

		if (group->producer == NULL)
			continue;
		if (group->mode == KAFKA_DELIVERY_BEFORE_COMMIT)
			commit_group(group);
		else
		{
			/* what Kafka will show must not be lost by a crash of PostgreSQL */
			ForceSyncCommit();
			/* here, where memory may be had: a scan waits for the end of an aborted one, too */
			kafka_producer_note_sent(group->producer);
		}
	}
}

/* Kafka is told at once, so that readers are not held until the transaction's time-out. */
static void
abort_groups(void)
{
	ListCell   *lc;

	foreach(lc, kafka_outgoing_groups())
	{
		KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);

		if (group->producer && !group->committed)
			kafka_producer_close(group->producer);
	}
}

void
kafka_commit_await_visible(KafkaProducer *producer, const char *server_name, int limit_ms)
{
	KafkaWarning warning = {.sqlstate = ERRCODE_WARNING};
	char		why[WHY_SIZE];

	if (kafka_setting_commit_wait != KAFKA_WAIT_VISIBLE ||
		kafka_transaction_await_visible(producer, limit_ms, why, sizeof(why)))
		return;
	if (QueryCancelPending)
		QueryCancelPending = false; /* it has ended this wait, and can end nothing else */
	snprintf(warning.message, sizeof(warning.message),
			 _("messages sent through server \"%s\" are committed, but readers may not see them "
			   "yet"), server_name);
	snprintf(warning.detail, sizeof(warning.detail), _("Waiting for it ended: %s."), why);
	kafka_warn_quietly(&warning);
}

static int
remaining_ms(instr_time begin, int limit_ms)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, begin);
	return Max(1, limit_ms - (int) INSTR_TIME_GET_MILLISEC(now));
}

/* From here on nothing that can be put off shall keep PostgreSQL from committing. */
static void
after_kafkas_commit(void)
{
	instr_time	begin;
	ListCell   *lc;

	remember_visible_context();
	INSTR_TIME_SET_CURRENT(begin);
	foreach(lc, kafka_outgoing_groups())
	{
		KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);

		if (!group->committed)
			continue;
		if (holdoff == 0)
		{
			HOLD_CANCEL_INTERRUPTS();
			holdoff = QueryCancelHoldoffCount;
		}
		kafka_commit_await_visible(group->producer, group->opts->server_name,
								   remaining_ms(begin, kafka_setting_commit_timeout));
		kafka_producer_close(group->producer);
	}
}

static void
before_commit(void)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	List	   *transactional;

	ending = true;				/* a callback that runs after ours comes too late */
	kafka_consumers_before_commit();
	transactional = kafka_consumers_transactional();
	if (kafka_pending_count() == 0 && transactional == NIL)
	{
		kafka_pending_close();	/* all was rolled back to savepoints */
		MemoryContextSwitchTo(old);
		return;
	}
	PG_TRY();
	{
		send_pending(transactional);
		remember_visible_context();
		commit_before();
	}
	PG_CATCH();
	{
		abort_groups();
		PG_RE_THROW();
	}
	PG_END_TRY();
	kafka_pending_close();
	after_kafkas_commit();
	MemoryContextSwitchTo(old);
}

static void
refuse_prepare(void)
{
	ending = true;				/* also what another callback sends after this look */
	if (kafka_pending_count() > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has sent messages to Kafka"),
				 errhint("Use delivery \"immediate\", or COMMIT.")));
	if (kafka_consumers_are_pending())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has polled messages from Kafka"),
				 errhint("COMMIT it: positions belong to this session.")));
	kafka_pending_close();
}

/* ------------------------------------------------------------------------
 * COMMIT and ABORT: nothing may be raised
 * ------------------------------------------------------------------------
 */
static void
warn_of_loss(const KafkaSendGroup *group, const char *why)
{
	KafkaStats *stats = kafka_stats_of(group->opts);
	KafkaWarning warning = {.sqlstate = ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN};

	stats->counters[KAFKA_COUNT_AFTER_COMMIT_FAILURES]++;
	stats->counters[KAFKA_COUNT_AFTER_COMMIT_MESSAGES] += group->messages;
	if (QueryCancelPending)
		QueryCancelPending = false; /* it has ended this wait, and can end nothing else */
	snprintf(warning.message, sizeof(warning.message),
			 _("messages sent through server \"%s\" may be lost: PostgreSQL has committed, Kafka "
			   "has not confirmed its transaction"), group->opts->server_name);
	snprintf(warning.detail, sizeof(warning.detail),
			 ngettext("It has " INT64_FORMAT " message; librdkafka says: %s",
					  "It has " INT64_FORMAT " messages; librdkafka says: %s",
					  (unsigned long) group->messages), group->messages, why);
	kafka_warn_quietly(&warning);
}

static void
commit_after(void)
{
	instr_time	begin;
	ListCell   *lc;

	INSTR_TIME_SET_CURRENT(begin);
	foreach(lc, kafka_outgoing_groups())
	{
		KafkaSendGroup *group = (KafkaSendGroup *) lfirst(lc);
		char		why[WHY_SIZE];

		if (group->producer == NULL || group->mode != KAFKA_DELIVERY_AFTER_COMMIT)
			continue;
		if (kafka_transaction_commit_quietly(group->producer, remaining_ms(begin, kafka_setting_after_commit_timeout), why,
											 sizeof(why)))
			kafka_commit_await_visible(group->producer, group->opts->server_name,
									   remaining_ms(begin, kafka_setting_after_commit_timeout));
		else
			warn_of_loss(group, why);
		kafka_producer_close(group->producer);
	}
}

/* An error has reset PostgreSQL's count; if somebody caught it, ours is gone with it. */
static void
release_cancels(void)
{
	if (holdoff > 0 && QueryCancelHoldoffCount >= holdoff)
		RESUME_CANCEL_INTERRUPTS();
	holdoff = 0;
}

static void
forget_all(void)
{
	forget_visible_context();
	kafka_pending_forget();
	kafka_outgoing_forget();
	ending = false;
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			before_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_COMMIT:
			forget_visible_context();
			release_cancels();
			commit_after();
			kafka_consumers_commit(kafka_setting_after_commit_timeout);
			forget_all();
			break;
		case XACT_EVENT_ABORT:
			holdoff = 0;
			kafka_consumers_abort();
			abort_groups();
			forget_all();
			break;
		case XACT_EVENT_PREPARE:
			forget_all();
			break;
		default:
			break;
	}
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent,
				  void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		kafka_pending_subabort(level);
		kafka_consumers_subabort(level);
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		kafka_pending_subcommit(level);
		kafka_consumers_subcommit(level);
	}
}

void
kafka_commit_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}
