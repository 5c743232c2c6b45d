/*-------------------------------------------------------------------------
 *
 * primitive.h
 *	  Kafka's serializers of numbers and UUIDs: bytes and back.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PRIMITIVE_H
#define KAFKA_PRIMITIVE_H

#include "postgres.h"

#include "ground/message.h"
#include "lib/stringinfo.h"

#define KAFKA_UUID_TEXT_LEN 36

/* Length in bytes of what the serializer of that KafkaFormatId writes; only those six. */
extern int	kafka_primitive_length(int format);

/* At most 8 bytes as a big-endian number; and the last length bytes of one, appended. */
extern uint64 kafka_primitive_read(KafkaBytes bytes);
extern void kafka_primitive_write(uint64 bits, int length, StringInfo out);

/* Floating-point numbers and their bits, as Java has them: there is one NaN only. */
extern float4 kafka_primitive_float(uint32 bits);
extern uint32 kafka_primitive_float_bits(float4 value);
extern float8 kafka_primitive_double(uint64 bits);
extern uint64 kafka_primitive_double_bits(float8 value);

/*
 * A UUID from Kafka's form, its text of 36 characters, in either case; false for anything
 * else (uuid_in() would take more forms).  text is terminated.
 */
extern bool kafka_primitive_uuid_text(KafkaBytes bytes, char text[KAFKA_UUID_TEXT_LEN + 1]);

#endif							/* KAFKA_PRIMITIVE_H */
