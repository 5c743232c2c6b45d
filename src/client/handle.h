/*-------------------------------------------------------------------------
 *
 * handle.h
 *	  Handles of librdkafka, cached for the session.
 *
 * Layer 1.  Opaque to the layers above, which see topics, consumers and producers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_HANDLE_H
#define KAFKA_HANDLE_H

#include "postgres.h"

#include "client/property.h"
#include "ground/options.h"
#include "utils/timestamp.h"

typedef struct KafkaHandle KafkaHandle;

/*
 * A handle for this server, user and role with exactly these properties: a cached one
 * that nobody uses, else a new one.  The caller owns it until release or discard; both
 * may be called from abort and exit paths and never throw.  Raises HV00D, 22023, 42501
 * for options and 53000 when descriptors run out.
 *
 * transactional_id: for KAFKA_ROLE_TRANSACTIONAL only, else NULL.
 */
extern KafkaHandle *kafka_handle_acquire(const KafkaOptions *opts, KafkaRole role,
										 const char *transactional_id);

/* Gives the handle back to the cache. */
extern void kafka_handle_release(KafkaHandle *handle);

/* Destroys the handle: its state is not known, or not clean. */
extern void kafka_handle_discard(KafkaHandle *handle);

/*
 * The session's metadata handle for a server.  Shared: it is used within one call and
 * never released.
 */
extern KafkaHandle *kafka_handle_admin(const KafkaOptions *opts);

/* The same for what group_offsets.c asks. */
extern KafkaHandle *kafka_handle_groups(const KafkaOptions *opts);

/* One of the session's handles, for a look from SQL. */
typedef struct KafkaClient
{
	Oid			serverid;
	Oid			userid;
	KafkaRole	role;
	const char *transactional_id;	/* or NULL */
	bool		in_use;
	bool		stale;			/* options have changed: it is not used again */
	bool		reachable;		/* false: the last thing heard is that no broker is */
	TimestampTz started;
	const char *name;			/* librdkafka's, unique in the session */
	KafkaHandle *handle;
} KafkaClient;

/* The session's handles, as a List of KafkaClient, palloc'd; good until one is destroyed. */
extern List *kafka_handle_list(void);

/*
 * The session is to be as if it were new: every handle that nobody uses is destroyed.  Never
 * throws.
 */
extern void kafka_handle_close_all_idle(void);

/* Registers the exit and invalidation callbacks; called once, from _PG_init. */
extern void kafka_handle_init(void);

#endif							/* KAFKA_HANDLE_H */
