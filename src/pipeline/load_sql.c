/*-------------------------------------------------------------------------
 *
 * load_sql.c
 *	  Messages into a table or view by one INSERT for the batch.
 *
 * Layer 3.  The rows lie in a tuplestore that the statement sees as the table "kafka_batch",
 * with the target's types, so that it is an ordinary INSERT in every respect: triggers,
 * row security, partitions, views, foreign tables.
 *
 * Which message an error belongs to: rows are taken from the tuplestore one by one, so it
 * is the last one that was taken, unless all were (then AFTER triggers ran) or unless they are gathered
 * behind that (a foreign table may send batches).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "ground/compat.h"
#include "pipeline/load_internal.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"

/* A batch has a limit of its own; this keeps the rows out of files. */
#define ROWS_KB (1024 * 1024)

/* The loader's path. */
typedef struct SqlPath
{
	const char *statement;
} SqlPath;

/* ------------------------------------------------------------------------
 * Rows for a statement
 * ------------------------------------------------------------------------
 */
KafkaLoadRows *
kafka_load_rows_make(KafkaLoader *loader, TupleDesc desc, int n)
{
	MemoryContext old = MemoryContextSwitchTo(loader->load_context);
	KafkaLoadRows *rows = palloc0(sizeof(KafkaLoadRows));

	rows->desc = desc;
	rows->tuples = tuplestore_begin_heap(false, false, ROWS_KB);
	rows->indexes = palloc(sizeof(int) * n);
	MemoryContextSwitchTo(old);
	return rows;
}

void
kafka_load_rows_add(KafkaLoadRows *rows, Datum *values, bool *nulls, int index)
{
	rows->indexes[rows->n++] = index;
	tuplestore_putvalues(rows->tuples, rows->desc, values, nulls);
}

/*
 * The message whose row was read last, or -1.  The tuplestore's first read pointer is nobody's;
 * a scan has made its own when it began.
 */
static int
find_last_read(const KafkaLoadRows *rows)
{
	int			scan = tuplestore_alloc_read_pointer(rows->tuples, 0) - 1;
	int			left = 0;

	if (scan == 0 || !tuplestore_in_memory(rows->tuples))
		return -1;
	tuplestore_select_read_pointer(rows->tuples, scan);
	if (tuplestore_ateof(rows->tuples))
		return -1;
	while (tuplestore_advance(rows->tuples, true))
		left++;
	return left < rows->n ? rows->indexes[rows->n - left - 1] : -1;
}

/* Are rows inserted when they are read?  Foreign tables gather them. */
static bool
inserts_at_once(Relation rel)
{
	List	   *parts;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return rel->rd_rel->relkind == RELKIND_RELATION;
	parts = find_all_inheritors(RelationGetRelid(rel), NoLock, NULL);
	foreach(lc, parts)
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return false;
	return true;
}

static uint64
execute(KafkaLoadRows *rows, const char *statement)
{
	EphemeralNamedRelationData table = {.reldata = rows->tuples};
	SPIExecuteOptions options = {.dest = None_Receiver};
	uint64		processed;
	int			rc;

	table.md.name = pstrdup("kafka_batch");
	table.md.tupdesc = rows->desc;
	table.md.enrtype = ENR_NAMED_TUPLESTORE;
	table.md.enrtuples = rows->n;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_register_relation(&table) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register a batch with SPI");
	rc = SPI_execute_extended(statement, &options);
	if (rc < 0)
		elog(ERROR, "could not load a batch: %s", SPI_result_code_string(rc));
	processed = SPI_processed;
	SPI_finish();
	return processed;
}

/* The error with the message's place, if known, in its context. */
static KAFKA_NORETURN void
rethrow(KafkaLoader *loader, int culprit)
{
	ErrorData  *error = CopyErrorData();
	const KafkaMessage *msg;

	FlushErrorState();
	if (culprit >= 0 && loader->culprit < 0)
	{
		msg = &loader->messages[culprit];
		error->context = psprintf("%s%stopic \"%s\" partition %d offset " INT64_FORMAT,
								  error->context ? error->context : "",
								  error->context ? "\n" : "", msg->topic, msg->partition,
								  msg->offset);
		loader->culprit = culprit;
	}
	ReThrowError(error);
}

int64
kafka_load_run(KafkaLoader *loader, KafkaLoadRows *rows, const char *statement)
{
	bool		at_once = inserts_at_once(loader->target);
	MemoryContext context = CurrentMemoryContext;
	uint64		processed = 0;

	loader->culprit = loader->n == 1 ? 0 : -1;
	PG_TRY();
	{
		processed = execute(rows, statement);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		rethrow(loader, at_once ? find_last_read(rows) : -1);
	}
	PG_END_TRY();
	tuplestore_end(rows->tuples);
	return (int64) processed;
}

/* ------------------------------------------------------------------------
 * Statements
 * ------------------------------------------------------------------------
 */
char *
kafka_load_target_name(const KafkaLoader *loader)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(loader->target)),
									  RelationGetRelationName(loader->target));
}

static void
append_columns(const KafkaLoader *loader, StringInfo statement)
{
	for (int i = 0; i < loader->ncolumns; i++)
		appendStringInfo(statement, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(loader->columns[i].name));
}

void
kafka_load_append_insert(const KafkaLoader *loader, StringInfo statement)
{
	appendStringInfo(statement, "INSERT INTO %s (", kafka_load_target_name(loader));
	append_columns(loader, statement);
	appendStringInfoString(statement, ") SELECT ");
	append_columns(loader, statement);
	appendStringInfoString(statement, " FROM kafka_batch");
}

/* ------------------------------------------------------------------------
 * The load
 * ------------------------------------------------------------------------
 */
static void
load_sql(KafkaLoader *loader)
{
	SqlPath    *path = (SqlPath *) loader->path;
	Datum	   *values = palloc(sizeof(Datum) * loader->ncolumns);
	bool	   *nulls = palloc(sizeof(bool) * loader->ncolumns);
	KafkaLoadRows *rows = kafka_load_rows_make(loader, kafka_load_describe(loader, false),
											   loader->n);
	int64		processed;

	for (int i = 0; i < loader->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(loader->estate));

		CHECK_FOR_INTERRUPTS();
		if (kafka_load_row(loader, i, values, nulls))
			kafka_load_rows_add(rows, values, nulls, i);
		MemoryContextSwitchTo(old);
		ResetPerTupleExprContext(loader->estate);
	}
	processed = kafka_load_run(loader, rows, path->statement);
	loader->loaded->rows += processed;
	if (loader->pipeline->mode == KAFKA_PIPELINE_IGNORE)
		loader->loaded->skipped += rows->n - processed;
}

void
kafka_load_sql_begin(KafkaLoader *loader)
{
	SqlPath    *path = palloc0(sizeof(SqlPath));
	StringInfoData statement;

	initStringInfo(&statement);
	kafka_load_append_insert(loader, &statement);
	if (loader->pipeline->mode == KAFKA_PIPELINE_IGNORE)
		appendStringInfoString(&statement, " ON CONFLICT DO NOTHING");
	path->statement = statement.data;
	loader->path = path;
	loader->load = load_sql;
}
