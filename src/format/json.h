/*-------------------------------------------------------------------------
 *
 * json.h
 *	  The two halves of the format "json".
 *
 * Layer 2, private to src/format.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_FORMAT_JSON_H
#define KAFKA_FORMAT_JSON_H

#include "postgres.h"

#include "format/format.h"

/* json_decode.c */
extern void *kafka_json_begin_decode(KafkaFieldSet *set);
extern void kafka_json_decode(void *state, KafkaBytes bytes, Datum *values, bool *nulls);

/* json_encode.c */
extern void *kafka_json_begin_encode(KafkaFieldSet *set);
extern void kafka_json_encode(void *state, Datum *values, bool *nulls, StringInfo out);

#endif							/* KAFKA_FORMAT_JSON_H */
