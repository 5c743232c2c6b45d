/*-------------------------------------------------------------------------
 *
 * partitioner.c
 *	  Which partition a message goes to.
 *
 * Layer 1.  Hash functions are librdkafka's (they agree with Java's for murmur2).  Messages
 * without a key are left to librdkafka where the partitioner is random for them: it then
 * keeps to one partition per batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/partitioner.h"
#include "client/rdkafka_api.h"
#include "common/pg_prng.h"

StaticAssertDecl(RD_KAFKA_PARTITION_UA == KAFKA_PARTITION_ANY,
				 "librdkafka's word for \"not chosen\" is ours");

typedef int32_t (*HashPartitioner) (const rd_kafka_topic_t *, const void *, size_t, int32_t,
									void *, void *);

/* The function; sets whether a message without a key, or with an empty one, is hashed too. */
static HashPartitioner
hash_function(KafkaPartitioner partitioner, bool *hashes_null, bool *hashes_empty)
{
	*hashes_null = false;
	*hashes_empty = true;
	switch (partitioner)
	{
		case KAFKA_PARTITIONER_MURMUR2:
			*hashes_null = true;
			return rd_kafka_msg_partitioner_murmur2;
		case KAFKA_PARTITIONER_MURMUR2_RANDOM:
		case KAFKA_PARTITIONER_STICKY:
			return rd_kafka_msg_partitioner_murmur2;
		case KAFKA_PARTITIONER_CONSISTENT:
			*hashes_null = true;
			return rd_kafka_msg_partitioner_consistent;
		case KAFKA_PARTITIONER_CONSISTENT_RANDOM:
			*hashes_empty = false;
			return rd_kafka_msg_partitioner_consistent;
		case KAFKA_PARTITIONER_FNV1A:
			*hashes_null = true;
			return rd_kafka_msg_partitioner_fnv1a;
		case KAFKA_PARTITIONER_FNV1A_RANDOM:
			return rd_kafka_msg_partitioner_fnv1a;
		case KAFKA_PARTITIONER_RANDOM:
		case KAFKA_PARTITIONER_ROUND_ROBIN:
			break;
	}
	return NULL;
}

int32
kafka_partitioner_hash(KafkaPartitioner partitioner, const KafkaBytes *key, int32 npartitions)
{
	bool		hashes_null;
	bool		hashes_empty;
	HashPartitioner hash = hash_function(partitioner, &hashes_null, &hashes_empty);

	if (hash == NULL || (key->data == NULL && !hashes_null) ||
		(key->len == 0 && !hashes_empty))
		return KAFKA_PARTITION_ANY;
	return hash(NULL, key->data ? key->data : "", key->len, npartitions, NULL, NULL);
}

static int32
random_partition(int32 npartitions)
{
	return (int32) pg_prng_uint64_range(&pg_global_prng_state, 0, npartitions - 1);
}

int32
kafka_partitioner_choose(KafkaPartitioner partitioner, const KafkaBytes *key,
						 int32 npartitions, uint32 *turn)
{
	switch (partitioner)
	{
		case KAFKA_PARTITIONER_MURMUR2_RANDOM:
		case KAFKA_PARTITIONER_STICKY:
			return KAFKA_PARTITION_ANY; /* librdkafka's own partitioner does just that */
		case KAFKA_PARTITIONER_RANDOM:
			return random_partition(npartitions);
		case KAFKA_PARTITIONER_ROUND_ROBIN:
			return (int32) ((*turn)++ % (uint32) npartitions);
		case KAFKA_PARTITIONER_CONSISTENT_RANDOM:
			if (key->len == 0)
				return random_partition(npartitions);
			break;
		default:
			break;
	}
	return kafka_partitioner_hash(partitioner, key, npartitions);
}
