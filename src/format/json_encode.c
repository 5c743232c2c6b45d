/*-------------------------------------------------------------------------
 *
 * json_encode.c
 *	  The format "json", writing: one object per message.
 *
 * Layer 2.  Every column becomes a member, null ones too, in column order and nested as
 * the columns' paths say.  Values are written as row_to_json() would: numbers and booleans
 * bare, json as it is, dates in ISO form, everything else as a string; so are arrays and
 * composites that would not come back from JSON as they were (json_shape.h).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "format/json.h"
#include "format/json_path.h"
#include "format/json_shape.h"
#include "ground/compat.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

typedef enum JsonKind
{
	KIND_STRING,				/* the output function's text in quotes */
	KIND_NUMBER,				/* bare, unless it is NaN or infinite */
	KIND_BOOL,
	KIND_JSON,					/* as it is */
	KIND_DATETIME,
	KIND_ARRAY,
	KIND_COMPOSITE
} JsonKind;

typedef struct JsonEncoder
{
	KafkaFieldSet *set;
	KafkaJsonNode *root;
	JsonKind   *kinds;			/* by field */
	KafkaJsonShape **shapes;	/* by field; NULL: neither array nor composite */
	Oid		   *bases;			/* base types of the fields */
	StringInfoData text;		/* reused; in the database's encoding */
} JsonEncoder;

static JsonKind
kind_of(Oid base)
{
	switch (base)
	{
		case BOOLOID:
			return KIND_BOOL;
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return KIND_NUMBER;
		case JSONOID:
		case JSONBOID:
			return KIND_JSON;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return KIND_DATETIME;
		default:
			if (kafka_json_is_array(base))
				return KIND_ARRAY;
			return type_is_rowtype(base) ? KIND_COMPOSITE : KIND_STRING;
	}
}

/*
 * An element can be read by its index, but not be written alone; a member and a part of it
 * can both be read, but would be written twice.
 */
static void
check_writable(const KafkaFieldSet *set, const KafkaJsonNode *node)
{
	for (const KafkaJsonNode *child = node->children; child; child = child->next)
	{
		if (child->name == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot write to a table with an array index in a column's path"),
					 errhint("Use a second foreign table for writing, with the whole array as "
							 "a column.")));
		check_writable(set, child);
	}
	if (node->field >= 0 && node->children)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to a table with columns for a JSON value and for a part "
						"of it"),
				 errdetail("Column \"%s\" is the whole of another column.",
						   set->fields[node->field].name),
				 errhint("Use a second foreign table for writing.")));
}

void *
kafka_json_begin_encode(KafkaFieldSet *set)
{
	JsonEncoder *encoder = palloc0(sizeof(JsonEncoder));

	encoder->set = set;
	encoder->root = kafka_json_tree(set, false);
	check_writable(set, encoder->root);
	encoder->kinds = palloc(sizeof(JsonKind) * Max(set->nfields, 1));
	encoder->shapes = palloc0(sizeof(KafkaJsonShape *) * Max(set->nfields, 1));
	encoder->bases = palloc(sizeof(Oid) * Max(set->nfields, 1));
	for (int i = 0; i < set->nfields; i++)
	{
		encoder->bases[i] = getBaseType(set->fields[i].type);
		encoder->kinds[i] = kind_of(encoder->bases[i]);
		if (encoder->kinds[i] == KIND_ARRAY || encoder->kinds[i] == KIND_COMPOSITE)
			encoder->shapes[i] = kafka_json_shape_make(encoder->bases[i]);
	}
	initStringInfo(&encoder->text);
	return encoder;
}

static void
append_value(JsonEncoder *encoder, int i, Datum value)
{
	KafkaField *field = &encoder->set->fields[i];
	StringInfo	out = &encoder->text;
	char		buffer[MAXDATELEN + 1];
	JsonKind	kind = encoder->kinds[i];
	char	   *output;

	if (encoder->shapes[i] && !kafka_json_shape_fits(encoder->shapes[i], value))
		kind = KIND_STRING;
	switch (kind)
	{
		case KIND_BOOL:
			appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
			return;
		case KIND_NUMBER:
			output = OutputFunctionCall(&field->output, value);
			if (strpbrk(output, "NI"))	/* NaN, Infinity: no numbers in JSON */
				escape_json(out, output);
			else
				appendStringInfoString(out, output);
			return;
		case KIND_JSON:
			appendStringInfoString(out, OutputFunctionCall(&field->output, value));
			return;
		case KIND_DATETIME:
			JsonEncodeDateTime(buffer, value, encoder->bases[i], NULL);
			appendStringInfo(out, "\"%s\"", buffer);
			return;
		case KIND_ARRAY:
			appendStringInfoString(out, TextDatumGetCString(DirectFunctionCall1(array_to_json,
																				 value)));
			return;
		case KIND_COMPOSITE:
			appendStringInfoString(out, TextDatumGetCString(DirectFunctionCall1(row_to_json,
																				 value)));
			return;
		case KIND_STRING:
			escape_json(out, OutputFunctionCall(&field->output, value));
			return;
	}
}

static void
append_object(JsonEncoder *encoder, const KafkaJsonNode *node, Datum *values, bool *nulls)
{
	StringInfo	out = &encoder->text;

	appendStringInfoChar(out, '{');
	for (const KafkaJsonNode *child = node->children; child; child = child->next)
	{
		if (child != node->children)
			appendStringInfoChar(out, ',');
		escape_json(out, child->name);
		appendStringInfoChar(out, ':');
		if (child->children)
			append_object(encoder, child, values, nulls);
		else if (nulls[child->field])
			appendStringInfoString(out, "null");
		else
			append_value(encoder, child->field, values[child->field]);
	}
	appendStringInfoChar(out, '}');
}

void
kafka_json_encode(void *state, Datum *values, bool *nulls, StringInfo out)
{
	JsonEncoder *encoder = (JsonEncoder *) state;

	resetStringInfo(&encoder->text);
	/* a column with path '$' is the whole document */
	if (encoder->root->field >= 0 && !nulls[encoder->root->field])
		append_value(encoder, encoder->root->field, values[encoder->root->field]);
	else
		append_object(encoder, encoder->root, values, nulls);
	kafka_text_encode(encoder->text.data, encoder->text.len, encoder->set->encoding, out);
}
