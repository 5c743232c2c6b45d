/*-------------------------------------------------------------------------
 *
 * range.h
 *	  Unions of boxes (partitions x offsets x times), and the offset ranges they come to.
 *
 * Layer 2.  A union stands for the messages that may satisfy a WHERE clause.  It may be
 * wider than the clause, which the executor checks again for every row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_RANGE_H
#define KAFKA_RANGE_H

#include "postgres.h"

#include "client/consumer.h"
#include "client/topic.h"

/* Both bounds inclusive. */
typedef struct KafkaInterval
{
	int64		low;
	int64		high;
} KafkaInterval;

extern const KafkaInterval kafka_everything;

typedef enum KafkaDimension
{
	KAFKA_BY_PARTITION,
	KAFKA_BY_OFFSET,
	KAFKA_BY_TIME				/* ms since 1970 */
} KafkaDimension;

#define KAFKA_DIMENSIONS (KAFKA_BY_TIME + 1)

typedef struct KafkaBox
{
	KafkaInterval side[KAFKA_DIMENSIONS];
} KafkaBox;

/* A union of boxes, which may overlap; none at all means that no message is in it. */
typedef struct KafkaBoxes
{
	int			n;
	int			max;			/* there is room for */
	KafkaBox   *boxes;
} KafkaBoxes;

/* All palloc'd; the functions that combine two use them up. */
extern KafkaBoxes kafka_boxes_none(void);
extern KafkaBoxes kafka_boxes_all(void);
extern KafkaBoxes kafka_boxes_slice(KafkaDimension dimension, int64 low, int64 high);
extern KafkaBoxes kafka_boxes_intersect(KafkaBoxes a, KafkaBoxes b);
extern KafkaBoxes kafka_boxes_unite(KafkaBoxes a, KafkaBoxes b);

/*
 * The ranges to read of each partition, cut to what is there.  Sorted by partition and
 * offset, disjoint; palloc'd.  Times are not looked at: see kafka_range_times.
 */
extern KafkaRange *kafka_range_resolve(const KafkaBoxes *boxes, const KafkaBounds *bounds,
									   int *nranges);

/* How many offsets that is. */
extern int64 kafka_range_count(const KafkaRange *ranges, int nranges);

/* The times between which all boxes of the partition lie; low > high if there is none. */
extern KafkaInterval kafka_range_times(const KafkaBoxes *boxes, int32 partition);

/* For EXPLAIN: "all", "none", or intervals as "0, 2 to 5, from 8"; palloc'd. */
extern char *kafka_range_describe(const KafkaBoxes *boxes, KafkaDimension dimension);

#endif							/* KAFKA_RANGE_H */
