/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  SELECT on a foreign table: executing the scan.
 *
 * Layer 3.  The route of a message that is read: kafkaIterateForeignScan ->
 * kafka_consumer_next (client/consumer.c) -> kafka_row_read (format/row.c) -> the format
 * -> the slot.
 *
 * Which partitions and offsets a scan reads is worked out from the plan node's own conditions
 * when it starts, and again at each rescan; all conditions stay in the plan and are checked
 * by the executor.  Nothing is asked of Kafka before the first row is wanted.
 *
 * A scan without order has one consumer for all its ranges.  A scan in the order of
 * partitions opens one for each partition in turn, a parallel one for each unit that it takes
 * from the shared queue (parallel.c).  Falling offsets, and offsets over all partitions, are
 * ordered.c's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fdw/ends.h"
#include "fdw/fdw.h"
#include "fdw/scan.h"
#include "ground/compat.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The smallest time in milliseconds that messages can have. */
#define FIRST_TIME 1

/* ------------------------------------------------------------------------
 * Ranges
 * ------------------------------------------------------------------------
 */

/* Partitions whose times are bounded on one side, with the bounds; returns how many. */
static int
bounded_partitions(const KafkaBoxes *boxes, const KafkaBounds *bounds, bool upper,
				   int32 *partitions, int64 *times)
{
	int			n = 0;

	for (int32 p = 0; p < bounds->npartitions; p++)
	{
		KafkaInterval interval = kafka_range_times(boxes, p);

		if (interval.low > interval.high || bounds->lows[p] >= bounds->ends[p])
			continue;
		if (upper ? interval.high == PG_INT64_MAX : interval.low <= 0)
			continue;
		partitions[n] = p;
		times[n++] = upper ? Max(interval.high, -1) + 1 : interval.low;
	}
	return n;
}

/*
 * "No message of that time or later" is not always so.  Messages removed by an administrator
 * stay in their segment files for some minutes, and a broker (Kafka 4.3 is one) that finds the
 * time in such a file looks into no other.  Then it finds no message of any time either, so
 * the earliest one is asked for: a partition without one is read from its beginning, the
 * others are asked again, in case the files have gone in between.
 */
static void
confirm_absent(const KafkaScan *scan, const KafkaBounds *bounds, const int32 *partitions,
			   const int64 *times, int n, int64 *offsets)
{
	int32	   *doubtful = palloc(sizeof(int32) * Max(n, 1));
	int64	   *asked = palloc(sizeof(int64) * Max(n, 1));
	int64	   *found = palloc(sizeof(int64) * Max(n, 1));
	int		   *places = palloc(sizeof(int) * Max(n, 1));
	int			ndoubtful = 0;
	int			nagain = 0;

	for (int i = 0; i < n; i++)
		if (offsets[i] == KAFKA_UNKNOWN && bounds->lows[partitions[i]] > 0)
		{
			asked[ndoubtful] = FIRST_TIME;
			places[ndoubtful] = i;
			doubtful[ndoubtful++] = partitions[i];
		}
	kafka_topic_offsets_at(scan->opts, scan->opts->topic, asked, doubtful, ndoubtful, found);
	for (int i = 0; i < ndoubtful; i++)
	{
		if (found[i] == KAFKA_UNKNOWN)
		{
			offsets[places[i]] = bounds->lows[doubtful[i]];
			continue;
		}
		asked[nagain] = times[places[i]];
		places[nagain] = places[i];
		doubtful[nagain++] = doubtful[i];
	}
	kafka_topic_offsets_at(scan->opts, scan->opts->topic, asked, doubtful, nagain, found);
	for (int i = 0; i < nagain; i++)
		offsets[places[i]] = found[i];
}

/*
 * Bounds on time become bounds on offsets, in one request each.  What lies before the first
 * message of a time is earlier than that; what lies behind it can be earlier too, so only a
 * user who says that timestamps ascend gets an upper bound.
 */
static void
apply_times(KafkaScan *scan, const KafkaBoxes *boxes, KafkaBounds *bounds, bool upper)
{
	int32	   *partitions = palloc(sizeof(int32) * bounds->npartitions);
	int64	   *times = palloc(sizeof(int64) * bounds->npartitions);
	int64	   *offsets = palloc(sizeof(int64) * bounds->npartitions);
	int			n = bounded_partitions(boxes, bounds, upper, partitions, times);

	kafka_topic_offsets_at(scan->opts, scan->opts->topic, times, partitions, n, offsets);
	if (!upper)
		confirm_absent(scan, bounds, partitions, times, n, offsets);
	for (int i = 0; i < n; i++)
	{
		int32		p = partitions[i];

		if (upper && offsets[i] != KAFKA_UNKNOWN)
			bounds->ends[p] = Min(bounds->ends[p], offsets[i]);
		else if (!upper)
			bounds->lows[p] = offsets[i] == KAFKA_UNKNOWN ? bounds->ends[p] :
				Max(bounds->lows[p], offsets[i]);
	}
}

/* EXPLAIN ANALYZE shows what the last run was to read. */
static void
keep_for_explain(KafkaScan *scan, ForeignScanState *node, const KafkaRange *ranges, int nranges)
{
	if (node->ss.ps.instrument == NULL)
		return;
	if (scan->shown_ranges)
		pfree(scan->shown_ranges);
	scan->shown_ranges = MemoryContextAlloc(node->ss.ps.state->es_query_cxt,
											sizeof(KafkaRange) * Max(nranges, 1));
	memcpy(scan->shown_ranges, ranges, sizeof(KafkaRange) * nranges);
	scan->nshown = nranges;
	scan->resolved = true;
}

KafkaRange *
kafka_scan_resolve(KafkaScan *scan, ForeignScanState *node, int *nranges, int *npartitions)
{
	KafkaBoxes	boxes = kafka_condition_boxes(scan->condition, node->ss.ps.ps_ExprContext);
	/* a copy: the pin does not last */
	KafkaBounds bounds = kafka_bounds_copy(kafka_ends_pinned(node->ss.ps.state->es_snapshot,
															 scan->opts));

	KafkaRange *ranges;

	apply_times(scan, &boxes, &bounds, false);
	if (scan->opts->ordered_timestamps)
		apply_times(scan, &boxes, &bounds, true);
	*npartitions = bounds.npartitions;
	ranges = kafka_range_resolve(&boxes, &bounds, nranges);
	keep_for_explain(scan, node, ranges, *nranges);
	return ranges;
}

/* ------------------------------------------------------------------------
 * Consumers
 * ------------------------------------------------------------------------
 */
void
kafka_scan_open(KafkaScan *scan, const KafkaRange *ranges, int nranges)
{
	MemoryContext old = MemoryContextSwitchTo(scan->consumer_context);
	int64		count = kafka_range_count(ranges, nranges);

	/* a chunk of an ordered scan is read whole */
	if (scan->limit > 0 && scan->ordered == NULL)
		count = Min(count, scan->limit);
	scan->consumer = kafka_consumer_open(scan->opts, scan->opts->topic, ranges, nranges, count);
	if (!kafka_row_needs_headers(scan->reader))
		kafka_consumer_skip_headers(scan->consumer);
	MemoryContextSwitchTo(old);
}

void
kafka_scan_close(KafkaScan *scan)
{
	const KafkaConsumerStats *stats;

	if (scan->consumer == NULL)
		return;
	stats = kafka_consumer_stats(scan->consumer);
	scan->finished.messages += stats->messages;
	scan->finished.bytes += stats->bytes;
	scan->finished.wait_ms += stats->wait_ms;
	if (scan->shared)
		kafka_parallel_report(scan, stats);
	scan->consumer = NULL;
	MemoryContextReset(scan->consumer_context); /* closes it */
}

/* The ranges of one partition, in the order that is wanted. */
static bool
open_partition(KafkaScan *scan)
{
	int			first = scan->order.partition > 0 ? scan->next_range :
		scan->nranges - 1 - scan->next_range;
	int			last = first;

	if (scan->next_range >= scan->nranges)
		return false;
	while (scan->order.partition > 0 && last + 1 < scan->nranges &&
		   scan->ranges[last + 1].partition == scan->ranges[first].partition)
		last++;
	while (scan->order.partition < 0 && first > 0 &&
		   scan->ranges[first - 1].partition == scan->ranges[last].partition)
		first--;
	scan->next_range += last - first + 1;
	kafka_scan_open(scan, &scan->ranges[first], last - first + 1);
	return true;
}

/* False if everything has been read. */
static bool
open_next(KafkaScan *scan)
{
	KafkaRange	unit;

	kafka_scan_close(scan);
	if (scan->shared)
	{
		if (!kafka_parallel_next(scan, &unit))
			return false;
		kafka_scan_open(scan, &unit, 1);
		return true;
	}
	if (scan->order.partition != 0)
		return open_partition(scan);
	if (scan->next_range >= scan->nranges)
		return false;
	scan->next_range = scan->nranges;
	kafka_scan_open(scan, scan->ranges, scan->nranges);
	return true;
}

/* One partition's offsets ascend whoever reads them: then no other order is needed. */
static bool
needs_ordering(const KafkaScan *scan)
{
	if (scan->order.offset == 0 || scan->nranges == 0)
		return false;
	if (scan->order.offset < 0)
		return true;
	return scan->order.partition == 0 &&
		scan->ranges[0].partition != scan->ranges[scan->nranges - 1].partition;
}

static void
start_run(KafkaScan *scan, ForeignScanState *node)
{
	MemoryContext old = MemoryContextSwitchTo(scan->run_context);

	if (scan->shared == NULL)
		scan->ranges = kafka_scan_resolve(scan, node, &scan->nranges, &scan->npartitions);
	scan->next_range = 0;
	if (needs_ordering(scan))
		scan->ordered = kafka_ordered_begin(scan, node);
	scan->started = true;
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * The executor's calls
 * ------------------------------------------------------------------------
 */
static Bitmapset *
needed_attributes(ForeignScan *plan)
{
	Bitmapset  *result = NULL;
	ListCell   *lc;

	foreach(lc, (List *) list_nth(plan->fdw_private, KAFKA_SCAN_COLUMNS))
		result = bms_add_member(result, lfirst_int(lc));
	return result;
}

static KafkaScan *
make_scan(ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	rel = node->ss.ss_currentRelation;
	RangeTblEntry *rte = exec_rt_fetch(plan->scan.scanrelid, node->ss.ps.state);
	List	   *order = list_nth(plan->fdw_private, KAFKA_SCAN_ORDER);
	KafkaScan  *scan = palloc0(sizeof(KafkaScan));

	(void) rte;
	scan->opts = kafka_options_of_table(RelationGetRelid(rel), KAFKA_SCAN_USER(plan, rte));
	scan->columns = kafka_condition_columns(rel, plan->scan.scanrelid);
	scan->condition = kafka_condition_compile(plan->scan.plan.qual, &scan->columns,
											  &node->ss.ps);
	scan->order.partition = linitial_int(order);
	scan->order.offset = lsecond_int(order);
	scan->limit = linitial_int((List *) list_nth(plan->fdw_private, KAFKA_SCAN_LIMIT));
	return scan;
}

void
kafkaBeginForeignScan(ForeignScanState *node, int eflags)
{
	EState	   *estate = node->ss.ps.state;
	KafkaScan  *scan = make_scan(node);

	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	scan->reader = kafka_row_reader(node->ss.ss_currentRelation, scan->opts,
									needed_attributes((ForeignScan *) node->ss.ps.plan));
	scan->run_context = AllocSetContextCreate(estate->es_query_cxt, "kafka_fdw scan",
											  ALLOCSET_DEFAULT_SIZES);
	scan->consumer_context = AllocSetContextCreate(estate->es_query_cxt, "kafka_fdw consumer",
												   ALLOCSET_DEFAULT_SIZES);
}

TupleTableSlot *
kafkaIterateForeignScan(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	MemoryContext old;
	KafkaMessage msg;

	ExecClearTuple(slot);
	if (!scan->started)
		start_run(scan, node);
	if (scan->ordered)
	{
		(void) kafka_ordered_next(scan->ordered, slot);
		return slot;
	}
	/* reset by the executor before each row */
	old = MemoryContextSwitchTo(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	for (;;)
	{
		if (scan->consumer == NULL || !kafka_consumer_next(scan->consumer, &msg))
		{
			if (!open_next(scan))
				break;
			continue;
		}
		if (kafka_row_read(scan->reader, &msg, slot->tts_values, slot->tts_isnull))
		{
			ExecStoreVirtualTuple(slot);
			break;
		}
		MemoryContextReset(CurrentMemoryContext);	/* a skipped message leaves nothing */
	}
	MemoryContextSwitchTo(old);
	return slot;
}

/* The ends stay pinned; values of parameters may be others. */
void
kafkaReScanForeignScan(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;

	kafka_scan_close(scan);
	scan->ordered = NULL;
	scan->ranges = NULL;
	scan->nranges = 0;
	scan->started = false;
	MemoryContextReset(scan->run_context);
}

void
kafkaEndForeignScan(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;

	if (scan && scan->consumer_context)
		kafka_scan_close(scan);
}
