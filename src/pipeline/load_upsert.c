/*-------------------------------------------------------------------------
 *
 * load_upsert.c
 *	  Messages as the newest state of their keys.
 *
 * Layer 3.  Of the messages of a batch with one key only the last counts: it is the row, or,
 * without a value (a tombstone), the row's end.  So the order of a batch is settled here, and two
 * statements do the rest: a DELETE, and an INSERT with ON CONFLICT DO UPDATE.  The DELETE comes first,
 * because another key may want what a deleted row had.
 *
 * Keys are the same if the index says so: values of the target's types are compared by its
 * operators and collations.  Without a hash function for a type only identical values are
 * recognised; two others make the INSERT fail (21000), which is no quiet error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/dependency.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "common/hashfn.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "pipeline/load_internal.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* A column of the unique index. */
typedef struct UpsertKey
{
	int			column;			/* of the loader */
	Oid			collation;
	Oid			equality;		/* operator */
	FmgrInfo	equal;
	bool		hashes;			/* else values are the same if their bytes are */
	FmgrInfo	hash;
	bool		byval;
	int16		len;
} UpsertKey;

/* The loader's path. */
typedef struct UpsertPath
{
	UpsertKey  *keys;
	int			nkeys;
	const char *constraint;		/* the index's, or NULL: it is one by itself */
	const char *insert;
	const char *delete;
} UpsertPath;

/* A message of the batch. */
typedef struct UpsertRow
{
	int			index;
	uint32		hash;
	Datum	   *values;
	bool	   *nulls;
} UpsertRow;

/* ------------------------------------------------------------------------
 * The unique index
 * ------------------------------------------------------------------------
 */
static int
find_loaded(const KafkaLoader *loader, AttrNumber attnum)
{
	for (int i = 0; i < loader->ncolumns; i++)
		if (loader->columns[i].target == attnum)
			return i;
	return -1;
}

/* Can ON CONFLICT use it, with the columns that are loaded? */
static bool
index_suits(const KafkaLoader *loader, Relation index)
{
	const Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indisvalid || !form->indimmediate ||
		index->rd_rel->relam != BTREE_AM_OID ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
		if (find_loaded(loader, form->indkey.values[i]) < 0)
			return false;
	return true;
}

static UpsertKey
make_key(KafkaLoader *loader, Relation index, int i)
{
	UpsertKey	key = {.column = find_loaded(loader, index->rd_index->indkey.values[i])};
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(loader->target),
										   index->rd_index->indkey.values[i] - 1);
	Oid			input = index->rd_opcintype[i];
	TypeCacheEntry *type = lookup_type_cache(attr->atttypid, TYPECACHE_HASH_PROC);

	loader->columns[key.column].is_key = true;
	key.collation = index->rd_indcollation[i];
	key.equality = get_opfamily_member(index->rd_opfamily[i], input, input,
									   BTEqualStrategyNumber);
	if (!OidIsValid(key.equality))
		elog(ERROR, "no equality operator for index \"%s\"", RelationGetRelationName(index));
	fmgr_info(get_opcode(key.equality), &key.equal);
	/* the hash function must know the same equality */
	key.hashes = OidIsValid(type->hash_proc) &&
		lookup_type_cache(attr->atttypid, TYPECACHE_EQ_OPR)->eq_opr == key.equality;
	if (key.hashes)
		fmgr_info(type->hash_proc, &key.hash);
	key.byval = attr->attbyval;
	key.len = attr->attlen;
	return key;
}

static void
take_index(KafkaLoader *loader, UpsertPath *path, Relation index)
{
	Oid			constraint = get_index_constraint(RelationGetRelid(index));

	if (OidIsValid(constraint))
		path->constraint = get_constraint_name(constraint);
	path->nkeys = index->rd_index->indnkeyatts;
	path->keys = palloc0(sizeof(UpsertKey) * path->nkeys);
	for (int i = 0; i < path->nkeys; i++)
		path->keys[i] = make_key(loader, index, i);
}

static KAFKA_NORETURN void
reject_target(const KafkaLoader *loader, int candidates)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			 candidates == 0 ?
			 errmsg("upsert needs a unique constraint of \"%s\" all of whose columns are loaded",
					RelationGetRelationName(loader->target)) :
			 errmsg("\"%s\" has several unique constraints that upsert could go by",
					RelationGetRelationName(loader->target)),
			 errhint("It goes by the primary key, or else by the only other unique constraint "
					 "(or index without expressions and condition) that is not deferrable.")));
}

static void
find_index(KafkaLoader *loader, UpsertPath *path)
{
	List	   *indexes = RelationGetIndexList(loader->target);
	Oid			found = InvalidOid;
	int			candidates = 0;
	bool		is_primary = false;
	Relation	index;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		index = index_open(lfirst_oid(lc), AccessShareLock);
		if (!is_primary && index_suits(loader, index))
		{
			is_primary = index->rd_index->indisprimary;
			candidates = is_primary ? 1 : candidates + 1;
			found = lfirst_oid(lc);
		}
		index_close(index, NoLock);
	}
	if (candidates != 1)
		reject_target(loader, candidates);
	index = index_open(found, NoLock);
	take_index(loader, path, index);
	index_close(index, NoLock);
}

/* ------------------------------------------------------------------------
 * Statements
 * ------------------------------------------------------------------------
 */
static void
append_operator(StringInfo out, Oid oper)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(oper));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", oper);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(out, "OPERATOR(%s.%s)",
					 quote_identifier(get_namespace_name(form->oprnamespace)),
					 NameStr(form->oprname));
	ReleaseSysCache(tuple);
}

static char *
make_delete(const KafkaLoader *loader, const UpsertPath *path)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "DELETE FROM %s%s AS target USING kafka_batch AS batch WHERE ",
					 loader->target->rd_rel->relkind == RELKIND_RELATION ? "ONLY " : "",
					 kafka_load_target_name(loader));
	for (int i = 0; i < path->nkeys; i++)
	{
		const char *name = quote_identifier(loader->columns[path->keys[i].column].name);

		appendStringInfo(&out, "%starget.%s ", i > 0 ? " AND " : "", name);
		append_operator(&out, path->keys[i].equality);
		appendStringInfo(&out, " batch.%s", name);
	}
	return out.data;
}

/* The constraint by its name: others with the same columns may be deferrable. */
static void
append_arbiter(const KafkaLoader *loader, const UpsertPath *path, StringInfo out)
{
	appendStringInfoString(out, " ON CONFLICT ");
	if (path->constraint)
	{
		appendStringInfo(out, "ON CONSTRAINT %s", quote_identifier(path->constraint));
		return;
	}
	for (int i = 0; i < path->nkeys; i++)
		appendStringInfo(out, "%s%s", i > 0 ? ", " : "(",
						 quote_identifier(loader->columns[path->keys[i].column].name));
	appendStringInfoString(out, ")");
}

static char *
make_insert(const KafkaLoader *loader, const UpsertPath *path)
{
	StringInfoData out;
	int			updated = 0;

	initStringInfo(&out);
	kafka_load_append_insert(loader, &out);
	append_arbiter(loader, path, &out);
	appendStringInfoString(&out, " DO ");
	for (int i = 0; i < loader->ncolumns; i++)
	{
		const char *name = quote_identifier(loader->columns[i].name);

		if (!loader->columns[i].is_key)
			appendStringInfo(&out, "%s%s = excluded.%s", updated++ > 0 ? ", " : "UPDATE SET ",
							 name, name);
	}
	if (updated == 0)
		appendStringInfoString(&out, "NOTHING");
	return out.data;
}

/* ------------------------------------------------------------------------
 * The last message of each key
 * ------------------------------------------------------------------------
 */
static uint32
hash_keys(UpsertPath *path, const UpsertRow *row)
{
	uint32		result = 0;

	for (int i = 0; i < path->nkeys; i++)
	{
		UpsertKey  *key = &path->keys[i];
		Datum		value = row->values[key->column];

		result = hash_combine(result, key->hashes ?
							  DatumGetUInt32(FunctionCall1Coll(&key->hash, key->collation,
															   value)) :
							  datum_image_hash(value, key->byval, key->len));
	}
	return result;
}

static bool
same_keys(UpsertPath *path, const UpsertRow *one, const UpsertRow *other)
{
	for (int i = 0; i < path->nkeys; i++)
	{
		UpsertKey  *key = &path->keys[i];

		if (!DatumGetBool(FunctionCall2Coll(&key->equal, key->collation,
											one->values[key->column],
											other->values[key->column])))
			return false;
	}
	return true;
}

/*
 * Keeps the last of each key, in the order in which these came.  The table holds numbers of rows from 1;
 * the newest come first, so whatever is found there is newer.
 */
static int
drop_older(UpsertPath *path, UpsertRow *rows, int n)
{
	uint32		size = pg_nextpower2_32((uint32) n * 2 + 1);
	int		   *table = palloc0(sizeof(int) * size);
	int			first = n;

	for (int i = n - 1; i >= 0; i--)
	{
		uint32		place = rows[i].hash & (size - 1);
		bool		is_older = false;

		for (; table[place] != 0 && !is_older; place = (place + 1) & (size - 1))
		{
			const UpsertRow *newer = &rows[table[place] - 1];

			is_older = newer->hash == rows[i].hash && same_keys(path, newer, &rows[i]);
		}
		if (is_older)
			continue;
		/* never overwrites what the table refers to: that is further behind */
		rows[--first] = rows[i];
		table[place] = first + 1;
	}
	memmove(rows, rows + first, sizeof(UpsertRow) * (n - first));
	return n - first;
}

static void
check_keys(const KafkaLoader *loader, const UpsertPath *path, const UpsertRow *row)
{
	bool		deletes = loader->messages[row->index].value.data == NULL;

	for (int i = 0; i < path->nkeys; i++)
		if (row->nulls[path->keys[i].column])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("key column \"%s\" is null",
							loader->columns[path->keys[i].column].name),
					 deletes ? errhint("A message without a value deletes the row of its key: that column "
									   "must come from the message's key.") : 0));
}

/* The messages as rows; they live as long as the load. */
static UpsertRow *
read_rows(KafkaLoader *loader, UpsertPath *path, int *n)
{
	UpsertRow  *rows = palloc(sizeof(UpsertRow) * loader->n);

	*n = 0;
	for (int i = 0; i < loader->n; i++)
	{
		UpsertRow  *row = &rows[*n];

		CHECK_FOR_INTERRUPTS();
		row->index = i;
		row->values = palloc(sizeof(Datum) * loader->ncolumns);
		row->nulls = palloc(sizeof(bool) * loader->ncolumns);
		if (!kafka_load_row(loader, i, row->values, row->nulls))
			continue;
		check_keys(loader, path, row);
		row->hash = hash_keys(path, row);
		(*n)++;
	}
	return rows;
}

/* ------------------------------------------------------------------------
 * The load
 * ------------------------------------------------------------------------
 */
static void
delete_rows(KafkaLoader *loader, UpsertPath *path, UpsertRow *rows, int n)
{
	KafkaLoadRows *keys = kafka_load_rows_make(loader, kafka_load_describe(loader, true), n);
	Datum	   *values = palloc(sizeof(Datum) * loader->ncolumns);
	bool	   *nulls = palloc0(sizeof(bool) * loader->ncolumns);

	for (int r = 0; r < n; r++)
	{
		int			place = 0;

		if (loader->messages[rows[r].index].value.data != NULL)
			continue;
		for (int i = 0; i < loader->ncolumns; i++)
			if (loader->columns[i].is_key)
				values[place++] = rows[r].values[i];
		kafka_load_rows_add(keys, values, nulls, rows[r].index);
	}
	if (keys->n > 0)
		loader->loaded->rows += kafka_load_run(loader, keys, path->delete, NULL);
}

static void
insert_rows(KafkaLoader *loader, UpsertPath *path, UpsertRow *rows, int n)
{
	KafkaLoadRows *whole = kafka_load_rows_make(loader, kafka_load_describe(loader, false), n);

	for (int r = 0; r < n; r++)
		if (loader->messages[rows[r].index].value.data != NULL)
			kafka_load_rows_add(whole, rows[r].values, rows[r].nulls, rows[r].index);
	if (whole->n > 0)
		loader->loaded->rows += kafka_load_run(loader, whole, path->insert, NULL);
}

static void
load_upsert(KafkaLoader *loader)
{
	UpsertPath *path = (UpsertPath *) loader->path;
	int			n;
	UpsertRow  *rows = read_rows(loader, path, &n);

	n = drop_older(path, rows, n);
	loader->culprit = loader->n == 1 ? 0 : -1;
	delete_rows(loader, path, rows, n);
	insert_rows(loader, path, rows, n);
}

/* Besides inserting: changing what is not the key, and finding the key. */
static void
add_rights(KafkaLoader *loader)
{
	KafkaPermissions *rights = loader->rights;

	rights->requiredPerms |= ACL_SELECT;
	for (int i = 0; i < loader->ncolumns; i++)
	{
		int			att = loader->columns[i].target - FirstLowInvalidHeapAttributeNumber;

		if (loader->columns[i].is_key)
			rights->selectedCols = bms_add_member(rights->selectedCols, att);
		else
		{
			rights->requiredPerms |= ACL_UPDATE;
			rights->updatedCols = bms_add_member(rights->updatedCols, att);
		}
	}
}

void
kafka_load_upsert_begin(KafkaLoader *loader)
{
	UpsertPath *path = palloc0(sizeof(UpsertPath));

	find_index(loader, path);
	path->delete = make_delete(loader, path);
	path->insert = make_insert(loader, path);
	add_rights(loader);
	loader->path = path;
	loader->load = load_upsert;
}
