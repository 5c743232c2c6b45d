/*-------------------------------------------------------------------------
 *
 * row.h
 *	  A message as a row of a foreign table, and back.
 *
 * Layer 2.  Knows columns and their "meta" options; the value's columns are left to the
 * table's format.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ROW_H
#define KAFKA_ROW_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "ground/message.h"
#include "ground/options.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"

/*
 * Raises 42804 or 22023 unless the table's columns, with their types and options, suit its
 * metas and formats; the message names the column.  Used when the table is created or
 * altered; what slips through is found by the same checks when the table is used.
 * Allocates in the current context; asks no broker.
 */
extern void kafka_row_check(Relation rel, const KafkaOptions *opts);

/* Do scans of the table catch what a message makes fail, each in a subtransaction? */
extern bool kafka_row_catches(Relation rel, const KafkaOptions *opts);

/* The column with that meta, or InvalidAttrNumber. */
extern AttrNumber kafka_row_find_meta(Relation rel, int meta);

/* The same for n metas at once: attnums[i] is the first column with metas[i]. */
extern void kafka_row_find_metas(Relation rel, const int *metas, int n, AttrNumber *attnums);

typedef struct KafkaRowReader KafkaRowReader;
typedef struct KafkaRowWriter KafkaRowWriter;

/*
 * needed: attribute numbers (offset by FirstLowInvalidHeapAttributeNumber) that the query
 * looks at; the others become NULL without being decoded.  A whole-row reference needs all.
 */
extern KafkaRowReader *kafka_row_reader(Relation rel, const KafkaOptions *opts,
										Bitmapset *needed);

/*
 * Fills values and nulls for all attributes of the relation, allocating in the current
 * context.  False: the message is to be skipped (on_error 'skip').  Errors carry table,
 * column, topic, partition and offset as context.
 */
extern bool kafka_row_read(KafkaRowReader *reader, const KafkaMessage *msg,
						   Datum *values, bool *nulls);

/* False if no row needs the messages' headers: they may then be left out. */
extern bool kafka_row_needs_headers(const KafkaRowReader *reader);

extern KafkaRowWriter *kafka_row_writer(Relation rel, const KafkaOptions *opts);

/*
 * Fills msg from the row.  Its pointers point into the slot, into the writer (until the
 * next call) and into the current context.
 */
extern void kafka_row_write(KafkaRowWriter *writer, TupleTableSlot *slot, KafkaMessage *msg);

/*
 * Sets the columns with meta partition, offset and timestamp in a row that was written, to
 * where its message went; offset and timestamp (ms since 1970) may be KAFKA_UNKNOWN.
 */
extern void kafka_row_set_receipt(const KafkaRowWriter *writer, int32 partition, int64 offset,
								  int64 timestamp, Datum *values, bool *nulls);

/* Milliseconds since 1970 and timestamptz; 22008 where it is out of range. */
extern Datum kafka_timestamp_datum(int64 ms);
extern int64 kafka_timestamp_ms(Datum timestamptz);

#endif							/* KAFKA_ROW_H */
