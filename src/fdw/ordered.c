/*-------------------------------------------------------------------------
 *
 * ordered.c
 *	  Rows by falling offset, or by offset over several partitions.
 *
 * Layer 3.  Kafka is read forwards and partition by partition only.  So each partition is
 * read in chunks of offsets, from its end or its beginning, and the rows of a chunk are kept
 * until they are asked for; with an order over all partitions the one whose next offset
 * comes first is taken.  A chunk that holds no rows (aborted, compacted, filtered out by
 * on_error) is followed by the next one, so gaps make no difference.
 *
 * A query with a LIMIT reads little more than it returns: first chunks are small, and no larger
 * than the limit; where that does not do chunks grow, as far as the size of the rows in the
 * last one allows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "fdw/scan.h"
#include "ground/compat.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Offsets in the first chunks of all partitions together, and bounds for one chunk. */
#define FIRST_CHUNKS 200
#define FIRST_CHUNK 50
#define MIN_CHUNK 5
#define MAX_CHUNK 20000
/* A chunk is so many times as large as the one before, where memory allows. */
#define GROWTH 4
/* Bytes that the chunks of all partitions take together, about. */
#define BUFFER_BYTES (8 * 1024 * 1024)

typedef struct BufferedRow
{
	int64		offset;
	HeapTuple	tuple;
} BufferedRow;

/* One partition on its way. */
typedef struct PartitionRows
{
	int32		partition;
	const KafkaRange *ranges;	/* ascending */
	int			nranges;
	int64		cursor;			/* rising: all before it has been read; falling: all from it on */
	bool		exhausted;		/* there is no further chunk */
	int64		chunk;			/* offsets in the next one */
	BufferedRow *rows;			/* by rising offset */
	int			nrows;
	int			max_rows;
	int			taken;
	Size		bytes;
	MemoryContext context;		/* of the rows' tuples */
} PartitionRows;

struct KafkaOrderedScan
{
	KafkaScan  *scan;
	TupleDesc	desc;
	bool		falling;
	bool		merged;			/* over all partitions; else one after the other */
	PartitionRows *partitions;	/* in the order they are wanted */
	int			npartitions;
	int			current;		/* of those that come one after the other */
	KafkaRange *ranges;			/* of the chunks that are being read */
	int			nranges;
	int			max_ranges;
	MemoryContext row_context;
	Datum	   *values;
	bool	   *nulls;
};

/* ------------------------------------------------------------------------
 * Beginning
 * ------------------------------------------------------------------------
 */
static void
add_partition(KafkaOrderedScan *ordered, const KafkaRange *ranges, int nranges)
{
	PartitionRows *rows = &ordered->partitions[ordered->npartitions++];
	int64		limit = ordered->scan->limit;

	rows->partition = ranges[0].partition;
	rows->ranges = ranges;
	rows->nranges = nranges;
	rows->cursor = ordered->falling ? ranges[nranges - 1].end : ranges[0].start;
	rows->chunk = limit > 0 ? Min(limit, FIRST_CHUNK) : FIRST_CHUNK;
	rows->context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw ordered rows",
										  ALLOCSET_DEFAULT_SIZES);
}

static void
group_partitions(KafkaOrderedScan *ordered)
{
	const KafkaScan *scan = ordered->scan;
	int			first = 0;

	ordered->partitions = palloc0(sizeof(PartitionRows) * scan->nranges);
	for (int i = 1; i <= scan->nranges; i++)
	{
		if (i < scan->nranges && scan->ranges[i].partition == scan->ranges[first].partition)
			continue;
		add_partition(ordered, &scan->ranges[first], i - first);
		first = i;
	}
}

static void
reverse_partitions(KafkaOrderedScan *ordered)
{
	for (int i = 0, j = ordered->npartitions - 1; i < j; i++, j--)
	{
		PartitionRows rows = ordered->partitions[i];

		ordered->partitions[i] = ordered->partitions[j];
		ordered->partitions[j] = rows;
	}
}

KafkaOrderedScan *
kafka_ordered_begin(KafkaScan *scan, ForeignScanState *node)
{
	KafkaOrderedScan *ordered = palloc0(sizeof(KafkaOrderedScan));

	ordered->scan = scan;
	ordered->desc = RelationGetDescr(node->ss.ss_currentRelation);
	ordered->falling = scan->order.offset < 0;
	ordered->merged = scan->order.partition == 0;
	ordered->values = palloc(sizeof(Datum) * Max(ordered->desc->natts, 1));
	ordered->nulls = palloc(sizeof(bool) * Max(ordered->desc->natts, 1));
	ordered->row_context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw ordered row",
												 ALLOCSET_DEFAULT_SIZES);
	group_partitions(ordered);
	for (int i = 0; ordered->merged && i < ordered->npartitions; i++)
		ordered->partitions[i].chunk = Max(Min(ordered->partitions[i].chunk,
											   FIRST_CHUNKS / ordered->npartitions), MIN_CHUNK);
	if (scan->order.partition < 0)
		reverse_partitions(ordered);
	return ordered;
}

/* ------------------------------------------------------------------------
 * Chunks
 * ------------------------------------------------------------------------
 */
static void
add_range(KafkaOrderedScan *ordered, int32 partition, int64 start, int64 end)
{
	KafkaRange *range;

	if (ordered->nranges == ordered->max_ranges)
	{
		ordered->max_ranges = Max(ordered->max_ranges * 2, 16);
		ordered->ranges = ordered->ranges == NULL ?
			palloc(sizeof(KafkaRange) * ordered->max_ranges) :
			repalloc(ordered->ranges, sizeof(KafkaRange) * ordered->max_ranges);
	}
	range = &ordered->ranges[ordered->nranges++];
	range->partition = partition;
	range->start = start;
	range->end = end;
}

/* The partition's next offsets, upwards from the cursor. */
static void
plan_rising(KafkaOrderedScan *ordered, PartitionRows *rows)
{
	int64		left = rows->chunk;

	for (int i = 0; i < rows->nranges && left > 0; i++)
	{
		int64		start = Max(rows->ranges[i].start, rows->cursor);
		int64		end = Min(rows->ranges[i].end, start + left);

		if (start >= end)
			continue;
		add_range(ordered, rows->partition, start, end);
		left -= end - start;
		rows->cursor = end;
	}
	rows->exhausted = rows->cursor >= rows->ranges[rows->nranges - 1].end;
}

/* The same downwards; consumers want ranges that ascend, so these are turned round. */
static void
plan_falling(KafkaOrderedScan *ordered, PartitionRows *rows)
{
	int64		left = rows->chunk;
	int			first = ordered->nranges;

	for (int i = rows->nranges - 1; i >= 0 && left > 0; i--)
	{
		int64		end = Min(rows->ranges[i].end, rows->cursor);
		int64		start = Max(rows->ranges[i].start, end - left);

		if (start >= end)
			continue;
		add_range(ordered, rows->partition, start, end);
		left -= end - start;
		rows->cursor = start;
	}
	for (int i = first, j = ordered->nranges - 1; i < j; i++, j--)
	{
		KafkaRange	range = ordered->ranges[i];

		ordered->ranges[i] = ordered->ranges[j];
		ordered->ranges[j] = range;
	}
	rows->exhausted = rows->cursor <= rows->ranges[0].start;
}

/* Larger next time, as far as rows of that size fit into the partition's share of memory. */
static void
adapt_chunk(const KafkaOrderedScan *ordered, PartitionRows *rows)
{
	int64		share = BUFFER_BYTES / (ordered->merged ? ordered->npartitions : 1);
	int64		most = MAX_CHUNK;

	if (rows->nrows > 0)
		most = share / Max((int64) rows->bytes / rows->nrows, 1);
	rows->chunk = Max(Min(Min(rows->chunk * GROWTH, most), MAX_CHUNK), MIN_CHUNK);
}

static void
plan_chunk(KafkaOrderedScan *ordered, PartitionRows *rows)
{
	if (ordered->falling)
		plan_falling(ordered, rows);
	else
		plan_rising(ordered, rows);
	MemoryContextReset(rows->context);
	rows->rows = NULL;
	rows->nrows = rows->max_rows = rows->taken = 0;
	rows->bytes = 0;
}

static PartitionRows *
find_partition(KafkaOrderedScan *ordered, int32 partition)
{
	for (int i = 0; i < ordered->npartitions; i++)
		if (ordered->partitions[i].partition == partition)
			return &ordered->partitions[i];
	elog(ERROR, "message of partition %d, which was not asked for", partition);
}

static void
keep_row(KafkaOrderedScan *ordered, PartitionRows *rows, int64 offset)
{
	MemoryContext old = MemoryContextSwitchTo(rows->context);
	BufferedRow *row;

	if (rows->nrows == rows->max_rows)
	{
		rows->max_rows = Max(rows->max_rows * 2, 64);
		rows->rows = rows->rows == NULL ? palloc(sizeof(BufferedRow) * rows->max_rows) :
			repalloc(rows->rows, sizeof(BufferedRow) * rows->max_rows);
	}
	row = &rows->rows[rows->nrows++];
	row->offset = offset;
	row->tuple = heap_form_tuple(ordered->desc, ordered->values, ordered->nulls);
	rows->bytes += row->tuple->t_len;
	MemoryContextSwitchTo(old);
}

/* Reads the chunks that were planned to their ends. */
static void
read_chunks(KafkaOrderedScan *ordered)
{
	KafkaScan  *scan = ordered->scan;
	PartitionRows *rows = NULL;
	MemoryContext old = MemoryContextSwitchTo(ordered->row_context);
	KafkaMessage msg;

	kafka_scan_open(scan, ordered->ranges, ordered->nranges);
	while (kafka_consumer_next(scan->consumer, &msg))
	{
		MemoryContextReset(ordered->row_context);
		if (!kafka_row_read(scan->reader, &msg, ordered->values, ordered->nulls))
			continue;
		if (rows == NULL || rows->partition != msg.partition)
			rows = find_partition(ordered, msg.partition);
		keep_row(ordered, rows, msg.offset);
	}
	kafka_scan_close(scan);
	ordered->nranges = 0;
	MemoryContextSwitchTo(old);
}

static bool
is_empty(const PartitionRows *rows)
{
	return rows->taken >= rows->nrows;
}

/* One chunk for each of these partitions that has run out of rows; false if none has. */
static bool
refill(KafkaOrderedScan *ordered, int first, int last)
{
	for (int i = first; i <= last; i++)
		if (is_empty(&ordered->partitions[i]) && !ordered->partitions[i].exhausted)
			plan_chunk(ordered, &ordered->partitions[i]);
	if (ordered->nranges == 0)
		return false;
	read_chunks(ordered);
	for (int i = first; i <= last; i++)
		if (ordered->partitions[i].taken == 0)
			adapt_chunk(ordered, &ordered->partitions[i]);
	return true;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */
static const BufferedRow *
next_row(const KafkaOrderedScan *ordered, const PartitionRows *rows)
{
	return &rows->rows[ordered->falling ? rows->nrows - 1 - rows->taken : rows->taken];
}

/* The partition whose next row comes first, or NULL. */
static PartitionRows *
choose_partition(KafkaOrderedScan *ordered)
{
	PartitionRows *best = NULL;

	while (refill(ordered, 0, ordered->npartitions - 1))
		;
	for (int i = 0; i < ordered->npartitions; i++)
	{
		PartitionRows *rows = &ordered->partitions[i];
		int64		offset;

		if (is_empty(rows))
			continue;
		offset = next_row(ordered, rows)->offset;
		if (best == NULL ||
			(ordered->falling ? offset > next_row(ordered, best)->offset :
			 offset < next_row(ordered, best)->offset))
			best = rows;
	}
	return best;
}

/* The first partition that has rows left, or NULL. */
static PartitionRows *
current_partition(KafkaOrderedScan *ordered)
{
	for (; ordered->current < ordered->npartitions; ordered->current++)
	{
		PartitionRows *rows = &ordered->partitions[ordered->current];

		while (refill(ordered, ordered->current, ordered->current))
			;
		if (!is_empty(rows))
			return rows;
	}
	return NULL;
}

bool
kafka_ordered_next(KafkaOrderedScan *ordered, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(ordered->scan->run_context);
	PartitionRows *rows = ordered->merged ? choose_partition(ordered) :
		current_partition(ordered);

	MemoryContextSwitchTo(old);
	if (rows == NULL)
		return false;
	ExecForceStoreHeapTuple(next_row(ordered, rows)->tuple, slot, false);
	rows->taken++;
	return true;
}
