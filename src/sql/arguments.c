/*-------------------------------------------------------------------------
 *
 * arguments.c
 *	  Arguments of several values: lists of names, properties, offsets of partitions.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

void
kafka_sql_put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
kafka_sql_foreign_text(const char *text)
{
	int			len = (int) strlen(text);
	StringInfoData buf;

	if (pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
	{
		initStringInfo(&buf);
		while (len > 0)
		{
			int			good = pg_encoding_verifymbstr(PG_UTF8, text, len);

			appendBinaryStringInfo(&buf, text, good);
			text += good;
			len -= good;
			if (len-- > 0)
				appendStringInfo(&buf, "\\x%02x", (unsigned char) *text++);
		}
		text = buf.data;
		len = buf.len;
	}
	return CStringGetTextDatum(pg_any_to_server(text, len, PG_UTF8));
}

void
kafka_sql_set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text)
		values[column] = kafka_sql_foreign_text(text);
}

static void
require_argument(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL", name)));
}

/* ------------------------------------------------------------------------
 * Names
 * ------------------------------------------------------------------------
 */
char	  **
kafka_sql_names(FunctionCallInfo fcinfo, int argno, const char *argument, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	char	  **names;

	require_argument(fcinfo, argno, argument);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argno), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &n);
	names = palloc(sizeof(char *) * Max(n, 1));
	*count = 0;
	for (int i = 0; i < n; i++)
	{
		char	   *name;
		int			j = 0;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an element of argument \"%s\" is NULL", argument)));
		name = TextDatumGetCString(elements[i]);
		while (j < *count && strcmp(names[j], name) != 0)
			j++;
		if (j == *count)
			names[(*count)++] = name;
	}
	return names;
}

static char *
check_group(const char *group_id, const char *argument)
{
	if (group_id[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not %s", argument,
						strcmp(argument, "group_id") == 0 ? "be empty" : "have an empty id")));
	return pg_server_to_any(group_id, (int) strlen(group_id), PG_UTF8);
}

char *
kafka_sql_group(FunctionCallInfo fcinfo, int argno)
{
	return check_group(kafka_sql_text(fcinfo, argno, "group_id"), "group_id");
}

char	  **
kafka_sql_group_array(FunctionCallInfo fcinfo, int argno, int *count)
{
	char	  **group_ids = kafka_sql_names(fcinfo, argno, "group_ids", count);

	for (int i = 0; i < *count; i++)
		group_ids[i] = check_group(group_ids[i], "group_ids");
	return group_ids;
}

/* ------------------------------------------------------------------------
 * Properties
 * ------------------------------------------------------------------------
 */
static char *
scalar_text(const JsonbValue *value, const char *name, const char *argument)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("value of \"%s\" in argument \"%s\" must be a text, number or "
							"boolean", name, argument)));
	}
}

List *
kafka_sql_properties(Jsonb *config, const char *argument)
{
	JsonbIterator *it = JsonbIteratorInit(&config->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	KafkaProperty *property = NULL;
	List	   *result = NIL;

	if (!JB_ROOT_IS_OBJECT(config))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a JSON object", argument),
				 errhint("It looks like {\"retention.ms\": 3600000}.")));
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			property = palloc0(sizeof(KafkaProperty));
			property->name = pnstrdup(value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_VALUE)
		{
			property->value = scalar_text(&value, property->name, argument);
			result = lappend(result, property);
		}
	}
	return result;
}

/* ------------------------------------------------------------------------
 * Numbers of partitions and replicas, and where they are to be
 * ------------------------------------------------------------------------
 */
int
kafka_sql_count(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		return -1;
	if (PG_GETARG_INT32(argno) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be 1 or more", name),
				 errhint("NULL leaves it to the broker.")));
	return PG_GETARG_INT32(argno);
}

static KAFKA_NORETURN void
reject_assignment(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"replica_assignment\" must be a JSON list with a list of "
					"broker ids for each partition"),
			 errhint("It looks like [[1, 2], [2, 3]].")));
}

static int
broker_id(const JsonbValue *value)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
														   NumericGetDatum(value->val.numeric)));
	int			id;

	if (!parse_int(text, &id, 0, NULL) || strspn(text, "0123456789") != strlen(text))
		reject_assignment();
	return id;
}

List **
kafka_sql_assignment(Jsonb *assignment, int *partitions)
{
	JsonbIterator *it = JsonbIteratorInit(&assignment->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	List	  **result;
	int			depth = 0;
	int			n = 0;

	if (!JB_ROOT_IS_ARRAY(assignment) || JB_ROOT_IS_SCALAR(assignment) ||
		JB_ROOT_COUNT(assignment) == 0)
		reject_assignment();
	result = palloc0(sizeof(List *) * JB_ROOT_COUNT(assignment));
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY && ++depth > 2)
			reject_assignment();
		else if (token == WJB_END_ARRAY && --depth == 1)
			n++;
		else if (token == WJB_ELEM)
		{
			if (depth != 2 || value.type != jbvNumeric)
				reject_assignment();
			result[n] = lappend_int(result[n], broker_id(&value));
		}
		else if (token == WJB_BEGIN_OBJECT)
			reject_assignment();
	}
	*partitions = n;
	return result;
}

/* ------------------------------------------------------------------------
 * Offsets
 * ------------------------------------------------------------------------
 */
/* Fields of kafka.topic_partition. */
enum
{
	FIELD_TOPIC = 1,
	FIELD_PARTITION,
	FIELD_NEXT_OFFSET,
	FIELD_METADATA
};

static Datum
require_field(HeapTupleHeader row, int field, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByNum(row, (AttrNumber) field, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("field \"%s\" of argument \"offsets\" must not be NULL", name)));
	return value;
}

static void
fill_offset(Datum datum, KafkaGroupOffset *offset)
{
	HeapTupleHeader row = DatumGetHeapTupleHeader(datum);
	Datum		metadata;
	bool		isnull;

	offset->topic = TextDatumGetCString(require_field(row, FIELD_TOPIC, "topic"));
	offset->partition = DatumGetInt32(require_field(row, FIELD_PARTITION, "partition"));
	offset->offset = DatumGetInt64(require_field(row, FIELD_NEXT_OFFSET, "offset"));
	metadata = GetAttributeByNum(row, FIELD_METADATA, &isnull);
	offset->metadata = NULL;
	if (!isnull)
	{
		char	   *string = TextDatumGetCString(metadata);

		offset->metadata = pg_server_to_any(string, (int) strlen(string), PG_UTF8);
	}
}

static int
compare_offsets(const void *a, const void *b)
{
	const KafkaGroupOffset *left = (const KafkaGroupOffset *) a;
	const KafkaGroupOffset *right = (const KafkaGroupOffset *) b;
	int			order = strcmp(left->topic, right->topic);

	if (order != 0)
		return order;
	return (left->partition > right->partition) - (left->partition < right->partition);
}

static void
refuse_repeated(KafkaGroupOffset *offsets, int n)
{
	qsort(offsets, n, sizeof(KafkaGroupOffset), compare_offsets);
	for (int i = 1; i < n; i++)
		if (compare_offsets(&offsets[i - 1], &offsets[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("partition %d of topic \"%s\" is given twice",
							offsets[i].partition, offsets[i].topic)));
}

KafkaGroupOffset *
kafka_sql_offsets(FunctionCallInfo fcinfo, int argno, int *n)
{
	ArrayType  *array;
	Datum	   *elems;
	bool	   *nulls;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	KafkaGroupOffset *offsets;

	require_argument(fcinfo, argno, "offsets");
	array = PG_GETARG_ARRAYTYPE_P(argno);
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign, &elems, &nulls, n);
	offsets = palloc(sizeof(KafkaGroupOffset) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"offsets\" must not have NULL elements")));
		fill_offset(elems[i], &offsets[i]);
	}
	refuse_repeated(offsets, *n);
	return offsets;
}
