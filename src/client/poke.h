/*-------------------------------------------------------------------------
 *
 * poke.h
 *	  Waking a librdkafka that sleeps on a full queue.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_POKE_H
#define KAFKA_POKE_H

#include "postgres.h"

#include "client/wait.h"

typedef struct KafkaPoke
{
	bool		needed;			/* this librdkafka has no fetch.queue.backoff.ms */
	size_t		longest;		/* the queue since it was last poked */
	KafkaJob   *job;			/* under way, or NULL */
} KafkaPoke;

extern void kafka_poke_init(KafkaPoke *poke);

/* Lets go of what is under way. */
extern void kafka_poke_end(KafkaPoke *poke);

/* The queue has this many entries now: has it emptied by half since it was long? */
extern bool kafka_poke_is_due(KafkaPoke *poke, size_t length);

/* No request is under way. */
extern bool kafka_poke_is_idle(const KafkaPoke *poke);

/*
 * Asks about the partitions in a helper thread and throws the answer away.  The list is the
 * callee's.  Only where it is idle.
 */
extern void kafka_poke_send(KafkaPoke *poke, KafkaHandle *handle,
							rd_kafka_topic_partition_list_t *partitions);

#endif							/* KAFKA_POKE_H */
