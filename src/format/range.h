/*-------------------------------------------------------------------------
 *
 * range.h
 *	  From a WHERE clause to the partitions and offsets that can satisfy it.
 *
 * Layer 2.  The result is always a superset: what is not understood does not narrow it,
 * and the executor checks every condition again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_RANGE_H
#define KAFKA_RANGE_H

#include "postgres.h"

#include "client/consumer.h"
#include "nodes/pg_list.h"

/* Both bounds inclusive. */
typedef struct KafkaInterval
{
	int64		low;
	int64		high;
} KafkaInterval;

/* A rectangle of partitions and offsets. */
typedef struct KafkaBox
{
	KafkaInterval partition;
	KafkaInterval offset;
} KafkaBox;

/* A union of boxes; none at all means that no message can satisfy the clause. */
typedef struct KafkaBoxes
{
	int			n;
	int			max;			/* there is room for */
	KafkaBox   *boxes;
} KafkaBoxes;

/*
 * quals: expressions that are ANDed (not RestrictInfos); varno: the scan's relation;
 * partition, offset: its columns with these metas, InvalidAttrNumber if it has none.
 */
extern KafkaBoxes kafka_range_from_quals(List *quals, Index varno, AttrNumber partition,
										 AttrNumber offset);

/*
 * The ranges to read of partitions 0 to npartitions - 1, each cut to what is there:
 * lows[p] to before ends[p].  Sorted by partition and offset, disjoint; palloc'd.
 */
extern KafkaRange *kafka_range_resolve(const KafkaBoxes *boxes, int32 npartitions,
									   const int64 *lows, const int64 *ends, int *nranges);

/* True if some message of the partition can satisfy the clause. */
extern bool kafka_range_has_partition(const KafkaBoxes *boxes, int32 partition);

/* For EXPLAIN: "all", or intervals as "0, 2..5"; palloc'd. */
extern char *kafka_range_describe_partitions(const KafkaBoxes *boxes);
extern char *kafka_range_describe_offsets(const KafkaBoxes *boxes);

#endif							/* KAFKA_RANGE_H */
