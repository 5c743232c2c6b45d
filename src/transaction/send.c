/*-------------------------------------------------------------------------
 *
 * send.c
 *	  Sending in a delivery mode: what INSERT, COPY and kafka.produce have in common.
 *
 * Layer 3.  The route of a message that is written: kafkaExecForeignInsert or
 * kafka.produce -> kafka_sender_send -> (modes with a transaction: pending.c until
 * PRE_COMMIT, then commit.c) -> kafka_producer_send (client/producer.c) -> its delivery
 * report -> kafka_producer_flush.  In outbox mode it ends here with a row (outbox/row.c), and
 * a relay sends that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/property.h"
#include "client/topic.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "outbox/outbox.h"
#include "outbox/row.h"
#include "transaction/outgoing.h"
#include "transaction/pending.h"
#include "transaction/send.h"

/* Most that a record's own fields take beside key, value and headers. */
#define MESSAGE_OVERHEAD 36

#define NO_OUTBOX (-1)

struct KafkaSender
{
	const char *topic;			/* NULL: each message's own */
	int32		npartitions;
	int64		max_message;	/* bytes, as message_size() counts them */
	int			destination;	/* of a pending message; -1: it is sent at once */
	int32		outbox;			/* KAFKA_DELIVERY_OUTBOX; NO_OUTBOX: another mode */
	int			partitioner;	/* the same: what its rows have */
	KafkaProducer *producer;	/* immediate */
	KafkaTarget *target;
};

KafkaDeliveryMode
kafka_delivery_mode(int mode)
{
	return mode == KAFKA_DELIVERY_UNSET ? kafka_setting_delivery : mode;
}

static void
check_mode(KafkaDeliveryMode mode)
{
	if (mode == KAFKA_DELIVERY_OUTBOX)
		kafka_outbox_check_writable();
	/* a function wrongly marked parallel safe: a worker's messages would be forgotten */
	PreventCommandIfParallelMode("a send to Kafka");
	if (kafka_commit_is_under_way())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot send to Kafka while the transaction is ending")));
}

KafkaSender *
kafka_sender_open(const KafkaOptions *opts, const char *topic, KafkaDeliveryMode mode)
{
	return kafka_sender_open_beside(NULL, opts, topic, mode);
}

static KafkaSender *
make_sender(const KafkaOptions *opts, const char *topic)
{
	KafkaSender *sender = palloc0(sizeof(KafkaSender));

	if (topic)
		kafka_topic_check_sendable(topic);
	sender->topic = topic ? pstrdup(topic) : NULL;
	sender->max_message = kafka_property_max_message(opts);
	sender->destination = -1;
	sender->outbox = NO_OUTBOX;
	return sender;
}

/* No Kafka is asked: whether there is such a topic shows when the relay publishes. */
static void
open_outbox(KafkaSender *sender, const KafkaOptions *opts)
{
	KafkaOutboxSender outbox;

	outbox = kafka_outbox_of_sender(opts);
	sender->outbox = outbox.outbox;
	sender->partitioner = outbox.partitioner;
	sender->max_message = Min(sender->max_message, outbox.max_message);
}

KafkaSender *
kafka_sender_open_beside(const KafkaSender *other, const KafkaOptions *opts, const char *topic,
						 KafkaDeliveryMode mode)
{
	KafkaSender *sender;

	check_mode(mode);
	sender = make_sender(opts, topic);
	if (mode == KAFKA_DELIVERY_OUTBOX)
	{
		open_outbox(sender, opts);
		return sender;
	}
	sender->npartitions = kafka_topic_partitions(opts, topic, false, true);
	if (mode == KAFKA_DELIVERY_IMMEDIATE)
	{
		sender->producer = other ? other->producer : kafka_producer_open(opts);
		sender->target = kafka_producer_target(sender->producer, topic, sender->npartitions,
											   opts->partitioner);
	}
	else
		sender->destination = kafka_outgoing_destination(opts, topic, sender->npartitions,
														 mode);
	return sender;
}

KafkaSender *
kafka_sender_into_outbox(const KafkaOptions *opts, int32 outbox)
{
	KafkaSender *sender = make_sender(opts, NULL);

	check_mode(KAFKA_DELIVERY_OUTBOX);
	sender->outbox = outbox;
	sender->partitioner = KAFKA_OUTBOX_PARTITIONER;
	return sender;
}

KafkaSender *
kafka_sender_on_producer(const KafkaOptions *opts, const char *topic, KafkaProducer *producer)
{
	KafkaSender *sender = make_sender(opts, topic);

	sender->npartitions = kafka_topic_partitions(opts, topic, false, true);
	sender->producer = producer;
	sender->target = kafka_producer_target(producer, topic, sender->npartitions,
										   opts->partitioner);
	return sender;
}

/* Bytes of a length in the record format (KIP-98): a zig-zag varint. */
static int64
varint_size(size_t len)
{
	int64		size = 1;

	for (uint64 rest = (uint64) len << 1; rest >= 0x80; rest >>= 7)
		size++;
	return size;
}

/*
 * As librdkafka counts it against message.max.bytes (rd_kafka_msg_max_wire_size), with what a relay
 * adds.
 */
static int64
message_size(const KafkaSender *sender, const KafkaMessage *msg)
{
	int64		size = MESSAGE_OVERHEAD + (int64) msg->key.len + (int64) msg->value.len;

	if (sender->outbox != NO_OUTBOX)
		size += KAFKA_OUTBOX_ID_SIZE;
	for (int i = 0; i < msg->nheaders; i++)
	{
		size_t		name_len = strlen(msg->headers[i].name);

		size += varint_size(name_len) + (int64) name_len +
			varint_size(msg->headers[i].value.len) + (int64) msg->headers[i].value.len;
	}
	return size;
}

static const char *
topic_of(const KafkaSender *sender, const KafkaMessage *msg)
{
	return sender->topic ? sender->topic : msg->topic;
}

static void
check_partition(const KafkaSender *sender, const KafkaMessage *msg)
{
	bool		unasked = sender->outbox != NO_OUTBOX;
	int32		partition = msg->partition;

	if (partition == KAFKA_PARTITION_ANY ||
		(partition >= 0 && (unasked || partition < sender->npartitions)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("partition %d of topic \"%s\" does not exist", partition,
					topic_of(sender, msg)),
			 unasked ? errdetail("Partitions are numbered from 0.") :
			 errdetail_plural("The topic has %d partition, number 0.",
							  "The topic has %d partitions, numbered from 0.",
							  sender->npartitions, sender->npartitions)));
}

void
kafka_sender_check(const KafkaSender *sender, const KafkaMessage *msg)
{
	if (sender->topic == NULL)
		kafka_topic_check_sendable(msg->topic);
	check_partition(sender, msg);
	if (message_size(sender, msg) > sender->max_message)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message for topic \"%s\" is too large", topic_of(sender, msg)),
				 errdetail("It has " INT64_FORMAT " bytes with key and headers, the limit is "
						   INT64_FORMAT ".", message_size(sender, msg), sender->max_message),
				 errhint("Raise \"message_max_bytes\" on the server, and the topic's "
						 "\"max.message.bytes\".")));
}

void
kafka_sender_send(KafkaSender *sender, const KafkaMessage *msg)
{
	kafka_sender_check(sender, msg);
	if (sender->outbox != NO_OUTBOX)
		kafka_outbox_write(sender->outbox, msg, sender->partitioner);
	else if (sender->producer)
		kafka_producer_send(sender->producer, sender->target, msg);
	else
		kafka_pending_add(sender->destination, msg);
}

void
kafka_sender_finish(KafkaSender *sender)
{
	if (sender->producer == NULL)
		return;
	kafka_producer_flush(sender->producer);
	kafka_producer_note_sent(sender->producer);
}

const KafkaReceipt *
kafka_sender_receipt(const KafkaSender *sender)
{
	return sender->producer ? kafka_producer_receipt(sender->producer) : NULL;
}

void
kafka_sender_close(KafkaSender *sender)
{
	if (sender->producer)
		kafka_producer_close(sender->producer);
}

bool
kafka_sender_send_tracked(KafkaSender *sender, const KafkaMessage *msg, KafkaDelivery *delivery)
{
	if (sender->producer == NULL)
		return false;
	kafka_sender_check(sender, msg);
	kafka_producer_send_tracked(sender->producer, sender->target, msg, delivery);
	return true;
}
