/*-------------------------------------------------------------------------
 *
 * collector.h
 *	  Takes librdkafka's statistics as they come, and keeps the last.
 *
 * Layer 1, private to src/client.  No function here throws or calls PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_COLLECTOR_H
#define KAFKA_COLLECTOR_H

#include "postgres.h"

#include "client/core.h"

/*
 * If the configuration asks for statistics, gives the core a collector, which is told of them.
 * Called before the client is made.  False: no memory.
 */
extern bool kafka_collector_prepare(KafkaHandleCore *core, rd_kafka_conf_t *conf);

/* Starts its thread.  False: it could not be started, the client must go. */
extern bool kafka_collector_start(KafkaHandleCore *core);

/* The backend lets go of the client: the thread ends.  Waits for that a moment. */
extern void kafka_collector_stop(KafkaHandleCore *core);

/* Its memory, when the client has gone. */
extern void kafka_collector_free(KafkaHandleCore *core);

/*
 * The backend hands librdkafka a message: between these two the collector serves nothing, and
 * afterwards not before the message's delivery was reported, if it was accepted.
 */
extern void kafka_collector_pause(KafkaHandleCore *core);
extern void kafka_collector_resume(KafkaHandleCore *core, bool accepted);

/* A delivery was reported, in whichever thread. */
extern void kafka_collector_reported(KafkaHandleCore *core);

/* An error callback: kept for the backend if it came to the collector's thread. */
extern void kafka_collector_hear(KafkaHandleCore *core, rd_kafka_resp_err_t err,
								 const char *reason);

/* The error that was kept, once, with its text; 0 if there is none. */
extern rd_kafka_resp_err_t kafka_collector_heard(KafkaHandleCore *core, char *text, size_t size);

/*
 * Has the last statistics read by `read`, which must neither throw nor take long, while they
 * cannot change.  False if there are none.
 */
extern bool kafka_collector_read(KafkaHandleCore *core,
								 void (*read) (const char *json, size_t len, void *arg),
								 void *arg);

#endif							/* KAFKA_COLLECTOR_H */
