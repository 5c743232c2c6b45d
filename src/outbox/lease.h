/*-------------------------------------------------------------------------
 *
 * lease.h
 *	  Who relays an outbox, and how that is: kafka.outbox_lease.
 *
 * Layer 3, private to src/outbox.  All of it is called between the host's begin and commit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_LEASE_H
#define KAFKA_OUTBOX_LEASE_H

#include "postgres.h"

#include "utils/uuid.h"

/* What kafka.outbox_resolve has been told to do about an outbox that is unresolved. */
typedef enum KafkaResolution
{
	KAFKA_RESOLUTION_NONE,
	KAFKA_RESOLUTION_TAKE_OVER, /* another instance's claim does not count; its position does */
	KAFKA_RESOLUTION_REPUBLISH, /* what is not known here to be published is published */
	KAFKA_RESOLUTION_SKIP		/* what is committed by now counts as published */
} KafkaResolution;

typedef struct KafkaLease
{
	int64		epoch;
	pg_uuid_t	claim;
	pg_uuid_t	previous_claim;
	bool		confirmed;
	KafkaResolution resolution;
	char	   *resolved;		/* a snapshot as text: when that was; or NULL */
} KafkaLease;

/*
 * Takes the outbox: nobody who had it before can make a tick any more.  A process that takes it
 * again after an error leaves the state as it is.
 */
extern void kafka_lease_take(int32 outbox, const char *incarnation, KafkaLease *lease);

/* Is it still ours?  If so it stays ours to the end of the transaction. */
extern bool kafka_lease_hold(int32 outbox, int64 epoch);

/* The same at this moment only. */
extern bool kafka_lease_is_ours(int32 outbox, int64 epoch);

/* The claim that is about to be written into Kafka, and what stands there now; false: not ours. */
extern bool kafka_lease_claim(int32 outbox, int64 epoch, const pg_uuid_t *claim,
							  const pg_uuid_t *found);

/* Kafka has it; a resolution has been carried out.  False: not ours. */
extern bool kafka_lease_confirm(int32 outbox, int64 epoch);

/*
 * How it is, if it is ours: a state of kafka.outbox_lease, why (NULL: nothing to say), and an
 * error to note (NULL: none).  `gone` as well says that this process relays no longer.  A
 * resolution that has left it unresolved is spent.
 */
typedef struct KafkaLeaseState
{
	const char *state;
	const char *reason;
	const char *error;
	bool		gone;
} KafkaLeaseState;

extern void kafka_lease_set_state(int32 outbox, int64 epoch, const KafkaLeaseState *state);

/* Words of kafka.outbox_resolve; raises 22023 for any other. */
extern KafkaResolution kafka_resolution_of(const char *word);

/* Notes what the next relay is to do, and ends the lease of this one. */
extern void kafka_lease_resolve(int32 outbox, const char *word);

/* Nobody has to decide anything: the outbox is this database's, and is not unresolved. */
extern bool kafka_lease_is_settled(int32 outbox, const char *incarnation);

/* Is something noted that no relay has carried out yet? */
extern bool kafka_lease_has_resolution(int32 outbox);

/* Why it is unresolved or waiting, palloc'd; NULL: nothing is said. */
extern char *kafka_lease_reason(int32 outbox);

#endif							/* KAFKA_OUTBOX_LEASE_H */
