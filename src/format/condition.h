/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  What a WHERE clause says about partition, offset and timestamp.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CONDITION_H
#define KAFKA_CONDITION_H

#include "postgres.h"

#include "format/range.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

/* Which columns of a relation have the metas; InvalidAttrNumber where none has. */
typedef struct KafkaConditionColumns
{
	Index		varno;
	AttrNumber	attnum[KAFKA_DIMENSIONS];
} KafkaConditionColumns;

typedef struct KafkaCondition KafkaCondition;

extern KafkaConditionColumns kafka_condition_columns(Relation rel, Index varno);

/*
 * quals: expressions that are ANDed (not RestrictInfos).  With a parent (the executor) values
 * that are no constants are prepared for evaluation; with NULL (the planner) they are
 * unknown, and may hold columns of other relations.
 */
extern KafkaCondition *kafka_condition_compile(List *quals, const KafkaConditionColumns *columns,
											   PlanState *parent);

/*
 * The messages that can satisfy it, with the values as they are now; a superset.  econtext:
 * NULL for the planner; then what is unknown does not narrow the result.
 */
extern KafkaBoxes kafka_condition_boxes(const KafkaCondition *condition, ExprContext *econtext);

/* True if a value in it is no constant: the ranges are known when the scan starts. */
extern bool kafka_condition_has_unknown(const KafkaCondition *condition);

/* True if the boxes hold nothing that the condition does not allow. */
extern bool kafka_condition_is_exact(const KafkaCondition *condition);

/* True if it says anything at all about one of the columns. */
extern bool kafka_condition_is_useful(const KafkaCondition *condition);

/*
 * For the planner: which fraction of a topic with so many partitions of so many offsets each
 * is left by the unknown values, or (constants) by constants too, because nothing is known
 * of the topic's bounds.
 */
extern double kafka_condition_guess(const KafkaCondition *condition, double npartitions,
									double offsets, bool constants);

#endif							/* KAFKA_CONDITION_H */
