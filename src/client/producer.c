/*-------------------------------------------------------------------------
 *
 * producer.c
 *	  Sending messages and seeing that they arrived.
 *
 * Layer 1.  Every message has a delivery report; librdkafka calls on_report() for it in
 * the backend's own thread, inside rd_kafka_poll() and rd_kafka_flush() (handle.c sees to
 * that).  The callback only counts and remembers; kafka_producer_flush() raises what went wrong.
 *
 * A sender may ask for the fate of each message (KafkaDelivery); then a refusal is noted
 * there instead.  Kafka's transactions are in transaction.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/collector.h"
#include "client/error.h"
#include "client/partitioner.h"
#include "client/producer.h"
#include "client/producer_internal.h"
#include "client/sent.h"
#include "client/topic.h"
#include "client/wait.h"
#include "common/pg_prng.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "utils/memutils.h"

/* Reports are looked at after so many messages, so that memory stays bounded. */
#define SERVE_EVERY 1000
/* Silence after which the cluster is asked whether the topics are still there. */
#define DOUBT_MS 2000

/* Producers that somebody uses now. */
static dlist_head in_use = DLIST_STATIC_INIT(in_use);

/* ------------------------------------------------------------------------
 * Delivery reports: no PostgreSQL here
 * ------------------------------------------------------------------------
 */
static void
note_failure(KafkaProducer *producer, KafkaDelivery *delivery, const rd_kafka_message_t *rkm)
{
	producer->handle->stats->counters[KAFKA_COUNT_MESSAGES_FAILED]++;
	if (delivery->tracked)
	{
		/* not rd_kafka_message_errstr(): for a message with a value it returns that */
		delivery->error = rd_kafka_err2str(rkm->err);
		producer->refused = true;
		return;
	}
	if (producer->failed == RD_KAFKA_RESP_ERR_NO_ERROR ||
		producer->failed == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
		producer->failed == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
	{
		producer->failed = rkm->err;
		producer->failed_target = delivery->target;
		producer->failed_partition = rkm->partition;
		strlcpy(producer->failed_text, rd_kafka_err2str(rkm->err), KAFKA_TEXT_SIZE);
	}
}

static void
on_report(void *owner, const rd_kafka_message_t *rkm)
{
	KafkaProducer *producer = (KafkaProducer *) owner;
	KafkaDelivery *delivery = (KafkaDelivery *) rkm->_private;
	KafkaTarget *target = delivery->target;

	producer->outstanding--;
	if (rkm->err)
	{
		note_failure(producer, delivery, rkm);
		return;
	}
	kafka_handle_succeeded(producer->handle);
	producer->handle->stats->counters[KAFKA_COUNT_MESSAGES_CONFIRMED]++;
	producer->receipt.partition = rkm->partition;
	producer->receipt.offset = rkm->offset;
	producer->receipt.timestamp = rd_kafka_message_timestamp(rkm, NULL);
	if (delivery->tracked)
	{
		delivery->confirmed = true;
		delivery->receipt = producer->receipt;
	}
	if (rkm->partition >= 0 && rkm->partition < target->npartitions &&
		rkm->offset > target->confirmed[rkm->partition])
		target->confirmed[rkm->partition] = rkm->offset;
}

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */
static void
detach(void *arg)
{
	KafkaProducer *producer = (KafkaProducer *) arg;

	kafka_transaction_detach(producer);
	for (KafkaTarget *target = producer->targets; target; target = target->next)
		rd_kafka_topic_destroy(target->rkt);
	dlist_delete(&producer->node);
	producer->targets = NULL;
	producer->handle = NULL;
}

void
kafka_producer_close(KafkaProducer *producer)
{
	KafkaHandle *handle = producer->handle;

	if (handle == NULL)
		return;
	if (producer->outstanding > 0 || producer->transaction != KAFKA_TRANSACTION_NONE ||
		producer->failed || producer->refused || producer->suspect || rd_kafka_fatal_error(handle->rk, NULL, 0))
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

/*
 * A handle from the cache or new, without a fatal error: after one,
 * rd_kafka_begin_transaction() might never return.
 */
static KafkaHandle *
acquire_sound(const KafkaOptions *opts, KafkaRole role, const char *transactional_id)
{
	for (;;)
	{
		KafkaHandle *handle = kafka_handle_acquire(opts, role, transactional_id);

		rd_kafka_poll(handle->rk, 0);
		if (!rd_kafka_fatal_error(handle->rk, NULL, 0))
			return handle;
		kafka_handle_discard(handle);
	}
}

/* From the handle on nothing is raised before it has its owner, who gives it back. */
KafkaProducer *
kafka_producer_open_as(const KafkaOptions *opts, KafkaRole role, const char *transactional_id)
{
	KafkaProducer *producer = palloc0(sizeof(KafkaProducer));
	KafkaHandle *handle = acquire_sound(opts, role, transactional_id);

	producer->opts = opts;
	producer->context = CurrentMemoryContext;
	producer->handle = handle;
	handle->owner = producer;
	handle->detach = detach;
	handle->report = on_report;
	dlist_push_tail(&in_use, &producer->node);
	producer->callback.func = close_callback;
	producer->callback.arg = producer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &producer->callback);
	kafka_handle_forget_errors(handle);
	return producer;
}

KafkaProducer *
kafka_producer_open(const KafkaOptions *opts)
{
	return kafka_producer_open_as(opts, KAFKA_ROLE_PRODUCER, NULL);
}

static KafkaTarget *
find_target(const KafkaProducer *producer, const char *topic, KafkaPartitioner partitioner)
{
	KafkaTarget *target = producer->targets;

	while (target && (target->partitioner != partitioner || strcmp(target->topic, topic) != 0))
		target = target->next;
	return target;
}

KafkaTarget *
kafka_producer_target(KafkaProducer *producer, const char *topic, int32 npartitions,
					  KafkaPartitioner partitioner)
{
	KafkaTarget *target = find_target(producer, topic, partitioner);
	KafkaPlace	place = {.doing = "could not open the topic", .topic = topic};
	MemoryContext old;

	if (target && target->npartitions == npartitions)
		return target;
	old = MemoryContextSwitchTo(producer->context);
	target = palloc0(sizeof(KafkaTarget));
	target->untracked.target = target;
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

/* What a message has beyond key and value takes librdkafka's slower call. */
static rd_kafka_resp_err_t
send_fully(KafkaProducer *producer, const KafkaMessage *msg, int32 partition,
		   KafkaDelivery *delivery)
{
	rd_kafka_headers_t *headers = make_headers(msg);
	rd_kafka_resp_err_t err;

	err = rd_kafka_producev(producer->handle->rk,
							RD_KAFKA_V_RKT(delivery->target->rkt),
							RD_KAFKA_V_PARTITION(partition),
							RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							RD_KAFKA_V_KEY(msg->key.data, msg->key.len),
							RD_KAFKA_V_VALUE((void *) msg->value.data, msg->value.len),
							RD_KAFKA_V_TIMESTAMP(msg->timestamp < 0 ? 0 : msg->timestamp),
							RD_KAFKA_V_HEADERS(headers),
							RD_KAFKA_V_OPAQUE(delivery),
							RD_KAFKA_V_END);
	if (err && headers)
		rd_kafka_headers_destroy(headers);	/* ours again when it failed */
	return err;
}

static rd_kafka_resp_err_t
hand_over(KafkaProducer *producer, const KafkaMessage *msg, int32 partition,
		  KafkaDelivery *delivery)
{
	if (msg->nheaders > 0 || msg->timestamp > 0)
		return send_fully(producer, msg, partition, delivery);
	if (rd_kafka_produce(delivery->target->rkt, partition, RD_KAFKA_MSG_F_COPY,
						 (void *) msg->value.data, msg->value.len, msg->key.data, msg->key.len,
						 delivery) == 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	return rd_kafka_last_error();
}

static rd_kafka_resp_err_t
try_send(KafkaProducer *producer, const KafkaMessage *msg, int32 partition,
		 KafkaDelivery *delivery)
{
	KafkaHandleCore *core = producer->handle->core;
	rd_kafka_resp_err_t err;

	if (core->collector == NULL)
		return hand_over(producer, msg, partition, delivery);
	kafka_collector_pause(core);
	err = hand_over(producer, msg, partition, delivery);
	kafka_collector_resume(core, err == RD_KAFKA_RESP_ERR_NO_ERROR);
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

/*
 * A transaction that does not get all of its partitions drops its messages, those for other
 * topics too; the reason is in the log.
 */
static rd_kafka_resp_err_t
explain_purge(KafkaProducer *producer, char *topic, KafkaPlace *place, char *text)
{
	rd_kafka_resp_err_t err;

	kafka_handle_serve(producer->handle);
	err = kafka_error_of_refusal(producer->handle, topic);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return producer->failed;
	producer->failed = err;
	place->topic = topic;
	place->has_partition = false;
	strlcpy(text, producer->handle->refused_text, KAFKA_TEXT_SIZE);
	return err;
}

void
kafka_producer_throw_failed(KafkaProducer *producer)
{
	KafkaPlace	place = {.doing = "could not deliver a message to Kafka",
		.topic = producer->failed_target->topic,
		.partition = producer->failed_partition,
	.has_partition = producer->failed_partition >= 0};
	rd_kafka_resp_err_t err = producer->failed;
	char		text[KAFKA_TEXT_SIZE];
	char		topic[KAFKA_TOPIC_SIZE];

	/* a fatal error explains messages that were purged because of it */
	if (rd_kafka_fatal_error(producer->handle->rk, text, sizeof(text)))
		err = rd_kafka_fatal_error(producer->handle->rk, text, sizeof(text));
	else
		strlcpy(text, producer->failed_text, sizeof(text));
	if (err == RD_KAFKA_RESP_ERR__PURGE_QUEUE)
		err = explain_purge(producer, topic, &place, text);
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
send_after_refresh(KafkaProducer *producer, const KafkaMessage *msg, int32 partition,
				   KafkaDelivery *delivery)
{
	KafkaTarget *target = delivery->target;
	KafkaPlace	place = {.doing = "could not send a message to Kafka", .topic = target->topic,
	.partition = partition, .has_partition = true};
	rd_kafka_resp_err_t err;
	KafkaWait	wait;

	kafka_topic_refresh(producer->handle, target->topic);
	kafka_wait_start(&wait, producer->handle, &place, kafka_setting_connect_timeout,
					 "kafka_fdw.connect_timeout");
	while (kafka_error_is_unknown(err = try_send(producer, msg, partition, delivery)))
	{
		/* the answer reaches the topic a moment after the call has it */
		rd_kafka_poll(producer->handle->rk, 10);
		kafka_wait_check(&wait);
	}
	return err;
}

/* librdkafka's queue is full: waits for room. */
static rd_kafka_resp_err_t
send_when_room(KafkaProducer *producer, const KafkaMessage *msg, int32 partition,
			   KafkaDelivery *delivery)
{
	KafkaPlace	place = {.doing = "could not send a message to Kafka",
	.topic = delivery->target->topic, .partition = partition,
	.has_partition = partition != KAFKA_PARTITION_ANY};
	rd_kafka_resp_err_t err;
	KafkaWait	wait;

	kafka_wait_start(&wait, producer->handle, &place, kafka_setting_commit_timeout,
					 "kafka_fdw.commit_timeout");
	do
	{
		await_reports(producer, &wait, false);
		err = try_send(producer, msg, partition, delivery);
	} while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	return err;
}

/* An earlier message's failure is the reason, where that has ended the transaction. */
static KAFKA_NORETURN void
throw_unsent(KafkaProducer *producer, const KafkaMessage *msg, const KafkaTarget *target,
			 rd_kafka_resp_err_t err)
{
	KafkaPlace	place = {.doing = "could not send a message to Kafka", .topic = target->topic,
	.partition = msg->partition, .has_partition = msg->partition != KAFKA_PARTITION_ANY};
	char		text[KAFKA_TEXT_SIZE] = "";
	char		topic[KAFKA_TOPIC_SIZE];
	rd_kafka_resp_err_t fatal;

	kafka_handle_serve(producer->handle);
	if (producer->failed)
		kafka_producer_throw_failed(producer);
	fatal = rd_kafka_fatal_error(producer->handle->rk, text, sizeof(text));
	if (err == RD_KAFKA_RESP_ERR__STATE)
	{
		producer->must_abort = true;
		/* the messages that were dropped for it have no report yet */
		if (!fatal && explain_purge(producer, topic, &place, text))
			err = producer->failed;
	}
	kafka_error_throw(producer->handle, fatal ? fatal : err, text, &place);
}

static void
send_message(KafkaProducer *producer, const KafkaMessage *msg, KafkaDelivery *delivery)
{
	KafkaTarget *target = delivery->target;
	int64	   *counters = producer->handle->stats->counters;
	int32		partition = msg->partition;
	rd_kafka_resp_err_t err;

	if (partition == KAFKA_PARTITION_ANY)
		partition = kafka_partitioner_choose(target->partitioner, &msg->key,
											 target->npartitions, &target->turn);
	err = try_send(producer, msg, partition, delivery);
	if (kafka_error_is_unknown(err))
		err = send_after_refresh(producer, msg, partition, delivery);
	if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		err = send_when_room(producer, msg, partition, delivery);
	if (err)
		throw_unsent(producer, msg, target, err);
	producer->outstanding++;
	counters[KAFKA_COUNT_MESSAGES_SENT]++;
	counters[KAFKA_COUNT_BYTES_SENT] += msg->key.len + msg->value.len;
	if (++producer->unserved < SERVE_EVERY)
		return;
	producer->unserved = 0;
	kafka_handle_serve(producer->handle);
	CHECK_FOR_INTERRUPTS();
	if (producer->failed)
		kafka_producer_throw_failed(producer);
}

void
kafka_producer_send(KafkaProducer *producer, KafkaTarget *target, const KafkaMessage *msg)
{
	send_message(producer, msg, &target->untracked);
}

void
kafka_producer_send_tracked(KafkaProducer *producer, KafkaTarget *target, const KafkaMessage *msg,
							KafkaDelivery *delivery)
{
	memset(delivery, 0, sizeof(*delivery));
	delivery->target = target;
	delivery->tracked = true;
	send_message(producer, msg, delivery);
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
		kafka_producer_throw_failed(producer);
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
 * All producers of the session
 * ------------------------------------------------------------------------
 */
int64
kafka_producers_flush(Oid serverid, Oid userid, int limit_ms)
{
	int64		left = 0;
	instr_time	begin;
	dlist_iter	iter;

	INSTR_TIME_SET_CURRENT(begin);
	dlist_foreach(iter, &in_use)
	{
		KafkaProducer *producer = dlist_container(KafkaProducer, node, iter.cur);

		if (producer->opts->serverid != serverid || producer->opts->userid != userid ||
			producer->transaction != KAFKA_TRANSACTION_NONE)
			continue;
		kafka_handle_serve(producer->handle);
		while (producer->outstanding > 0 && kafka_elapsed_ms(begin) < limit_ms)
		{
			rd_kafka_flush(producer->handle->rk,
						   Min(KAFKA_SLICE_MS, limit_ms - kafka_elapsed_ms(begin)));
			kafka_handle_serve(producer->handle);
			CHECK_FOR_INTERRUPTS();
		}
		left += producer->outstanding;
	}
	return left;
}

int
kafka_producers_close_idle(Oid serverid, Oid userid)
{
	return kafka_handle_close_idle(serverid, userid, true);
}
