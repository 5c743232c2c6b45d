/*-------------------------------------------------------------------------
 *
 * load_constraints.c
 *	  Deferred constraints: every load ends with them checked, and begins with them deferred.
 *
 * Layer 3.  An error of a deferred constraint has to show in the subtransaction of the messages
 * that caused it.  PostgreSQL checks them early only by SET CONSTRAINTS ALL IMMEDIATE, which lasts
 * as long as the transaction.  The next load of the same transaction would then be judged more
 * strictly than the first (a handler may well insert a child before its parent): so those that
 * are initially deferred are made so again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "pipeline/load_internal.h"
#include "utils/builtins.h"

/*
 * Those in schemas that the owner may not use are left immediate: a load that defers one of them
 * (by another role's trigger function) is judged more strictly when it is repeated.  Names are all
 * that SET CONSTRAINTS takes, and it refuses one that also belongs to a constraint that cannot be
 * deferred.
 */
static const char *const query_deferred =
"SELECT n.nspname, c.conname FROM pg_catalog.pg_constraint c "
"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.connamespace "
"WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
"AND NOT pg_catalog.pg_is_other_temp_schema(n.oid) "
"GROUP BY n.nspname, c.conname HAVING pg_catalog.bool_and(c.condeferred)";

static List *
find_deferred(KafkaLoader *loader)
{
	MemoryContext old = CurrentMemoryContext;
	List	   *result = NIL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute(query_deferred, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for deferred constraints");
	MemoryContextSwitchTo(loader->context);
	for (uint64 i = 0; i < SPI_processed; i++)
		result = lappend(result,
						 makeRangeVar(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1),
									  SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
									  -1));
	MemoryContextSwitchTo(old);
	SPI_finish();
	return result;
}

void
kafka_load_check_deferred(KafkaLoader *loader)
{
	ConstraintsSetStmt *statement = makeNode(ConstraintsSetStmt);

	AfterTriggerSetState(statement);	/* all, immediate */
	loader->checked_deferred = true;
}

void
kafka_loader_defer_constraints(KafkaLoader *loader)
{
	ConstraintsSetStmt *statement = makeNode(ConstraintsSetStmt);

	if (!loader->checked_deferred)
		return;
	if (!loader->knows_deferred)
		loader->deferred = find_deferred(loader);
	loader->knows_deferred = true;
	if (loader->deferred == NIL)
		return;
	statement->constraints = loader->deferred;
	statement->deferred = true;
	AfterTriggerSetState(statement);
}
