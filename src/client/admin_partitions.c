/*-------------------------------------------------------------------------
 *
 * admin_partitions.c
 *	  More partitions for a topic, fewer records in them, offsets with timestamps.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/admin.h"
#include "client/admin_partitions.h"
#include "client/error.h"
#include "client/request.h"
#include "client/topic.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/settings.h"

/* ------------------------------------------------------------------------
 * More partitions
 * ------------------------------------------------------------------------
 */
static rd_kafka_NewPartitions_t *
make_new_partitions(const KafkaNewPartitions *partitions, const KafkaPlace *place)
{
	rd_kafka_NewPartitions_t *result;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
	char		text[KAFKA_TEXT_SIZE];

	result = rd_kafka_NewPartitions_new(partitions->topic, partitions->total, text, sizeof(text));
	if (result == NULL)
		kafka_error_throw(NULL, RD_KAFKA_RESP_ERR__INVALID_ARG, text, place);
	for (int i = 0; !err && partitions->replica_assignment &&
		 i < partitions->total - partitions->current; i++)
	{
		List	   *ids = partitions->replica_assignment[i];
		int			n = list_length(ids);
		int32_t    *brokers = palloc(sizeof(int32_t) * Max(n, 1));

		for (int j = 0; j < n; j++)
			brokers[j] = list_nth_int(ids, j);
		err = rd_kafka_NewPartitions_set_replica_assignment(result, i, brokers, n, text,
															sizeof(text));
	}
	if (err)
	{
		rd_kafka_NewPartitions_destroy(result);
		kafka_error_throw(NULL, err, text, place);
	}
	return result;
}

void
kafka_admin_create_partitions(const KafkaOptions *opts, const KafkaNewPartitions *partitions,
							  int timeout_ms)
{
	KafkaPlace	place = {.doing = "could not add partitions", .topic = partitions->topic};
	rd_kafka_NewPartitions_t *new_partitions = make_new_partitions(partitions, &place);
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	size_t		count;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__FAIL;
	char		text[KAFKA_TEXT_SIZE] = "";

	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, &place, timeout_ms);
	if (partitions->validate_only)
		rd_kafka_AdminOptions_set_validate_only(request.options, 1, text, sizeof(text));
	rd_kafka_CreatePartitions(request.handle->rk, &new_partitions, 1, request.options,
							  request.queue);
	rd_kafka_NewPartitions_destroy(new_partitions);
	event = kafka_request_await(&request);
	results = rd_kafka_CreatePartitions_result_topics(
													  rd_kafka_event_CreatePartitions_result(event),
													  &count);
	if (count == 1)
		err = rd_kafka_topic_result_error(results[0]);
	if (count == 1 && err)
		strlcpy(text, rd_kafka_topic_result_error_string(results[0]), sizeof(text));
	rd_kafka_event_destroy(event);
	if (err)
		kafka_error_throw(request.handle, err, text, &place);
	if (partitions->validate_only)
		return;
	kafka_topic_forget();
	kafka_admin_await_partitions(opts, partitions->topic, partitions->total, timeout_ms);
}

/* ------------------------------------------------------------------------
 * Fewer records
 * ------------------------------------------------------------------------
 */
static void
set_error(KafkaDeletion *result, rd_kafka_resp_err_t err)
{
	result->error = pstrdup(rd_kafka_err2str(err));
	result->sqlstate = kafka_error_sqlstate(err);
}

/*
 * What is not there is answered here: librdkafka would look for its leader until the time is
 * over, and answer nothing else.  Returns how many partitions are left to be asked for.
 */
static int
set_apart_missing(const KafkaOptions *opts, const KafkaGroupOffset *offsets, int n,
				  KafkaDeletion *results)
{
	int32		npartitions = 0;
	int			left = 0;

	for (int i = 0; i < n; i++)
	{
		if (i == 0 || strcmp(offsets[i].topic, offsets[i - 1].topic) != 0)
			npartitions = kafka_topic_partitions(opts, offsets[i].topic, true, false);
		if (npartitions < 0)
			set_error(&results[i], RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
		else if (offsets[i].partition < 0 || offsets[i].partition >= npartitions)
			set_error(&results[i], RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION);
		else
			left++;
	}
	return left;
}

static rd_kafka_event_t *
request_deletion(const KafkaOptions *opts, const KafkaGroupOffset *offsets, int n,
				 const KafkaDeletion *results)
{
	KafkaPlace	place = {.doing = "could not delete records"};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	rd_kafka_DeleteRecords_t *deletion;
	KafkaRequest request;

	for (int i = 0; i < n; i++)
		if (results[i].error == NULL)
			rd_kafka_topic_partition_list_add(list, offsets[i].topic,
											  offsets[i].partition)->offset =
				offsets[i].offset == KAFKA_BEFORE_END ? RD_KAFKA_OFFSET_END : offsets[i].offset;
	deletion = rd_kafka_DeleteRecords_new(list);
	rd_kafka_topic_partition_list_destroy(list);
	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_DELETERECORDS, &place,
						kafka_setting_connect_timeout);
	rd_kafka_DeleteRecords(request.handle->rk, &deletion, 1, request.options, request.queue);
	rd_kafka_DeleteRecords_destroy(deletion);
	return kafka_request_await(&request);
}

void
kafka_admin_delete_records(const KafkaOptions *opts, const KafkaGroupOffset *offsets, int n,
						   KafkaDeletion *results)
{
	const rd_kafka_topic_partition_list_t *list;
	rd_kafka_event_t *event;

	memset(results, 0, sizeof(KafkaDeletion) * n);
	for (int i = 0; i < n; i++)
		kafka_topic_check_name(offsets[i].topic);
	if (set_apart_missing(opts, offsets, n, results) == 0)
		return;
	event = request_deletion(opts, offsets, n, results);
	list = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
	for (int i = 0; i < n; i++)
	{
		const rd_kafka_topic_partition_t *row;

		if (results[i].error)
			continue;
		row = rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *) list,
												 offsets[i].topic, offsets[i].partition);
		if (row == NULL || row->err)
			set_error(&results[i], row ? row->err : RD_KAFKA_RESP_ERR__FAIL);
		else
			results[i].low = row->offset;
	}
	rd_kafka_event_destroy(event);
	kafka_topic_forget();		/* the planner's idea of where they begin */
}

/* ------------------------------------------------------------------------
 * Offsets with timestamps
 * ------------------------------------------------------------------------
 */
#ifdef KAFKA_RD_LIST_OFFSETS

bool
kafka_admin_knows_timestamps(void)
{
	return true;
}

/* The isolation level that scans of this server have. */
static rd_kafka_IsolationLevel_t
isolation_level(const KafkaOptions *opts)
{
	const char *level = kafka_property_get(kafka_property_collect(opts, KAFKA_ROLE_ADMIN),
										   "isolation.level");

	return level && strcmp(level, "read_uncommitted") == 0 ?
		RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED : RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
}

static rd_kafka_event_t *
request_offsets(KafkaRequest *request, const KafkaOptions *opts, int64 time, int32 n)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_error_t *error;
	rd_kafka_IsolationLevel_t level = isolation_level(opts);
	KafkaPlace	place = request->place;

	kafka_request_begin(request, opts, RD_KAFKA_ADMIN_OP_LISTOFFSETS, &place,
						kafka_setting_connect_timeout);
	error = rd_kafka_AdminOptions_set_isolation_level(request->options, level);
	if (error)
		rd_kafka_error_destroy(error);
	list = rd_kafka_topic_partition_list_new(n);
	for (int32 p = 0; p < n; p++)
		rd_kafka_topic_partition_list_add(list, request->place.topic, p)->offset = time;
	rd_kafka_ListOffsets(request->handle->rk, list, request->options, request->queue);
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_request_await(request);
}

void
kafka_admin_list_offsets(const KafkaOptions *opts, const char *topic, int64 time, int32 n,
						 int64 *offsets, int64 *timestamps)
{
	KafkaRequest request = {.place = {.doing = "could not list the topic's offsets",
	.topic = topic}};
	rd_kafka_event_t *event = request_offsets(&request, opts, time, n);
	size_t		count;
	const rd_kafka_ListOffsetsResultInfo_t **rows =
		rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
	rd_kafka_resp_err_t err = (int32) count == n ? RD_KAFKA_RESP_ERR_NO_ERROR :
		RD_KAFKA_RESP_ERR__FAIL;

	for (size_t i = 0; !err && i < count; i++)
	{
		const rd_kafka_topic_partition_t *row =
			rd_kafka_ListOffsetsResultInfo_topic_partition(rows[i]);

		err = row->err;
		if (row->partition < 0 || row->partition >= n)
			err = RD_KAFKA_RESP_ERR__FAIL;
		request.place.partition = row->partition;
		request.place.has_partition = err != RD_KAFKA_RESP_ERR_NO_ERROR;
		if (err)
			break;
		offsets[row->partition] = row->offset < 0 ? KAFKA_UNKNOWN : row->offset;
		timestamps[row->partition] = Max(rd_kafka_ListOffsetsResultInfo_timestamp(rows[i]),
										 KAFKA_UNKNOWN);
	}
	rd_kafka_event_destroy(event);
	if (err)
		kafka_error_throw(request.handle, err, NULL, &request.place);
}

#else

bool
kafka_admin_knows_timestamps(void)
{
	return false;
}

void
kafka_admin_list_offsets(const KafkaOptions *opts, const char *topic, int64 time, int32 n,
						 int64 *offsets, int64 *timestamps)
{
	for (int32 p = 0; p < n; p++)
		timestamps[p] = KAFKA_UNKNOWN;
	if (time == KAFKA_TIME_EARLIEST || time == KAFKA_TIME_LATEST)
		kafka_topic_offsets(opts, topic, time == KAFKA_TIME_EARLIEST ? KAFKA_OFFSET_LOW :
							KAFKA_OFFSET_END, NULL, n, offsets);
	else
	{
		int64	   *times = palloc(sizeof(int64) * Max(n, 1));

		for (int32 p = 0; p < n; p++)
			times[p] = time;
		kafka_topic_offsets_at(opts, topic, times, NULL, n, offsets);
	}
}

#endif
