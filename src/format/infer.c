/*-------------------------------------------------------------------------
 *
 * infer.c
 *	  From the bytes of some messages to the columns of a foreign table for their topic.
 *
 * Layer 2.  Used by IMPORT FOREIGN SCHEMA and kafka.infer_columns().  For each member of
 * the JSON objects, or field of the CSV records, a set of kinds is collected over all
 * messages; in the end the set gives the narrowest type that holds all of them.  The types are chosen so that messages not
 * seen yet rarely break them: no integer is narrower than bigint, and only text that is a
 * complete point in time in all samples is a timestamp.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "format/csv.h"
#include "format/infer.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

/* A document with more members than this is rather a map than a row. */
#define MAX_MEMBERS 1000
/* Deeper nesting is not taken for JSON: the parser would raise where the stack ends. */
#define MAX_NESTING 500

/* What a JSON value is; bits.  A null is none of them. */
#define KIND_BOOLEAN 1
#define KIND_INTEGER 2			/* fits bigint */
#define KIND_NUMBER 4			/* any other number */
#define KIND_TIMESTAMP 8		/* a string: date, time and zone */
#define KIND_STRING 16			/* any other string */
#define KIND_ARRAY 32
#define KIND_OBJECT 64

/* A member of the documents, or a field of the records. */
typedef struct Member
{
	char	   *name;			/* NULL for a field */
	int			kinds;
	int			elements;		/* kinds of its elements, where it is an array */
	int64		present;		/* documents in which it is not null */
	int64		last_present;	/* number of the last one of them */
} Member;

struct KafkaInference
{
	const KafkaOptions *opts;
	int			format;
	MemoryContext context;		/* of this struct and the members */
	MemoryContext scratch;		/* of the message in work */

	int64		messages;
	int64		values;			/* messages that are no tombstones */
	int64		texts;			/* values that are text */
	int64		objects;		/* values that are what the format wants: JSON objects, ... */
	int64		keys;
	int64		text_keys;
	int64		without_headers;

	Member	  **members;		/* in the order they were met */
	int			nmembers;
	bool		too_wide;

	/* the parser's place in the document in work */
	int			depth;
	Member	   *member;			/* whose value is read; NULL: none that counts */
	bool		in_array;		/* that value is an array */
	int			next;			/* member to try first: documents repeat their order */
};

/* Formats whose values have a fixed length, and the type that holds them. */
static const struct
{
	KafkaFormatId format;
	size_t		length;
	const char *type;
}			fixed_formats[] = {
	{KAFKA_FORMAT_INTEGER, 4, "integer"},
	{KAFKA_FORMAT_SHORT, 2, "smallint"},
	{KAFKA_FORMAT_LONG, 8, "bigint"},
	{KAFKA_FORMAT_FLOAT, 4, "real"},
	{KAFKA_FORMAT_DOUBLE, 8, "double precision"},
	{KAFKA_FORMAT_UUID, 36, "uuid"},
};

/* ------------------------------------------------------------------------
 * Kinds of values
 * ------------------------------------------------------------------------
 */

/* The bytes as the database's text, palloc'd; NULL if they are none.  Never raises. */
static char *
text_of(KafkaBytes bytes)
{
	Oid			proc;
	size_t		size;
	char	   *result;

	if (!pg_verify_mbstr(PG_UTF8, bytes.data, (int) bytes.len, true))
		return NULL;
	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return pnstrdup(bytes.data, bytes.len);
	proc = FindDefaultConversionProc(PG_UTF8, GetDatabaseEncoding());
	size = bytes.len * MAX_CONVERSION_GROWTH + 1;
	if (!OidIsValid(proc) || !AllocSizeIsValid(size))
		return NULL;
	result = palloc(size);
	if (pg_do_encoding_conversion_buf(proc, PG_UTF8, GetDatabaseEncoding(),
									  (unsigned char *) bytes.data, (int) bytes.len,
									  (unsigned char *) result, (int) size, true) != (int) bytes.len)
		return NULL;
	return result;
}

static int
number_kind(const char *digits)
{
	if (strspn(digits, "-0123456789") != strlen(digits))
		return KIND_NUMBER;
	errno = 0;
	(void) strtoll(digits, NULL, 10);
	return errno == 0 ? KIND_INTEGER : KIND_NUMBER;
}

/* Moves *text over the pattern, in which 0 stands for any digit; false where it differs. */
static bool
skip_pattern(const char **text, const char *pattern)
{
	const char *c = *text;

	for (; *pattern; pattern++, c++)
		if (*pattern == '0' ? !(*c >= '0' && *c <= '9') : *c != *pattern)
			return false;
	*text = c;
	return true;
}

static bool
is_calendar_date(int year, int month, int day)
{
	return year >= 1 && month >= 1 && month <= MONTHS_PER_YEAR && day >= 1 &&
		day <= day_tab[isleap(year)][month - 1];
}

/*
 * ISO 8601 with date, time and zone, as 2024-02-29T12:30:00.25+01:00.  No more digits than
 * a timestamptz keeps.
 */
static bool
is_timestamp(const char *text)
{
	const char *c = text;
	int			zone;

	if (!skip_pattern(&c, "0000-00-00T00:00:00") ||
		!is_calendar_date(atoi(text), atoi(text + 5), atoi(text + 8)) ||
		atoi(text + 11) >= HOURS_PER_DAY || atoi(text + 14) >= MINS_PER_HOUR ||
		atoi(text + 17) >= SECS_PER_MINUTE)
		return false;
	if (*c == '.')
	{
		size_t		digits = strspn(++c, "0123456789");

		if (digits < 1 || digits > MAX_TIMESTAMP_PRECISION)
			return false;
		c += digits;
	}
	if (strcmp(c, "Z") == 0)
		return true;
	zone = atoi(c + (*c != '\0'));
	if (!skip_pattern(&c, *c == '-' ? "-00:00" : "+00:00") || *c != '\0')
		return false;
	return zone <= 14 && atoi(c - 2) < MINS_PER_HOUR;
}

/* What the text of a CSV field looks like. */
static int
text_kind(const char *text)
{
	if (IsValidJsonNumber(text, (int) strlen(text)))
		return number_kind(text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return KIND_BOOLEAN;
	return is_timestamp(text) ? KIND_TIMESTAMP : KIND_STRING;
}

static int
scalar_kind(const char *token, JsonTokenType type)
{
	switch (type)
	{
		case JSON_TOKEN_STRING:
			return is_timestamp(token) ? KIND_TIMESTAMP : KIND_STRING;
		case JSON_TOKEN_NUMBER:
			return number_kind(token);
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			return KIND_BOOLEAN;
		default:
			return 0;
	}
}

/* The narrowest type that holds all kinds of a set. */
static const struct
{
	int			kinds;
	const char *type;
	const char *array;
}			types[] = {
	{KIND_BOOLEAN, "boolean", "boolean[]"},
	{KIND_INTEGER, "bigint", "bigint[]"},
	{KIND_INTEGER | KIND_NUMBER, "numeric", "numeric[]"},
	{KIND_TIMESTAMP, "timestamp with time zone", "timestamp with time zone[]"},
	{KIND_TIMESTAMP | KIND_STRING, "text", "text[]"},
};

/*
 * Anything mixed is jsonb, which keeps the differences, in CSV text; of nulls nothing is
 * known: text.
 */
static const char *
type_of(const Member *member)
{
	bool		is_array = member->kinds == KIND_ARRAY;
	int			kinds = is_array ? member->elements : member->kinds;

	if (member->kinds == 0)
		return "text";
	for (int i = 0; kinds != 0 && i < (int) lengthof(types); i++)
		if ((kinds & ~types[i].kinds) == 0)
			return is_array ? types[i].array : types[i].type;
	return member->name ? "jsonb" : "text";
}

/* ------------------------------------------------------------------------
 * The parser's callbacks
 * ------------------------------------------------------------------------
 */
static Member *
add_member(KafkaInference *inference, const char *name)
{
	MemoryContext old = MemoryContextSwitchTo(inference->context);
	Member	   *member = palloc0(sizeof(Member));

	if (name)
		member->name = pstrdup(name);
	MemoryContextSwitchTo(old);
	inference->members[inference->nmembers++] = member;
	return member;
}

static Member *
find_member(KafkaInference *inference, const char *name)
{
	for (int i = 0; i < inference->nmembers; i++)
	{
		int			at = (inference->next + i) % inference->nmembers;

		if (strcmp(inference->members[at]->name, name) != 0)
			continue;
		inference->next = at + 1;
		return inference->members[at];
	}
	if (inference->nmembers == MAX_MEMBERS)
	{
		inference->too_wide = true;
		return NULL;
	}
	inference->next = inference->nmembers + 1;
	return add_member(inference, name);
}

/* A value begins, or is a scalar, at the present depth. */
static void
note_kind(KafkaInference *inference, int kind)
{
	Member	   *member = inference->member;

	if (member == NULL || kind == 0)
		return;
	if (inference->depth == 2 && inference->in_array)
		member->elements |= kind;
	if (inference->depth != 1)
		return;
	member->kinds |= kind;
	if (member->last_present != inference->objects)
		member->present++;
	member->last_present = inference->objects;
	inference->in_array = kind == KIND_ARRAY;
}

static KafkaJsonResult
on_field_start(void *state, char *name, bool isnull)
{
	KafkaInference *inference = (KafkaInference *) state;

	if (inference->depth == 1)
	{
		inference->member = find_member(inference, name);
		inference->in_array = false;
	}
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_object_start(void *state)
{
	KafkaInference *inference = (KafkaInference *) state;

	note_kind(inference, KIND_OBJECT);
	inference->depth++;
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_array_start(void *state)
{
	KafkaInference *inference = (KafkaInference *) state;

	note_kind(inference, KIND_ARRAY);
	inference->depth++;
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_end(void *state)
{
	((KafkaInference *) state)->depth--;
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_scalar(void *state, char *token, JsonTokenType type)
{
	note_kind((KafkaInference *) state, scalar_kind(token, type));
	KAFKA_JSON_RETURN_OK;
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */
static bool
is_too_deep(const char *json)
{
	int			depth = 0;
	bool		in_string = false;

	for (const char *c = json; *c; c++)
	{
		if (in_string && *c == '\\' && c[1])
			c++;
		else if (*c == '"')
			in_string = !in_string;
		else if (!in_string && (*c == '{' || *c == '['))
		{
			if (++depth > MAX_NESTING)
				return true;
		}
		else if (!in_string && (*c == '}' || *c == ']'))
			depth--;
	}
	return false;
}

static bool
parse(char *json, JsonSemAction *actions)
{
	JsonLexContext *lex = KAFKA_JSON_LEXER(json, (int) strlen(json), true);
	bool		result = pg_parse_json(lex, actions) == JSON_SUCCESS;

	KAFKA_JSON_LEXER_FREE(lex);
	return result;
}

/* Parsed twice: what stands before a syntax error must not count. */
static void
add_document(KafkaInference *inference, char *json)
{
	JsonSemAction nothing = {0};
	JsonSemAction actions = {
		.semstate = inference,
		.object_start = on_object_start,
		.object_end = on_end,
		.array_start = on_array_start,
		.array_end = on_end,
		.object_field_start = on_field_start,
		.scalar = on_scalar,
	};

	if (json[strspn(json, " \t\r\n")] != '{' || is_too_deep(json) || !parse(json, &nothing))
		return;
	inference->objects++;
	inference->depth = 0;
	inference->member = NULL;
	inference->next = 0;
	if (!inference->too_wide)
		(void) parse(json, &actions);
}

static void
on_csv_field(void *arg, int index, const char *text)
{
	KafkaInference *inference = (KafkaInference *) arg;

	if (index == inference->nmembers)
		(void) add_member(inference, NULL);
	inference->depth = 1;
	inference->member = inference->members[index];
	if (text)
		note_kind(inference, text_kind(text));
}

/* Taken apart twice, as a document is. */
static void
add_record(KafkaInference *inference, const char *text)
{
	int			fields = kafka_csv_split(inference->opts, text, NULL, NULL);

	if (fields < 0 || fields > MAX_MEMBERS)
		return;
	inference->objects++;
	(void) kafka_csv_split(inference->opts, text, on_csv_field, inference);
}

static void
add_value(KafkaInference *inference, KafkaBytes value)
{
	char	   *text = text_of(value);

	inference->values++;
	for (int i = 0; i < (int) lengthof(fixed_formats); i++)
		if ((int) fixed_formats[i].format == inference->format &&
			fixed_formats[i].length == value.len)
			inference->objects++;
	if (text == NULL)
		return;
	inference->texts++;
	if (inference->format == KAFKA_FORMAT_UNSET || inference->format == KAFKA_FORMAT_JSON)
		add_document(inference, text);
	else if (inference->format == KAFKA_FORMAT_CSV)
		add_record(inference, text);
}

KafkaInference *
kafka_infer_begin(const KafkaOptions *opts, int format)
{
	KafkaInference *inference = palloc0(sizeof(KafkaInference));

	inference->opts = opts;
	inference->format = format;
	inference->context = CurrentMemoryContext;
	inference->scratch = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw inference",
											   ALLOCSET_DEFAULT_SIZES);
	inference->members = palloc(sizeof(Member *) * MAX_MEMBERS);
	return inference;
}

void
kafka_infer_add(KafkaInference *inference, const KafkaMessage *msg)
{
	MemoryContext old = MemoryContextSwitchTo(inference->scratch);

	inference->messages++;
	if (msg->nheaders == 0)
		inference->without_headers++;
	if (msg->key.data)
	{
		inference->keys++;
		if (text_of(msg->key))
			inference->text_keys++;
	}
	if (msg->value.data)
		add_value(inference, msg->value);
	MemoryContextSwitchTo(old);
	MemoryContextReset(inference->scratch);
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */
static bool
is_taken(List *columns, const char *name)
{
	ListCell   *lc;

	/* a foreign table may not have a column "xmin" and the like either */
	if (SystemAttributeByName(name) != NULL)
		return true;
	foreach(lc, columns)
		if (strcmp(((KafkaInferredColumn *) lfirst(lc))->name, name) == 0)
			return true;
	return false;
}

/* The name as a column can have it: cut to PostgreSQL's length, with a number if taken. */
static char *
make_name(List *columns, const char *wanted)
{
	const char *base = wanted[0] ? wanted : "_";
	char	   *name = pnstrdup(base, pg_mbcliplen(base, (int) strlen(base), NAMEDATALEN - 1));

	for (int n = 2; is_taken(columns, name); n++)
	{
		char	   *suffix = psprintf("_%d", n);
		int			room = NAMEDATALEN - 1 - (int) strlen(suffix);

		name = psprintf("%.*s%s", pg_mbcliplen(base, (int) strlen(base), room), base, suffix);
	}
	return name;
}

static KafkaInferredColumn *
add_column(KafkaInferred *result, const char *name, const char *type, int64 samples, int64 nulls)
{
	KafkaInferredColumn *column = palloc0(sizeof(KafkaInferredColumn));

	column->name = make_name(result->columns, name);
	column->type = type;
	column->samples = samples;
	column->nulls = nulls;
	result->columns = lappend(result->columns, column);
	return column;
}

static void
add_members(KafkaInferred *result, const KafkaInference *inference)
{
	for (int i = 0; i < inference->nmembers; i++)
	{
		const Member *member = inference->members[i];
		const char *name = member->name ? member->name : psprintf("column_%d", i + 1);
		KafkaInferredColumn *column = add_column(result, name, type_of(member),
												 inference->objects,
												 inference->objects - member->present);

		if (member->name == NULL || strcmp(column->name, member->name) == 0)
			continue;
		column->option = "json";
		column->option_value = pstrdup(member->name);
	}
}

/* A document that no columns stand for is one column. */
static void
add_whole(KafkaInferred *result)
{
	KafkaInferredColumn *column = add_column(result, "value", "jsonb", result->values, 0);

	column->option = "path";
	column->option_value = "$";
}

/* The underscore keeps them apart from the members that most documents have. */
static void
add_metadata(KafkaInferred *result, const KafkaInference *inference)
{
	int64		n = inference->messages;
	const struct
	{
		const char *name;
		const char *type;
		const char *meta;
		int64		nulls;
	}			metas[] = {
		{"_key", inference->text_keys == inference->keys ? "text" : "bytea", "key",
		n - inference->keys},
		{"_partition", "integer", "partition", 0},
		{"_offset", "bigint", "offset", 0},
		{"_timestamp", "timestamp with time zone", "timestamp", 0},
		{"_headers", "jsonb", "headers", inference->without_headers},
	};

	for (int i = 0; i < (int) lengthof(metas); i++)
	{
		KafkaInferredColumn *column = add_column(result, metas[i].name, metas[i].type, n,
												 metas[i].nulls);

		column->option = "meta";
		column->option_value = metas[i].meta;
	}
}

static int
find_format(const KafkaInference *inference)
{
	if (inference->format != KAFKA_FORMAT_UNSET)
		return inference->format;
	if (inference->values > 0 && inference->objects == inference->values)
		return KAFKA_FORMAT_JSON;
	return inference->texts == inference->values ? KAFKA_FORMAT_STRING : KAFKA_FORMAT_BYTES;
}

/* "value" for the formats that have a single column. */
static void
add_single(KafkaInferred *result, const KafkaInference *inference)
{
	const char *type = result->format == KAFKA_FORMAT_BYTES ? "bytea" : "text";

	if (result->format == KAFKA_FORMAT_STRING)
		result->misfits = inference->values - inference->texts;
	for (int i = 0; i < (int) lengthof(fixed_formats); i++)
	{
		if ((int) fixed_formats[i].format != result->format)
			continue;
		type = fixed_formats[i].type;
		result->misfits = inference->values - inference->objects;
	}
	(void) add_column(result, "value", type, inference->values, 0);
}

KafkaInferred *
kafka_infer_end(KafkaInference *inference, bool metadata)
{
	KafkaInferred *result = palloc0(sizeof(KafkaInferred));

	result->format = find_format(inference);
	result->values = inference->values;
	if (result->format == KAFKA_FORMAT_JSON)
	{
		result->misfits = inference->values - inference->objects;
		result->too_wide = inference->too_wide;
		if (inference->nmembers == 0 || inference->too_wide)
			add_whole(result);
		else
			add_members(result, inference);
	}
	else if (result->format == KAFKA_FORMAT_CSV)
	{
		result->misfits = inference->values - inference->objects;
		add_members(result, inference);
		if (inference->nmembers == 0)
			(void) add_column(result, "column_1", "text", 0, 0);
	}
	else
		add_single(result, inference);
	if (metadata)
		add_metadata(result, inference);
	return result;
}
