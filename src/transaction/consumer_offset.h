/*-------------------------------------------------------------------------
 *
 * consumer_offset.h
 *	  The table kafka.consumer_offset: offsets that are kept with the rows they produced.
 *
 * Layer 3, private to src/transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CONSUMER_OFFSET_H
#define KAFKA_CONSUMER_OFFSET_H

#include "postgres.h"

#include "transaction/consumers.h"

/*
 * Makes the partition this consumer's: who had it before can store nothing any longer.  Fills
 * next_offset and epoch.  Where the table does not know the partition yet it begins at `start`;
 * with KAFKA_UNKNOWN for that, false.
 */
extern bool kafka_consumer_offset_claim(const KafkaSessionConsumer *consumer,
										const KafkaPosition *position, int64 start,
										int64 *next_offset, int64 *epoch);

/*
 * Stores position->target, if the table still has position->committed and this consumer's
 * epoch; else 40001, and the consumer claims its partitions anew with the next poll.
 */
extern void kafka_consumer_offset_store(KafkaSessionConsumer *consumer,
										const KafkaPosition *position);

/* What the table has, KAFKA_UNKNOWN if nothing; claims nothing. */
extern int64 kafka_consumer_offset_look(const KafkaSessionConsumer *consumer,
										const KafkaMemberPartition *partition);

#endif							/* KAFKA_CONSUMER_OFFSET_H */
