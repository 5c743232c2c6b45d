/*-------------------------------------------------------------------------
 *
 * text.c
 *	  The formats "string" and "bytes", and text helpers that all formats share.
 *
 * Layer 2.  Both formats have a single column.  "string" is what Kafka's StringSerializer
 * writes: text in the message's encoding, UTF-8 unless the table says otherwise.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "format/format.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/guc.h"

char *
kafka_text_decode(KafkaBytes bytes, int encoding)
{
	char	   *converted = pg_any_to_server(bytes.data, (int) bytes.len, encoding);

	if (converted != bytes.data)
		return converted;
	return pnstrdup(bytes.data, bytes.len);
}

void
kafka_text_encode(const char *text, int len, int encoding, StringInfo out)
{
	char	   *converted = pg_server_to_any(text, len, encoding);

	if (converted == text)
		appendBinaryStringInfo(out, text, len);
	else
		appendStringInfoString(out, converted);
}

static void
set_for_now(const char *setting, const char *value)
{
	(void) set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
}

int
kafka_text_settings_begin(void)
{
	int			nestlevel;

	if (DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES &&
		extra_float_digits >= 1)
		return -1;
	nestlevel = NewGUCNestLevel();
	if (DateStyle != USE_ISO_DATES)
		set_for_now("datestyle", "ISO");
	if (IntervalStyle != INTSTYLE_POSTGRES)
		set_for_now("intervalstyle", "postgres");
	if (extra_float_digits < 1)
		set_for_now("extra_float_digits", "3");
	return nestlevel;
}

void
kafka_text_settings_end(int nestlevel)
{
	if (nestlevel >= 0)
		AtEOXact_GUC(true, nestlevel);
}

Datum
kafka_field_input(KafkaFieldSet *set, KafkaField *field, char *text)
{
	Datum		result;

	set->current = field;
	result = InputFunctionCall(&field->input, text, field->ioparam, field->typmod);
	set->current = NULL;
	return result;
}

bool
kafka_is_json_type(Oid type)
{
	return type == JSONOID || type == JSONBOID;
}

/* ------------------------------------------------------------------------
 * The formats
 * ------------------------------------------------------------------------
 */
static void *
begin_single(KafkaFieldSet *set)
{
	kafka_field_check_single(set);
	return set;
}

static void
decode_string(void *state, KafkaBytes bytes, Datum *values, bool *nulls)
{
	KafkaFieldSet *set = (KafkaFieldSet *) state;
	char	   *text;

	if (set->nfields == 0 || !set->fields[0].needed)
		return;
	set->current = &set->fields[0];
	text = pg_any_to_server(bytes.data, (int) bytes.len, set->encoding);
	values[0] = kafka_field_input_bytes(set, &set->fields[0], text,
										text == bytes.data ? (int) bytes.len : (int) strlen(text));
	set->current = NULL;
	nulls[0] = false;
}

static void
encode_string(void *state, Datum *values, bool *nulls, StringInfo out)
{
	KafkaFieldSet *set = (KafkaFieldSet *) state;
	char	   *text = OutputFunctionCall(&set->fields[0].output, values[0]);

	kafka_text_encode(text, strlen(text), set->encoding, out);
}

static void *
begin_bytes(KafkaFieldSet *set)
{
	(void) begin_single(set);
	if (set->nfields == 1 && set->fields[0].base != BYTEAOID)
		kafka_field_reject_type(set, &set->fields[0], "bytea");
	return set;
}

static void
decode_bytes(void *state, KafkaBytes bytes, Datum *values, bool *nulls)
{
	KafkaFieldSet *set = (KafkaFieldSet *) state;

	if (set->nfields == 0 || !set->fields[0].needed)
		return;
	values[0] = PointerGetDatum(cstring_to_text_with_len(bytes.data, (int) bytes.len));
	values[0] = kafka_field_checked(set, &set->fields[0], values[0]);
	nulls[0] = false;
}

static void
encode_bytes(void *state, Datum *values, bool *nulls, StringInfo out)
{
	bytea	   *data = DatumGetByteaPP(values[0]);

	appendBinaryStringInfo(out, VARDATA_ANY(data), (int) VARSIZE_ANY_EXHDR(data));
}

const KafkaFormat kafka_format_string = {
	"string", begin_single, decode_string, begin_single, encode_string
};

const KafkaFormat kafka_format_bytes = {
	"bytes", begin_bytes, decode_bytes, begin_bytes, encode_bytes
};

const KafkaFormat *
kafka_format_get(int id)
{
	switch ((KafkaFormatId) id)
	{
		case KAFKA_FORMAT_UNSET:
			break;
		case KAFKA_FORMAT_STRING:
			return &kafka_format_string;
		case KAFKA_FORMAT_BYTES:
			return &kafka_format_bytes;
		case KAFKA_FORMAT_JSON:
			return &kafka_format_json;
		case KAFKA_FORMAT_CSV:
			return &kafka_format_csv;
		case KAFKA_FORMAT_INTEGER:
			return &kafka_format_integer;
		case KAFKA_FORMAT_SHORT:
			return &kafka_format_short;
		case KAFKA_FORMAT_LONG:
			return &kafka_format_long;
		case KAFKA_FORMAT_FLOAT:
			return &kafka_format_float;
		case KAFKA_FORMAT_DOUBLE:
			return &kafka_format_double;
		case KAFKA_FORMAT_UUID:
			return &kafka_format_uuid;
	}
	elog(ERROR, "unknown format number %d", id);
}
