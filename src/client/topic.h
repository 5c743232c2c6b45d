/*-------------------------------------------------------------------------
 *
 * topic.h
 *	  Topics of a cluster: which there are, their partitions, their offsets.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_TOPIC_H
#define KAFKA_TOPIC_H

#include "postgres.h"

#include "ground/message.h"
#include "ground/options.h"

typedef struct KafkaTopic
{
	char	   *name;
	int32		npartitions;
	int32		replication_factor; /* of partition 0 */
} KafkaTopic;

/* Which offset of each partition. */
typedef enum KafkaOffsetKind
{
	KAFKA_OFFSET_LOW,			/* the first one that is still there */
	KAFKA_OFFSET_END			/* one behind the last one that the isolation level shows */
} KafkaOffsetKind;

/*
 * Number of partitions; -1 if the topic does not exist and missing_ok.  Raises HV00R,
 * HV00N, 42501, 28000.  With `cached`, an answer of the last few seconds in this session
 * will do; a topic is never created by asking.
 */
extern int32 kafka_topic_partitions(const KafkaOptions *opts, const char *topic,
									bool missing_ok, bool cached);

/* Raises 22023 unless this can be a topic's name. */
extern void kafka_topic_check_name(const char *topic);

/* Topics in which relays keep positions begin so. */
#define KAFKA_POSITION_TOPIC_PREFIX "kafka_fdw.outbox."

/* The same, and 42501 for a topic that only the extension itself may send to. */
extern void kafka_topic_check_sendable(const char *topic);

/* The session has changed topics: nothing cached holds any longer. */
extern void kafka_topic_forget(void);

/* All topics as a List of KafkaTopic, sorted by name. */
extern List *kafka_topic_list(const KafkaOptions *opts);

/* Where the partitions 0 to npartitions - 1 begin, and end (exclusive). */
typedef struct KafkaBounds
{
	int32		npartitions;
	int64	   *lows;
	int64	   *ends;
} KafkaBounds;

/* A copy with arrays of its own, palloc'd. */
extern KafkaBounds kafka_bounds_copy(const KafkaBounds *bounds);

/*
 * Asks the cluster for the topic's bounds, arrays palloc'd; ends as KAFKA_OFFSET_END.  One
 * round trip where the session has met the topic before.  Raises HV00R, HV00N, 42501, 28000.
 */
extern void kafka_topic_bounds(const KafkaOptions *opts, const char *topic, KafkaBounds *bounds);

/* The bounds as this session last heard of them, palloc'd; false if it never did.  No request. */
extern bool kafka_topic_remembered_bounds(const KafkaOptions *opts, const char *topic,
										  KafkaBounds *bounds);

/*
 * One offset for each of the given partitions (NULL: 0 to n - 1), in one round trip per
 * broker.  END is the last stable offset unless the options set isolation.level to
 * read_uncommitted, then it is the high watermark.
 */
extern void kafka_topic_offsets(const KafkaOptions *opts, const char *topic,
								KafkaOffsetKind kind, const int32 *partitions, int n,
								int64 *offsets);

/*
 * The same, without patience: false where an answer is missing within 2 s or would have to be
 * waited for, as while a partition has no leader.  The rest is raised.
 */
extern bool kafka_topic_offsets_try(const KafkaOptions *opts, const char *topic,
									KafkaOffsetKind kind, const int32 *partitions, int n,
									int64 *offsets);

/*
 * For each partition the offset of its first message whose timestamp is times_ms[i] (ms since
 * 1970, not negative) or later: all messages before it are earlier, but timestamps need not
 * ascend behind it.  KAFKA_UNKNOWN where there is no such message.
 */
extern void kafka_topic_offsets_at(const KafkaOptions *opts, const char *topic,
								   const int64 *times_ms, const int32 *partitions, int n,
								   int64 *offsets);

/* True for a topic of Kafka's own, as __consumer_offsets: they begin so. */
extern bool kafka_topic_is_internal(const char *topic);

/* What kafka.check() tells of a cluster: brokers, topics, librdkafka's version; palloc'd. */
extern char *kafka_cluster_describe(const KafkaOptions *opts);

#endif							/* KAFKA_TOPIC_H */
