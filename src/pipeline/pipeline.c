/*-------------------------------------------------------------------------
 *
 * pipeline.c
 *	  The pipelines of this database: kafka.pipeline_definition.
 *
 * Layer 3.  There are few of them, so the table is read whole, with a snapshot of its own: what
 * another session has changed since this transaction began is seen under REPEATABLE READ too.
 *
 * A pipeline runs as its owner, with the search_path it was made with.  What its owner's functions
 * leave to the end of the transaction (deferred triggers, cursors WITH HOLD) must run as he too,
 * not as the worker, which is a superuser: kafka_pipeline_commit_as_owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "ground/compat.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "pipeline/pipeline.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Columns of kafka.pipeline_definition. */
enum
{
	COLUMN_ID,
	COLUMN_NAME,
	COLUMN_OWNER,
	COLUMN_SOURCE,
	COLUMN_TOPIC,
	COLUMN_SERVER,
	COLUMN_TARGET,
	COLUMN_HANDLER,
	COLUMN_COLUMNS,
	COLUMN_MODE,
	COLUMN_ON_ERROR,
	COLUMN_BATCH_ROWS,
	COLUMN_BATCH_INTERVAL,
	COLUMN_PARALLELISM,
	COLUMN_OPTIONS,
	COLUMN_SEARCH_PATH,
	COLUMN_ENABLED,
	COLUMN_CREATED,
	COLUMN_ORDERS,
	COLUMNS
};

const struct config_enum_entry kafka_pipeline_modes[] = {
	{"insert", KAFKA_PIPELINE_INSERT, false},
	{"upsert", KAFKA_PIPELINE_UPSERT, false},
	{"ignore", KAFKA_PIPELINE_IGNORE, false},
	{NULL, 0, false}
};

const struct config_enum_entry kafka_pipeline_on_errors[] = {
	{"stop", KAFKA_PIPELINE_STOP, false},
	{"skip", KAFKA_PIPELINE_SKIP, false},
	{"dead_letter", KAFKA_PIPELINE_DEAD_LETTER, false},
	{NULL, 0, false}
};

/* ------------------------------------------------------------------------
 * Reading the table
 * ------------------------------------------------------------------------
 */
static char *
text_or_null(const Datum *values, const bool *nulls, int column)
{
	return nulls[column] ? NULL : TextDatumGetCString(values[column]);
}

static Oid
oid_or_invalid(const Datum *values, const bool *nulls, int column)
{
	return nulls[column] ? InvalidOid : DatumGetObjectId(values[column]);
}

static List *
read_names(Datum array)
{
	Datum	   *elems;
	int			n;
	List	   *names = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elems, NULL,
					  &n);
	for (int i = 0; i < n; i++)
		names = lappend(names, TextDatumGetCString(elems[i]));
	return names;
}

static int
interval_ms(Datum datum)
{
	const Interval *interval = DatumGetIntervalP(datum);
	double		ms = interval->time / 1000.0 + interval->day * (double) SECS_PER_DAY * 1000.0 +
		interval->month * (double) DAYS_PER_MONTH * SECS_PER_DAY * 1000.0;

	return (int) Max(0.0, Min(ms, (double) INT_MAX));
}

static KafkaPipeline *
read_definition(HeapTuple tuple, TupleDesc desc)
{
	KafkaPipeline *pipeline = palloc0(sizeof(KafkaPipeline));
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	pipeline->id = DatumGetInt32(values[COLUMN_ID]);
	pipeline->name = TextDatumGetCString(values[COLUMN_NAME]);
	pipeline->owner = DatumGetObjectId(values[COLUMN_OWNER]);
	pipeline->source = oid_or_invalid(values, nulls, COLUMN_SOURCE);
	pipeline->topic = TextDatumGetCString(values[COLUMN_TOPIC]);
	pipeline->server = pstrdup(NameStr(*DatumGetName(values[COLUMN_SERVER])));
	pipeline->target = oid_or_invalid(values, nulls, COLUMN_TARGET);
	pipeline->handler = text_or_null(values, nulls, COLUMN_HANDLER);
	pipeline->columns = nulls[COLUMN_COLUMNS] ? NIL : read_names(values[COLUMN_COLUMNS]);
	pipeline->mode = kafka_option_enum(kafka_pipeline_modes,
									   TextDatumGetCString(values[COLUMN_MODE]),
									   "column \"mode\"");
	pipeline->on_error = kafka_option_enum(kafka_pipeline_on_errors,
										   TextDatumGetCString(values[COLUMN_ON_ERROR]),
										   "column \"on_error\"");
	pipeline->batch_rows = DatumGetInt32(values[COLUMN_BATCH_ROWS]);
	pipeline->batch_interval = interval_ms(values[COLUMN_BATCH_INTERVAL]);
	pipeline->parallelism = DatumGetInt32(values[COLUMN_PARALLELISM]);
	pipeline->options = DatumGetJsonbPCopy(values[COLUMN_OPTIONS]);
	pipeline->search_path = TextDatumGetCString(values[COLUMN_SEARCH_PATH]);
	pipeline->enabled = DatumGetBool(values[COLUMN_ENABLED]);
	pipeline->orders = DatumGetInt64(values[COLUMN_ORDERS]);
	return pipeline;
}

/* NULL: the extension is not there, or is just being dropped. */
static Relation
open_table(void)
{
	Oid			relid = get_relname_relid("pipeline_definition", get_namespace_oid("kafka", true));

	if (!OidIsValid(relid) || !OidIsValid(get_extension_oid("kafka_fdw", true)))
		return NULL;
	return try_relation_open(relid, AccessShareLock);
}

/* What is committed by now, or was done by this transaction. */
static Snapshot
look_now(void)
{
	return RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
}

/* All of them; closes the table. */
static List *
read_all(Relation rel)
{
	Snapshot	snapshot = look_now();
	SysScanDesc scan;
	List	   *result = NIL;
	HeapTuple	tuple;

	kafka_query_check_columns(rel, COLUMNS);
	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = lappend(result, read_definition(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return result;
}

static List *
read_existing(void)
{
	Relation	rel = open_table();

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"kafka.pipeline_definition\" does not exist"),
				 errhint("Is the extension kafka_fdw there, and of this version?")));
	return read_all(rel);
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((const KafkaPipeline *) lfirst(a))->name,
				  ((const KafkaPipeline *) lfirst(b))->name);
}

List *
kafka_pipeline_list(void)
{
	List	   *result = read_existing();

	list_sort(result, compare_names);
	return result;
}

KafkaPipeline *
kafka_pipeline_find(const char *name, bool missing_ok)
{
	ListCell   *lc;

	foreach(lc, read_existing())
		if (strcmp(((KafkaPipeline *) lfirst(lc))->name, name) == 0)
			return (KafkaPipeline *) lfirst(lc);
	if (!missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist", name),
				 errhint("The view kafka.pipelines lists them.")));
	return NULL;
}

KafkaPipeline *
kafka_pipeline_by_id(int32 id)
{
	Relation	rel = open_table();
	ListCell   *lc;

	if (rel == NULL)
		return NULL;
	foreach(lc, read_all(rel))
		if (((KafkaPipeline *) lfirst(lc))->id == id)
			return (KafkaPipeline *) lfirst(lc);
	return NULL;
}

/* ------------------------------------------------------------------------
 * Where it reads
 * ------------------------------------------------------------------------
 */
static void
check_owner_exists(const KafkaPipeline *pipeline)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(pipeline->owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline \"%s\" does not exist any longer", pipeline->name),
				 errhint("Drop the pipeline and create it again.")));
}

static KafkaOptions *
table_options(const KafkaPipeline *pipeline)
{
	char	   *name = get_rel_name(pipeline->source);
	KafkaOptions *opts;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the foreign table that pipeline \"%s\" reads does not exist any longer",
						pipeline->name),
				 errhint("Give it another source with kafka.alter_pipeline.")));
	if (pg_class_aclcheck(pipeline->source, pipeline->owner, ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign table %s", name),
				 errdetail("The owner of pipeline \"%s\" needs SELECT on it.", pipeline->name)));
	opts = kafka_options_of_table(pipeline->source, pipeline->owner);
	if (strcmp(opts->topic, pipeline->topic) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("foreign table \"%s\" names another topic than pipeline \"%s\" has read",
						name, pipeline->name),
				 errdetail("The offsets belong to topic \"%s\".", pipeline->topic),
				 errhint("To read the other topic from its beginning, pass the table as \"source\" "
						 "to kafka.alter_pipeline.")));
	return opts;
}

static KafkaOptions *
server_options(const KafkaPipeline *pipeline)
{
	ForeignServer *server = GetForeignServerByName(pipeline->server, true);
	KafkaOptions *opts;

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of pipeline \"%s\" does not exist", pipeline->server,
						pipeline->name)));
	if (!kafka_is_our_wrapper(server->fdwid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a kafka_fdw server", pipeline->server)));
	if (KAFKA_SERVER_ACLCHECK(server->serverid, pipeline->owner) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", pipeline->server),
				 errdetail("The owner of pipeline \"%s\" needs USAGE on it.", pipeline->name)));
	opts = kafka_options_of_server(server->serverid, pipeline->owner);
	opts->topic = pipeline->topic;
	return opts;
}

void
kafka_pipeline_resolve(KafkaPipeline *pipeline)
{
	check_owner_exists(pipeline);
	pipeline->opts = OidIsValid(pipeline->source) ? table_options(pipeline) :
		server_options(pipeline);
	kafka_pipeline_apply_options(pipeline);
}

/* ------------------------------------------------------------------------
 * Its owner
 * ------------------------------------------------------------------------
 */
void
kafka_pipeline_require_owner(const KafkaPipeline *pipeline)
{
	if (!has_privs_of_role(GetUserId(), pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of pipeline %s", pipeline->name)));
}

void
kafka_pipeline_require_self(const KafkaPipeline *pipeline)
{
	kafka_pipeline_require_owner(pipeline);
	if (GetUserId() != pipeline->owner && !superuser_arg(pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("pipeline \"%s\" can be run in a session by its owner only",
						pipeline->name),
				 errdetail("What its functions leave behind would run as the session's user."),
				 errhint("SET ROLE %s first, or let workers run it.",
						 quote_identifier(GetUserNameFromId(pipeline->owner, false)))));
}

/* ------------------------------------------------------------------------
 * Being the owner
 * ------------------------------------------------------------------------
 */
static int32 loading;			/* the pipeline that was entered; 0: none */
static int	loading_level;		/* in this nesting level of transactions, or one above */
static KafkaPipelineUser before_commit;
static bool committing;

/* PostgreSQL puts the user right after an abort only. */
static void
on_transaction(XactEvent event, void *arg)
{
	bool		ends = event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE;

	if (committing && ends)
		SetUserIdAndSecContext(before_commit.userid, before_commit.security);
	if (ends || event == XACT_EVENT_ABORT)
	{
		committing = false;
		loading = 0;
	}
}

static void
watch_transactions(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(on_transaction, NULL);
	registered = true;
}

KafkaPipelineUser
kafka_pipeline_enter(const KafkaPipeline *pipeline)
{
	KafkaPipelineUser saved;

	check_owner_exists(pipeline);
	watch_transactions();
	saved.loading = loading;
	loading = pipeline->id;
	loading_level = GetCurrentTransactionNestLevel();
	GetUserIdAndSecContext(&saved.userid, &saved.security);
	saved.nest_level = NewGUCNestLevel();
	SetUserIdAndSecContext(pipeline->owner, saved.security | SECURITY_LOCAL_USERID_CHANGE);
	(void) set_config_option("search_path", pipeline->search_path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	return saved;
}

void
kafka_pipeline_leave(const KafkaPipelineUser *saved)
{
	AtEOXact_GUC(false, saved->nest_level);
	SetUserIdAndSecContext(saved->userid, saved->security);
	loading = saved->loading;
}

/* One that an error has left in a deeper level is not entered any more. */
bool
kafka_pipeline_is_entered(int32 pipeline)
{
	return loading == pipeline && GetCurrentTransactionNestLevel() >= loading_level;
}

void
kafka_pipeline_commit_as_owner(const KafkaPipeline *pipeline)
{
	before_commit = kafka_pipeline_enter(pipeline);
	committing = true;
}
