/*-------------------------------------------------------------------------
 *
 * registry.h
 *	  The extension's background workers, as launcher, workers and sessions see them.
 *
 * Layer 3, private to src/worker and to the view kafka.workers.  In shared memory, under one lock;
 * there is none unless the library was preloaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WORKER_REGISTRY_H
#define KAFKA_WORKER_REGISTRY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "worker/job.h"

/* Bytes of an outbox's or a pipeline's name that are kept, with the terminator. */
#define KAFKA_WORKER_NAME 64

/* The worker that looks into databases stands first. */
#define KAFKA_SCOUT 0

typedef enum KafkaWorkerState
{
	KAFKA_WORKER_NONE,			/* nothing is here */
	KAFKA_WORKER_STARTING,		/* the launcher has asked for a process */
	KAFKA_WORKER_RUNNING,
	KAFKA_WORKER_ENDED,			/* the process has ended; the launcher has yet to see it */
	KAFKA_WORKER_PENDING,		/* is started at next_start */
	KAFKA_WORKER_STOPPED,		/* is started if a scout finds its job enabled, else forgotten */
	KAFKA_WORKER_UNRESOLVED		/* is started once somebody has resolved it, or started the
								 * pipeline that has failed */
} KafkaWorkerState;

/* How the last process ended. */
typedef enum KafkaWorkerEnd
{
	KAFKA_END_NONE,				/* there was none */
	KAFKA_END_DIED,				/* an error, or somebody has terminated it */
	KAFKA_END_DONE,				/* it did what it was for */
	KAFKA_END_STOPPED,			/* its job is disabled, or gone; or has too many workers */
	KAFKA_END_UNRESOLVED,		/* of a pipeline: failed */
	KAFKA_END_REPLACED,			/* another process works for its job */
	KAFKA_END_LEFT				/* it was to leave the database */
} KafkaWorkerEnd;

typedef struct KafkaWorker
{
	KafkaWorkerState state;
	KafkaWorkerEnd end;			/* of the last process; while one runs, what is to be said of it */
	KafkaWorkerEnd previous;	/* of the one before */
	uint32		generation;		/* of the process that may run for it */
	KafkaJob	job;
	int			slot;			/* among the processes of its job */
	char		name[KAFKA_WORKER_NAME];	/* the job's, perhaps cut */
	int			pid;
	int			restarts;
	int			failures;		/* in a row */
	TimestampTz started;
	TimestampTz ended;
	TimestampTz next_start;		/* not before, if it is to be started */
	TimestampTz unwanted;		/* it is to end, and then is terminated; 0: it is wanted */
} KafkaWorker;

/* An enabled outbox or pipeline that a scout has found. */
typedef struct KafkaFound
{
	KafkaJobKind kind;
	int32		id;
	char		name[KAFKA_WORKER_NAME];
	int			processes;		/* that are wanted */
	bool		resolved;		/* it may run, though it was unresolved */
} KafkaFound;

/* For shared.c. */
extern Size kafka_registry_size(void);
extern void kafka_registry_request(void);
extern void kafka_registry_startup(void);

/* Where the workers stand, 0 to count - 1; only under the lock. */
extern void kafka_registry_lock(bool exclusive);
extern void kafka_registry_unlock(void);
extern KafkaWorker *kafka_registry_worker(int i);
extern int	kafka_registry_count(void);
extern bool kafka_worker_is_live(const KafkaWorker *worker);

/* The launcher's own. */
extern void kafka_registry_set_launcher(int pid);
extern int	kafka_registry_launcher(TimestampTz *started);	/* pid, 0: none */
extern uint32 kafka_registry_next_generation(void); /* under the lock */

/*
 * A worker's own entry: it takes it, or ends the process where it is not wanted any more.  It
 * gives it back when the process ends, and tells the launcher; `end` says how, DIED unless set.
 * Called before the process is connected, so that by then it is not in the database any more.
 */
extern KafkaWorker kafka_registry_attach(int i, uint32 generation);
extern void kafka_registry_set_end(KafkaWorkerEnd end);

/* This process is one of them; and the launcher wants it to end, or its database is left. */
extern bool kafka_registry_is_worker(void);
extern bool kafka_registry_is_unwanted(void);

/* The scout's answer: what is to run in its database; and the launcher takes it. */
extern int	kafka_registry_found_max(void);
extern void kafka_registry_answer(const KafkaFound *found, int count);
extern int	kafka_registry_take_answer(KafkaFound *found);	/* -1: there is none */

/*
 * While a session has a database left: no worker of ours stays in it or comes to it.  Until it
 * says that it is done, or ends, or for a minute.
 */
extern bool kafka_registry_leave(Oid database); /* false: too many at a time */
extern void kafka_registry_leave_done(void);
extern bool kafka_registry_is_left(Oid database);
extern TimestampTz kafka_registry_left_until(Oid database); /* 0: it is not */

/* Pids of the workers that are in a database, or 0 for one that is about to be; how many. */
extern int	kafka_registry_workers_in(Oid database, int *pids, int max);

#endif							/* KAFKA_WORKER_REGISTRY_H */
