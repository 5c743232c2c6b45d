/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  What sessions and background workers share in memory.
 *
 * Layer 3.  There is none unless the library is in shared_preload_libraries: then nobody is
 * woken, no state is shown, and every function here does nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WORKER_SHARED_H
#define KAFKA_WORKER_SHARED_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "worker/job.h"

/* Asks for the memory where the library is being preloaded; called once, from _PG_init. */
extern void kafka_shared_init(void);

/* The library was preloaded, and kafka_fdw.max_workers is not 0: there are workers. */
extern bool kafka_workers_are_there(void);

/* Raises 55000 where there are none "to" do that; the HINT says what to do instead. */
extern void kafka_workers_require(const char *work, const char *instead);

/*
 * The transaction has committed rows into this outbox: its relay, wherever it runs, looks now.
 * For the COMMIT event: no lock, no allocation, nothing raised.  KAFKA_ALL_OUTBOXES: all of the
 * database.
 */
#define KAFKA_ALL_OUTBOXES KAFKA_ALL_JOBS
extern void kafka_workers_wake_relay(Oid database, int32 outbox);

/* The same for the workers of any job, and for those of all jobs of a database. */
extern void kafka_workers_wake(Oid database, KafkaJobKind kind, int32 id);
extern void kafka_workers_wake_database(Oid database);

/*
 * Outboxes of this database were made, started or stopped: launcher and workers look at the
 * definitions again.  For after the COMMIT, as above.
 */
extern void kafka_workers_wake_launcher(Oid database);

/*
 * The same, and the launcher starts the worker of this job without regard to how the last one
 * ended (unresolved, or failed a moment ago).
 */
extern void kafka_workers_retry(Oid database, KafkaJobKind kind, int32 id);

/* What a relay that runs shows; plain reads and writes of one process each. */
typedef struct KafkaRelayStatus
{
	pg_atomic_uint64 messages;	/* published since it started */
	pg_atomic_uint64 bytes;		/* of their keys and values */
	pg_atomic_uint64 transactions;
	pg_atomic_uint64 tick;		/* the last one that is published */
	pg_atomic_uint64 published; /* when, a TimestampTz */
	pg_atomic_uint64 started;	/* the relay, a TimestampTz */
} KafkaRelayStatus;

/*
 * Enters this process as the relay of an outbox: from now on it is woken by its latch, and its
 * status is seen.  False where another process is entered.  Left at exit, or by leave.  Without
 * shared memory it returns true, with a status that nobody sees.
 */
extern bool kafka_workers_enter_relay(int32 outbox, KafkaRelayStatus **status);
extern void kafka_workers_leave_relay(void);

/*
 * Has somebody woken this relay, or this worker of a pipeline, since it last asked?  Cleared by
 * asking; false where it has no entry, and can only look from time to time.  A latch is set only
 * where the answer was false before: so who does not ask is woken once and never again.  Ask,
 * sleep if not, reset the latch, look at the rows.  What wakes a pipeline's worker: COMMIT of
 * kafka.stop_pipeline and the like, a change of its share, and the launcher when it wants the process to end.
 */
extern bool kafka_workers_was_woken(void);

/* The process that relays an outbox of this database and its status (a copy); 0: none. */
extern int	kafka_workers_relay_of(int32 outbox, KafkaRelayStatus *status);

/*
 * Enters this process as a worker of a pipeline of this database; slot: 0 to parallelism - 1.  The
 * others are woken.  False where another process has the slot, or there is no shared memory.  Left
 * at exit, or by leave; the others are woken again.
 */
extern bool kafka_workers_enter_pipeline(int32 pipeline, int slot);
extern void kafka_workers_leave_pipeline(void);

/*
 * The place of this process among the workers of its pipeline that are entered, by their slots,
 * and how many they are; 0 of 1 where it has not entered.  May change at any time: then it is woken.
 */
extern void kafka_workers_share(int *rank, int *count);

/*
 * For src/worker.  The launcher enters and takes requests, until there are none: to look at a
 * database again (KAFKA_JOB_NONE), or to start what works for a job whatever befell the last
 * process.  Too many of them at once become the one to look everywhere.
 */
extern void kafka_workers_enter_launcher(void);
extern void kafka_workers_set_launcher_latch(void);
extern bool kafka_workers_take_request(KafkaJob *job);
extern bool kafka_workers_take_look_everywhere(void);

#endif							/* KAFKA_WORKER_SHARED_H */
