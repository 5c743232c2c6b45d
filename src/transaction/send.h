/*-------------------------------------------------------------------------
 *
 * send.h
 *	  Sending in a delivery mode: what INSERT, COPY and kafka.produce have in common.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SEND_H
#define KAFKA_SEND_H

#include "postgres.h"

#include "client/producer.h"
#include "ground/message.h"
#include "ground/options.h"

typedef struct KafkaSender KafkaSender;

/*
 * Ready to send to a topic, in the current memory context.  Raises HV00R if the topic does
 * not exist, 25006 where an outbox cannot be written, and what is wrong with the options.
 *
 * before_commit: messages are kept until PostgreSQL's transaction commits and are sent in
 * one Kafka transaction that commits just before it.
 * after_commit: the same, but it commits just after it.
 * outbox: each message becomes a row of this transaction, which a relay publishes; Kafka is
 * not asked for anything.
 * immediate: messages go out at once; kafka_sender_finish waits for them.
 */
extern KafkaSender *kafka_sender_open(const KafkaOptions *opts, const char *topic,
									  KafkaDeliveryMode mode);

/*
 * The same for a further topic of one statement: in immediate mode it sends through the other
 * sender's producer, so that finish waits for the messages of both.  The options are those of
 * the other.  NULL: as kafka_sender_open().
 */
extern KafkaSender *kafka_sender_open_beside(const KafkaSender *other, const KafkaOptions *opts,
											 const char *topic, KafkaDeliveryMode mode);

/*
 * For rows of one outbox, which is not the sender's own; every message names its topic, and an
 * invalid name is its error (22023).
 */
extern KafkaSender *kafka_sender_into_outbox(const KafkaOptions *opts, int32 outbox);

/*
 * The same on a producer that the caller has, and keeps: neither finish nor close is called.
 */
extern KafkaSender *kafka_sender_on_producer(const KafkaOptions *opts, const char *topic,
											 KafkaProducer *producer);

/* Raises 22023 for a partition that does not exist and 54000 for a message too large. */
extern void kafka_sender_send(KafkaSender *sender, const KafkaMessage *msg);

/* Raises what kafka_sender_send() would raise about this message before it sends it. */
extern void kafka_sender_check(const KafkaSender *sender, const KafkaMessage *msg);

/*
 * In immediate mode, sends a message whose fate is noted in *delivery, as
 * kafka_producer_send_tracked(); false in the others: nothing was sent.
 */
extern bool kafka_sender_send_tracked(KafkaSender *sender, const KafkaMessage *msg,
									  KafkaDelivery *delivery);

/* Every message sent so far is confirmed (immediate), or kept (the other modes). */
extern void kafka_sender_finish(KafkaSender *sender);

/* Where the last message went, after finish; NULL where that is not known yet. */
extern const KafkaReceipt *kafka_sender_receipt(const KafkaSender *sender);

/* Also happens by itself when the memory context goes. */
extern void kafka_sender_close(KafkaSender *sender);

/* The mode in force: the argument unless UNSET, else the setting. */
extern KafkaDeliveryMode kafka_delivery_mode(int mode);

/* Messages that wait for the transaction's end go through this server as this user? */
extern bool kafka_sends_are_pending(Oid serverid, Oid userid);

/* commit.c: registers the transaction callbacks; called once, from _PG_init. */
extern void kafka_commit_init(void);

#endif							/* KAFKA_SEND_H */
