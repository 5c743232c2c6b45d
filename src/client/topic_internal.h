/*-------------------------------------------------------------------------
 *
 * topic_internal.h
 *	  What topic.c and offsets.c share.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_TOPIC_INTERNAL_H
#define KAFKA_TOPIC_INTERNAL_H

#include "postgres.h"

#include "client/topic.h"
#include "client/wait.h"

/* The call in the helper thread has the time limit; its answer gets this much more. */
#define KAFKA_REPLY_GRACE_MS 500

/* The number of partitions that the session was last told, however long ago; 0: never. */
extern int32 kafka_topic_remembered_partitions(const KafkaOptions *opts, const char *topic);

extern void kafka_topic_remember_bounds(const KafkaOptions *opts, const char *topic,
										const KafkaBounds *bounds);

/* The last offset that was sent to each partition of a topic; KAFKA_UNKNOWN: none. */
typedef struct KafkaOwnSends
{
	const char *topic;
	const int64 *offsets;		/* of partitions 0 to npartitions - 1 */
	int32		npartitions;
} KafkaOwnSends;

/*
 * Waits until read_committed readers see them, at most limit_ms.  Raises nothing: false, with
 * the reason in why, or what the caller has put there where time is up.  A pending cancel or
 * terminate ends the wait, too, and stays pending.
 */
extern bool kafka_offsets_await_sent(KafkaHandle *handle, const KafkaOwnSends *sends,
									 int limit_ms, char *why, size_t why_size);

/* A short pause between two tries that an interrupt ends. */
extern void kafka_topic_pause(KafkaWait *wait);

/*
 * The cluster answers, and yet the metadata handle gets nowhere: it may remember an older
 * topic of that name and take what it hears of the new one for old news (librdkafka ignores
 * leader epochs that go back).  Returns a new one, which remembers nothing.
 */
extern KafkaHandle *kafka_topic_start_over(const KafkaOptions *opts);

#endif							/* KAFKA_TOPIC_INTERNAL_H */
