/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  The columns of a foreign table, sorted: metas, fields of the value, fields of the key.
 *
 * Layer 2.  Done once when a scan or an INSERT starts, and when a table is created or
 * altered, so that the same checks hold in all three.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "format/columns.h"
#include "format/headers.h"
#include "format/row.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* ------------------------------------------------------------------------
 * Types of meta columns
 * ------------------------------------------------------------------------
 */
static const struct
{
	KafkaMeta	meta;
	Oid			types[4];
	const char *expected;
}			meta_types[] = {
	{KAFKA_META_TOPIC, {TEXTOID, VARCHAROID}, "text"},
	{KAFKA_META_PARTITION, {INT4OID, INT8OID}, "integer"},
	{KAFKA_META_OFFSET, {INT8OID}, "bigint"},
	{KAFKA_META_TIMESTAMP, {TIMESTAMPTZOID}, "timestamp with time zone"},
	{KAFKA_META_TIMESTAMP_TYPE, {TEXTOID, VARCHAROID}, "text"},
	{KAFKA_META_KEY, {TEXTOID, VARCHAROID, BYTEAOID}, "text or bytea"},
	{KAFKA_META_VALUE, {TEXTOID, VARCHAROID, BYTEAOID}, "text or bytea"},
	{KAFKA_META_HEADERS, {JSONBOID}, "jsonb or kafka.header[]"},
	{KAFKA_META_LEADER_EPOCH, {INT4OID, INT8OID}, "integer"},
	{KAFKA_META_TOMBSTONE, {BOOLOID}, "boolean"},
	{KAFKA_META_JUNK, {TEXTOID, VARCHAROID, BYTEAOID}, "text or bytea"},
	{KAFKA_META_JUNK_ERROR, {TEXTOID, VARCHAROID}, "text"},
};

static void
check_meta(KafkaMeta meta, Form_pg_attribute attr)
{
	Oid			base = getBaseType(attr->atttypid);
	const char *hint = "Change the column's type or its option.";

	if (meta == KAFKA_META_HEADERS && kafka_is_header_array(base))
		return;
	if (meta == KAFKA_META_KEY)
		hint = "For keys of other types set the table's option \"key_format\".";
	for (int i = 0; i < (int) lengthof(meta_types); i++)
	{
		if (meta_types[i].meta != meta)
			continue;
		for (int j = 0; j < (int) lengthof(meta_types[i].types); j++)
			if (meta_types[i].types[j] == base)
				return;
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" with meta \"%s\" must have type %s, not %s",
						NameStr(attr->attname), kafka_option_word(kafka_metas, meta),
						meta_types[i].expected, format_type_be(attr->atttypid)),
				 errhint("%s", hint)));
	}
}

/* ------------------------------------------------------------------------
 * Sorting the columns
 * ------------------------------------------------------------------------
 */
static void
prepare_constraint(KafkaMetaColumn *column, Form_pg_attribute attr)
{
	Oid			function;
	bool		is_varlena;

	column->typmod = attr->atttypmod;
	getTypeInputInfo(attr->atttypid, &function, &column->ioparam);
	fmgr_info(function, &column->input);
	getTypeOutputInfo(column->type, &function, &is_varlena);
	fmgr_info(function, &column->output);
}

static void
add_meta(KafkaRowColumns *columns, Form_pg_attribute attr, const KafkaColumnOptions *options)
{
	KafkaMetaColumn *column = &columns->metas[columns->nmetas++];

	check_meta(options->meta, attr);
	if (options->path || options->json)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" of column \"%s\" needs key_format \"json\"",
						options->path ? "path" : "json", NameStr(attr->attname)),
				 errhint("Set the table's option \"key_format\" to \"json\", or drop the "
						 "column's option.")));
	column->attnum = attr->attnum;
	column->meta = options->meta;
	column->type = getBaseType(attr->atttypid);
	column->name = pstrdup(NameStr(attr->attname));
	column->ignores = options->ignore_junk;
	column->constrained = column->type != attr->atttypid || attr->atttypmod >= 0;
	if (column->constrained)
		prepare_constraint(column, attr);
}

/* With nothing said, a column for a JSON key is all of it. */
static void
add_key(KafkaRowColumns *columns, Form_pg_attribute attr, KafkaColumnOptions *options, bool needed)
{
	if (columns->key.format == KAFKA_FORMAT_JSON && !options->path && !options->json)
		options->path = pstrdup("$");
	kafka_field_add(&columns->key, attr, options, needed);
}

static void
init_set(KafkaFieldSet *set, const KafkaOptions *opts, int format, int natts)
{
	set->opts = opts;
	set->fields = palloc0(sizeof(KafkaField) * Max(natts, 1));
	set->encoding = pg_char_to_encoding(opts->encoding);
	set->format = format;
}

static void
init_columns(KafkaRowColumns *columns, Relation rel, const KafkaOptions *opts)
{
	int			natts = RelationGetDescr(rel)->natts;

	columns->opts = opts;
	columns->table = pstrdup(RelationGetRelationName(rel));
	columns->kind = rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE ? "foreign table" : "relation";
	columns->natts = natts;
	columns->metas = palloc0(sizeof(KafkaMetaColumn) * Max(natts, 1));
	init_set(&columns->set, opts, opts->format, natts);
	columns->format = kafka_format_get(opts->format);
	if (opts->key_format == KAFKA_FORMAT_UNSET)
		return;
	init_set(&columns->key, opts, opts->key_format, natts);
	columns->key.is_key = true;
	columns->key_format = kafka_format_get(opts->key_format);
}

void
kafka_columns_sort(KafkaRowColumns *columns, Relation rel, const KafkaOptions *opts,
				   Bitmapset *needed, bool all)
{
	TupleDesc	desc = RelationGetDescr(rel);

	init_columns(columns, rel, opts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		KafkaColumnOptions *options;
		bool		is_needed;

		if (attr->attisdropped || KAFKA_IS_VIRTUAL(attr))
			continue;
		is_needed = all ||
			bms_is_member(attr->attnum - FirstLowInvalidHeapAttributeNumber, needed);
		options = kafka_options_of_column(RelationGetRelid(rel), attr->attnum);
		if (options->meta == KAFKA_META_NONE)
			kafka_field_add(&columns->set, attr, options, is_needed);
		else if (options->meta == KAFKA_META_KEY && columns->key_format)
			add_key(columns, attr, options, is_needed);
		else if (is_needed)
			add_meta(columns, attr, options);
	}
	kafka_field_check_places(&columns->set);
	kafka_field_check_places(&columns->key);
}

void
kafka_row_check(Relation rel, const KafkaOptions *opts)
{
	KafkaRowColumns	columns = {0};

	kafka_columns_sort(&columns, rel, opts, NULL, true);
	(void) columns.format->begin_decode(&columns.set);
	if (columns.key_format)
		(void) columns.key_format->begin_decode(&columns.key);
}

void
kafka_row_find_metas(Relation rel, const int *metas, int n, AttrNumber *attnums)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int m = 0; m < n; m++)
		attnums[m] = InvalidAttrNumber;
	for (int i = desc->natts - 1; i >= 0; i--)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int			meta;

		if (attr->attisdropped)
			continue;
		meta = kafka_options_of_column(RelationGetRelid(rel), attr->attnum)->meta;
		for (int m = 0; m < n; m++)
			if (metas[m] == meta)
				attnums[m] = attr->attnum;
	}
}

AttrNumber
kafka_row_find_meta(Relation rel, int meta)
{
	AttrNumber	result;

	kafka_row_find_metas(rel, &meta, 1, &result);
	return result;
}
