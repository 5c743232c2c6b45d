/*-------------------------------------------------------------------------
 *
 * admin.c
 *	  Making and deleting topics.
 *
 * Layer 1.  After an answer the metadata may still be old for some milliseconds, so both calls
 * wait until it shows what was done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/admin.h"
#include "client/error.h"
#include "client/handle_internal.h"
#include "client/request.h"
#include "client/sent.h"
#include "client/topic.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"

void
kafka_admin_await_partitions(const KafkaOptions *opts, const char *topic, int partitions,
							 int timeout_ms)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not see the topic's change in the cluster's metadata",
	.topic = topic};
	KafkaWait	wait;

	kafka_wait_start(&wait, handle, &place, timeout_ms, KAFKA_REQUEST_LIMIT);
	for (;;)
	{
		int32		found = kafka_topic_partitions(opts, topic, true, false);

		wait.handle = kafka_handle_admin(opts); /* an invalidation may have replaced it */
		if (partitions < 0 ? found < 0 : found > 0 && found >= partitions)
			return;
		kafka_wait_pause(&wait, 10);
	}
}

/* ------------------------------------------------------------------------
 * Creating
 * ------------------------------------------------------------------------
 */
static rd_kafka_NewTopic_t *
make_new_topic(const KafkaNewTopic *topic)
{
	KafkaPlace	place = {.doing = "could not create the topic", .topic = topic->name};
	rd_kafka_NewTopic_t *result;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
	char		text[KAFKA_TEXT_SIZE];
	ListCell   *lc;

	result = rd_kafka_NewTopic_new(topic->name, topic->partitions,
								   topic->replica_assignment ? -1 : topic->replication_factor,
								   text, sizeof(text));
	if (result == NULL)
		kafka_error_throw(NULL, RD_KAFKA_RESP_ERR__INVALID_ARG, text, &place);
	foreach(lc, topic->config)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);

		rd_kafka_NewTopic_set_config(result, property->name, property->value);
	}
	for (int i = 0; !err && topic->replica_assignment && i < topic->partitions; i++)
	{
		int			n = list_length(topic->replica_assignment[i]);
		int32_t    *brokers = palloc(sizeof(int32_t) * Max(n, 1));

		for (int j = 0; j < n; j++)
			brokers[j] = list_nth_int(topic->replica_assignment[i], j);
		err = rd_kafka_NewTopic_set_replica_assignment(result, i, brokers, n, text,
													   sizeof(text));
	}
	if (err)
	{
		rd_kafka_NewTopic_destroy(result);
		kafka_error_throw(NULL, err, text, &place);
	}
	return result;
}

/* The answer for the one topic; frees the event. */
static rd_kafka_resp_err_t
take_create_result(rd_kafka_event_t *event, char *text, size_t size)
{
	size_t		count;
	const rd_kafka_topic_result_t **results =
		rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__FAIL;

	text[0] = '\0';
	if (count == 1)
	{
		err = rd_kafka_topic_result_error(results[0]);
		if (err)
			strlcpy(text, rd_kafka_topic_result_error_string(results[0]), size);
	}
	rd_kafka_event_destroy(event);
	return err;
}

bool
kafka_admin_create_topic(const KafkaOptions *opts, const KafkaNewTopic *topic,
						 bool if_not_exists, int timeout_ms)
{
	KafkaPlace	place = {.doing = "could not create the topic", .topic = topic->name};
	rd_kafka_NewTopic_t *new_topic;
	KafkaRequest request;
	rd_kafka_resp_err_t err;
	char		text[KAFKA_TEXT_SIZE];

	kafka_topic_check_name(topic->name);
	new_topic = make_new_topic(topic);
	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_CREATETOPICS, &place, timeout_ms);
	if (topic->validate_only)
		rd_kafka_AdminOptions_set_validate_only(request.options, 1, text, sizeof(text));
	rd_kafka_CreateTopics(request.handle->rk, &new_topic, 1, request.options, request.queue);
	rd_kafka_NewTopic_destroy(new_topic);
	err = take_create_result(kafka_request_await(&request), text, sizeof(text));
	if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS && if_not_exists)
		return false;
	if (err)
		kafka_error_throw(request.handle, err, text, &place);
	kafka_topic_forget();
	if (!topic->validate_only)
		kafka_admin_await_partitions(opts, topic->name, Max(topic->partitions, 0), timeout_ms);
	return true;
}

/* ------------------------------------------------------------------------
 * Deleting
 * ------------------------------------------------------------------------
 */
static rd_kafka_event_t *
request_delete(const KafkaOptions *opts, char **topics, int n)
{
	rd_kafka_DeleteTopic_t **deletions = palloc(sizeof(*deletions) * n);
	KafkaPlace	place = {.doing = "could not delete topics"};
	KafkaRequest request;

	if (n == 1)
		place.topic = topics[0];
	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_DELETETOPICS, &place,
						kafka_setting_connect_timeout);
	for (int i = 0; i < n; i++)
		deletions[i] = rd_kafka_DeleteTopic_new(topics[i]);
	rd_kafka_DeleteTopics(request.handle->rk, deletions, n, request.options, request.queue);
	rd_kafka_DeleteTopic_destroy_array(deletions, n);
	return kafka_request_await(&request);
}

void
kafka_admin_delete_unwatched(const KafkaOptions *opts, const char *topic)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	rd_kafka_DeleteTopic_t *request = rd_kafka_DeleteTopic_new(topic);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(handle->rk);

	rd_kafka_DeleteTopics(handle->rk, &request, 1, NULL, queue);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteTopic_destroy(request);
}

void
kafka_admin_delete_topics(const KafkaOptions *opts, char **topics, int n, char **errors,
						  int *sqlstates)
{
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	size_t		count;

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		kafka_topic_check_name(topics[i]);
	event = request_delete(opts, topics, n);
	for (int i = 0; i < n; i++)
	{
		errors[i] = pstrdup("the cluster gave no answer");
		sqlstates[i] = ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION;
	}
	results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
												  &count);
	for (size_t r = 0; r < count; r++)
		for (int i = 0; i < n; i++)
		{
			rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[r]);

			if (strcmp(topics[i], rd_kafka_topic_result_name(results[r])) != 0)
				continue;
			errors[i] = err ? pstrdup(rd_kafka_err2str(err)) : NULL;
			sqlstates[i] = kafka_error_sqlstate(err);
		}
	rd_kafka_event_destroy(event);
	kafka_topic_forget();
	for (int i = 0; i < n; i++)
	{
		if (errors[i])
			continue;
		kafka_sent_forget_topic(opts->serverid, topics[i]);
		kafka_admin_await_partitions(opts, topics[i], -1, kafka_setting_connect_timeout);
	}
}
