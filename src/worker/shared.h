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

/* The library was preloaded: there are workers. */
extern bool kafka_workers_are_there(void);

/*
 * The transaction has committed rows into this outbox: its relay, wherever it runs, looks now.
 * For the COMMIT event: no lock, no allocation, nothing raised.  KAFKA_ALL_OUTBOXES: of the database.
 */
#define KAFKA_ALL_OUTBOXES (-1)
extern void kafka_workers_wake_relay(Oid database, int32 outbox);

/*
 * Outboxes of this database were made, started or stopped: launcher and relays look at
 * kafka.outbox_definition again.  For after the COMMIT, as above.
 */
extern void kafka_workers_wake_launcher(Oid database);

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

/* Has somebody woken this relay since it last asked?  Cleared by asking; true without shared memory. */
extern bool kafka_workers_was_woken(void);

/* The process that relays an outbox of this database and its status (a copy); 0: none. */
extern int	kafka_workers_relay_of(int32 outbox, KafkaRelayStatus *status);

#endif							/* KAFKA_WORKER_SHARED_H */
