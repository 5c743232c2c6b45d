/*-------------------------------------------------------------------------
 *
 * coordinator.c
 *	  The broker that a consumer group belongs to.
 *
 * Layer 1.  A cluster that has just begun to have groups has no coordinators for a moment, and
 * they move when brokers go and come.  librdkafka copes with neither by itself:
 *
 * - When it is told so while it sends offsets to a transaction, it asks again only when some
 *	 connection changes its state: ten minutes later, whatever time limit it was given.  So
 *	 the coordinator is awaited before, by a request of little cost that is simply made again.
 * - Requests of administration go to the coordinator that the handle has met first, until
 *	 metadata.max.age.ms have passed.  So who is told that it is another one takes a new
 *	 handle.
 *
 * Asked is for the group's description.  The answer to a request for its offsets, where it is
 * such an error, makes librdkafka use a group of its own that the handle may not have, which
 * crashes the process: see group_offsets.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/coordinator.h"
#include "client/error.h"
#include "client/request.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"

/* One try: librdkafka asks again within it, or not at all. */
#define TRY_MS 1000

/* Asks for the group's description; the answer comes on the queue. */
static void
ask(KafkaHandle *handle, const char *group_id, rd_kafka_queue_t *queue)
{
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(handle->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
	char		text[KAFKA_TEXT_SIZE];

	rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_COORDINATOR_LIMIT_MS, text,
											  sizeof(text));
	handle->stats->counters[KAFKA_COUNT_REQUESTS]++;
	rd_kafka_DescribeConsumerGroups(handle->rk, &group_id, 1, options, queue);
	rd_kafka_AdminOptions_destroy(options);
}

/* The request's error, else the group's.  That it is no group of consumers yet is none. */
static rd_kafka_resp_err_t
answer_error(rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const rd_kafka_ConsumerGroupDescription_t **groups;
	size_t		n;

	if (err)
		return err;
	groups = rd_kafka_DescribeConsumerGroups_result_groups(
		rd_kafka_event_DescribeConsumerGroups_result(event), &n);
	if (n == 1 && rd_kafka_ConsumerGroupDescription_error(groups[0]))
		err = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(groups[0]));
	return err == RD_KAFKA_RESP_ERR__INVALID_ARG || err == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND ?
		RD_KAFKA_RESP_ERR_NO_ERROR : err;
}

/* The answer to one try, or to an earlier one; none in time is a time-out. */
static rd_kafka_resp_err_t
await_answer(rd_kafka_queue_t *queue, KafkaWait *wait)
{
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t err;
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	while ((event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS)) == NULL)
	{
		kafka_wait_check(wait);
		if (kafka_elapsed_ms(begin) > TRY_MS)
			return RD_KAFKA_RESP_ERR__TIMED_OUT;
	}
	err = answer_error(event);
	rd_kafka_event_destroy(event);
	return err;
}

void
kafka_coordinator_await(KafkaHandle *handle, const char *group_id)
{
	KafkaPlace	place = {.doing = "could not reach the coordinator of the consumer group",
	.group_id = group_id};
	rd_kafka_queue_t *queue = rd_kafka_queue_new(handle->rk);
	volatile int tries = 0;
	volatile int answers = 0;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
	KafkaWait	wait;

	kafka_wait_start(&wait, handle, &place, kafka_setting_connect_timeout,
					 "kafka_fdw.connect_timeout");
	PG_TRY();
	{
		for (;;)
		{
			ask(handle, group_id, queue);
			tries++;
			err = await_answer(queue, &wait);
			if (err != RD_KAFKA_RESP_ERR__TIMED_OUT)
				answers++;
			if (!kafka_error_is_transient(err))
				break;
			kafka_topic_pause(&wait);
		}
	}
	PG_FINALLY();
	{
		rd_kafka_queue_destroy(queue);
		if (answers < tries)
			handle->stale = true;	/* request.h says why */
	}
	PG_END_TRY();
	if (err)
		kafka_error_throw(handle, err, NULL, &place);
}

/* ------------------------------------------------------------------------
 * Tries
 * ------------------------------------------------------------------------
 */
void
kafka_coordinator_wait_start(KafkaWait *wait, KafkaHandle *handle, const KafkaPlace *place)
{
	/* each try has the limit, and whoever tries looks at the sum */
	kafka_wait_start(wait, handle, place, INT_MAX, "kafka_fdw.connect_timeout");
}

bool
kafka_coordinator_is_elsewhere(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
		err == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
		err == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
}

bool
kafka_coordinator_again(KafkaWait *wait, rd_kafka_resp_err_t err)
{
	if (!kafka_coordinator_is_elsewhere(err) ||
		kafka_wait_elapsed(wait) >= kafka_setting_connect_timeout)
		return false;
	if (err != RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
		wait->handle->stale = true;
	kafka_topic_pause(wait);
	return true;
}
