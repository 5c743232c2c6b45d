/*-------------------------------------------------------------------------
 *
 * partition_offsets.c
 *	  Offsets of partitions of any topics, with an error for each.
 *
 * Layer 1.  As offsets.c, which asks about one topic and raises whatever is wrong with it; here
 * a topic that is gone must not hide what is known of the others.
 *
 * librdkafka finds out itself which topics and partitions there are and who leads them, and
 * says so of each.  But an error in a broker's answer, as for a topic that was deleted since,
 * is the error of the whole call.  Then everything is asked again with a handle that remembers
 * nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "client/partition_offsets.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"

/* The first try gets less, as in offsets.c. */
#define FIRST_TRY_MS 2000

typedef struct AskJob
{
	KafkaJob	job;
	rd_kafka_topic_partition_list_t *list;
	int			timeout_ms;
	rd_kafka_resp_err_t err;
} AskJob;

static void
ask_run(KafkaJob *job)
{
	AskJob	   *self = (AskJob *) job;

	self->err = rd_kafka_offsets_for_times(job->core->rk, self->list, self->timeout_ms);
}

static void
ask_destroy(KafkaJob *job)
{
	AskJob	   *self = (AskJob *) job;

	if (self->list)
		rd_kafka_topic_partition_list_destroy(self->list);
	free(self);
}

/* NULL if there is nothing to ask. */
static AskJob *
make_job(const KafkaPartitionOffset *rows, int n, int timeout_ms)
{
	AskJob	   *self = kafka_job_alloc(sizeof(AskJob), ask_run, ask_destroy);

	self->timeout_ms = timeout_ms;
	self->list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
		if (rows[i].error == NULL)
			rd_kafka_topic_partition_list_add(self->list, rows[i].topic,
											  rows[i].partition)->offset = rows[i].time;
	if (self->list->cnt > 0)
		return self;
	kafka_job_drop(&self->job);
	return NULL;
}

static void
set_answer(KafkaPartitionOffset *row, const rd_kafka_topic_partition_t *elem)
{
	rd_kafka_resp_err_t err = elem->err;

	/* not even asked: nobody knows the topic */
	if (err == RD_KAFKA_RESP_ERR__IN_PROGRESS)
		err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	row->offset = !err && elem->offset >= 0 ? elem->offset : KAFKA_UNKNOWN;
	row->error = err ? pstrdup(rd_kafka_err2str(err)) : NULL;
	row->sqlstate = err ? kafka_error_sqlstate(err) : 0;
}

/* librdkafka answers in another order than it was asked, so that both are sorted. */
static int
compare_rows(const void *a, const void *b)
{
	const KafkaPartitionOffset *left = *(KafkaPartitionOffset *const *) a;
	const KafkaPartitionOffset *right = *(KafkaPartitionOffset *const *) b;
	int			order = strcmp(left->topic, right->topic);

	if (order != 0)
		return order;
	return (left->partition > right->partition) - (left->partition < right->partition);
}

static void
take_answers(AskJob *self, KafkaPartitionOffset *rows, int n)
{
	KafkaPartitionOffset **sorted = palloc(sizeof(*sorted) * n);
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (rows[i].error == NULL)
			sorted[count++] = &rows[i];
	qsort(sorted, count, sizeof(*sorted), compare_rows);
	rd_kafka_topic_partition_list_sort(self->list, NULL, NULL);
	Assert(count == self->list->cnt);
	for (int i = 0; i < count; i++)
	{
		Assert(strcmp(sorted[i]->topic, self->list->elems[i].topic) == 0 &&
			   sorted[i]->partition == self->list->elems[i].partition);
		set_answer(sorted[i], &self->list->elems[i]);
	}
	pfree(sorted);
}

/* True if it is done; else `err` says what is wrong with the call as a whole. */
static bool
ask_once(const KafkaOptions *opts, KafkaPartitionOffset *rows, int n, int timeout_ms,
		 KafkaWait *wait, rd_kafka_resp_err_t *err)
{
	AskJob	   *self = make_job(rows, n, timeout_ms);

	if (self == NULL)
		return true;
	wait->handle = kafka_handle_admin(opts);
	kafka_job_wait(&self->job, wait);
	*err = self->err;
	/* what librdkafka says where none of them is known */
	if (*err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
		*err = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (!*err)
	{
		take_answers(self, rows, n);
		kafka_handle_succeeded(wait->handle);
	}
	kafka_job_drop(&self->job);
	return !*err;
}

void
kafka_partition_offsets(const KafkaOptions *opts, KafkaPartitionOffset *rows, int n)
{
	KafkaPlace	place = {.doing = "could not read the offsets of partitions"};
	int			timeout_ms = Min(FIRST_TRY_MS, kafka_setting_connect_timeout / 2);
	KafkaWait	wait;
	rd_kafka_resp_err_t err;

	for (int i = 0; i < n; i++)
		rows[i].offset = KAFKA_UNKNOWN;
	kafka_wait_start(&wait, kafka_handle_admin(opts), &place,
					 kafka_setting_connect_timeout + KAFKA_REPLY_GRACE_MS,
					 "kafka_fdw.connect_timeout");
	wait.connecting = true;
	while (!ask_once(opts, rows, n, timeout_ms, &wait, &err))
	{
		kafka_handle_serve(wait.handle);
		if (!kafka_error_is_transient(err) && !kafka_error_is_unknown(err))
			kafka_error_throw(wait.handle, err, NULL, &place);
		timeout_ms = kafka_setting_connect_timeout - kafka_wait_elapsed(&wait);
		if (timeout_ms <= KAFKA_SLICE_MS)
			kafka_error_throw(wait.handle, err == RD_KAFKA_RESP_ERR__TIMED_OUT ?
							  RD_KAFKA_RESP_ERR__TRANSPORT : err, NULL, &place);
		if (!kafka_handle_is_down(wait.handle))
			wait.handle = kafka_topic_start_over(opts);
		kafka_topic_pause(&wait);
	}
}
