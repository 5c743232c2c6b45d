/*-------------------------------------------------------------------------
 *
 * json_decode.c
 *	  The format "json", reading: one pass of PostgreSQL's own parser.
 *
 * Layer 2.  The parser's callbacks walk the tree of wanted places (json_path.h) beside
 * the document and note, for each column, where its value starts and ends and, for a
 * string, its unescaped text.  Values are converted after the pass: so of repeated names
 * the last one wins, and what no column asks for is never converted.  Numbers are the
 * document's own digits: nothing passes through floating point.
 *
 * A document without a backslash has no escapes, so its strings and names are used where
 * they stand ("plain"), and the parser is spared making a copy of each of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "format/json.h"
#include "format/json_path.h"
#include "format/json_shape.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonfuncs.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* Where the value of a field was found. */
typedef struct FoundValue
{
	const char *start;			/* NULL: not in the document */
	int			len;
	JsonTokenType token;		/* what it begins with */
	char	   *string;			/* a string's text without quotes and escapes; NULL if plain */
} FoundValue;

/* One level of nesting that the parser is in. */
typedef struct Level
{
	KafkaJsonNode *node;		/* NULL: nothing in here is wanted */
	KafkaJsonNode *member;		/* of the member or element in work */
	const char *start;			/* of its value */
	JsonTokenType token;
	char	   *string;
	int			element;		/* index of the array element in work */
} Level;

/* An array or composite type that json_populate_record() fills. */
typedef struct ComplexType
{
	FmgrInfo	populate;
	HeapTuple	empty;			/* a row of one null column of the type */
	TupleDesc	desc;
} ComplexType;

typedef struct JsonDecoder
{
	KafkaFieldSet *set;
	KafkaJsonNode *root;
	KafkaJsonStrict *strict;	/* NULL: other members may stand in the document */
	FoundValue *found;			/* by field */
	ComplexType **complex;		/* by field; NULL: neither array nor composite */
	bool	   *is_json;		/* by field: its type is json or jsonb, or a domain over it */
	JsonSemAction actions;
	JsonSemAction plain_actions;	/* without on_scalar: the parser need not copy it */
	bool		plain;			/* the document has no escapes */
	JsonLexContext *lex;
	Level	   *levels;
	int			max_levels;
	int			depth;			/* of the level in work; 0 is the document itself */
	bool		is_object;		/* the document */
	bool		wants_members;	/* some column is a member of it */
} JsonDecoder;

/* ------------------------------------------------------------------------
 * The parser's callbacks
 * ------------------------------------------------------------------------
 */
static void
enter(JsonDecoder *decoder)
{
	KafkaJsonNode *node = decoder->levels[decoder->depth].member;

	if (++decoder->depth >= decoder->max_levels)
	{
		decoder->max_levels *= 2;
		decoder->levels = repalloc(decoder->levels, decoder->max_levels * sizeof(Level));
	}
	decoder->levels[decoder->depth].node = node && node->children ? node : NULL;
	decoder->levels[decoder->depth].member = NULL;
	decoder->levels[decoder->depth].element = -1;
}

/* Of a repeated member the last one counts, with all that is in it. */
static void
forget_found(JsonDecoder *decoder, const KafkaJsonNode *node)
{
	for (const KafkaJsonNode *child = node->children; child; child = child->next)
	{
		if (child->field >= 0)
			decoder->found[child->field].start = NULL;
		forget_found(decoder, child);
	}
}

static void
begin_value(JsonDecoder *decoder, KafkaJsonNode *member)
{
	Level	   *level = &decoder->levels[decoder->depth];

	level->member = member;
	level->string = NULL;
	if (member)
	{
		forget_found(decoder, member);
		level->start = decoder->lex->token_start;
		level->token = decoder->lex->token_type;
	}
}

static void
end_value(JsonDecoder *decoder)
{
	Level	   *level = &decoder->levels[decoder->depth];
	FoundValue *found;

	if (level->member == NULL || level->member->field < 0)
		return;
	found = &decoder->found[level->member->field];
	found->start = level->start;
	found->len = (int) (decoder->lex->prev_token_terminator - level->start);
	found->token = level->token;
	found->string = level->string;
	level->member = NULL;
}

static KafkaJsonResult
on_object_start(void *state)
{
	JsonDecoder *decoder = (JsonDecoder *) state;

	if (decoder->depth == 0)
		decoder->is_object = true;
	enter(decoder);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_array_start(void *state)
{
	enter((JsonDecoder *) state);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_end(void *state)
{
	((JsonDecoder *) state)->depth--;
	KAFKA_JSON_RETURN_OK;
}

/*
 * The member whose value begins, in a plain document.  The parser stands behind the colon
 * and gives no name; it is what is between the two quotes before the colon.
 */
static KafkaJsonNode *
plain_member(JsonDecoder *decoder, KafkaJsonNode *node)
{
	const char *end = decoder->lex->prev_token_terminator;
	const char *start;

	while (*--end != '"')
		;
	start = end;
	while (start[-1] != '"')
		start--;
	return kafka_json_member(node, start, (int) (end - start));
}

static KafkaJsonResult
on_field_start(void *state, char *name, bool isnull)
{
	JsonDecoder *decoder = (JsonDecoder *) state;
	KafkaJsonNode *node = decoder->levels[decoder->depth].node;

	if (node)
		node = decoder->plain ? plain_member(decoder, node) :
			kafka_json_member(node, name, (int) strlen(name));
	begin_value(decoder, node);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_element_start(void *state, bool isnull)
{
	JsonDecoder *decoder = (JsonDecoder *) state;
	Level	   *level = &decoder->levels[decoder->depth];

	level->element++;
	begin_value(decoder, level->node ? kafka_json_element(level->node, level->element) : NULL);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_field_end(void *state, char *name, bool isnull)
{
	end_value((JsonDecoder *) state);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_element_end(void *state, bool isnull)
{
	end_value((JsonDecoder *) state);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_scalar(void *state, char *token, JsonTokenType type)
{
	JsonDecoder *decoder = (JsonDecoder *) state;
	Level	   *level = &decoder->levels[decoder->depth];

	if (level->member && type == JSON_TOKEN_STRING)
		level->string = token;
	if (decoder->depth == 0)
		level->token = type;	/* the document is a scalar */
	KAFKA_JSON_RETURN_OK;
}

/* ------------------------------------------------------------------------
 * Arrays and composites
 *
 * json_populate_record() knows how to fill any type from JSON.  It wants a row, so the
 * column's type is wrapped in a row type of one column "v".
 * ------------------------------------------------------------------------
 */
static bool
is_complex(Oid type)
{
	Oid			base = getBaseType(type);

	return kafka_json_is_array(base) || type_is_rowtype(base);
}

static ComplexType *
make_complex(const KafkaField *field)
{
	ComplexType *complex = palloc0(sizeof(ComplexType));
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	Datum		value = (Datum) 0;
	bool		isnull = true;
	Node	   *expr;

	TupleDescInitEntry(desc, 1, "v", field->type, field->typmod, 0);
	KAFKA_TUPLE_DESC_FINISH(desc);
	complex->desc = BlessTupleDesc(desc);
	complex->empty = heap_form_tuple(complex->desc, &value, &isnull);
	fmgr_info(F_JSON_POPULATE_RECORD, &complex->populate);
	/* the function looks up its argument's type in the expression it is called from */
	expr = (Node *) makeFuncExpr(F_JSON_POPULATE_RECORD, RECORDOID,
								 list_make3(makeNullConst(RECORDOID, -1, InvalidOid),
											makeNullConst(JSONOID, -1, InvalidOid),
											makeBoolConst(false, false)),
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	fmgr_info_set_expr(expr, &complex->populate);
	return complex;
}

static Datum
decode_complex(ComplexType *complex, const FoundValue *found, bool *isnull)
{
	StringInfoData json;
	Datum		row;
	HeapTupleHeader header;
	HeapTupleData tuple;
	Datum		value;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"v\":");
	appendBinaryStringInfo(&json, found->start, found->len);
	appendStringInfoChar(&json, '}');
	row = FunctionCall3(&complex->populate,
						HeapTupleGetDatum(heap_copytuple(complex->empty)),
						CStringGetTextDatum(json.data), BoolGetDatum(false));
	header = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, complex->desc, &value, isnull);
	return value;
}

/* ------------------------------------------------------------------------
 * The format's calls
 * ------------------------------------------------------------------------
 */
void *
kafka_json_begin_decode(KafkaFieldSet *set)
{
	JsonDecoder *decoder = palloc0(sizeof(JsonDecoder));

	decoder->set = set;
	decoder->root = kafka_json_tree(set, true);
	if (set->opts->strict)
		decoder->strict = kafka_json_strict_make(set);
	for (const KafkaJsonNode *child = decoder->root->children; child; child = child->next)
		decoder->wants_members |= child->name != NULL;
	decoder->found = palloc0(sizeof(FoundValue) * Max(set->nfields, 1));
	decoder->complex = palloc0(sizeof(ComplexType *) * Max(set->nfields, 1));
	decoder->is_json = palloc0(sizeof(bool) * Max(set->nfields, 1));
	for (int i = 0; i < set->nfields; i++)
	{
		decoder->is_json[i] = kafka_is_json_type(getBaseType(set->fields[i].type));
		if (set->fields[i].needed && is_complex(set->fields[i].type))
			decoder->complex[i] = make_complex(&set->fields[i]);
	}
	decoder->max_levels = 16;
	decoder->levels = palloc0(sizeof(Level) * decoder->max_levels);
	decoder->actions.semstate = decoder;
	decoder->actions.object_start = on_object_start;
	decoder->actions.object_end = on_end;
	decoder->actions.array_start = on_array_start;
	decoder->actions.array_end = on_end;
	decoder->actions.object_field_start = on_field_start;
	decoder->actions.object_field_end = on_field_end;
	decoder->actions.array_element_start = on_element_start;
	decoder->actions.array_element_end = on_element_end;
	decoder->plain_actions = decoder->actions;
	decoder->actions.scalar = on_scalar;
	return decoder;
}

/* What the document itself is, for a column with path '$'. */
static void
find_document(JsonDecoder *decoder, const char *json, int len)
{
	FoundValue *found = &decoder->found[decoder->root->field];

	found->start = json;
	found->len = len;
	found->token = decoder->levels[0].token;
	found->string = decoder->levels[0].string;
}

static void
parse_document(JsonDecoder *decoder, char *json, int len)
{
	memset(decoder->found, 0, sizeof(FoundValue) * decoder->set->nfields);
	decoder->depth = 0;
	decoder->is_object = false;
	decoder->levels[0].member = decoder->root;
	decoder->levels[0].string = NULL;
	decoder->levels[0].start = json;
	decoder->levels[0].token = JSON_TOKEN_OBJECT_START;
	/* a column for the document wants to know what kind of scalar it is, if it is one */
	decoder->plain = decoder->root->field < 0 && memchr(json, '\\', len) == NULL;
	decoder->lex = KAFKA_JSON_LEXER(json, len, !decoder->plain);
	pg_parse_json_or_ereport(decoder->lex,
							 decoder->plain ? &decoder->plain_actions : &decoder->actions);
	if (decoder->root->field >= 0)
		find_document(decoder, json, len);
	KAFKA_JSON_LEXER_FREE(decoder->lex);
}

static Datum
convert_value(JsonDecoder *decoder, int i, bool *isnull)
{
	KafkaField *field = &decoder->set->fields[i];
	const FoundValue *found = &decoder->found[i];
	Datum		value;

	*isnull = false;
	if (decoder->is_json[i])
		return kafka_field_input_bytes(decoder->set, field, found->start, found->len);
	if (found->token == JSON_TOKEN_STRING)
		return decoder->plain ?
			kafka_field_input_bytes(decoder->set, field, found->start + 1, found->len - 2) :
			kafka_field_input_bytes(decoder->set, field, found->string,
									(int) strlen(found->string));
	if (decoder->complex[i] == NULL)
		return kafka_field_input_bytes(decoder->set, field, found->start, found->len);
	decoder->set->current = field;
	value = decode_complex(decoder->complex[i], found, isnull);
	decoder->set->current = NULL;
	return value;
}

void
kafka_json_decode(void *state, KafkaBytes bytes, Datum *values, bool *nulls)
{
	JsonDecoder *decoder = (JsonDecoder *) state;
	char	   *json = pg_any_to_server(bytes.data, (int) bytes.len, decoder->set->encoding);
	int			len = json == bytes.data ? (int) bytes.len : (int) strlen(json);

	parse_document(decoder, json, len);
	if (decoder->wants_members && !decoder->is_object)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("message is not a JSON object")));
	if (decoder->strict)
		kafka_json_strict_check(decoder->strict, json, len);
	for (int i = 0; i < decoder->set->nfields; i++)
	{
		const FoundValue *found = &decoder->found[i];

		if (found->start && found->token != JSON_TOKEN_NULL)
			values[i] = convert_value(decoder, i, &nulls[i]);
	}
}

const KafkaFormat kafka_format_json = {
	"json", kafka_json_begin_decode, kafka_json_decode,
	kafka_json_begin_encode, kafka_json_encode
};
