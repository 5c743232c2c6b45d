/*-------------------------------------------------------------------------
 *
 * json_shape.h
 *	  Which arrays and composites come back from JSON as they were.
 *
 * Layer 2, private to src/format.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_JSON_SHAPE_H
#define KAFKA_JSON_SHAPE_H

#include "postgres.h"

/* What is to be known of a type, worked out once.  palloc'd. */
typedef struct KafkaJsonShape KafkaJsonShape;

extern KafkaJsonShape *kafka_json_shape_make(Oid type);

/*
 * Is the value the same after array_to_json() or row_to_json() and reading that?  If not,
 * the type's own text does.
 */
extern bool kafka_json_shape_fits(const KafkaJsonShape *shape, Datum value);

/*
 * Is the type written as a JSON array?  Not int2vector and oidvector: their indexes begin
 * at 0, and no array that is read from JSON does.
 */
extern bool kafka_json_is_array(Oid base);

#endif							/* KAFKA_JSON_SHAPE_H */
