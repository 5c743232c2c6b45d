/*-------------------------------------------------------------------------
 *
 * partitioner.h
 *	  Which partition a message goes to.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PARTITIONER_H
#define KAFKA_PARTITIONER_H

#include "postgres.h"

#include "ground/message.h"
#include "ground/options.h"

/*
 * The partition, 0 to npartitions - 1, that a hashing partitioner gives a key.  data NULL is no
 * key: the plain hashing partitioners (murmur2, consistent, fnv1a) hash it as an empty one.
 * KAFKA_PARTITION_ANY where the key does not decide.  Algorithms: Kafka's
 * DefaultPartitioner (murmur2), librdkafka's rd_kafka_msg_partitioner_* for the others.
 */
extern int32 kafka_partitioner_hash(KafkaPartitioner partitioner, const KafkaBytes *key,
									int32 npartitions);

/*
 * The partition for a message without one of its own; turn counts the messages of
 * round_robin.  KAFKA_PARTITION_ANY leaves it to librdkafka's murmur2_random, which keeps
 * messages without a key together for sticky.partitioning.linger.ms.
 */
extern int32 kafka_partitioner_choose(KafkaPartitioner partitioner, const KafkaBytes *key,
									  int32 npartitions, uint32 *turn);

#endif							/* KAFKA_PARTITIONER_H */
