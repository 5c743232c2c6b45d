/*-------------------------------------------------------------------------
 *
 * json_shape.c
 *	  Which arrays and composites come back from JSON as they were.
 *
 * Layer 2.  JSON has no room for some of what PostgreSQL's values hold: an index that does
 * not begin at 1, a JSON null beside an SQL NULL, an element that is an array itself beside
 * a second dimension, the spelling of a string of type json.  The writer (json_encode.c) asks here,
 * and writes such a value as a string with the type's own text, which the reader takes
 * too.  Most types need a look at the type only, plain arrays one at the lower bounds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "format/json_shape.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

typedef enum ShapeKind
{
	SHAPE_ALWAYS,				/* every value fits */
	SHAPE_NEVER,
	SHAPE_JSON,
	SHAPE_JSONB,
	SHAPE_ARRAY,
	SHAPE_COMPOSITE
} ShapeKind;

struct KafkaJsonShape
{
	ShapeKind	kind;
	KafkaJsonShape *element;	/* of an array */
	int16		typlen;			/* of the element's type, and so on */
	bool		typbyval;
	char		typalign;
	TupleDesc	desc;			/* of a composite */
	KafkaJsonShape **parts;		/* by attribute; NULL: dropped */
};

static bool part_fits(const KafkaJsonShape *shape, Datum value, bool in_array);

bool
kafka_json_is_array(Oid base)
{
	return base != INT2VECTOROID && base != OIDVECTOROID && type_is_array(base);
}

/* ------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------
 */

/* array_to_json() uses a type's own cast to json; who knows what that makes of it. */
static bool
has_json_cast(Oid base)
{
	Oid			function;

	return base >= FirstNormalObjectId &&
		find_coercion_pathway(JSONOID, base, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC;
}

static void
make_array(KafkaJsonShape *shape, Oid base)
{
	Oid			type = get_element_type(base);

	shape->kind = SHAPE_ARRAY;
	shape->element = kafka_json_shape_make(type);
	/* would be read as one more dimension */
	if (shape->element->kind == SHAPE_ARRAY)
		shape->element->kind = SHAPE_NEVER;
	get_typlenbyvalalign(type, &shape->typlen, &shape->typbyval, &shape->typalign);
}

static void
make_composite(KafkaJsonShape *shape, Oid base)
{
	shape->kind = SHAPE_ALWAYS;
	shape->desc = lookup_rowtype_tupdesc_copy(base, -1);
	shape->parts = palloc0(sizeof(KafkaJsonShape *) * Max(shape->desc->natts, 1));
	for (int i = 0; i < shape->desc->natts; i++)
	{
		if (TupleDescAttr(shape->desc, i)->attisdropped)
			continue;
		shape->parts[i] = kafka_json_shape_make(TupleDescAttr(shape->desc, i)->atttypid);
		if (shape->parts[i]->kind != SHAPE_ALWAYS)
			shape->kind = SHAPE_COMPOSITE;
	}
}

KafkaJsonShape *
kafka_json_shape_make(Oid type)
{
	KafkaJsonShape *shape = palloc0(sizeof(KafkaJsonShape));
	Oid			base = getBaseType(type);

	if (base == JSONOID)
		shape->kind = SHAPE_JSON;
	else if (base == JSONBOID)
		shape->kind = SHAPE_JSONB;
	else if (kafka_json_is_array(base))
		make_array(shape, base);
	else if (type_is_rowtype(base))
		make_composite(shape, base);
	else if (type_is_array(base) || has_json_cast(base))
		shape->kind = SHAPE_NEVER;
	else
		shape->kind = SHAPE_ALWAYS;
	return shape;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

/*
 * As a part of something a document is read as PostgreSQL's own functions do it: null is SQL's, a
 * string is written anew, space around it is lost.
 */
static bool
json_fits(Datum value, bool in_array)
{
	text	   *json = DatumGetTextPP(value);
	const char *data = VARDATA_ANY(json);
	int			len = (int) VARSIZE_ANY_EXHDR(json);

	if (isspace((unsigned char) data[0]) || isspace((unsigned char) data[len - 1]))
		return false;
	if (data[0] == '"')
		return memchr(data, '\\', len) == NULL;
	return data[0] != 'n' && !(in_array && data[0] == '[');
}

static bool
jsonb_fits(Datum value, bool in_array)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	JsonbValue	scalar;

	if (JB_ROOT_IS_SCALAR(jsonb))
		return !JsonbExtractScalar(&jsonb->root, &scalar) || scalar.type != jbvNull;
	return !(in_array && JB_ROOT_IS_ARRAY(jsonb));
}

static bool
array_fits(const KafkaJsonShape *shape, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	bool		fits = true;

	for (int i = 0; i < ARR_NDIM(array); i++)
		if (ARR_LBOUND(array)[i] != 1)
			return false;
	if (shape->element->kind == SHAPE_ALWAYS)
		return true;
	deconstruct_array(array, ARR_ELEMTYPE(array), shape->typlen, shape->typbyval,
					  shape->typalign, &elements, &nulls, &count);
	for (int i = 0; i < count && fits; i++)
		fits = nulls[i] || part_fits(shape->element, elements[i], true);
	return fits;
}

static bool
composite_fits(const KafkaJsonShape *shape, Datum value)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	HeapTupleData tuple = {0};
	Datum	   *values = palloc(sizeof(Datum) * shape->desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * shape->desc->natts);
	bool		fits = true;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_data = header;
	heap_deform_tuple(&tuple, shape->desc, values, nulls);
	for (int i = 0; i < shape->desc->natts && fits; i++)
		fits = nulls[i] || shape->parts[i] == NULL ||
			part_fits(shape->parts[i], values[i], false);
	return fits;
}

static bool
part_fits(const KafkaJsonShape *shape, Datum value, bool in_array)
{
	switch (shape->kind)
	{
		case SHAPE_ALWAYS:
			return true;
		case SHAPE_NEVER:
			return false;
		case SHAPE_JSON:
			return json_fits(value, in_array);
		case SHAPE_JSONB:
			return jsonb_fits(value, in_array);
		case SHAPE_ARRAY:
			return array_fits(shape, value);
		case SHAPE_COMPOSITE:
			return composite_fits(shape, value);
	}
	return false;
}

bool
kafka_json_shape_fits(const KafkaJsonShape *shape, Datum value)
{
	return part_fits(shape, value, false);
}
