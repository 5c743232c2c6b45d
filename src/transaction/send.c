/*-------------------------------------------------------------------------
 *
 * send.c
 *	  Sending in a delivery mode, and the end of the transaction.
 *
 * Layer 3.  The route of a message that is written: kafkaExecForeignInsert or
 * kafka.produce -> kafka_sender_send -> (before_commit: pending.c until PRE_COMMIT) ->
 * kafka_producer_send (client/producer.c) -> its delivery report -> kafka_producer_flush.
 *
 * before_commit, in PRE_COMMIT:
 *	 phase 1  one Kafka transaction per server and user: send all, see every report;
 *	 phase 2  commit them, last of all.
 * A failure in phase 1 rolls PostgreSQL back and aborts in Kafka: nothing is visible.  In
 * phase 2 a transaction may be committed already, or its outcome unknown: the error says
 * so in its context.  PostgreSQL can still fail afterwards (a serialization failure,
 * another extension): that is the mode's documented weakness.
 *
 * The COMMIT and ABORT callbacks only drop memory: an error there would take the server
 * down.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/property.h"
#include "client/topic.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "transaction/pending.h"
#include "transaction/send.h"
#include "utils/memutils.h"

/* Most that a record's own fields take beside key, value and headers. */
#define MESSAGE_OVERHEAD 36

/* One Kafka transaction: a server as a user. */
typedef struct SendGroup
{
	KafkaOptions *opts;
	KafkaProducer *producer;	/* from PRE_COMMIT on */
	bool		committed;
} SendGroup;

/* A topic that this transaction sends to. */
typedef struct Destination
{
	SendGroup  *group;
	char	   *topic;
	int32		npartitions;
	KafkaPartitioner partitioner;
	KafkaTarget *target;		/* from PRE_COMMIT on */
} Destination;

struct KafkaSender
{
	const char *topic;
	int32		npartitions;
	int64		max_message;	/* bytes, as message_size() counts them */
	int			destination;	/* before_commit: number of it; else -1 */
	KafkaProducer *producer;	/* immediate */
	KafkaTarget *target;
};

/* Of the transaction; they live in TopTransactionContext. */
static List *groups;
static List *destinations;
static bool ending;				/* PRE_COMMIT has begun: no more sends */

/* ------------------------------------------------------------------------
 * Senders
 * ------------------------------------------------------------------------
 */
KafkaDeliveryMode
kafka_delivery_mode(int mode)
{
	return mode == KAFKA_DELIVERY_UNSET ? kafka_setting_delivery : mode;
}

static SendGroup *
find_group(const KafkaOptions *opts)
{
	ListCell   *lc;
	SendGroup  *group;

	foreach(lc, groups)
	{
		group = (SendGroup *) lfirst(lc);
		if (group->opts->serverid == opts->serverid && group->opts->userid == opts->userid)
			return group;
	}
	group = palloc0(sizeof(SendGroup));
	group->opts = kafka_options_of_server(opts->serverid, opts->userid);
	groups = lappend(groups, group);
	return group;
}

/* The number of the transaction's destination for a topic; made where it is new. */
static int
find_destination(const KafkaOptions *opts, const char *topic, int32 npartitions)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	SendGroup  *group = find_group(opts);
	Destination *destination;
	ListCell   *lc;
	int			number = 0;

	foreach(lc, destinations)
	{
		destination = (Destination *) lfirst(lc);
		if (destination->group == group && strcmp(destination->topic, topic) == 0 &&
			destination->partitioner == (KafkaPartitioner) opts->partitioner)
			break;
		number++;
	}
	if (lc == NULL)
	{
		destination = palloc0(sizeof(Destination));
		destination->group = group;
		destination->topic = pstrdup(topic);
		destination->partitioner = opts->partitioner;
		destinations = lappend(destinations, destination);
	}
	destination->npartitions = npartitions;
	MemoryContextSwitchTo(old);
	return number;
}

static void
check_mode(KafkaDeliveryMode mode)
{
	if (mode != KAFKA_DELIVERY_BEFORE_COMMIT && mode != KAFKA_DELIVERY_IMMEDIATE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("delivery \"%s\" is not available in this version",
						kafka_option_word(kafka_delivery_modes, mode)),
				 errhint("Use \"before_commit\" or \"immediate\".")));
	/* a function wrongly marked parallel safe: a worker's messages would be forgotten */
	PreventCommandIfParallelMode("a send to Kafka");
	if (ending)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot send to Kafka while the transaction is ending")));
}

KafkaSender *
kafka_sender_open(const KafkaOptions *opts, const char *topic, KafkaDeliveryMode mode)
{
	KafkaSender *sender = palloc0(sizeof(KafkaSender));

	check_mode(mode);
	sender->topic = pstrdup(topic);
	sender->max_message = kafka_property_max_message(opts);
	sender->destination = -1;
	sender->npartitions = kafka_topic_partitions(opts, topic, false, true);
	if (mode == KAFKA_DELIVERY_IMMEDIATE)
	{
		sender->producer = kafka_producer_open(opts, false);
		sender->target = kafka_producer_target(sender->producer, topic, sender->npartitions,
											   opts->partitioner);
	}
	else
	{
		/* options that this mode cannot honour are the statement's error */
		(void) kafka_property_collect(opts, KAFKA_ROLE_TRANSACTIONAL);
		sender->destination = find_destination(opts, topic, sender->npartitions);
	}
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

/* As librdkafka counts it against message.max.bytes (rd_kafka_msg_max_wire_size). */
static int64
message_size(const KafkaMessage *msg)
{
	int64		size = MESSAGE_OVERHEAD + (int64) msg->key.len + (int64) msg->value.len;

	for (int i = 0; i < msg->nheaders; i++)
	{
		size_t		name_len = strlen(msg->headers[i].name);

		size += varint_size(name_len) + (int64) name_len +
			varint_size(msg->headers[i].value.len) + (int64) msg->headers[i].value.len;
	}
	return size;
}

static void
check_message(const KafkaSender *sender, const KafkaMessage *msg)
{
	if (msg->partition != KAFKA_PARTITION_ANY &&
		(msg->partition < 0 || msg->partition >= sender->npartitions))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("partition %d of topic \"%s\" does not exist", msg->partition,
						sender->topic),
				 errdetail_plural("The topic has %d partition, number 0.",
								  "The topic has %d partitions, numbered from 0.",
								  sender->npartitions, sender->npartitions)));
	if (message_size(msg) > sender->max_message)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message for topic \"%s\" is too large", sender->topic),
				 errdetail("It has " INT64_FORMAT " bytes with key and headers, the limit is "
						   INT64_FORMAT ".", message_size(msg), sender->max_message),
				 errhint("Raise \"message_max_bytes\" on the server, and the topic's "
						 "\"max.message.bytes\".")));
}

void
kafka_sender_send(KafkaSender *sender, const KafkaMessage *msg)
{
	check_message(sender, msg);
	if (sender->producer)
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

/* ------------------------------------------------------------------------
 * The end of the transaction
 * ------------------------------------------------------------------------
 */
static void
send_pending(void)
{
	KafkaMessage msg;
	int			number;

	kafka_pending_rewind();
	while (kafka_pending_next(&number, &msg))
	{
		Destination *destination = list_nth(destinations, number);
		SendGroup  *group = destination->group;

		if (group->producer == NULL)
		{
			group->producer = kafka_producer_open(group->opts, true);
			kafka_producer_begin(group->producer);
		}
		if (destination->target == NULL)
			destination->target = kafka_producer_target(group->producer, destination->topic,
														destination->npartitions,
														destination->partitioner);
		kafka_producer_send(group->producer, destination->target, &msg);
	}
}

static void
commit_context(void *arg)
{
	const SendGroup *current = (const SendGroup *) arg;
	ListCell   *lc;

	foreach(lc, groups)
	{
		SendGroup  *group = (SendGroup *) lfirst(lc);

		if (group->committed)
			errcontext("messages sent through server \"%s\" are visible in Kafka already",
					   group->opts->server_name);
	}
	errcontext("committing the Kafka transaction of server \"%s\"; its messages may become "
			   "visible", current->opts->server_name);
}

static void
commit_group(SendGroup *group)
{
	ErrorContextCallback callback = {.callback = commit_context, .arg = group};

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	kafka_producer_commit(group->producer);
	group->committed = true;
	error_context_stack = callback.previous;
}

static void
flush_and_commit(void)
{
	ListCell   *lc;

	foreach(lc, groups)
		if (((SendGroup *) lfirst(lc))->producer)
			kafka_producer_flush(((SendGroup *) lfirst(lc))->producer);
	foreach(lc, groups)
		if (((SendGroup *) lfirst(lc))->producer)
			commit_group((SendGroup *) lfirst(lc));
	foreach(lc, groups)
	{
		SendGroup  *group = (SendGroup *) lfirst(lc);

		if (group->producer == NULL)
			continue;
		kafka_producer_note_sent(group->producer);
		kafka_producer_close(group->producer);
	}
}

/* Tells Kafka at once, so that readers are not held until the transaction's time-out. */
static void
abort_groups(void)
{
	ListCell   *lc;

	foreach(lc, groups)
	{
		SendGroup  *group = (SendGroup *) lfirst(lc);

		if (group->producer == NULL || group->committed)
			continue;
		kafka_producer_close(group->producer);
	}
}

static void
before_commit(void)
{
	MemoryContext old;

	ending = true;				/* a callback that runs after ours comes too late */
	if (kafka_pending_count() == 0)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	PG_TRY();
	{
		send_pending();
		flush_and_commit();
	}
	PG_CATCH();
	{
		abort_groups();
		PG_RE_THROW();
	}
	PG_END_TRY();
	kafka_pending_close();
	MemoryContextSwitchTo(old);
}

static void
refuse_prepare(void)
{
	if (kafka_pending_count() > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has sent messages to Kafka"),
				 errhint("Use delivery \"immediate\", or COMMIT.")));
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			before_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			kafka_pending_forget();
			groups = NIL;
			destinations = NIL;
			ending = false;
			break;
		default:
			break;
	}
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent,
				  void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		kafka_pending_subabort(level);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		kafka_pending_subcommit(level);
}

void
kafka_send_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}
