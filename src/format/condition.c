/*-------------------------------------------------------------------------
 *
 * condition.c
 *	  What a WHERE clause says about partition, offset and timestamp.
 *
 * Layer 2.  The clause is compiled once per scan into a tree of AND, OR and comparisons of
 * one of the three columns with a value: a constant, a parameter, or any expression without
 * columns, volatile functions and subplans.  The tree is evaluated whenever the scan starts
 * or starts again, so that a join's inner side reads for each outer row just what that row
 * asks for.
 *
 * A comparison is one or two boxes (range.h), AND intersects each box with each, OR puts
 * them side by side.  Anything that is not understood is the box of everything: so an arm of
 * an OR that is not understood widens the result, as it must, and an arm of an AND that is
 * not understood leaves it alone.  NOT has been pushed down to the comparisons by the
 * planner; what is left of it is not understood.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "format/condition.h"
#include "format/row.h"
#include "ground/compat.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* "column <> value", beside the B-tree strategies */
#define NOT_EQUAL (-1)

/* Each element of an ALL cuts all that the others left: more of them are not worth it. */
#define MAX_INTERSECTED 1000

/* How many elements an array has whose value is not known. */
#define GUESSED_ELEMENTS 10
/* The fraction that an inequality leaves, as PostgreSQL's DEFAULT_INEQ_SEL. */
#define GUESSED_INEQUALITY (1.0 / 3.0)

typedef enum ConditionKind
{
	CONDITION_ALL,				/* says nothing */
	CONDITION_NONE,				/* is never true */
	CONDITION_AND,
	CONDITION_OR,
	CONDITION_COMPARE,			/* column op value */
	CONDITION_ARRAY				/* column op ANY/ALL (value) */
} ConditionKind;

struct KafkaCondition
{
	ConditionKind kind;
	List	   *args;			/* AND, OR: of KafkaCondition */
	KafkaDimension dimension;
	int			strategy;
	bool		any;			/* ARRAY: ANY, else ALL */
	Const	   *constant;		/* the value, or NULL */
	ExprState  *state;			/* or this; both NULL: unknown */
	Oid			type;			/* of the value */
	bool		exact;			/* ALL: stands for a plain "true" */
};

typedef struct CompileContext
{
	const KafkaConditionColumns *columns;
	PlanState  *parent;
	bool		guarded;		/* a condition before may be there to keep this one from failing */
} CompileContext;

static KafkaCondition *compile(Node *node, const CompileContext *context);

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

/* A timestamp that its column rounds is not the message's: such a column is left alone. */
static bool
is_rounded(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	int32		typmod = attr->atttypmod;

	(void) getBaseTypeAndTypmod(attr->atttypid, &typmod);
	return typmod >= 0;
}

KafkaConditionColumns
kafka_condition_columns(Relation rel, Index varno)
{
	/* by KafkaDimension */
	static const int metas[] = {KAFKA_META_PARTITION, KAFKA_META_OFFSET, KAFKA_META_TIMESTAMP};
	KafkaConditionColumns result = {.varno = varno};
	AttrNumber *time = &result.attnum[KAFKA_BY_TIME];

	kafka_row_find_metas(rel, metas, KAFKA_DIMENSIONS, result.attnum);
	if (*time != InvalidAttrNumber && is_rounded(rel, *time))
		*time = InvalidAttrNumber;
	return result;
}

/* Which of the columns the expression is; false if none. */
static bool
find_dimension(Node *node, const CompileContext *context, KafkaDimension *dimension)
{
	Var		   *var;

	while (IsA(node, RelabelType) ||
		   (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_INT8_INT4))
		node = IsA(node, RelabelType) ? (Node *) ((RelabelType *) node)->arg :
			(Node *) linitial(((FuncExpr *) node)->args);
	var = (Var *) node;
	if (!IsA(node, Var) || var->varno != (int) context->columns->varno || var->varlevelsup != 0)
		return false;
	for (int d = 0; d < KAFKA_DIMENSIONS; d++)
	{
		if (context->columns->attnum[d] == InvalidAttrNumber ||
			context->columns->attnum[d] != var->varattno)
			continue;
		*dimension = (KafkaDimension) d;
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * Compiling
 * ------------------------------------------------------------------------
 */
static KafkaCondition *
make_condition(ConditionKind kind, bool exact)
{
	KafkaCondition *condition = palloc0(sizeof(KafkaCondition));

	condition->kind = kind;
	condition->exact = exact;
	return condition;
}

/* Says nothing, because it was not understood. */
static KafkaCondition *
not_understood(void)
{
	return make_condition(CONDITION_ALL, false);
}

/* Does the expression need a row of the relation, or a subplan? */
static bool
needs_row(Node *node, void *varno)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno == (int) *(Index *) varno || ((Var *) node)->varlevelsup > 0;
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, SubLink) ||
		IsA(node, PlaceHolderVar) || IsA(node, Aggref) || IsA(node, WindowFunc))
		return true;
	return expression_tree_walker(node, needs_row, varno);
}

/* Takes the value into the condition; false if it can't be known before a row is. */
static bool
take_value(KafkaCondition *condition, Node *value, const CompileContext *context)
{
	Index		varno = context->columns->varno;

	condition->type = exprType(value);
	if (IsA(value, Const))
	{
		condition->constant = (Const *) value;
		return true;
	}
	if (context->guarded && !IsA(value, Param))
		return false;
	if (needs_row(value, &varno) || contain_volatile_functions(value))
		return false;
	if (context->parent)
		condition->state = ExecInitExpr((Expr *) value, context->parent);
	return true;
}

static Oid
family_of(KafkaDimension dimension)
{
	if (dimension != KAFKA_BY_TIME)
		return INTEGER_BTREE_FAM_OID;
	return lookup_type_cache(TIMESTAMPTZOID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
}

/* What the operator means for the column; 0 if that is not known. */
static int
find_strategy(Oid operator, KafkaDimension dimension)
{
	int			strategy = get_op_opfamily_strategy(operator, family_of(dimension));

	if (strategy == 0 &&
		get_op_opfamily_strategy(get_negator(operator),
								 family_of(dimension)) == BTEqualStrategyNumber)
		strategy = NOT_EQUAL;
	return strategy;
}

static KafkaCondition *
make_comparison(ConditionKind kind, Node *column, Oid operator, Node *value,
				const CompileContext *context)
{
	KafkaCondition *condition = make_condition(kind, true);

	if (!find_dimension(column, context, &condition->dimension))
		return not_understood();
	condition->strategy = find_strategy(operator, condition->dimension);
	if (condition->strategy == 0 || !take_value(condition, value, context))
		return not_understood();
	return condition;
}

static KafkaCondition *
compile_operator(OpExpr *op, const CompileContext *context)
{
	Node	   *left = linitial(op->args);
	Node	   *right = list_length(op->args) == 2 ? lsecond(op->args) : NULL;
	KafkaDimension dimension;
	Oid			commutator;

	if (right == NULL)
		return not_understood();
	if (find_dimension(left, context, &dimension))
		return make_comparison(CONDITION_COMPARE, left, op->opno, right, context);
	commutator = get_commutator(op->opno);
	if (!OidIsValid(commutator))
		return not_understood();
	return make_comparison(CONDITION_COMPARE, right, commutator, left, context);
}

static KafkaCondition *
compile_array(ScalarArrayOpExpr *op, const CompileContext *context)
{
	KafkaCondition *condition = make_comparison(CONDITION_ARRAY, linitial(op->args), op->opno,
												lsecond(op->args), context);

	condition->any = op->useOr;
	return condition;
}

/* Partition and offset are never NULL; a timestamp may be. */
static KafkaCondition *
compile_null_test(NullTest *test, const CompileContext *context)
{
	KafkaDimension dimension;

	if (test->argisrow || !find_dimension((Node *) test->arg, context, &dimension) ||
		dimension == KAFKA_BY_TIME)
		return not_understood();
	return make_condition(test->nulltesttype == IS_NULL ? CONDITION_NONE : CONDITION_ALL, true);
}

static KafkaCondition *
combine(ConditionKind kind, List *args)
{
	KafkaCondition *condition = make_condition(kind, true);

	condition->args = args;
	return condition;
}

/* Is all of it known, so that it can't be another condition's guard without our knowing? */
static bool
is_understood(const KafkaCondition *condition)
{
	ListCell   *lc;

	foreach(lc, condition->args)
		if (!is_understood(lfirst(lc)))
			return false;
	return condition->exact;
}

/*
 * An OR with an arm that says nothing says nothing: its other arms are not evaluated either.
 * They could fail where the first arm is there to prevent it: $1 = '' OR offs > $1::bigint.
 * For the same reason nothing behind what is not understood is evaluated, be it AND or OR,
 * but constants and parameters as they are.
 */
static KafkaCondition *
compile_list(ConditionKind kind, List *nodes, const CompileContext *context)
{
	CompileContext own = *context;
	bool		says_something = false;
	List	   *args = NIL;
	ListCell   *lc;

	foreach(lc, nodes)
	{
		KafkaCondition *arm = compile((Node *) lfirst(lc), &own);

		if (kind == CONDITION_OR && arm->kind == CONDITION_ALL)
			return arm;
		own.guarded |= !is_understood(arm);
		says_something |= arm->kind != CONDITION_ALL;
		args = lappend(args, arm);
	}
	return says_something ? combine(kind, args) : not_understood();
}

/*
 * (a, b) < (x, y) is a < x OR (a = x AND b < y), from column i on.  The last column has the
 * operator as it stands, those before it its strict form.
 */
static KafkaCondition *
compile_row_from(RowCompareExpr *row, int i, const CompileContext *context)
{
	Node	   *column = list_nth(row->largs, i);
	Oid			operator = list_nth_oid(row->opnos, i);
	Node	   *value = list_nth(row->rargs, i);
	KafkaCondition *strict = make_comparison(CONDITION_COMPARE, column, operator, value,
											 context);
	KafkaCondition *equal;

	if (i == list_length(row->opnos) - 1 || strict->kind != CONDITION_COMPARE)
		return strict;
	equal = palloc(sizeof(KafkaCondition));
	memcpy(equal, strict, sizeof(KafkaCondition));
	equal->strategy = BTEqualStrategyNumber;
	if (strict->strategy == BTLessEqualStrategyNumber)
		strict->strategy = BTLessStrategyNumber;
	else if (strict->strategy == BTGreaterEqualStrategyNumber)
		strict->strategy = BTGreaterStrategyNumber;
	return combine(CONDITION_OR,
				   list_make2(strict,
							  combine(CONDITION_AND,
									  list_make2(equal, compile_row_from(row, i + 1, context)))));
}

static KafkaCondition *
compile(Node *node, const CompileContext *context)
{
	switch (nodeTag(node))
	{
		case T_OpExpr:
			return compile_operator((OpExpr *) node, context);
		case T_ScalarArrayOpExpr:
			return compile_array((ScalarArrayOpExpr *) node, context);
		case T_RowCompareExpr:
			return compile_row_from((RowCompareExpr *) node, 0, context);
		case T_NullTest:
			return compile_null_test((NullTest *) node, context);
		case T_BoolExpr:
			if (((BoolExpr *) node)->boolop == NOT_EXPR)
				return not_understood();
			return compile_list(((BoolExpr *) node)->boolop == AND_EXPR ? CONDITION_AND :
								CONDITION_OR, ((BoolExpr *) node)->args, context);
		case T_Const:
			/* WHERE false */
			if (((Const *) node)->constisnull || !DatumGetBool(((Const *) node)->constvalue))
				return make_condition(CONDITION_NONE, true);
			return make_condition(CONDITION_ALL, true);
		default:
			return not_understood();
	}
}

KafkaCondition *
kafka_condition_compile(List *quals, const KafkaConditionColumns *columns, PlanState *parent)
{
	CompileContext context = {.columns = columns, .parent = parent};
	List	   *args = NIL;
	ListCell   *lc;

	/* the planner chooses the order of these: none of them can be another one's guard */
	foreach(lc, quals)
		args = lappend(args, compile((Node *) lfirst(lc), &context));
	return combine(CONDITION_AND, args);
}

/* ------------------------------------------------------------------------
 * Evaluating
 * ------------------------------------------------------------------------
 */
static bool
integer_value(Datum datum, Oid type, int64 *value)
{
	switch (getBaseType(type))
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

static KafkaBoxes
compare_integer(KafkaDimension dimension, int strategy, int64 value)
{
	const int64 min = PG_INT64_MIN;
	const int64 max = PG_INT64_MAX;

	switch (strategy)
	{
		case BTEqualStrategyNumber:
			return kafka_boxes_slice(dimension, value, value);
		case BTLessStrategyNumber:
			return value == min ? kafka_boxes_none() :
				kafka_boxes_slice(dimension, min, value - 1);
		case BTLessEqualStrategyNumber:
			return kafka_boxes_slice(dimension, min, value);
		case BTGreaterStrategyNumber:
			return value == max ? kafka_boxes_none() :
				kafka_boxes_slice(dimension, value + 1, max);
		case BTGreaterEqualStrategyNumber:
			return kafka_boxes_slice(dimension, value, max);
		case NOT_EQUAL:
			return kafka_boxes_unite(compare_integer(dimension, BTLessStrategyNumber, value),
									 compare_integer(dimension, BTGreaterStrategyNumber, value));
		default:
			return kafka_boxes_all();
	}
}

/* Is it so far from the ends of its range that no time zone can carry it out? */
static bool
is_well_in_range(Timestamp value)
{
	return value > MIN_TIMESTAMP + 2 * USECS_PER_DAY && value < END_TIMESTAMP - 2 * USECS_PER_DAY;
}

/*
 * date and timestamp are taken in the session's time zone, as the operators do.  False for
 * values whose conversion could fail, where the operator would not.
 */
static bool
timestamptz_value(Datum datum, Oid type, TimestampTz *value)
{
	DateADT		date;

	switch (getBaseType(type))
	{
		case TIMESTAMPTZOID:
			*value = DatumGetTimestampTz(datum);
			return true;
		case TIMESTAMPOID:
			if (!is_well_in_range(DatumGetTimestamp(datum)))
				return false;
			*value = DatumGetTimestampTz(DirectFunctionCall1(timestamp_timestamptz, datum));
			return true;
		case DATEOID:
			date = DatumGetDateADT(datum);
			if (DATE_NOT_FINITE(date) || date < DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE + 2 ||
				date > TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE - 2)
				return false;
			*value = DatumGetTimestampTz(DirectFunctionCall1(date_timestamptz, datum));
			return true;
		default:
			return false;
	}
}

/* The column has whole milliseconds, the value microseconds: both bounds go outwards. */
static KafkaBoxes
compare_time(int strategy, TimestampTz value)
{
	int64		epoch_ms = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
	int64		below;
	int64		above;

	if (TIMESTAMP_NOT_FINITE(value))
		return kafka_boxes_all();
	below = value / 1000 - (value % 1000 < 0 ? 1 : 0) + epoch_ms;
	above = value % 1000 == 0 ? below : below + 1;
	switch (strategy)
	{
		case BTEqualStrategyNumber:
			return kafka_boxes_slice(KAFKA_BY_TIME, below, above);
		case BTLessStrategyNumber:
		case BTLessEqualStrategyNumber:
			return kafka_boxes_slice(KAFKA_BY_TIME, PG_INT64_MIN, above);
		case BTGreaterStrategyNumber:
		case BTGreaterEqualStrategyNumber:
			return kafka_boxes_slice(KAFKA_BY_TIME, below, PG_INT64_MAX);
		default:
			return kafka_boxes_all();
	}
}

static KafkaBoxes
compare_value(const KafkaCondition *condition, Datum datum, Oid type)
{
	int64		number;
	TimestampTz time;

	if (condition->dimension == KAFKA_BY_TIME)
		return timestamptz_value(datum, type, &time) ?
			compare_time(condition->strategy, time) : kafka_boxes_all();
	return integer_value(datum, type, &number) ?
		compare_integer(condition->dimension, condition->strategy, number) : kafka_boxes_all();
}

/* The operators are strict: an element that is NULL is never true, and fails an ALL. */
static KafkaBoxes
compare_array(const KafkaCondition *condition, Datum datum)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	Oid			type = ARR_ELEMTYPE(array);
	KafkaBoxes	result = condition->any ? kafka_boxes_none() : kafka_boxes_all();
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &elements, &nulls, &n);
	if (!condition->any && n > MAX_INTERSECTED)
		return result;			/* checked row by row */
	for (int i = 0; i < n; i++)
	{
		KafkaBoxes	boxes = nulls[i] ? kafka_boxes_none() :
			compare_value(condition, elements[i], type);

		result = condition->any ? kafka_boxes_unite(result, boxes) :
			kafka_boxes_intersect(result, boxes);
	}
	return result;
}

static bool
is_unknown(const KafkaCondition *condition, ExprContext *econtext)
{
	return condition->constant == NULL && (condition->state == NULL || econtext == NULL);
}

static KafkaBoxes
evaluate_comparison(const KafkaCondition *condition, ExprContext *econtext)
{
	Datum		datum;
	bool		isnull;

	if (is_unknown(condition, econtext))
		return kafka_boxes_all();
	if (condition->constant)
	{
		datum = condition->constant->constvalue;
		isnull = condition->constant->constisnull;
	}
	else
		datum = ExecEvalExprSwitchContext(condition->state, econtext, &isnull);
	if (isnull)
		return kafka_boxes_none();
	return condition->kind == CONDITION_ARRAY ? compare_array(condition, datum) :
		compare_value(condition, datum, condition->type);
}

static KafkaBoxes
evaluate_list(const KafkaCondition *condition, ExprContext *econtext)
{
	bool		is_and = condition->kind == CONDITION_AND;
	KafkaBoxes	result = is_and ? kafka_boxes_all() : kafka_boxes_none();
	ListCell   *lc;

	foreach(lc, condition->args)
	{
		KafkaBoxes	boxes = kafka_condition_boxes(lfirst(lc), econtext);

		result = is_and ? kafka_boxes_intersect(result, boxes) :
			kafka_boxes_unite(result, boxes);
	}
	return result;
}

KafkaBoxes
kafka_condition_boxes(const KafkaCondition *condition, ExprContext *econtext)
{
	switch (condition->kind)
	{
		case CONDITION_ALL:
			return kafka_boxes_all();
		case CONDITION_NONE:
			return kafka_boxes_none();
		case CONDITION_AND:
		case CONDITION_OR:
			return evaluate_list(condition, econtext);
		case CONDITION_COMPARE:
		case CONDITION_ARRAY:
			return evaluate_comparison(condition, econtext);
	}
	return kafka_boxes_all();
}

/* ------------------------------------------------------------------------
 * What the planner asks
 * ------------------------------------------------------------------------
 */
bool
kafka_condition_has_unknown(const KafkaCondition *condition)
{
	ListCell   *lc;

	foreach(lc, condition->args)
		if (kafka_condition_has_unknown(lfirst(lc)))
			return true;
	return (condition->kind == CONDITION_COMPARE || condition->kind == CONDITION_ARRAY) &&
		condition->constant == NULL;
}

bool
kafka_condition_is_exact(const KafkaCondition *condition)
{
	ListCell   *lc;

	foreach(lc, condition->args)
		if (!kafka_condition_is_exact(lfirst(lc)))
			return false;
	return condition->exact && condition->dimension != KAFKA_BY_TIME;
}

bool
kafka_condition_is_useful(const KafkaCondition *condition)
{
	ListCell   *lc;
	bool		is_or = condition->kind == CONDITION_OR;

	if (condition->kind != CONDITION_AND && !is_or)
		return condition->kind != CONDITION_ALL;
	/* one good arm of an AND will do, an OR needs all of them */
	foreach(lc, condition->args)
		if (kafka_condition_is_useful(lfirst(lc)) != is_or)
			return !is_or;
	return is_or;
}

static double
guess_comparison(const KafkaCondition *condition, double npartitions, double offsets,
				 bool constants)
{
	double		result;

	if (condition->constant && !constants)
		return 1.0;
	if (condition->strategy == NOT_EQUAL)
		result = 1.0;
	else if (condition->strategy != BTEqualStrategyNumber)
		result = GUESSED_INEQUALITY;
	else if (condition->dimension == KAFKA_BY_PARTITION)
		result = 1.0 / Max(npartitions, 1.0);
	else if (condition->dimension == KAFKA_BY_OFFSET)
		result = 1.0 / Max(offsets, 1.0);
	else
		result = GUESSED_INEQUALITY;	/* a scan starts there, and cannot tell where to end */
	return condition->kind == CONDITION_ARRAY ? Min(result * GUESSED_ELEMENTS, 1.0) : result;
}

double
kafka_condition_guess(const KafkaCondition *condition, double npartitions, double offsets,
					  bool constants)
{
	double		result = condition->kind == CONDITION_OR ? 0.0 : 1.0;
	ListCell   *lc;

	if (condition->kind == CONDITION_COMPARE || condition->kind == CONDITION_ARRAY)
		return guess_comparison(condition, npartitions, offsets, constants);
	foreach(lc, condition->args)
	{
		double		guess = kafka_condition_guess(lfirst(lc), npartitions, offsets,
													   constants);

		if (condition->kind == CONDITION_OR)
			result = Min(result + guess, 1.0);
		else
			result *= guess;
	}
	return result;
}
