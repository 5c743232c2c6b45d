/*-------------------------------------------------------------------------
 *
 * load_heap.c
 *	  Messages straight into a table, as COPY does it.
 *
 * Layer 3.  For an ordinary table in mode insert: no plan, no tuplestore.  Rows are collected
 * in slots and inserted by blocks (table_multi_insert), then go into the indexes one by one.
 * Whatever would have to see rows one after the other (BEFORE and statement triggers, rules,
 * row security, defaults that might look at the table) takes load_sql.c's way.
 *
 * The rows of a block live in the executor's memory for one row, which is reset after each block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/nodeModifyTable.h"
#include "ground/compat.h"
#include "optimizer/optimizer.h"
#include "pipeline/load_internal.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* A block: COPY's limits of rows and of bytes. */
#define BLOCK_ROWS 1000
#define BLOCK_BYTES 65535

/* A column that no message fills, and that has a default. */
typedef struct HeapDefault
{
	int			att;
	Expr	   *expr;
	ExprState  *state;			/* while a load runs */
} HeapDefault;

/* The loader's path. */
typedef struct HeapPath
{
	HeapDefault *defaults;
	int			ndefaults;
} HeapPath;

/* A load under way. */
typedef struct HeapLoad
{
	KafkaLoader *loader;
	ResultRelInfo *rinfo;
	CommandId	command;
	BulkInsertState bulk;
	bool		has_triggers;	/* AFTER ROW, foreign keys among them */
	int			n;				/* rows in the block */
	size_t		bytes;
	TupleDesc	desc;			/* the table's, not counted: a resource owner is slow with 1,000 */
	int			indexes[BLOCK_ROWS];	/* of the rows' messages */
	TupleTableSlot *slots[BLOCK_ROWS];
} HeapLoad;

/* ------------------------------------------------------------------------
 * Does the table suit?
 * ------------------------------------------------------------------------
 */
static bool
triggers_suit(const TriggerDesc *triggers)
{
	return triggers == NULL ||
		!(triggers->trig_insert_before_row || triggers->trig_insert_instead_row ||
		  triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
		  triggers->trig_insert_new_table);
}

static bool
is_filled(const KafkaLoader *loader, AttrNumber attnum)
{
	for (int i = 0; i < loader->ncolumns; i++)
		if (loader->columns[i].target == attnum)
			return true;
	return false;
}

/* False: one of the defaults might see which rows are there already, or a column takes more than that. */
static bool
find_defaults(KafkaLoader *loader, HeapPath *path)
{
	TupleDesc	desc = RelationGetDescr(loader->target);

	path->defaults = palloc0(sizeof(HeapDefault) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		Node	   *node;

		if (attr->attisdropped || attr->attgenerated != '\0' || is_filled(loader, attr->attnum))
			continue;
		node = build_column_default(loader->target, attr->attnum);
		/* a domain has a say about its NULL */
		if (node == NULL && get_typtype(attr->atttypid) == TYPTYPE_DOMAIN)
			return false;
		if (node == NULL)
			continue;
		node = (Node *) expression_planner((Expr *) node);
		if (contain_volatile_functions_not_nextval(node))
			return false;
		path->defaults[path->ndefaults].att = i;
		path->defaults[path->ndefaults++].expr = (Expr *) node;
	}
	return true;
}

static bool
suits(KafkaLoader *loader, HeapPath *path)
{
	Relation	rel = loader->target;

	return loader->pipeline->mode == KAFKA_PIPELINE_INSERT &&
		rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rules == NULL &&
		triggers_suit(rel->trigdesc) &&
		check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED &&
		find_defaults(loader, path);
}

/* ------------------------------------------------------------------------
 * Blocks of rows
 * ------------------------------------------------------------------------
 */
static void
insert_index_entries(HeapLoad *load, TupleTableSlot *slot)
{
	EState	   *estate = load->loader->estate;
	List	   *recheck = NIL;

	if (load->rinfo->ri_NumIndices > 0)
		recheck = KAFKA_INSERT_INDEX_TUPLES(load->rinfo, slot, estate);
	if (load->has_triggers)
		ExecARInsertTriggers(estate, load->rinfo, slot, recheck, NULL);
}

static void
flush_block(HeapLoad *load)
{
	KafkaLoader *loader = load->loader;
	EState	   *estate = loader->estate;
	MemoryContext old;

	if (load->n == 0)
		return;
	loader->culprit = loader->n == 1 ? 0 : -1;
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	table_multi_insert(loader->target, load->slots, load->n, load->command, 0, load->bulk);
	for (int i = 0; i < load->n; i++)
	{
		loader->culprit = load->indexes[i];
		insert_index_entries(load, load->slots[i]);
		ExecClearTuple(load->slots[i]);
	}
	loader->culprit = loader->n == 1 ? 0 : -1;
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(estate);
	loader->loaded->rows += load->n;
	load->n = 0;
	load->bytes = 0;
}

static void
fill_defaults(HeapLoad *load, TupleTableSlot *slot)
{
	HeapPath   *path = (HeapPath *) load->loader->path;
	ExprContext *econtext = GetPerTupleExprContext(load->loader->estate);

	for (int i = 0; i < path->ndefaults; i++)
	{
		int			att = path->defaults[i].att;

		slot->tts_values[att] = ExecEvalExpr(path->defaults[i].state, econtext,
											 &slot->tts_isnull[att]);
	}
}

/* What a row has to be like is checked before it goes anywhere. */
static void
complete_row(HeapLoad *load, TupleTableSlot *slot)
{
	EState	   *estate = load->loader->estate;
	Relation	rel = load->loader->target;
	TupleConstr *constraints = RelationGetDescr(rel)->constr;

	slot->tts_tableOid = RelationGetRelid(rel);
	fill_defaults(load, slot);
	ExecStoreVirtualTuple(slot);
	if (constraints && constraints->has_generated_stored)
		ExecComputeStoredGenerated(load->rinfo, estate, slot, CMD_INSERT);
	if (constraints)
		ExecConstraints(load->rinfo, slot, estate);
	if (rel->rd_rel->relispartition)
		(void) ExecPartitionCheck(load->rinfo, slot, estate, true);
}

/* The next free slot, empty; all columns NULL. */
static TupleTableSlot *
next_slot(HeapLoad *load)
{
	TupleTableSlot *slot = load->slots[load->n];

	if (slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(load->loader->load_context);

		slot = ExecInitExtraTupleSlot(load->loader->estate, load->desc,
									  table_slot_callbacks(load->loader->target));
		load->slots[load->n] = slot;
		MemoryContextSwitchTo(old);
	}
	ExecClearTuple(slot);		/* of a message that was left out */
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	return slot;
}

static void
add_message(HeapLoad *load, int index)
{
	TupleTableSlot *slot = next_slot(load);
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(load->loader->estate));

	if (kafka_load_row(load->loader, index, slot->tts_values, slot->tts_isnull))
	{
		complete_row(load, slot);
		load->indexes[load->n++] = index;
		load->bytes += load->loader->messages[index].value.len;
	}
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * The load
 * ------------------------------------------------------------------------
 */
static HeapLoad *
begin_heap(KafkaLoader *loader)
{
	HeapPath   *path = (HeapPath *) loader->path;
	EState	   *estate = loader->estate;
	HeapLoad   *load = palloc0(sizeof(HeapLoad));

	load->loader = loader;
	load->desc = CreateTupleDescCopyConstr(RelationGetDescr(loader->target));
	load->command = GetCurrentCommandId(true);
	estate->es_snapshot = GetActiveSnapshot();
	estate->es_output_cid = load->command;
	KAFKA_INIT_RANGE_TABLE(estate, loader->rtable, loader->perminfos);
	load->rinfo = makeNode(ResultRelInfo);
	ExecInitResultRelation(estate, load->rinfo, 1);
	ExecOpenIndices(load->rinfo, false);
	for (int i = 0; i < path->ndefaults; i++)
		path->defaults[i].state = ExecInitExpr(path->defaults[i].expr, NULL);
	load->has_triggers = load->rinfo->ri_TrigDesc &&
		(load->rinfo->ri_TrigDesc->trig_insert_after_row);
	AfterTriggerBeginQuery();
	load->bulk = GetBulkInsertState();
	return load;
}

static void
end_heap(HeapLoad *load)
{
	KafkaLoader *loader = load->loader;

	FreeBulkInsertState(load->bulk);
	AfterTriggerEndQuery(loader->estate);
	ExecResetTupleTable(loader->estate->es_tupleTable, false);
	table_finish_bulk_insert(loader->target, 0);
	ExecCloseResultRelations(loader->estate);
	ExecCloseRangeTableRelations(loader->estate);
}

static void
load_heap(KafkaLoader *loader)
{
	HeapLoad   *load;

	if (loader->target->rd_islocaltemp == false)
		PreventCommandIfReadOnly("a pipeline");
	load = begin_heap(loader);
	for (int i = 0; i < loader->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_message(load, i);
		if (load->n == BLOCK_ROWS || load->bytes > BLOCK_BYTES)
			flush_block(load);
	}
	flush_block(load);
	end_heap(load);
}

bool
kafka_load_heap_begin(KafkaLoader *loader)
{
	HeapPath   *path = palloc0(sizeof(HeapPath));

	if (!suits(loader, path))
		return false;
	loader->path = path;
	loader->load = load_heap;
	for (int i = 0; i < loader->ncolumns; i++)
		loader->columns[i].place = loader->columns[i].target - 1;
	return true;
}
