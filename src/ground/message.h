/*-------------------------------------------------------------------------
 *
 * message.h
 *	  KafkaMessage: the hinge of the extension.
 *
 * Layer 0.  Reading fills it from librdkafka and turns it into a row; writing
 * fills it from a row or from function arguments and hands it to a producer.
 * All pointers are borrowed: who fills the struct says how long they last.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_MESSAGE_H
#define KAFKA_MESSAGE_H

#include "postgres.h"

/* A message to be sent whose partition the partitioner chooses. */
#define KAFKA_PARTITION_ANY (-1)
/* "not known" for offsets, timestamps and leader epochs */
#define KAFKA_UNKNOWN (-1)

typedef enum KafkaTimestampType
{
	KAFKA_TIMESTAMP_NONE,
	KAFKA_TIMESTAMP_CREATE,		/* set by the producer */
	KAFKA_TIMESTAMP_LOG_APPEND	/* set by the broker */
} KafkaTimestampType;

/* Bytes with a length and no terminator; data == NULL means Kafka's null. */
typedef struct KafkaBytes
{
	const char *data;
	size_t		len;
} KafkaBytes;

/* Headers are an ordered list; names may repeat, values may be null or binary. */
typedef struct KafkaHeader
{
	const char *name;			/* NUL-terminated UTF-8 */
	KafkaBytes	value;
} KafkaHeader;

typedef struct KafkaMessage
{
	const char *topic;
	int32		partition;		/* KAFKA_PARTITION_ANY: not chosen yet */
	int32		leader_epoch;	/* KAFKA_UNKNOWN before librdkafka 2.1 */
	int64		offset;			/* KAFKA_UNKNOWN: not sent or not confirmed yet */
	int64		timestamp;		/* milliseconds since 1970; KAFKA_UNKNOWN: none, or now */
	KafkaTimestampType timestamp_type;
	KafkaBytes	key;
	KafkaBytes	value;
	int			nheaders;
	KafkaHeader *headers;
} KafkaMessage;

#endif							/* KAFKA_MESSAGE_H */
