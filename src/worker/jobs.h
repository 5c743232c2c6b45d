/*-------------------------------------------------------------------------
 *
 * jobs.h
 *	  Which processes outboxes and pipelines are to have: the launcher's entries in the registry.
 *
 * Layer 3, private to src/worker.  Only the launcher makes and removes entries; each function
 * takes the lock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WORKER_JOBS_H
#define KAFKA_WORKER_JOBS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "worker/registry.h"

/* A process that is to end, and does not see it because it waits for Kafka, is terminated. */
#define KAFKA_STOP_MS 2000

extern TimestampTz kafka_after(TimestampTz time, int ms);

/* The pause after so many failures in a row. */
extern int	kafka_jobs_backoff_ms(int failures);

/* What becomes of an entry whose process has ended, under the lock; true: its database is to be looked at. */
extern bool kafka_jobs_settle(KafkaWorker *worker);

/* What a scout has found in a database. */
extern void kafka_jobs_apply(Oid database, const KafkaFound *found, int count);

/* What does not run for the job, or for all (KAFKA_ALL_JOBS), is started, whatever befell it. */
extern void kafka_jobs_retry(const KafkaJob *job);

extern int	kafka_jobs_live(void);

/*
 * The entry to start next: each job gets its first process before any gets a second one.  0: none
 * is due now.
 */
extern int	kafka_jobs_next(TimestampTz now);

/* When one is due, as far as that is known; full: it has to have another one's place. */
extern TimestampTz kafka_jobs_next_start(bool full);

/* One whose slot is higher ends, so that a process of this slot can be started. */
extern void kafka_jobs_make_room(int slot);

/* Ends by SIGTERM what was to end by itself; returns when it is next due. */
extern TimestampTz kafka_jobs_terminate_unwanted(TimestampTz now);

#endif							/* KAFKA_WORKER_JOBS_H */
