/*-------------------------------------------------------------------------
 *
 * pipeline_args.c
 *	  Arguments of the functions that make and change pipelines.
 *
 * Layer 3.  kafka.create_pipeline and kafka.alter_pipeline change a definition, the defaults' or
 * the one that is there, by the arguments they are given, and check the whole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "client/partition_offsets.h"
#include "client/topic.h"
#include "foreign/foreign.h"
#include "ground/compat.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pipeline/load.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/consumer_args.h"
#include "sql/pipeline_args.h"
#include "sql/target.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#define MAX_BATCH_ROWS 1000000
#define MAX_PARALLELISM 64

/* ------------------------------------------------------------------------
 * Source
 * ------------------------------------------------------------------------
 */

/* A relation that the text names as regclass would read it; InvalidOid: none, or it is no name. */
static Oid
find_relation(const char *text)
{
	char	   *copy = pstrdup(text);
	List	   *names;
	RangeVar   *relation;

	if (!SplitIdentifierString(copy, '.', &names) || names == NIL || list_length(names) > 2)
		return InvalidOid;
	relation = makeRangeVar(list_length(names) == 2 ? (char *) linitial(names) : NULL,
							(char *) llast(names), -1);
	return RangeVarGetRelid(relation, NoLock, true);
}

static bool
is_our_table(Oid relid)
{
	return OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE &&
		kafka_is_our_wrapper(GetForeignServer(GetForeignTable(relid)->serverid)->fdwid);
}

static void
take_table(KafkaPipeline *pipeline, Oid relid, const char *server)
{
	const KafkaOptions *opts = kafka_options_of_table(relid, pipeline->owner);

	if (server && strcmp(server, opts->server_name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("foreign table \"%s\" is not on server \"%s\"", get_rel_name(relid),
						server),
				 errhint("Argument \"server\" is for a topic as \"source\".")));
	pipeline->source = relid;
	pipeline->topic = opts->topic;
	pipeline->server = opts->server_name;
}

/* A pipeline that had a source stays on its server. */
static void
take_source(KafkaPipeline *pipeline, char *text, char *server)
{
	Oid			relid = find_relation(text);

	if (is_our_table(relid))
	{
		take_table(pipeline, relid, server);
		return;
	}
	kafka_topic_check_name(text);
	pipeline->source = InvalidOid;
	pipeline->topic = text;
	if (server || pipeline->server == NULL)
		pipeline->server = kafka_sql_server_named(server)->server_name;
}

static void
take_server(KafkaPipeline *pipeline, char *server)
{
	if (OidIsValid(pipeline->source))
		take_table(pipeline, pipeline->source, server);
	else
		pipeline->server = kafka_sql_server_named(server)->server_name;
}

int32
kafka_sql_pipeline_partitions(const KafkaPipeline *pipeline)
{
	int32		n = kafka_topic_partitions(pipeline->opts, pipeline->topic, true, false);

	if (n < 0 && !OidIsValid(pipeline->source))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
				 errmsg("topic \"%s\" does not exist", pipeline->topic),
				 errhint("The source is a foreign table of kafka_fdw or, where there is none of "
						 "that name, a topic.")));
	/* says what else there is to say */
	return n < 0 ? kafka_topic_partitions(pipeline->opts, pipeline->topic, false, false) : n;
}

/* ------------------------------------------------------------------------
 * Target and handler
 * ------------------------------------------------------------------------
 */
static void
take_handler(KafkaPipeline *pipeline, Oid funcid)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	Form_pg_proc proc;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", funcid)));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	if (proc->prokind != PROKIND_FUNCTION || proc->pronargs != 1 ||
		!kafka_loader_takes(proc->proargtypes.values[0]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("%s cannot be a handler", format_procedure(funcid)),
				 errhint("A handler is a function with one argument of type kafka.message[].")));
	ReleaseSysCache(tuple);
	pipeline->handler = format_procedure_qualified(funcid);
}

static List *
column_names(FunctionCallInfo fcinfo, int argno)
{
	int			given = ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(argno)),
									   ARR_DIMS(PG_GETARG_ARRAYTYPE_P(argno)));
	int			n;
	char	  **names = kafka_sql_names(fcinfo, argno, "columns", &n);
	List	   *result = NIL;

	if (n != given)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("a column is specified more than once in argument \"columns\"")));
	for (int i = 0; i < n; i++)
		result = lappend(result, names[i]);
	return result;
}

/* Who names one of them does without the other. */
static void
take_target(FunctionCallInfo fcinfo, KafkaPipeline *pipeline)
{
	bool		has_target = !PG_ARGISNULL(KAFKA_PIPELINE_ARG_TARGET);
	bool		has_handler = !PG_ARGISNULL(KAFKA_PIPELINE_ARG_HANDLER);

	if (has_target && has_handler)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pipeline has a target or a handler, not both"),
				 errhint("A handler inserts its rows itself.")));
	if (has_target)
	{
		pipeline->target = PG_GETARG_OID(KAFKA_PIPELINE_ARG_TARGET);
		pipeline->handler = NULL;
	}
	if (has_handler)
	{
		take_handler(pipeline, PG_GETARG_OID(KAFKA_PIPELINE_ARG_HANDLER));
		pipeline->target = InvalidOid;
		pipeline->columns = NIL;
		pipeline->mode = KAFKA_PIPELINE_INSERT;
	}
	if (!PG_ARGISNULL(KAFKA_PIPELINE_ARG_COLUMNS))
		pipeline->columns = column_names(fcinfo, KAFKA_PIPELINE_ARG_COLUMNS);
	if (!PG_ARGISNULL(KAFKA_PIPELINE_ARG_MODE))
		pipeline->mode = kafka_option_enum(kafka_pipeline_modes,
										   kafka_sql_text(fcinfo, KAFKA_PIPELINE_ARG_MODE, "mode"),
										   "argument \"mode\"");
}

static void
check_target(const KafkaPipeline *pipeline)
{
	const char *argument = pipeline->columns ? "columns" : "mode";

	if (OidIsValid(pipeline->target) && get_rel_name(pipeline->target) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", pipeline->target)));
	if (!OidIsValid(pipeline->target) && pipeline->handler == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pipeline needs a target or a handler"),
				 errhint("Pass \"target\", a table or view, or \"handler\", a function with one "
						 "argument of type kafka.message[].")));
	if (pipeline->handler &&
		(pipeline->columns != NIL || pipeline->mode != KAFKA_PIPELINE_INSERT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" means nothing to a pipeline with a handler", argument),
				 errhint("A handler inserts its rows itself.")));
}

/* ------------------------------------------------------------------------
 * All arguments
 * ------------------------------------------------------------------------
 */
static int
number(FunctionCallInfo fcinfo, int argno, const char *name, int max)
{
	int			value = PG_GETARG_INT32(argno);

	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is out of range", name),
				 errhint("It takes a number from 1 to %d.", max)));
	return value;
}

void
kafka_sql_pipeline_arguments(FunctionCallInfo fcinfo, bool has_start, KafkaPipeline *pipeline)
{
#define BEHIND_START(argno) ((argno) - (has_start ? 0 : 1))
	int			rows = BEHIND_START(KAFKA_PIPELINE_ARG_BATCH_ROWS);
	int			interval = BEHIND_START(KAFKA_PIPELINE_ARG_BATCH_INTERVAL);
	int			parallelism = BEHIND_START(KAFKA_PIPELINE_ARG_PARALLELISM);
	int			options = BEHIND_START(KAFKA_PIPELINE_ARG_OPTIONS);
	int			server = BEHIND_START(KAFKA_PIPELINE_ARG_SERVER);
	char	   *server_name = PG_ARGISNULL(server) ? NULL : NameStr(*PG_GETARG_NAME(server));

	if (!PG_ARGISNULL(KAFKA_PIPELINE_ARG_SOURCE))
		take_source(pipeline, kafka_sql_text(fcinfo, KAFKA_PIPELINE_ARG_SOURCE, "source"),
					server_name);
	else if (server_name)
		take_server(pipeline, server_name);
	take_target(fcinfo, pipeline);
	if (!PG_ARGISNULL(KAFKA_PIPELINE_ARG_ON_ERROR))
		pipeline->on_error =
			kafka_option_enum(kafka_pipeline_on_errors,
							  kafka_sql_text(fcinfo, KAFKA_PIPELINE_ARG_ON_ERROR, "on_error"),
							  "argument \"on_error\"");
	if (!PG_ARGISNULL(rows))
		pipeline->batch_rows = number(fcinfo, rows, "batch_rows", MAX_BATCH_ROWS);
	pipeline->batch_interval = kafka_sql_wait_ms(fcinfo, interval, "batch_interval",
												 pipeline->batch_interval);
	if (!PG_ARGISNULL(parallelism))
		pipeline->parallelism = number(fcinfo, parallelism, "parallelism", MAX_PARALLELISM);
	if (!PG_ARGISNULL(options))
		pipeline->options = PG_GETARG_JSONB_P(options);
	check_target(pipeline);
#undef BEHIND_START
}

KafkaPipeline *
kafka_sql_pipeline_lock(FunctionCallInfo fcinfo, int argno)
{
	static KafkaQuery query = {
		"SELECT FROM kafka.pipeline_definition d WHERE d.id OPERATOR(pg_catalog.=) $1 "
		"FOR NO KEY UPDATE",
		1, {INT4OID}, NULL
	};
	char	   *name = kafka_sql_text(fcinfo, argno, "name");
	const KafkaPipeline *found = kafka_pipeline_find(name, false);
	Datum		values[] = {Int32GetDatum(found->id)};
	KafkaPipeline *pipeline;

	kafka_pipeline_require_owner(found);
	/* it would be rolled back with the batch, which is fenced by it, and again and again */
	if (kafka_pipeline_is_entered(found->id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("pipeline \"%s\" cannot be changed or stopped in a batch of its own", name)));
	(void) kafka_query_run(&query, values, NULL);
	pipeline = kafka_pipeline_by_id(found->id);
	/* not by name once more: it may be somebody else's by now */
	if (pipeline == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist any longer", name)));
	return pipeline;
}

/* Rows and offsets cannot be lost and kept together everywhere. */
static void
tell_target(const KafkaPipeline *pipeline)
{
	const char *name = OidIsValid(pipeline->target) ? get_rel_name(pipeline->target) : NULL;

	if (name == NULL)
		return;
	if (get_rel_persistence(pipeline->target) == RELPERSISTENCE_UNLOGGED)
		ereport(NOTICE,
				(errmsg("table \"%s\" is unlogged: a crash empties it, and the pipeline goes on "
						"behind what was loaded", name)));
	if (get_rel_relkind(pipeline->target) == RELKIND_FOREIGN_TABLE)
		ereport(NOTICE,
				(errmsg("\"%s\" is a foreign table: a crash can load messages into it twice",
						name)));
}

void
kafka_sql_pipeline_check(const KafkaPipeline *pipeline)
{
	KafkaPipelineUser saved = kafka_pipeline_enter(pipeline);

	kafka_loader_end(kafka_loader_begin(pipeline));
	kafka_pipeline_leave(&saved);
	tell_target(pipeline);
}

/* ------------------------------------------------------------------------
 * Places in a topic
 * ------------------------------------------------------------------------
 */
static int32
partition_number(const KafkaPipeline *pipeline, const char *text, int32 npartitions)
{
	char	   *end;
	long		partition = strtol(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || partition >= npartitions)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("topic \"%s\" has no partition %s", pipeline->topic, text),
				 errhint("It has partitions 0 to %d.", npartitions - 1)));
	return (int32) partition;
}

/* By partition; those that an object does not name have no target. */
static void
parse_places(const KafkaPipeline *pipeline, char *text, int32 npartitions,
			 KafkaPlaceTarget *targets, bool *named)
{
	ListCell   *lc;

	if (text[strspn(text, " \t\r\n")] != '{')
	{
		KafkaPlaceTarget target = kafka_sql_parse_target(text);

		for (int i = 0; i < npartitions; i++)
		{
			targets[i] = target;
			named[i] = true;
		}
		return;
	}
	foreach(lc, kafka_sql_properties(DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
																		 CStringGetDatum(text))),
									 "start"))
	{
		const KafkaProperty *place = (const KafkaProperty *) lfirst(lc);
		int32		partition = partition_number(pipeline, place->name, npartitions);

		targets[partition] = kafka_sql_parse_target(place->value);
		named[partition] = true;
	}
}

/* An offset that is not there is better heard of now than when it is run. */
static void
check_offset(const KafkaPipeline *pipeline, int32 partition, int64 offset,
			 const KafkaBounds *bounds)
{
	bool		beyond = offset > bounds->ends[partition];

	if (!beyond && (offset >= bounds->lows[partition] ||
					pipeline->opts->on_missing == KAFKA_ON_MISSING_EARLIEST))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("offset " INT64_FORMAT " is not in topic \"%s\" partition %d", offset,
					pipeline->topic, partition),
			 beyond ? errdetail("It ends at " INT64_FORMAT ".", bounds->ends[partition]) :
			 errdetail("It begins at " INT64_FORMAT ".", bounds->lows[partition]),
			 errhint("For the ends of a topic there are 'earliest' and 'latest'.")));
}

static void
check_places(const KafkaPipeline *pipeline, const KafkaPlaceTarget *targets,
			 const KafkaPipelinePlaces *places)
{
	KafkaBounds bounds = {0};

	for (int i = 0; i < places->n; i++)
	{
		if (!targets[i].is_offset)
			continue;
		if (bounds.lows == NULL)
			kafka_topic_bounds(pipeline->opts, pipeline->topic, &bounds);
		if (places->partitions[i] < bounds.npartitions)
			check_offset(pipeline, places->partitions[i], places->offsets[i], &bounds);
	}
}

/* What is no place comes from the input of timestamps, which does not know what else there is. */
static void
hint_places(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_DATETIME_FORMAT ||
		geterrcode() == ERRCODE_DATETIME_VALUE_OUT_OF_RANGE)
		errhint("It is 'earliest', 'latest', an offset, a timestamp, or an object of these by "
				"partition: {\"0\": 42}.");
}

static void
parse_with_hint(const KafkaPipeline *pipeline, char *text, int32 npartitions,
				KafkaPlaceTarget *targets, bool *named)
{
	ErrorContextCallback callback = {.callback = hint_places};

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	parse_places(pipeline, text, npartitions, targets, named);
	error_context_stack = callback.previous;
}

KafkaPipelinePlaces
kafka_sql_pipeline_places(const KafkaPipeline *pipeline, char *text, int32 partition,
						  bool only_named)
{
	int32		npartitions = kafka_sql_pipeline_partitions(pipeline);
	KafkaPlaceTarget *targets = palloc0(sizeof(KafkaPlaceTarget) * Max(npartitions, 1));
	bool	   *named = palloc0(sizeof(bool) * Max(npartitions, 1));
	KafkaPipelinePlaces places = {0};

	if (partition >= npartitions)
		(void) partition_number(pipeline, psprintf("%d", partition), npartitions);
	parse_with_hint(pipeline, text, npartitions, targets, named);
	if (partition >= 0 && !named[partition])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the object of partitions does not have partition %d", partition),
				 errhint("Give an object, or a partition and its place.")));
	places.partitions = palloc(sizeof(int32) * Max(npartitions, 1));
	places.offsets = palloc(sizeof(int64) * Max(npartitions, 1));
	places.earliest = palloc(sizeof(bool) * Max(npartitions, 1));
	for (int32 i = 0; i < npartitions; i++)
	{
		if ((partition >= 0 && partition != i) || (only_named && !named[i]))
			continue;
		if (!named[i])
			targets[i].time = KAFKA_TIME_EARLIEST;
		targets[places.n] = targets[i];
		places.earliest[places.n] = !targets[i].is_offset &&
			targets[i].time == KAFKA_TIME_EARLIEST;
		places.partitions[places.n++] = i;
	}
	kafka_sql_targets_offsets(pipeline->opts, pipeline->topic, targets, places.partitions,
							  places.n, places.offsets);
	check_places(pipeline, targets, &places);
	return places;
}
