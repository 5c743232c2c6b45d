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

/* What became of one message, for a sender that wants to know of each. */
typedef struct KafkaDelivery
{
	KafkaTarget *target;
	bool		tracked;
	bool		confirmed;
	KafkaReceipt receipt;		/* where it is confirmed */
	const char *error;			/* why it was refused (static text), or NULL */
} KafkaDelivery;

/*
 * A producer for the caller alone, from the session's cache or new.  It lives in the
 * current memory context and closes itself when that goes, also after an error.  Those with
 * a transaction come from client/transaction.h.
 */
extern KafkaProducer *kafka_producer_open(const KafkaOptions *opts);

/*
 * Gives the producer back; if messages are still under way, or a transaction did not end
 * cleanly, it is destroyed instead.  May be called twice.  Never throws.
 */
extern void kafka_producer_close(KafkaProducer *producer);

/*
 * A topic to send to; npartitions as kafka_topic_partitions() says.  The same one again for
 * the same topic and partitioner.
 */
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
 * The same for a message whose fate is noted in *delivery, which must live as long as the
 * producer's memory context.  That the broker refuses it is noted there and not raised.
 */
extern void kafka_producer_send_tracked(KafkaProducer *producer, KafkaTarget *target,
										const KafkaMessage *msg, KafkaDelivery *delivery);

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
 * Of all producers that are in use in this session with that server and user: waits at most
 * limit_ms for reports of their messages, cancellably; returns how many are still without
 * one.  A refused message is its own sender's to raise.
 */
extern int64 kafka_producers_flush(Oid serverid, Oid userid, int limit_ms);

/* Destroys the session's idle producers of that server and user; returns how many. */
extern int	kafka_producers_close_idle(Oid serverid, Oid userid);

#endif							/* KAFKA_PRODUCER_H */
