/*-------------------------------------------------------------------------
 *
 * consumer.h
 *	  Bounded reading: the messages of given offset ranges, each once, then the end.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CONSUMER_H
#define KAFKA_CONSUMER_H

#include "postgres.h"

#include "ground/message.h"
#include "ground/options.h"

/* Offsets start (inclusive) to end (exclusive) of one partition. */
typedef struct KafkaRange
{
	int32		partition;
	int64		start;
	int64		end;
} KafkaRange;

/* What a consumer has done so far, for EXPLAIN ANALYZE. */
typedef struct KafkaConsumerStats
{
	int64		messages;
	int64		bytes;			/* of keys and values */
	double		wait_ms;		/* time without a message at hand */
} KafkaConsumerStats;

typedef struct KafkaConsumer KafkaConsumer;

/*
 * Begins to read.  The ranges of a partition must be disjoint and ascend; they are copied.
 * expected: how many messages the caller is likely to take; for a few, little is fetched at
 * a time.
 * The consumer lives in the current memory context and closes itself when that goes, also
 * after an error.  Nothing is awaited yet.
 */
extern KafkaConsumer *kafka_consumer_open(const KafkaOptions *opts, const char *topic,
										  const KafkaRange *ranges, int nranges,
										  int64 expected);

/*
 * The next message, in the order of offsets within each partition; false when every range
 * has been read to its end.  Gaps (aborted or compacted messages, control records) are
 * passed over.  msg's pointers hold until the next call.  Offsets that were removed before
 * they were read raise, or are passed over with a WARNING (option on_missing).  Raises when the
 * end cannot be reached: it never ends early.
 */
extern bool kafka_consumer_next(KafkaConsumer *consumer, KafkaMessage *msg);

/* From now on messages come without their headers, which are costly to parse. */
extern void kafka_consumer_skip_headers(KafkaConsumer *consumer);

/* May be called early, and twice. */
extern void kafka_consumer_close(KafkaConsumer *consumer);

extern const KafkaConsumerStats *kafka_consumer_stats(const KafkaConsumer *consumer);

#endif							/* KAFKA_CONSUMER_H */
