/*-------------------------------------------------------------------------
 *
 * outbox_columns.h
 *	  Columns of a table that has an outbox.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_COLUMNS_H
#define KAFKA_OUTBOX_COLUMNS_H

#include "postgres.h"

#include "ground/options.h"
#include "utils/relcache.h"

/* The trigger that copies a table's new rows. */
#define KAFKA_OUTBOX_TRIGGER "kafka_outbox"

/* The number of a column; raises 42703 where there is none, 0A000 for one that is virtual. */
extern AttrNumber kafka_outbox_column(Relation rel, const char *name);

/* Raises 42804 unless the column can hold headers. */
extern void kafka_outbox_check_headers(Relation rel, AttrNumber attnum);

/* The owner of a table. */
extern Oid	kafka_table_owner(Oid relid);

/* Raises 42501 unless that one has USAGE on the server: rows are sent by his leave. */
extern void kafka_table_owner_check_usage(Oid relid, const KafkaOptions *opts);

/* Quoted, for a command; palloc'd. */
extern const char *kafka_table_qualified_name(Oid relid);

#endif							/* KAFKA_OUTBOX_COLUMNS_H */
