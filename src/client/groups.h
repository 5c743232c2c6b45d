/*-------------------------------------------------------------------------
 *
 * groups.h
 *	  Consumer groups: listing, describing, deleting.
 *
 * Layer 1.  Names and ids are UTF-8, as Kafka has them.  The offsets of groups are in
 * group_offsets.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_GROUPS_H
#define KAFKA_GROUPS_H

#include "postgres.h"

#include "client/transaction.h"
#include "ground/compat.h"
#include "ground/options.h"

typedef struct KafkaGroupMember
{
	const char *member_id;
	const char *client_id;
	const char *group_instance_id;	/* or NULL */
	const char *host;
	KafkaGroupOffset *assignment;	/* topics and partitions only */
	int			npartitions;
} KafkaGroupMember;

typedef struct KafkaGroup
{
	const char *group_id;
	const char *state;			/* as Kafka calls it: Stable, Empty, ...; "Unknown" */
	const char *type;			/* Classic or Consumer; NULL where librdkafka does not tell */
	bool		simple;			/* keeps offsets only, has never had members */
	/* the rest is for groups that were described */
	const char *protocol;		/* how partitions are assigned: range, ...; may be empty */
	int32		coordinator_id;	/* -1: not known */
	const char *coordinator_host;
	int32		coordinator_port;
	List	   *members;		/* of KafkaGroupMember */
	const char *error;			/* why the rest is not known, or NULL */
	int			sqlstate;
} KafkaGroup;

/*
 * All groups of consumers as a List of KafkaGroup, sorted by id.  What single brokers could
 * not tell is appended to errors, a List of palloc'd texts; raises where none could.
 */
extern List *kafka_groups_list(const KafkaOptions *opts, List **errors);

/*
 * Describes groups, all at once; an array by their order.  A group that does not exist has the
 * sqlstate of ERRCODE_UNDEFINED_OBJECT.  Raises only when nothing can be asked.
 */
extern KafkaGroup *kafka_groups_describe(const KafkaOptions *opts, char **group_ids, int n);

/* The state by which Kafka means what the text says, whatever its case; NULL: none. */
extern const char *kafka_group_state(const char *text);

/*
 * Deletes groups with their offsets; errors[i] is NULL for one that was deleted, else a
 * palloc'd text; sqlstates[i] its SQLSTATE.  Raises only when nothing can be asked.
 */
extern void kafka_groups_delete(const KafkaOptions *opts, char **group_ids, int n,
								char **errors, int *sqlstates);

/* Raises the error of a group as kafka_groups_describe or kafka_groups_delete has told it. */
extern KAFKA_NORETURN void kafka_group_throw(const char *group_id, const char *doing,
											 const char *error, int sqlstate);

#endif							/* KAFKA_GROUPS_H */
