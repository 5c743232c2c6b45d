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
#include "ground/query.h"
#include "ground/utility.h"
#include "nodes/parsenodes.h"
#include "outbox/outbox.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A server, or a role. */
typedef struct Renaming
{
	bool		is_server;
	const char *from;
	const char *to;
} Renaming;

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

static void *
before(Node *command)
{
	const RenameStmt *statement = (const RenameStmt *) command;
	Renaming   *renaming;

	if (!IsA(command, RenameStmt) || (statement->renameType != OBJECT_FOREIGN_SERVER &&
									  statement->renameType != OBJECT_ROLE))
		return NULL;
	renaming = palloc(sizeof(Renaming));
	renaming->is_server = statement->renameType == OBJECT_FOREIGN_SERVER;
	renaming->from = pstrdup(renaming->is_server ? strVal(statement->object) :
							 statement->subname);
	renaming->to = pstrdup(statement->newname);
	return renaming;
}

static void
rename_in(void *note)
{
	const Renaming *renaming = (const Renaming *) note;
	Datum		values[] = {name_datum(renaming->from), name_datum(renaming->to)};

	if (!has_table("outbox_definition"))
		return;
	SPI_connect();
	if (kafka_query_run(renaming->is_server ? &server_query : &user_query, values, NULL) > 0)
		kafka_outbox_changed();
	if (renaming->is_server && has_table("pipeline_definition"))
		(void) kafka_query_run(&pipeline_query, values, NULL);
	SPI_finish();
}

static const KafkaUtility utility = {.before = before, .after = rename_in};

void
kafka_outbox_renamed_init(void)
{
	kafka_utility_add(&utility);
}
