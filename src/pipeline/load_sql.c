/*-------------------------------------------------------------------------
 *
 * load_sql.c
 *	  Messages into a table or view by one INSERT for the batch.
 *
 * Layer 3.  The rows have the target's types already, so that it is an ordinary INSERT of these
 * values in every respect: triggers, row security, partitions, views, foreign tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/compat.h"
#include "miscadmin.h"
#include "pipeline/load_internal.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* The loader's path. */
typedef struct SqlPath
{
	const char *statement;
	bool		returns;		/* something for each row that is inserted */
} SqlPath;

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
/* Those that conflict, and those that a trigger has left out. */
static void
note_left_out(KafkaLoader *loader, const KafkaLoadRows *rows, const bool *inserted)
{
	for (int i = 0; i < rows->n; i++)
	{
		if (inserted[i])
			continue;
		loader->loaded->skipped++;
		if (loader->skipped)
			loader->skipped[rows->indexes[i]] = true;
	}
}

static void
load_sql(KafkaLoader *loader)
{
	SqlPath    *path = (SqlPath *) loader->path;
	Datum	   *values = palloc(sizeof(Datum) * loader->ncolumns);
	bool	   *nulls = palloc(sizeof(bool) * loader->ncolumns);
	KafkaLoadRows *rows = kafka_load_rows_make(loader, kafka_load_describe(loader, false),
											   loader->n);
	bool	   *inserted = path->returns ? palloc0(sizeof(bool) * loader->n) : NULL;

	for (int i = 0; i < loader->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(loader->estate));

		CHECK_FOR_INTERRUPTS();
		if (kafka_load_row(loader, i, values, nulls))
			kafka_load_rows_add(rows, values, nulls, i);
		MemoryContextSwitchTo(old);
		ResetPerTupleExprContext(loader->estate);
	}
	loader->loaded->rows += kafka_load_run(loader, rows, path->statement, inserted);
	if (inserted)
		note_left_out(loader, rows, inserted);
}

/* Rules and what foreign tables gather forbid it, which no table with conflicts to ignore has. */
static bool
can_tell_inserted(const KafkaLoader *loader)
{
	return loader->target->rd_rules == NULL && kafka_load_inserts_at_once(loader->target);
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
	path->returns = can_tell_inserted(loader);
	if (path->returns)
		appendStringInfoString(&statement, " RETURNING 1");
	path->statement = statement.data;
	loader->path = path;
	loader->load = load_sql;
}
