/*-------------------------------------------------------------------------
 *
 * relay_internal.h
 *	  What the files of a relay share.
 *
 * Layer 3, private to src/outbox.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_RELAY_INTERNAL_H
#define KAFKA_OUTBOX_RELAY_INTERNAL_H

#include "postgres.h"

#include "client/producer.h"
#include "outbox/lease.h"
#include "outbox/outbox.h"
#include "outbox/position.h"
#include "outbox/relay.h"
#include "outbox/tick.h"
#include "worker/shared.h"

/* Transactional ids that are used in turn: the next one starts while the last one's markers are written. */
#define KAFKA_RELAY_PRODUCERS 2

typedef struct KafkaRelay
{
	const KafkaHost *host;
	bool		waits;			/* a worker: it stays when nothing is left */
	KafkaOutbox outbox;
	KafkaRelayStatus *status;
	MemoryContext context;		/* of this struct */

	/* from a start to the next one */
	MemoryContext session;
	KafkaOptions *opts;
	char	   *topic;			/* of positions */
	KafkaIncarnation self;
	int64		epoch;
	pg_uuid_t	claim;
	KafkaProducer *producers[KAFKA_RELAY_PRODUCERS];
	KafkaTarget *positions[KAFKA_RELAY_PRODUCERS];
	int			turn;			/* whose the next transaction is */
	uint64		generation;		/* of the outboxes' definitions, with the last round */
	uint64		judged_generation;	/* when it last looked whether it is wanted */
	bool		recorded;		/* the last tick says that it is published */
	List	   *topics;			/* of RelayTopic (publish.c), last used first */

	/* where it stands */
	KafkaOutboxPosition position;	/* as Kafka has it: tick, token, row */
	MemoryContext base_context;
	KafkaTick	base;			/* the last tick that is published whole */
	KafkaTickProgress progress;
	int			batch_divisor;	/* smaller batches while transactions take too long */
	TimestampTz begun;			/* the last Kafka transaction */
	int64		first_row;		/* of that transaction; 0: it has none */
	int64		last_row;
	bool		shown;			/* as running */
	bool		finished;		/* max_ticks were made, or nothing is left and it is not to wait */
	bool		behind;			/* outbox_tick may have ticks behind the base */
	int64		forgotten;		/* ticks before this one are gone */
} KafkaRelay;

/* The header by which a message of an outbox is known: its UUID, a slash, the row's number. */
#define KAFKA_OUTBOX_ID_HEADER "kafka_fdw.id"

/* What a start came to. */
typedef struct KafkaRelayStart
{
	KafkaRelayEnd end;			/* KAFKA_RELAY_DONE: it may relay */
	char	   *reason;			/* of UNRESOLVED; in the relay's session context */
} KafkaRelayStart;

/* start.c: from nothing to a claim in Kafka and a base.  Raises what may be better later. */
extern KafkaRelayStart kafka_relay_start(KafkaRelay *relay);

/* start.c: lets go of what a session had: producers with transactions of any state above all. */
extern void kafka_relay_forget_session(KafkaRelay *relay);

/* start.c: server or user mapping are not as they were when the session began. */
extern bool kafka_relay_has_new_options(KafkaRelay *relay);

/* start.c: opens a producer in the place of the one with that number; fences what has its id. */
extern void kafka_relay_open_producer(KafkaRelay *relay, int number);

/* start.c: everything of this tick is published; it is copied. */
extern void kafka_relay_set_base(KafkaRelay *relay, const KafkaTick *base);

/*
 * publish.c: publishes a tick, which stands in outbox_tick and is durable; it is the base then.
 * False: the host wants to stop, and a part of it is published.
 * Between begin and commit: what is needed of Kafka looks into PostgreSQL's catalogues.
 */
extern bool kafka_relay_publish(KafkaRelay *relay, const KafkaTick *tick);

/* publish.c: one Kafka transaction with nothing but the position, as it is; the same. */
extern void kafka_relay_write_position(KafkaRelay *relay);

/*
 * settle.c: waits while rows that are about to be sent stand in this topic in a transaction that is
 * open still; id_prefix: of their header, up to the row's number.
 */
extern void kafka_relay_await_topic(const KafkaRelay *relay, const char *topic, int32 npartitions,
									const char *id_prefix, const KafkaRowScan *rows);

/* ring.c: published rows that are old enough go, and new rows come into another part. */
extern void kafka_relay_turn_ring(KafkaRelay *relay);

/*
 * What the last transaction of PostgreSQL has committed is where a failover would not lose it.  False:
 * the relay is to stop.
 */
extern bool kafka_relay_await_replicated(KafkaRelay *relay);

/* The host's begin, with the settings that the outbox's queries are planned and run with. */
extern void kafka_relay_begin(KafkaRelay *relay);
extern void kafka_relay_commit(KafkaRelay *relay);

/* The same for what no standby has to have before the transaction gives back its locks. */
extern void kafka_relay_begin_here(KafkaRelay *relay);

#endif							/* KAFKA_OUTBOX_RELAY_INTERNAL_H */
