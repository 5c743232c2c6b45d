/*-------------------------------------------------------------------------
 *
 * metadata.c
 *	  The cluster's metadata: brokers, topics, partitions.
 *
 * Layer 1.  One blocking call of librdkafka in a helper thread (wait.h); errors that pass are
 * tried again until kafka_fdw.connect_timeout.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "client/metadata.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"

/*
 * The first try gets less: a request to a broker that has just died waits with it for the
 * connection, while another one would answer.
 */
#define FIRST_TRY_MS 2000

static void
metadata_run(KafkaJob *job)
{
	KafkaMetadataJob *self = (KafkaMetadataJob *) job;
	rd_kafka_t *rk = job->core->rk;
	rd_kafka_topic_t *rkt = NULL;

	if (self->topic)
	{
		rkt = rd_kafka_topic_new(rk, self->topic, NULL);
		if (rkt == NULL)
		{
			self->err = rd_kafka_last_error();
			return;
		}
	}
	self->err = rd_kafka_metadata(rk, self->topic == NULL, rkt, &self->metadata,
								  self->timeout_ms);
	if (rkt)
		rd_kafka_topic_destroy(rkt);
}

static void
metadata_destroy(KafkaJob *job)
{
	KafkaMetadataJob *self = (KafkaMetadataJob *) job;

	if (self->metadata)
		rd_kafka_metadata_destroy(self->metadata);
	free(self->topic);
	free(self);
}

KafkaMetadataJob *
kafka_metadata_job(const char *topic, int timeout_ms)
{
	KafkaMetadataJob *self = kafka_job_alloc(sizeof(KafkaMetadataJob), metadata_run,
											 metadata_destroy);

	self->topic = topic ? strdup(topic) : NULL;
	self->timeout_ms = timeout_ms;
	return self;
}

rd_kafka_resp_err_t
kafka_metadata_error(const KafkaMetadataJob *self)
{
	if (self->err || self->topic == NULL)
		return self->err;
	if (self->metadata->topic_cnt != 1)
		return RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (self->metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
		self->metadata->topics[0].partition_cnt == 0)
		return RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
	return self->metadata->topics[0].err;
}

void
kafka_topic_pause(KafkaWait *wait)
{
	kafka_wait_pause(wait, KAFKA_SLICE_MS);
}

KafkaMetadataJob *
kafka_metadata_fetch(KafkaHandle *handle, const char *topic)
{
	KafkaPlace	place = {.doing = "could not read the cluster's metadata", .topic = topic};
	KafkaWait	wait;
	int			tries = 0;

	kafka_wait_start(&wait, handle, &place, kafka_setting_connect_timeout + KAFKA_REPLY_GRACE_MS,
					 "kafka_fdw.connect_timeout");
	wait.connecting = true;
	for (;;)
	{
		int			left = kafka_setting_connect_timeout - kafka_wait_elapsed(&wait);
		int			timeout = tries++ == 0 ? Min(left, FIRST_TRY_MS) : left;
		KafkaMetadataJob *self = kafka_metadata_job(topic, Max(timeout, 100));
		rd_kafka_resp_err_t err;

		kafka_job_wait(&self->job, &wait);
		self->err = err = kafka_metadata_error(self);
		if (!kafka_error_is_transient(err))
		{
			kafka_handle_succeeded(handle);
			return self;
		}
		kafka_job_drop(&self->job);
		if (kafka_wait_elapsed(&wait) + KAFKA_SLICE_MS >= kafka_setting_connect_timeout)
		{
			kafka_handle_serve(handle);
			if (err == RD_KAFKA_RESP_ERR__TIMED_OUT)
				err = RD_KAFKA_RESP_ERR__TRANSPORT;
			kafka_error_throw(handle, err, NULL, &place);
		}
		kafka_topic_pause(&wait);
	}
}
