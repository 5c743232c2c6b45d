/*-------------------------------------------------------------------------
 *
 * load_columns.c
 *	  Which columns of its target a pipeline fills, and from what.
 *
 * Layer 3.  From a foreign table columns go to the columns of their name.  A topic by itself
 * has no columns: then the reader reads rows of the target, of those columns that are to be
 * filled, in that order (for "csv" it counts).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "ground/compat.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "pipeline/load_internal.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* The column of that name, or NULL. */
static Form_pg_attribute
find_column(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (!attr->attisdropped && strcmp(NameStr(attr->attname), name) == 0)
			return attr;
	}
	return NULL;
}

static KAFKA_NORETURN void
reject_column(Relation rel, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
					RelationGetRelationName(rel)),
			 errhint("Name the columns to load in the pipeline's argument \"columns\".")));
}

/* ------------------------------------------------------------------------
 * Values of another type
 * ------------------------------------------------------------------------
 */

/* An expression on the value that the evaluation is given. */
static Expr *
coerce_from(Oid type, int32 typmod, Oid collation, Form_pg_attribute to)
{
	CaseTestExpr *value = makeNode(CaseTestExpr);
	Node	   *node;

	value->typeId = type;
	value->typeMod = typmod;
	value->collation = collation;
	node = coerce_to_target_type(NULL, (Node *) value, type, to->atttypid, to->atttypmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (node == (Node *) value)
		return NULL;
	if (node == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of the target has type %s, that of the source %s",
						NameStr(to->attname), format_type_be(to->atttypid),
						format_type_be(type)),
				 errhint("The types must be the same, or have an assignment cast.")));
	return expression_planner((Expr *) node);
}

static void
prepare_coercion(KafkaLoadColumn *column, Form_pg_attribute from, Form_pg_attribute to)
{
	int32		typmod;
	Oid			base;

	if (from->atttypid != to->atttypid || from->atttypmod != to->atttypmod)
	{
		column->coercion = coerce_from(from->atttypid, from->atttypmod, from->attcollation, to);
		return;
	}
	if (get_typtype(to->atttypid) != TYPTYPE_DOMAIN)
		return;
	/* a field that a message does not have is NULL without the domain having been asked */
	typmod = to->atttypmod;
	base = getBaseTypeAndTypmod(to->atttypid, &typmod);
	column->coercion = coerce_from(base, typmod, from->attcollation, to);
	column->only_null = true;
}

/* ------------------------------------------------------------------------
 * Which columns
 * ------------------------------------------------------------------------
 */
static void
check_may_be_filled(Relation target, Form_pg_attribute to)
{
	if (to->attgenerated == '\0' && to->attidentity != ATTRIBUTE_IDENTITY_ALWAYS)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_GENERATED_ALWAYS),
			 errmsg("column \"%s\" of table \"%s\" is always generated, and cannot be loaded",
					NameStr(to->attname), RelationGetRelationName(target)),
			 errhint("Name the columns to load in the pipeline's argument \"columns\".")));
}

static void
add_column(KafkaLoader *loader, Form_pg_attribute from, Form_pg_attribute to)
{
	KafkaLoadColumn *column = &loader->columns[loader->ncolumns];

	check_may_be_filled(loader->target, to);
	column->source = from->attnum;
	column->target = to->attnum;
	column->name = pstrdup(NameStr(to->attname));
	column->place = loader->ncolumns++;
	prepare_coercion(column, from, to);
}

/* What the reader can give: nothing computes a virtual column here. */
static Form_pg_attribute
find_in_source(const KafkaLoader *loader, const char *name)
{
	Form_pg_attribute attr = find_column(loader->source ? loader->source : loader->target, name);

	return attr && !KAFKA_IS_VIRTUAL(attr) ? attr : NULL;
}

static void
add_named_columns(KafkaLoader *loader)
{
	ListCell   *lc;

	foreach(lc, loader->pipeline->columns)
	{
		const char *name = (const char *) lfirst(lc);
		Form_pg_attribute to = find_column(loader->target, name);
		Form_pg_attribute from = find_in_source(loader, name);

		if (to == NULL)
			reject_column(loader->target, name);
		if (from == NULL)
			reject_column(loader->source ? loader->source : loader->target, name);
		for (int i = 0; i < loader->ncolumns; i++)
			if (loader->columns[i].target == to->attnum)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is named twice", name)));
		add_column(loader, from, to);
	}
}

/* A column of the message that goes nowhere would be lost quietly. */
static void
check_source_columns(const KafkaLoader *loader)
{
	TupleDesc	desc = RelationGetDescr(loader->source);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (attr->attisdropped || KAFKA_IS_VIRTUAL(attr) ||
			kafka_options_of_column(RelationGetRelid(loader->source),
									attr->attnum)->meta != KAFKA_META_NONE)
			continue;
		if (find_column(loader->target, NameStr(attr->attname)) == NULL)
			reject_column(loader->target, NameStr(attr->attname));
	}
}

static void
add_columns_by_name(KafkaLoader *loader)
{
	TupleDesc	desc = RelationGetDescr(loader->target);

	if (loader->source)
		check_source_columns(loader);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute to = TupleDescAttr(desc, i);
		Form_pg_attribute from;

		if (to->attisdropped || to->attgenerated != '\0' ||
			(loader->source == NULL && to->attidentity == ATTRIBUTE_IDENTITY_ALWAYS))
			continue;
		from = find_in_source(loader, NameStr(to->attname));
		if (from)
			add_column(loader, from, to);
	}
	if (loader->ncolumns == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("no column of \"%s\" has the name of a column of the source",
						RelationGetRelationName(loader->target))));
}

/* ------------------------------------------------------------------------
 * The reader
 * ------------------------------------------------------------------------
 */

/*
 * The target as if it were a foreign table of the columns that are loaded, in their order; others
 * are as dropped.  The reader goes through the array in its order, and puts values by number.
 */
static Relation
target_as_source(const KafkaLoader *loader)
{
	Relation	rel = palloc(sizeof(RelationData));
	TupleDesc	desc = RelationGetDescr(loader->target);
	Bitmapset  *loaded = NULL;
	int			place = loader->ncolumns;

	*rel = *loader->target;
	rel->rd_att = CreateTupleDescCopy(desc);
	for (int i = 0; i < loader->ncolumns; i++)
	{
		int			att = loader->columns[i].target - 1;

		*TupleDescAttr(rel->rd_att, i) = *TupleDescAttr(desc, att);
		loaded = bms_add_member(loaded, att);
	}
	for (int i = 0; i < desc->natts; i++)
	{
		if (bms_is_member(i, loaded))
			continue;
		*TupleDescAttr(rel->rd_att, place) = *TupleDescAttr(desc, i);
		TupleDescAttr(rel->rd_att, place++)->attisdropped = true;
	}
	return rel;
}

static void
make_reader(KafkaLoader *loader)
{
	Relation	rel = loader->source ? loader->source : target_as_source(loader);
	int			natts = RelationGetNumberOfAttributes(rel);
	Bitmapset  *needed = NULL;

	for (int i = 0; i < loader->ncolumns; i++)
		needed = bms_add_member(needed, loader->columns[i].source -
								FirstLowInvalidHeapAttributeNumber);
	loader->reader = kafka_row_reader(rel, loader->pipeline->opts, needed);
	loader->source_values = palloc0(sizeof(Datum) * natts);
	loader->source_nulls = palloc0(sizeof(bool) * natts);
}

/* What the load has to be allowed to do; load_upsert.c adds to it. */
static void
make_range_table(KafkaLoader *loader)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(loader->target);
	rte->relkind = loader->target->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	rte->inh = true;
	loader->rights = KAFKA_PERMISSIONS_OF(rte, loader->perminfos);
	loader->rights->requiredPerms = ACL_INSERT;
	for (int i = 0; i < loader->ncolumns; i++)
		loader->rights->insertedCols =
			bms_add_member(loader->rights->insertedCols,
						   loader->columns[i].target - FirstLowInvalidHeapAttributeNumber);
	loader->rtable = list_make1(rte);
}

void
kafka_load_check_rights(KafkaLoader *loader)
{
	(void) KAFKA_CHECK_PERMISSIONS(loader->rtable, loader->perminfos);
}

void
kafka_load_map_columns(KafkaLoader *loader)
{
	int			most = Max(RelationGetNumberOfAttributes(loader->target),
						   list_length(loader->pipeline->columns));

	loader->columns = palloc0(sizeof(KafkaLoadColumn) * Max(most, 1));
	if (loader->pipeline->columns != NIL)
		add_named_columns(loader);
	else
		add_columns_by_name(loader);
	make_reader(loader);
	make_range_table(loader);
}

TupleDesc
kafka_load_describe(const KafkaLoader *loader, bool only_keys)
{
	TupleDesc	desc;
	AttrNumber	n = 0;

	for (int i = 0; i < loader->ncolumns; i++)
		n += !only_keys || loader->columns[i].is_key;
	desc = CreateTemplateTupleDesc(n);
	n = 0;
	for (int i = 0; i < loader->ncolumns; i++)
	{
		const KafkaLoadColumn *column = &loader->columns[i];
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(loader->target),
											   column->target - 1);

		if (only_keys && !column->is_key)
			continue;
		TupleDescInitEntry(desc, ++n, column->name, attr->atttypid, attr->atttypmod,
						   attr->attndims);
		TupleDescInitEntryCollation(desc, n, attr->attcollation);
	}
	KAFKA_TUPLE_DESC_FINISH(desc);
	return desc;
}
