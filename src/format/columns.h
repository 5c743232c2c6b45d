/*-------------------------------------------------------------------------
 *
 * columns.h
 *	  The columns of a foreign table, sorted: metas, fields of the value, fields of the key.
 *
 * Layer 2, private to src/format.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_COLUMNS_H
#define KAFKA_COLUMNS_H

#include "postgres.h"

#include "fmgr.h"
#include "format/format.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"

/* A column with a "meta" option. */
typedef struct KafkaMetaColumn
{
	AttrNumber	attnum;
	KafkaMeta	meta;
	Oid			type;			/* base type */
	const char *name;
	bool		constrained;	/* a domain, or a length: goes through the type's input */
	bool		ignores;		/* its option ignore_junk */
	int32		typmod;
	Oid			ioparam;
	FmgrInfo	input;
	FmgrInfo	output;			/* of the base type */
} KafkaMetaColumn;

/* The columns of a relation, sorted; shared by both ways. */
typedef struct KafkaRowColumns
{
	const KafkaOptions *opts;
	const char *table;
	const char *kind;			/* of relation, in words */
	int			natts;
	int			nmetas;
	KafkaMetaColumn *metas;
	KafkaFieldSet set;			/* of the value */
	const KafkaFormat *format;
	KafkaFieldSet key;			/* empty without a key_format */
	const KafkaFormat *key_format;	/* NULL: the key is a meta */
} KafkaRowColumns;

/*
 * Fills the struct, which must be zeroed; allocates in the current context.  needed: as for
 * kafka_row_reader; all: every column is.  Metas that are not needed are left out.  Raises
 * 42804 or 22023 where a column's type or place does not suit its meta.
 */
extern void kafka_columns_sort(KafkaRowColumns *columns, Relation rel, const KafkaOptions *opts,
							   Bitmapset *needed, bool all);

#endif							/* KAFKA_COLUMNS_H */
