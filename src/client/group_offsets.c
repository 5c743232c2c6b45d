/*-------------------------------------------------------------------------
 *
 * group_offsets.c
 *	  The offsets of consumer groups: reading, altering, deleting.
 *
 * Layer 1.  The offsets of many groups are asked at once, and of each group all of them.  So
 * an open transaction does not hold the answer back: brokers can be asked for offsets that no
 * transaction is about to change, but only for partitions that are named.
 *
 * They are read through a handle of their own, a consumer that has a group.id and never joins
 * the group.  When the answer says that the coordinator is elsewhere, librdkafka (2.0 to at
 * least 2.15) tells the handle's own group so, and where the handle has none that is a
 * null pointer, in a thread of librdkafka's: the server would go down with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/coordinator.h"
#include "client/error.h"
#include "client/group_offsets.h"
#include "client/producer_internal.h"
#include "client/request.h"
#include "ground/compat.h"
#include "ground/settings.h"

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
static int
compare_rows(const void *a, const void *b)
{
	const KafkaGroupOffset *left = &((const KafkaCommitted *) a)->at;
	const KafkaGroupOffset *right = &((const KafkaCommitted *) b)->at;
	int			order = strcmp(left->topic, right->topic);

	if (order != 0)
		return order;
	return (left->partition > right->partition) - (left->partition < right->partition);
}

static void
set_row_error(KafkaCommitted *row, rd_kafka_resp_err_t err)
{
	row->error = err ? pstrdup(rd_kafka_err2str(err)) : NULL;
	row->sqlstate = err ? kafka_error_sqlstate(err) : 0;
}

static void
take_rows(const rd_kafka_topic_partition_list_t *list, KafkaGroupOffsets *group)
{
	group->rows = palloc0(sizeof(KafkaCommitted) * Max(list->cnt, 1));
	group->nrows = list->cnt;
	for (int i = 0; i < list->cnt; i++)
	{
		const rd_kafka_topic_partition_t *elem = &list->elems[i];
		KafkaCommitted *row = &group->rows[i];

		row->at.topic = pstrdup(elem->topic);
		row->at.partition = elem->partition;
		row->at.offset = elem->offset >= 0 ? elem->offset : KAFKA_UNKNOWN;
		if (elem->metadata_size > 0)
			row->at.metadata = pnstrdup(elem->metadata, elem->metadata_size);
		set_row_error(row, elem->err);
	}
	qsort(group->rows, group->nrows, sizeof(KafkaCommitted), compare_rows);
}

/* The answer for one group; its error. */
static rd_kafka_resp_err_t
take_group(rd_kafka_event_t *event, KafkaGroupOffsets *group)
{
	rd_kafka_resp_err_t err = kafka_request_error(event);
	const char *text = kafka_request_error_text(event);
	size_t		n = 0;
	const rd_kafka_group_result_t **results = NULL;

	if (!err)
		results = rd_kafka_ListConsumerGroupOffsets_result_groups(
			rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
	if (n == 1 && rd_kafka_group_result_error(results[0]))
	{
		err = rd_kafka_error_code(rd_kafka_group_result_error(results[0]));
		text = rd_kafka_error_string(rd_kafka_group_result_error(results[0]));
	}
	group->rows = NULL;
	group->nrows = 0;
	group->error = err ? pstrdup(text) : NULL;
	group->sqlstate = err ? kafka_error_sqlstate(err) : 0;
	if (!err && n == 1 && rd_kafka_group_result_partitions(results[0]))
		take_rows(rd_kafka_group_result_partitions(results[0]), group);
	return err;
}

/* Which groups are asked in one go. */
typedef struct Round
{
	KafkaGroupOffsets *groups;	/* of all */
	bool	   *asked;			/* ask this one, or ask it again */
	int			n;
} Round;

static void
send_requests(const Round *round, KafkaRequests *requests)
{
	for (int i = 0, number = 0; i < round->n; i++)
	{
		rd_kafka_AdminOptions_t *options;
		rd_kafka_ListConsumerGroupOffsets_t *request;

		if (!round->asked[i])
			continue;
		options = kafka_requests_options(requests, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
										 number++);
		request = rd_kafka_ListConsumerGroupOffsets_new(round->groups[i].group_id, NULL);
		rd_kafka_ListConsumerGroupOffsets(requests->handle->rk, &request, 1, options,
										  requests->queue);
		rd_kafka_ListConsumerGroupOffsets_destroy(request);
		rd_kafka_AdminOptions_destroy(options);
	}
}

/* Takes the answers, and notes who is to be asked again; an error that says so, or none. */
static rd_kafka_resp_err_t
take_answers(Round *round, KafkaRequests *requests)
{
	rd_kafka_resp_err_t elsewhere = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int i = 0, number = 0; i < round->n; i++)
	{
		rd_kafka_resp_err_t err;

		if (!round->asked[i])
			continue;
		err = take_group(requests->events[number++], &round->groups[i]);
		round->asked[i] = kafka_coordinator_is_elsewhere(err);
		if (round->asked[i])
			elsewhere = err;
	}
	kafka_requests_end(requests);
	return elsewhere;
}

static rd_kafka_resp_err_t
ask_round(Round *round, const KafkaOptions *opts, KafkaWait *wait)
{
	KafkaRequests requests;
	int			asked = 0;

	for (int i = 0; i < round->n; i++)
		asked += round->asked[i] ? 1 : 0;
	wait->handle = kafka_handle_groups(opts);
	kafka_requests_begin(&requests, wait->handle, &wait->place, asked);
	send_requests(round, &requests);
	kafka_requests_await(&requests);
	return take_answers(round, &requests);
}

KafkaGroupOffsets *
kafka_group_offsets(const KafkaOptions *opts, char **group_ids, int n)
{
	KafkaPlace	place = {.doing = "could not read the offsets of the consumer group",
	.group_id = n == 1 ? group_ids[0] : NULL};
	Round		round = {.groups = palloc0(sizeof(KafkaGroupOffsets) * Max(n, 1)),
	.asked = palloc(sizeof(bool) * Max(n, 1)), .n = n};
	KafkaWait	wait;
	rd_kafka_resp_err_t err;

	for (int i = 0; i < n; i++)
	{
		round.groups[i].group_id = group_ids[i];
		round.asked[i] = true;
	}
	if (n == 0)
		return round.groups;
	kafka_coordinator_wait_start(&wait, kafka_handle_groups(opts), &place);
	do
		err = ask_round(&round, opts, &wait);
	while (err && kafka_coordinator_again(&wait, err));
	return round.groups;
}

/* ------------------------------------------------------------------------
 * Altering and deleting
 * ------------------------------------------------------------------------
 */
static rd_kafka_topic_partition_list_t *
make_list(const KafkaCommitted *rows, int n)
{
	KafkaGroupOffset *offsets = palloc(sizeof(KafkaGroupOffset) * n);

	for (int i = 0; i < n; i++)
		offsets[i] = rows[i].at;
	return kafka_transaction_offset_list(offsets, n);
}

/* The one group of an answer: its error, else each partition's in its row. */
static rd_kafka_resp_err_t
take_results(const rd_kafka_group_result_t **results, size_t count, KafkaCommitted *rows, int n)
{
	const rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t first = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (count != 1)
		return RD_KAFKA_RESP_ERR__FAIL;
	if (rd_kafka_group_result_error(results[0]))
		return rd_kafka_error_code(rd_kafka_group_result_error(results[0]));
	list = rd_kafka_group_result_partitions(results[0]);
	for (int i = 0; i < n; i++)
	{
		const rd_kafka_topic_partition_t *elem = list ?
			rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *) list,
											   rows[i].at.topic, rows[i].at.partition) : NULL;
		rd_kafka_resp_err_t err = elem ? elem->err : RD_KAFKA_RESP_ERR__FAIL;

		set_row_error(&rows[i], err);
		/* what a commit from outside of the group gets while it has members */
		if (err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
			rows[i].sqlstate = ERRCODE_OBJECT_IN_USE;
		first = first ? first : err;
	}
	/* another try may mend it only if none has been done */
	return kafka_coordinator_is_elsewhere(first) ? first : RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Asks for one of the changes; the answer comes on the queue. */
static void
send_alter(KafkaRequests *requests, const char *group_id, const KafkaCommitted *rows, int n)
{
	rd_kafka_AdminOptions_t *options =
		kafka_requests_options(requests, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, 0);
	rd_kafka_topic_partition_list_t *list = make_list(rows, n);
	rd_kafka_AlterConsumerGroupOffsets_t *alter =
		rd_kafka_AlterConsumerGroupOffsets_new(group_id, list);

	rd_kafka_AlterConsumerGroupOffsets(requests->handle->rk, &alter, 1, options,
									   requests->queue);
	rd_kafka_AlterConsumerGroupOffsets_destroy(alter);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_AdminOptions_destroy(options);
}

static void
send_deletion(KafkaRequests *requests, const char *group_id, const KafkaCommitted *rows, int n)
{
	rd_kafka_AdminOptions_t *options =
		kafka_requests_options(requests, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, 0);
	rd_kafka_topic_partition_list_t *list = make_list(rows, n);
	rd_kafka_DeleteConsumerGroupOffsets_t *deletion =
		rd_kafka_DeleteConsumerGroupOffsets_new(group_id, list);

	rd_kafka_DeleteConsumerGroupOffsets(requests->handle->rk, &deletion, 1, options,
										requests->queue);
	rd_kafka_DeleteConsumerGroupOffsets_destroy(deletion);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_AdminOptions_destroy(options);
}

/* The answer, into the rows; an error of it as a whole, with its text. */
static rd_kafka_resp_err_t
take_change(rd_kafka_event_t *event, KafkaCommitted *rows, int n, char *text, size_t size)
{
	rd_kafka_resp_err_t err = kafka_request_error(event);
	const rd_kafka_group_result_t **results;
	size_t		count;

	strlcpy(text, err ? kafka_request_error_text(event) : "", size);
	if (err)
		return err;
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ALTERCONSUMERGROUPOFFSETS_RESULT)
		results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
			rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
	else
		results = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
			rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &count);
	return take_results(results, count, rows, n);
}

typedef void (*SendChange) (KafkaRequests *requests, const char *group_id,
							const KafkaCommitted *rows, int n);

static void
change_offsets(const KafkaOptions *opts, SendChange send, const KafkaPlace *place,
			   KafkaCommitted *rows, int n)
{
	char		text[KAFKA_TEXT_SIZE];
	KafkaWait	wait;
	rd_kafka_resp_err_t err;

	kafka_coordinator_wait_start(&wait, kafka_handle_admin(opts), place);
	do
	{
		KafkaRequests requests;

		wait.handle = kafka_handle_admin(opts);
		kafka_requests_begin(&requests, wait.handle, place, 1);
		send(&requests, place->group_id, rows, n);
		kafka_requests_await(&requests);
		err = take_change(requests.events[0], rows, n, text, sizeof(text));
		kafka_requests_end(&requests);
	} while (err && kafka_coordinator_again(&wait, err));
	kafka_handle_serve(wait.handle);
	if (err)
		kafka_error_throw(wait.handle, err, text, place);
}

void
kafka_group_offsets_alter(const KafkaOptions *opts, const char *group_id, KafkaCommitted *rows,
						  int n)
{
	KafkaPlace	place = {.doing = "could not alter the offsets of the consumer group",
	.group_id = group_id};

	change_offsets(opts, send_alter, &place, rows, n);
}

void
kafka_group_offsets_delete(const KafkaOptions *opts, const char *group_id, KafkaCommitted *rows,
						   int n)
{
	KafkaPlace	place = {.doing = "could not delete the offsets of the consumer group",
	.group_id = group_id};

	change_offsets(opts, send_deletion, &place, rows, n);
}
