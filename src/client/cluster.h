/*-------------------------------------------------------------------------
 *
 * cluster.h
 *	  The cluster: its brokers, where a topic's partitions are, what every broker knows.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CLUSTER_H
#define KAFKA_CLUSTER_H

#include "postgres.h"

#include "ground/options.h"

typedef struct KafkaBroker
{
	int32		id;
	char	   *host;
	int			port;
	char	   *rack;			/* NULL: none, or not known before librdkafka 2.3 */
	bool		is_controller;
} KafkaBroker;

typedef struct KafkaCluster
{
	char	   *id;				/* NULL: not told */
	int			nbrokers;
	KafkaBroker *brokers;		/* sorted by id */
} KafkaCluster;

/* The brokers that the cluster takes for alive, palloc'd.  Raises HV00N, 42501, 28000. */
extern KafkaCluster *kafka_cluster_read(const KafkaOptions *opts);

/* Ids of those brokers, as a List of int; told with a topic's metadata it costs less than with all. */
extern List *kafka_cluster_alive(const KafkaOptions *opts, const char *topic);

/* Ids of brokers, in the order the cluster keeps them. */
typedef struct KafkaBrokerIds
{
	int			n;
	int32	   *ids;
} KafkaBrokerIds;

typedef struct KafkaPartition
{
	int32		leader;			/* KAFKA_UNKNOWN: none */
	KafkaBrokerIds replicas;	/* the preferred leader first */
	KafkaBrokerIds isr;
	KafkaBrokerIds offline;		/* replicas on brokers that are not alive */
} KafkaPartition;

/* Where the topic's partitions are, an array by partition, palloc'd; returns their number. */
extern int32 kafka_cluster_partitions(const KafkaOptions *opts, const char *topic,
									  KafkaPartition **partitions);

/*
 * Waits until every broker that is alive knows the topic with at least that many partitions and
 * with these configuration values (a List of KafkaConfigChange, config.h).  Raises HV00L with the
 * broker in DETAIL when the time is over.
 */
extern void kafka_cluster_await_topic(const KafkaOptions *opts, const char *topic,
									  int32 partitions, List *changes, int timeout_ms);

#endif							/* KAFKA_CLUSTER_H */
