/*-------------------------------------------------------------------------
 *
 * requests.h
 *	  What a transaction wants of the workers once it has committed.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WORKER_REQUESTS_H
#define KAFKA_WORKER_REQUESTS_H

#include "postgres.h"

/*
 * Launcher and relays of this database look again when this transaction has committed; and the
 * relay of the outbox is started, whatever befell the last one.  outbox 0: none is, -1: all are.
 */
extern void kafka_workers_request_at_commit(int32 outbox);

/*
 * The launcher looks at this database again when this transaction has committed, and the workers of the
 * pipeline are woken: it was started, stopped, changed, moved or dropped.  If it is to run, its
 * workers are started at once, whatever befell the last ones.
 */
extern void kafka_workers_request_pipeline_at_commit(int32 pipeline);

/*
 * No worker stays in a database, or comes to it, until this transaction ends; false: that was not
 * possible.  Does not wait for them.
 */
extern bool kafka_workers_leave_until_end(Oid database);

/* And this database, which is new, is looked at when the transaction has committed. */
extern void kafka_workers_look_at_commit(Oid database);

/* Registers the transaction callback; called once, from _PG_init. */
extern void kafka_workers_init(void);

#endif							/* KAFKA_WORKER_REQUESTS_H */
