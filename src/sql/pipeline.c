/*-------------------------------------------------------------------------
 *
 * pipeline.c
 *	  kafka.create_pipeline, alter_pipeline and drop_pipeline.
 *
 * Layer 3.  All is in the caller's transaction.  Rows are locked in the order definition, offsets,
 * state, dead letters, as a batch does with those that it changes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "client/topic.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "ground/compat.h"
#include "ground/logfmt.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "pipeline/offsets.h"
#include "pipeline/pipeline.h"
#include "sql/common.h"
#include "sql/pipeline_args.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/requests.h"

#define DEFAULT_BATCH_ROWS 20000
#define DEFAULT_BATCH_INTERVAL 200

/* ------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------
 */
static Datum
name_array(List *names)
{
	Datum	   *elems = palloc(sizeof(Datum) * list_length(names));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, names)
		elems[n++] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(elems, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
interval_datum(int ms)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = ms * INT64CONST(1000);
	return IntervalPGetDatum(interval);
}

/* What both queries have; $1 is the name, or the number. */
#define DEFINED 16
#define DEFINED_TYPES REGCLASSOID, TEXTOID, NAMEOID, REGCLASSOID, TEXTOID, TEXTARRAYOID, TEXTOID, \
	TEXTOID, INT4OID, INTERVALOID, INT4OID, JSONBOID

static void
fill_values(const KafkaPipeline *pipeline, Datum *values, char *nulls)
{
	memset(nulls, ' ', DEFINED);
	values[1] = ObjectIdGetDatum(pipeline->source);
	nulls[1] = OidIsValid(pipeline->source) ? ' ' : 'n';
	values[2] = CStringGetTextDatum(pipeline->topic);
	values[3] = DirectFunctionCall1(namein, CStringGetDatum(pipeline->server));
	values[4] = ObjectIdGetDatum(pipeline->target);
	nulls[4] = OidIsValid(pipeline->target) ? ' ' : 'n';
	values[5] = pipeline->handler ? CStringGetTextDatum(pipeline->handler) : (Datum) 0;
	nulls[5] = pipeline->handler ? ' ' : 'n';
	values[6] = pipeline->columns != NIL ? name_array(pipeline->columns) : (Datum) 0;
	nulls[6] = pipeline->columns != NIL ? ' ' : 'n';
	values[7] = CStringGetTextDatum(kafka_option_word(kafka_pipeline_modes, pipeline->mode));
	values[8] = CStringGetTextDatum(kafka_option_word(kafka_pipeline_on_errors,
													   pipeline->on_error));
	values[9] = Int32GetDatum(pipeline->batch_rows);
	values[10] = interval_datum(pipeline->batch_interval);
	values[11] = Int32GetDatum(pipeline->parallelism);
	values[12] = JsonbPGetDatum(pipeline->options);
}

static void
reject_name(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("pipeline \"%s\" already exists", name)));
}

static void
insert_definition(KafkaPipeline *pipeline)
{
	static KafkaQuery query = {
		"INSERT INTO kafka.pipeline_definition (name, source, topic, server, target, handler, "
		"columns, mode, on_error, batch_rows, batch_interval, parallelism, options, owner, "
		"search_path) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "
		"ON CONFLICT DO NOTHING RETURNING id",
		15, {TEXTOID, DEFINED_TYPES, REGROLEOID, TEXTOID}, NULL
	};
	static KafkaQuery state = {
		"INSERT INTO kafka.pipeline_state (pipeline) VALUES ($1)", 1, {INT4OID}, NULL
	};
	Datum		values[DEFINED];
	char		nulls[DEFINED];
	bool		isnull;

	fill_values(pipeline, values, nulls);
	values[0] = CStringGetTextDatum(pipeline->name);
	values[13] = ObjectIdGetDatum(pipeline->owner);
	values[14] = CStringGetTextDatum(pipeline->search_path);
	if (kafka_query_run(&query, values, nulls) == 0)
		reject_name(pipeline->name);
	values[0] = kafka_query_value(1, &isnull);
	pipeline->id = DatumGetInt32(values[0]);
	(void) kafka_query_run(&state, values, NULL);
}

static void
update_definition(const KafkaPipeline *pipeline)
{
	static KafkaQuery query = {
		"UPDATE kafka.pipeline_definition d SET source = $2, topic = $3, server = $4, "
		"target = $5, handler = $6, columns = $7, mode = $8, on_error = $9, batch_rows = $10, "
		"batch_interval = $11, parallelism = $12, options = $13 "
		"WHERE d.id OPERATOR(pg_catalog.=) $1",
		13, {INT4OID, DEFINED_TYPES}, NULL
	};
	Datum		values[DEFINED];
	char		nulls[DEFINED];

	fill_values(pipeline, values, nulls);
	values[0] = Int32GetDatum(pipeline->id);
	(void) kafka_query_run(&query, values, nulls);
}

void
kafka_sql_pipeline_log(const char *event, const KafkaPipeline *pipeline)
{
	ereport(LOG,
			(errmsg_internal("event=%s pipeline=%s user=%s", event,
							 kafka_logfmt_quote(pipeline->name),
							 kafka_logfmt_quote(GetUserNameFromId(GetUserId(), false))),
			 errhidestmt(true), errhidecontext(true)));
}

/* ------------------------------------------------------------------------
 * Offsets
 * ------------------------------------------------------------------------
 */
void
kafka_sql_pipeline_move(int32 pipeline, const KafkaPipelinePlaces *places, bool seek)
{
	int32	   *partitions = palloc(sizeof(int32) * Max(places->n, 1));
	int64	   *offsets = palloc(sizeof(int64) * Max(places->n, 1));

	for (int earliest = 0; earliest <= 1; earliest++)
	{
		int			n = 0;

		for (int i = 0; i < places->n; i++)
		{
			if (places->earliest[i] != (bool) earliest)
				continue;
			partitions[n] = places->partitions[i];
			offsets[n++] = places->offsets[i];
		}
		if (n == 0)
			continue;
		kafka_pipeline_offsets_add(pipeline, partitions, offsets, n, earliest);
		if (seek)
			kafka_pipeline_offsets_seek(pipeline, partitions, offsets, n, earliest);
	}
}

/*
 * Another topic has offsets of its own.  Its epochs go on from those of the old one: a batch that is
 * under way must not find its own again.
 */
static void
begin_anew(const KafkaPipeline *pipeline)
{
	static KafkaQuery remove = {
		"WITH removed AS (DELETE FROM kafka.pipeline_offset o "
		"WHERE o.pipeline OPERATOR(pg_catalog.=) $1 RETURNING o.owner_epoch) "
		"SELECT COALESCE(pg_catalog.max(r.owner_epoch), 0) FROM removed r",
		1, {INT4OID}, NULL
	};
	static KafkaQuery raise = {
		"UPDATE kafka.pipeline_offset o SET "
		"owner_epoch = o.owner_epoch OPERATOR(pg_catalog.+) $2 OPERATOR(pg_catalog.+) 1 "
		"WHERE o.pipeline OPERATOR(pg_catalog.=) $1",
		2, {INT4OID, INT8OID}, NULL
	};
	KafkaPipelinePlaces places = kafka_sql_pipeline_places(pipeline, pstrdup("earliest"), -1,
														   false);
	Datum		values[2] = {Int32GetDatum(pipeline->id)};
	bool		isnull;

	kafka_pipeline_offsets_fence(pipeline->id); /* waits for a batch, in the order of partitions */
	(void) kafka_query_run(&remove, values, NULL);
	values[1] = kafka_query_value(1, &isnull);
	kafka_sql_pipeline_move(pipeline->id, &places, false);
	(void) kafka_query_run(&raise, values, NULL);
	ereport(NOTICE,
			(errmsg("pipeline \"%s\" reads topic \"%s\" from its earliest message",
					pipeline->name, pipeline->topic),
			 errhint("kafka.seek_pipeline moves it.")));
}

static void
tell_idle_workers(const KafkaPipeline *pipeline)
{
	int			partitions = kafka_pipeline_offsets_count(pipeline->id);

	if (pipeline->parallelism > partitions)
		ereport(NOTICE,
				(errmsg_plural("topic \"%s\" has %d partition: no more workers than that will "
							   "have something to do",
							   "topic \"%s\" has %d partitions: no more workers than that will "
							   "have something to do",
							   partitions, pipeline->topic, partitions)));
}

/* ------------------------------------------------------------------------
 * create_pipeline
 * ------------------------------------------------------------------------
 */
static void
check_name(const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"name\" must not be empty")));
	/* it is shown by PostgreSQL, which cuts what is longer */
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of pipeline \"%s\" is too long", name),
				 errdetail("It has %d bytes, of %d at most.", (int) strlen(name),
						   NAMEDATALEN - 1)));
	for (const char *p = name; *p; p++)
		if ((unsigned char) *p < ' ')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("name of a pipeline must not have control characters")));
}

/* The broker's part of the checks: it is asked only where there is something new to ask. */
static void
check_topics(const KafkaPipeline *pipeline)
{
	(void) kafka_sql_pipeline_partitions(pipeline);
	if (pipeline->dead_letter_topic)
		(void) kafka_topic_partitions(pipeline->opts, pipeline->dead_letter_topic, false, false);
}

PG_FUNCTION_INFO_V1(kafka_create_pipeline);

/* Arguments as in pipeline_args.h. */
Datum
kafka_create_pipeline(PG_FUNCTION_ARGS)
{
	KafkaPipeline pipeline = {.owner = GetUserId(), .mode = KAFKA_PIPELINE_INSERT,
		.on_error = KAFKA_PIPELINE_STOP, .batch_rows = DEFAULT_BATCH_ROWS,
	.batch_interval = DEFAULT_BATCH_INTERVAL, .parallelism = 1};
	KafkaPipelinePlaces places;

	PreventCommandIfReadOnly("kafka.create_pipeline()");
	SPI_connect();
	pipeline.name = kafka_sql_text(fcinfo, KAFKA_PIPELINE_ARG_NAME, "name");
	check_name(pipeline.name);
	if (kafka_pipeline_find(pipeline.name, true))
		reject_name(pipeline.name);
	(void) kafka_sql_text(fcinfo, KAFKA_PIPELINE_ARG_SOURCE, "source");
	pipeline.search_path = pstrdup(namespace_search_path);
	pipeline.options = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	kafka_sql_pipeline_arguments(fcinfo, true, &pipeline);
	kafka_pipeline_resolve(&pipeline);
	check_topics(&pipeline);
	kafka_sql_pipeline_check(&pipeline);
	places = kafka_sql_pipeline_places(&pipeline,
									   PG_ARGISNULL(KAFKA_PIPELINE_ARG_START) ?
									   pstrdup("earliest") :
									   kafka_sql_text(fcinfo, KAFKA_PIPELINE_ARG_START, "start"),
									   -1, false);
	insert_definition(&pipeline);
	kafka_sql_pipeline_move(pipeline.id, &places, false);
	tell_idle_workers(&pipeline);
	kafka_sql_pipeline_log("pipeline_created", &pipeline);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * alter_pipeline
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_alter_pipeline);

/* The same without "start".  A batch that is under way is not committed. */
Datum
kafka_alter_pipeline(PG_FUNCTION_ARGS)
{
	KafkaPipeline *pipeline;
	KafkaPipeline before;
	bool		options_given = !PG_ARGISNULL(KAFKA_PIPELINE_ARG_OPTIONS - 1);
	bool		other_topic;

	PreventCommandIfReadOnly("kafka.alter_pipeline()");
	SPI_connect();
	pipeline = kafka_sql_pipeline_lock(fcinfo, 0);
	before = *pipeline;
	kafka_sql_pipeline_arguments(fcinfo, false, pipeline);
	kafka_pipeline_resolve(pipeline);
	other_topic = strcmp(pipeline->topic, before.topic) != 0 ||
		strcmp(pipeline->server, before.server) != 0;
	if (other_topic || (pipeline->dead_letter_topic && options_given))
		check_topics(pipeline);
	kafka_sql_pipeline_check(pipeline);
	update_definition(pipeline);
	if (other_topic)
		begin_anew(pipeline);
	else
		kafka_pipeline_offsets_fence(pipeline->id);
	if (pipeline->parallelism > before.parallelism)
		tell_idle_workers(pipeline);
	kafka_sql_pipeline_log("pipeline_altered", pipeline);
	kafka_workers_request_pipeline_at_commit(pipeline->id);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * drop_pipeline
 * ------------------------------------------------------------------------
 */
static void
delete_rows(const KafkaPipeline *pipeline, bool force)
{
	static KafkaQuery state = {
		"DELETE FROM kafka.pipeline_state s WHERE s.pipeline OPERATOR(pg_catalog.=) $1",
		1, {INT4OID}, NULL
	};
	static KafkaQuery letters = {
		"DELETE FROM kafka.dead_letter l WHERE l.pipeline OPERATOR(pg_catalog.=) $1",
		1, {INT4OID}, NULL
	};
	static KafkaQuery offsets = {
		"DELETE FROM kafka.pipeline_offset o WHERE o.pipeline OPERATOR(pg_catalog.=) $1",
		1, {INT4OID}, NULL
	};
	static KafkaQuery definition = {
		"DELETE FROM kafka.pipeline_definition d WHERE d.id OPERATOR(pg_catalog.=) $1",
		1, {INT4OID}, NULL
	};
	Datum		values[1] = {Int32GetDatum(pipeline->id)};
	uint64		dead;

	/* a batch that commits now has done so before the dead letters are counted */
	kafka_pipeline_offsets_fence(pipeline->id);
	(void) kafka_query_run(&offsets, values, NULL);
	(void) kafka_query_run(&state, values, NULL);
	dead = kafka_query_run(&letters, values, NULL);
	if (dead > 0 && !force)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("pipeline \"%s\" has dead letters", pipeline->name),
				 errdetail_plural("There is " UINT64_FORMAT " in kafka.dead_letters.",
								  "There are " UINT64_FORMAT " in kafka.dead_letters.",
								  (unsigned long) dead, dead),
				 errhint("See kafka.retry_dead_letters and kafka.discard_dead_letters; with "
						 "\"force\" they are deleted.")));
	(void) kafka_query_run(&definition, values, NULL);
}

PG_FUNCTION_INFO_V1(kafka_drop_pipeline);

/* (name, force) */
Datum
kafka_drop_pipeline(PG_FUNCTION_ARGS)
{
	KafkaPipeline *pipeline;

	PreventCommandIfReadOnly("kafka.drop_pipeline()");
	SPI_connect();
	pipeline = kafka_sql_pipeline_lock(fcinfo, 0);
	delete_rows(pipeline, !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
	kafka_sql_pipeline_log("pipeline_dropped", pipeline);
	kafka_workers_request_pipeline_at_commit(pipeline->id);
	SPI_finish();
	PG_RETURN_VOID();
}
