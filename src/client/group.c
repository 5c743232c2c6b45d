/*-------------------------------------------------------------------------
 *
 * group.c
 *	  Consumer groups.
 *
 * Layer 1.  The broker that keeps a group's offsets is its coordinator.  A cluster that has
 * just begun to have groups has none for a moment.  librdkafka, when it is told so while it
 * sends offsets to a transaction, asks again only when some connection changes its state:
 * ten minutes later, whatever time limit it was given.  So the coordinator is awaited before,
 * by a request of little cost that is simply made again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/group.h"
#include "client/request.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"

/* One try: librdkafka asks again within it, or not at all. */
#define TRY_MS 1000

/* Asks for the group's offset of the partition; the answer comes on the queue. */
static void
ask(KafkaHandle *handle, const char *group_id, const char *topic, int32 partition,
	rd_kafka_queue_t *queue)
{
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(handle->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_ListConsumerGroupOffsets_t *request;
	char		text[KAFKA_TEXT_SIZE];

	rd_kafka_topic_partition_list_add(list, topic, partition);
	request = rd_kafka_ListConsumerGroupOffsets_new(group_id, list);
	rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_COORDINATOR_LIMIT_MS, text,
											  sizeof(text));
	handle->stats->counters[KAFKA_COUNT_REQUESTS]++;
	rd_kafka_ListConsumerGroupOffsets(handle->rk, &request, 1, options, queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_AdminOptions_destroy(options);
}

/* The request's error, else the group's. */
static rd_kafka_resp_err_t
answer_error(rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const rd_kafka_ListConsumerGroupOffsets_result_t *result;
	const rd_kafka_group_result_t **groups;
	size_t		n;

	if (err)
		return err;
	result = rd_kafka_event_ListConsumerGroupOffsets_result(event);
	groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &n);
	if (n == 1 && rd_kafka_group_result_error(groups[0]))
		err = rd_kafka_error_code(rd_kafka_group_result_error(groups[0]));
	return err;
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
kafka_group_await_coordinator(KafkaHandle *handle, const char *group_id, const char *topic,
							  int32 partition)
{
	KafkaPlace	place = {.doing = "could not reach the coordinator of the consumer group",
	.group = group_id};
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
			ask(handle, group_id, topic, partition, queue);
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
