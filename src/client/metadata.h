/*-------------------------------------------------------------------------
 *
 * metadata.h
 *	  The cluster's metadata: brokers, topics, partitions.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_METADATA_H
#define KAFKA_METADATA_H

#include "postgres.h"

#include "client/wait.h"

typedef struct KafkaMetadataJob
{
	KafkaJob	job;
	char	   *topic;			/* NULL: all topics */
	int			timeout_ms;
	rd_kafka_resp_err_t err;	/* of the request, or of the one topic */
	const struct rd_kafka_metadata *metadata;	/* freed with the job */
} KafkaMetadataJob;

/* A question for one topic (NULL: for all), not started yet; the caller drops its job. */
extern KafkaMetadataJob *kafka_metadata_job(const char *topic, int timeout_ms);

/* Of such a job that is done: the error of the request, else that of the topic. */
extern rd_kafka_resp_err_t kafka_metadata_error(const KafkaMetadataJob *self);

/*
 * Asks until there is an answer, kafka_fdw.connect_timeout at most.  The caller drops the job.
 * An unknown topic, and whatever else does not pass by itself, is the job's err; no answer
 * raises (HV00N, 28000).
 */
extern KafkaMetadataJob *kafka_metadata_fetch(KafkaHandle *handle, const char *topic);

#endif							/* KAFKA_METADATA_H */
