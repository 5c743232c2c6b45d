/*-------------------------------------------------------------------------
 *
 * leave.c
 *	  Commands for which a database must be free of others: workers leave it first.
 *
 * Layer 3.  DROP DATABASE, ALTER DATABASE ... RENAME TO and SET TABLESPACE, and CREATE DATABASE,
 * which copies a template, are refused while anybody is connected to the database.  Workers are,
 * always.  So they end before such a command runs, each after its transaction, and the
 * launcher starts none until the command's transaction has ended.
 *
 * DROP EXTENSION of this extension locks table after table, which a transaction of a worker may
 * have locked in another order: so it makes them leave, too.
 *
 * Only who owns the database can send them away: everybody else's command is refused anyway.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "ground/utility.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
#include "worker/requests.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* Then they are terminated; then the command is tried all the same. */
#define GRACE_MS 1000
#define WAIT_MS 5000
#define SLICE_MS 10

#define MAX_PIDS 256

static const char *
option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *element = (DefElem *) lfirst(lc);

		if (strcmp(element->defname, name) == 0 && element->arg)
			return defGetString(element);
	}
	return NULL;
}

static bool
drops_extension(Node *command)
{
	ListCell   *lc;

	if (!IsA(command, DropStmt) || ((DropStmt *) command)->removeType != OBJECT_EXTENSION)
		return false;
	foreach(lc, ((DropStmt *) command)->objects)
		if (strcmp(strVal(lfirst(lc)), "kafka_fdw") == 0)
			return true;
	return false;
}

/* The database that must be free for the command, or NULL. */
static const char *
wanted_database(Node *command)
{
	const char *template;

	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) command)->dbname;
		case T_RenameStmt:
			return ((RenameStmt *) command)->renameType == OBJECT_DATABASE ?
				((RenameStmt *) command)->subname : NULL;
		case T_AlterDatabaseStmt:
			return option(((AlterDatabaseStmt *) command)->options, "tablespace") ?
				((AlterDatabaseStmt *) command)->dbname : NULL;
		case T_CreatedbStmt:
			template = option(((CreatedbStmt *) command)->options, "template");
			return template ? template : "template1";
		default:
			return NULL;
	}
}

static void
terminate(const int *pids, int count)
{
	for (int i = 0; i < count; i++)
		if (pids[i] != 0)
			(void) kill(pids[i], SIGTERM);
}

static void
await_leaving(Oid database)
{
	for (int waited = 0; waited < WAIT_MS; waited += SLICE_MS)
	{
		int			pids[MAX_PIDS];
		int			count = kafka_registry_workers_in(database, pids, MAX_PIDS);

		if (count == 0)
			return;
		if (waited == GRACE_MS)
			terminate(pids, count);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, SLICE_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
make_workers_leave(Oid database)
{
	if (OidIsValid(database) && KAFKA_OWNS_DATABASE(database, GetUserId()) &&
		kafka_workers_leave_until_end(database))
		await_leaving(database);
}

static void *
before(Node *command)
{
	const char *wanted = wanted_database(command);

	if (wanted)
		make_workers_leave(get_database_oid(wanted, true));
	else if (drops_extension(command))
		make_workers_leave(MyDatabaseId);
	return IsA(command, CreatedbStmt) ? pstrdup(((CreatedbStmt *) command)->dbname) : NULL;
}

static void
look_at_new(void *name)
{
	kafka_workers_look_at_commit(get_database_oid((const char *) name, true));
}

static const KafkaUtility utility = {.before = before, .after = look_at_new};

void
kafka_leave_init(void)
{
	if (!process_shared_preload_libraries_in_progress || kafka_setting_max_workers == 0)
		return;
	kafka_utility_add(&utility);
}
