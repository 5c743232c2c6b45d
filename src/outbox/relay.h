/*-------------------------------------------------------------------------
 *
 * relay.h
 *	  Publishing an outbox: its committed rows become messages, each exactly once.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_RELAY_H
#define KAFKA_OUTBOX_RELAY_H

#include "postgres.h"

#include "ground/host.h"

typedef enum KafkaRelayEnd
{
	KAFKA_RELAY_DONE,			/* max_ticks were made, or nothing was left and it was not to wait */
	KAFKA_RELAY_STOPPED,		/* should_stop, or kafka.stop_relay, or the outbox is gone */
	KAFKA_RELAY_UNRESOLVED,		/* somebody has to call kafka.outbox_resolve */
	KAFKA_RELAY_REPLACED,		/* another process has taken the outbox */
	KAFKA_RELAY_GONE			/* the extension is not there any more */
} KafkaRelayEnd;

/*
 * Relays an outbox.  With `wait` it goes on until it is stopped, waits for new rows and for a
 * Kafka that is away, and logs; without, it returns when nothing is left, and raises errors.
 * max_ticks 0: no limit.  Not in a transaction of the caller's but for host->begin.
 */
extern KafkaRelayEnd kafka_relay_run(int32 outbox, const KafkaHost *host, bool wait,
									 int64 max_ticks);

#endif							/* KAFKA_OUTBOX_RELAY_H */
