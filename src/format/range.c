/*-------------------------------------------------------------------------
 *
 * range.c
 *	  Unions of boxes (partitions x offsets x times), and the offset ranges they come to.
 *
 * Layer 2.  What a WHERE clause allows is such a union (condition.c makes it).  Too many
 * boxes become the one around them: a union may always be wider than the clause, never
 * narrower.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/range.h"
#include "lib/stringinfo.h"

/* More boxes than this become the one box around them. */
#define MAX_BOXES 10000

/* More products than this in one AND, and the wider side is left alone. */
#define MAX_PRODUCT 100000

const KafkaInterval kafka_everything = {PG_INT64_MIN, PG_INT64_MAX};

/* ------------------------------------------------------------------------
 * Boxes
 * ------------------------------------------------------------------------
 */
static KafkaBoxes
make_boxes(int n)
{
	KafkaBoxes	result;

	result.n = n;
	result.max = Max(n, 1);
	result.boxes = palloc(sizeof(KafkaBox) * result.max);
	return result;
}

KafkaBoxes
kafka_boxes_none(void)
{
	return make_boxes(0);
}

KafkaBoxes
kafka_boxes_all(void)
{
	KafkaBoxes	result = make_boxes(1);

	for (int d = 0; d < KAFKA_DIMENSIONS; d++)
		result.boxes[0].side[d] = kafka_everything;
	return result;
}

KafkaBoxes
kafka_boxes_slice(KafkaDimension dimension, int64 low, int64 high)
{
	KafkaBoxes	result = kafka_boxes_all();

	result.boxes[0].side[dimension].low = low;
	result.boxes[0].side[dimension].high = high;
	if (low > high)
		result.n = 0;
	return result;
}

static bool
intersect_intervals(KafkaInterval a, KafkaInterval b, KafkaInterval *result)
{
	result->low = Max(a.low, b.low);
	result->high = Min(a.high, b.high);
	return result->low <= result->high;
}

static bool
intersect_pair(const KafkaBox *a, const KafkaBox *b, KafkaBox *result)
{
	for (int d = 0; d < KAFKA_DIMENSIONS; d++)
		if (!intersect_intervals(a->side[d], b->side[d], &result->side[d]))
			return false;
	return true;
}

KafkaBoxes
kafka_boxes_intersect(KafkaBoxes a, KafkaBoxes b)
{
	KafkaBoxes	result;

	if ((int64) a.n * b.n > MAX_PRODUCT)
		return a.n < b.n ? a : b;
	result = make_boxes(a.n * b.n);
	result.n = 0;
	for (int i = 0; i < a.n; i++)
		for (int j = 0; j < b.n; j++)
			if (intersect_pair(&a.boxes[i], &b.boxes[j], &result.boxes[result.n]))
				result.n++;
	pfree(a.boxes);
	pfree(b.boxes);
	return result;
}

/* All of them within one box. */
static void
wrap_boxes(KafkaBoxes *boxes)
{
	for (int i = 1; i < boxes->n; i++)
		for (int d = 0; d < KAFKA_DIMENSIONS; d++)
		{
			KafkaInterval *side = &boxes->boxes[0].side[d];

			side->low = Min(side->low, boxes->boxes[i].side[d].low);
			side->high = Max(side->high, boxes->boxes[i].side[d].high);
		}
	boxes->n = Min(boxes->n, 1);
}

KafkaBoxes
kafka_boxes_unite(KafkaBoxes a, KafkaBoxes b)
{
	if (a.n + b.n > a.max)
	{
		a.max = Max(a.max * 2, a.n + b.n);
		a.boxes = repalloc(a.boxes, sizeof(KafkaBox) * a.max);
	}
	memcpy(a.boxes + a.n, b.boxes, sizeof(KafkaBox) * b.n);
	a.n += b.n;
	pfree(b.boxes);
	if (a.n > MAX_BOXES)
		wrap_boxes(&a);
	return a;
}

/* ------------------------------------------------------------------------
 * Ranges
 * ------------------------------------------------------------------------
 */
static bool
has_partition(const KafkaBox *box, int32 partition)
{
	return box->side[KAFKA_BY_PARTITION].low <= partition &&
		partition <= box->side[KAFKA_BY_PARTITION].high;
}

KafkaInterval
kafka_range_times(const KafkaBoxes *boxes, int32 partition)
{
	KafkaInterval result = {PG_INT64_MAX, PG_INT64_MIN};

	for (int i = 0; i < boxes->n; i++)
		if (has_partition(&boxes->boxes[i], partition))
		{
			result.low = Min(result.low, boxes->boxes[i].side[KAFKA_BY_TIME].low);
			result.high = Max(result.high, boxes->boxes[i].side[KAFKA_BY_TIME].high);
		}
	return result;
}

static int
compare_intervals(const void *a, const void *b)
{
	const KafkaInterval *left = a;
	const KafkaInterval *right = b;

	if (left->low != right->low)
		return left->low < right->low ? -1 : 1;
	return left->high < right->high ? -1 : left->high > right->high;
}

/* Sorts, and joins what overlaps or touches; returns how many are left. */
static int
merge_intervals(KafkaInterval *intervals, int n)
{
	int			last = 0;

	if (n == 0)
		return 0;
	qsort(intervals, n, sizeof(KafkaInterval), compare_intervals);
	for (int i = 1; i < n; i++)
	{
		if (intervals[last].high == PG_INT64_MAX ||
			intervals[i].low <= intervals[last].high + 1)
			intervals[last].high = Max(intervals[last].high, intervals[i].high);
		else
			intervals[++last] = intervals[i];
	}
	return last + 1;
}

/* The partition's offsets that the boxes allow within low to before end. */
static int
partition_intervals(const KafkaBoxes *boxes, int32 partition, int64 low, int64 end,
					KafkaInterval *intervals)
{
	KafkaInterval there = {low, end - 1};
	int			n = 0;

	for (int i = 0; i < boxes->n; i++)
	{
		const KafkaBox *box = &boxes->boxes[i];

		if (has_partition(box, partition) &&
			intersect_intervals(box->side[KAFKA_BY_OFFSET], there, &intervals[n]))
			n++;
	}
	return merge_intervals(intervals, n);
}

KafkaRange *
kafka_range_resolve(const KafkaBoxes *boxes, const KafkaBounds *bounds, int *nranges)
{
	KafkaInterval *intervals = palloc(sizeof(KafkaInterval) * Max(boxes->n, 1));
	int			max = Max(bounds->npartitions, 16);
	KafkaRange *ranges = palloc(sizeof(KafkaRange) * max);

	*nranges = 0;
	for (int32 p = 0; p < bounds->npartitions; p++)
	{
		int			n = partition_intervals(boxes, p, bounds->lows[p], bounds->ends[p],
											intervals);

		if (*nranges + n > max)
		{
			max = (*nranges + n) * 2;
			ranges = repalloc(ranges, sizeof(KafkaRange) * max);
		}
		for (int i = 0; i < n; i++)
		{
			KafkaRange *range = &ranges[(*nranges)++];

			range->partition = p;
			range->start = intervals[i].low;
			range->end = intervals[i].high + 1;
		}
	}
	pfree(intervals);
	return ranges;
}

int64
kafka_range_count(const KafkaRange *ranges, int nranges)
{
	int64		count = 0;

	for (int i = 0; i < nranges; i++)
		count += ranges[i].end - ranges[i].start;
	return count;
}

/* ------------------------------------------------------------------------
 * EXPLAIN
 * ------------------------------------------------------------------------
 */
static char *
describe_intervals(KafkaInterval *intervals, int n)
{
	StringInfoData buf;

	initStringInfo(&buf);
	n = merge_intervals(intervals, n);
	if (n == 0)
		return "none";
	for (int i = 0; i < n; i++)
	{
		int64		low = Max(intervals[i].low, 0);

		if (i > 0)
			appendStringInfoString(&buf, ", ");
		if (low == 0 && intervals[i].high == PG_INT64_MAX)
			appendStringInfoString(&buf, "all");
		else if (intervals[i].high == PG_INT64_MAX)
			appendStringInfo(&buf, "from " INT64_FORMAT, low);
		else if (low == intervals[i].high)
			appendStringInfo(&buf, INT64_FORMAT, low);
		else if (low > intervals[i].high)
			appendStringInfoString(&buf, "none");
		else
			appendStringInfo(&buf, INT64_FORMAT " to " INT64_FORMAT, low, intervals[i].high);
	}
	return buf.data;
}

char *
kafka_range_describe(const KafkaBoxes *boxes, KafkaDimension dimension)
{
	KafkaInterval *intervals = palloc(sizeof(KafkaInterval) * Max(boxes->n, 1));
	int			n = 0;

	for (int i = 0; i < boxes->n; i++)
	{
		KafkaInterval interval = boxes->boxes[i].side[dimension];

		if (interval.high < 0 || (dimension == KAFKA_BY_PARTITION && interval.low > PG_INT32_MAX))
			continue;			/* there is no such partition or offset */
		if (dimension == KAFKA_BY_PARTITION && interval.high >= PG_INT32_MAX)
			interval.high = PG_INT64_MAX;
		intervals[n++] = interval;
	}
	return describe_intervals(intervals, n);
}
