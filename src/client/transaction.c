/*-------------------------------------------------------------------------
 *
 * transaction.c
 *	  Kafka's transactions on a producer.
 *
 * Layer 1.
 *
 * Calls.  init resumes where it was, so it is called in slices with interrupts looked at in
 * between.  commit and abort should, but where librdkafka's own thread is late (a busy
 * machine) a resumed call can take an earlier call's answer for its own, and end in "not
 * valid in state CommittingTransaction" or, worse, take the commit for an abort.  So they run
 * whole, once, in a helper thread while the backend waits (wait.h), and so does the sending of
 * offsets.  All reports have been seen before a commit, so that thread has no callback to call
 * but of errors, which it leaves out.  Whoever stops waiting may close the producer, or wait
 * again for the same call (KafkaProducer.call).
 *
 * Errors are read in librdkafka's order: requires abort, retriable, else fatal.
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
#include "client/coordinator.h"
#include "client/producer_internal.h"
#include "client/topic_internal.h"
#include "client/transaction.h"
#include "client/wait.h"
#include "common/hashfn.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "postmaster/postmaster.h"
#include "utils/memutils.h"

/* Longest time that a helper thread tries to end a transaction that nobody waits for. */
#define FINISH_MS 10000
/* Pause before an abort is tried again that another call stands in the way of. */
#define BUSY_MS 20
/* A transaction that begins so soon after the last one's commit may find its id busy. */
#define BACK_TO_BACK_MS 15
/* So many of those in a row are worth a second client. */
#define BACK_TO_BACK_COUNT 2
/* A commit that takes so long may have been sent more than once. */
#define SLOW_COMMIT_MS 1000
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
	return kafka_producer_open_as(opts, KAFKA_ROLE_TRANSACTIONAL, id);
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

/* ------------------------------------------------------------------------
 * Calls in a helper thread
 * ------------------------------------------------------------------------
 */
typedef rd_kafka_error_t *(*TransactionCall) (rd_kafka_t *rk, int timeout_ms);

typedef struct TransactionJob
{
	KafkaJob	job;
	TransactionCall call;		/* NULL: offsets are sent */
	int			timeout_ms;
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *group;
	rd_kafka_error_t *error;	/* NULL: done well */
} TransactionJob;

/* Another call of the transaction is under way in a thread that nobody waits for any longer. */
static bool
is_busy(const rd_kafka_error_t *error)
{
	return error && (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__CONFLICT ||
					 rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS);
}

static void
call_run(KafkaJob *job)
{
	TransactionJob *self = (TransactionJob *) job;
	rd_kafka_t *rk = job->core->rk;

	if (self->call == NULL)
	{
		self->error = rd_kafka_send_offsets_to_transaction(rk, self->offsets, self->group,
														   self->timeout_ms);
		return;
	}
	self->error = self->call(rk, self->timeout_ms);
	if (self->call != rd_kafka_abort_transaction)
		return;
	for (int waited = 0; is_busy(self->error) && waited < self->timeout_ms; waited += BUSY_MS)
	{
		usleep(BUSY_MS * 1000);
		rd_kafka_error_destroy(self->error);
		self->error = self->call(rk, self->timeout_ms);
	}
}

static void
call_destroy(KafkaJob *job)
{
	TransactionJob *self = (TransactionJob *) job;

	if (self->error)
		rd_kafka_error_destroy(self->error);
	if (self->offsets)
		rd_kafka_topic_partition_list_destroy(self->offsets);
	if (self->group)
		rd_kafka_consumer_group_metadata_destroy(self->group);
	free(self);
}

static TransactionJob *
make_call(TransactionCall call, int timeout_ms)
{
	TransactionJob *self = kafka_job_try_alloc(sizeof(TransactionJob), call_run, call_destroy);

	if (self == NULL)
		return NULL;
	self->call = call;
	self->timeout_ms = timeout_ms;
	return self;
}

/* The job under way, or NULL.  Never throws. */
static TransactionJob *
start_call(KafkaHandle *handle, TransactionCall call, int timeout_ms)
{
	TransactionJob *self = make_call(call, timeout_ms);

	return self && kafka_job_try_start(&self->job, handle) ? self : NULL;
}

/* The error, which is the caller's to destroy now; the job is gone. */
static rd_kafka_error_t *
take_error(TransactionJob *self)
{
	rd_kafka_error_t *error = self->error;

	self->error = NULL;
	kafka_job_drop(&self->job);
	return error;
}

/* Lets go of a call that was left alone; its thread brings it to an end. */
static void
drop_call(KafkaProducer *producer)
{
	if (producer->call)
		kafka_job_drop(&producer->call->job);
	producer->call = NULL;
}

/* self: made or started by now, or NULL where it could not be. */
static void
remember_call(KafkaProducer *producer, TransactionJob *self)
{
	if (self == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a thread for a Kafka request: %m")));
	producer->call = self;
}

/*
 * Waits for the producer's call, which has a limit of its own; with a wait, for that too, and for
 * what it raises.  An interrupt or an error leaves the thread alone with it:
 * the producer is to be closed then, or the same call is to be waited for again.
 */
static rd_kafka_error_t *
await_call(KafkaProducer *producer, KafkaWait *wait)
{
	TransactionJob *self = producer->call;

	while (!kafka_job_is_done(&self->job))
	{
		kafka_job_nap(&self->job, KAFKA_SLICE_MS);
		if (kafka_job_is_done(&self->job))
			break;
		if (wait)
			kafka_wait_check(wait);
		else
		{
			kafka_handle_serve(producer->handle);
			CHECK_FOR_INTERRUPTS();
		}
	}
	producer->call = NULL;
	return take_error(self);
}

/*
 * A transaction that is left open would hold readers up until its time-out, so Kafka is told;
 * but nobody waits for that: the handle is destroyed when the helper thread is done.  The
 * next transaction's init_transactions cleans up where this fails.  Never throws: on the way
 * out of an error, or of the process.
 */
static void
abort_in_background(const KafkaProducer *producer)
{
	KafkaHandle *handle = producer->handle;
	TransactionJob *self;

	if (kafka_handle_is_down(handle) || rd_kafka_fatal_error(handle->rk, NULL, 0) ||
		kafka_error_is_fenced(producer->failed))
		return;
	self = start_call(handle, rd_kafka_abort_transaction, FINISH_MS);
	if (self)
		kafka_job_drop(&self->job);
}

void
kafka_transaction_detach(KafkaProducer *producer)
{
	drop_call(producer);
	if (producer->transaction == KAFKA_TRANSACTION_OPEN || producer->must_abort)
		abort_in_background(producer);
	if (producer->transaction == KAFKA_TRANSACTION_UNKNOWN)
		producer->handle->stats->counters[KAFKA_COUNT_TRANSACTIONS_UNKNOWN]++;
	else if (producer->transaction != KAFKA_TRANSACTION_NONE)
		producer->handle->stats->counters[KAFKA_COUNT_TRANSACTIONS_ABORTED]++;
	if (producer->slot == NULL)
		return;
	producer->slot->in_use = false;
	producer->slot->unclean = producer->transaction != KAFKA_TRANSACTION_NONE ||
		producer->suspect;
	producer->slot = NULL;
}

/* ------------------------------------------------------------------------
 * Begin
 * ------------------------------------------------------------------------
 */
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
	producer->handle->refused_text[0] = '\0';
	producer->troubles = kafka_core_troubles(producer->handle->core);
}

/* ------------------------------------------------------------------------
 * Commit
 * ------------------------------------------------------------------------
 */
/*
 * Destroys the error.  Under an id of the caller's own there is no commit of PostgreSQL's to
 * speak of.
 */
static KAFKA_NORETURN void
throw_outcome_unknown(const KafkaProducer *producer, rd_kafka_error_t *error)
{
	bool		fenced = kafka_error_is_fenced(rd_kafka_error_code(error));
	char		text[KAFKA_TEXT_SIZE];

	strlcpy(text, rd_kafka_error_string(error), sizeof(text));
	rd_kafka_error_destroy(error);
	ereport(ERROR,
			(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
			 fenced ? errmsg("outcome of the Kafka transaction is unknown: its producer was "
							 "fenced") :
			 errmsg("outcome of the Kafka transaction is unknown"),
			 errdetail("librdkafka says: %s", text),
			 errhint("%s%s%s",
					 producer->slot ? "PostgreSQL rolls back; the" : "The",
					 " messages may have become visible in Kafka.",
					 fenced ? "  " KAFKA_FENCED_HINT : "")));
}

/*
 * If a connection broke or an answer was late, librdkafka has tried again, and a copy of the
 * request may still be on its way: it would commit what is under way when it arrives.  So such a
 * handle is not used again, and a new one's init_transactions makes copies void.
 */
static void
note_commit(KafkaProducer *producer)
{
	producer->suspect = kafka_elapsed_ms(producer->commit_begun) > SLOW_COMMIT_MS ||
		kafka_core_troubles(producer->handle->core) != producer->troubles;
	producer->transaction = KAFKA_TRANSACTION_NONE;
	producer->handle->stats->counters[KAFKA_COUNT_TRANSACTIONS_COMMITTED]++;
	if (producer->slot)
		INSTR_TIME_SET_CURRENT(producer->slot->committed);
}

/*
 * Of a commit that librdkafka wants aborted.  True if it never asked the broker to commit (a
 * message was not delivered): then it is open still.  Otherwise the broker's answer does not
 * prove that an earlier copy of the request was not obeyed.
 */
static bool
note_refusal(KafkaProducer *producer, const rd_kafka_error_t *error)
{
	rd_kafka_resp_err_t err = rd_kafka_error_code(error);

	if (!rd_kafka_error_txn_requires_abort(error))
		return false;
	producer->must_abort = true;
	if (err != RD_KAFKA_RESP_ERR__INCONSISTENT && err != RD_KAFKA_RESP_ERR__STATE &&
		!producer->failed)
		return false;
	producer->transaction = KAFKA_TRANSACTION_OPEN;
	return true;
}

void
kafka_transaction_commit_start(KafkaProducer *producer)
{
	INSTR_TIME_SET_CURRENT(producer->commit_begun);
	kafka_handle_forget_errors(producer->handle);
	remember_call(producer, start_call(producer->handle, rd_kafka_commit_transaction,
									   kafka_setting_commit_timeout));
	producer->transaction = KAFKA_TRANSACTION_UNKNOWN;
}

void
kafka_transaction_commit(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not commit the Kafka transaction"};
	rd_kafka_error_t *error;

	if (producer->call == NULL)
		kafka_transaction_commit_start(producer);
	error = await_call(producer, NULL);
	if (error == NULL)
	{
		note_commit(producer);
		return;
	}
	if (note_refusal(producer, error))
		throw_transaction_error(producer, error, &place);
	throw_outcome_unknown(producer, error);
}

bool
kafka_transaction_is_suspect(const KafkaProducer *producer)
{
	return producer->suspect;
}

/* Of a call that is done; in why what went wrong. */
static bool
settle_quietly(KafkaProducer *producer, rd_kafka_error_t *error, char *why, size_t why_size)
{
	if (error == NULL)
	{
		note_commit(producer);
		return true;
	}
	(void) note_refusal(producer, error);
	strlcpy(why, rd_kafka_error_is_retriable(error) ? "no answer in time" :
			rd_kafka_error_string(error), why_size);
	rd_kafka_error_destroy(error);
	return false;
}

bool
kafka_transaction_commit_quietly(KafkaProducer *producer, int limit_ms, char *why,
								 size_t why_size)
{
	TransactionJob *self;

	producer->transaction = KAFKA_TRANSACTION_UNKNOWN;
	INSTR_TIME_SET_CURRENT(producer->commit_begun);
	/* left alone it goes on: PostgreSQL has committed, so Kafka should */
	self = start_call(producer->handle, rd_kafka_commit_transaction, limit_ms + FINISH_MS);
	if (self == NULL)			/* no thread: then without a look at interrupts */
		return settle_quietly(producer,
							  rd_kafka_commit_transaction(producer->handle->rk, limit_ms),
							  why, why_size);
	while (!kafka_job_is_done(&self->job) && !QueryCancelPending && !ProcDiePending &&
		   kafka_elapsed_ms(producer->commit_begun) < limit_ms)
		kafka_job_nap(&self->job, Min(KAFKA_SLICE_MS, limit_ms));
	if (kafka_job_is_done(&self->job))
		return settle_quietly(producer, take_error(self), why, why_size);
	strlcpy(why, QueryCancelPending || ProcDiePending ? "the wait was cancelled" :
			"no answer in time", why_size);
	kafka_job_drop(&self->job);
	return false;
}

/* ------------------------------------------------------------------------
 * Abort, offsets, and how the transaction is
 * ------------------------------------------------------------------------
 */
/*
 * Of an abort that the broker refuses: the cluster denied the transaction's first partition or
 * group, so the broker never heard of it.  The handle goes, because a message has failed.
 */
static bool
was_never_open(const KafkaProducer *producer, const rd_kafka_error_t *error)
{
	return rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE &&
		producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR &&
		kafka_error_sqlstate(producer->failed) == ERRCODE_INSUFFICIENT_PRIVILEGE;
}

void
kafka_transaction_abort(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not abort the Kafka transaction"};
	KafkaWait	wait;
	rd_kafka_error_t *error;

	kafka_wait_start(&wait, producer->handle, &place, INT_MAX, "kafka_fdw.commit_timeout");
	if (producer->call && producer->call->call != rd_kafka_abort_transaction)
		drop_call(producer);
	if (producer->call == NULL)
		remember_call(producer, start_call(producer->handle, rd_kafka_abort_transaction,
										   kafka_setting_commit_timeout));
	producer->transaction = KAFKA_TRANSACTION_UNCLEAN;
	error = await_call(producer, &wait);
	if (error && was_never_open(producer, error))
		rd_kafka_error_destroy(error);
	else if (error)
	{
		producer->failed = RD_KAFKA_RESP_ERR_NO_ERROR;	/* purged, or why it is aborted */
		throw_transaction_error(producer, error, &place);
	}
}

void
kafka_transaction_settle(KafkaProducer *producer)
{
	producer->transaction = KAFKA_TRANSACTION_UNCLEAN;
	init_transactions(producer);
}

static bool
any_unclean(const TransactionIds *ids)
{
	for (int i = 0; i < KAFKA_TRANSACTIONAL_IDS; i++)
		if (ids->slots[i].unclean && !ids->slots[i].in_use)
			return true;
	return false;
}

/* Closes the producer. */
static void
settle_and_close(KafkaProducer *producer)
{
	PG_TRY();
	{
		if (!producer->handle->transactions_ready)
			kafka_transaction_settle(producer);
	}
	PG_CATCH();
	{
		kafka_producer_close(producer);
		PG_RE_THROW();
	}
	PG_END_TRY();
	producer->transaction = KAFKA_TRANSACTION_NONE;
	kafka_producer_close(producer);
}

void
kafka_transaction_settle_own(const KafkaOptions *opts)
{
	const TransactionIds *ids = find_ids(opts);

	while (any_unclean(ids))
		settle_and_close(kafka_transaction_open(opts)); /* which takes such an id */
}

rd_kafka_topic_partition_list_t *
kafka_transaction_offset_list(const KafkaGroupOffset *offsets, int n)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		rd_kafka_topic_partition_t *row =
			rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition);

		row->offset = offsets[i].offset;
		if (offsets[i].metadata == NULL)
			continue;
		row->metadata = strdup(offsets[i].metadata);	/* librdkafka frees it */
		row->metadata_size = row->metadata ? strlen(offsets[i].metadata) : 0;
	}
	return list;
}

static TransactionJob *
make_offsets_call(rd_kafka_consumer_group_metadata_t *group, const KafkaGroupOffset *offsets,
				  int n)
{
	TransactionJob *self = make_call(NULL, kafka_setting_commit_timeout);

	if (self == NULL)
	{
		rd_kafka_consumer_group_metadata_destroy(group);
		return NULL;
	}
	self->group = group;
	self->offsets = kafka_transaction_offset_list(offsets, n);
	return self;
}

static bool
has_moved_on(const rd_kafka_error_t *error)
{
	rd_kafka_resp_err_t err = rd_kafka_error_code(error);

	return kafka_error_is_put_out(err) || err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
}

static KAFKA_NORETURN void
throw_moved_on(rd_kafka_error_t *error, const char *group_id)
{
	char		text[KAFKA_TEXT_SIZE];

	strlcpy(text, rd_kafka_error_string(error), sizeof(text));
	rd_kafka_error_destroy(error);
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("consumer group \"%s\" has shared its partitions out anew since they were read",
					group_id),
			 errdetail("librdkafka says: %s", text),
			 errhint("Repeat the transaction.")));
}

/* member: `group` is that of a member, which may have been put out in the meantime. */
static void
send_offsets(KafkaProducer *producer, rd_kafka_consumer_group_metadata_t *group, bool member,
			 const char *group_id, const KafkaGroupOffset *offsets, int n)
{
	KafkaPlace	place = {.doing = "could not send offsets to the Kafka transaction",
	.group_id = group_id};
	KafkaWait	wait;
	TransactionJob *self;
	rd_kafka_error_t *error;

	/* librdkafka may forget its own limit (coordinator.c) */
	kafka_wait_start(&wait, producer->handle, &place,
					 kafka_setting_commit_timeout + KAFKA_REPLY_GRACE_MS,
					 "kafka_fdw.commit_timeout");
	self = make_offsets_call(group, offsets, n);
	remember_call(producer, self && kafka_job_try_start(&self->job, producer->handle) ?
				  self : NULL);
	producer->must_abort = true;	/* until it is known that they are there */
	error = await_call(producer, &wait);
	if (error && member && has_moved_on(error))
		throw_moved_on(error, group_id);
	if (error)
		throw_transaction_error(producer, error, &place);
	producer->must_abort = false;
}

void
kafka_transaction_send_offsets(KafkaProducer *producer, const char *group_id,
							   const KafkaGroupOffset *offsets, int n)
{
	kafka_coordinator_await(producer->handle, group_id);
	send_offsets(producer, rd_kafka_consumer_group_metadata_new(group_id), false, group_id,
				 offsets, n);
}

void
kafka_transaction_send_offsets_as(KafkaProducer *producer,
								  rd_kafka_consumer_group_metadata_t *group,
								  const char *group_id, const KafkaGroupOffset *offsets, int n)
{
	PG_TRY();
	{
		kafka_coordinator_await(producer->handle, group_id);
	}
	PG_CATCH();
	{
		rd_kafka_consumer_group_metadata_destroy(group);
		PG_RE_THROW();
	}
	PG_END_TRY();
	send_offsets(producer, group, true, group_id, offsets, n);
}

KafkaTransactionHealth
kafka_transaction_health(KafkaProducer *producer)
{
	rd_kafka_resp_err_t fatal;

	kafka_handle_serve(producer->handle);
	fatal = rd_kafka_fatal_error(producer->handle->rk, NULL, 0);
	if (kafka_error_is_fenced(fatal) || kafka_error_is_fenced(producer->failed))
		return KAFKA_TRANSACTION_FENCED;
	if (fatal)
		return KAFKA_TRANSACTION_LOST;
	if (producer->transaction == KAFKA_TRANSACTION_OPEN)
		return producer->failed || producer->must_abort ? KAFKA_TRANSACTION_FAILED :
			KAFKA_TRANSACTION_SOUND;
	return producer->call ? KAFKA_TRANSACTION_BUSY : KAFKA_TRANSACTION_LOST;
}

bool
kafka_transaction_has_result(const KafkaProducer *producer)
{
	return producer->call && kafka_job_is_done(&producer->call->job);
}

bool
kafka_transaction_take_result(KafkaProducer *producer, char *why, size_t why_size)
{
	bool		committing = producer->call->call == rd_kafka_commit_transaction;
	rd_kafka_error_t *error = take_error(producer->call);

	producer->call = NULL;
	if (committing)
	{
		if (!settle_quietly(producer, error, why, why_size))
			return false;
		producer->suspect = true;	/* it took who knows how long */
		return true;
	}
	if (error == NULL)
		return true;
	strlcpy(why, rd_kafka_error_string(error), why_size);
	rd_kafka_error_destroy(error);
	return false;
}

void
kafka_transaction_forget_client(const char *id)
{
	kafka_handle_close_transactional(id);
}

/* ------------------------------------------------------------------------
 * Visibility
 * ------------------------------------------------------------------------
 */

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
