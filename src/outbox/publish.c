/*-------------------------------------------------------------------------
 *
 * publish.c
 *	  A tick's rows become messages, with the position as the last record of each transaction.
 *
 * Layer 3.  Rows come one by one (rows.c) and go into librdkafka's queue.  A tick that is larger
 * than a batch takes several Kafka transactions, each with the last row it has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/topic.h"
#include "client/transaction.h"
#include "format/row.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "outbox/relay_internal.h"
#include "outbox/row.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Headers of a message beyond the row's own: its id. */
#define OWN_HEADERS 1
/* How long a topic's number of partitions is believed, ms. */
#define PARTITIONS_MS 5000

/* A topic as this relay's producers send to it. */
typedef struct RelayTopic
{
	char	   *name;
	size_t		name_len;
	KafkaPartitioner partitioner;
	int32		npartitions;
	TimestampTz asked;			/* for npartitions */
	KafkaTarget *targets[KAFKA_RELAY_PRODUCERS];
} RelayTopic;

/* A commit that is under way, and what is published when it has succeeded. */
typedef struct Commit
{
	KafkaProducer *producer;	/* NULL: none is */
	KafkaOutboxPosition position;
	int			rows;
	int64		bytes;
} Commit;

/* The publishing of one tick. */
typedef struct Publisher
{
	KafkaRelay *relay;
	KafkaProducer *producer;	/* of the open transaction, or NULL */
	Commit		commit;			/* of the one before */
	TimestampTz now;			/* when the transaction was begun */
	KafkaOutboxPosition position;	/* when the tick is published whole */
	char	   *whole;			/* the same as Kafka gets it */
	int64		last_row;		/* sent, or published before */
	int			rows;			/* in the open transaction */
	int64		bytes;
	const KafkaRowScan *rows_found;	/* of the tick */
	MemoryContext row_context;	/* reset for each row */
	KafkaHeader *headers;
	int			max_headers;
	char		id[64];
	char	   *id_end;			/* of the outbox's part */
} Publisher;

/* ------------------------------------------------------------------------
 * Kafka's transactions
 * ------------------------------------------------------------------------
 */
/* Its topics are others then. */
static void
reopen_producer(KafkaRelay *relay)
{
	ListCell   *lc;

	foreach(lc, relay->topics)
		((RelayTopic *) lfirst(lc))->targets[relay->turn] = NULL;
	kafka_relay_open_producer(relay, relay->turn);
}

static void
begin_transaction(Publisher *publisher)
{
	KafkaRelay *relay = publisher->relay;

	if (kafka_transaction_is_suspect(relay->producers[relay->turn]))
		reopen_producer(relay);
	publisher->producer = relay->producers[relay->turn];
	kafka_transaction_begin(publisher->producer);
	publisher->now = relay->begun = GetCurrentTimestamp();
	relay->first_row = relay->last_row = 0;
}

/* Waits for the commit that is under way, and takes note of what it has published. */
static void
finish_commit(Publisher *publisher)
{
	KafkaRelay *relay = publisher->relay;
	Commit	   *commit = &publisher->commit;

	if (commit->producer == NULL)
		return;
	kafka_transaction_commit(commit->producer);
	if (!relay->waits)
		kafka_producer_note_sent(commit->producer); /* the session may read what it published */
	commit->producer = NULL;
	relay->position = commit->position;
	relay->progress.messages += commit->rows;
	relay->progress.transactions++;
	pg_atomic_fetch_add_u64(&relay->status->messages, commit->rows);
	pg_atomic_fetch_add_u64(&relay->status->bytes, commit->bytes);
	pg_atomic_fetch_add_u64(&relay->status->transactions, 1);
	pg_atomic_write_u64(&relay->status->published, (uint64) GetCurrentTimestamp());
}

/*
 * Ends the transaction with the position.  All of it has arrived, and
 * so has the commit of the transaction before, when its own is begun; that is awaited by
 * finish_commit, while the next transaction's messages are on their way.  So messages stand in
 * Kafka in their order, and nothing is committed behind something that is not.
 */
static void
commit_transaction(Publisher *publisher, const KafkaOutboxPosition *position, const char *value)
{
	KafkaRelay *relay = publisher->relay;
	Commit		commit = {publisher->producer, *position, publisher->rows, publisher->bytes};

	kafka_position_send(publisher->producer, relay->positions[relay->turn], value);
	kafka_producer_flush(publisher->producer);
	finish_commit(publisher);
	kafka_transaction_commit_start(publisher->producer);
	publisher->commit = commit;
	publisher->producer = NULL;
	publisher->rows = 0;
	publisher->bytes = 0;
	relay->turn = 1 - relay->turn;
}

/* A batch is full: the position is the last row that was sent. */
static void
commit_part(Publisher *publisher)
{
	KafkaOutboxPosition position = publisher->position;

	position.row = publisher->last_row;
	position.highest = Max(publisher->relay->position.highest, publisher->last_row);
	commit_transaction(publisher, &position, kafka_position_encode(&position));
	/* what made batches small may be behind us */
	publisher->relay->batch_divisor = Max(1, publisher->relay->batch_divisor / 2);
}

static bool
is_full(const Publisher *publisher)
{
	int			divisor = publisher->relay->batch_divisor;

	return publisher->rows >= Max(1, kafka_setting_relay_batch_rows / divisor) ||
		publisher->bytes >= (int64) kafka_setting_relay_batch_bytes * 1024 / divisor;
}

/* ------------------------------------------------------------------------
 * Topics
 * ------------------------------------------------------------------------
 */
static RelayTopic *
find_topic(KafkaRelay *relay, KafkaBytes name, KafkaPartitioner partitioner)
{
	ListCell   *lc;

	foreach(lc, relay->topics)
	{
		RelayTopic *topic = (RelayTopic *) lfirst(lc);

		if (topic->partitioner != partitioner || topic->name_len != name.len ||
			memcmp(topic->name, name.data, name.len) != 0)
			continue;
		if (foreach_current_index(lc) > 0)
		{
			relay->topics = foreach_delete_current(relay->topics, lc);
			relay->topics = lcons(topic, relay->topics);
		}
		return topic;
	}
	return NULL;
}

static RelayTopic *
make_topic(KafkaRelay *relay, KafkaBytes name, KafkaPartitioner partitioner)
{
	MemoryContext old = MemoryContextSwitchTo(relay->session);
	RelayTopic *topic = palloc0(sizeof(RelayTopic));

	topic->name = pnstrdup(name.data, name.len);
	topic->name_len = name.len;
	topic->partitioner = partitioner;
	relay->topics = lcons(topic, relay->topics);
	MemoryContextSwitchTo(old);
	return topic;
}

/* This session has sent to the topic, perhaps with another partitioner. */
static bool
was_awaited(const KafkaRelay *relay, const char *name)
{
	ListCell   *lc;

	foreach(lc, relay->topics)
	{
		const RelayTopic *topic = (const RelayTopic *) lfirst(lc);

		if (topic->npartitions > 0 && strcmp(topic->name, name) == 0)
			return true;
	}
	return false;
}

/* The first time that this session sends to it: later, what is open there is our own. */
static void
await_topic(const Publisher *publisher, const char *topic, int32 npartitions)
{
	char		prefix[sizeof(publisher->id)];

	strlcpy(prefix, publisher->id, publisher->id_end - publisher->id + 1);
	kafka_relay_await_topic(publisher->relay, topic, npartitions, prefix, publisher->rows_found);
}

/* Where a row's topic is sent to by the open transaction's producer. */
static KafkaTarget *
target_of(Publisher *publisher, KafkaBytes name, KafkaPartitioner partitioner)
{
	KafkaRelay *relay = publisher->relay;
	RelayTopic *topic = find_topic(relay, name, partitioner);
	int32		npartitions;

	if (topic == NULL)
		topic = make_topic(relay, name, partitioner);
	if (topic->npartitions == 0 ||
		TimestampDifferenceExceeds(topic->asked, publisher->now, PARTITIONS_MS))
	{
		npartitions = kafka_topic_partitions(relay->opts, topic->name, false, true);
		if (topic->npartitions == 0 && !was_awaited(relay, topic->name))
			await_topic(publisher, topic->name, npartitions);
		if (npartitions != topic->npartitions)
			memset(topic->targets, 0, sizeof(topic->targets));
		topic->npartitions = npartitions;
		topic->asked = publisher->now;
	}
	if (topic->targets[relay->turn] == NULL)
		topic->targets[relay->turn] = kafka_producer_target(publisher->producer, topic->name,
															topic->npartitions, partitioner);
	return topic->targets[relay->turn];
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */
static KafkaBytes
bytes_column(TupleTableSlot *slot, int column)
{
	KafkaBytes	bytes = {NULL, 0};
	struct varlena *value;

	if (slot->tts_isnull[column - 1])
		return bytes;
	value = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(slot->tts_values[column - 1]));
	bytes.data = VARDATA_ANY(value);
	bytes.len = VARSIZE_ANY_EXHDR(value);
	return bytes;
}

static void
fill_headers(Publisher *publisher, KafkaBytes packed, int64 row, KafkaMessage *msg)
{
	KafkaHeader *id;
	int			n = 0;

	if (packed.data)
	{
		n = kafka_outbox_unpack_headers(packed.data, packed.len, publisher->headers,
										publisher->max_headers - OWN_HEADERS);
		if (n > publisher->max_headers - OWN_HEADERS)
		{
			publisher->max_headers = n + OWN_HEADERS;
			publisher->headers = repalloc(publisher->headers,
										  sizeof(KafkaHeader) * publisher->max_headers);
			(void) kafka_outbox_unpack_headers(packed.data, packed.len, publisher->headers, n);
		}
	}
	id = &publisher->headers[n];
	id->name = KAFKA_OUTBOX_ID_HEADER;
	id->value.data = publisher->id;
	id->value.len = publisher->id_end - publisher->id + pg_lltoa(row, publisher->id_end);
	msg->headers = publisher->headers;
	msg->nheaders = n + OWN_HEADERS;
}

static void
tell_row(void *arg)
{
	const Publisher *publisher = (const Publisher *) arg;

	errcontext("publishing row " INT64_FORMAT " of outbox \"%s\"", publisher->last_row,
			   publisher->relay->outbox.name);
}

/* librdkafka would wait for the partition to come. */
static void
check_partition(const Publisher *publisher, const KafkaMessage *msg)
{
	const RelayTopic *topic = (const RelayTopic *) linitial(publisher->relay->topics);

	if (msg->partition < topic->npartitions)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("partition %d of topic \"%s\" does not exist", msg->partition, topic->name),
			 errdetail_plural("The topic has %d partition, number 0.",
							  "The topic has %d partitions, numbered from 0.",
							  topic->npartitions, topic->npartitions)));
}

static void
send_row(Publisher *publisher, TupleTableSlot *slot)
{
	KafkaMessage msg = {.offset = KAFKA_UNKNOWN};
	KafkaPartitioner partitioner = (KafkaPartitioner) publisher->relay->opts->partitioner;
	KafkaBytes	headers = bytes_column(slot, KAFKA_ROW_HEADERS);
	KafkaTarget *target;

	publisher->last_row = DatumGetInt64(slot->tts_values[KAFKA_ROW_ID - 1]);
	if (!slot->tts_isnull[KAFKA_ROW_PARTITIONER - 1])
		partitioner = (KafkaPartitioner) DatumGetInt16(slot->tts_values[KAFKA_ROW_PARTITIONER - 1]);
	msg.key = bytes_column(slot, KAFKA_ROW_KEY);
	msg.value = bytes_column(slot, KAFKA_ROW_VALUE);
	msg.partition = slot->tts_isnull[KAFKA_ROW_PARTITION - 1] ? KAFKA_PARTITION_ANY :
		DatumGetInt32(slot->tts_values[KAFKA_ROW_PARTITION - 1]);
	msg.timestamp = slot->tts_isnull[KAFKA_ROW_TS - 1] ? KAFKA_UNKNOWN :
		kafka_timestamp_ms(slot->tts_values[KAFKA_ROW_TS - 1]);
	fill_headers(publisher, headers, publisher->last_row, &msg);
	publisher->relay->last_row = publisher->last_row;
	if (publisher->relay->first_row == 0)
		publisher->relay->first_row = publisher->last_row;
	target = target_of(publisher, bytes_column(slot, KAFKA_ROW_TOPIC), partitioner);
	check_partition(publisher, &msg);
	kafka_producer_send(publisher->producer, target, &msg);
	publisher->rows++;
	publisher->bytes += msg.key.len + msg.value.len + headers.len;
}

/* False: it was not sent, the host wants to stop. */
static bool
publish_row(Publisher *publisher, TupleTableSlot *slot)
{
	MemoryContext old;

	if (publisher->producer && is_full(publisher))
	{
		commit_part(publisher);
		if (publisher->relay->host->should_stop())
			return false;
	}
	if (publisher->producer == NULL)
		begin_transaction(publisher);
	old = MemoryContextSwitchTo(publisher->row_context);
	MemoryContextReset(publisher->row_context);
	send_row(publisher, slot);
	MemoryContextSwitchTo(old);
	return true;
}

/* With all its rows found, what the highest id is. */
static void
prepare_position(Publisher *publisher, int64 highest)
{
	publisher->position.highest = Max(publisher->position.highest, highest);
	publisher->whole = kafka_position_encode(&publisher->position);
}

/*
 * The position follows the last row at once: librdkafka tells the cluster of all partitions that a
 * transaction has met so far in one request, and of the next one in another.
 */
static bool
publish_rows(Publisher *publisher, const KafkaXidRanges *ranges, int64 after)
{
	bool		complete = true;
	ErrorContextCallback callback = {.callback = tell_row, .arg = publisher};
	KafkaRowScan *scan = kafka_rows_begin(publisher->relay->outbox.id, ranges, after);
	TupleTableSlot *slot;

	publisher->rows_found = scan;
	prepare_position(publisher, kafka_rows_highest(scan, 0));
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	while (complete && (slot = kafka_rows_next(scan)) != NULL)
		complete = publish_row(publisher, slot);
	error_context_stack = callback.previous;
	if (complete && publisher->last_row > publisher->position.highest)
		prepare_position(publisher, publisher->last_row);
	if (complete && publisher->producer == NULL)
		begin_transaction(publisher);	/* the position still has to move */
	if (complete)
		commit_transaction(publisher, &publisher->position, publisher->whole);
	kafka_rows_end(scan);
	return complete;
}

static void
init_publisher(Publisher *publisher, KafkaRelay *relay, const KafkaOutboxPosition *position)
{
	char	   *uuid = DatumGetCString(DirectFunctionCall1(uuid_out,
														   UUIDPGetDatum(&relay->outbox.uuid)));

	memset(publisher, 0, sizeof(*publisher));
	publisher->relay = relay;
	publisher->position = *position;
	publisher->position.claim = relay->claim;
	publisher->position.incarnation = relay->self;
	publisher->row_context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw relay row",
												   ALLOCSET_DEFAULT_SIZES);
	publisher->max_headers = 16;
	publisher->headers = palloc(sizeof(KafkaHeader) * publisher->max_headers);
	publisher->id_end = publisher->id +
		snprintf(publisher->id, sizeof(publisher->id), "%s/", uuid);
}

/* The last row of this tick that is published already; -1: none. */
static int64
published_row(const KafkaRelay *relay, const KafkaTick *tick)
{
	return relay->position.tick == tick->tick ? relay->position.row : -1;
}

bool
kafka_relay_publish(KafkaRelay *relay, const KafkaTick *tick)
{
	MemoryContext context = AllocSetContextCreate(relay->session, "kafka_fdw relay tick",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Publisher	publisher;
	KafkaXidRanges ranges = kafka_snapshot_between(&relay->base.snapshot, &tick->snapshot);
	KafkaOutboxPosition whole = {.tick = tick->tick, .token = tick->token,
	.row = KAFKA_WHOLE_TICK, .highest = relay->position.highest};
	bool		complete;

	init_publisher(&publisher, relay, &whole);
	complete = publish_rows(&publisher, &ranges, published_row(relay, tick));
	finish_commit(&publisher);
	if (complete)
	{
		kafka_relay_set_base(relay, tick);
		relay->progress.acknowledged = tick->tick;
		relay->recorded = false;
		pg_atomic_write_u64(&relay->status->tick, (uint64) tick->tick);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return complete;
}

void
kafka_relay_write_position(KafkaRelay *relay)
{
	Publisher	publisher;

	init_publisher(&publisher, relay, &relay->position);
	prepare_position(&publisher, 0);
	begin_transaction(&publisher);
	commit_transaction(&publisher, &publisher.position, publisher.whole);
	finish_commit(&publisher);
	MemoryContextDelete(publisher.row_context);
}
