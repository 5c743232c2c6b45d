/*-------------------------------------------------------------------------
 *
 * query.c
 *	  Queries on the extension's own tables, run as their owner.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

Oid
kafka_query_owner(void)
{
	Oid			relid = get_relname_relid("outbox_definition", get_namespace_oid("kafka", true));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"kafka.outbox_definition\" does not exist"),
				 errhint("Is the extension kafka_fdw there, and of this version?")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
prepare(KafkaQuery *query)
{
	SPIPlanPtr	plan;

	/* one plan, whatever the values: the tables' indexes are all there is to choose */
	if (query->plan)
		return;
	plan = SPI_prepare_cursor(query->text, query->nargs, query->types,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare a query on the extension's tables: %s", SPI_result_code_string(SPI_result));
	query->plan = plan;
}

/*
 * Whatever search_path the session has, names in the query are PostgreSQL's, those that the grammar
 * hides too, as in IS DISTINCT FROM.  With an empty one they are already.
 */
static int
guard_search_path(void)
{
	int			level = NewGUCNestLevel();

	if (namespace_search_path[0] != '\0')
		(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* An error leaves user and setting to the end of the transaction, which puts them right. */
static void
execute(KafkaQuery *query, Datum *values, const char *nulls, SPIExecuteOptions options)
{
	ParamListInfo params = makeParamList(query->nargs);
	MemoryContext old = CurrentMemoryContext;
	Oid			user;
	int			security;
	int			level;
	int			rc;

	options.params = params;
	for (int i = 0; i < query->nargs; i++)
	{
		params->params[i].value = values[i];
		params->params[i].isnull = nulls && nulls[i] == 'n';
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = query->types[i];
	}
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(kafka_query_owner(), security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	level = guard_search_path();
	prepare(query);
	rc = SPI_execute_plan_extended(query->plan, &options);
	if (rc < 0)
		elog(ERROR, "a query on the extension's tables failed: %s", SPI_result_code_string(rc));
	AtEOXact_GUC(true, level);
	SetUserIdAndSecContext(user, security);
	MemoryContextSwitchTo(old); /* SPI leaves its own */
}

uint64
kafka_query_run(KafkaQuery *query, Datum *values, const char *nulls)
{
	SPIExecuteOptions options = {0};

	execute(query, values, nulls, options);
	return SPI_processed;
}

uint64
kafka_query_look(KafkaQuery *query, Datum *values, const char *nulls)
{
	SPIExecuteOptions options = {.read_only = true};

	PushActiveSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
	execute(query, values, nulls, options);
	PopActiveSnapshot();
	return SPI_processed;
}

Datum
kafka_query_value(int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, isnull);
}

void
kafka_query_check_columns(Relation rel, int columns)
{
	if (RelationGetDescr(rel)->natts != columns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" does not have the columns that this version of kafka_fdw expects",
						RelationGetRelationName(rel)),
				 errhint("ALTER EXTENSION kafka_fdw UPDATE, or install the library that belongs to it.")));
}
