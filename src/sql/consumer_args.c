/*-------------------------------------------------------------------------
 *
 * consumer_args.c
 *	  Arguments of the functions for consumers.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/partition_offsets.h"
#include "client/property.h"
#include "client/rules.h"
#include "client/topic.h"
#include "foreign/foreign.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/consumer_args.h"
#include "utils/builtins.h"
#include "utils/guc.h"

/* As of topics. */
#define MAX_INSTANCE_ID 249

const struct config_enum_entry kafka_offset_stores[] = {
	{"kafka", KAFKA_STORE_KAFKA, false},
	{"postgres", KAFKA_STORE_POSTGRES, false},
	{"transaction", KAFKA_STORE_TRANSACTION, false},
	{NULL, 0, false}
};

const struct config_enum_entry kafka_starts[] = {
	{"earliest", KAFKA_START_EARLIEST, false},
	{"latest", KAFKA_START_LATEST, false},
	{"none", KAFKA_START_NONE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry missing_words[] = {
	{"error", KAFKA_ON_MISSING_ERROR, false},
	{"earliest", KAFKA_ON_MISSING_EARLIEST, false},
	{NULL, 0, false}
};

char *
kafka_sql_to_utf8(const char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

char *
kafka_sql_consumer_name(FunctionCallInfo fcinfo, int argno)
{
	char	   *name = kafka_sql_text(fcinfo, argno, "consumer");

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"consumer\" must not be empty")));
	return name;
}

KafkaSessionConsumer *
kafka_sql_consumer(FunctionCallInfo fcinfo, int argno)
{
	KafkaSessionConsumer *consumer = kafka_consumers_find(kafka_sql_consumer_name(fcinfo, argno));
	ForeignServer *server = GetForeignServerExtended(consumer->serverid, FSV_MISSING_OK);

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of consumer \"%s\" does not exist any longer",
						consumer->spec.opts->server_name, consumer->spec.name),
				 errhint("End it with kafka.close_consumer.")));
	kafka_rules_require_usage(consumer->serverid, server->servername);
	return consumer;
}

/* ------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------
 */

/* Options are written with underscores or with dots. */
static bool
is_named(const KafkaProperty *property, const char *name)
{
	const char *p = property->name;

	for (; *p && *name; p++, name++)
		if ((*p == '.' ? '_' : *p) != *name)
			return false;
	return *p == *name;
}

static bool
boolean(const KafkaProperty *property)
{
	bool		result;

	if (!parse_bool(property->value, &result))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", property->name,
						property->value),
				 errhint("It is true or false.")));
	return result;
}

static char *
word_place(const KafkaProperty *property)
{
	return psprintf("option \"%s\"", property->name);
}

/* Brokers close the connection on other names, again and again, and do not say why. */
static char *
instance_id(const KafkaProperty *property)
{
	size_t		length = strspn(property->value, "abcdefghijklmnopqrstuvwxyz"
								"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (length == 0 || length > MAX_INSTANCE_ID || property->value[length] != '\0' ||
		strcmp(property->value, ".") == 0 || strcmp(property->value, "..") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", property->name,
						property->value),
				 errhint("It has letters, digits, \".\", \"_\" and \"-\", %d at most.",
						 MAX_INSTANCE_ID)));
	return property->value;
}

/* The extension's own; some are arguments of kafka.subscribe, and options of kafka.assign. */
static bool
take_own(const KafkaProperty *property, KafkaOptions *opts, KafkaConsumerSpec *spec)
{
	if (is_named(property, "on_missing"))
		opts->on_missing = kafka_option_enum(missing_words, property->value,
											 word_place(property));
	else if (is_named(property, "allow_table_writes"))
		spec->allow_table_writes = boolean(property);
	else if (is_named(property, "group_instance_id"))
		opts->group_instance_id = instance_id(property);
	else if (!spec->chosen)
		return false;
	else if (is_named(property, "group_id"))
	{
		if (property->value[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" must not be empty", property->name)));
		opts->group_id = kafka_sql_to_utf8(property->value);
		if (spec->store == KAFKA_STORE_NONE)
			spec->store = KAFKA_STORE_KAFKA;
	}
	else if (is_named(property, "offsets"))
		spec->store = kafka_option_enum(kafka_offset_stores, property->value,
										word_place(property));
	else if (is_named(property, "auto_commit"))
		spec->auto_commit = boolean(property);
	else
		return false;
	return true;
}

void
kafka_sql_consumer_options(FunctionCallInfo fcinfo, int argno, KafkaOptions **opts,
						   KafkaConsumerSpec *spec)
{
	KafkaOptions *copy = palloc(sizeof(KafkaOptions));
	List	   *properties;
	ListCell   *lc;

	*copy = **opts;
	copy->properties = list_copy((*opts)->properties);
	*opts = copy;
	if (PG_ARGISNULL(argno))
		return;
	properties = kafka_sql_properties(PG_GETARG_JSONB_P(argno), "options");
	foreach(lc, properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);

		if (take_own(property, copy, spec))
			continue;
		kafka_property_check(property->name, property->value, KAFKA_ON_CONSUMER, GetUserId());
		property->place = KAFKA_ON_CONSUMER;
		copy->properties = lappend(copy->properties, property);
	}
	if (spec->chosen && spec->store != KAFKA_STORE_NONE && copy->group_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"offsets\" needs the option \"group_id\"")));
	/* Kafka would not refuse the offsets of a consumer that somebody else has replaced */
	if (spec->chosen && spec->store == KAFKA_STORE_TRANSACTION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"offsets\" of kafka.assign cannot be \"transaction\""),
				 errhint("Use kafka.subscribe, or offsets \"postgres\".")));
}

/* ------------------------------------------------------------------------
 * Targets
 * ------------------------------------------------------------------------
 */
void
kafka_sql_targets_offsets(const KafkaOptions *opts, const char *topic,
						  const KafkaPlaceTarget *targets, const int32 *partitions, int n,
						  int64 *offsets)
{
	KafkaPartitionOffset *rows = palloc0(sizeof(KafkaPartitionOffset) * Max(n, 1));
	int			asked = 0;

	for (int i = 0; i < n; i++)
	{
		if (targets[i].is_offset)
			continue;
		rows[asked].topic = topic;
		rows[asked].partition = partitions[i];
		rows[asked++].time = targets[i].time;
	}
	if (asked > 0)
		kafka_partition_offsets(opts, rows, asked);
	asked = 0;
	for (int i = 0; i < n; i++)
	{
		const KafkaPartitionOffset *row = &rows[asked];

		offsets[i] = targets[i].offset;
		if (targets[i].is_offset)
			continue;
		if (row->error)
			ereport(ERROR,
					(errcode(row->sqlstate),
					 errmsg("could not find the offset in topic \"%s\" partition %d", topic,
							partitions[i]),
					 errdetail("librdkafka says: %s", row->error)));
		offsets[i] = row->offset;
		if (offsets[i] == KAFKA_UNKNOWN)
			kafka_topic_offsets(opts, topic, KAFKA_OFFSET_END, &partitions[i], 1, &offsets[i]);
		asked++;
	}
}

void
kafka_sql_target_offsets(const KafkaOptions *opts, const char *topic,
						 const KafkaPlaceTarget *target, const int32 *partitions, int n,
						 int64 *offsets)
{
	KafkaPlaceTarget *targets = palloc(sizeof(KafkaPlaceTarget) * Max(n, 1));

	for (int i = 0; i < n; i++)
		targets[i] = *target;
	kafka_sql_targets_offsets(opts, topic, targets, partitions, n, offsets);
}
