/*-------------------------------------------------------------------------
 *
 * load.h
 *	  Messages into a pipeline's target.
 *
 * Layer 3, private to src/pipeline and the pipelines' functions in src/sql.
 *
 * A loader is made in each transaction, as the pipeline's owner (kafka_pipeline_enter): so it sees
 * the target as it is now.  It lives in the memory context that it was made in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_LOAD_H
#define KAFKA_PIPELINE_LOAD_H

#include "postgres.h"

#include "ground/message.h"
#include "pipeline/pipeline.h"

typedef struct KafkaLoader KafkaLoader;

/* Is it kafka.message[], which a handler has for its argument? */
extern bool kafka_loader_takes(Oid type);

/* What a load did. */
typedef struct KafkaLoaded
{
	int64		rows;			/* inserted, updated, deleted; or handed to the handler */
	int64		skipped;		/* left out by the source's on_error, mode ignore, a trigger */
} KafkaLoaded;

/*
 * Raises what is wrong with the definition, not with a message: 42P01, 42703, 42501 and the like,
 * 42804 where a column's type does not become the target's, 42809 for a target that is no table or
 * view, 428C9 for a column that is always generated, 42P10 where upsert finds no unique constraint
 * for its columns.
 */
extern KafkaLoader *kafka_loader_begin(const KafkaPipeline *pipeline);

/*
 * Loads messages in their order.  All effects are in the current (sub)transaction: whoever wants
 * to go on after an error calls it in one, and may call it again, with the same loader, after that
 * is rolled back.  Deferred constraints are checked before it returns, and stay IMMEDIATE until
 * the transaction ends or the loader loads again.  skipped[i], unless NULL, is set for messages
 * that were left out.  Adds to *loaded.  Errors of a message have its topic, partition and offset
 * in their context where it is known which one it was.
 */
extern void kafka_loader_load(KafkaLoader *loader, const KafkaMessage *messages, int n,
							  bool *skipped, KafkaLoaded *loaded);

/* After an error: the message (index of the last call) that caused it, or -1: not known. */
extern int	kafka_loader_culprit(const KafkaLoader *loader);

/* Needs the messages' headers? */
extern bool kafka_loader_needs_headers(const KafkaLoader *loader);

/*
 * The row that a message is, as the loader would load it: a jsonb object by the target's columns;
 * NULL for a handler, a tombstone in upsert mode, and a message that is left out.  Raises as a
 * load.
 */
extern Jsonb *kafka_loader_show(KafkaLoader *loader, const KafkaMessage *message);

/* Constraints that are initially deferred are so again, for what the caller's transaction does after the loads. */
extern void kafka_loader_defer_constraints(KafkaLoader *loader);

/* Within the same transaction as it was begun. */
extern void kafka_loader_end(KafkaLoader *loader);

#endif							/* KAFKA_PIPELINE_LOAD_H */
