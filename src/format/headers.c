/*-------------------------------------------------------------------------
 *
 * headers.c
 *	  Message headers as SQL values.
 *
 * Layer 2.  See headers.h for the forms.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "format/headers.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

bool
kafka_is_header_array(Oid type)
{
	Oid			element = get_element_type(type);
	char	   *namespace;
	char	   *name;

	if (!OidIsValid(element) || get_typtype(element) != TYPTYPE_COMPOSITE)
		return false;
	name = format_type_extended(element, -1, FORMAT_TYPE_FORCE_QUALIFY);
	namespace = strchr(name, '.');
	return namespace && strcmp(name, "kafka.header") == 0;
}

/* ------------------------------------------------------------------------
 * Out
 * ------------------------------------------------------------------------
 */
Datum
kafka_headers_to_array(const KafkaMessage *msg, Oid array_type)
{
	Oid			element = get_element_type(array_type);
	TupleDesc	desc = lookup_rowtype_tupdesc(element, -1);
	Datum	   *elements = palloc(sizeof(Datum) * Max(msg->nheaders, 1));
	ArrayType  *array;

	for (int i = 0; i < msg->nheaders; i++)
	{
		const KafkaHeader *header = &msg->headers[i];
		KafkaBytes	name = {header->name, strlen(header->name)};
		Datum		values[2] = {0};
		bool		nulls[2] = {false, header->value.data == NULL};

		values[0] = CStringGetTextDatum(pg_any_to_server(name.data, (int) name.len, PG_UTF8));
		if (!nulls[1])
			values[1] = PointerGetDatum(cstring_to_text_with_len(header->value.data,
																 (int) header->value.len));
		elements[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	ReleaseTupleDesc(desc);
	array = construct_array(elements, msg->nheaders, element, -1, false, TYPALIGN_DOUBLE);
	return PointerGetDatum(array);
}

static void
append_json_value(StringInfo json, KafkaBytes value)
{
	if (value.data == NULL)
		appendStringInfoString(json, "null");
	else if (pg_verify_mbstr(PG_UTF8, value.data, (int) value.len, true))
	{
		char	   *text = pnstrdup(value.data, value.len);

		escape_json(json, pg_any_to_server(text, (int) value.len, PG_UTF8));
	}
	else
	{
		appendStringInfoString(json, "{\"hex\":\"");
		enlargeStringInfo(json, (int) value.len * 2 + 1);
		hex_encode(value.data, value.len, json->data + json->len);
		json->len += (int) value.len * 2;
		appendStringInfoString(json, "\"}");
	}
}

static void
append_json_name(StringInfo json, const char *name)
{
	escape_json(json, pg_any_to_server(name, (int) strlen(name), PG_UTF8));
}

static Datum
json_text_to_jsonb(const char *text)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

/* The values of one name, from its first place on: one, or a list. */
static void
append_values_of(StringInfo json, const KafkaMessage *msg, int first)
{
	int			count = 0;

	for (int i = first; i < msg->nheaders; i++)
		count += strcmp(msg->headers[i].name, msg->headers[first].name) == 0;
	if (count == 1)
	{
		append_json_value(json, msg->headers[first].value);
		return;
	}
	for (int i = first; i < msg->nheaders; i++)
	{
		if (strcmp(msg->headers[i].name, msg->headers[first].name) != 0)
			continue;
		appendStringInfoChar(json, i == first ? '[' : ',');
		append_json_value(json, msg->headers[i].value);
	}
	appendStringInfoChar(json, ']');
}

static bool
is_repeated(const KafkaMessage *msg, int i)
{
	for (int j = 0; j < i; j++)
		if (strcmp(msg->headers[j].name, msg->headers[i].name) == 0)
			return true;
	return false;
}

Datum
kafka_headers_to_object(const KafkaMessage *msg)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < msg->nheaders; i++)
	{
		if (is_repeated(msg, i))
			continue;
		if (i > 0)
			appendStringInfoChar(&json, ',');
		append_json_name(&json, msg->headers[i].name);
		appendStringInfoChar(&json, ':');
		append_values_of(&json, msg, i);
	}
	appendStringInfoChar(&json, '}');
	return json_text_to_jsonb(json.data);
}

Datum
kafka_headers_to_list(const KafkaMessage *msg)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < msg->nheaders; i++)
	{
		appendStringInfoString(&json, i > 0 ? ",{\"name\":" : "{\"name\":");
		append_json_name(&json, msg->headers[i].name);
		appendStringInfoString(&json, ",\"value\":");
		append_json_value(&json, msg->headers[i].value);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');
	return json_text_to_jsonb(json.data);
}

/* ------------------------------------------------------------------------
 * In
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
reject_headers(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid message headers: %s", why),
			 errhint("Headers are a JSON object of names and text values, a JSON list of "
					 "objects with \"name\" and \"value\", or kafka.header[].")));
}

/* The array grows by doubling; nheaders counts what is in it. */
static void
add_header(KafkaMessage *msg, const char *name, const char *value, size_t len)
{
	int			n = msg->nheaders;

	if (n == 0)
		msg->headers = palloc(sizeof(KafkaHeader) * 8);
	else if (n >= 8 && (n & (n - 1)) == 0)
		msg->headers = repalloc(msg->headers, sizeof(KafkaHeader) * n * 2);
	msg->headers[n].name = name;
	msg->headers[n].value.data = value;
	msg->headers[n].value.len = value ? len : 0;
	msg->nheaders++;
}

static char *
to_utf8(const char *text, int len)
{
	char	   *copy = pnstrdup(text, len);

	return pg_server_to_any(copy, len, PG_UTF8);
}

/* Not as a string: it may hold zero bytes. */
static char *
copy_bytes(const bytea *data)
{
	size_t		len = VARSIZE_ANY_EXHDR(data);

	return memcpy(palloc(len + 1), VARDATA_ANY(data), len);
}

void
kafka_headers_from_array(Datum array, KafkaMessage *msg)
{
	ArrayType  *headers = DatumGetArrayTypeP(array);
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	msg->nheaders = 0;
	deconstruct_array(headers, ARR_ELEMTYPE(headers), -1, false, TYPALIGN_DOUBLE,
					  &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		HeapTupleHeader row;
		Datum		name;
		Datum		value;
		bool		isnull;

		if (nulls[i])
			reject_headers("an element is NULL");
		row = DatumGetHeapTupleHeader(elements[i]);
		name = GetAttributeByNum(row, 1, &isnull);
		if (isnull)
			reject_headers("a name is NULL");
		value = GetAttributeByNum(row, 2, &isnull);
		if (isnull)
			add_header(msg, to_utf8(TextDatumGetCString(name),
									(int) strlen(TextDatumGetCString(name))), NULL, 0);
		else
		{
			bytea	   *data = DatumGetByteaPP(value);

			add_header(msg, to_utf8(TextDatumGetCString(name),
									(int) strlen(TextDatumGetCString(name))),
					   copy_bytes(data), VARSIZE_ANY_EXHDR(data));
		}
	}
}

/* {"hex": "00ff"} */
static void
add_hex_header(KafkaMessage *msg, const char *name, Jsonb *object)
{
	JsonbValue	key = {.type = jbvString, .val.string = {.len = 3, .val = "hex"}};
	JsonbValue *hex = findJsonbValueFromContainer(&object->root, JB_FOBJECT, &key);
	char	   *bytes;
	uint64		len;

	if (!JB_ROOT_IS_OBJECT(object))
		reject_headers("a value is nested");
	if (hex == NULL || hex->type != jbvString || JB_ROOT_COUNT(object) != 1)
		reject_headers("a value is an object without \"hex\"");
	if (hex->val.string.len % 2 != 0 ||
		strspn(pnstrdup(hex->val.string.val, hex->val.string.len), "0123456789abcdefABCDEF") !=
		(size_t) hex->val.string.len)
		reject_headers("\"hex\" holds no pairs of hexadecimal digits");
	bytes = palloc(hex->val.string.len + 1);
	len = hex_decode(hex->val.string.val, hex->val.string.len, bytes);
	add_header(msg, name, bytes, len);
}

static void
add_json_header(KafkaMessage *msg, const char *name, const JsonbValue *value)
{
	char	   *text;

	switch (value->type)
	{
		case jbvNull:
			add_header(msg, name, NULL, 0);
			return;
		case jbvString:
			text = to_utf8(value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
			break;
		case jbvBool:
			text = value->val.boolean ? "true" : "false";
			break;
		default:
			reject_headers("a value is nested");
	}
	add_header(msg, name, text, strlen(text));
}

/* A name with its value, or with a list of them. */
static void
add_member(KafkaMessage *msg, const char *name, JsonbValue *value)
{
	Jsonb	   *nested;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	element;

	if (value->type != jbvBinary)
	{
		add_json_header(msg, name, value);
		return;
	}
	nested = JsonbValueToJsonb(value);
	if (JB_ROOT_IS_OBJECT(nested))
	{
		add_hex_header(msg, name, nested);
		return;
	}
	it = JsonbIteratorInit(&nested->root);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (element.type == jbvBinary)
			add_hex_header(msg, name, JsonbValueToJsonb(&element));
		else
			add_json_header(msg, name, &element);
	}
}

/* {"name": ..., "value": ...} */
static void
add_list_entry(KafkaMessage *msg, JsonbValue *entry)
{
	JsonbValue	name_key = {.type = jbvString, .val.string = {.len = 4, .val = "name"}};
	JsonbValue	value_key = {.type = jbvString, .val.string = {.len = 5, .val = "value"}};
	JsonbValue	null_value = {.type = jbvNull};
	Jsonb	   *object;
	JsonbValue *name;
	JsonbValue *value;

	if (entry->type != jbvBinary)
		reject_headers("an element of the list is no object");
	object = JsonbValueToJsonb(entry);
	if (!JB_ROOT_IS_OBJECT(object))
		reject_headers("an element of the list is no object");
	name = findJsonbValueFromContainer(&object->root, JB_FOBJECT, &name_key);
	if (name == NULL || name->type != jbvString)
		reject_headers("an element of the list has no \"name\"");
	value = findJsonbValueFromContainer(&object->root, JB_FOBJECT, &value_key);
	if (JB_ROOT_COUNT(object) != (value ? 2 : 1))
		reject_headers("an element of the list has other members than \"name\" and \"value\"");
	add_member(msg, to_utf8(name->val.string.val, name->val.string.len),
			   value ? value : &null_value);
}

void
kafka_headers_from_jsonb(Datum jsonb, KafkaMessage *msg)
{
	Jsonb	   *headers = DatumGetJsonbP(jsonb);
	bool		is_object = JB_ROOT_IS_OBJECT(headers);
	JsonbIterator *it = JsonbIteratorInit(&headers->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	msg->nheaders = 0;
	if (JB_ROOT_IS_SCALAR(headers))
		reject_headers("a scalar");
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = to_utf8(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE && is_object)
			add_member(msg, name, &value);
		else if (token == WJB_ELEM && !is_object)
			add_list_entry(msg, &value);
	}
}
