/*-------------------------------------------------------------------------
 *
 * validator.c
 *	  Options, checked when they are set.
 *
 * Layer 3.  PostgreSQL's validator call sees the options of one object at a time and never a
 * column's type.  Whether options and columns of a table suit each other is checked by
 * table_check.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "client/property.h"
#include "client/rules.h"
#include "client/topic.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "format/json_path.h"
#include "ground/options.h"

PG_FUNCTION_INFO_V1(kafka_fdw_validator);

static KafkaOptionPlace
place_of(Oid catalog)
{
	switch (catalog)
	{
		case ForeignServerRelationId:
			return KAFKA_ON_SERVER;
		case UserMappingRelationId:
			return KAFKA_ON_USER_MAPPING;
		case ForeignTableRelationId:
			return KAFKA_ON_TABLE;
		case AttributeRelationId:
			return KAFKA_ON_COLUMN;
		default:
			return KAFKA_ON_WRAPPER;
	}
}

static void
check_option(const DefElem *def, KafkaOptionPlace place)
{
	const KafkaOption *option = kafka_option_find(def->defname, place);
	char	   *value = defGetString((DefElem *) def);

	if (option == NULL)
	{
		kafka_property_check(def->defname, value, place, GetUserId());
		return;
	}
	kafka_option_check(option, value);
	if (strcmp(option->name, "path") == 0)
		kafka_json_check_path(value);
	else if (strcmp(option->name, "topic") == 0)
		kafka_topic_check_name(value);
	else if (strcmp(option->name, "password_required") == 0)
		kafka_rules_check_password_required(value, GetUserId());
}

/* However they are spelled: "brokers", "bootstrap_servers", ... */
static bool
has_bootstrap_servers(List *defelems)
{
	ListCell   *lc;
	const char *first = NULL;

	foreach(lc, defelems)
	{
		const char *name = kafka_property_name(((DefElem *) lfirst(lc))->defname);

		if (name == NULL || strcmp(name, "bootstrap.servers") != 0)
			continue;
		if (first)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("options \"%s\" and \"%s\" mean the same", first,
							((DefElem *) lfirst(lc))->defname)));
		first = ((DefElem *) lfirst(lc))->defname;
	}
	return first != NULL;
}

static void
check_required(List *defelems, KafkaOptionPlace place)
{
	const char *missing = NULL;

	if (place == KAFKA_ON_TABLE && !kafka_options_have(defelems, "topic"))
		missing = "topic";
	else if (place == KAFKA_ON_SERVER && !has_bootstrap_servers(defelems))
		missing = "bootstrap_servers";
	if (missing)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"%s\" is required", missing),
				 errhint("Add OPTIONS (%s '...').", missing)));
}

/* In a transaction all sends of a server share one producer. */
static void
check_table_delivery(List *defelems)
{
	ListCell   *lc;
	const char *delivery = NULL;
	const char *producers = NULL;

	foreach(lc, defelems)
	{
		DefElem    *def = (DefElem *) lfirst(lc);

		if (strcmp(def->defname, "delivery") == 0)
			delivery = defGetString(def);
		else if (kafka_option_find(def->defname, KAFKA_ON_TABLE) == NULL &&
				 kafka_property_is_producers(def->defname))
			producers = def->defname;
	}
	if (producers && delivery && pg_strcasecmp(delivery, "immediate") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" on a table needs delivery \"immediate\"", producers),
				 errhint("Set it on the server, or the table's \"delivery\" to "
						 "\"immediate\".")));
}

Datum
kafka_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *defelems = untransformRelOptions(PG_GETARG_DATUM(0));
	KafkaOptionPlace place = place_of(PG_GETARG_OID(1));
	ListCell   *lc;

	foreach(lc, defelems)
		check_option((DefElem *) lfirst(lc), place);
	check_required(defelems, place);
	if (place == KAFKA_ON_TABLE)
		check_table_delivery(defelems);
	else if (place == KAFKA_ON_COLUMN)
		(void) kafka_options_parse_column(defelems);
	PG_RETURN_VOID();
}
