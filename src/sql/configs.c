/*-------------------------------------------------------------------------
 *
 * configs.c
 *	  kafka.describe_config, alter_config.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/config.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "mb/pg_wchar.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/configs.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

static const struct config_enum_entry types[] = {
	{"topic", KAFKA_CONFIG_TOPIC, false},
	{"broker", KAFKA_CONFIG_BROKER, false},
	{"group", KAFKA_CONFIG_GROUP, false},
	{NULL, 0, false}
};

static char *
to_kafka(char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static char *
from_kafka(const char *text)
{
	return pg_any_to_server(text, (int) strlen(text), PG_UTF8);
}

/* Arguments 0 and 1: type and name. */
static KafkaConfigResource
get_resource(FunctionCallInfo fcinfo)
{
	KafkaConfigResource resource = {.broker = KAFKA_UNKNOWN};

	resource.type = kafka_option_enum(types, kafka_sql_text(fcinfo, 0, "type"),
									  "argument \"type\"");
	resource.name = to_kafka(kafka_sql_text(fcinfo, 1, "name"));
	return resource;
}

/* ------------------------------------------------------------------------
 * describe_config
 * ------------------------------------------------------------------------
 */
static void
append_member(StringInfo buf, const char *member, const char *value)
{
	appendStringInfo(buf, "\"%s\": ", member);
	if (value)
		escape_json(buf, from_kafka(value));
	else
		appendStringInfoString(buf, "null");
}

/* [{"name": ..., "value": ..., "source": ...}, ...] */
static Datum
synonyms_json(const KafkaConfigEntry *entry)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	for (int i = 0; i < entry->nsynonyms; i++)
	{
		appendStringInfoString(&buf, i > 0 ? ", {" : "{");
		append_member(&buf, "name", entry->synonyms[i].name);
		appendStringInfoString(&buf, ", ");
		append_member(&buf, "value", entry->synonyms[i].value);
		appendStringInfoString(&buf, ", ");
		append_member(&buf, "source", entry->synonyms[i].source);
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoChar(&buf, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data));
}

static void
put_entry(FunctionCallInfo fcinfo, const KafkaConfigEntry *entry)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(from_kafka(entry->name));
	nulls[1] = entry->value == NULL;
	if (entry->value)
		values[1] = CStringGetTextDatum(from_kafka(entry->value));
	values[2] = CStringGetTextDatum(entry->source);
	values[3] = BoolGetDatum(entry->is_default);
	values[4] = BoolGetDatum(entry->is_read_only);
	values[5] = BoolGetDatum(entry->is_sensitive);
	values[6] = synonyms_json(entry);
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_describe_config);

/* (type, name, only_changed, server): a row for each property. */
Datum
kafka_describe_config(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 3);
	KafkaConfigResource resource = get_resource(fcinfo);
	bool		only_changed = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	List	   *entries = kafka_config_describe(opts, &resource);
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, entries)
	{
		KafkaConfigEntry *entry = (KafkaConfigEntry *) lfirst(lc);

		if (!only_changed || entry->is_own)
			put_entry(fcinfo, entry);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * alter_config
 * ------------------------------------------------------------------------
 */
static void
refuse_twice(List *changes, const char *name)
{
	ListCell   *lc;

	foreach(lc, changes)
		if (strcmp(((KafkaConfigChange *) lfirst(lc))->name, name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("property \"%s\" is both set and reset", name)));
}

List *
kafka_sql_config_changes(List *properties)
{
	List	   *changes = NIL;
	ListCell   *lc;

	foreach(lc, properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);
		KafkaConfigChange *change = palloc(sizeof(KafkaConfigChange));

		if (property->name[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the name of a property must not be empty")));
		change->name = to_kafka(property->name);
		change->value = to_kafka(property->value);
		changes = lappend(changes, change);
	}
	return changes;
}

/* Arguments 2 and 3: set and reset. */
static List *
get_changes(FunctionCallInfo fcinfo)
{
	List	   *changes = NIL;

	if (!PG_ARGISNULL(2))
		changes = kafka_sql_config_changes(kafka_sql_properties(PG_GETARG_JSONB_P(2), "set"));
	if (!PG_ARGISNULL(3))
	{
		int			n;
		char	  **names = kafka_sql_names(fcinfo, 3, "reset", &n);

		for (int i = 0; i < n; i++)
		{
			KafkaConfigChange *change = palloc0(sizeof(KafkaConfigChange));

			change->name = to_kafka(names[i]);
			refuse_twice(changes, change->name);
			changes = lappend(changes, change);
		}
	}
	if (changes == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is nothing to alter"),
				 errhint("Pass properties in \"set\", or names of properties in \"reset\".")));
	return changes;
}

/* What a property that is reset comes to, as far as its synonyms tell. */
static const char *
fallback_value(const KafkaConfigEntry *entry)
{
	if (entry == NULL || !entry->is_own)
		return entry ? entry->value : NULL;
	return entry->nsynonyms > 1 ? entry->synonyms[1].value : NULL;
}

static void
put_change(FunctionCallInfo fcinfo, const KafkaConfigChange *change,
		   const KafkaConfigEntry *before, const char *after)
{
	Datum		values[3] = {0};
	bool		nulls[3] = {false};

	values[0] = CStringGetTextDatum(from_kafka(change->name));
	nulls[1] = before == NULL || before->value == NULL;
	if (!nulls[1])
		values[1] = CStringGetTextDatum(from_kafka(before->value));
	nulls[2] = after == NULL;
	if (after)
		values[2] = CStringGetTextDatum(from_kafka(after));
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_alter_config);

/* (type, name, set, reset, validate_only, server): a row (name, old_value, new_value) for each. */
Datum
kafka_alter_config(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 5);
	KafkaConfigResource resource = get_resource(fcinfo);
	List	   *changes = get_changes(fcinfo);
	bool		validate_only = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	List	   *before;
	List	   *after;
	ListCell   *lc;

	kafka_config_lock(&resource);
	before = after = kafka_config_describe(opts, &resource);
	kafka_config_alter(opts, &resource, before, changes, validate_only);
	if (!validate_only)
	{
		kafka_config_await(opts, &resource, changes);
		after = kafka_config_describe(opts, &resource);
	}
	kafka_config_unlock(&resource);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, changes)
	{
		KafkaConfigChange *change = (KafkaConfigChange *) lfirst(lc);
		KafkaConfigEntry *old = kafka_config_find(before, change->name);
		KafkaConfigEntry *new = kafka_config_find(after, change->name);
		const char *value = new ? new->value : NULL;

		if (validate_only)
			value = change->value ? change->value : fallback_value(old);
		if (old && old->is_sensitive)
			value = NULL;
		put_change(fcinfo, change, old, value);
	}
	return (Datum) 0;
}
