/*-------------------------------------------------------------------------
 *
 * databases.c
 *	  The databases that the launcher's scouts look into.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "ground/settings.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "worker/worker.h"

bool
kafka_workers_allow_database(const char *name)
{
	char	   *names;
	List	   *list = NIL;
	ListCell   *lc;
	bool		allowed = false;

	if (kafka_setting_relay_databases[0] == '\0')
		return true;
	names = pstrdup(kafka_setting_relay_databases);
	if (SplitIdentifierString(names, ',', &list))
		foreach(lc, list)
			allowed |= strcmp((const char *) lfirst(lc), name) == 0;
	list_free(list);
	pfree(names);
	return allowed;
}

/* Half-dropped databases have the connection limit -2. */
static bool
is_meant(Form_pg_database row)
{
	return row->datallowconn && !row->datistemplate && row->datconnlimit >= -1 &&
		kafka_workers_allow_database(NameStr(row->datname));
}

static List *
meet(List *databases, Oid oid)
{
	KafkaDatabase *database;
	ListCell   *lc;

	foreach(lc, databases)
	{
		database = (KafkaDatabase *) lfirst(lc);
		if (database->oid != oid)
			continue;
		database->seen = true;
		return databases;
	}
	database = palloc0(sizeof(KafkaDatabase));
	database->oid = oid;
	database->next_look = GetCurrentTimestamp();
	database->seen = true;
	return lappend(databases, database);
}

List *
kafka_databases_refresh(List *databases)
{
	MemoryContext keep = CurrentMemoryContext;
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	foreach(lc, databases)
		((KafkaDatabase *) lfirst(lc))->seen = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext transaction = MemoryContextSwitchTo(keep);

		if (is_meant(row))
			databases = meet(databases, row->oid);
		MemoryContextSwitchTo(transaction);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(keep);
	foreach(lc, databases)
		if (!((KafkaDatabase *) lfirst(lc))->seen)
		{
			pfree(lfirst(lc));
			databases = foreach_delete_current(databases, lc);
		}
	return databases;
}
