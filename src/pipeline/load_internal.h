/*-------------------------------------------------------------------------
 *
 * load_internal.h
 *	  What the files of the loader share (load*.c).
 *
 * Layer 3, private to src/pipeline/load*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_LOAD_INTERNAL_H
#define KAFKA_PIPELINE_LOAD_INTERNAL_H

#include "postgres.h"

#include "executor/executor.h"
#include "format/row.h"
#include "ground/compat.h"
#include "nodes/execnodes.h"
#include "pipeline/load.h"
#include "utils/relcache.h"
#include "utils/tuplestore.h"

/* A column of the target that messages fill. */
typedef struct KafkaLoadColumn
{
	AttrNumber	source;			/* in the rows of the reader */
	AttrNumber	target;
	const char *name;			/* the target's */
	int			place;			/* where kafka_load_row puts its value */
	bool		is_key;			/* mode upsert: of the unique index */
	Expr	   *coercion;		/* from the source's type to the target's; NULL: is the same */
	bool		only_null;		/* a domain: values were checked when they were read, NULL not */
	ExprState  *state;			/* of the coercion, while a load runs */
} KafkaLoadColumn;

struct KafkaLoader
{
	const KafkaPipeline *pipeline;
	MemoryContext context;
	Relation	target;			/* NULL: there is a handler */
	Relation	source;			/* foreign table; NULL: the reader reads rows of the target */
	KafkaRowReader *reader;
	Datum	   *source_values;	/* of the row that was read */
	bool	   *source_nulls;
	KafkaLoadColumn *columns;
	int			ncolumns;
	List	   *rtable;			/* the target, and what the load has to be allowed to do to it */
	List	   *perminfos;
	KafkaPermissions *rights;	/* in them */
	void		(*load) (KafkaLoader *loader);
	void	   *path;			/* of the function above */
	bool		checked_deferred;	/* in this transaction, by an earlier load */
	bool		knows_deferred;
	List	   *deferred;		/* RangeVars of constraints that are initially deferred */

	/* of the load under way */
	MemoryContext load_context;
	EState	   *estate;
	const KafkaMessage *messages;
	int			n;
	bool	   *skipped;		/* or NULL */
	KafkaLoaded *loaded;
	int			culprit;		/* index of the message in work, or -1 */
	bool		is_reading;		/* the reader has its own error context */
};

/* load_columns.c: finds what goes where, and makes the reader. */
extern void kafka_load_map_columns(KafkaLoader *loader);

/* Raises 42501 unless the current user may do that; columns are those that are loaded. */
extern void kafka_load_check_rights(KafkaLoader *loader);

/* A tuple descriptor of the columns, as they are in the target; of the key's only. */
extern TupleDesc kafka_load_describe(const KafkaLoader *loader, bool only_keys);

/*
 * Fills values and nulls, by the columns' places, from the message at that index, which is the
 * culprit from now on.  Allocates in the current context.  False: the message is left out, and
 * that is noted.
 */
extern bool kafka_load_row(KafkaLoader *loader, int index, Datum *values, bool *nulls);

/* load_heap.c: is the target one that can be filled without a query?  Then begins it. */
extern bool kafka_load_heap_begin(KafkaLoader *loader);

/* load_sql.c, load_upsert.c, load_handler.c: the other paths. */
extern void kafka_load_sql_begin(KafkaLoader *loader);
extern void kafka_load_upsert_begin(KafkaLoader *loader);
extern void kafka_load_handler_begin(KafkaLoader *loader);

/* load_constraints.c */
extern void kafka_load_check_deferred(KafkaLoader *loader);

/* load_rows.c: rows for a statement, which sees them as the table kafka_batch. */
typedef struct KafkaLoadRows
{
	TupleDesc	desc;
	Tuplestorestate *tuples;
	int		   *indexes;		/* of each row's message */
	int			n;
} KafkaLoadRows;

/* For at most n rows; in the load's context. */
extern KafkaLoadRows *kafka_load_rows_make(KafkaLoader *loader, TupleDesc desc, int n);
extern void kafka_load_rows_add(KafkaLoadRows *rows, Datum *values, bool *nulls, int index);

/* Are rows that are read inserted before the next one is read?  Foreign tables gather them. */
extern bool kafka_load_inserts_at_once(Relation rel);

/*
 * Runs a statement on them; returns how many rows it has touched.  inserted: NULL, or to become
 * true for each row for which the statement, an INSERT with RETURNING, returns something.
 */
extern int64 kafka_load_run(KafkaLoader *loader, KafkaLoadRows *rows, const char *statement,
							bool *inserted);

/* load_sql.c: "INSERT INTO target (columns) SELECT columns FROM kafka_batch", without an end. */
extern void kafka_load_append_insert(const KafkaLoader *loader, StringInfo statement);

/* The target's name as it is written in a query. */
extern char *kafka_load_target_name(const KafkaLoader *loader);

#endif							/* KAFKA_PIPELINE_LOAD_INTERNAL_H */
