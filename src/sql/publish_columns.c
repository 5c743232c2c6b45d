/*-------------------------------------------------------------------------
 *
 * publish_columns.c
 *	  Which columns of a table kafka.publish sends, and as what.
 *
 * Layer 3.  A selection of columns is formed into a row of its own, which row_to_json() then
 * sees; where all columns are meant, it sees the table's row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"
#include "nodes/value.h"
#include "sql/publish_columns.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Columns that make up a JSON object. */
typedef struct Selection
{
	int			n;
	AttrNumber *attnums;
	TupleDesc	desc;			/* NULL: all columns of the table */
} Selection;

struct KafkaPublishColumns
{
	Selection	row;
	Selection	key;			/* several columns */
	AttrNumber	key_column;		/* a single one, or InvalidAttrNumber */
	bool		key_is_bytes;
	FmgrInfo	key_output;
};

/* ------------------------------------------------------------------------
 * From names to columns
 * ------------------------------------------------------------------------
 */
static AttrNumber
find_column(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (attr->attisdropped || strcmp(NameStr(attr->attname), name) != 0)
			continue;
		if (KAFKA_IS_VIRTUAL(attr))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("kafka.publish cannot send virtual generated column \"%s\"", name),
					 errhint("Triggers do not see its value; a stored one they do.")));
		return attr->attnum;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
					RelationGetRelationName(rel)),
			 errhint("In the arguments of kafka.publish a name is folded to lower case, as in "
					 "SQL, unless it is in double quotes.")));
}

static Bitmapset *
find_columns(Relation rel, List *names)
{
	Bitmapset  *attnums = NULL;
	ListCell   *lc;

	foreach(lc, names)
		attnums = bms_add_member(attnums, find_column(rel, (char *) lfirst(lc)));
	return attnums;
}

/* The table's columns that are meant; *all: every one that a trigger sees. */
static Bitmapset *
choose_columns(Relation rel, const KafkaPublishArgs *args, bool *all)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Bitmapset  *only = find_columns(rel, args->columns);
	Bitmapset  *except = find_columns(rel, args->except);
	Bitmapset  *chosen = NULL;

	*all = true;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (attr->attisdropped)
			continue;
		if (KAFKA_IS_VIRTUAL(attr) || (only && !bms_is_member(attr->attnum, only)) ||
			bms_is_member(attr->attnum, except))
			*all = false;
		else
			chosen = bms_add_member(chosen, attr->attnum);
	}
	return chosen;
}

/* In the table's order. */
static void
make_selection(Selection *selection, Relation rel, const Bitmapset *attnums)
{
	List	   *names = NIL;
	List	   *types = NIL;
	List	   *typmods = NIL;
	List	   *collations = NIL;
	int			attnum = -1;

	selection->n = 0;
	selection->attnums = palloc(sizeof(AttrNumber) * (bms_num_members(attnums) + 1));
	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

		selection->attnums[selection->n++] = attnum;
		names = lappend(names, makeString(pstrdup(NameStr(attr->attname))));
		types = lappend_oid(types, attr->atttypid);
		typmods = lappend_int(typmods, attr->atttypmod);
		collations = lappend_oid(collations, attr->attcollation);
	}
	selection->desc = BlessTupleDesc(BuildDescFromLists(names, types, typmods, collations));
}

/* Columns of the primary key, as attribute numbers. */
static Bitmapset *
primary_key(Relation rel)
{
	Bitmapset  *found = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	Bitmapset  *attnums = NULL;
	int			member = -1;

	while ((member = bms_next_member(found, member)) >= 0)
		attnums = bms_add_member(attnums, member + FirstLowInvalidHeapAttributeNumber);
	return attnums;
}

static void
set_key_column(KafkaPublishColumns *columns, Relation rel, AttrNumber attnum)
{
	Oid			type = getBaseType(TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid);
	Oid			output;
	bool		is_varlena;

	columns->key_column = attnum;
	columns->key_is_bytes = type == BYTEAOID;
	getTypeOutputInfo(type, &output, &is_varlena);
	fmgr_info(output, &columns->key_output);
}

KafkaPublishColumns *
kafka_publish_columns(Relation rel, const KafkaPublishArgs *args)
{
	KafkaPublishColumns *columns = palloc0(sizeof(KafkaPublishColumns));
	Bitmapset  *key;
	Bitmapset  *chosen;
	bool		all;

	key = args->key_given ? find_columns(rel, args->key) : primary_key(rel);
	if (bms_num_members(key) == 1)
		set_key_column(columns, rel, bms_singleton_member(key));
	else if (key)
		make_selection(&columns->key, rel, key);
	chosen = choose_columns(rel, args, &all);
	if (!all)
		make_selection(&columns->row, rel, chosen);
	return columns;
}

/* ------------------------------------------------------------------------
 * From a row to JSON and key
 * ------------------------------------------------------------------------
 */
static text *
selection_json(const Selection *selection, Relation rel, HeapTuple row)
{
	Datum		datum;
	Datum	   *values;
	bool	   *nulls;

	if (selection->desc == NULL)
		datum = heap_copy_tuple_as_datum(row, RelationGetDescr(rel));
	else
	{
		values = palloc(sizeof(Datum) * (selection->n + 1));
		nulls = palloc(sizeof(bool) * (selection->n + 1));
		for (int i = 0; i < selection->n; i++)
			values[i] = heap_getattr(row, selection->attnums[i], RelationGetDescr(rel), &nulls[i]);
		datum = HeapTupleGetDatum(heap_form_tuple(selection->desc, values, nulls));
	}
	return DatumGetTextPP(DirectFunctionCall1(row_to_json, datum));
}

void
kafka_publish_append_row(const KafkaPublishColumns *columns, Relation rel, HeapTuple row,
						 StringInfo out)
{
	text	   *json = selection_json(&columns->row, rel, row);

	appendBinaryStringInfo(out, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
}

static KafkaBytes
utf8_bytes(char *text, size_t len)
{
	KafkaBytes	bytes = {text, len};
	char	   *converted = pg_server_to_any(text, (int) len, PG_UTF8);

	if (converted != text)
	{
		bytes.data = converted;
		bytes.len = strlen(converted);
	}
	return bytes;
}

KafkaBytes
kafka_publish_key(KafkaPublishColumns *columns, Relation rel, HeapTuple row)
{
	KafkaBytes	bytes = {NULL, 0};
	struct varlena *data;
	char	   *output;
	Datum		datum;
	bool		isnull;

	if (columns->key.desc)
	{
		data = selection_json(&columns->key, rel, row);
		return utf8_bytes(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
	}
	if (columns->key_column == InvalidAttrNumber)
		return bytes;
	datum = heap_getattr(row, columns->key_column, RelationGetDescr(rel), &isnull);
	if (isnull)
		return bytes;
	if (columns->key_is_bytes)
	{
		data = PG_DETOAST_DATUM_PACKED(datum);
		bytes.data = VARDATA_ANY(data);
		bytes.len = VARSIZE_ANY_EXHDR(data);
		return bytes;
	}
	output = OutputFunctionCall(&columns->key_output, datum);
	return utf8_bytes(output, strlen(output));
}
