/*-------------------------------------------------------------------------
 *
 * outbox.h
 *	  The outboxes of this database: kafka.outbox_definition.
 *
 * Layer 3.  An outbox has rows of its own, an order of its own, and one relay.  There is one
 * for each server and user mapping that somebody has sent through with delivery "outbox", made
 * when that is first done, and one for each table that was given to kafka.create_outbox.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_H
#define KAFKA_OUTBOX_H

#include "postgres.h"

#include "ground/options.h"
#include "ground/query.h"
#include "utils/uuid.h"

typedef struct KafkaOutbox
{
	int32		id;
	char	   *name;
	pg_uuid_t	uuid;
	char	   *server;			/* name */
	char	   *username;		/* "": the mapping for PUBLIC, or none */
	bool		enabled;
} KafkaOutbox;

/* One whose rows are copied from a table, kafka.create_outbox; what is not given is NULL. */
typedef struct KafkaOutboxSource
{
	KafkaOutbox outbox;
	Oid			relid;			/* InvalidOid: an outbox of a server and user mapping */
	char	   *topic;			/* of all rows, or what stands before a topic_column's value */
	char	   *topic_column;
	char	   *key_column;
	char	   *value_column;
	char	   *headers_column;
	char	   *id_column;
	char	   *owner;			/* the table's, when the outbox was made: name */
} KafkaOutboxSource;

/* Where the messages of a sender go. */
typedef struct KafkaOutboxSender
{
	int32		outbox;
	int			partitioner;	/* of its rows */
	int64		max_message;	/* what the relay can send, bytes (client/property.h) */
} KafkaOutboxSender;

/* By name, palloc'd; NULL, or raises 42704 that names it, where there is none. */
extern KafkaOutbox *kafka_outbox_find(const char *name, bool missing_ok);

/* By number; NULL where there is none any more. */
extern KafkaOutbox *kafka_outbox_by_id(int32 id);

/* By name with what it has of a table; as kafka_outbox_find(name, false). */
extern KafkaOutboxSource *kafka_outbox_source(const char *name);

/* The one that copies a table's rows; NULL where there is none. */
extern KafkaOutboxSource *kafka_outbox_of_table(Oid relid);

/* Is there still one of that number?  As far as this session has heard; cheap. */
extern bool kafka_outbox_exists(int32 id);

/* All of them, as a List of KafkaOutbox in the order of their names, palloc'd. */
extern List *kafka_outbox_list(void);

/*
 * What its relay connects with.  Raises 42704 where server or role are gone.
 */
extern KafkaOptions *kafka_outbox_options(const KafkaOutbox *outbox);

/*
 * The same, checked: raises as kafka_property_collect where a relay may not connect with them, and
 * says in the context whose they are.
 */
extern KafkaOptions *kafka_outbox_check_relay(const KafkaOutbox *outbox);

/*
 * The outbox for messages through this server as this user; made where it is new.  Remembered in
 * the session.  Its partitioner is KAFKA_OUTBOX_PARTITIONER (row.h), or that of a foreign table
 * where it is not the server's.  Raises what kafka_outbox_check_relay does.
 */
extern KafkaOutboxSender kafka_outbox_of_sender(const KafkaOptions *opts);

/*
 * Something in outbox_definition or outbox_ring has changed, or is about to: every session looks
 * again.  Called in the transaction that changes it.
 */
extern void kafka_outbox_changed(void);

/*
 * Raised by each such change, wherever it was made: what was remembered before no longer holds.  In
 * a transaction.
 */
extern uint64 kafka_outbox_generation(void);

/*
 * Whose user mapping an outbox for messages through this server as this user has: his name, or ""
 * where he has none of his own.
 */
extern const char *kafka_outbox_username(Oid serverid, Oid userid);

/* A WARNING, once in a session, where the library is not preloaded: nobody publishes by himself. */
extern void kafka_outbox_warn_without_workers(void);

/* For row.c: the transaction has ended; a launcher hears of what it has changed.  Raises nothing. */
extern void kafka_outbox_end_transaction(bool committed);

/*
 * restored.c: the rows of outboxes and ticks that are inserted by SQL from here on are the
 * extension's own, not a dump's.  Off again at the end of the transaction by itself.
 */
extern void kafka_outbox_own_write(bool own);

/* As kafka_query_run, for one that inserts into outbox_definition. */
extern uint64 kafka_outbox_run_own(KafkaQuery *query, Datum *values, const char *nulls);

/* renamed.c: hooks into utility commands; called once, from _PG_init. */
extern void kafka_outbox_renamed_init(void);

#endif							/* KAFKA_OUTBOX_H */
