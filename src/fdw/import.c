/*-------------------------------------------------------------------------
 *
 * import.c
 *	  IMPORT FOREIGN SCHEMA: a foreign table for each topic.
 *
 * Layer 3.  Kafka has no schemas, so there is one remote schema and it is called "kafka".
 * A table has its topic's name, cut to PostgreSQL's length; if two topics would get the
 * same one, nothing is imported.  What the columns are is inferred from messages
 * (format/infer.c); kafka.infer_columns() shows the same (sql/infer.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/consumer.h"
#include "client/topic.h"
#include "fdw/fdw.h"
#include "fdw/import.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define REMOTE_SCHEMA "kafka"

/* Each look further back covers so many times more offsets, so often at most. */
#define LOOK_BACK_FACTOR 4
#define MAX_LOOKS 10

/* ------------------------------------------------------------------------
 * Sampling
 * ------------------------------------------------------------------------
 */

/* Feeds up to `wanted` messages of the ranges to the inference; returns how many it were. */
static int
read_sample(const KafkaOptions *opts, const char *topic, const KafkaRange *ranges, int nranges,
			KafkaInference *inference, int wanted)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw sample",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KafkaConsumer *consumer = kafka_consumer_open(opts, topic, ranges, nranges, wanted);
	KafkaMessage msg;
	int			count = 0;

	while (count < wanted && kafka_consumer_next(consumer, &msg))
	{
		kafka_infer_add(inference, &msg);
		count++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);	/* closes it */
	return count;
}

/*
 * The last `sample` messages, spread over the partitions.  Offsets without a message (of
 * transactions, or compacted away) leave less than that, and so does a short partition: then
 * it looks further back.  The ends are moved to where it has looked.
 */
static void
sample_topic(const KafkaOptions *opts, const char *topic, int sample, KafkaInference *inference)
{
	KafkaBounds bounds;
	KafkaRange *ranges;
	int64		factor = 1;

	kafka_topic_bounds(opts, topic, &bounds);
	ranges = palloc(sizeof(KafkaRange) * bounds.npartitions);
	for (int look = 0; look < MAX_LOOKS && sample > 0; look++, factor *= LOOK_BACK_FACTOR)
	{
		int32		left = 0;
		int			n = 0;
		int64		span;

		for (int32 p = 0; p < bounds.npartitions; p++)
			left += bounds.lows[p] < bounds.ends[p];
		if (left == 0)
			break;
		span = (sample + left - 1) / left * factor;
		for (int32 p = 0; p < bounds.npartitions; p++)
		{
			KafkaRange	range = {p, Max(bounds.lows[p], bounds.ends[p] - span), bounds.ends[p]};

			if (bounds.lows[p] >= bounds.ends[p])
				continue;
			bounds.ends[p] = range.start;
			ranges[n++] = range;
		}
		sample -= read_sample(opts, topic, ranges, n, inference, sample);
	}
}

/* What does not suit, and what was decided over the user's head, is said. */
static void
report_inferred(const char *topic, const KafkaInferred *inferred)
{
	if (inferred->misfits > 0)
		ereport(WARNING,
				(errmsg("topic \"%s\" has messages that format \"%s\" cannot decode", topic,
						kafka_option_word(kafka_formats, inferred->format)),
				 errdetail("They are " INT64_FORMAT " of " INT64_FORMAT " sampled ones.",
						   inferred->misfits, inferred->values),
				 errhint("Choose another format, or see the table option \"on_error\".")));
	if (inferred->too_wide)
		ereport(NOTICE,
				(errmsg("documents of topic \"%s\" have too many members for columns", topic),
				 errdetail("The table has one column for the whole document.")));
}

KafkaInferred *
kafka_import_infer(const KafkaOptions *opts, const char *topic, const KafkaImportOptions *import)
{
	KafkaInference *inference = kafka_infer_begin(opts, import->format);
	KafkaInferred *inferred;

	if (import->sample > 0)
		sample_topic(opts, topic, import->sample, inference);
	inferred = kafka_infer_end(inference, import->metadata);
	report_inferred(topic, inferred);
	return inferred;
}

/* ------------------------------------------------------------------------
 * Which topics
 * ------------------------------------------------------------------------
 */

/* Topic names are ASCII, so a cut never splits a character. */
static char *
table_name(const char *topic)
{
	return pnstrdup(topic, NAMEDATALEN - 1);
}

/* Kafka's own topics are imported only if they are asked for by name. */
static bool
is_wanted(const char *topic, ImportForeignSchemaStmt *stmt)
{
	if (kafka_topic_is_internal(topic) && stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return false;
	return IsImportableForeignTable(table_name(topic), stmt);
}

/* Topics are sorted, so those of one table name follow each other. */
static List *
wanted_topics(const KafkaOptions *opts, ImportForeignSchemaStmt *stmt)
{
	const char *previous = NULL;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, kafka_topic_list(opts))
	{
		char	   *topic = ((KafkaTopic *) lfirst(lc))->name;

		if (!is_wanted(topic, stmt))
			continue;
		if (previous && strncmp(previous, topic, NAMEDATALEN - 1) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_TABLE),
					 errmsg("topics \"%s\" and \"%s\" would get the same table name", previous,
							topic),
					 errdetail("Names of tables end after %d bytes.", NAMEDATALEN - 1),
					 errhint("Leave them out with EXCEPT (\"%s\"), and use CREATE FOREIGN TABLE "
							 "for them.", table_name(topic))));
		previous = topic;
		result = lappend(result, topic);
	}
	return result;
}

/* A name in LIMIT TO that no topic has is passed over, as postgres_fdw does, but said. */
static void
report_missing(ImportForeignSchemaStmt *stmt, List *topics)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return;
	foreach(lc, stmt->table_list)
	{
		const char *name = ((RangeVar *) lfirst(lc))->relname;
		bool		found = false;

		foreach(lc2, topics)
			found |= strcmp(table_name((char *) lfirst(lc2)), name) == 0;
		if (!found)
			ereport(NOTICE,
					(errmsg("topic \"%s\" does not exist, skipping", name)));
	}
}

/* ------------------------------------------------------------------------
 * The commands
 * ------------------------------------------------------------------------
 */
static void
append_column(StringInfo sql, const KafkaInferredColumn *column)
{
	appendStringInfo(sql, "%s %s", quote_identifier(column->name), column->type);
	if (column->option)
		appendStringInfo(sql, " OPTIONS (%s %s)", column->option,
						 quote_literal_cstr(column->option_value));
}

static char *
create_table_command(const char *server, const char *topic, const KafkaInferred *inferred)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(table_name(topic)));
	foreach(lc, inferred->columns)
	{
		appendStringInfoString(&sql, lc == list_head(inferred->columns) ? "\n  " : ",\n  ");
		append_column(&sql, (KafkaInferredColumn *) lfirst(lc));
	}
	appendStringInfo(&sql, "\n) SERVER %s OPTIONS (topic %s, format %s)",
					 quote_identifier(server), quote_literal_cstr(topic),
					 quote_literal_cstr(kafka_option_word(kafka_formats, inferred->format)));
	return sql.data;
}

List *
kafkaImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	KafkaImportOptions *import = kafka_options_parse_import(stmt->options);
	KafkaOptions *opts;
	List	   *topics;
	List	   *commands = NIL;
	ListCell   *lc;

	if (strcmp(stmt->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("remote schema \"%s\" does not exist on server \"%s\"",
						stmt->remote_schema, stmt->server_name),
				 errhint("Kafka has no schemas: write IMPORT FOREIGN SCHEMA %s FROM SERVER %s "
						 "INTO %s.", REMOTE_SCHEMA, quote_identifier(stmt->server_name),
						 quote_identifier(stmt->local_schema))));
	opts = kafka_options_of_server(serverOid, GetUserId());
	topics = wanted_topics(opts, stmt);
	report_missing(stmt, topics);
	foreach(lc, topics)
	{
		char	   *topic = (char *) lfirst(lc);

		commands = lappend(commands, create_table_command(stmt->server_name, topic,
														  kafka_import_infer(opts, topic, import)));
	}
	return commands;
}
