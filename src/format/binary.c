/*-------------------------------------------------------------------------
 *
 * binary.c
 *	  The formats "integer", "short", "long", "float", "double" and "uuid".
 *
 * Layer 2.  Byte for byte what Kafka's serializers of these names write (primitive.c).  A
 * single column holds the value; it may be wider than the format, and then what the format
 * cannot hold is refused when it is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "format/format.h"
#include "format/primitive.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/uuid.h"

/* What differs between the formats. */
typedef struct Shape
{
	Oid			types[3];		/* base types of a column, InvalidOid behind the last */
	const char *expected;		/* the same in words */
} Shape;

static Shape
shape_of(int format)
{
	switch (format)
	{
		case KAFKA_FORMAT_SHORT:
			return (Shape) {{INT2OID, INT4OID, INT8OID}, "smallint, integer or bigint"};
		case KAFKA_FORMAT_INTEGER:
			return (Shape) {{INT4OID, INT8OID}, "integer or bigint"};
		case KAFKA_FORMAT_LONG:
			return (Shape) {{INT8OID}, "bigint"};
		case KAFKA_FORMAT_FLOAT:
			return (Shape) {{FLOAT4OID, FLOAT8OID}, "real or double precision"};
		case KAFKA_FORMAT_DOUBLE:
			return (Shape) {{FLOAT8OID}, "double precision"};
		case KAFKA_FORMAT_UUID:
			return (Shape) {{UUIDOID, TEXTOID, VARCHAROID}, "uuid or text"};
		default:
			elog(ERROR, "format %d is not binary", format);
	}
}

static void *
begin_binary(KafkaFieldSet *set)
{
	Shape		shape = shape_of(set->format);

	kafka_field_check_single(set);
	for (int i = 0; set->nfields > 0 && i < (int) lengthof(shape.types); i++)
		if (shape.types[i] == set->fields[0].base)
			return set;
	if (set->nfields > 0)
		kafka_field_reject_type(set, &set->fields[0], shape.expected);
	return set;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
static void
check_length(const KafkaFieldSet *set, KafkaBytes bytes)
{
	int			length = kafka_primitive_length(set->format);

	if (bytes.len != (size_t) length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("format \"%s\" has %d bytes, but the message's %s has %zu",
						kafka_format_get(set->format)->name, length,
						set->is_key ? "key" : "value", bytes.len)));
}

static Datum
integer_datum(int64 value, Oid type)
{
	if (type == INT8OID)
		return Int64GetDatum(value);
	return type == INT4OID ? Int32GetDatum((int32) value) : Int16GetDatum((int16) value);
}

static Datum
float_datum(uint32 bits, Oid type)
{
	float4		value = kafka_primitive_float(bits);

	return type == FLOAT4OID ? Float4GetDatum(value) : Float8GetDatum((float8) value);
}

static Datum
uuid_datum(KafkaFieldSet *set, KafkaField *field, KafkaBytes bytes)
{
	char		text[KAFKA_UUID_TEXT_LEN + 1];

	if (!kafka_primitive_uuid_text(bytes, text))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("message is not a UUID in text form")));
	if (field->base == UUIDOID)
		return kafka_field_checked(set, field,
								   DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
	return kafka_field_input(set, field, text);
}

static Datum
number_datum(int format, uint64 bits, Oid type)
{
	switch (format)
	{
		case KAFKA_FORMAT_SHORT:
			return integer_datum((int16) bits, type);
		case KAFKA_FORMAT_INTEGER:
			return integer_datum((int32) bits, type);
		case KAFKA_FORMAT_FLOAT:
			return float_datum((uint32) bits, type);
		case KAFKA_FORMAT_DOUBLE:
			return Float8GetDatum(kafka_primitive_double(bits));
		default:
			return integer_datum((int64) bits, type);
	}
}

static void
decode_binary(void *state, KafkaBytes bytes, Datum *values, bool *nulls)
{
	KafkaFieldSet *set = (KafkaFieldSet *) state;
	KafkaField *field = set->fields;

	if (set->nfields == 0 || !field->needed)
		return;
	set->current = field;
	check_length(set, bytes);
	if (set->format == KAFKA_FORMAT_UUID)
		values[0] = uuid_datum(set, field, bytes);
	else
		values[0] = kafka_field_checked(set, field,
										number_datum(set->format,
													 kafka_primitive_read(bytes),
													 field->base));
	set->current = NULL;
	nulls[0] = false;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
throw_range(const KafkaFieldSet *set)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value of column \"%s\" is out of range for %s \"%s\"", set->fields[0].name,
					set->is_key ? "key_format" : "format",
					kafka_format_get(set->format)->name)));
}

static uint64
integer_bits(const KafkaFieldSet *set, Datum value, int64 min, int64 max)
{
	Oid			type = set->fields[0].base;
	int64		number = type == INT8OID ? DatumGetInt64(value) :
		type == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);

	if (number < min || number > max)
		throw_range(set);
	return (uint64) number;
}

static uint64
float_bits(const KafkaFieldSet *set, Datum value)
{
	float8		wide = set->fields[0].base == FLOAT8OID ? DatumGetFloat8(value) :
		DatumGetFloat4(value);
	float4		narrow = (float4) wide;

	if ((isinf(narrow) && !isinf(wide)) || (narrow == 0 && wide != 0))
		throw_range(set);
	return kafka_primitive_float_bits(narrow);
}

static uint64
number_bits(const KafkaFieldSet *set, Datum value)
{
	switch (set->format)
	{
		case KAFKA_FORMAT_SHORT:
			return integer_bits(set, value, PG_INT16_MIN, PG_INT16_MAX);
		case KAFKA_FORMAT_INTEGER:
			return integer_bits(set, value, PG_INT32_MIN, PG_INT32_MAX);
		case KAFKA_FORMAT_FLOAT:
			return float_bits(set, value);
		case KAFKA_FORMAT_DOUBLE:
			return kafka_primitive_double_bits(DatumGetFloat8(value));
		default:
			return integer_bits(set, value, PG_INT64_MIN, PG_INT64_MAX);
	}
}

static void
encode_binary(void *state, Datum *values, bool *nulls, StringInfo out)
{
	KafkaFieldSet *set = (KafkaFieldSet *) state;
	int			length = kafka_primitive_length(set->format);

	kafka_primitive_write(number_bits(set, values[0]), length, out);
}

/* A text column may hold any spelling of a UUID; the message has Kafka's. */
static void
encode_uuid(void *state, Datum *values, bool *nulls, StringInfo out)
{
	KafkaFieldSet *set = (KafkaFieldSet *) state;
	KafkaField *field = &set->fields[0];
	char	   *text = OutputFunctionCall(&field->output, values[0]);

	if (field->base != UUIDOID)
		text = DatumGetCString(DirectFunctionCall1(uuid_out,
												   DirectFunctionCall1(uuid_in,
																	   CStringGetDatum(text))));
	appendBinaryStringInfo(out, text, KAFKA_UUID_TEXT_LEN);
}

#define BINARY_FORMAT(name, encode) \
	const KafkaFormat kafka_format_##name = { \
		#name, begin_binary, decode_binary, begin_binary, encode \
	}

BINARY_FORMAT(integer, encode_binary);
BINARY_FORMAT(short, encode_binary);
BINARY_FORMAT(long, encode_binary);
BINARY_FORMAT(float, encode_binary);
BINARY_FORMAT(double, encode_binary);
BINARY_FORMAT(uuid, encode_uuid);
