/*-------------------------------------------------------------------------
 *
 * serialize.c
 *	  kafka.serialize_* and kafka.deserialize_*: what Kafka's serializers write, as bytea.
 *
 * Layer 3.  For messages whose value or key a format of a table does not make: parts of a
 * bytea, arguments of kafka.produce, headers.  The bytes come from where the formats of these
 * names have them (src/format/primitive.c, text.c).  All are strict: Kafka's serializers, too,
 * give null for null.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "format/format.h"
#include "format/primitive.h"
#include "ground/options.h"
#include "mb/pg_wchar.h"
#include "sql/common.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* ------------------------------------------------------------------------
 * Text, JSON, bytes
 * ------------------------------------------------------------------------
 */
static Datum
bytea_datum(KafkaBytes bytes)
{
	return PointerGetDatum(cstring_to_text_with_len(bytes.data, (int) bytes.len));
}

static KafkaBytes
data_argument(FunctionCallInfo fcinfo)
{
	return kafka_sql_bytes(fcinfo, 0, BYTEAOID);
}

PG_FUNCTION_INFO_V1(kafka_serialize_string);

/* Serves type json as well, which is the text that was put in. */
Datum
kafka_serialize_string(PG_FUNCTION_ARGS)
{
	return bytea_datum(kafka_sql_bytes(fcinfo, 0, TEXTOID));
}

PG_FUNCTION_INFO_V1(kafka_serialize_jsonb);

Datum
kafka_serialize_jsonb(PG_FUNCTION_ARGS)
{
	return bytea_datum(kafka_sql_bytes(fcinfo, 0, JSONBOID));
}

PG_FUNCTION_INFO_V1(kafka_serialize_json_text);

/* Text that must be a JSON document.  Without this one a literal would fit json and jsonb. */
Datum
kafka_serialize_json_text(PG_FUNCTION_ARGS)
{
	char	   *document = text_to_cstring(PG_GETARG_TEXT_PP(0));

	(void) DirectFunctionCall1(json_in, CStringGetDatum(document));
	return bytea_datum(kafka_sql_bytes(fcinfo, 0, TEXTOID));
}

PG_FUNCTION_INFO_V1(kafka_serialize_bytes);

/* Both ways. */
Datum
kafka_serialize_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_string);

Datum
kafka_deserialize_string(PG_FUNCTION_ARGS)
{
	return CStringGetTextDatum(kafka_text_decode(data_argument(fcinfo), PG_UTF8));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_json);

Datum
kafka_deserialize_json(PG_FUNCTION_ARGS)
{
	char	   *text = kafka_text_decode(data_argument(fcinfo), PG_UTF8);

	return DirectFunctionCall1(json_in, CStringGetDatum(text));
}

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */
static Datum
number_datum(int format, uint64 bits)
{
	StringInfoData out;

	initStringInfo(&out);
	kafka_primitive_write(bits, kafka_primitive_length(format), &out);
	return bytea_datum((KafkaBytes) {out.data, out.len});
}

/* The argument, which must have the length of that format. */
static KafkaBytes
sized_argument(FunctionCallInfo fcinfo, int format)
{
	KafkaBytes	bytes = data_argument(fcinfo);
	int			length = kafka_primitive_length(format);

	if (bytes.len != (size_t) length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a serialized %s has %d bytes, but the data has %zu",
						kafka_format_get(format)->name, length, bytes.len)));
	return bytes;
}

static uint64
number_argument(FunctionCallInfo fcinfo, int format)
{
	return kafka_primitive_read(sized_argument(fcinfo, format));
}

PG_FUNCTION_INFO_V1(kafka_serialize_short);

/* Takes an integer, because a literal is one and would not be cast to smallint. */
Datum
kafka_serialize_short(PG_FUNCTION_ARGS)
{
	int32		value = PG_GETARG_INT32(0);

	if (value < PG_INT16_MIN || value > PG_INT16_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %d is out of range for a serialized short", value)));
	return number_datum(KAFKA_FORMAT_SHORT, (uint64) (int64) value);
}

PG_FUNCTION_INFO_V1(kafka_serialize_integer);

Datum
kafka_serialize_integer(PG_FUNCTION_ARGS)
{
	return number_datum(KAFKA_FORMAT_INTEGER, (uint64) (int64) PG_GETARG_INT32(0));
}

PG_FUNCTION_INFO_V1(kafka_serialize_long);

Datum
kafka_serialize_long(PG_FUNCTION_ARGS)
{
	return number_datum(KAFKA_FORMAT_LONG, (uint64) PG_GETARG_INT64(0));
}

PG_FUNCTION_INFO_V1(kafka_serialize_float);

Datum
kafka_serialize_float(PG_FUNCTION_ARGS)
{
	return number_datum(KAFKA_FORMAT_FLOAT, kafka_primitive_float_bits(PG_GETARG_FLOAT4(0)));
}

PG_FUNCTION_INFO_V1(kafka_serialize_double);

Datum
kafka_serialize_double(PG_FUNCTION_ARGS)
{
	return number_datum(KAFKA_FORMAT_DOUBLE, kafka_primitive_double_bits(PG_GETARG_FLOAT8(0)));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_short);

Datum
kafka_deserialize_short(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT16((int16) number_argument(fcinfo, KAFKA_FORMAT_SHORT));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_integer);

Datum
kafka_deserialize_integer(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) number_argument(fcinfo, KAFKA_FORMAT_INTEGER));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_long);

Datum
kafka_deserialize_long(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) number_argument(fcinfo, KAFKA_FORMAT_LONG));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_float);

Datum
kafka_deserialize_float(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT4(kafka_primitive_float((uint32) number_argument(fcinfo,
																	KAFKA_FORMAT_FLOAT)));
}

PG_FUNCTION_INFO_V1(kafka_deserialize_double);

Datum
kafka_deserialize_double(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(kafka_primitive_double(number_argument(fcinfo, KAFKA_FORMAT_DOUBLE)));
}

/* ------------------------------------------------------------------------
 * UUIDs
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_serialize_uuid);

Datum
kafka_serialize_uuid(PG_FUNCTION_ARGS)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)));

	return bytea_datum((KafkaBytes) {text, KAFKA_UUID_TEXT_LEN});
}

PG_FUNCTION_INFO_V1(kafka_deserialize_uuid);

Datum
kafka_deserialize_uuid(PG_FUNCTION_ARGS)
{
	char		text[KAFKA_UUID_TEXT_LEN + 1];

	if (!kafka_primitive_uuid_text(sized_argument(fcinfo, KAFKA_FORMAT_UUID), text))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("data is not a UUID in text form")));
	return DirectFunctionCall1(uuid_in, CStringGetDatum(text));
}
