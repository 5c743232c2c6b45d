/*-------------------------------------------------------------------------
 *
 * partition.c
 *	  kafka.partition_for_key: where a message with a key goes.
 *
 * Layer 3.  Asks the partitioners that send (src/client/partitioner.c).  Two functions, one for a
 * topic and one for a number of partitions, each for keys of text and of bytea.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "client/partitioner.h"
#include "client/topic.h"
#include "fmgr.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/options.h"
#include "sql/common.h"

/* The argument's partitioner; where it is NULL, otherwise. */
static KafkaPartitioner
partitioner_argument(FunctionCallInfo fcinfo, int argno, int otherwise)
{
	if (PG_ARGISNULL(argno))
		return (KafkaPartitioner) otherwise;
	return (KafkaPartitioner)
		kafka_option_enum(kafka_partitioners, kafka_sql_text(fcinfo, argno, "partitioner"),
						  "argument \"partitioner\"");
}

/* Raises 22023 for partitioners that have no place for a key. */
static void
check_partitioner(KafkaPartitioner partitioner)
{
	if (partitioner == KAFKA_PARTITIONER_RANDOM || partitioner == KAFKA_PARTITIONER_ROUND_ROBIN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("partitioner \"%s\" does not look at the key",
						kafka_option_word(kafka_partitioners, partitioner)),
				 errhint("Pass the argument \"partitioner\": one that hashes the key, as "
						 "\"murmur2_random\".")));
}

/* NULL where a message with that key can go anywhere. */
static Datum
partition_datum(FunctionCallInfo fcinfo, KafkaPartitioner partitioner, KafkaBytes key,
				int32 npartitions)
{
	int32		partition = kafka_partitioner_hash(partitioner, &key, npartitions);

	if (partition == KAFKA_PARTITION_ANY)
		PG_RETURN_NULL();
	PG_RETURN_INT32(partition);
}

static Datum
partition_of_topic(FunctionCallInfo fcinfo, Oid key_type)
{
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	KafkaOptions *opts = kafka_sql_server(fcinfo, 3);
	KafkaPartitioner partitioner = partitioner_argument(fcinfo, 2, opts->partitioner);

	check_partitioner(partitioner);
	/* as a sender does, which believes the number of partitions for a moment */
	return partition_datum(fcinfo, partitioner, kafka_sql_bytes(fcinfo, 1, key_type),
						   kafka_topic_partitions(opts, topic, false, true));
}

static Datum
partition_of_count(FunctionCallInfo fcinfo, Oid key_type)
{
	KafkaPartitioner partitioner = partitioner_argument(fcinfo, 2,
														KAFKA_PARTITIONER_MURMUR2_RANDOM);
	int32		npartitions;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"partitions\" must not be NULL")));
	npartitions = PG_GETARG_INT32(0);
	if (npartitions < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"partitions\" must be at least 1")));
	check_partitioner(partitioner);
	return partition_datum(fcinfo, partitioner, kafka_sql_bytes(fcinfo, 1, key_type),
						   npartitions);
}

PG_FUNCTION_INFO_V1(kafka_partition_of_topic_text);

Datum
kafka_partition_of_topic_text(PG_FUNCTION_ARGS)
{
	return partition_of_topic(fcinfo, TEXTOID);
}

PG_FUNCTION_INFO_V1(kafka_partition_of_topic_bytea);

Datum
kafka_partition_of_topic_bytea(PG_FUNCTION_ARGS)
{
	return partition_of_topic(fcinfo, BYTEAOID);
}

PG_FUNCTION_INFO_V1(kafka_partition_of_count_text);

Datum
kafka_partition_of_count_text(PG_FUNCTION_ARGS)
{
	return partition_of_count(fcinfo, TEXTOID);
}

PG_FUNCTION_INFO_V1(kafka_partition_of_count_bytea);

Datum
kafka_partition_of_count_bytea(PG_FUNCTION_ARGS)
{
	return partition_of_count(fcinfo, BYTEAOID);
}
