/*-------------------------------------------------------------------------
 *
 * json_strict.c
 *	  The format "json" with the option strict: a document of exactly the table's members.
 *
 * Layer 2.  A pass of its own over the document, so that reading without the option does
 * not pay for it.  It walks the tree of all columns, needed or not: a member that leads to no
 * column is an error, and so is a column whose member is missing.  Within a value that a
 * column holds as a whole, and within arrays, anything may stand.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/json.h"
#include "format/json_path.h"
#include "ground/compat.h"
#include "utils/jsonfuncs.h"

/* One level of nesting. */
typedef struct StrictLevel
{
	const KafkaJsonNode *node;	/* NULL: anything goes in here */
	const KafkaJsonNode *member;	/* in work */
	const KafkaJsonNode **seen; /* members of an object that were there */
	int			nseen;
} StrictLevel;

struct KafkaJsonStrict
{
	KafkaJsonNode *root;
	StrictLevel *levels;
	int			max_levels;
	int			depth;
};

KafkaJsonStrict *
kafka_json_strict_make(KafkaFieldSet *set)
{
	KafkaJsonStrict *strict = palloc0(sizeof(KafkaJsonStrict));

	strict->root = kafka_json_tree(set, false);
	strict->max_levels = 16;
	strict->levels = palloc0(sizeof(StrictLevel) * strict->max_levels);
	return strict;
}

static int
count_members(const KafkaJsonNode *node)
{
	int			count = 0;

	for (const KafkaJsonNode *child = node->children; child; child = child->next)
		count += child->name != NULL;
	return count;
}

/* Must the object or array that begins hold certain members only? */
static bool
is_listed(const KafkaJsonNode *node)
{
	return node && node->field < 0 && count_members(node) > 0;
}

static void
enter(KafkaJsonStrict *strict, bool is_object)
{
	const KafkaJsonNode *node = strict->levels[strict->depth].member;
	StrictLevel *level;

	if (++strict->depth >= strict->max_levels)
	{
		strict->max_levels *= 2;
		strict->levels = repalloc(strict->levels, sizeof(StrictLevel) * strict->max_levels);
	}
	level = &strict->levels[strict->depth];
	memset(level, 0, sizeof(*level));
	if (!is_object || !is_listed(node))
		return;
	level->node = node;
	level->seen = palloc(sizeof(KafkaJsonNode *) * count_members(node));
}

static bool
was_seen(const StrictLevel *level, const KafkaJsonNode *node)
{
	for (int i = 0; i < level->nseen; i++)
		if (level->seen[i] == node)
			return true;
	return false;
}

static KAFKA_NORETURN void
throw_missing(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("JSON document has no member \"%s\"", name)));
}

/* Something else stands where an object with certain members should. */
static void
refuse_in_place_of_object(const KafkaJsonStrict *strict)
{
	const KafkaJsonNode *node = strict->levels[strict->depth].member;

	if (!is_listed(node))
		return;
	for (const KafkaJsonNode *child = node->children; child; child = child->next)
		if (child->name)
			throw_missing(child->name);
}

static KafkaJsonResult
on_object_start(void *state)
{
	enter((KafkaJsonStrict *) state, true);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_array_start(void *state)
{
	refuse_in_place_of_object((KafkaJsonStrict *) state);
	enter((KafkaJsonStrict *) state, false);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_object_end(void *state)
{
	KafkaJsonStrict *strict = (KafkaJsonStrict *) state;
	const StrictLevel *level = &strict->levels[strict->depth--];

	if (level->node)
		for (const KafkaJsonNode *child = level->node->children; child; child = child->next)
			if (child->name && !was_seen(level, child))
				throw_missing(child->name);
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_array_end(void *state)
{
	((KafkaJsonStrict *) state)->depth--;
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_field_start(void *state, char *name, bool isnull)
{
	KafkaJsonStrict *strict = (KafkaJsonStrict *) state;
	StrictLevel *level = &strict->levels[strict->depth];

	level->member = NULL;
	if (level->node == NULL)
		KAFKA_JSON_RETURN_OK;
	level->member = kafka_json_member((KafkaJsonNode *) level->node, name, (int) strlen(name));
	if (level->member == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("no column for JSON member \"%s\"", name)));
	if (!was_seen(level, level->member))
		level->seen[level->nseen++] = level->member;
	KAFKA_JSON_RETURN_OK;
}

static KafkaJsonResult
on_scalar(void *state, char *token, JsonTokenType type)
{
	refuse_in_place_of_object((KafkaJsonStrict *) state);
	KAFKA_JSON_RETURN_OK;
}

void
kafka_json_strict_check(KafkaJsonStrict *strict, char *json, int len)
{
	JsonSemAction actions = {
		.semstate = strict,
		.object_start = on_object_start,
		.object_end = on_object_end,
		.array_start = on_array_start,
		.array_end = on_array_end,
		.object_field_start = on_field_start,
		.scalar = on_scalar
	};
	JsonLexContext *lex = KAFKA_JSON_LEXER(json, len, true);

	strict->depth = 0;
	strict->levels[0].member = strict->root;
	pg_parse_json_or_ereport(lex, &actions);
	KAFKA_JSON_LEXER_FREE(lex);
}
