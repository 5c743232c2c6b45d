/*-------------------------------------------------------------------------
 *
 * core.h
 *	  The part of a handle that helper threads may outlive the backend's interest in.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CORE_H
#define KAFKA_CORE_H

#include "postgres.h"

#include <pthread.h>

#include "client/rdkafka_api.h"

/* Plain malloc'd memory, counted; whoever lets go last has it destroyed. */
typedef struct KafkaHandleCore
{
	pthread_mutex_t mutex;
	int			refs;
	int			troubles;		/* errors that librdkafka has told of, from any thread */
	rd_kafka_t *rk;
	rd_kafka_queue_t *logs;
	struct KafkaHandle *handle; /* the backend's; NULL once it has let go */
	bool		leaves_group;	/* its group is told when it is destroyed */
	struct KafkaCollector *collector;	/* of statistics, or NULL: collector.c */
} KafkaHandleCore;

/* How many errors of connections and brokers there have been so far. */
extern int	kafka_core_troubles(KafkaHandleCore *core);

/* From any thread.  drop returns after KAFKA_DESTROY_MS at the latest.  Neither throws. */
extern void kafka_core_hold(KafkaHandleCore *core);
extern void kafka_core_drop(KafkaHandleCore *core);

/* Destroys it, when nobody holds it any more. */
extern void kafka_core_destroy(KafkaHandleCore *core);

/* Starts a detached thread that sees no signal; an errno, or 0. */
extern int	kafka_thread_start(void *(*run) (void *), void *arg);

#endif							/* KAFKA_CORE_H */
