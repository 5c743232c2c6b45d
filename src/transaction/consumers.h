/*-------------------------------------------------------------------------
 *
 * consumers.h
 *	  The session's consumers, whose positions belong to the transaction.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CONSUMERS_H
#define KAFKA_CONSUMERS_H

#include "postgres.h"

#include "client/member.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

/* Where a consumer's offsets are kept. */
typedef enum KafkaOffsetStore
{
	KAFKA_STORE_NONE,			/* nowhere: kafka.assign without a group */
	KAFKA_STORE_KAFKA,			/* the group, after COMMIT */
	KAFKA_STORE_POSTGRES,		/* kafka.consumer_offset, in the transaction */
	KAFKA_STORE_TRANSACTION		/* the group, in the Kafka transaction of this one's sends */
} KafkaOffsetStore;

typedef enum KafkaStart
{
	KAFKA_START_EARLIEST,
	KAFKA_START_LATEST,
	KAFKA_START_NONE			/* a partition without an offset is an error */
} KafkaStart;

/* What kafka.subscribe and kafka.assign say of a consumer. */
typedef struct KafkaConsumerSpec
{
	const char *name;
	const KafkaOptions *opts;	/* group_id NULL: not in a group; strings of Kafka's in UTF-8 */
	char	  **topics;
	int			ntopics;
	KafkaOffsetStore store;
	KafkaStart	start;
	bool		auto_commit;
	bool		allow_table_writes; /* KAFKA_STORE_TRANSACTION beside rows of tables */
	bool		chosen;			/* kafka.assign */
	const char *identity;		/* all of it as one text: equal text, equal consumer; or "" */
} KafkaConsumerSpec;

/* What a consumer knows of a partition that it has, or had. */
typedef struct KafkaPosition
{
	KafkaMemberPartition *partition;	/* with the position itself */
	int64		marked;			/* by kafka.commit_offsets; KAFKA_UNKNOWN: no */
	char	   *metadata;		/* that goes with it, in the transaction's memory; or NULL */
	int64		committed;		/* what the store has, as far as is known; or KAFKA_UNKNOWN */
	int64		target;			/* what this transaction's end makes of it; or KAFKA_UNKNOWN */
	int64		epoch;			/* of the claim in kafka.consumer_offset; 0: none */
	int64		start;			/* where it began with no offset stored; or KAFKA_UNKNOWN */
	bool		stored;			/* the group has that, too */
	bool		lost;			/* the group took it away with messages of this transaction */
	int			level;			/* nesting level that has saved it, 0: none */
} KafkaPosition;

/* A position as it was before a nesting level changed it. */
typedef struct KafkaSavedPosition
{
	KafkaPosition *position;
	KafkaPosition before;
	int64		offset;			/* partition->position then */
	int			level;
} KafkaSavedPosition;

typedef struct KafkaSessionConsumer
{
	KafkaConsumerSpec spec;
	Oid			serverid;
	Oid			userid;			/* who made it, and alone may use it */
	MemoryContext context;		/* of this struct and all that is in it */
	KafkaMember *member;

	KafkaPosition **positions;
	int			npositions;
	int			max_positions;
	KafkaSavedPosition *saved;	/* in this transaction, oldest first */
	int			nsaved;
	int			max_saved;
	bool		touched;		/* a COMMIT has something to store though nothing has moved */
	bool		async;			/* COMMIT does not wait for the group's answer */
	bool		must_reload;	/* positions are to be had from the store again */
	uint32		topics_checked; /* looks at topics in silence, one after the other */
	KafkaGroupOffset *offsets;	/* of this transaction's end, in its memory */
	int			noffsets;

	/* for a look */
	TimestampTz created;
	TimestampTz last_poll;		/* 0: never */
	int64		messages;
	int64		rebalances;
	int64		commit_failures;
} KafkaSessionConsumer;

/*
 * Makes the consumer, in place of one of that name; one with the same identity stays as it is.
 * Raises 25000 where that one has positions to commit.  For kafka.assign the partitions
 * follow by kafka_consumers_assign().
 */
extern KafkaSessionConsumer *kafka_consumers_make(const KafkaConsumerSpec *spec, bool *is_new);

/* Raises 42704 where there is none of that name, 42501 where it is another user's. */
extern KafkaSessionConsumer *kafka_consumers_find(const char *name);

/* In the order they were made. */
extern List *kafka_consumers_list(void);

/* Raises 25000 with positions to commit. */
extern void kafka_consumers_refuse_pending(const KafkaSessionConsumer *consumer);

/* The same error. */
extern void kafka_consumers_close(KafkaSessionConsumer *consumer);

/* It leaves its group and has no partitions any longer; the same errors. */
extern void kafka_consumers_leave(KafkaSessionConsumer *consumer);

/* All of them, at DISCARD ALL.  Never throws. */
extern void kafka_consumers_close_all(void);

/* The group has gone on: what this transaction has read no longer counts (40001). */
extern KAFKA_NORETURN void kafka_consumers_throw_lost(const KafkaSessionConsumer *consumer);

/* Positions that have moved in this transaction. */
extern bool kafka_consumers_is_pending(const KafkaSessionConsumer *consumer);

/* Made where it is new. */
extern KafkaPosition *kafka_consumers_position(KafkaSessionConsumer *consumer,
											   KafkaMemberPartition *partition);

/* Before anything in it changes: so that a rollback finds it as it was. */
extern void kafka_consumers_save(KafkaSessionConsumer *consumer, KafkaPosition *position);

/* The partition goes on at that offset, until a rollback. */
extern void kafka_consumers_move(KafkaSessionConsumer *consumer, KafkaPosition *position,
								 int64 offset);

/* ------------------------------------------------------------------------
 * The transaction's end, for commit.c
 * ------------------------------------------------------------------------
 */

/* Positions have moved, of some consumer. */
extern bool kafka_consumers_are_pending(void);

/* PRE_COMMIT: stores what goes into kafka.consumer_offset (40001), prepares the rest. */
extern void kafka_consumers_before_commit(void);

/* Those whose offsets go with a Kafka transaction, after kafka_consumers_before_commit(). */
extern List *kafka_consumers_transactional(void);

/* COMMIT: at most limit_ms for all, raises nothing. */
extern void kafka_consumers_commit(int limit_ms);

/* ABORT: positions are as they were. */
extern void kafka_consumers_abort(void);

extern void kafka_consumers_subabort(int level);
extern void kafka_consumers_subcommit(int level);

#endif							/* KAFKA_CONSUMERS_H */
