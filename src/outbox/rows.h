/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  Reading the committed rows of some transactions, in the order of their ids.
 *
 * Layer 3, private to src/outbox.  Between the host's begin and commit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_ROWS_H
#define KAFKA_OUTBOX_ROWS_H

#include "postgres.h"

#include "executor/tuptable.h"

/* The parts of kafka.outbox_row. */
#define KAFKA_OUTBOX_SLOTS 4

/* Columns of kafka.outbox_row, by attribute number. */
enum
{
	KAFKA_ROW_OUTBOX = 1,
	KAFKA_ROW_PARTITION,
	KAFKA_ROW_XID,
	KAFKA_ROW_ID,
	KAFKA_ROW_CREATED,
	KAFKA_ROW_TS,
	KAFKA_ROW_RESTORED_XID,
	KAFKA_ROW_PARTITIONER,
	KAFKA_ROW_TOPIC,
	KAFKA_ROW_KEY,
	KAFKA_ROW_VALUE,
	KAFKA_ROW_HEADERS
};

/* Transactions, as ranges of their ids. */
typedef struct KafkaXidRanges
{
	int			n;
	uint64	   *from;			/* inclusive */
	uint64	   *to;				/* exclusive */
} KafkaXidRanges;

typedef struct KafkaRowScan KafkaRowScan;

/* Does the outbox have rows of these transactions? */
extern bool kafka_rows_exist(int32 outbox, const KafkaXidRanges *ranges);

/* Those with an id above `after`.  palloc'd; ended by kafka_rows_end, or by an error. */
extern KafkaRowScan *kafka_rows_begin(int32 outbox, const KafkaXidRanges *ranges, int64 after);

/* The next one, or NULL at the end; its columns hold until the next call. */
extern TupleTableSlot *kafka_rows_next(KafkaRowScan *scan);

/* Is this one of those that have been found so far? */
extern bool kafka_rows_have(const KafkaRowScan *scan, int64 id);

/* The highest id that has been found so far, `after` where there is none. */
extern int64 kafka_rows_highest(const KafkaRowScan *scan, int64 after);

extern void kafka_rows_end(KafkaRowScan *scan);

#endif							/* KAFKA_OUTBOX_ROWS_H */
