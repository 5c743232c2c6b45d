/*-------------------------------------------------------------------------
 *
 * manual.h
 *	  Kafka transactions by hand: kafka.begin_transaction and its kin.
 *
 * Layer 3.  Each has a transactional id of the caller's own, and begins and ends when the
 * caller says so, whatever PostgreSQL's transactions do.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_MANUAL_H
#define KAFKA_MANUAL_H

#include "postgres.h"

#include "client/transaction.h"
#include "ground/message.h"
#include "ground/options.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

typedef enum KafkaManualState
{
	KAFKA_MANUAL_READY,			/* nothing has begun */
	KAFKA_MANUAL_IN_TRANSACTION,
	KAFKA_MANUAL_COMMITTING,	/* the outcome is not known, or not yet */
	KAFKA_MANUAL_ABORTING,		/* nothing becomes visible; Kafka has not confirmed that */
	KAFKA_MANUAL_COMMITTED,
	KAFKA_MANUAL_ABORTED,
	KAFKA_MANUAL_FENCED
} KafkaManualState;

/* A transactional id as this session has used it, from its first begin until close. */
typedef struct KafkaManual
{
	char	   *id;
	Oid			serverid;
	Oid			userid;			/* who has begun, and alone may go on */
	char	   *server_name;
	KafkaManualState state;
	TimestampTz since;			/* in this state */
	int64		messages;		/* handed over since begin */
	List	   *groups;			/* consumer groups whose offsets belong to it, as C strings */
	char	   *error;			/* why it can only be aborted, or how it ended; or NULL */
	MemoryContext context;		/* of this struct and its strings */

	/* from begin to the end, in a context of their own */
	MemoryContext work;
	KafkaOptions *opts;
	KafkaProducer *producer;	/* NULL: there is none */
} KafkaManual;

/*
 * Begins as the current user.  Raises 22023 for an id that is not allowed, 25000 if it has
 * begun already, and what Kafka refuses.
 */
extern void kafka_manual_begin(const KafkaOptions *opts, const char *id);

/*
 * The one with that id (NULL: the only open one, else the only one) and server (InvalidOid:
 * any).  Raises 25000 where there is none or more than one, 42501 where it is another user's.
 */
extern KafkaManual *kafka_manual_find(const char *id, Oid serverid);

/* What a commit or abort that was left alone has come to in the meantime. */
extern void kafka_manual_refresh(KafkaManual *manual);

/* These raise 25000 in a wrong state.  The message is queued, its contents are copied. */
extern void kafka_manual_send(KafkaManual *manual, const KafkaMessage *msg);
extern void kafka_manual_send_offsets(KafkaManual *manual, const char *group_id,
									  const KafkaGroupOffset *offsets, int n);
extern void kafka_manual_commit(KafkaManual *manual);
extern void kafka_manual_abort(KafkaManual *manual);

/* Aborts in the background what is open, and forgets the id. */
extern void kafka_manual_close(KafkaManual *manual);

/* The same for all of the session, at DISCARD ALL.  Never throws. */
extern void kafka_manual_close_all(void);

/* "READY" and so on. */
extern const char *kafka_manual_state_name(const KafkaManual *manual);

/* All of this session, as KafkaManual, in the order of their first begin. */
extern List *kafka_manual_list(void);

#endif							/* KAFKA_MANUAL_H */
