/*-------------------------------------------------------------------------
 *
 * renamed.c
 *	  ALTER SERVER ... RENAME TO and ALTER ROLE ... RENAME TO: outboxes and pipelines go along.
 *
 * Layer 3.  They know server and user by name, so that a dump holds what they mean.  The
 * definitions are renamed in the command's own transaction.  Of a role only in the database in
 * which it is renamed: no command sees the others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static ProcessUtility_hook_type previous_hook;

static KafkaQuery server_query = {
	.text = "UPDATE kafka.outbox_definition d SET server = $2 "
	"WHERE d.server OPERATOR(pg_catalog.=) $1",
	.nargs = 2, .types = {NAMEOID, NAMEOID}
};

static KafkaQuery pipeline_query = {
	.text = "UPDATE kafka.pipeline_definition d SET server = $2 "
	"WHERE d.server OPERATOR(pg_catalog.=) $1",
	.nargs = 2, .types = {NAMEOID, NAMEOID}
};

static KafkaQuery user_query = {
	.text = "UPDATE kafka.outbox_definition d SET "
	"username = CASE WHEN d.username OPERATOR(pg_catalog.=) $1 THEN $2 ELSE d.username END, "
	"owner = CASE WHEN d.owner OPERATOR(pg_catalog.=) $1 THEN $2 ELSE d.owner END "
	"WHERE d.username OPERATOR(pg_catalog.=) $1 OR d.owner OPERATOR(pg_catalog.=) $1",
	.nargs = 2, .types = {NAMEOID, NAMEOID}
};

static Datum
name_datum(const char *name)
{
	return DirectFunctionCall1(namein, CStringGetDatum(name));
}

/* The extension need not be there. */
static bool
has_table(const char *name)
{
	Oid			namespace = get_namespace_oid("kafka", true);

	return OidIsValid(namespace) && OidIsValid(get_relname_relid(name, namespace));
}

static void
rename_in(KafkaQuery *query, const char *from, const char *to)
{
	Datum		values[] = {name_datum(from), name_datum(to)};

	if (!has_table("outbox_definition"))
		return;
	SPI_connect();
	if (kafka_query_run(query, values, NULL) > 0)
		kafka_outbox_changed();
	if (query == &server_query && has_table("pipeline_definition"))
		(void) kafka_query_run(&pipeline_query, values, NULL);
	SPI_finish();
}

static void
on_utility(PlannedStmt *stmt, const char *query, bool read_only_tree,
		   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
		   DestReceiver *dest, QueryCompletion *qc)
{
	KafkaQuery *renames = NULL;
	char	   *from = NULL;
	char	   *to = NULL;

	/* looked at before: a procedure's ROLLBACK may free the statement while it runs */
	if (IsA(stmt->utilityStmt, RenameStmt))
	{
		const RenameStmt *rename = (const RenameStmt *) stmt->utilityStmt;

		if (rename->renameType == OBJECT_FOREIGN_SERVER)
		{
			renames = &server_query;
			from = pstrdup(strVal(rename->object));
		}
		else if (rename->renameType == OBJECT_ROLE)
		{
			renames = &user_query;
			from = pstrdup(rename->subname);
		}
		to = renames ? pstrdup(rename->newname) : NULL;
	}
	if (previous_hook)
		previous_hook(stmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(stmt, query, read_only_tree, context, params, env, dest, qc);
	if (renames)
		rename_in(renames, from, to);
}

void
kafka_outbox_renamed_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
