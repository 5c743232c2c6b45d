/*-------------------------------------------------------------------------
 *
 * json_path.c
 *	  Columns of a JSON document as a tree of member names and array indexes.
 *
 * Layer 2.  Paths are the simple part of SQL/JSON's: $, .name, ."name", [index].
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "format/json_path.h"
#include "ground/compat.h"

static KafkaJsonNode *
add_child(KafkaJsonNode *parent, const char *name, int index)
{
	KafkaJsonNode **link = &parent->children;
	KafkaJsonNode *node;

	for (; *link; link = &(*link)->next)
		if (name ? ((*link)->name && strcmp((*link)->name, name) == 0) :
			((*link)->name == NULL && (*link)->index == index))
			return *link;
	node = palloc0(sizeof(KafkaJsonNode));
	node->name = name ? pstrdup(name) : NULL;
	node->name_len = name ? (int) strlen(name) : 0;
	node->index = index;
	node->field = -1;
	*link = node;
	return node;
}

static KAFKA_NORETURN void
reject_path(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"path\": \"%s\"", path),
			 errhint("A path looks like $.order.items[0].name; odd names go in double "
					 "quotes.")));
}

/* A quoted name: backslash escapes the next character.  p is behind the opening quote. */
static const char *
read_quoted_name(const char *path, const char *p, StringInfo name)
{
	for (; *p && *p != '"'; p++)
	{
		if (*p == '\\' && p[1])
			p++;
		appendStringInfoChar(name, *p);
	}
	if (*p != '"')
		reject_path(path);
	return p + 1;
}

static const char *
read_plain_name(const char *path, const char *p, StringInfo name)
{
	while (isalnum((unsigned char) *p) || (*p && strchr("_-$@", *p)) || IS_HIGHBIT_SET(*p))
		appendStringInfoChar(name, *p++);
	if (name->len == 0)
		reject_path(path);
	return p;
}

static const char *
read_index(const char *path, const char *p, int *index)
{
	char	   *end;
	long		value;

	if (!isdigit((unsigned char) *p))
		reject_path(path);
	errno = 0;
	value = strtol(p, &end, 10);
	if (errno || value > 1000000 || *end != ']')
		reject_path(path);
	*index = (int) value;
	return end + 1;
}

/* Walks a path down from the root, making nodes; returns the last one. */
static KafkaJsonNode *
walk_path(KafkaJsonNode *root, const char *path)
{
	KafkaJsonNode *node = root;
	const char *p = path;

	if (*p++ != '$')
		reject_path(path);
	while (*p)
	{
		StringInfoData name;
		int			index = 0;

		if (*p == '.')
		{
			initStringInfo(&name);
			p = p[1] == '"' ? read_quoted_name(path, p + 2, &name) :
				read_plain_name(path, p + 1, &name);
			node = add_child(node, name.data, 0);
		}
		else if (*p == '[')
		{
			p = read_index(path, p + 1, &index);
			node = add_child(node, NULL, index);
		}
		else
			reject_path(path);
	}
	return node;
}

void
kafka_json_check_path(const char *path)
{
	KafkaJsonNode root = {.field = -1};

	(void) walk_path(&root, path);
}

static KafkaJsonNode *
add_field(KafkaJsonNode *root, const KafkaField *field)
{
	if (field->options->path)
		return walk_path(root, field->options->path);
	return add_child(root, field->options->json ? field->options->json : field->name, 0);
}

KafkaJsonNode *
kafka_json_tree(KafkaFieldSet *set, bool only_needed)
{
	KafkaJsonNode *root = palloc0(sizeof(KafkaJsonNode));

	root->field = -1;
	for (int i = 0; i < set->nfields; i++)
	{
		KafkaJsonNode *node;

		if (only_needed && !set->fields[i].needed)
			continue;
		node = add_field(root, &set->fields[i]);
		if (node->field >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("columns \"%s\" and \"%s\" stand for the same JSON member",
							set->fields[node->field].name, set->fields[i].name),
					 errhint("Give each column its own \"path\" or \"json\".")));
		node->field = i;
	}
	return root;
}

static bool
has_name(const KafkaJsonNode *node, const char *name, int len)
{
	return node->name && node->name_len == len && memcmp(node->name, name, len) == 0;
}

KafkaJsonNode *
kafka_json_member(KafkaJsonNode *node, const char *name, int len)
{
	KafkaJsonNode *child = node->hint;

	if (child == NULL || !has_name(child, name, len))
		for (child = node->children; child && !has_name(child, name, len);)
			child = child->next;
	if (child)
		node->hint = child->next ? child->next : node->children;
	return child;
}

KafkaJsonNode *
kafka_json_element(KafkaJsonNode *node, int index)
{
	for (KafkaJsonNode *child = node->children; child; child = child->next)
		if (child->name == NULL && child->index == index)
			return child;
	return NULL;
}
