/*-------------------------------------------------------------------------
 *
 * producer.c
 *	  Sending messages and seeing that they arrived.
 *
 * Layer 1.  Every message has a delivery report; librdkafka calls on_report() for it in
 * the backend's own thread, inside rd_kafka_poll() and rd_kafka_flush() (handle.c sees to
 * that).  The callback only counts and remembers; kafka_producer_flush() raises what went wrong.
 *
 * Transactions.  init, commit and abort resume where they were, so they are called in
 * slices with interrupts looked at in between.  After anything but a clean commit the
 * handle is destroyed and the next transaction makes a new one: librdkafka does not have
 * KIP-890, so a late marker of the old transaction could otherwise hit the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <inttypes.h>
#include <unistd.h>

#include "access/xlog.h"
#include "client/error.h"
#include "client/producer.h"
#include "client/sent.h"
#include "client/topic.h"
#include "client/wait.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "postmaster/postmaster.h"
#include "utils/memutils.h"

/* Reports are looked at after so many messages, so that memory stays bounded. */
#define SERVE_EVERY 1000
/* Silence after which the cluster is asked whether the topics are still there. */
#define DOUBT_MS 2000
/* Longest time that a helper thread tries to abort a transaction. */
#define ABORT_MS 10000

struct KafkaTarget
{
	KafkaTarget *next;
	char	   *topic;
	int32		npartitions;
	KafkaPartitioner partitioner;
	rd_kafka_topic_t *rkt;
	uint32		turn;			/* round_robin */
	int64	   *confirmed;		/* last offset of each partition, KAFKA_UNKNOWN if none */
};

typedef enum TransactionState
{
	TRANSACTION_NONE,
	TRANSACTION_OPEN,
	TRANSACTION_UNCLEAN
} TransactionState;

struct KafkaProducer
{
	const KafkaOptions *opts;	/* the caller's */
	KafkaHandle *handle;
	KafkaTarget *targets;
	int64		outstanding;	/* messages without a report */
	int			unserved;		/* messages since reports were last looked at */
	TransactionState transaction;
	KafkaReceipt receipt;

	/* the first message that failed */
	rd_kafka_resp_err_t failed;
	const KafkaTarget *failed_target;
	int32		failed_partition;
	char		failed_text[KAFKA_TEXT_SIZE];

	MemoryContext context;
	MemoryContextCallback callback;
};

/* ------------------------------------------------------------------------
 * Delivery reports: no PostgreSQL here
 * ------------------------------------------------------------------------
 */
static void
on_report(void *owner, const rd_kafka_message_t *rkm)
{
	KafkaProducer *producer = (KafkaProducer *) owner;
	KafkaTarget *target = (KafkaTarget *) rkm->_private;

	producer->outstanding--;
	if (rkm->err)
	{
		if (producer->failed == RD_KAFKA_RESP_ERR_NO_ERROR ||
			producer->failed == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
			producer->failed == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		{
			producer->failed = rkm->err;
			producer->failed_target = target;
			producer->failed_partition = rkm->partition;
			/* not rd_kafka_message_errstr(): for a message with a value it returns that */
			strlcpy(producer->failed_text, rd_kafka_err2str(rkm->err), KAFKA_TEXT_SIZE);
		}
		return;
	}
	kafka_handle_succeeded(producer->handle);
	producer->receipt.partition = rkm->partition;
	producer->receipt.offset = rkm->offset;
	producer->receipt.timestamp = rd_kafka_message_timestamp(rkm, NULL);
	if (rkm->partition >= 0 && rkm->partition < target->npartitions &&
		rkm->offset > target->confirmed[rkm->partition])
		target->confirmed[rkm->partition] = rkm->offset;
}

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */
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

static void
detach(void *arg)
{
	KafkaProducer *producer = (KafkaProducer *) arg;

	if (producer->transaction == TRANSACTION_OPEN)
		abort_in_background(producer->handle);
	for (KafkaTarget *target = producer->targets; target; target = target->next)
		rd_kafka_topic_destroy(target->rkt);
	producer->targets = NULL;
	producer->handle = NULL;
}

void
kafka_producer_close(KafkaProducer *producer)
{
	KafkaHandle *handle = producer->handle;

	if (handle == NULL)
		return;
	if (producer->outstanding > 0 || producer->transaction != TRANSACTION_NONE ||
		producer->failed || rd_kafka_fatal_error(handle->rk, NULL, 0))
	{
		kafka_handle_discard(handle);	/* calls detach */
		return;
	}
	detach(producer);
	kafka_handle_release(handle);
}

static void
close_callback(void *arg)
{
	kafka_producer_close((KafkaProducer *) arg);
}

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
kafka_transactional_id(const KafkaOptions *opts)
{
	return psprintf("kafka_fdw.%016" PRIx64 ".%u.%u.%u.%d", instance_hash(),
					MyDatabaseId, opts->serverid, opts->userid, KAFKA_BACKEND_SLOT);
}

/*
 * A handle from the cache can have broken while it was idle; after a fatal error
 * rd_kafka_begin_transaction() might never return.
 */
static KafkaHandle *
acquire_sound(const KafkaOptions *opts, bool transactional)
{
	const char *id = transactional ? kafka_transactional_id(opts) : NULL;

	for (;;)
	{
		KafkaHandle *handle = kafka_handle_acquire(opts,
												   transactional ? KAFKA_ROLE_TRANSACTIONAL :
												   KAFKA_ROLE_PRODUCER, id);

		kafka_handle_serve(handle);
		if (!rd_kafka_fatal_error(handle->rk, NULL, 0))
			return handle;
		kafka_handle_discard(handle);
	}
}

KafkaProducer *
kafka_producer_open(const KafkaOptions *opts, bool transactional)
{
	KafkaProducer *producer = palloc0(sizeof(KafkaProducer));

	producer->opts = opts;
	producer->context = CurrentMemoryContext;
	producer->handle = acquire_sound(opts, transactional);
	producer->handle->owner = producer;
	producer->handle->detach = detach;
	producer->handle->report = on_report;
	producer->callback.func = close_callback;
	producer->callback.arg = producer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &producer->callback);
	kafka_handle_forget_errors(producer->handle);
	return producer;
}

KafkaTarget *
kafka_producer_target(KafkaProducer *producer, const char *topic, int32 npartitions,
					  KafkaPartitioner partitioner)
{
	MemoryContext old = MemoryContextSwitchTo(producer->context);
	KafkaTarget *target = palloc0(sizeof(KafkaTarget));
	KafkaPlace	place = {.doing = "could not open the topic", .topic = topic};

	target->topic = pstrdup(topic);
	target->npartitions = npartitions;
	target->partitioner = partitioner;
	target->turn = pg_prng_uint32(&pg_global_prng_state);
	target->confirmed = palloc(sizeof(int64) * npartitions);
	for (int32 i = 0; i < npartitions; i++)
		target->confirmed[i] = KAFKA_UNKNOWN;
	target->rkt = rd_kafka_topic_new(producer->handle->rk, topic, NULL);
	if (target->rkt == NULL)
		kafka_error_throw(producer->handle, rd_kafka_last_error(), NULL, &place);
	/* in the list before anything can fail, so that it is destroyed */
	target->next = producer->targets;
	producer->targets = target;
	kafka_topic_introduce(producer->handle, topic);
	MemoryContextSwitchTo(old);
	return target;
}

/* ------------------------------------------------------------------------
 * Choosing the partition
 *
 * Hash functions are librdkafka's (they agree with Java's for murmur2).  Messages without
 * a key are left to librdkafka where the partitioner is random for them: it then keeps to
 * one partition per batch.
 * ------------------------------------------------------------------------
 */
typedef int32_t (*HashPartitioner) (const rd_kafka_topic_t *, const void *, size_t, int32_t,
									void *, void *);

static int32
random_partition(int32 n)
{
	return (int32) pg_prng_uint64_range(&pg_global_prng_state, 0, n - 1);
}

static int32
hash_partition(const KafkaTarget *target, const KafkaMessage *msg, HashPartitioner hash)
{
	return hash(NULL, msg->key.data ? msg->key.data : "", msg->key.len, target->npartitions,
				NULL, NULL);
}

static int32
choose_partition(KafkaTarget *target, const KafkaMessage *msg)
{
	bool		keyed = msg->key.data != NULL;

	if (msg->partition != KAFKA_PARTITION_ANY)
		return msg->partition;
	switch (target->partitioner)
	{
		case KAFKA_PARTITIONER_MURMUR2_RANDOM:
		case KAFKA_PARTITIONER_STICKY:
			break;				/* the handle's own partitioner */
		case KAFKA_PARTITIONER_MURMUR2:
			return hash_partition(target, msg, rd_kafka_msg_partitioner_murmur2);
		case KAFKA_PARTITIONER_CONSISTENT:
			return hash_partition(target, msg, rd_kafka_msg_partitioner_consistent);
		case KAFKA_PARTITIONER_CONSISTENT_RANDOM:
			if (msg->key.len > 0)
				return hash_partition(target, msg, rd_kafka_msg_partitioner_consistent);
			return random_partition(target->npartitions);
		case KAFKA_PARTITIONER_FNV1A:
			return hash_partition(target, msg, rd_kafka_msg_partitioner_fnv1a);
		case KAFKA_PARTITIONER_FNV1A_RANDOM:
			if (keyed)
				return hash_partition(target, msg, rd_kafka_msg_partitioner_fnv1a);
			break;
		case KAFKA_PARTITIONER_RANDOM:
			return random_partition(target->npartitions);
		case KAFKA_PARTITIONER_ROUND_ROBIN:
			return (int32) (target->turn++ % (uint32) target->npartitions);
	}
	return RD_KAFKA_PARTITION_UA;
}

/* ------------------------------------------------------------------------
 * Sending
 * ------------------------------------------------------------------------
 */
static rd_kafka_headers_t *
make_headers(const KafkaMessage *msg)
{
	rd_kafka_headers_t *headers;

	if (msg->nheaders == 0)
		return NULL;
	headers = rd_kafka_headers_new(msg->nheaders);
	for (int i = 0; i < msg->nheaders; i++)
		rd_kafka_header_add(headers, msg->headers[i].name, -1, msg->headers[i].value.data,
							(ssize_t) msg->headers[i].value.len);
	return headers;
}

static rd_kafka_resp_err_t
try_send(KafkaProducer *producer, KafkaTarget *target, const KafkaMessage *msg, int32 partition)
{
	rd_kafka_headers_t *headers = make_headers(msg);
	rd_kafka_resp_err_t err;

	err = rd_kafka_producev(producer->handle->rk,
							RD_KAFKA_V_RKT(target->rkt),
							RD_KAFKA_V_PARTITION(partition),
							RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							RD_KAFKA_V_KEY(msg->key.data, msg->key.len),
							RD_KAFKA_V_VALUE((void *) msg->value.data, msg->value.len),
							RD_KAFKA_V_TIMESTAMP(msg->timestamp < 0 ? 0 : msg->timestamp),
							RD_KAFKA_V_HEADERS(headers),
							RD_KAFKA_V_OPAQUE(target),
							RD_KAFKA_V_END);
	if (err && headers)
		rd_kafka_headers_destroy(headers);	/* ours again when it failed */
	return err;
}

/*
 * One slice of waiting for reports.  Progress starts the limit anew.
 */
static void
await_reports(KafkaProducer *producer, KafkaWait *wait, bool everything)
{
	int64		before = producer->outstanding;

	if (everything)
		rd_kafka_flush(producer->handle->rk, KAFKA_SLICE_MS);
	else
		rd_kafka_poll(producer->handle->rk, KAFKA_SLICE_MS);
	if (producer->outstanding != before)
		kafka_wait_progress(wait);
	kafka_wait_check(wait);
	if (kafka_handle_is_down(producer->handle) &&
		kafka_wait_elapsed(wait) > kafka_setting_connect_timeout)
		kafka_wait_timeout(wait);
}

/* Raises HV00R if a topic is gone: then what is under way would wait for it in vain. */
static void
check_topics(KafkaProducer *producer)
{
	for (KafkaTarget *target = producer->targets; target; target = target->next)
		(void) kafka_topic_partitions(producer->opts, target->topic, false, false);
}

static KAFKA_NORETURN void
throw_failed(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not deliver a message to Kafka",
		.topic = producer->failed_target->topic,
		.partition = producer->failed_partition,
	.has_partition = producer->failed_partition >= 0};
	rd_kafka_resp_err_t err = producer->failed;
	char		text[KAFKA_TEXT_SIZE];

	/* a fatal error explains messages that were purged because of it */
	if (rd_kafka_fatal_error(producer->handle->rk, text, sizeof(text)))
		err = rd_kafka_fatal_error(producer->handle->rk, text, sizeof(text));
	else
		strlcpy(text, producer->failed_text, sizeof(text));
	/* a broker that holds none of the topic's partitions any more is "destroyed" */
	if (kafka_error_is_unknown(err) || err == RD_KAFKA_RESP_ERR__DESTROY)
		check_topics(producer);
	if (err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && kafka_handle_is_down(producer->handle))
		err = RD_KAFKA_RESP_ERR__TRANSPORT;
	kafka_error_throw(producer->handle, err, text, &place);
}

/*
 * The cluster has the partition, this handle does not know it yet: the topic has grown, or
 * was made anew, since the handle last asked.
 */
static rd_kafka_resp_err_t
send_after_refresh(KafkaProducer *producer, KafkaTarget *target, const KafkaMessage *msg,
				   int32 partition)
{
	KafkaPlace	place = {"could not send a message to Kafka", target->topic, partition, true};
	rd_kafka_resp_err_t err;
	KafkaWait	wait;

	kafka_topic_refresh(producer->handle, target->topic);
	kafka_wait_start(&wait, producer->handle, &place, kafka_setting_connect_timeout,
					 "kafka_fdw.connect_timeout");
	while (kafka_error_is_unknown(err = try_send(producer, target, msg, partition)))
	{
		/* the answer reaches the topic a moment after the call has it */
		rd_kafka_poll(producer->handle->rk, 10);
		kafka_wait_check(&wait);
	}
	return err;
}

void
kafka_producer_send(KafkaProducer *producer, KafkaTarget *target, const KafkaMessage *msg)
{
	KafkaPlace	place = {"could not send a message to Kafka", target->topic, msg->partition,
	msg->partition != KAFKA_PARTITION_ANY};
	int32		partition = choose_partition(target, msg);
	rd_kafka_resp_err_t err;
	KafkaWait	wait;

	err = try_send(producer, target, msg, partition);
	if (kafka_error_is_unknown(err))
		err = send_after_refresh(producer, target, msg, partition);
	if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
	{
		kafka_wait_start(&wait, producer->handle, &place, kafka_setting_commit_timeout,
					 "kafka_fdw.commit_timeout");
		do
		{
			await_reports(producer, &wait, false);
			err = try_send(producer, target, msg, partition);
		} while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	}
	if (err)
		kafka_error_throw(producer->handle, err, NULL, &place);
	producer->outstanding++;
	if (++producer->unserved < SERVE_EVERY)
		return;
	producer->unserved = 0;
	kafka_handle_serve(producer->handle);
	CHECK_FOR_INTERRUPTS();
	if (producer->failed)
		throw_failed(producer);
}

void
kafka_producer_flush(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not deliver messages to Kafka"};
	KafkaWait	wait;
	bool		doubted = false;

	if (producer->targets)
		place.topic = producer->targets->topic;
	kafka_wait_start(&wait, producer->handle, &place, kafka_setting_commit_timeout,
					 "kafka_fdw.commit_timeout");
	while (producer->outstanding > 0)
	{
		await_reports(producer, &wait, true);
		if (kafka_wait_elapsed(&wait) > DOUBT_MS && !doubted)
		{
			doubted = true;
			check_topics(producer);
		}
	}
	producer->unserved = 0;
	if (producer->failed)
		throw_failed(producer);
}

const KafkaReceipt *
kafka_producer_receipt(const KafkaProducer *producer)
{
	return &producer->receipt;
}

void
kafka_producer_note_sent(KafkaProducer *producer)
{
	for (KafkaTarget *target = producer->targets; target; target = target->next)
		for (int32 i = 0; i < target->npartitions; i++)
			if (target->confirmed[i] != KAFKA_UNKNOWN)
				kafka_sent_note(producer->opts->serverid, target->topic, i, target->confirmed[i]);
}

/* ------------------------------------------------------------------------
 * Kafka's transaction
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
		throw_failed(producer);
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
kafka_producer_begin(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not begin a Kafka transaction"};
	rd_kafka_error_t *error;

	producer->transaction = TRANSACTION_UNCLEAN;
	if (!producer->handle->transactions_ready)
		init_transactions(producer);
	error = rd_kafka_begin_transaction(producer->handle->rk);
	if (error)
		throw_transaction_error(producer, error, &place);
	producer->transaction = TRANSACTION_OPEN;
}

static KAFKA_NORETURN void
throw_outcome_unknown(KafkaProducer *producer, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
			 errmsg("outcome of the Kafka transaction is unknown"),
			 errdetail("librdkafka says: %s", text),
			 errhint("PostgreSQL rolls back; the messages may have become visible in "
					 "Kafka.")));
}

void
kafka_producer_commit(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not commit the Kafka transaction"};
	KafkaWait	wait;
	rd_kafka_error_t *error;
	char		text[KAFKA_TEXT_SIZE];

	producer->transaction = TRANSACTION_UNCLEAN;
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
		if (rd_kafka_error_is_fatal(error) || !rd_kafka_error_is_retriable(error) ||
			kafka_wait_elapsed(&wait) > kafka_setting_commit_timeout)
		{
			rd_kafka_error_destroy(error);
			throw_outcome_unknown(producer, text);
		}
		rd_kafka_error_destroy(error);
		kafka_wait_check(&wait);
	}
	producer->transaction = TRANSACTION_NONE;
}
