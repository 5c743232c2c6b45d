/*-------------------------------------------------------------------------
 *
 * pipeline_options.c
 *	  The options of kafka.create_pipeline: a JSON object.
 *
 * Layer 3.  Some are the pipeline's own, some are what a foreign table would say of the messages'
 * format, all others are librdkafka's properties of a consumer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/property.h"
#include "client/topic.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pipeline/pipeline.h"
#include "sql/arguments.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define DEFAULT_BATCH_BYTES (16 * 1024 * 1024)
#define MAX_BATCH_BYTES (1024 * 1024 * 1024)

/* Options of foreign tables that a pipeline from a topic itself has instead. */
static const char *const format_options[] = {"format", "key_format", "strict", "ignore_junk",
"encoding", "delimiter", "quote", "escape", "null"};

static bool
is_format_option(const char *name)
{
	for (size_t i = 0; i < lengthof(format_options); i++)
		if (strcmp(name, format_options[i]) == 0)
			return true;
	return false;
}

/* Columns are decoded as the foreign table says; a handler is given the messages as they are. */
static void
take_format(KafkaPipeline *pipeline, const KafkaProperty *property)
{
	if (OidIsValid(pipeline->source))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" of a pipeline that reads a foreign table is the table's",
						property->name),
				 errhint("Set it with ALTER FOREIGN TABLE.")));
	if (pipeline->handler)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" means nothing to a pipeline with a handler",
						property->name),
				 errhint("A handler gets the messages as they are.")));
	kafka_option_store(pipeline->opts, kafka_option_find(property->name, KAFKA_ON_TABLE),
					   property->value);
}

static int
parse_bytes(const KafkaProperty *property)
{
	int			bytes;
	const char *hint = NULL;

	if (!parse_int(property->value, &bytes, GUC_UNIT_BYTE, &hint) || bytes < 1 ||
		bytes > MAX_BATCH_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", property->name,
						property->value),
				 errhint("It takes a number of bytes up to 1 GB, as 1048576 or \"1MB\".")));
	return bytes;
}

/* The extension's own. */
static bool
take_own(KafkaPipeline *pipeline, const KafkaProperty *property)
{
	const char *name = property->name;
	char	   *value = property->value;

	if (strcmp(name, "group_id") == 0 || strcmp(name, "group.id") == 0)
	{
		if (value[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" must not be empty", name)));
		pipeline->opts->group_id = pg_server_to_any(value, (int) strlen(value), PG_UTF8);
	}
	else if (strcmp(name, "dead_letter_topic") == 0)
	{
		kafka_topic_check_sendable(value);
		if (strcmp(value, pipeline->topic) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"dead_letter_topic\" must not be the topic that the pipeline "
							"reads")));
		pipeline->dead_letter_topic = value;
	}
	else if (strcmp(name, "batch_bytes") == 0)
		pipeline->batch_bytes = parse_bytes(property);
	else if (strcmp(name, "on_missing") == 0)
		kafka_option_store(pipeline->opts, kafka_option_find(name, KAFKA_ON_TABLE), value);
	else if (is_format_option(name))
		take_format(pipeline, property);
	else
		return false;
	return true;
}

void
kafka_pipeline_apply_options(KafkaPipeline *pipeline)
{
	KafkaOptions *opts = pipeline->opts;
	ListCell   *lc;

	pipeline->batch_bytes = DEFAULT_BATCH_BYTES;
	pipeline->dead_letter_topic = NULL;
	opts->group_id = NULL;
	foreach(lc, kafka_sql_properties(pipeline->options, "options"))
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);

		if (take_own(pipeline, property))
			continue;
		kafka_property_check(property->name, property->value, KAFKA_ON_CONSUMER, pipeline->owner);
		property->place = KAFKA_ON_CONSUMER;
		opts->properties = lappend(opts->properties, property);
	}
	if (opts->group_id == NULL)
	{
		char	   *name = psprintf("kafka_fdw.%s.%s", get_database_name(MyDatabaseId),
									pipeline->name);

		opts->group_id = pg_server_to_any(name, (int) strlen(name), PG_UTF8);
	}
	if (pipeline->dead_letter_topic && pipeline->on_error != KAFKA_PIPELINE_DEAD_LETTER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"dead_letter_topic\" needs on_error \"dead_letter\"")));
}
