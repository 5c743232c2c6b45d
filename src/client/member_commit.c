/*-------------------------------------------------------------------------
 *
 * member_commit.c
 *	  A consumer and its group's offsets.
 *
 * Layer 1.  Committing to the group happens in PostgreSQL's COMMIT event, where nothing may
 * be raised: the request is prepared before, and is sent and awaited without PostgreSQL's
 * memory or error handling.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/member.h"
#include "client/member_internal.h"
#include "client/producer_internal.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"

/* How long a broker is asked for when nothing comes. */
#define REACH_MS 500

/* ------------------------------------------------------------------------
 * What the group has
 * ------------------------------------------------------------------------
 */
typedef struct CommittedJob
{
	KafkaJob	job;
	rd_kafka_topic_partition_list_t *list;
	int			timeout_ms;
	rd_kafka_resp_err_t err;
} CommittedJob;

static void
committed_run(KafkaJob *job)
{
	CommittedJob *self = (CommittedJob *) job;

	self->err = rd_kafka_committed(job->core->rk, self->list, self->timeout_ms);
}

static void
committed_destroy(KafkaJob *job)
{
	rd_kafka_topic_partition_list_destroy(((CommittedJob *) job)->list);
	free(job);
}

/* The request's error, else the first partition's. */
static rd_kafka_resp_err_t
committed_error(const CommittedJob *self, KafkaPlace *place)
{
	if (self->err)
		return self->err;
	for (int i = 0; i < self->list->cnt; i++)
		if (self->list->elems[i].err)
		{
			place->topic = pstrdup(self->list->elems[i].topic);
			place->partition = self->list->elems[i].partition;
			place->has_partition = true;
			return self->list->elems[i].err;
		}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static CommittedJob *
make_committed_job(KafkaMemberPartition **partitions, int n)
{
	CommittedJob *self = kafka_job_alloc(sizeof(CommittedJob), committed_run, committed_destroy);

	self->timeout_ms = kafka_setting_connect_timeout;
	self->list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(self->list, partitions[i]->topic,
										  partitions[i]->partition);
	return self;
}

void
kafka_member_committed(KafkaMember *member, KafkaMemberPartition **partitions, int n,
					   int64 *offsets)
{
	KafkaPlace	place = {.doing = "could not read the offsets of the consumer group"};
	CommittedJob *self;
	KafkaWait	wait;
	rd_kafka_resp_err_t err;

	if (n == 0)
		return;
	kafka_wait_start(&wait, member->handle, &place,
					 kafka_setting_connect_timeout + KAFKA_REPLY_GRACE_MS,
					 "kafka_fdw.connect_timeout");
	for (;;)
	{
		self = make_committed_job(partitions, n);
		kafka_job_wait(&self->job, &wait);
		err = committed_error(self, &place);
		if (!kafka_error_is_transient(err) || err == RD_KAFKA_RESP_ERR__TIMED_OUT)
			break;
		kafka_job_drop(&self->job);
		kafka_topic_pause(&wait);
	}
	for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < n; i++)
	{
		rd_kafka_topic_partition_t *row =
			rd_kafka_topic_partition_list_find(self->list, partitions[i]->topic,
											   partitions[i]->partition);

		offsets[i] = row->offset >= 0 ? row->offset : KAFKA_UNKNOWN;
	}
	kafka_job_drop(&self->job);
	if (err)
		kafka_error_throw(member->handle, err, NULL, &place);
	kafka_handle_succeeded(member->handle);
}

/* ------------------------------------------------------------------------
 * Committing to the group
 * ------------------------------------------------------------------------
 */
void
kafka_member_forget_commit(KafkaMember *member)
{
	if (member->commit)
		rd_kafka_topic_partition_list_destroy(member->commit);
	member->commit = NULL;
}

void
kafka_member_prepare_commit(KafkaMember *member, const KafkaGroupOffset *offsets, int n)
{
	kafka_member_forget_commit(member);
	member->commit = kafka_transaction_offset_list(offsets, n);
}

/* The answer's error, else the first partition's. */
static rd_kafka_resp_err_t
commit_error(rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);

	for (int i = 0; !err && list && i < list->cnt; i++)
		err = list->elems[i].err;
	return err;
}

/* Whether librdkafka has heard of it yet or only the broker: it is the same. */
static void
tell_why(rd_kafka_resp_err_t err, char *why, size_t why_size)
{
	strlcpy(why, kafka_error_is_put_out(err) ? KAFKA_PUT_OUT : rd_kafka_err2str(err), why_size);
}

static bool
await_commit(rd_kafka_queue_t *queue, int limit_ms, char *why, size_t why_size)
{
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t err;
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	while ((event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS)) == NULL)
	{
		if (QueryCancelPending || ProcDiePending)
			strlcpy(why, "the wait was cancelled", why_size);
		else if (kafka_elapsed_ms(begin) >= limit_ms)
			snprintf(why, why_size, "no answer for %d ms", limit_ms);
		else
			continue;
		return false;
	}
	err = commit_error(event);
	rd_kafka_event_destroy(event);
	if (err)
		tell_why(err, why, why_size);
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool
kafka_member_commit_quietly(KafkaMember *member, int limit_ms, char *why, size_t why_size)
{
	rd_kafka_queue_t *queue;
	rd_kafka_resp_err_t err;
	bool		done = true;

	if (member->handle == NULL || member->commit == NULL)
		return true;
	if (limit_ms == 0 && member->answers == NULL)
		member->answers = rd_kafka_queue_new(member->handle->rk);
	queue = limit_ms == 0 ? member->answers : rd_kafka_queue_new(member->handle->rk);
	err = rd_kafka_commit_queue(member->handle->rk, member->commit, queue, NULL, NULL);
	if (err)
	{
		if (why)
			strlcpy(why, rd_kafka_err2str(err), why_size);
		done = false;
	}
	else if (limit_ms > 0)
		done = await_commit(queue, limit_ms, why, why_size);
	if (limit_ms > 0)
		rd_kafka_queue_destroy(queue);
	kafka_member_forget_commit(member);
	return done;
}

bool
kafka_member_was_refused(KafkaMember *member, char *why, size_t why_size)
{
	rd_kafka_event_t *event;
	bool		refused = false;

	if (member->answers == NULL)
		return false;
	while ((event = rd_kafka_queue_poll(member->answers, 0)) != NULL)
	{
		rd_kafka_resp_err_t err = commit_error(event);

		if (err)
			tell_why(err, why, why_size);
		refused |= err != RD_KAFKA_RESP_ERR_NO_ERROR;
		rd_kafka_event_destroy(event);
	}
	return refused;
}

/* ------------------------------------------------------------------------
 * Offsets that go with a Kafka transaction
 * ------------------------------------------------------------------------
 */
void
kafka_member_forget_generation(KafkaMember *member)
{
	if (member->generation)
		rd_kafka_consumer_group_metadata_destroy(member->generation);
	member->generation = NULL;
}

void
kafka_member_note_generation(KafkaMember *member)
{
	if (member->generation == NULL && member->handle)
		member->generation = rd_kafka_consumer_group_metadata(member->handle->rk);
}

void
kafka_member_send_offsets(KafkaMember *member, KafkaProducer *producer,
						  const KafkaGroupOffset *offsets, int n)
{
	rd_kafka_consumer_group_metadata_t *generation = member->generation;

	Assert(generation != NULL);
	member->generation = NULL;	/* the callee's */
	kafka_transaction_send_offsets_as(producer, generation, member->group_id, offsets, n);
}

/* ------------------------------------------------------------------------
 * A look
 * ------------------------------------------------------------------------
 */
char *
kafka_member_id(const KafkaMember *member)
{
	char	   *id = member->handle && !member->chosen ?
		rd_kafka_memberid(member->handle->rk) : NULL;
	char	   *result = id && id[0] ? pstrdup(id) : NULL;

	if (id)
		rd_kafka_mem_free(member->handle->rk, id);
	return result;
}

int
kafka_member_property_ms(const KafkaMember *member, const char *name, int default_ms)
{
	char		text[32];
	size_t		size = sizeof(text);

	if (rd_kafka_conf_get(rd_kafka_conf(member->handle->rk), name, text, &size) !=
		RD_KAFKA_CONF_OK)
		return default_ms;
	return atoi(text);
}

int
kafka_member_max_poll_ms(const KafkaMember *member)
{
	return member->max_poll_ms;
}

typedef struct ReachJob
{
	KafkaJob	job;
	rd_kafka_resp_err_t err;
} ReachJob;

static void
reach_run(KafkaJob *job)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err = rd_kafka_metadata(job->core->rk, 0, NULL, &metadata, REACH_MS);

	((ReachJob *) job)->err = err;
	if (!err)
		rd_kafka_metadata_destroy(metadata);
}

static void
reach_destroy(KafkaJob *job)
{
	free(job);
}

void
kafka_member_check_reachable(KafkaMember *member)
{
	KafkaPlace	place = {.doing = "could not read from Kafka"};
	ReachJob   *self;
	KafkaWait	wait;
	rd_kafka_resp_err_t err;

	if (!kafka_handle_is_down(member->handle))
		return;
	self = kafka_job_alloc(sizeof(ReachJob), reach_run, reach_destroy);
	kafka_wait_start(&wait, member->handle, &place, REACH_MS + KAFKA_REPLY_GRACE_MS,
					 "kafka_fdw.connect_timeout");
	wait.connecting = true;
	kafka_job_wait(&self->job, &wait);
	err = self->err;
	kafka_job_drop(&self->job);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		kafka_handle_succeeded(member->handle);
	else
		kafka_error_throw(member->handle, RD_KAFKA_RESP_ERR__TRANSPORT,
						  member->handle->error_text, &place);
}
