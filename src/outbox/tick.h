/*-------------------------------------------------------------------------
 *
 * tick.h
 *	  Ticks: which rows of an outbox are published together.
 *
 * Layer 3, private to src/outbox.  All of it is called between the host's begin and commit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_TICK_H
#define KAFKA_OUTBOX_TICK_H

#include "postgres.h"

#include "outbox/rows.h"
#include "utils/uuid.h"

/* What a snapshot sees: transactions before xmax, without those in xip. */
typedef struct KafkaSnapshot
{
	uint64		xmax;
	int			nxip;
	uint64	   *xip;			/* ascending */
	char	   *text;			/* as pg_snapshot writes it */
} KafkaSnapshot;

typedef struct KafkaTick
{
	int64		tick;			/* 0: before the first one, sees nothing */
	pg_uuid_t	token;
	KafkaSnapshot snapshot;
	bool		restored;		/* from a dump */
} KafkaTick;

/* What a tick says of those before it. */
typedef struct KafkaTickProgress
{
	int64		acknowledged;	/* last tick that is known to be published */
	int64		messages;
	int64		transactions;
} KafkaTickProgress;

/* A deep copy in the current memory context. */
extern KafkaTick kafka_tick_copy(const KafkaTick *tick);

/* The snapshot of this moment. */
extern KafkaSnapshot kafka_snapshot_now(void);

/* Parses what pg_snapshot writes. */
extern KafkaSnapshot kafka_snapshot_parse(const char *text);

/*
 * Transactions that are finished for a snapshot, and were not for an earlier one; palloc'd.
 */
extern KafkaXidRanges kafka_snapshot_between(const KafkaSnapshot *from, const KafkaSnapshot *to);

/*
 * Stores a tick with a new token; the caller holds the lease.
 */
extern void kafka_tick_store(int32 outbox, KafkaTick *tick, const KafkaTickProgress *progress);

/* The first tick behind `after`; false if there is none. */
extern bool kafka_tick_next(int32 outbox, int64 after, KafkaTick *tick);

/* The last one before `number`, tick 0 at least. */
extern void kafka_tick_before(int32 outbox, int64 number, KafkaTick *tick);

/* The one of that number; false if there is none. */
extern bool kafka_tick_find(int32 outbox, int64 number, KafkaTick *tick);

/* The last one, and what is known of progress; 0 where there is none. */
extern int64 kafka_tick_last(int32 outbox, KafkaTickProgress *progress);

/* Notes in the last tick, number `last`, what is published by now. */
extern void kafka_tick_acknowledge(int32 outbox, int64 last, const KafkaTickProgress *progress);

/* Rows that are written from now on have ids above this one, so that no message has another's. */
extern void kafka_tick_raise_ids(int64 highest);

/* Forgets ticks before this one. */
extern void kafka_tick_forget_before(int32 outbox, int64 tick);

/* Are there rows that came from a dump, and that no tick has? */
extern bool kafka_tick_has_restored_rows(int32 outbox);

/*
 * Rows from a dump that were published where they came from go: those that `whole` sees, and of
 * those that `part` sees the ones up to `row`.  The others are as if this transaction had written
 * them.
 */
extern void kafka_tick_adopt_restored_rows(int32 outbox, const KafkaSnapshot *whole,
										   const KafkaSnapshot *part, int64 row);

#endif							/* KAFKA_OUTBOX_TICK_H */
