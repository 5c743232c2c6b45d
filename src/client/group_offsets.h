/*-------------------------------------------------------------------------
 *
 * group_offsets.h
 *	  The offsets of consumer groups: reading, altering, deleting.
 *
 * Layer 1.  Ids are UTF-8, as Kafka has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_GROUP_OFFSETS_H
#define KAFKA_GROUP_OFFSETS_H

#include "postgres.h"

#include "client/transaction.h"
#include "ground/options.h"

/* A partition and a group's offset in it. */
typedef struct KafkaCommitted
{
	KafkaGroupOffset at;		/* offset: KAFKA_UNKNOWN where there is none */
	const char *error;			/* palloc'd, or NULL */
	int			sqlstate;
} KafkaCommitted;

/* All offsets of a group. */
typedef struct KafkaGroupOffsets
{
	const char *group_id;
	KafkaCommitted *rows;		/* sorted by topic and partition */
	int			nrows;
	const char *error;			/* why there are no rows, or NULL */
	int			sqlstate;
} KafkaGroupOffsets;

/*
 * The committed offsets of groups, all asked at once; an array by their order.  A group that
 * does not exist has no rows.  An offset that a transaction is about to change is what it was
 * before; that lasts for some milliseconds after its commit.  Raises only when nothing can be
 * asked.
 */
extern KafkaGroupOffsets *kafka_group_offsets(const KafkaOptions *opts, char **group_ids,
											  int n);

/*
 * Sets the offsets of the rows (n > 0, none below 0) in one request.  What fails for one is
 * its error.  That the group has members is ERRCODE_OBJECT_IN_USE of each.  Raises where the
 * request fails as a whole.
 */
extern void kafka_group_offsets_alter(const KafkaOptions *opts, const char *group_id,
									  KafkaCommitted *rows, int n);

/* Deletes the group's offsets of the rows in the same way; their offsets are not looked at. */
extern void kafka_group_offsets_delete(const KafkaOptions *opts, const char *group_id,
									   KafkaCommitted *rows, int n);

#endif							/* KAFKA_GROUP_OFFSETS_H */
