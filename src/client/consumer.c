/*-------------------------------------------------------------------------
 *
 * consumer.c
 *	  Bounded reading of offset ranges.
 *
 * Layer 1.  Uses librdkafka's simple consumer (rd_kafka_consume_start_queue): it needs no
 * group, no coordinator and no group ACL, and starts at an absolute offset in 1 to 2 ms,
 * where assigning "beginning" costs half a second.
 *
 * A range is done by position: a message at or behind its last offset, or the end-of-
 * partition event at or behind its end.  Never by time.  When nothing arrives for a while
 * the consumer asks the cluster for the partition's offsets again: a topic that was deleted or
 * truncated is an error, a broker that does not answer too, a slow one is waited for.  A topic
 * that was made anew is noticed by its offsets only: librdkafka before 2.3 shows no topic id.
 *
 * Before 2.2 librdkafka stops fetching for up to a second whenever its queue is full; it is
 * woken when the queue has emptied by half, and when nothing comes at first (poke.c).
 *
 * Every rd_kafka_message_t is freed before the handle is given back, on all paths:
 * librdkafka waits for ever for one that is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/consumer.h"
#include "client/error.h"
#include "client/message_fill.h"
#include "client/poke.h"
#include "client/topic.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "utils/memutils.h"

/* Messages taken from librdkafka's queue at a time. */
#define BATCH_SIZE 500
/* Silence after which the cluster is asked whether the end can still be reached. */
#define DOUBT_MS 2000
/* Offsets that the broker does not have, and has when asked again. */
#define MAX_ODD_RANGES 10
/* So often, and the handle is to blame: it may remember an older topic of that name. */
#define START_OVER_DOUBTS 3
/* Silence after which a librdkafka that sleeps on full queues is woken. */
#define SHORT_SLICE_MS 5
/* A consumer that is to read no more than this fetches little at a time. */
#define PICKED_MESSAGES 500
/* A gap between two ranges that is cheaper to read through than to jump over. */
#define JUMP_OFFSETS 2000
#define JUMP_BYTES (200 * 1024)

/* One partition with its ranges, one after the other. */
typedef struct PartitionScan
{
	int32		partition;
	bool		started;		/* librdkafka fetches it */
	bool		done;
	const KafkaRange *range;	/* the current one */
	const KafkaRange *last;		/* the partition's last one */
	int64		position;		/* next offset to be seen */
} PartitionScan;

struct KafkaConsumer
{
	const KafkaOptions *opts;
	char	   *topic;
	KafkaRole	role;
	KafkaHandle *handle;
	rd_kafka_topic_t *rkt;
	rd_kafka_queue_t *queue;
	KafkaRange *ranges;
	PartitionScan *scans;		/* by partition, ascending */
	int			nscans;
	int			nopen;			/* scans that are not done */

	rd_kafka_message_t *batch[BATCH_SIZE];
	int			nbatch;
	int			next;			/* in batch; the one before it is the caller's */

	KafkaPoke	poke;
	int			odd_ranges;		/* offsets that were missing, and then were not */

	KafkaMessageFiller filler;
	KafkaConsumerStats stats;
	MemoryContextCallback callback;
};

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */
static void
free_batch(KafkaConsumer *consumer)
{
	for (int i = 0; i < consumer->nbatch; i++)
		if (consumer->batch[i])
			rd_kafka_message_destroy(consumer->batch[i]);
	consumer->nbatch = consumer->next = 0;
}

static void
stop_partition(KafkaConsumer *consumer, PartitionScan *scan)
{
	if (scan->started)
		rd_kafka_consume_stop(consumer->rkt, scan->partition);
	scan->started = false;
}

/* Lets go of everything of librdkafka's. */
static void
detach(void *arg)
{
	KafkaConsumer *consumer = (KafkaConsumer *) arg;

	free_batch(consumer);
	kafka_poke_end(&consumer->poke);
	for (int i = 0; i < consumer->nscans; i++)
		stop_partition(consumer, &consumer->scans[i]);
	if (consumer->queue)
		rd_kafka_queue_destroy(consumer->queue);
	consumer->queue = NULL;
	if (consumer->rkt)
		rd_kafka_topic_destroy(consumer->rkt);
	consumer->rkt = NULL;
	consumer->handle = NULL;
}

void
kafka_consumer_close(KafkaConsumer *consumer)
{
	KafkaHandle *handle = consumer->handle;

	if (handle == NULL)
		return;
	detach(consumer);
	kafka_handle_release(handle);
}

static void
close_callback(void *arg)
{
	kafka_consumer_close((KafkaConsumer *) arg);
}

/* Groups the ranges by partition; empty ones are dropped here. */
static void
plan_scans(KafkaConsumer *consumer, const KafkaRange *ranges, int nranges)
{
	consumer->ranges = palloc(sizeof(KafkaRange) * Max(nranges, 1));
	consumer->scans = palloc0(sizeof(PartitionScan) * Max(nranges, 1));
	for (int i = 0, n = 0; i < nranges; i++)
	{
		PartitionScan *scan = &consumer->scans[consumer->nscans - 1];

		if (ranges[i].start >= ranges[i].end)
			continue;
		consumer->ranges[n] = ranges[i];
		if (consumer->nscans == 0 || scan->partition != ranges[i].partition)
		{
			scan = &consumer->scans[consumer->nscans++];
			scan->partition = ranges[i].partition;
			scan->range = &consumer->ranges[n];
			scan->position = scan->range->start;
		}
		scan->last = &consumer->ranges[n++];
	}
	consumer->nopen = consumer->nscans;
}

static void
start_partition(KafkaConsumer *consumer, PartitionScan *scan)
{
	KafkaPlace	place = {.doing = "could not start to read", .topic = consumer->topic,
	.partition = scan->partition, .has_partition = true};

	if (rd_kafka_consume_start_queue(consumer->rkt, scan->partition, scan->position,
									 consumer->queue) != 0)
		kafka_error_throw(consumer->handle, rd_kafka_last_error(), NULL, &place);
	scan->started = true;
}

/* Takes a handle and fetches what is still to be read. */
static void
attach(KafkaConsumer *consumer)
{
	KafkaPlace	place = {.doing = "could not open the topic", .topic = consumer->topic};

	consumer->handle = kafka_handle_acquire(consumer->opts, consumer->role, NULL);
	consumer->handle->owner = consumer;
	consumer->handle->detach = detach;
	kafka_handle_forget_errors(consumer->handle);
	consumer->rkt = rd_kafka_topic_new(consumer->handle->rk, consumer->topic, NULL);
	if (consumer->rkt == NULL)
		kafka_error_throw(consumer->handle, rd_kafka_last_error(), NULL, &place);
	kafka_topic_introduce(consumer->handle, consumer->topic);
	consumer->queue = rd_kafka_queue_new(consumer->handle->rk);
	for (int i = 0; i < consumer->nscans; i++)
		if (!consumer->scans[i].done)
			start_partition(consumer, &consumer->scans[i]);
}

/* The same with a handle that remembers nothing. */
static void
start_over(KafkaConsumer *consumer)
{
	consumer->handle->stale = true;
	kafka_consumer_close(consumer);
	attach(consumer);
}

/* It turned out to read more than was expected: on with larger fetches. */
static void
stop_picking(KafkaConsumer *consumer)
{
	kafka_consumer_close(consumer);
	consumer->role = KAFKA_ROLE_CONSUMER;
	attach(consumer);
}

KafkaConsumer *
kafka_consumer_open(const KafkaOptions *opts, const char *topic, const KafkaRange *ranges,
					int nranges, int64 expected)
{
	KafkaConsumer *consumer = palloc0(sizeof(KafkaConsumer));

	consumer->opts = opts;
	consumer->topic = pstrdup(topic);
	consumer->filler.context = CurrentMemoryContext;
	kafka_poke_init(&consumer->poke);
	consumer->role = expected <= PICKED_MESSAGES ? KAFKA_ROLE_PICKER : KAFKA_ROLE_CONSUMER;
	plan_scans(consumer, ranges, nranges);
	if (consumer->nscans == 0)
		return consumer;
	consumer->callback.func = close_callback;
	consumer->callback.arg = consumer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &consumer->callback);
	attach(consumer);
	return consumer;
}

/* ------------------------------------------------------------------------
 * Progress by position
 * ------------------------------------------------------------------------
 */
static PartitionScan *
find_scan(KafkaConsumer *consumer, int32 partition)
{
	int			low = 0;
	int			high = consumer->nscans - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;

		if (consumer->scans[mid].partition == partition)
			return &consumer->scans[mid];
		if (consumer->scans[mid].partition < partition)
			low = mid + 1;
		else
			high = mid - 1;
	}
	return NULL;
}

/* What is jumped over need not be fetched, but starting anew has its price. */
static bool
is_worth_jumping(const KafkaConsumer *consumer, int64 gap)
{
	const KafkaConsumerStats *stats = &consumer->stats;

	return gap > JUMP_OFFSETS ||
		(stats->messages > 0 && gap * (stats->bytes / stats->messages) > JUMP_BYTES);
}

/* The position has moved: on to the next range, or the partition is done. */
static void
advance(KafkaConsumer *consumer, PartitionScan *scan)
{
	while (scan->position >= scan->range->end)
	{
		if (scan->range == scan->last)
		{
			stop_partition(consumer, scan);
			scan->done = true;
			consumer->nopen--;
			return;
		}
		scan->range++;
		if (is_worth_jumping(consumer, scan->range->start - scan->position))
		{
			stop_partition(consumer, scan);
			scan->position = scan->range->start;
			start_partition(consumer, scan);
		}
	}
}

/* Offsets that are gone, or not there yet: all that is known is in the error. */
static KAFKA_NORETURN void
throw_out_of_range(KafkaConsumer *consumer, PartitionScan *scan, int64 low, int64 end)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("offset " INT64_FORMAT " of topic \"%s\" partition %d is no longer there",
					scan->position, consumer->topic, scan->partition),
			 errdetail("The partition now holds offsets from " INT64_FORMAT " to before "
					   INT64_FORMAT "; the scan was to end before " INT64_FORMAT ".",
					   low, end, scan->last->end),
			 end < scan->last->end ?
			 errhint("The topic was made anew or truncated while it was read.") :
			 errhint("Messages were removed while the topic was read; with the table's option "
					 "on_missing 'earliest' a scan goes on behind them.")));
}

/* Goes on with the first offset that is still there, where that is allowed. */
static void
skip_missing(KafkaConsumer *consumer, PartitionScan *scan, int64 low, int64 end)
{
	if (consumer->opts->on_missing != KAFKA_ON_MISSING_EARLIEST)
		throw_out_of_range(consumer, scan, low, end);
	ereport(WARNING,
			(errmsg("offsets " INT64_FORMAT " to " INT64_FORMAT " of topic \"%s\" partition %d "
					"were removed while it was read", scan->position,
					Min(low, scan->last->end) - 1, consumer->topic, scan->partition)));
	stop_partition(consumer, scan);
	scan->position = low;
	advance(consumer, scan);
	if (!scan->done && !scan->started)
		start_partition(consumer, scan);
}

/* Asks what is there; true if the scan of the partition was in order. */
static bool
check_partition(KafkaConsumer *consumer, PartitionScan *scan)
{
	int64		low;
	int64		end;

	kafka_topic_offsets(consumer->opts, consumer->topic, KAFKA_OFFSET_LOW,
						&scan->partition, 1, &low);
	kafka_topic_offsets(consumer->opts, consumer->topic, KAFKA_OFFSET_END,
						&scan->partition, 1, &end);
	if (end < scan->last->end)
		throw_out_of_range(consumer, scan, low, end);
	if (low <= scan->position)
		return true;
	skip_missing(consumer, scan, low, end);
	return false;
}

/* The broker does not have the offset; it may be there again by the time that is asked. */
static void
handle_out_of_range(KafkaConsumer *consumer, PartitionScan *scan)
{
	if (!check_partition(consumer, scan))
		return;
	if (++consumer->odd_ranges > MAX_ODD_RANGES)
		throw_out_of_range(consumer, scan, scan->position, scan->last->end);
	stop_partition(consumer, scan);
	start_partition(consumer, scan);
}

static void
handle_event(KafkaConsumer *consumer, PartitionScan *scan, const rd_kafka_message_t *rkm)
{
	KafkaPlace	place = {.doing = "could not read from Kafka", .topic = consumer->topic,
	.partition = rkm->partition, .has_partition = true};

	if (rkm->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
	{
		/* below the pinned end it only means that the broker is behind: go on */
		if (scan && !scan->done && scan->started && rkm->offset >= scan->position)
		{
			scan->position = rkm->offset;
			advance(consumer, scan);
		}
		return;
	}
	if (kafka_error_is_transient(rkm->err))
		return;
	if (scan && (rkm->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
				 rkm->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE))
	{
		/* one that comes late, from before the partition was stopped, tells nothing */
		if (!scan->done && scan->started)
			handle_out_of_range(consumer, scan);
		return;
	}
	kafka_error_throw(consumer->handle, rkm->err, rd_kafka_message_errstr(rkm), &place);
}

/*
 * True if the message belongs to a range.  Messages of a partition that was stopped or
 * that lie between two ranges are dropped.
 */
static bool
take_message(KafkaConsumer *consumer, PartitionScan *scan, const rd_kafka_message_t *rkm)
{
	bool		wanted;

	if (scan == NULL || scan->done || rkm->offset < scan->position)
		return false;
	scan->position = rkm->offset;
	advance(consumer, scan);	/* it may lie behind the range's end */
	if (scan->done || rkm->offset < scan->position)
		return false;
	wanted = rkm->offset >= scan->range->start;
	scan->position = rkm->offset + 1;
	/* the last one: nothing more needs to come */
	if (scan->position >= scan->range->end)
		advance(consumer, scan);
	return wanted;
}

/* ------------------------------------------------------------------------
 * Waiting for the next batch
 * ------------------------------------------------------------------------
 */

/* Raises if a partition can no longer reach its end. */
static void
check_reachable(KafkaConsumer *consumer)
{
	for (int i = 0; i < consumer->nscans; i++)
		if (!consumer->scans[i].done)
			(void) check_partition(consumer, &consumer->scans[i]);
}

static int
take_batch(KafkaConsumer *consumer, int timeout_ms, int max)
{
	KafkaPlace	place = {.doing = "could not read from Kafka", .topic = consumer->topic};
	ssize_t		n = rd_kafka_consume_batch_queue(consumer->queue, timeout_ms, consumer->batch,
												 max);

	if (n < 0)
		kafka_error_throw(consumer->handle, rd_kafka_last_error(), NULL, &place);
	return (int) n;
}

static void
poke(KafkaConsumer *consumer)
{
	rd_kafka_topic_partition_list_t *partitions;

	if (!kafka_poke_is_idle(&consumer->poke))
		return;
	partitions = rd_kafka_topic_partition_list_new(consumer->nscans);
	for (int i = 0; i < consumer->nscans; i++)
		if (!consumer->scans[i].done)
			rd_kafka_topic_partition_list_add(partitions, consumer->topic,
											  consumer->scans[i].partition)->offset = RD_KAFKA_OFFSET_END;
	kafka_poke_send(&consumer->poke, consumer->handle, partitions);
}

static void
wait_for_batch(KafkaConsumer *consumer)
{
	KafkaPlace	place = {.doing = "could not read from Kafka", .topic = consumer->topic};
	KafkaWait	wait;
	instr_time	begin;
	instr_time	end;
	int			slice = consumer->poke.needed ? SHORT_SLICE_MS : KAFKA_SLICE_MS;
	int			doubts = 0;

	INSTR_TIME_SET_CURRENT(begin);
	/* no limit of its own: check_reachable has one, and a slow broker is waited for */
	kafka_wait_start(&wait, consumer->handle, &place, INT_MAX, "kafka_fdw.connect_timeout");
	for (;;)
	{
		/* with a time-out this call waits for a full array: so one message, then the rest */
		consumer->nbatch = take_batch(consumer, slice, 1);
		if (consumer->nbatch > 0)
			break;
		kafka_wait_check(&wait);
		/* the thread may still sleep on the queue of the scan before */
		if (slice == SHORT_SLICE_MS)
			poke(consumer);
		slice = KAFKA_SLICE_MS;
		if (kafka_wait_elapsed(&wait) > DOUBT_MS)
		{
			check_reachable(consumer);
			if (consumer->nopen == 0)
				break;
			if (++doubts % START_OVER_DOUBTS == 0)
			{
				start_over(consumer);
				wait.handle = consumer->handle;
			}
			kafka_wait_progress(&wait);
		}
	}
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, begin);
	consumer->stats.wait_ms += INSTR_TIME_GET_MILLISEC(end);
}

static void
fetch_batch(KafkaConsumer *consumer)
{
	free_batch(consumer);
	if (consumer->role == KAFKA_ROLE_PICKER && consumer->stats.messages > PICKED_MESSAGES)
		stop_picking(consumer);
	consumer->nbatch = take_batch(consumer, 0, BATCH_SIZE);
	kafka_handle_serve(consumer->handle);
	if (kafka_poke_is_due(&consumer->poke, rd_kafka_queue_length(consumer->queue)))
		poke(consumer);
	if (consumer->nbatch == 0)
		wait_for_batch(consumer);
	kafka_handle_succeeded(consumer->handle);
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */
void
kafka_consumer_skip_headers(KafkaConsumer *consumer)
{
	consumer->filler.skips_headers = true;
}

bool
kafka_consumer_next(KafkaConsumer *consumer, KafkaMessage *msg)
{
	while (consumer->nopen > 0 || consumer->next < consumer->nbatch)
	{
		rd_kafka_message_t *rkm;
		PartitionScan *scan;

		if (consumer->next >= consumer->nbatch)
		{
			CHECK_FOR_INTERRUPTS();
			fetch_batch(consumer);
			continue;
		}
		rkm = consumer->batch[consumer->next++];
		scan = find_scan(consumer, rkm->partition);
		if (rkm->err)
			handle_event(consumer, scan, rkm);
		else if (take_message(consumer, scan, rkm))
		{
			kafka_message_fill(&consumer->filler, rkm, msg);
			msg->topic = consumer->topic;
			consumer->stats.messages++;
			consumer->stats.bytes += (int64) (rkm->len + rkm->key_len);
			return true;
		}
	}
	return false;
}

const KafkaConsumerStats *
kafka_consumer_stats(const KafkaConsumer *consumer)
{
	return &consumer->stats;
}
