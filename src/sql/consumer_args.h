/*-------------------------------------------------------------------------
 *
 * consumer_args.h
 *	  Arguments of the functions for consumers.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CONSUMER_ARGS_H
#define KAFKA_CONSUMER_ARGS_H

#include "postgres.h"

#include "fmgr.h"
#include "sql/target.h"
#include "transaction/consumers.h"

/* 'kafka', 'postgres', 'transaction'; 'earliest', 'latest', 'none'. */
extern const struct config_enum_entry kafka_offset_stores[];
extern const struct config_enum_entry kafka_starts[];

/*
 * The session's consumer that a text argument names.  Raises 22004, 42704, 42501 (another
 * user's, or no USAGE on its server any longer).
 */
extern KafkaSessionConsumer *kafka_sql_consumer(FunctionCallInfo fcinfo, int argno);

/* A text argument with a default; 22004 for NULL, 22023 for ''. */
extern char *kafka_sql_consumer_name(FunctionCallInfo fcinfo, int argno);

/*
 * The argument "options", a JSON object: the extension's own go into spec, librdkafka's
 * properties are checked and become part of *opts (a copy).  Raises HV00D, 22023, 42501.
 */
extern void kafka_sql_consumer_options(FunctionCallInfo fcinfo, int argno, KafkaOptions **opts,
									   KafkaConsumerSpec *spec);

/* The text as Kafka has it. */
extern char *kafka_sql_to_utf8(const char *text);

/* Offsets that a target comes to, for partitions of a topic; a time behind the last message: the end. */
extern void kafka_sql_target_offsets(const KafkaOptions *opts, const char *topic,
									 const KafkaPlaceTarget *target, const int32 *partitions,
									 int n, int64 *offsets);

/* The same with a target for each partition. */
extern void kafka_sql_targets_offsets(const KafkaOptions *opts, const char *topic,
									  const KafkaPlaceTarget *targets, const int32 *partitions,
									  int n, int64 *offsets);

#endif							/* KAFKA_CONSUMER_ARGS_H */
