/*-------------------------------------------------------------------------
 *
 * lag.h
 *	  How far consumer groups are behind.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_LAG_H
#define KAFKA_LAG_H

#include "postgres.h"

#include "client/groups.h"
#include "ground/options.h"

typedef struct KafkaLag
{
	const char *group_id;
	const char *topic;			/* NULL: the row tells what is wrong with the group */
	int32		partition;
	int64		committed;		/* KAFKA_UNKNOWN: the group has none */
	int64		end;			/* as KAFKA_TIME_LATEST; KAFKA_UNKNOWN: see error */
	const KafkaGroupMember *member; /* who has the partition, or NULL */
	const char *error;			/* or NULL */
	int			sqlstate;
} KafkaLag;

/*
 * A row for each partition that the groups have an offset of or a member for, by the groups'
 * order, topic and partition; palloc'd.  What is wrong with a group has a row without topic; a
 * group without offsets and members has none.  Raises where nothing can be asked.
 */
extern KafkaLag *kafka_lag(const KafkaOptions *opts, char **group_ids, int n, int *nrows);

#endif							/* KAFKA_LAG_H */
