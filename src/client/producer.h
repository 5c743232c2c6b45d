/*-------------------------------------------------------------------------
 *
 * producer.h
 *	  Sending messages and seeing that they arrived.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PRODUCER_H
#define KAFKA_PRODUCER_H

#include "postgres.h"

#include "ground/message.h"
#include "ground/options.h"

typedef struct KafkaProducer KafkaProducer;

/* One topic as a producer sends to it. */
typedef struct KafkaTarget KafkaTarget;

/* Where a message went. */
typedef struct KafkaReceipt
{
	int32		partition;
	int64		offset;			/* KAFKA_UNKNOWN with acks=0 */
	int64		timestamp;		/* ms since 1970 */
} KafkaReceipt;

/*
 * A producer for the caller alone, from the session's cache or new.  It lives in the
 * current memory context and closes itself when that goes, also after an error.
 */
extern KafkaProducer *kafka_producer_open(const KafkaOptions *opts, bool transactional);

/*
 * Gives the producer back; if messages are still under way, or a transaction did not end
 * cleanly, it is destroyed instead.  May be called twice.  Never throws.
 */
extern void kafka_producer_close(KafkaProducer *producer);

/* A topic to send to; npartitions as kafka_topic_partitions() says. */
extern KafkaTarget *kafka_producer_target(KafkaProducer *producer, const char *topic,
										  int32 npartitions, KafkaPartitioner partitioner);

/*
 * Queues a message; its contents are copied.  The partition is the message's own or the
 * partitioner's.  Waits, cancellably, while librdkafka's queue is full.  An error that is
 * known at once is raised (54000: too large), others by kafka_producer_flush.
 */
extern void kafka_producer_send(KafkaProducer *producer, KafkaTarget *target,
								const KafkaMessage *msg);

/*
 * Waits until every message is confirmed.  Raises the first failure; HV00N when no broker
 * could be reached for kafka_fdw.connect_timeout, HV00L without progress for
 * kafka_fdw.commit_timeout.
 */
extern void kafka_producer_flush(KafkaProducer *producer);

/* The last message that was confirmed. */
extern const KafkaReceipt *kafka_producer_receipt(const KafkaProducer *producer);

/*
 * The session has sent these messages for good: from now on its scans wait for them
 * (sent.h).  Called after the flush, or after the commit of a transaction.
 */
extern void kafka_producer_note_sent(KafkaProducer *producer);

/*
 * Kafka's transaction, for a producer opened as transactional.  begin also does
 * init_transactions where it is still to be done, which fences and cleans up what a
 * predecessor with the same id left.  commit raises 08007 when the outcome is unknown.  A
 * producer that is closed in between aborts in the background.
 */
extern void kafka_producer_begin(KafkaProducer *producer);
extern void kafka_producer_commit(KafkaProducer *producer);

/*
 * The transactional id of this backend for a server and user: bounded in number, stable
 * by backend slot, different for a clone of this instance (guarantees in
 * doc/architecture.md).  palloc'd.
 */
extern char *kafka_transactional_id(const KafkaOptions *opts);

#endif							/* KAFKA_PRODUCER_H */
