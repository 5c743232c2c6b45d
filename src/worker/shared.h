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

/* Asks for the memory where the library is being preloaded; called once, from _PG_init. */
extern void kafka_shared_init(void);

/* The library was preloaded, and kafka_fdw.max_workers is not 0: there are workers. */
extern bool kafka_workers_are_there(void);

/*
 * The transaction has committed rows into this outbox: its relay, wherever it runs, looks now.
 * For the COMMIT event: no lock, no allocation, nothing raised.  KAFKA_ALL_OUTBOXES: all of the
 * database.
 */
#define KAFKA_ALL_OUTBOXES (-1)
extern void kafka_workers_wake_relay(Oid database, int32 outbox);

/*
 * Outboxes of this database were made, started or stopped: launcher and relays look at
 * kafka.outbox_definition again.  For after the COMMIT, as above.
 */
extern void kafka_workers_wake_launcher(Oid database);

/*
 * The same, and the launcher starts the relay of this outbox without regard to how the last one
 * ended (unresolved, or failed a moment ago).
 */
extern void kafka_workers_retry_relay(Oid database, int32 outbox);

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
 * Has somebody woken this relay since it last asked?  Cleared by asking; false where it has no
 * entry, and can only look from time to time.  A latch is set only where the answer was false
 * before: so who does not ask is woken once and never again.  Ask, sleep if not, reset the latch,
 * look at the rows.
 */
extern bool kafka_workers_was_woken(void);

/* The process that relays an outbox of this database and its status (a copy); 0: none. */
extern int	kafka_workers_relay_of(int32 outbox, KafkaRelayStatus *status);

/*
 * This process among the live workers of its pipeline, in the order of their slots: 0 of 1 where it is
 * none of them.
 */
extern void kafka_workers_share(int *rank, int *count);

/*
 * For src/worker.  The launcher enters and takes requests, until there are none: to look at a
 * database again (outbox 0), or to start a relay whatever befell the last one.  Too many of them
 * at once become the one to look everywhere.
 */
extern void kafka_workers_enter_launcher(void);
extern void kafka_workers_set_launcher_latch(void);
extern bool kafka_workers_take_request(Oid *database, int32 *outbox);
extern bool kafka_workers_take_look_everywhere(void);

#endif							/* KAFKA_WORKER_SHARED_H */
