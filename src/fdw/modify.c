/*-------------------------------------------------------------------------
 *
 * modify.c
 *	  INSERT and COPY into a foreign table.
 *
 * Layer 3.  The route of a message that is written: kafkaExecForeignInsert ->
 * kafka_row_write (format/row.c) -> the format -> kafka_sender_send (transaction/send.c).
 *
 * In immediate mode rows are queued and confirmed together at the end of the statement,
 * unless RETURNING asks for what only a confirmation tells: then row by row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "fdw/fdw.h"
#include "format/row.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "parser/parsetree.h"
#include "transaction/send.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct KafkaModify
{
	KafkaOptions *opts;
	KafkaDeliveryMode mode;
	KafkaSender *sender;
	KafkaRowWriter *writer;
	MemoryContext row_context;	/* reset for each row */
	bool		returning;
} KafkaModify;

int
kafkaIsForeignRelUpdatable(Relation rel)
{
	return 1 << CMD_INSERT;
}

/* NULL: COPY. */
static void
check_on_conflict(const ModifyTable *plan)
{
	if (plan && plan->onConflictAction != ONCONFLICT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("INSERT with an ON CONFLICT clause is not supported on a Kafka topic"),
				 errhint("A topic has no unique constraints; leave the clause out.")));
}

static void
refuse(const char *command, const char *table, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot %s foreign table \"%s\": messages of a topic do not change",
					command, table),
			 errhint("%s", hint)));
}

/*
 * UPDATE and DELETE of the table itself are refused here, with a HINT.  Those of a parent are
 * left to the executor: a plan may name a partition that it then prunes.
 */
List *
kafkaPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index resultRelation,
					   int subplan_index)
{
	const RangeTblEntry *rte = planner_rt_fetch(resultRelation, root);

	check_on_conflict(plan);
	if ((int) resultRelation != root->parse->resultRelation)
		return NIL;
	if (plan->operation == CMD_UPDATE)
		refuse("update", get_rel_name(rte->relid),
			   "INSERT a newer message with the same key.");
	if (plan->operation == CMD_DELETE)
		refuse("delete from", get_rel_name(rte->relid),
			   "INSERT a tombstone, a key without a value: a compacted topic then drops the "
			   "key's older messages.");
	return NIL;
}

void
kafkaExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	refuse("truncate", RelationGetRelationName((Relation) linitial(rels)),
		   "Messages go by the topic's retention, or with the topic: see kafka.delete_topic.");
}

/* The plan of an INSERT or UPDATE; NULL: COPY has none. */
static const ModifyTable *
plan_of(const ModifyTableState *mtstate)
{
	return mtstate ? (const ModifyTable *) mtstate->ps.plan : NULL;
}

static KafkaModify *
make_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, EState *estate)
{
	Relation	rel = rinfo->ri_RelationDesc;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	KafkaModify *modify = palloc0(sizeof(KafkaModify));

	modify->opts = kafka_options_of_table(RelationGetRelid(rel),
										  KAFKA_MODIFY_USER(rinfo, estate));
	modify->mode = kafka_delivery_mode(modify->opts->delivery);
	modify->writer = kafka_row_writer(rel, modify->opts);
	modify->sender = kafka_sender_open(modify->opts, modify->opts->topic, modify->mode);
	modify->row_context = AllocSetContextCreate(estate->es_query_cxt, "kafka_fdw row",
												ALLOCSET_DEFAULT_SIZES);
	modify->returning = plan_of(mtstate) && plan_of(mtstate)->returningLists;
	MemoryContextSwitchTo(old);
	return modify;
}

void
kafkaBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
						int subplan_index, int eflags)
{
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	rinfo->ri_FdwState = make_modify(mtstate, rinfo, mtstate->ps.state);
}

void
kafkaBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	/* COPY and tuple routing come here, the latter also for an UPDATE that moves a row */
	check_on_conflict(plan_of(mtstate));
	rinfo->ri_FdwState = make_modify(mtstate, rinfo, mtstate->ps.state);
}

/*
 * What RETURNING sees: where the message is; NULL where that is not known before COMMIT.
 * The row is formed anew, because the slot may hold a tuple that its values came from.
 */
static void
show_receipt(KafkaModify *modify, ResultRelInfo *rinfo, TupleTableSlot *slot)
{
	TupleDesc	desc = RelationGetDescr(rinfo->ri_RelationDesc);
	const KafkaReceipt *receipt;
	Datum	   *values;
	bool	   *nulls;

	kafka_sender_finish(modify->sender);
	receipt = kafka_sender_receipt(modify->sender);
	if (receipt == NULL)
		return;
	values = MemoryContextAlloc(modify->row_context, sizeof(Datum) * desc->natts);
	nulls = MemoryContextAlloc(modify->row_context, sizeof(bool) * desc->natts);
	memcpy(values, slot->tts_values, sizeof(Datum) * desc->natts);
	memcpy(nulls, slot->tts_isnull, sizeof(bool) * desc->natts);
	kafka_row_set_receipt(modify->writer, receipt->partition, receipt->offset,
						  receipt->timestamp, values, nulls);
	ExecForceStoreHeapTuple(heap_form_tuple(desc, values, nulls), slot, true);
}

TupleTableSlot *
kafkaExecForeignInsert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot,
					   TupleTableSlot *planSlot)
{
	KafkaModify *modify = (KafkaModify *) rinfo->ri_FdwState;
	MemoryContext old = MemoryContextSwitchTo(modify->row_context);
	KafkaMessage msg;

	MemoryContextReset(modify->row_context);
	kafka_row_write(modify->writer, slot, &msg);
	kafka_sender_send(modify->sender, &msg);
	MemoryContextSwitchTo(old);
	if (modify->returning)
		show_receipt(modify, rinfo, slot);
	return slot;
}

/*
 * librdkafka makes batches of its own, however the rows come; these only save calls between
 * PostgreSQL and us, and cost a copy of each row.
 */
TupleTableSlot **
kafkaExecForeignBatchInsert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot **slots,
							TupleTableSlot **planSlots, int *numSlots)
{
	/* COPY has no plan slots */
	for (int i = 0; i < *numSlots; i++)
		(void) kafkaExecForeignInsert(estate, rinfo, slots[i], planSlots ? planSlots[i] : NULL);
	return slots;
}

/* One by one where somebody looks at each row when it has been sent, or before the next. */
int
kafkaGetForeignModifyBatchSize(ResultRelInfo *rinfo)
{
	const KafkaModify *modify = (const KafkaModify *) rinfo->ri_FdwState;
	const TriggerDesc *triggers = rinfo->ri_TrigDesc;

	if (modify == NULL || modify->returning || rinfo->ri_projectReturning ||
		rinfo->ri_WithCheckOptions != NIL ||
		(triggers && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return 1;
	return modify->opts->batch_size;
}

void
kafkaEndForeignModify(EState *estate, ResultRelInfo *rinfo)
{
	KafkaModify *modify = (KafkaModify *) rinfo->ri_FdwState;

	if (modify == NULL)
		return;
	kafka_sender_finish(modify->sender);
	kafka_sender_close(modify->sender);
}

void
kafkaEndForeignInsert(EState *estate, ResultRelInfo *rinfo)
{
	kafkaEndForeignModify(estate, rinfo);
}

void
kafkaExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
						  int subplan_index, struct ExplainState *es)
{
	KafkaOptions *opts = kafka_options_of_table(RelationGetRelid(rinfo->ri_RelationDesc),
												KAFKA_MODIFY_USER(rinfo, mtstate->ps.state));

	ExplainPropertyText("Kafka Topic", opts->topic, es);
	ExplainPropertyText("Kafka Format", kafka_option_word(kafka_formats, opts->format), es);
	ExplainPropertyText("Kafka Delivery",
						kafka_option_word(kafka_delivery_modes,
										  kafka_delivery_mode(opts->delivery)), es);
}
