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

/*
 * json_strict.c: raises 22P02 unless the document has just the members that the columns stand
 * for.  make palloc's; json is in the database's encoding.
 */
typedef struct KafkaJsonStrict KafkaJsonStrict;
extern KafkaJsonStrict *kafka_json_strict_make(KafkaFieldSet *set);
extern void kafka_json_strict_check(KafkaJsonStrict *strict, char *json, int len);

#endif							/* KAFKA_FORMAT_JSON_H */
