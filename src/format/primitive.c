/*-------------------------------------------------------------------------
 *
 * primitive.c
 *	  Kafka's serializers of numbers and UUIDs: bytes and back.
 *
 * Layer 2.  Byte for byte what Kafka's Java serializers write: numbers are big-endian and
 * have a fixed length, a UUID is its text.  Used by the formats of these names (binary.c)
 * and by the functions kafka.serialize_* and kafka.deserialize_* (src/sql/serialize.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "format/primitive.h"
#include "ground/options.h"
#include "port/pg_bswap.h"

int
kafka_primitive_length(int format)
{
	switch (format)
	{
		case KAFKA_FORMAT_SHORT:
			return 2;
		case KAFKA_FORMAT_INTEGER:
		case KAFKA_FORMAT_FLOAT:
			return 4;
		case KAFKA_FORMAT_LONG:
		case KAFKA_FORMAT_DOUBLE:
			return 8;
		case KAFKA_FORMAT_UUID:
			return KAFKA_UUID_TEXT_LEN;
		default:
			elog(ERROR, "format %d has no fixed length", format);
	}
}

uint64
kafka_primitive_read(KafkaBytes bytes)
{
	uint64		result = 0;

	for (size_t i = 0; i < bytes.len; i++)
		result = (result << 8) | (unsigned char) bytes.data[i];
	return result;
}

void
kafka_primitive_write(uint64 bits, int length, StringInfo out)
{
	uint64		ordered = pg_hton64(bits);

	appendBinaryStringInfo(out, (char *) &ordered + sizeof(ordered) - length, length);
}

float4
kafka_primitive_float(uint32 bits)
{
	float4		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

uint32
kafka_primitive_float_bits(float4 value)
{
	uint32		bits;

	if (isnan(value))
		return 0x7fc00000;
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

float8
kafka_primitive_double(uint64 bits)
{
	float8		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

uint64
kafka_primitive_double_bits(float8 value)
{
	uint64		bits;

	if (isnan(value))
		return UINT64CONST(0x7ff8000000000000);
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

bool
kafka_primitive_uuid_text(KafkaBytes bytes, char text[KAFKA_UUID_TEXT_LEN + 1])
{
	if (bytes.len != KAFKA_UUID_TEXT_LEN)
		return false;
	for (int i = 0; i < KAFKA_UUID_TEXT_LEN; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? bytes.data[i] != '-' : !isxdigit((unsigned char) bytes.data[i]))
			return false;
		text[i] = bytes.data[i];
	}
	text[KAFKA_UUID_TEXT_LEN] = '\0';
	return true;
}
