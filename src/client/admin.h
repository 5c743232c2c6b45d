/*-------------------------------------------------------------------------
 *
 * admin.h
 *	  Making and deleting topics.
 *
 * Layer 1.  Administration acts at once and is not undone by ROLLBACK.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ADMIN_H
#define KAFKA_ADMIN_H

#include "postgres.h"

#include "ground/options.h"

typedef struct KafkaNewTopic
{
	const char *name;
	int			partitions;		/* -1: the broker's default */
	int			replication_factor; /* -1: the broker's default */
	List	   *config;			/* of KafkaProperty (place unused) */
	List	  **replica_assignment; /* broker ids of each partition, or NULL */
	bool		validate_only;
} KafkaNewTopic;

/*
 * Creates the topic and waits until the cluster's metadata shows all of its partitions
 * with a leader.  False if it exists already and if_not_exists; else raises (42P07, 22023,
 * 42501, HV00N, HV00L).  timeout_ms covers the request and the wait.
 */
extern bool kafka_admin_create_topic(const KafkaOptions *opts, const KafkaNewTopic *topic,
									 bool if_not_exists, int timeout_ms);

/*
 * Deletes topics in one request and waits until the metadata no longer shows them.
 * errors[i] is NULL for a topic that was deleted, else a palloc'd text; sqlstates[i] its
 * SQLSTATE.  Raises only when the request as a whole fails.
 */
extern void kafka_admin_delete_topics(const KafkaOptions *opts, char **topics, int n,
									  char **errors, int *sqlstates);

/* Asks for a topic to be deleted and does not wait: on the way out of a cancelled call. */
extern void kafka_admin_delete_unwatched(const KafkaOptions *opts, const char *topic);

/* Waits until the metadata shows so many partitions (0: some; -1: that the topic is gone). */
extern void kafka_admin_await_partitions(const KafkaOptions *opts, const char *topic,
										 int partitions, int timeout_ms);

#endif							/* KAFKA_ADMIN_H */
