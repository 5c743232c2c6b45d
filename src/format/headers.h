/*-------------------------------------------------------------------------
 *
 * headers.h
 *	  Message headers as SQL values.
 *
 * Layer 2.  kafka.header[] is exact.  jsonb comes in two forms: an object, one member per
 * name, values as text, a list where a name repeats; or a list of objects with "name" and
 * "value", which keeps the order between names too.  In both a value that is not text is
 * {"hex": "..."} and Kafka's null is null.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_HEADERS_H
#define KAFKA_HEADERS_H

#include "postgres.h"

#include "ground/message.h"

/* True for kafka.header[]. */
extern bool kafka_is_header_array(Oid type);

/* NULL where there are no headers is the caller's choice; these give empty values. */
extern Datum kafka_headers_to_array(const KafkaMessage *msg, Oid array_type);
extern Datum kafka_headers_to_object(const KafkaMessage *msg);
extern Datum kafka_headers_to_list(const KafkaMessage *msg);

/*
 * Fill msg->headers, palloc'd in the current context.  Raise 22023 for what is no header
 * (no name, an object without "hex", ...).
 */
extern void kafka_headers_from_array(Datum array, KafkaMessage *msg);
extern void kafka_headers_from_jsonb(Datum jsonb, KafkaMessage *msg);

#endif							/* KAFKA_HEADERS_H */
