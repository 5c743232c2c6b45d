/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  SELECT on a foreign table: planning the scan.
 *
 * Layer 3.  Planning asks no broker.  How many messages there are is taken from what this
 * session last heard of the topic, else from ANALYZE, else it is a guess; of partition and
 * offset the bounds are known and need no statistics, the other conditions are estimated as
 * for any table.
 *
 * Offered are: the plain scan; the same in an order of partition and offset that the query
 * can use (a LIMIT then reads little more than it returns); scans whose ranges come from the
 * outer side of a join, which a nested loop turns into reads of single messages; and a
 * partial scan for parallel workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_opfamily_d.h"
#include "fdw/fdw.h"
#include "fdw/scan.h"
#include "ground/compat.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"

/* Messages of a topic of which nothing is known. */
#define DEFAULT_MESSAGES 1000
#define DEFAULT_PARTITIONS 4
/* Bytes of a message of which nothing is known. */
#define DEFAULT_MESSAGE_BYTES 100
/* Rows that are read ahead of the first in an order over all partitions, from each. */
#define ORDERED_AHEAD 500
/* What keeping and sorting of such rows costs beside reading them. */
#define ORDERED_FACTOR 1.5

/* What is known of the relation while it is planned. */
typedef struct KafkaRelation
{
	KafkaOptions *opts;
	KafkaConditionColumns columns;
	bool		bounded;		/* bounds are known */
	KafkaBounds bounds;
	double		messages;		/* in the whole topic */
	double		npartitions;
	double		message_bytes;
	double		fetched;		/* messages that the restrictions leave to be read */
} KafkaRelation;

/* ------------------------------------------------------------------------
 * Sizes
 * ------------------------------------------------------------------------
 */
static void
size_topic(KafkaRelation *kafka, const RelOptInfo *baserel)
{
	kafka->bounded = kafka_topic_remembered_bounds(kafka->opts, kafka->opts->topic,
												   &kafka->bounds);
	kafka->message_bytes = DEFAULT_MESSAGE_BYTES;
	/* never analyzed: tuples is -1 or 0 */
	if (baserel->tuples > 0 && baserel->pages > 0)
		kafka->message_bytes = baserel->pages * (double) BLCKSZ / baserel->tuples;
	kafka->npartitions = kafka->bounded ? kafka->bounds.npartitions : DEFAULT_PARTITIONS;
	kafka->messages = baserel->tuples > 0 ? baserel->tuples : DEFAULT_MESSAGES;
	if (!kafka->bounded)
		return;
	kafka->messages = 0;
	for (int32 p = 0; p < kafka->bounds.npartitions; p++)
		kafka->messages += Max(kafka->bounds.ends[p] - kafka->bounds.lows[p], 0);
}

/* Conditions with the values that the planner can know: now(), parameters of a custom plan. */
static List *
known_clauses(PlannerInfo *root, List *restrictinfos)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, restrictinfos)
	{
		Node	   *clause = (Node *) lfirst_node(RestrictInfo, lc)->clause;

		result = lappend(result, estimate_expression_value(root, clause));
	}
	return result;
}

/* Messages to be read under these conditions. */
static double
estimate_fetched(PlannerInfo *root, const KafkaRelation *kafka, List *restrictinfos)
{
	KafkaCondition *condition = kafka_condition_compile(known_clauses(root, restrictinfos),
														&kafka->columns, NULL);
	double		offsets = kafka->messages / Max(kafka->npartitions, 1.0);
	double		guess = kafka_condition_guess(condition, kafka->npartitions, offsets,
											  !kafka->bounded);
	double		count = kafka->messages;

	if (kafka->bounded)
	{
		KafkaBoxes	boxes = kafka_condition_boxes(condition, NULL);
		int			nranges;
		KafkaRange *ranges = kafka_range_resolve(&boxes, &kafka->bounds, &nranges);

		count = (double) kafka_range_count(ranges, nranges);
	}
	return clamp_row_est(count * guess);
}

/* Of the messages that are read, the fraction that conditions on other columns leave. */
static double
estimate_rest(PlannerInfo *root, const RelOptInfo *baserel, const KafkaRelation *kafka,
			  List *restrictinfos)
{
	List	   *rest = NIL;
	ListCell   *lc;

	foreach(lc, restrictinfos)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		KafkaCondition *condition = kafka_condition_compile(list_make1(rinfo->clause),
															&kafka->columns, NULL);

		if (!kafka_condition_is_exact(condition))
			rest = lappend(rest, rinfo);
	}
	return clauselist_selectivity(root, rest, baserel->relid, JOIN_INNER, NULL);
}

void
kafkaGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	KafkaRelation *kafka = palloc0(sizeof(KafkaRelation));
	Relation	rel = table_open(foreigntableid, NoLock);	/* the parser has locked it */

	kafka->opts = kafka_options_of_table(foreigntableid, OidIsValid(baserel->userid) ?
										 baserel->userid : GetUserId());
	kafka->columns = kafka_condition_columns(rel, baserel->relid);
	table_close(rel, NoLock);
	baserel->fdw_private = kafka;
	size_topic(kafka, baserel);
	baserel->tuples = kafka->messages;
	set_baserel_size_estimates(root, baserel);
	kafka->fetched = estimate_fetched(root, kafka, baserel->baserestrictinfo);
	baserel->rows = clamp_row_est(kafka->fetched *
								  estimate_rest(root, baserel, kafka,
												baserel->baserestrictinfo));
}

/* ------------------------------------------------------------------------
 * Paths
 * ------------------------------------------------------------------------
 */

/* How many rows the query is likely to take from this scan; 0: all. */
static int
expected_rows(PlannerInfo *root, List *pathkeys)
{
	if (root->limit_tuples <= 0 || bms_membership(root->all_baserels) != BMS_SINGLETON ||
		list_length(pathkeys) < list_length(root->query_pathkeys))
		return 0;
	return (int) Min(ceil(root->limit_tuples), (double) PG_INT32_MAX);
}

static ForeignPath *
make_path(PlannerInfo *root, RelOptInfo *baserel, double rows, double fetched, List *pathkeys,
		  KafkaScanOrder order, Relids outer)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	Cost		startup = kafka->opts->fdw_startup_cost + baserel->baserestrictcost.startup;
	Cost		per_message = kafka->opts->fdw_tuple_cost + cpu_tuple_cost +
		baserel->baserestrictcost.per_tuple;
	ForeignPath *path;

	/* needs_ordering() in scan.c: rows are kept and handed out in another order */
	if (order.offset < 0 || (order.offset > 0 && order.partition == 0))
	{
		per_message *= ORDERED_FACTOR;
		startup += per_message * Min(fetched, ORDERED_AHEAD * kafka->npartitions);
		fetched = Max(fetched - ORDERED_AHEAD * kafka->npartitions, 0);
	}
	path = KAFKA_CREATE_SCAN_PATH(root, baserel, rows, startup, startup + per_message * fetched,
								  pathkeys, outer);
	path->fdw_private = list_make2(list_make2_int(order.partition, order.offset),
								   list_make1_int(expected_rows(root, pathkeys)));
	/* in a worker it would pin ends of its own, and every worker would read everything */
	path->path.parallel_safe = false;
	return path;
}

static void
add_plain_path(PlannerInfo *root, RelOptInfo *baserel)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	KafkaScanOrder none = {0, 0};

	add_path(baserel, (Path *) make_path(root, baserel, baserel->rows, kafka->fetched, NIL, none,
										 baserel->lateral_relids));
}

/* ------------------------------------------------------------------------
 * Orders
 * ------------------------------------------------------------------------
 */

/* Which column of the scan the pathkey sorts by; false if none. */
static bool
find_sorted_column(const PathKey *pathkey, RelOptInfo *baserel, KafkaDimension *dimension)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	KafkaMemberIterator iterator;
	EquivalenceMember *member;

	if (pathkey->pk_eclass->ec_has_volatile || pathkey->pk_opfamily != INTEGER_BTREE_FAM_OID)
		return false;
	KAFKA_FOREACH_MEMBER(member, iterator, pathkey->pk_eclass, baserel->relids)
	{
		Var		   *var = (Var *) member->em_expr;

		/* a column that an outer join makes NULL is another one */
		if (!bms_equal(member->em_relids, baserel->relids))
			continue;
		while (IsA(var, RelabelType))
			var = (Var *) ((RelabelType *) var)->arg;
		if (!IsA(var, Var) || var->varno != (int) baserel->relid || var->varlevelsup != 0)
			continue;
		*dimension = var->varattno == kafka->columns.attnum[KAFKA_BY_OFFSET] ?
			KAFKA_BY_OFFSET : KAFKA_BY_PARTITION;
		if (var->varattno == kafka->columns.attnum[*dimension])
			return true;
	}
	return false;
}

/*
 * The longest beginning of the query's order that a scan can give: partition, offset, or
 * partition and then offset.  Neither is ever NULL, so where NULLs go does not matter.
 */
static List *
useful_order(PlannerInfo *root, RelOptInfo *baserel, KafkaScanOrder *order)
{
	List	   *pathkeys = NIL;
	ListCell   *lc;

	order->partition = order->offset = 0;
	foreach(lc, root->query_pathkeys)
	{
		PathKey    *pathkey = (PathKey *) lfirst(lc);
		int			direction = KAFKA_PATHKEY_FALLS(pathkey) ? -1 : 1;
		KafkaDimension dimension;

		if (order->offset != 0 || !find_sorted_column(pathkey, baserel, &dimension))
			break;
		if (dimension == KAFKA_BY_OFFSET)
			order->offset = direction;
		else if (order->partition == 0)
			order->partition = direction;
		else
			break;
		pathkeys = lappend(pathkeys, pathkey);
	}
	return pathkeys;
}

static void
add_ordered_path(PlannerInfo *root, RelOptInfo *baserel)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	KafkaScanOrder order;
	List	   *pathkeys = useful_order(root, baserel, &order);

	if (pathkeys != NIL)
		add_path(baserel, (Path *) make_path(root, baserel, baserel->rows, kafka->fetched,
											 pathkeys, order, baserel->lateral_relids));
}

/* ------------------------------------------------------------------------
 * Ranges from the other side of a join
 * ------------------------------------------------------------------------
 */
static void
add_outer(PlannerInfo *root, RelOptInfo *baserel, RestrictInfo *rinfo, List **outers)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	KafkaCondition *condition = kafka_condition_compile(list_make1(rinfo->clause),
														&kafka->columns, NULL);
	Relids		outer;
	ListCell   *lc;

	if (!kafka_condition_is_useful(condition) || !join_clause_is_movable_to(rinfo, baserel))
		return;
	outer = bms_union(rinfo->clause_relids, baserel->lateral_relids);
	outer = bms_del_member(outer, baserel->relid);
	if (bms_is_empty(outer))
		return;
	foreach(lc, *outers)
		if (bms_equal((Relids) lfirst(lc), outer))
			return;
	*outers = lappend(*outers, outer);
}

typedef struct SoughtColumn
{
	Index		varno;
	AttrNumber	attnum;
} SoughtColumn;

static bool
is_sought_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
				 EquivalenceMember *member, void *arg)
{
	SoughtColumn *sought = (SoughtColumn *) arg;
	Var		   *var = (Var *) member->em_expr;

	while (IsA(var, RelabelType))
		var = (Var *) ((RelabelType *) var)->arg;
	return IsA(var, Var) && var->varno == (int) sought->varno &&
		var->varattno == sought->attnum && var->varlevelsup == 0;
}

/* The relations that, one or several, can say which messages to read. */
static List *
find_outers(PlannerInfo *root, RelOptInfo *baserel)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	List	   *outers = NIL;
	ListCell   *lc;

	foreach(lc, baserel->joininfo)
		add_outer(root, baserel, lfirst_node(RestrictInfo, lc), &outers);
	for (int d = 0; baserel->has_eclass_joins && d < KAFKA_DIMENSIONS; d++)
	{
		SoughtColumn sought = {baserel->relid, kafka->columns.attnum[d]};
		List	   *clauses = NIL;

		if (sought.attnum != InvalidAttrNumber)
			clauses = generate_implied_equalities_for_column(root, baserel, is_sought_column,
															 &sought,
															 baserel->lateral_referencers);
		foreach(lc, clauses)
			add_outer(root, baserel, lfirst_node(RestrictInfo, lc), &outers);
	}
	return outers;
}

static void
add_parameterized_path(PlannerInfo *root, RelOptInfo *baserel, Relids outer)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	ParamPathInfo *info = get_baserel_parampathinfo(root, baserel, outer);
	List	   *clauses = list_concat_copy(baserel->baserestrictinfo, info->ppi_clauses);
	double		fetched = estimate_fetched(root, kafka, clauses);
	double		rows = clamp_row_est(fetched * estimate_rest(root, baserel, kafka, clauses));
	KafkaScanOrder none = {0, 0};

	/* all paths of one parameterization have to agree about it */
	info->ppi_rows = rows;
	add_path(baserel, (Path *) make_path(root, baserel, rows, fetched, NIL, none, outer));
}

/* ------------------------------------------------------------------------
 * Parallel scans
 * ------------------------------------------------------------------------
 */

/* How many processes share the work, as get_parallel_divisor() in PostgreSQL's costsize.c. */
static double
parallel_divisor(int workers)
{
	double		leader = parallel_leader_participation ? 1.0 - 0.3 * workers : 0.0;

	return workers + Max(leader, 0.0);
}

static void
add_partial_path_for_workers(PlannerInfo *root, RelOptInfo *baserel)
{
	const KafkaRelation *kafka = baserel->fdw_private;
	KafkaScanOrder none = {0, 0};
	double		pages = ceil(kafka->fetched * kafka->message_bytes / BLCKSZ);
	int			workers;
	double		divisor;
	ForeignPath *path;

	if (!baserel->consider_parallel || baserel->lateral_relids != NULL)
		return;
	workers = compute_parallel_worker(baserel, pages, -1, max_parallel_workers_per_gather);
	if (workers <= 0)
		return;
	divisor = parallel_divisor(workers);
	path = make_path(root, baserel, clamp_row_est(baserel->rows / divisor),
					 kafka->fetched / divisor, NIL, none, NULL);
	path->path.parallel_aware = true;
	path->path.parallel_safe = true;
	path->path.parallel_workers = workers;
	add_partial_path(baserel, (Path *) path);
}

void
kafkaGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	ListCell   *lc;

	add_plain_path(root, baserel);
	add_ordered_path(root, baserel);
	foreach(lc, find_outers(root, baserel))
		add_parameterized_path(root, baserel, (Relids) lfirst(lc));
	add_partial_path_for_workers(root, baserel);
}

/* ------------------------------------------------------------------------
 * The plan
 * ------------------------------------------------------------------------
 */

/* Attribute numbers that the plan looks at: the reader decodes no others. */
static List *
needed_columns(RelOptInfo *baserel, List *clauses)
{
	Bitmapset  *attrs = NULL;
	List	   *result = NIL;
	int			attr = -1;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &attrs);
	pull_varattnos((Node *) clauses, baserel->relid, &attrs);
	while ((attr = bms_next_member(attrs, attr)) >= 0)
		result = lappend_int(result, attr);
	return result;
}

ForeignScan *
kafkaGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
					ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	List	   *clauses = extract_actual_clauses(scan_clauses, false);
	List	   *items = list_make3(needed_columns(baserel, clauses),
								   linitial(best_path->fdw_private),
								   lsecond(best_path->fdw_private));

	return make_foreignscan(tlist, clauses, baserel->relid, NIL, items, NIL, NIL, outer_plan);
}
