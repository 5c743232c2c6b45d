/*-------------------------------------------------------------------------
 *
 * polling.h
 *	  What a poll of a consumer goes through: rebalances, start positions, messages.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_POLLING_H
#define KAFKA_POLLING_H

#include "postgres.h"

#include "portability/instr_time.h"
#include "transaction/consumers.h"

typedef struct KafkaPoll
{
	KafkaSessionConsumer *consumer;
	int			max_messages;
	int			timeout_ms;
	int			taken;
	instr_time	begin;
	KafkaMemberEvent event;
} KafkaPoll;

/*
 * The poll ends with max_messages messages; or when it has some and the partitions have no
 * more, as far as is known, or nothing has come for a moment; or after timeout_ms.
 */
extern void kafka_poll_begin(KafkaPoll *poll, KafkaSessionConsumer *consumer, int max_messages,
							 int timeout_ms);

/*
 * The next message, whose position has moved in the transaction; NULL at the end.  It holds until
 * the next call.  Raises HV00N where there are none and no broker can be reached, 40001 where
 * the transaction can no longer be completed, HV00L for offsets that are gone.
 */
extern const KafkaMessage *kafka_poll_next(KafkaPoll *poll);

/*
 * The consumer's partitions have positions: those that were assigned since it last looked, and
 * those whose store has to be asked again.
 */
extern void kafka_poll_settle(KafkaSessionConsumer *consumer);

/* Where the store stands in each partition (assigned ones); KAFKA_UNKNOWN: it has no offset. */
extern void kafka_poll_stored(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions,
							  int n, int64 *offsets);

#endif							/* KAFKA_POLLING_H */
