/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  SELECT on a foreign table: planning and executing the scan.
 *
 * Layer 3.  The route of a message that is read: kafkaIterateForeignScan ->
 * kafka_consumer_next (client/consumer.c) -> kafka_row_read (format/row.c) -> the format
 * -> the slot.
 *
 * Planning needs no broker.  Which partitions and offsets a scan reads is worked out from
 * the plan node's own conditions when it starts; all conditions stay in the plan and are
 * checked again by the executor.  Nothing is asked of Kafka before the first row is
 * wanted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "client/consumer.h"
#include "client/topic.h"
#include "executor/executor.h"
#include "fdw/ends.h"
#include "fdw/fdw.h"
#include "format/range.h"
#include "format/row.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Rows of a topic that was never analyzed, and what they cost. */
#define DEFAULT_ROWS 1000
#define STARTUP_COST 100.0
#define COST_PER_MESSAGE 0.02

typedef struct KafkaScan
{
	KafkaOptions *opts;
	KafkaBoxes	boxes;
	KafkaRowReader *reader;
	KafkaConsumer *consumer;	/* NULL until the first row, and after a rescan */
	MemoryContext consumer_context; /* holds the consumer; reset closes it */
	KafkaConsumerStats finished;	/* of consumers before the present one */
} KafkaScan;

/* ------------------------------------------------------------------------
 * Planning
 * ------------------------------------------------------------------------
 */
void
kafkaGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	/* never analyzed: tuples is -1 or 0 */
	if (baserel->tuples <= 0)
		baserel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, baserel);
}

void
kafkaGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	Cost		startup = STARTUP_COST + baserel->baserestrictcost.startup;
	Cost		per_tuple = COST_PER_MESSAGE + cpu_tuple_cost +
		baserel->baserestrictcost.per_tuple;

	add_path(baserel, (Path *)
			 KAFKA_CREATE_SCAN_PATH(root, baserel, baserel->rows, startup,
									startup + per_tuple * baserel->tuples, NIL));
}

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

	return make_foreignscan(tlist, clauses, baserel->relid, NIL,
							list_make1(needed_columns(baserel, clauses)), NIL, NIL, outer_plan);
}

/* ------------------------------------------------------------------------
 * Executing
 * ------------------------------------------------------------------------
 */
static Bitmapset *
needed_attributes(ForeignScan *plan)
{
	Bitmapset  *result = NULL;
	ListCell   *lc;

	foreach(lc, (List *) linitial(plan->fdw_private))
		result = bms_add_member(result, lfirst_int(lc));
	return result;
}

void
kafkaBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	RangeTblEntry *rte = exec_rt_fetch(plan->scan.scanrelid, estate);
	KafkaScan  *scan = palloc0(sizeof(KafkaScan));

	(void) rte;
	scan->opts = kafka_options_of_table(RelationGetRelid(rel), KAFKA_SCAN_USER(plan, rte));
	scan->boxes = kafka_range_from_quals(plan->scan.plan.qual, plan->scan.scanrelid,
										 kafka_row_find_meta(rel, KAFKA_META_PARTITION),
										 kafka_row_find_meta(rel, KAFKA_META_OFFSET));
	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	scan->reader = kafka_row_reader(rel, scan->opts, needed_attributes(plan));
	scan->consumer_context = AllocSetContextCreate(estate->es_query_cxt, "kafka_fdw scan",
												   ALLOCSET_DEFAULT_SIZES);
}

/* What is there of the partitions that the conditions allow, up to the pinned ends. */
static KafkaRange *
resolve_ranges(KafkaScan *scan, const KafkaEnds *ends, int *nranges)
{
	int64	   *lows = palloc0(sizeof(int64) * ends->npartitions);
	int64	   *found = palloc(sizeof(int64) * ends->npartitions);
	int32	   *wanted = palloc(sizeof(int32) * ends->npartitions);
	int			n = 0;

	for (int32 p = 0; p < ends->npartitions; p++)
		if (kafka_range_has_partition(&scan->boxes, p) && ends->ends[p] > 0)
			wanted[n++] = p;
	kafka_topic_offsets(scan->opts, scan->opts->topic, KAFKA_OFFSET_LOW, wanted, n, found);
	for (int i = 0; i < n; i++)
		lows[wanted[i]] = found[i];
	return kafka_range_resolve(&scan->boxes, ends->npartitions, lows, ends->ends, nranges);
}

static void
start_consumer(KafkaScan *scan, EState *estate)
{
	MemoryContext old = MemoryContextSwitchTo(scan->consumer_context);
	const KafkaEnds *ends = kafka_ends_pinned(estate, scan->opts);
	KafkaRange *ranges;
	int			nranges;

	ranges = resolve_ranges(scan, ends, &nranges);
	scan->consumer = kafka_consumer_open(scan->opts, scan->opts->topic, ranges, nranges);
	MemoryContextSwitchTo(old);
}

TupleTableSlot *
kafkaIterateForeignScan(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	MemoryContext old;
	KafkaMessage msg;

	ExecClearTuple(slot);
	if (scan->consumer == NULL)
		start_consumer(scan, node->ss.ps.state);
	/* reset by the executor before each row */
	old = MemoryContextSwitchTo(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	while (kafka_consumer_next(scan->consumer, &msg))
	{
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

static void
stop_consumer(KafkaScan *scan)
{
	const KafkaConsumerStats *stats;

	if (scan->consumer == NULL)
		return;
	stats = kafka_consumer_stats(scan->consumer);
	scan->finished.messages += stats->messages;
	scan->finished.bytes += stats->bytes;
	scan->finished.wait_ms += stats->wait_ms;
	scan->consumer = NULL;
	MemoryContextReset(scan->consumer_context); /* closes it */
}

/* The ends stay pinned: a rescan reads the same messages again. */
void
kafkaReScanForeignScan(ForeignScanState *node)
{
	stop_consumer((KafkaScan *) node->fdw_state);
}

void
kafkaEndForeignScan(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;

	if (scan && scan->consumer_context)
		stop_consumer(scan);
}

/* ------------------------------------------------------------------------
 * EXPLAIN
 * ------------------------------------------------------------------------
 */
void
kafkaExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;
	KafkaConsumerStats stats = scan->finished;

	ExplainPropertyText("Kafka Topic", scan->opts->topic, es);
	ExplainPropertyText("Kafka Format", kafka_option_word(kafka_formats, scan->opts->format),
						es);
	ExplainPropertyText("Kafka Partitions", kafka_range_describe_partitions(&scan->boxes), es);
	ExplainPropertyText("Kafka Offsets", kafka_range_describe_offsets(&scan->boxes), es);
	if (!es->analyze)
		return;
	if (scan->consumer)
	{
		const KafkaConsumerStats *current = kafka_consumer_stats(scan->consumer);

		stats.messages += current->messages;
		stats.bytes += current->bytes;
		stats.wait_ms += current->wait_ms;
	}
	ExplainPropertyInteger("Kafka Messages", NULL, stats.messages, es);
	ExplainPropertyInteger("Kafka Bytes", NULL, stats.bytes, es);
	if (es->timing)
		ExplainPropertyFloat("Kafka Fetch Wait", "ms", stats.wait_ms, 3, es);
}
