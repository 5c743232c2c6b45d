/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  Nothing of what is about to be sent may be in Kafka already, in a transaction that is open.
 *
 * Layer 3.  A relay that begins has fenced its predecessors, so their transactions are aborted: Kafka
 * writes a marker into each partition.  A broker that was killed can forget one (seen with Kafka 4.3
 * and a single node).  The records stay there as open, and the next transaction of the same producer
 * id commits them with its own: every row twice, without an error.  So the first time that a relay
 * sends to a topic it looks at what readers do not see yet, between the last stable offset and the
 * end.  If rows are there that it is about to send, it waits; Kafka's own tool ends such a
 * transaction.  Open transactions of others are none of its business.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/consumer.h"
#include "client/topic.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "outbox/relay_internal.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define PAUSE_MS 20
/* Records that one look is likely to see; it sees all there are. */
#define FEW 100

/* The row that a message says it is, if it is of this outbox; else KAFKA_UNKNOWN. */
static int64
row_of(const KafkaMessage *msg, const char *id_prefix)
{
	size_t		prefix_len = strlen(id_prefix);

	for (int i = 0; i < msg->nheaders; i++)
	{
		const KafkaHeader *header = &msg->headers[i];
		char		digits[24] = "";

		if (strcmp(header->name, KAFKA_OUTBOX_ID_HEADER) != 0 || header->value.data == NULL ||
			header->value.len <= prefix_len ||
			header->value.len - prefix_len >= sizeof(digits) ||
			memcmp(header->value.data, id_prefix, prefix_len) != 0)
			continue;
		memcpy(digits, header->value.data + prefix_len, header->value.len - prefix_len);
		return strtoll(digits, NULL, 10);
	}
	return KAFKA_UNKNOWN;
}

/* Is one of the rows to be sent among these records? */
static bool
has_rows(const KafkaOptions *uncommitted, const char *topic, const KafkaRange *range,
		 const char *id_prefix, const KafkaRowScan *rows)
{
	KafkaConsumer *consumer = kafka_consumer_open(uncommitted, topic, range, 1, FEW);
	KafkaMessage msg;
	bool		found = false;

	while (!found && kafka_consumer_next(consumer, &msg))
		found = kafka_rows_have(rows, row_of(&msg, id_prefix));
	kafka_consumer_close(consumer);
	return found;
}

/* The first partition in which rows are neither committed nor aborted; KAFKA_UNKNOWN: none. */
static int32
find_open(const KafkaOptions *opts, const char *topic, int32 npartitions, const char *id_prefix,
		  const KafkaRowScan *rows)
{
	const KafkaOptions *uncommitted = kafka_position_uncommitted(opts);
	int64	   *stable = palloc(sizeof(int64) * npartitions);
	int64	   *ends = palloc(sizeof(int64) * npartitions);

	kafka_topic_offsets(uncommitted, topic, KAFKA_OFFSET_END, NULL, npartitions, ends);
	kafka_topic_offsets(kafka_position_committed(opts), topic, KAFKA_OFFSET_END, NULL,
						npartitions, stable);
	for (int32 i = 0; i < npartitions; i++)
	{
		KafkaRange	range = {.partition = i, .start = stable[i], .end = ends[i]};

		if (range.start < range.end && has_rows(uncommitted, topic, &range, id_prefix, rows))
			return i;
	}
	return KAFKA_UNKNOWN;
}

void
kafka_relay_await_topic(const KafkaRelay *relay, const char *topic, int32 npartitions,
						const char *id_prefix, const KafkaRowScan *rows)
{
	TimestampTz begin = GetCurrentTimestamp();
	int32		partition;

	while ((partition = find_open(relay->opts, topic, npartitions, id_prefix, rows)) !=
		   KAFKA_UNKNOWN)
	{
		if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), kafka_setting_commit_timeout))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
					 errmsg("a transaction stays open in topic \"%s\" partition %d", topic,
							partition),
					 errdetail("It has rows of outbox \"%s\" that are not published. Waited for %d ms.",
							   relay->outbox.name, kafka_setting_commit_timeout),
					 errhint(KAFKA_HANGING_HINT)));
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, PAUSE_MS, PG_WAIT_EXTENSION);
		CHECK_FOR_INTERRUPTS();
	}
}
