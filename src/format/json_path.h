/*-------------------------------------------------------------------------
 *
 * json_path.h
 *	  Columns of a JSON document as a tree of member names and array indexes.
 *
 * Layer 2, shared by reading (json_decode.c) and writing (json_encode.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_JSON_PATH_H
#define KAFKA_JSON_PATH_H

#include "postgres.h"

#include "format/format.h"

typedef struct KafkaJsonNode KafkaJsonNode;
struct KafkaJsonNode
{
	char	   *name;			/* member name in the database's encoding; NULL: by index */
	int			name_len;
	int			index;			/* array element */
	int			field;			/* in the field set; -1: only on the way to others */
	KafkaJsonNode *children;	/* in the order of the columns */
	KafkaJsonNode *next;		/* sibling */
	KafkaJsonNode *hint;		/* child to try first: documents repeat their order */
};

/*
 * The tree of all fields (only_needed: of the needed ones).  A field's place is its
 * option "path" ('$.a.b[0]', '$.a."odd name"'), or "json" (one member name), or the
 * column's name.  Raises 22023 for a path that can't be read or two columns for one place.
 */
extern KafkaJsonNode *kafka_json_tree(KafkaFieldSet *set, bool only_needed);

/* The child for a member name (which need not be terminated) or an array element, or NULL. */
extern KafkaJsonNode *kafka_json_member(KafkaJsonNode *node, const char *name, int len);
extern KafkaJsonNode *kafka_json_element(KafkaJsonNode *node, int index);

/* Raises 22023 unless the text is a path; for the validator. */
extern void kafka_json_check_path(const char *path);

#endif							/* KAFKA_JSON_PATH_H */
