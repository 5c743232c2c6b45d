/*-------------------------------------------------------------------------
 *
 * load.c
 *	  Messages into a pipeline's target.
 *
 * Layer 3.  Three ways lead there, and the loader takes the first that suits: straight into
 * the table's pages and indexes (load_heap.c), by one statement for the batch (load_sql.c,
 * load_upsert.c), or by the handler (load_handler.c).  The first two begin alike: the row
 * reader makes a row of the source's columns, and each value becomes one of the target's
 * column as INSERT would make it.
 *
 * What an error may leave half done (snapshots, open indexes, expression states) is made
 * anew in each load, so that a loader can be used again after a subtransaction has failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "pipeline/load_internal.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* ------------------------------------------------------------------------
 * Beginning
 * ------------------------------------------------------------------------
 */
static void
open_target(KafkaLoader *loader)
{
	Relation	rel = try_relation_open(loader->pipeline->target, RowExclusiveLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the target of pipeline \"%s\" does not exist any more",
						loader->pipeline->name),
				 errhint("Give it another one with kafka.alter_pipeline.")));
	loader->target = rel;
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot load into temporary tables of other sessions")));
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a table or view", RelationGetRelationName(rel)),
					 errhint("A pipeline loads into a table or a view, or calls a handler.")));
	}
}

static void
open_source(KafkaLoader *loader)
{
	if (!OidIsValid(loader->pipeline->source))
		return;
	loader->source = try_relation_open(loader->pipeline->source, AccessShareLock);
	if (loader->source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the source of pipeline \"%s\" does not exist any more",
						loader->pipeline->name),
				 errhint("Give it another one with kafka.alter_pipeline.")));
}

static void
choose_path(KafkaLoader *loader)
{
	if (loader->pipeline->mode == KAFKA_PIPELINE_UPSERT)
		kafka_load_upsert_begin(loader);
	else if (!kafka_load_heap_begin(loader))
		kafka_load_sql_begin(loader);
}

KafkaLoader *
kafka_loader_begin(const KafkaPipeline *pipeline)
{
	KafkaLoader *loader = palloc0(sizeof(KafkaLoader));

	loader->pipeline = pipeline;
	loader->context = CurrentMemoryContext;
	loader->load_context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw load",
												 ALLOCSET_DEFAULT_SIZES);
	loader->culprit = -1;
	PushActiveSnapshot(GetTransactionSnapshot());
	if (pipeline->handler)
		kafka_load_handler_begin(loader);
	else
	{
		open_target(loader);
		open_source(loader);
		kafka_load_map_columns(loader);
		choose_path(loader);
		kafka_load_check_rights(loader);
	}
	PopActiveSnapshot();
	return loader;
}

void
kafka_loader_end(KafkaLoader *loader)
{
	if (loader->source)
		relation_close(loader->source, NoLock);
	if (loader->target)
		relation_close(loader->target, NoLock);
	MemoryContextDelete(loader->load_context);
	loader->source = loader->target = NULL;
}

bool
kafka_loader_needs_headers(const KafkaLoader *loader)
{
	return loader->reader == NULL || kafka_row_needs_headers(loader->reader);
}

int
kafka_loader_culprit(const KafkaLoader *loader)
{
	return loader->culprit;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

/* A value of the source's column as one of the target's. */
static void
coerce(KafkaLoader *loader, const KafkaLoadColumn *column, Datum *value, bool *isnull)
{
	ExprContext *econtext = GetPerTupleExprContext(loader->estate);

	if (column->only_null && !*isnull)
		return;
	econtext->caseValue_datum = *value;
	econtext->caseValue_isNull = *isnull;
	*value = ExecEvalExpr(column->state, econtext, isnull);
}

bool
kafka_load_row(KafkaLoader *loader, int index, Datum *values, bool *nulls)
{
	const KafkaMessage *msg = &loader->messages[index];
	bool		deletes = loader->pipeline->mode == KAFKA_PIPELINE_UPSERT &&
		msg->value.data == NULL;
	bool		kept;

	loader->culprit = index;
	loader->is_reading = true;
	kept = kafka_row_read(loader->reader, msg, loader->source_values, loader->source_nulls);
	loader->is_reading = false;
	if (loader->skipped)
		loader->skipped[index] = !kept;
	if (!kept)
	{
		loader->loaded->skipped++;
		return false;
	}
	for (int i = 0; i < loader->ncolumns; i++)
	{
		const KafkaLoadColumn *column = &loader->columns[i];
		bool		is_wanted = !deletes || column->is_key;

		values[column->place] = loader->source_values[column->source - 1];
		nulls[column->place] = !is_wanted || loader->source_nulls[column->source - 1];
		if (column->state && is_wanted)
			coerce(loader, column, &values[column->place], &nulls[column->place]);
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Loading
 * ------------------------------------------------------------------------
 */
static void
error_context(void *arg)
{
	const KafkaLoader *loader = (const KafkaLoader *) arg;
	const KafkaMessage *msg;

	if (loader->culprit < 0 || loader->is_reading)
		return;
	msg = &loader->messages[loader->culprit];
	errcontext("topic \"%s\" partition %d offset " INT64_FORMAT, msg->topic, msg->partition,
			   msg->offset);
}

/* Whatever the last load has left behind is cleared away first: it may have failed. */
static void
begin_load(KafkaLoader *loader, const KafkaMessage *messages, int n, bool *skipped,
		   KafkaLoaded *loaded)
{
	MemoryContextReset(loader->load_context);
	loader->messages = messages;
	loader->n = n;
	loader->skipped = skipped;
	loader->loaded = loaded;
	loader->culprit = n == 1 ? 0 : -1;
	loader->is_reading = false;
	MemoryContextSwitchTo(loader->load_context);
	loader->estate = CreateExecutorState();
	for (int i = 0; i < loader->ncolumns; i++)
		if (loader->columns[i].coercion)
			loader->columns[i].state = ExecInitExpr(loader->columns[i].coercion, NULL);
	if (skipped)
		memset(skipped, false, sizeof(bool) * n);
}

static void
end_load(KafkaLoader *loader)
{
	FreeExecutorState(loader->estate);
	loader->estate = NULL;
	loader->messages = NULL;
	loader->culprit = -1;
}

void
kafka_loader_load(KafkaLoader *loader, const KafkaMessage *messages, int n, bool *skipped,
				  KafkaLoaded *loaded)
{
	ErrorContextCallback callback = {.callback = error_context, .arg = loader};
	MemoryContext old = CurrentMemoryContext;

	if (n == 0)
		return;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	begin_load(loader, messages, n, skipped, loaded);
	PushActiveSnapshot(GetTransactionSnapshot());
	kafka_loader_defer_constraints(loader);
	loader->load(loader);
	PopActiveSnapshot();
	CommandCounterIncrement();
	loader->culprit = n == 1 ? 0 : -1;
	kafka_load_check_deferred(loader);
	end_load(loader);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * Showing
 * ------------------------------------------------------------------------
 */

/* to_jsonb wants to know the type of what it gets; a query tells it. */
static Jsonb *
row_to_jsonb(TupleDesc desc, Datum *values, bool *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			type = RECORDOID;
	Datum		row = HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
	Datum		result;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args("SELECT pg_catalog.to_jsonb($1)", 1, &type, &row, NULL, true,
							  1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not show a row");
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	MemoryContextSwitchTo(context);
	result = PointerGetDatum(PG_DETOAST_DATUM_COPY(result));
	SPI_finish();
	return DatumGetJsonbP(result);
}

Jsonb *
kafka_loader_show(KafkaLoader *loader, const KafkaMessage *message)
{
	ErrorContextCallback callback = {.callback = error_context, .arg = loader};
	MemoryContext old = CurrentMemoryContext;
	KafkaLoaded ignored = {0};
	Datum	   *values = palloc0(sizeof(Datum) * Max(loader->ncolumns, 1));
	bool	   *nulls = palloc0(sizeof(bool) * Max(loader->ncolumns, 1));
	Datum	   *placed;
	bool	   *placed_nulls;
	Jsonb	   *result = NULL;

	if (loader->reader == NULL)
		return NULL;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	begin_load(loader, message, 1, NULL, &ignored);
	PushActiveSnapshot(GetTransactionSnapshot());
	placed = palloc0(sizeof(Datum) * RelationGetNumberOfAttributes(loader->target));
	placed_nulls = palloc0(sizeof(bool) * RelationGetNumberOfAttributes(loader->target));
	if (kafka_load_row(loader, 0, placed, placed_nulls) &&
		(loader->pipeline->mode != KAFKA_PIPELINE_UPSERT || message->value.data))
	{
		for (int i = 0; i < loader->ncolumns; i++)
		{
			values[i] = placed[loader->columns[i].place];
			nulls[i] = placed_nulls[loader->columns[i].place];
		}
		MemoryContextSwitchTo(old);
		result = row_to_jsonb(kafka_load_describe(loader, false), values, nulls);
	}
	PopActiveSnapshot();
	end_load(loader);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	return result;
}
