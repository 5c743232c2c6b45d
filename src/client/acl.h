/*-------------------------------------------------------------------------
 *
 * acl.h
 *	  The cluster's access control lists.
 *
 * Layer 1.  Text is UTF-8, as Kafka has it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ACL_H
#define KAFKA_ACL_H

#include "postgres.h"

#include "ground/options.h"

/* What words an attribute of an ACL may have. */
typedef enum KafkaAclWord
{
	KAFKA_ACL_OPERATION,
	KAFKA_ACL_RESOURCE_TYPE,
	KAFKA_ACL_PATTERN_TYPE,
	KAFKA_ACL_PERMISSION
} KafkaAclWord;

/* An entry, or a filter: there NULL, and 0 for a word, mean any. */
typedef struct KafkaAcl
{
	const char *principal;
	const char *host;
	const char *resource_name;
	int			operation;		/* librdkafka's numbers, from kafka_acl_word */
	int			resource_type;
	int			pattern_type;
	int			permission;
	const char *error;			/* of an entry that could not be deleted, or NULL */
} KafkaAcl;

/*
 * The number of a word, whatever its case; -1: there is none.  `filter`: those that only
 * filters may have, too.
 */
extern int	kafka_acl_word(KafkaAclWord kind, const char *text, bool filter);

/* The word of a number; "unknown" for one that is newer than librdkafka. */
extern const char *kafka_acl_word_text(KafkaAclWord kind, int number);

/* The words there are, as a list for a HINT. */
extern char *kafka_acl_words(KafkaAclWord kind, bool filter);

/* True if the filter matches every entry there can be. */
extern bool kafka_acl_matches_all(const KafkaAcl *filter);

/* Raises 22023, 42501, 55000 (no authorizer), 0A000 (needs a newer librdkafka), HV00N, HV00L. */
extern void kafka_acl_create(const KafkaOptions *opts, const KafkaAcl *acl);

/*
 * Entries that match, as a List of KafkaAcl, palloc'd.  A cluster without an authorizer, or
 * one that does not show its entries to us, is an error and never an empty list.
 */
extern List *kafka_acl_list(const KafkaOptions *opts, const KafkaAcl *filter);

/* Deletes those that match, and returns them; what failed for one is its error. */
extern List *kafka_acl_delete(const KafkaOptions *opts, const KafkaAcl *filter);

#endif							/* KAFKA_ACL_H */
