/*-------------------------------------------------------------------------
 *
 * offsets.c
 *	  Where a topic's partitions begin and end, and which offset belongs to a time.
 *
 * Layer 1.  Everything is asked by one call of librdkafka (ListOffsets for all partitions in
 * one round trip per broker) in a helper thread, on the session's metadata handle.
 *
 * A scan needs to know how many partitions there are and where each begins and ends.  Where
 * the session has met the topic before, all three are asked at once, so that they cost one
 * round trip; if anything about the answers is odd, they are asked one after the other with
 * all patience.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "client/metadata.h"
#include "client/topic.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"

/* ListOffsets' special timestamps */
#define TIMESTAMP_EARLIEST (-2)
#define TIMESTAMP_LATEST (-1)

/* Answers that make no sense before a new handle is tried. */
#define START_OVER_TRIES 3

/* The first try gets less: a handle that waits for news which it then ignores is replaced. */
#define FIRST_TRY_MS 2000

/* ------------------------------------------------------------------------
 * Offsets
 * ------------------------------------------------------------------------
 */
typedef struct OffsetsJob
{
	KafkaJob	job;
	rd_kafka_topic_partition_list_t *list;
	int			timeout_ms;
	rd_kafka_resp_err_t err;
} OffsetsJob;

static void
offsets_run(KafkaJob *job)
{
	OffsetsJob *self = (OffsetsJob *) job;

	self->err = rd_kafka_offsets_for_times(job->core->rk, self->list, self->timeout_ms);
}

static void
offsets_destroy(KafkaJob *job)
{
	OffsetsJob *self = (OffsetsJob *) job;

	if (self->list)
		rd_kafka_topic_partition_list_destroy(self->list);
	free(self);
}

/* The request's error, else the first partition's. */
static rd_kafka_resp_err_t
offsets_error(const OffsetsJob *self, int32 *partition)
{
	*partition = -1;
	for (int i = 0; i < self->list->cnt; i++)
	{
		/* not answered: the request's own error says why */
		if (self->list->elems[i].err == RD_KAFKA_RESP_ERR__IN_PROGRESS && self->err)
			continue;
		if (self->list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		*partition = self->list->elems[i].partition;
		return self->list->elems[i].err;
	}
	return self->err;
}

/* What is asked: of each partition the offset for a time. */
typedef struct Question
{
	const char *topic;
	const int32 *partitions;	/* NULL: 0 to n - 1 */
	const int64 *times;			/* by position; NULL: `time` for all */
	int64		time;			/* ms since 1970, or one of the special ones */
	int			n;
	bool		quiet;			/* what may pass by itself is not waited for, and no error */
} Question;

static OffsetsJob *
make_offsets_job(const Question *question, int timeout_ms)
{
	OffsetsJob *self = kafka_job_alloc(sizeof(OffsetsJob), offsets_run, offsets_destroy);

	self->timeout_ms = timeout_ms;
	self->list = rd_kafka_topic_partition_list_new(question->n);
	for (int i = 0; i < question->n; i++)
	{
		int32		partition = question->partitions ? question->partitions[i] : i;

		rd_kafka_topic_partition_list_add(self->list, question->topic, partition)->offset =
			question->times ? question->times[i] : question->time;
	}
	return self;
}

/* librdkafka may answer in another order than it was asked. */
static void
copy_offsets(const OffsetsJob *self, const Question *question, int64 *offsets)
{
	for (int i = 0; i < question->n; i++)
	{
		int32		partition = question->partitions ? question->partitions[i] : i;
		rd_kafka_topic_partition_t *row =
			rd_kafka_topic_partition_list_find(self->list, question->topic, partition);

		Assert(row != NULL);
		offsets[i] = row->offset;
	}
}

/* False only where the question is quiet; else what was not answered is raised. */
static bool
ask_offsets(const KafkaOptions *opts, const Question *question, int64 *offsets)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not read the topic's offsets", .topic = question->topic};
	KafkaWait	wait;
	int			tries = 0;

	if (question->n == 0)
		return true;
	kafka_wait_start(&wait, handle, &place, kafka_setting_connect_timeout + KAFKA_REPLY_GRACE_MS,
					 "kafka_fdw.connect_timeout");
	wait.connecting = true;
	for (;;)
	{
		int			left = kafka_setting_connect_timeout - kafka_wait_elapsed(&wait);
		int			timeout = tries == 0 ? Min(left, FIRST_TRY_MS) : left;
		OffsetsJob *self = make_offsets_job(question, Max(timeout, 100));
		rd_kafka_resp_err_t err;

		kafka_job_wait(&self->job, &wait);
		err = offsets_error(self, &place.partition);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
			copy_offsets(self, question, offsets);
		kafka_job_drop(&self->job);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			kafka_handle_succeeded(handle);
			return true;
		}
		place.has_partition = place.partition >= 0;
		kafka_handle_serve(handle);
		if (question->quiet && kafka_error_is_transient(err))
		{
			/* it may go on asking a leader that is dead: another handle asks anew who leads */
			(void) kafka_topic_start_over(opts);
			return false;
		}
		/* the handle may remember a topic of that name that is gone: the cluster's word counts */
		if (kafka_error_is_unknown(err))
			kafka_topic_refresh(handle, question->topic);
		else if (!kafka_error_is_transient(err))
			kafka_error_throw(handle, err, NULL, &place);
		if (kafka_wait_elapsed(&wait) + KAFKA_SLICE_MS >= kafka_setting_connect_timeout)
			kafka_error_throw(handle,
							  err == RD_KAFKA_RESP_ERR__TIMED_OUT ?
							  RD_KAFKA_RESP_ERR__TRANSPORT : err, NULL, &place);
		if (++tries % START_OVER_TRIES == (err == RD_KAFKA_RESP_ERR__TIMED_OUT ? 1 : 0) &&
			!kafka_handle_is_down(handle))
			wait.handle = handle = kafka_topic_start_over(opts);
		kafka_topic_pause(&wait);
	}
}

static int64
special_time(KafkaOffsetKind kind)
{
	return kind == KAFKA_OFFSET_LOW ? TIMESTAMP_EARLIEST : TIMESTAMP_LATEST;
}

void
kafka_topic_offsets(const KafkaOptions *opts, const char *topic, KafkaOffsetKind kind,
					const int32 *partitions, int n, int64 *offsets)
{
	Question	question = {.topic = topic, .partitions = partitions, .n = n,
	.time = special_time(kind)};

	(void) ask_offsets(opts, &question, offsets);
}

bool
kafka_topic_offsets_try(const KafkaOptions *opts, const char *topic, KafkaOffsetKind kind,
						const int32 *partitions, int n, int64 *offsets)
{
	Question	question = {.topic = topic, .partitions = partitions, .n = n,
	.time = special_time(kind), .quiet = true};

	return ask_offsets(opts, &question, offsets);
}

void
kafka_topic_offsets_at(const KafkaOptions *opts, const char *topic, const int64 *times_ms,
					   const int32 *partitions, int n, int64 *offsets)
{
	Question	question = {.topic = topic, .partitions = partitions, .n = n,
	.times = times_ms};

	(void) ask_offsets(opts, &question, offsets);
	for (int i = 0; i < n; i++)
		if (offsets[i] < 0)
			offsets[i] = KAFKA_UNKNOWN;
}

/* ------------------------------------------------------------------------
 * Waiting for one's own messages, where nothing may be raised: no palloc here
 * ------------------------------------------------------------------------
 */
static OffsetsJob *
make_ends_job(const KafkaOwnSends *sends, int timeout_ms)
{
	OffsetsJob *self = kafka_job_try_alloc(sizeof(OffsetsJob), offsets_run, offsets_destroy);

	if (self == NULL)
		return NULL;
	self->timeout_ms = timeout_ms;
	self->list = rd_kafka_topic_partition_list_new(sends->npartitions);
	for (int32 p = 0; p < sends->npartitions; p++)
		if (sends->offsets[p] != KAFKA_UNKNOWN)
			rd_kafka_topic_partition_list_add(self->list, sends->topic, p)->offset =
				TIMESTAMP_LATEST;
	return self;
}

static bool
shows_sends(const OffsetsJob *self, const KafkaOwnSends *sends)
{
	for (int i = 0; i < self->list->cnt; i++)
		if (self->list->elems[i].err ||
			self->list->elems[i].offset <= sends->offsets[self->list->elems[i].partition])
			return false;
	return self->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool
is_interrupted(void)
{
	return QueryCancelPending || ProcDiePending;
}

/* One question; true if the answer shows the messages. */
static bool
ask_once(KafkaHandle *handle, const KafkaOwnSends *sends, instr_time begin, int limit_ms)
{
	OffsetsJob *self = make_ends_job(sends, Max(1, limit_ms - kafka_elapsed_ms(begin)));
	bool		shown = false;

	if (self && self->list->cnt == 0)
	{
		kafka_job_drop(&self->job);
		return true;			/* nothing to wait for */
	}
	if (self == NULL || !kafka_job_try_start(&self->job, handle))
		return false;
	while (!kafka_job_is_done(&self->job) && !is_interrupted() &&
		   kafka_elapsed_ms(begin) <= limit_ms)
		kafka_job_nap(&self->job, KAFKA_SLICE_MS);
	if (kafka_job_is_done(&self->job))
		shown = shows_sends(self, sends);
	kafka_job_drop(&self->job);
	return shown;
}

bool
kafka_offsets_await_sent(KafkaHandle *handle, const KafkaOwnSends *sends, int limit_ms,
						 char *why, size_t why_size)
{
	instr_time	begin;
	long		pause = 500;	/* us; grows */

	INSTR_TIME_SET_CURRENT(begin);
	while (!ask_once(handle, sends, begin, limit_ms))
	{
		if (is_interrupted())
			strlcpy(why, "the wait was cancelled", why_size);
		if (is_interrupted() || kafka_elapsed_ms(begin) >= limit_ms)
			return false;
		pg_usleep(pause);
		pause = Min(pause * 2, KAFKA_SLICE_MS * 1000L);
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Bounds: the number of partitions, and of each the first offset and the end
 * ------------------------------------------------------------------------
 */
static void
alloc_bounds(KafkaBounds *bounds, int32 npartitions)
{
	bounds->npartitions = npartitions;
	bounds->lows = palloc(sizeof(int64) * Max(npartitions, 1));
	bounds->ends = palloc(sizeof(int64) * Max(npartitions, 1));
}

static int32
partition_count(const KafkaMetadataJob *job)
{
	return kafka_metadata_error(job) ? -1 : job->metadata->topics[0].partition_cnt;
}

/*
 * Several questions at once, each in a thread of its own; true if all of them were answered
 * as expected.
 */
static bool
ask_together(KafkaHandle *handle, const char *topic, int32 expected, bool ask_count,
			 KafkaBounds *bounds)
{
	KafkaPlace	place = {.doing = "could not read the topic's offsets", .topic = topic};
	Question	low = {.topic = topic, .n = expected, .time = TIMESTAMP_EARLIEST};
	Question	end = {.topic = topic, .n = expected, .time = TIMESTAMP_LATEST};
	OffsetsJob *lows = make_offsets_job(&low, FIRST_TRY_MS);
	OffsetsJob *ends = make_offsets_job(&end, FIRST_TRY_MS);
	KafkaJob   *jobs[KAFKA_JOBS_AT_ONCE] = {&lows->job, &ends->job};
	int			n = 2;
	int32		partition;
	KafkaWait	wait;
	bool		good;

	if (ask_count)
		jobs[n++] = &kafka_metadata_job(topic, FIRST_TRY_MS)->job;
	kafka_wait_start(&wait, handle, &place, INT_MAX, "kafka_fdw.connect_timeout");
	kafka_jobs_wait(jobs, n, &wait);
	good = offsets_error(lows, &partition) == RD_KAFKA_RESP_ERR_NO_ERROR &&
		offsets_error(ends, &partition) == RD_KAFKA_RESP_ERR_NO_ERROR &&
		(!ask_count || partition_count((KafkaMetadataJob *) jobs[2]) == expected);
	if (good)
	{
		copy_offsets(lows, &low, bounds->lows);
		copy_offsets(ends, &end, bounds->ends);
		kafka_handle_succeeded(handle);
	}
	for (int i = 0; i < n; i++)
		kafka_job_drop(jobs[i]);
	return good;
}

/* Does the handle look as if it would answer at once? */
static bool
is_ready(const KafkaHandle *handle)
{
	return !kafka_handle_is_down(handle) && !kafka_jobs_left_behind(handle);
}

void
kafka_topic_bounds(const KafkaOptions *opts, const char *topic, KafkaBounds *bounds)
{
	int32		known = kafka_topic_remembered_partitions(opts, topic);
	KafkaHandle *handle = kafka_handle_admin(opts);
	bool		done = false;

	kafka_topic_check_name(topic);
	if (known > 0 && is_ready(handle))
	{
		alloc_bounds(bounds, known);
		done = ask_together(handle, topic, known, true, bounds);
	}
	if (!done)
	{
		alloc_bounds(bounds, kafka_topic_partitions(opts, topic, false, false));
		handle = kafka_handle_admin(opts);
		if (!is_ready(handle) ||
			!ask_together(handle, topic, bounds->npartitions, false, bounds))
		{
			kafka_topic_offsets(opts, topic, KAFKA_OFFSET_LOW, NULL, bounds->npartitions,
								bounds->lows);
			kafka_topic_offsets(opts, topic, KAFKA_OFFSET_END, NULL, bounds->npartitions,
								bounds->ends);
		}
	}
	kafka_topic_remember_bounds(opts, topic, bounds);
}
