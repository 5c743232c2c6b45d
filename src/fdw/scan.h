/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  What planning hands to execution, and the state of a scan.
 *
 * Layer 3, private to src/fdw.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SCAN_H
#define KAFKA_SCAN_H

#include "postgres.h"

#include "client/consumer.h"
#include "format/condition.h"
#include "format/row.h"
#include "ground/options.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

/*
 * The order in which a scan returns rows: +1 ascending, -1 descending, 0 none.  With a
 * partition order, offsets are ordered within each partition; without, over all of them.
 */
typedef struct KafkaScanOrder
{
	int			partition;
	int			offset;
} KafkaScanOrder;

/* The items of a plan's (and path's) fdw_private, all of them lists of integers. */
typedef enum KafkaScanItem
{
	KAFKA_SCAN_COLUMNS,			/* attribute numbers that are needed; in a plan only */
	KAFKA_SCAN_ORDER,			/* partition, offset */
	KAFKA_SCAN_LIMIT			/* rows that are likely to be asked for, 0: all */
} KafkaScanItem;

typedef struct KafkaSharedScan KafkaSharedScan;
typedef struct KafkaOrderedScan KafkaOrderedScan;

typedef struct KafkaScan
{
	KafkaOptions *opts;
	KafkaConditionColumns columns;
	KafkaCondition *condition;
	KafkaScanOrder order;
	int64		limit;			/* 0: none */
	KafkaRowReader *reader;

	/* of the run between two rescans; lives in run_context */
	bool		started;
	KafkaRange *ranges;			/* what is to be read, by partition and offset */
	int			nranges;
	int			npartitions;	/* of the topic */
	int			next_range;		/* the first one that no consumer was opened for */
	KafkaConsumer *consumer;	/* or NULL */
	KafkaOrderedScan *ordered;	/* or NULL */
	MemoryContext run_context;	/* reset at a rescan */
	MemoryContext consumer_context; /* reset closes the consumer */

	KafkaSharedScan *shared;	/* of a parallel scan, or NULL */

	/* for EXPLAIN ANALYZE */
	KafkaConsumerStats finished;	/* of consumers before the present one, and of workers */
	bool		resolved;		/* the following are known: of the last run */
	KafkaRange *shown_ranges;
	int			nshown;
} KafkaScan;

/* scan.c: the ranges that the conditions allow now, into the current context. */
extern KafkaRange *kafka_scan_resolve(KafkaScan *scan, ForeignScanState *node, int *nranges,
									  int *npartitions);

/* scan.c: opens a consumer for ranges, and closes the one there is. */
extern void kafka_scan_open(KafkaScan *scan, const KafkaRange *ranges, int nranges);
extern void kafka_scan_close(KafkaScan *scan);

/* parallel.c: the next unit of a parallel scan; false if there are no more. */
extern bool kafka_parallel_next(KafkaScan *scan, KafkaRange *range);

/* parallel.c: adds what was read to what all participants have. */
extern void kafka_parallel_report(KafkaScan *scan, const KafkaConsumerStats *stats);

/*
 * ordered.c: rows by offset over several partitions, or by falling offset.  Reads in chunks:
 * as much as is asked for and little more.
 */
extern KafkaOrderedScan *kafka_ordered_begin(KafkaScan *scan, ForeignScanState *node);
extern bool kafka_ordered_next(KafkaOrderedScan *ordered, TupleTableSlot *slot);

#endif							/* KAFKA_SCAN_H */
