/*-------------------------------------------------------------------------
 *
 * range.c
 *	  From a WHERE clause to the partitions and offsets that can satisfy it.
 *
 * Layer 2.  A clause becomes a union of boxes (partitions x offsets).  A comparison of a
 * column with a constant is one box, AND intersects each box with each, OR puts them side
 * by side, IN is an OR of points.  Anything else is the box of everything: so an arm of an
 * OR that is not understood widens the result, as it must, and an arm of an AND that is
 * not understood leaves it alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "format/range.h"
#include "ground/compat.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* More boxes than this become the one box around them. */
#define MAX_BOXES 10000

/* More products than this in one AND, and the wider side is left alone. */
#define MAX_PRODUCT 100000

typedef struct RangeContext
{
	Index		varno;
	AttrNumber	partition;
	AttrNumber	offset;
} RangeContext;

static const KafkaInterval everything = {PG_INT64_MIN, PG_INT64_MAX};

static KafkaBoxes from_expr(Node *node, const RangeContext *context);

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

static KafkaBoxes
all_boxes(void)
{
	KafkaBoxes	result = make_boxes(1);

	result.boxes[0].partition = everything;
	result.boxes[0].offset = everything;
	return result;
}

static bool
intersect_intervals(KafkaInterval a, KafkaInterval b, KafkaInterval *result)
{
	result->low = Max(a.low, b.low);
	result->high = Min(a.high, b.high);
	return result->low <= result->high;
}

/* Both are used up. */
static KafkaBoxes
intersect_boxes(KafkaBoxes a, KafkaBoxes b)
{
	KafkaBoxes	result;

	if ((int64) a.n * b.n > MAX_PRODUCT)
		return a.n < b.n ? a : b;
	result = make_boxes(a.n * b.n);
	result.n = 0;
	for (int i = 0; i < a.n; i++)
		for (int j = 0; j < b.n; j++)
		{
			KafkaBox   *box = &result.boxes[result.n];

			if (intersect_intervals(a.boxes[i].partition, b.boxes[j].partition,
									&box->partition) &&
				intersect_intervals(a.boxes[i].offset, b.boxes[j].offset, &box->offset))
				result.n++;
		}
	pfree(a.boxes);
	pfree(b.boxes);
	return result;
}

/* The same; b's boxes are appended to a's. */
static KafkaBoxes
unite_boxes(KafkaBoxes a, KafkaBoxes b)
{
	if (a.n + b.n > MAX_BOXES)
		return all_boxes();
	if (a.n + b.n > a.max)
	{
		a.max = Max(a.max * 2, a.n + b.n);
		a.boxes = repalloc(a.boxes, sizeof(KafkaBox) * a.max);
	}
	memcpy(a.boxes + a.n, b.boxes, sizeof(KafkaBox) * b.n);
	a.n += b.n;
	pfree(b.boxes);
	return a;
}

/* ------------------------------------------------------------------------
 * Comparisons
 * ------------------------------------------------------------------------
 */

/* The column's interval in a box, or NULL if the expression is neither of the two. */
static KafkaInterval *
column_interval(Node *node, const RangeContext *context, KafkaBox *box)
{
	Var		   *var = (Var *) node;

	if (!IsA(node, Var) || var->varno != (int) context->varno || var->varlevelsup != 0)
		return NULL;
	if (context->partition != InvalidAttrNumber && var->varattno == context->partition)
		return &box->partition;
	if (context->offset != InvalidAttrNumber && var->varattno == context->offset)
		return &box->offset;
	return NULL;
}

static bool
integer_value(Datum datum, Oid type, int64 *value)
{
	switch (type)
	{
		case INT2OID:
			*value = DatumGetInt16(datum);
			return true;
		case INT4OID:
			*value = DatumGetInt32(datum);
			return true;
		case INT8OID:
			*value = DatumGetInt64(datum);
			return true;
		default:
			return false;
	}
}

/* What "column op value" allows; false for operators that are no B-tree comparison. */
static bool
compare_interval(Oid operator, bool commuted, int64 value, KafkaInterval *interval)
{
	int			strategy;

	if (commuted)
		operator = get_commutator(operator);
	if (!OidIsValid(operator))
		return false;
	strategy = get_op_opfamily_strategy(operator, INTEGER_BTREE_FAM_OID);
	*interval = everything;
	switch (strategy)
	{
		case BTEqualStrategyNumber:
			interval->low = interval->high = value;
			return true;
		case BTLessStrategyNumber:
			interval->high = value > PG_INT64_MIN ? value - 1 : value;
			return true;
		case BTLessEqualStrategyNumber:
			interval->high = value;
			return true;
		case BTGreaterStrategyNumber:
			interval->low = value < PG_INT64_MAX ? value + 1 : value;
			return true;
		case BTGreaterEqualStrategyNumber:
			interval->low = value;
			return true;
		default:
			return false;
	}
}

static KafkaBoxes
from_comparison(OpExpr *op, const RangeContext *context)
{
	KafkaBoxes	result = all_boxes();
	Node	   *left = linitial(op->args);
	Node	   *right = list_length(op->args) == 2 ? lsecond(op->args) : NULL;
	bool		commuted = right && IsA(left, Const);
	Node	   *column = commuted ? right : left;
	Node	   *other = commuted ? left : right;
	KafkaInterval *target;
	KafkaInterval interval;
	Const	   *constant = (Const *) other;
	int64		value;

	if (other == NULL || !IsA(other, Const))
		return result;
	target = column_interval(column, context, result.boxes);
	if (target == NULL)
		return result;
	if (constant->constisnull)
	{
		/* a comparison with NULL is never true; other operators may be anything */
		if (get_op_opfamily_strategy(op->opno, INTEGER_BTREE_FAM_OID) != 0)
			result.n = 0;
		return result;
	}
	if (integer_value(constant->constvalue, constant->consttype, &value) &&
		compare_interval(op->opno, commuted, value, &interval))
		*target = interval;
	return result;
}

/* column = ANY (constant array): a point for each element. */
static KafkaBoxes
from_array(ScalarArrayOpExpr *op, const RangeContext *context)
{
	KafkaBoxes	result = all_boxes();
	Node	   *column = linitial(op->args);
	Const	   *constant = lsecond(op->args);
	KafkaBox	box;
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	int16		len;
	bool		byval;
	char		align;

	if (!op->useOr || !IsA(constant, Const) || constant->constisnull ||
		column_interval(column, context, &box) == NULL ||
		get_op_opfamily_strategy(op->opno, INTEGER_BTREE_FAM_OID) != BTEqualStrategyNumber)
		return result;
	array = DatumGetArrayTypeP(constant->constvalue);
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, &elements, &nulls, &n);
	if (n > MAX_BOXES)
		return result;
	result = make_boxes(n);
	result.n = 0;
	for (int i = 0; i < n; i++)
	{
		KafkaInterval *interval;
		int64		value;

		if (nulls[i])
			continue;
		if (!integer_value(elements[i], ARR_ELEMTYPE(array), &value))
			return all_boxes();
		box.partition = box.offset = everything;
		interval = column_interval(column, context, &box);
		interval->low = interval->high = value;
		result.boxes[result.n++] = box;
	}
	return result;
}

/* Partition and offset are never NULL. */
static KafkaBoxes
from_null_test(NullTest *test, const RangeContext *context)
{
	KafkaBoxes	result = all_boxes();
	KafkaBox	box;

	if (test->nulltesttype == IS_NULL && !test->argisrow &&
		column_interval((Node *) test->arg, context, &box) != NULL)
		result.n = 0;
	return result;
}

static KafkaBoxes
from_bool(BoolExpr *expr, const RangeContext *context)
{
	KafkaBoxes	result;
	ListCell   *lc;

	if (expr->boolop == NOT_EXPR)
		return all_boxes();
	result = from_expr(linitial(expr->args), context);
	for_each_from(lc, expr->args, 1)
	{
		KafkaBoxes	arm = from_expr(lfirst(lc), context);

		result = expr->boolop == AND_EXPR ? intersect_boxes(result, arm) :
			unite_boxes(result, arm);
	}
	return result;
}

static KafkaBoxes
from_expr(Node *node, const RangeContext *context)
{
	switch (nodeTag(node))
	{
		case T_OpExpr:
			return from_comparison((OpExpr *) node, context);
		case T_ScalarArrayOpExpr:
			return from_array((ScalarArrayOpExpr *) node, context);
		case T_NullTest:
			return from_null_test((NullTest *) node, context);
		case T_BoolExpr:
			return from_bool((BoolExpr *) node, context);
		case T_Const:
			/* WHERE false */
			if (((Const *) node)->constisnull || !DatumGetBool(((Const *) node)->constvalue))
				return make_boxes(0);
			return all_boxes();
		default:
			return all_boxes();
	}
}

KafkaBoxes
kafka_range_from_quals(List *quals, Index varno, AttrNumber partition, AttrNumber offset)
{
	RangeContext context = {.varno = varno, .partition = partition, .offset = offset};
	KafkaBoxes	result = all_boxes();
	ListCell   *lc;

	foreach(lc, quals)
		result = intersect_boxes(result, from_expr(lfirst(lc), &context));
	return result;
}

/* ------------------------------------------------------------------------
 * Ranges
 * ------------------------------------------------------------------------
 */
bool
kafka_range_has_partition(const KafkaBoxes *boxes, int32 partition)
{
	for (int i = 0; i < boxes->n; i++)
		if (boxes->boxes[i].partition.low <= partition &&
			partition <= boxes->boxes[i].partition.high)
			return true;
	return false;
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

		if (box->partition.low <= partition && partition <= box->partition.high &&
			intersect_intervals(box->offset, there, &intervals[n]))
			n++;
	}
	return merge_intervals(intervals, n);
}

KafkaRange *
kafka_range_resolve(const KafkaBoxes *boxes, int32 npartitions, const int64 *lows,
					const int64 *ends, int *nranges)
{
	KafkaInterval *intervals = palloc(sizeof(KafkaInterval) * Max(boxes->n, 1));
	int			max = Max(npartitions, 16);
	KafkaRange *ranges = palloc(sizeof(KafkaRange) * max);

	*nranges = 0;
	for (int32 p = 0; p < npartitions; p++)
	{
		int			n = partition_intervals(boxes, p, lows[p], ends[p], intervals);

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

static char *
describe(const KafkaBoxes *boxes, bool offsets)
{
	KafkaInterval *intervals = palloc(sizeof(KafkaInterval) * Max(boxes->n, 1));
	int			n = 0;

	for (int i = 0; i < boxes->n; i++)
	{
		KafkaInterval interval = offsets ? boxes->boxes[i].offset : boxes->boxes[i].partition;

		if (!offsets && interval.low > PG_INT32_MAX)
			continue;			/* there is no such partition */
		if (!offsets && interval.high >= PG_INT32_MAX)
			interval.high = PG_INT64_MAX;
		intervals[n++] = interval;
	}
	return describe_intervals(intervals, n);
}

char *
kafka_range_describe_partitions(const KafkaBoxes *boxes)
{
	return describe(boxes, false);
}

char *
kafka_range_describe_offsets(const KafkaBoxes *boxes)
{
	return describe(boxes, true);
}
