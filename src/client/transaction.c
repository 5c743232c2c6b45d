/*-------------------------------------------------------------------------
 *
 * transaction.c
 *	  Kafka's transactions on a producer.
 *
 * Layer 1.
 *
 * Calls.  init, commit and abort resume where they were, so they are called in slices with
 * interrupts looked at in between.  Errors are read in librdkafka's order: requires abort,
 * retriable, else fatal.
 *
 * After anything but a clean commit the handle is destroyed and the next transaction makes a
 * new one: librdkafka does not have KIP-890, so a late marker of the old transaction could
 * otherwise hit the next one.
 *
 * Two ids in turn.  Kafka answers a commit before it has written the transaction's markers.
 * If the next transaction of the same id comes before they are written, librdkafka sleeps
 * 20 ms before it tries again.  So a session that commits back to back has two ids, each with
 * a handle of its own, and takes the one that has rested longer.  The second is made when it
 * is needed, and goes when the session has slowed down.  An id whose last transaction did not
 * end cleanly is taken first: its init_transactions settles that one before anything else is
 * sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <inttypes.h>
#include <unistd.h>

#include "access/xlog.h"
#include "client/error.h"
#include "client/producer_internal.h"
#include "client/topic_internal.h"
#include "client/transaction.h"
#include "client/wait.h"
#include "common/hashfn.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "postmaster/postmaster.h"
#include "utils/memutils.h"

/* Longest time that a helper thread tries to abort a transaction. */
#define ABORT_MS 10000
/* A transaction that begins so soon after the last one's commit may find its id busy. */
#define BACK_TO_BACK_MS 15
/* So many of those in a row are worth a second client. */
#define BACK_TO_BACK_COUNT 2
/* After such a pause the second client goes. */
#define SLOW_MS 10000

typedef struct KafkaTransactionSlot
{
	bool		in_use;
	bool		unclean;		/* the last transaction did not end with a commit */
	bool		opened;			/* since the session last slowed down */
	instr_time	committed;		/* zero: never */
} KafkaTransactionSlot;

/* The ids of a server and user in this session. */
typedef struct TransactionIds
{
	Oid			serverid;
	Oid			userid;
	int			quick;			/* transactions back to back, up to BACK_TO_BACK_COUNT */
	KafkaTransactionSlot slots[KAFKA_TRANSACTIONAL_IDS];
} TransactionIds;

static List *all_ids;

/* ------------------------------------------------------------------------
 * Ids
 * ------------------------------------------------------------------------
 */

/* 64 bits of what tells this instance from a clone or a restored copy of it. */
static uint64
instance_hash(void)
{
	char		host[256] = "";
	char	   *text;

	if (kafka_setting_instance_name[0])
		text = psprintf(UINT64_FORMAT "/%s", GetSystemIdentifier(),
						kafka_setting_instance_name);
	else
	{
		gethostname(host, sizeof(host) - 1);
		text = psprintf(UINT64_FORMAT "/%s/%d/%s", GetSystemIdentifier(), host,
						PostPortNumber, DataDir);
	}
	return DatumGetUInt64(hash_any_extended((unsigned char *) text, strlen(text), 0));
}

char *
kafka_transactional_id(const KafkaOptions *opts, int number)
{
	return psprintf(KAFKA_TRANSACTIONAL_ID_PREFIX "%016" PRIx64 ".%u.%u.%u.%d.%d",
					instance_hash(), MyDatabaseId, opts->serverid, opts->userid,
					KAFKA_BACKEND_SLOT, number);
}

static TransactionIds *
find_ids(const KafkaOptions *opts)
{
	ListCell   *lc;
	TransactionIds *ids;
	MemoryContext old;

	foreach(lc, all_ids)
	{
		ids = (TransactionIds *) lfirst(lc);
		if (ids->serverid == opts->serverid && ids->userid == opts->userid)
			return ids;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	ids = palloc0(sizeof(TransactionIds));
	ids->serverid = opts->serverid;
	ids->userid = opts->userid;
	all_ids = lappend(all_ids, ids);
	MemoryContextSwitchTo(old);
	return ids;
}

/* The one whose last commit is longer ago. */
static int
longest_rested(const TransactionIds *ids)
{
	instr_time	first = ids->slots[0].committed;

	INSTR_TIME_SUBTRACT(first, ids->slots[1].committed);
	return INSTR_TIME_GET_DOUBLE(first) > 0 ? 1 : 0;
}

/* Milliseconds since the session's last commit with these ids; INT_MAX: there was none. */
static int
since_last_commit(const TransactionIds *ids)
{
	const KafkaTransactionSlot *last = &ids->slots[1 - longest_rested(ids)];

	return INSTR_TIME_IS_ZERO(last->committed) ? INT_MAX : kafka_elapsed_ms(last->committed);
}

/* Which id the next transaction takes; -1 if all are in use. */
static int
choose_slot(TransactionIds *ids)
{
	int			pause = since_last_commit(ids);

	for (int i = 0; i < KAFKA_TRANSACTIONAL_IDS; i++)
		if (!ids->slots[i].in_use && ids->slots[i].unclean)
			return i;
	for (int i = 0; i < KAFKA_TRANSACTIONAL_IDS; i++)
		if (ids->slots[i].in_use)
			return ids->slots[1 - i].in_use ? -1 : 1 - i;
	ids->quick = pause < BACK_TO_BACK_MS ? Min(ids->quick + 1, BACK_TO_BACK_COUNT) : 0;
	return ids->quick == BACK_TO_BACK_COUNT ? longest_rested(ids) : 0;
}

/* A session that has slowed down needs no second client. */
static void
close_second(const KafkaOptions *opts, TransactionIds *ids)
{
	KafkaTransactionSlot *second = &ids->slots[1];

	if (!second->opened || second->in_use || since_last_commit(ids) < SLOW_MS)
		return;
	kafka_handle_close_transactional(kafka_transactional_id(opts, 1));
	second->opened = false;
}

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */
KafkaProducer *
kafka_transaction_open_named(const KafkaOptions *opts, const char *id)
{
	return kafka_producer_on_handle(opts,
									kafka_producer_acquire(opts, KAFKA_ROLE_TRANSACTIONAL, id));
}

KafkaProducer *
kafka_transaction_open(const KafkaOptions *opts)
{
	TransactionIds *ids = find_ids(opts);
	int			number = choose_slot(ids);
	KafkaProducer *producer;

	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many Kafka transactions of one session at a time")));
	close_second(opts, ids);
	producer = kafka_transaction_open_named(opts, kafka_transactional_id(opts, number));
	producer->slot = &ids->slots[number];
	producer->slot->in_use = true;
	producer->slot->opened = true;
	return producer;
}

static void
abort_run(KafkaJob *job)
{
	rd_kafka_error_t *error = rd_kafka_abort_transaction(job->core->rk, ABORT_MS);

	if (error)
		rd_kafka_error_destroy(error);
}

static void
abort_destroy(KafkaJob *job)
{
	free(job);
}

/*
 * A transaction that is left open would hold readers up until its time-out, so Kafka is told;
 * but nobody waits for that: the handle is destroyed when the helper thread is done.  The
 * next transaction's init_transactions cleans up where this fails.  Never throws: on the way
 * out of an error, or of the process.
 */
static void
abort_in_background(KafkaHandle *handle)
{
	KafkaJob   *job;

	if (kafka_handle_is_down(handle) || rd_kafka_fatal_error(handle->rk, NULL, 0))
		return;
	job = kafka_job_try_alloc(sizeof(KafkaJob), abort_run, abort_destroy);
	if (job && kafka_job_try_start(job, handle))
		kafka_job_drop(job);
}

void
kafka_transaction_detach(KafkaProducer *producer)
{
	if (producer->transaction == KAFKA_TRANSACTION_OPEN)
		abort_in_background(producer->handle);
	if (producer->transaction == KAFKA_TRANSACTION_OPEN ||
		producer->transaction == KAFKA_TRANSACTION_UNCLEAN)
		producer->handle->stats->counters[KAFKA_COUNT_TRANSACTIONS_ABORTED]++;
	if (producer->slot == NULL)
		return;
	producer->slot->in_use = false;
	producer->slot->unclean = producer->transaction != KAFKA_TRANSACTION_NONE;
	producer->slot = NULL;
}

/* ------------------------------------------------------------------------
 * Begin
 * ------------------------------------------------------------------------
 */
typedef rd_kafka_error_t *(*TransactionCall) (rd_kafka_t *rk, int timeout_ms);

/*
 * Calls in slices until it is done; the error that ended it, or NULL.  Retriable errors
 * (the slice's own time-out is one) are tried again until the wait's limit, which raises.
 */
static rd_kafka_error_t *
call_in_slices(KafkaProducer *producer, TransactionCall call, KafkaWait *wait)
{
	for (;;)
	{
		rd_kafka_error_t *error = call(producer->handle->rk, KAFKA_SLICE_MS);

		if (error == NULL || rd_kafka_error_txn_requires_abort(error) ||
			rd_kafka_error_is_fatal(error) || !rd_kafka_error_is_retriable(error))
			return error;
		rd_kafka_error_destroy(error);
		kafka_wait_check(wait);
	}
}

static KAFKA_NORETURN void
throw_transaction_error(KafkaProducer *producer, rd_kafka_error_t *error, KafkaPlace *place)
{
	rd_kafka_resp_err_t err = rd_kafka_error_code(error);
	char		text[KAFKA_TEXT_SIZE];

	strlcpy(text, rd_kafka_error_string(error), sizeof(text));
	rd_kafka_error_destroy(error);
	/* a message's own failure says more than "in an inconsistent state" */
	if (producer->failed && producer->failed_target)
		kafka_producer_throw_failed(producer);
	kafka_error_throw(producer->handle, err, text, place);
}

static void
init_transactions(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not start transactions with the Kafka cluster"};
	KafkaWait	wait;
	rd_kafka_error_t *error;

	kafka_wait_start(&wait, producer->handle, &place, kafka_setting_connect_timeout,
					 "kafka_fdw.connect_timeout");
	wait.connecting = true;
	error = call_in_slices(producer, rd_kafka_init_transactions, &wait);
	if (error)
		throw_transaction_error(producer, error, &place);
	kafka_handle_succeeded(producer->handle);
	producer->handle->transactions_ready = true;
}

void
kafka_transaction_begin(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not begin a Kafka transaction"};
	rd_kafka_error_t *error;

	producer->transaction = KAFKA_TRANSACTION_UNCLEAN;
	if (!producer->handle->transactions_ready)
		init_transactions(producer);
	error = rd_kafka_begin_transaction(producer->handle->rk);
	if (error)
		throw_transaction_error(producer, error, &place);
	producer->transaction = KAFKA_TRANSACTION_OPEN;
}

/* ------------------------------------------------------------------------
 * Commit
 * ------------------------------------------------------------------------
 */
static void
note_unknown(KafkaProducer *producer)
{
	producer->transaction = KAFKA_TRANSACTION_UNKNOWN;
	producer->handle->stats->counters[KAFKA_COUNT_TRANSACTIONS_UNKNOWN]++;
}

static KAFKA_NORETURN void
throw_outcome_unknown(KafkaProducer *producer, const char *text)
{
	note_unknown(producer);
	ereport(ERROR,
			(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
			 errmsg("outcome of the Kafka transaction is unknown"),
			 errdetail("librdkafka says: %s", text),
			 errhint("PostgreSQL rolls back; the messages may have become visible in "
					 "Kafka.")));
}

static void
note_commit(KafkaProducer *producer)
{
	producer->transaction = KAFKA_TRANSACTION_NONE;
	producer->handle->stats->counters[KAFKA_COUNT_TRANSACTIONS_COMMITTED]++;
	if (producer->slot)
		INSTR_TIME_SET_CURRENT(producer->slot->committed);
}

/* Of a slice's error: is there anything to wait for? */
static bool
goes_on(const rd_kafka_error_t *error)
{
	return !rd_kafka_error_txn_requires_abort(error) && !rd_kafka_error_is_fatal(error) &&
		rd_kafka_error_is_retriable(error);
}

void
kafka_transaction_commit(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not commit the Kafka transaction"};
	KafkaWait	wait;
	rd_kafka_error_t *error;
	char		text[KAFKA_TEXT_SIZE];

	producer->transaction = KAFKA_TRANSACTION_UNCLEAN;
	kafka_wait_start(&wait, producer->handle, &place, INT_MAX,
					 "kafka_fdw.commit_timeout");
	for (;;)
	{
		error = rd_kafka_commit_transaction(producer->handle->rk, KAFKA_SLICE_MS);
		if (error == NULL)
			break;
		/* the broker has refused, so nothing of it becomes visible */
		if (rd_kafka_error_txn_requires_abort(error))
			throw_transaction_error(producer, error, &place);
		strlcpy(text, rd_kafka_error_string(error), sizeof(text));
		if (!goes_on(error) || kafka_wait_elapsed(&wait) > kafka_setting_commit_timeout)
		{
			rd_kafka_error_destroy(error);
			throw_outcome_unknown(producer, text);
		}
		rd_kafka_error_destroy(error);
		kafka_wait_check(&wait);
	}
	note_commit(producer);
}

bool
kafka_transaction_commit_quietly(KafkaProducer *producer, int limit_ms, char *why,
								 size_t why_size)
{
	instr_time	begin;

	producer->transaction = KAFKA_TRANSACTION_UNCLEAN;
	INSTR_TIME_SET_CURRENT(begin);
	for (;;)
	{
		int			left = limit_ms - kafka_elapsed_ms(begin);
		rd_kafka_error_t *error = rd_kafka_commit_transaction(producer->handle->rk,
															  Max(1, Min(KAFKA_SLICE_MS, left)));
		bool		on;
		bool		refused;

		if (error == NULL)
			break;
		strlcpy(why, rd_kafka_error_string(error), why_size);
		on = goes_on(error);
		refused = rd_kafka_error_txn_requires_abort(error);
		rd_kafka_error_destroy(error);
		if (on && (QueryCancelPending || ProcDiePending))
			strlcpy(why, "the wait was cancelled", why_size);
		else if (on && kafka_elapsed_ms(begin) >= limit_ms)
			strlcpy(why, "no answer in time", why_size);
		else if (on)
			continue;
		if (!refused)
			note_unknown(producer);
		return false;
	}
	note_commit(producer);
	return true;
}

/* The offsets are those of the messages; the marker stands behind them. */
bool
kafka_transaction_await_visible(KafkaProducer *producer, int limit_ms, char *why, size_t why_size)
{
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	for (KafkaTarget *target = producer->targets; target; target = target->next)
	{
		KafkaOwnSends sends = {target->topic, target->confirmed, target->npartitions};

		strlcpy(why, "the broker does not show them in time", why_size);
		if (kafka_offsets_await_sent(producer->handle, &sends,
									 limit_ms - kafka_elapsed_ms(begin), why, why_size))
			continue;
		producer->handle->stats->counters[KAFKA_COUNT_VISIBLE_TIMEOUTS]++;
		return false;
	}
	return true;
}
