/*-------------------------------------------------------------------------
 *
 * options.c
 *	  The table of the extension's own options, and the resolver over it.
 *
 * Layer 0.  See options.h.  The validator (fdw/validator.c) and the manual
 * (doc/options.md, compared by a test) use the same table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

const struct config_enum_entry kafka_delivery_modes[] = {
	{"before_commit", KAFKA_DELIVERY_BEFORE_COMMIT, false},
	{"after_commit", KAFKA_DELIVERY_AFTER_COMMIT, false},
	{"outbox", KAFKA_DELIVERY_OUTBOX, false},
	{"immediate", KAFKA_DELIVERY_IMMEDIATE, false},
	{NULL, 0, false}
};

const struct config_enum_entry kafka_partitioners[] = {
	{"murmur2_random", KAFKA_PARTITIONER_MURMUR2_RANDOM, false},
	{"murmur2", KAFKA_PARTITIONER_MURMUR2, false},
	{"consistent", KAFKA_PARTITIONER_CONSISTENT, false},
	{"consistent_random", KAFKA_PARTITIONER_CONSISTENT_RANDOM, false},
	{"fnv1a", KAFKA_PARTITIONER_FNV1A, false},
	{"fnv1a_random", KAFKA_PARTITIONER_FNV1A_RANDOM, false},
	{"random", KAFKA_PARTITIONER_RANDOM, false},
	{"round_robin", KAFKA_PARTITIONER_ROUND_ROBIN, false},
	{"sticky", KAFKA_PARTITIONER_STICKY, false},
	{NULL, 0, false}
};

const struct config_enum_entry kafka_formats[] = {
	{"string", KAFKA_FORMAT_STRING, false},
	{"bytes", KAFKA_FORMAT_BYTES, false},
	{"json", KAFKA_FORMAT_JSON, false},
	{"csv", KAFKA_FORMAT_CSV, false},
	{"integer", KAFKA_FORMAT_INTEGER, false},
	{"short", KAFKA_FORMAT_SHORT, false},
	{"long", KAFKA_FORMAT_LONG, false},
	{"float", KAFKA_FORMAT_FLOAT, false},
	{"double", KAFKA_FORMAT_DOUBLE, false},
	{"uuid", KAFKA_FORMAT_UUID, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_errors[] = {
	{"error", KAFKA_ON_ERROR_ERROR, false},
	{"null", KAFKA_ON_ERROR_NULL, false},
	{"skip", KAFKA_ON_ERROR_SKIP, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_missings[] = {
	{"error", KAFKA_ON_MISSING_ERROR, false},
	{"earliest", KAFKA_ON_MISSING_EARLIEST, false},
	{NULL, 0, false}
};

const struct config_enum_entry kafka_metas[] = {
	{"topic", KAFKA_META_TOPIC, false},
	{"partition", KAFKA_META_PARTITION, false},
	{"offset", KAFKA_META_OFFSET, false},
	{"timestamp", KAFKA_META_TIMESTAMP, false},
	{"timestamp_type", KAFKA_META_TIMESTAMP_TYPE, false},
	{"key", KAFKA_META_KEY, false},
	{"value", KAFKA_META_VALUE, false},
	{"headers", KAFKA_META_HEADERS, false},
	{"leader_epoch", KAFKA_META_LEADER_EPOCH, false},
	{"tombstone", KAFKA_META_TOMBSTONE, false},
	{"junk", KAFKA_META_JUNK, false},
	{"junk_error", KAFKA_META_JUNK_ERROR, false},
	{NULL, 0, false}
};

const struct config_enum_entry kafka_import_formats[] = {
	{"auto", KAFKA_FORMAT_UNSET, false},
	{"string", KAFKA_FORMAT_STRING, false},
	{"bytes", KAFKA_FORMAT_BYTES, false},
	{"json", KAFKA_FORMAT_JSON, false},
	{"csv", KAFKA_FORMAT_CSV, false},
	{"integer", KAFKA_FORMAT_INTEGER, false},
	{"short", KAFKA_FORMAT_SHORT, false},
	{"long", KAFKA_FORMAT_LONG, false},
	{"float", KAFKA_FORMAT_FLOAT, false},
	{"double", KAFKA_FORMAT_DOUBLE, false},
	{"uuid", KAFKA_FORMAT_UUID, false},
	{NULL, 0, false}
};

#define TABLE_OPTION(field) offsetof(KafkaOptions, field)
#define COLUMN_OPTION(field) offsetof(KafkaColumnOptions, field)
#define IMPORT_OPTION(field) offsetof(KafkaImportOptions, field)
#define T KAFKA_ON_TABLE
#define S_T (KAFKA_ON_SERVER | KAFKA_ON_TABLE)
#define S_M (KAFKA_ON_SERVER | KAFKA_ON_USER_MAPPING)
#define C KAFKA_ON_COLUMN
#define I KAFKA_ON_IMPORT

const KafkaOption kafka_option_table[] = {
	{"password_required", S_M, KAFKA_OPTION_BOOL, NULL, 0, 0, "true", false,
	TABLE_OPTION(password_required)},

	{"topic", T, KAFKA_OPTION_STRING, NULL, 0, 0, NULL, true, TABLE_OPTION(topic)},
	{"format", T, KAFKA_OPTION_ENUM, kafka_formats, 0, 0, "string", false, TABLE_OPTION(format)},
	{"key_format", T, KAFKA_OPTION_ENUM, kafka_formats, 0, 0, NULL, false,
	TABLE_OPTION(key_format)},
	{"delivery", T, KAFKA_OPTION_ENUM, kafka_delivery_modes, 0, 0, NULL, false,
	TABLE_OPTION(delivery)},
	{"partitioner", S_T, KAFKA_OPTION_ENUM, kafka_partitioners, 0, 0, "murmur2_random", false,
	TABLE_OPTION(partitioner)},
	{"on_error", T, KAFKA_OPTION_ENUM, on_errors, 0, 0, "error", false, TABLE_OPTION(on_error)},
	{"on_missing", T, KAFKA_OPTION_ENUM, on_missings, 0, 0, "error", false,
	TABLE_OPTION(on_missing)},
	{"ordered_timestamps", T, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false,
	TABLE_OPTION(ordered_timestamps)},
	{"fdw_startup_cost", S_T, KAFKA_OPTION_COST, NULL, 0, 0, "100", false,
	TABLE_OPTION(fdw_startup_cost)},
	{"fdw_tuple_cost", S_T, KAFKA_OPTION_COST, NULL, 0, 0, "0.02", false,
	TABLE_OPTION(fdw_tuple_cost)},
	{"strict", T, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, TABLE_OPTION(strict)},
	{"ignore_junk", T, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, TABLE_OPTION(ignore_junk)},
	{"encoding", T, KAFKA_OPTION_ENCODING, NULL, 0, 0, "UTF8", false, TABLE_OPTION(encoding)},
	{"delimiter", T, KAFKA_OPTION_CHAR, NULL, 0, 0, ",", false, TABLE_OPTION(delimiter)},
	{"quote", T, KAFKA_OPTION_CHAR, NULL, 0, 0, "\"", false, TABLE_OPTION(quote)},
	{"escape", T, KAFKA_OPTION_CHAR, NULL, 0, 0, NULL, false, TABLE_OPTION(escape)},
	{"null", T, KAFKA_OPTION_STRING, NULL, 0, 0, "", false, TABLE_OPTION(null)},
	{"batch_size", S_T, KAFKA_OPTION_INT, NULL, 1, 1000000, "1", false,
	TABLE_OPTION(batch_size)},
	{"buffer_delay", S_T, KAFKA_OPTION_INT, NULL, 1, 3600000, "100", false,
	TABLE_OPTION(buffer_delay)},
	{"num_partitions", T, KAFKA_OPTION_INT, NULL, 1, 1000000, "1", false,
	TABLE_OPTION(num_partitions)},
	{"analyze_bytes", S_T, KAFKA_OPTION_INT, NULL, 65536, 1073741824, "16777216", false,
	TABLE_OPTION(analyze_bytes)},

	{"meta", C, KAFKA_OPTION_ENUM, kafka_metas, 0, 0, NULL, false, COLUMN_OPTION(meta)},
	{"path", C, KAFKA_OPTION_STRING, NULL, 0, 0, NULL, false, COLUMN_OPTION(path)},
	{"json", C, KAFKA_OPTION_STRING, NULL, 0, 0, NULL, false, COLUMN_OPTION(json)},
	{"partition", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(partition)},
	{"offset", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(offset)},
	{"junk", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(junk)},
	{"junk_error", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(junk_error)},
	{"force_null", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(force_null)},
	{"force_not_null", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false,
	COLUMN_OPTION(force_not_null)},
	{"force_quote", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(force_quote)},
	{"ignore_junk", C, KAFKA_OPTION_BOOL, NULL, 0, 0, "false", false, COLUMN_OPTION(ignore_junk)},

	{"sample", I, KAFKA_OPTION_INT, NULL, 0, 100000, "100", false, IMPORT_OPTION(sample)},
	{"format", I, KAFKA_OPTION_ENUM, kafka_import_formats, 0, 0, "auto", false,
	IMPORT_OPTION(format)},
	{"metadata", I, KAFKA_OPTION_BOOL, NULL, 0, 0, "true", false, IMPORT_OPTION(metadata)},
	{NULL, 0, KAFKA_OPTION_STRING, NULL, 0, 0, NULL, false, 0}
};

#undef T
#undef S_T
#undef S_M
#undef C
#undef I

const KafkaOption *
kafka_option_find(const char *name, int places)
{
	for (const KafkaOption *option = kafka_option_table; option->name; option++)
		if ((option->places & places) != 0 && strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

char *
kafka_option_words(const struct config_enum_entry *values)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const struct config_enum_entry *entry = values; entry->name; entry++)
		appendStringInfo(&buf, "%s\"%s\"", entry == values ? "" : ", ", entry->name);
	return buf.data;
}

static bool
find_word(const struct config_enum_entry *values, const char *word, int *number)
{
	for (const struct config_enum_entry *entry = values; entry->name; entry++)
	{
		if (pg_strcasecmp(entry->name, word) == 0)
		{
			*number = entry->val;
			return true;
		}
	}
	return false;
}

int
kafka_option_enum(const struct config_enum_entry *values, const char *word, const char *what)
{
	int			number;

	if (!find_word(values, word, &number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for %s: \"%s\"", what, word),
				 errhint("Valid values are %s.", kafka_option_words(values))));
	return number;
}

const char *
kafka_option_word(const struct config_enum_entry *values, int number)
{
	for (const struct config_enum_entry *entry = values; entry->name; entry++)
		if (entry->val == number)
			return entry->name;
	return "unknown";
}

static KAFKA_NORETURN void
reject_value(const KafkaOption *option, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, value),
			 errhint("%s", hint)));
}

static int
parse_int_option(const KafkaOption *option, const char *value)
{
	long		number;
	char	   *end;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno || end == value || *end || number < option->min || number > option->max)
		reject_value(option, value,
					 psprintf("It takes a whole number from %d to %d.",
							  option->min, option->max));
	return (int) number;
}

static double
parse_cost_option(const KafkaOption *option, const char *value)
{
	double		number;
	char	   *end;

	errno = 0;
	number = strtod(value, &end);
	if (errno || end == value || *end || !(number >= 0) || isinf(number))
		reject_value(option, value, "It takes a number that is not negative.");
	return number;
}

static bool
parse_bool_option(const KafkaOption *option, const char *value)
{
	bool		result;

	if (!parse_bool(value, &result))
		reject_value(option, value, "It takes \"true\" or \"false\".");
	return result;
}

static int
option_enum(const KafkaOption *option, const char *value)
{
	return kafka_option_enum(option->values, value,
							 psprintf("option \"%s\"", option->name));
}

void
kafka_option_check(const KafkaOption *option, const char *value)
{
	switch (option->type)
	{
		case KAFKA_OPTION_STRING:
			if (option->required && value[0] == '\0')
				reject_value(option, value, "It must not be empty.");
			break;
		case KAFKA_OPTION_CHAR:
			if (strlen(value) != 1 || value[0] == '\n' || value[0] == '\r')
				reject_value(option, value, "It takes a single one-byte character.");
			break;
		case KAFKA_OPTION_BOOL:
			(void) parse_bool_option(option, value);
			break;
		case KAFKA_OPTION_INT:
			(void) parse_int_option(option, value);
			break;
		case KAFKA_OPTION_COST:
			(void) parse_cost_option(option, value);
			break;
		case KAFKA_OPTION_ENUM:
			(void) option_enum(option, value);
			break;
		case KAFKA_OPTION_ENCODING:
			if (pg_char_to_encoding(value) < 0)
				reject_value(option, value, "It takes the name of an encoding.");
			break;
	}
}

/* Stores a checked value at its place in the struct. */
static void
store_option(void *target, const KafkaOption *option, const char *value)
{
	char	   *field = (char *) target + option->offset;

	kafka_option_check(option, value);
	switch (option->type)
	{
		case KAFKA_OPTION_STRING:
		case KAFKA_OPTION_CHAR:
		case KAFKA_OPTION_ENCODING:
			*(char **) field = pstrdup(value);
			break;
		case KAFKA_OPTION_BOOL:
			*(bool *) field = parse_bool_option(option, value);
			break;
		case KAFKA_OPTION_INT:
			*(int *) field = parse_int_option(option, value);
			break;
		case KAFKA_OPTION_COST:
			*(double *) field = parse_cost_option(option, value);
			break;
		case KAFKA_OPTION_ENUM:
			*(int *) field = option_enum(option, value);
			break;
	}
}

void
kafka_option_store(KafkaOptions *opts, const KafkaOption *option, const char *value)
{
	store_option(opts, option, value);
}

static void
store_defaults(void *target, int places)
{
	for (const KafkaOption *option = kafka_option_table; option->name; option++)
		if ((option->places & places) != 0 && option->default_value)
			store_option(target, option, option->default_value);
}

bool
kafka_options_have(List *defelems, const char *name)
{
	ListCell   *lc;

	foreach(lc, defelems)
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return true;
	return false;
}

bool
kafka_is_our_wrapper(Oid fdwid)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(fdwid);
	char	   *handler = OidIsValid(wrapper->fdwhandler) ?
		get_func_name(wrapper->fdwhandler) : NULL;

	return handler && strcmp(handler, "kafka_fdw_handler") == 0;
}

/* Own options go into the struct, all others become properties. */
static void
apply_options(KafkaOptions *opts, List *defelems, KafkaOptionPlace place)
{
	ListCell   *lc;

	foreach(lc, defelems)
	{
		DefElem    *def = (DefElem *) lfirst(lc);
		const KafkaOption *option = kafka_option_find(def->defname, place);

		if (option)
			store_option(opts, option, defGetString(def));
		else
		{
			KafkaProperty *property = palloc(sizeof(KafkaProperty));

			property->name = pstrdup(def->defname);
			property->value = pstrdup(defGetString(def));
			property->place = place;
			opts->properties = lappend(opts->properties, property);
		}
	}
}

/*
 * The user's own mapping, else PUBLIC's, else NIL: a mapping is optional, so this does
 * not use GetUserMapping(), which insists on one.
 */
static List *
mapping_options(Oid serverid, Oid userid)
{
	HeapTuple	tuple;
	Datum		datum;
	bool		isnull;
	List	   *result = NIL;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
							ObjectIdGetDatum(userid), ObjectIdGetDatum(serverid));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(serverid));
	if (!HeapTupleIsValid(tuple))
		return NIL;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
							Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		result = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return result;
}

KafkaOptions *
kafka_options_of_server(Oid serverid, Oid userid)
{
	ForeignServer *server = GetForeignServer(serverid);
	List	   *mapping = mapping_options(serverid, userid);
	KafkaOptions *opts = palloc0(sizeof(KafkaOptions));

	opts->serverid = serverid;
	opts->userid = userid;
	opts->server_name = server->servername;
	opts->delivery = KAFKA_DELIVERY_UNSET;
	opts->key_format = KAFKA_FORMAT_UNSET;
	store_defaults(opts, KAFKA_ON_SERVER | KAFKA_ON_TABLE);
	apply_options(opts, server->options, KAFKA_ON_SERVER);
	opts->server_by_superuser = !opts->password_required;
	apply_options(opts, mapping, KAFKA_ON_USER_MAPPING);
	opts->mapping_by_superuser = !opts->password_required &&
		kafka_options_have(mapping, "password_required");
	return opts;
}

KafkaOptions *
kafka_options_of_table(Oid relid, Oid userid)
{
	ForeignTable *table = GetForeignTable(relid);
	KafkaOptions *opts = kafka_options_of_server(table->serverid, userid);

	apply_options(opts, table->options, KAFKA_ON_TABLE);
	if (opts->topic == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"topic\" is required for a foreign table of kafka_fdw")));
	return opts;
}

/* A column is one thing; only of the key may it be a part. */
static void
check_contradiction(const KafkaColumnOptions *column)
{
	int			parts = (column->path != NULL) + (column->json != NULL);
	int			metas = (column->meta != KAFKA_META_NONE) + column->partition + column->offset +
		column->junk + column->junk_error;

	if (parts + metas > 1 && !(parts == 1 && metas == 1 && column->meta == KAFKA_META_KEY))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of the column contradict each other"),
				 errhint("A column has one of \"meta\", \"path\", \"json\", \"partition\", "
						 "\"offset\", \"junk\" and \"junk_error\"; \"path\" or \"json\" may stand "
						 "beside meta \"key\".")));
}

KafkaColumnOptions *
kafka_options_parse_column(List *defelems)
{
	KafkaColumnOptions *column = palloc0(sizeof(KafkaColumnOptions));
	ListCell   *lc;

	foreach(lc, defelems)
	{
		DefElem    *def = (DefElem *) lfirst(lc);
		const KafkaOption *option = kafka_option_find(def->defname, KAFKA_ON_COLUMN);

		if (option == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\"", def->defname)));
		store_option(column, option, defGetString(def));
	}
	check_contradiction(column);
	if (column->partition)
		column->meta = KAFKA_META_PARTITION;
	else if (column->offset)
		column->meta = KAFKA_META_OFFSET;
	else if (column->junk)
		column->meta = KAFKA_META_JUNK;
	else if (column->junk_error)
		column->meta = KAFKA_META_JUNK_ERROR;
	return column;
}

KafkaColumnOptions *
kafka_options_of_column(Oid relid, AttrNumber attnum)
{
	return kafka_options_parse_column(GetForeignColumnOptions(relid, attnum));
}

/* Names of all options of a place as "a", "b", for a HINT; palloc'd. */
static char *
option_names(KafkaOptionPlace place)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const KafkaOption *option = kafka_option_table; option->name; option++)
		if ((option->places & place) != 0)
			appendStringInfo(&buf, "%s\"%s\"", buf.len ? ", " : "", option->name);
	return buf.data;
}

KafkaImportOptions *
kafka_options_parse_import(List *defelems)
{
	KafkaImportOptions *import = palloc0(sizeof(KafkaImportOptions));
	ListCell   *lc;

	store_defaults(import, KAFKA_ON_IMPORT);
	foreach(lc, defelems)
	{
		DefElem    *def = (DefElem *) lfirst(lc);
		const KafkaOption *option = kafka_option_find(def->defname, KAFKA_ON_IMPORT);

		if (option == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\" of IMPORT FOREIGN SCHEMA", def->defname),
					 errhint("Its options are %s.", option_names(KAFKA_ON_IMPORT))));
		store_option(import, option, defGetString(def));
	}
	return import;
}

KafkaOptions *
kafka_options_with_property(const KafkaOptions *opts, const char *name, const char *value)
{
	KafkaOptions *copy = palloc(sizeof(KafkaOptions));
	KafkaProperty *property = palloc0(sizeof(KafkaProperty));

	*copy = *opts;
	property->name = pstrdup(name);
	property->value = pstrdup(value);
	property->place = KAFKA_ON_SERVER;
	copy->properties = lappend(list_copy(opts->properties), property);
	return copy;
}
