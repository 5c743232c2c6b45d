/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The extension's background workers: their main functions, and what they share.
 *
 * Layer 3, private to src/worker and module.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WORKER_H
#define KAFKA_WORKER_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "ground/host.h"
#include "nodes/pg_list.h"
#include "worker/registry.h"

/* Registers the launcher where the library is being preloaded; called once, from _PG_init. */
extern void kafka_launcher_init(void);

/* Hooks into commands on databases, likewise. */
extern void kafka_leave_init(void);

/* What PostgreSQL starts, by name. */
extern PGDLLEXPORT void kafka_launcher_main(Datum arg);
extern PGDLLEXPORT void kafka_scout_main(Datum arg);
extern PGDLLEXPORT void kafka_relay_worker_main(Datum arg);
extern PGDLLEXPORT void kafka_pipeline_worker_main(Datum arg);

/* A database that can be connected to, and whose outboxes and pipelines are to run. */
typedef struct KafkaDatabase
{
	Oid			oid;
	TimestampTz next_look;		/* of a scout */
	int			failures;		/* of scouts, in a row */
	bool		seen;			/* when the catalog was last read */
} KafkaDatabase;

/* Does kafka_fdw.relay_databases name it, or is that empty? */
extern bool kafka_workers_allow_database(const char *name);

/*
 * Reads pg_database in a transaction of its own.  New databases are added to the list, to be
 * looked at now, in the current memory context; those that are gone, or not meant any more, are
 * taken off it.
 */
extern List *kafka_databases_refresh(List *databases);

/*
 * At the start of a worker's main: takes its entry (registry.h), and connects to its database as
 * the bootstrap superuser.  It waits for no lock of others' for longer than lock_timeout (ms; 0:
 * no limit), and no setting of the database's or a role's makes it do other than it should.  The
 * memory context is one that stays, then.
 */
extern KafkaWorker kafka_worker_connect(Datum arg, int lock_timeout);

/* The name of that database. */
extern const char *kafka_worker_database(void);

/* How a worker's work is cut into transactions, and when it is to stop. */
extern const KafkaHost kafka_worker_host;

/* How a worker ended that was to stop. */
extern KafkaWorkerEnd kafka_worker_stopped(void);

#endif							/* KAFKA_WORKER_H */
