/*-------------------------------------------------------------------------
 *
 * table_check.c
 *	  Columns and options of a foreign table, checked together when a command has changed it.
 *
 * Layer 3.  An event trigger that belongs to the extension: it sees the table as the whole
 * command has left it, loads the library where a session has not, and asks no broker.  The
 * checks are those of a scan (kafka_row_check), which come again when the table is used.
 * They are the only ones where event triggers do not fire: in single-user mode, and where
 * somebody has disabled them.
 *
 * pg_dump writes a table's columns first and their options after, command by command, so in
 * between a restored table may be anything.  Its scripts and pg_restore say so by switching
 * check_function_bodies off, as for functions; then nothing is checked here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "format/row.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(kafka_check_foreign_tables);

static bool
is_our_table(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE &&
		kafka_is_our_wrapper(GetForeignServer(GetForeignServerIdByRelId(relid))->fdwid);
}

/* The command holds a lock on the table. */
static void
check_table(Oid relid)
{
	MemoryContext context;
	MemoryContext old;
	Relation	rel;

	if (!is_our_table(relid))
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw check",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	/* a child is not locked, and may have gone by now */
	rel = try_relation_open(relid, AccessShareLock);
	if (rel)
	{
		kafka_row_check(rel, kafka_options_of_table(relid, GetUserId()));
		table_close(rel, NoLock);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* With the table its children: a column added to a parent is added to them. */
static void
check_family(Oid relid)
{
	ListCell   *lc;

	if (!has_subclass(relid))
	{
		check_table(relid);
		return;
	}
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
		check_table(lfirst_oid(lc));
}

/* The tables that the command has changed, by the only interface there is. */
static List *
changed_tables(MemoryContext context)
{
	List	   *result = NIL;
	MemoryContext old;

	if (SPI_execute("SELECT DISTINCT objid FROM pg_catalog.pg_event_trigger_ddl_commands() "
					"WHERE classid OPERATOR(pg_catalog.=) "
					"'pg_catalog.pg_class'::pg_catalog.regclass", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not find out which tables have changed");
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		objid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
										  &isnull);

		if (!isnull)
			result = lappend_oid(result, DatumGetObjectId(objid));
	}
	MemoryContextSwitchTo(old);
	return result;
}

Datum
kafka_check_foreign_tables(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *tables;
	ListCell   *lc;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as an event trigger",
						"kafka.check_foreign_tables")));
	if (!check_function_bodies)
		PG_RETURN_VOID();
	SPI_connect();
	tables = changed_tables(context);
	SPI_finish();
	foreach(lc, tables)
		check_family(lfirst_oid(lc));
	PG_RETURN_VOID();
}
