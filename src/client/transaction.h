/*-------------------------------------------------------------------------
 *
 * transaction.h
 *	  Kafka's transactions on a producer.
 *
 * Layer 1.  A producer has at most one transaction at a time.  What stands between begin and
 * commit is visible to read_committed readers as a whole, or not at all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_TRANSACTION_H
#define KAFKA_TRANSACTION_H

#include "postgres.h"

#include "client/producer.h"

/* Transactional ids with this prefix are the extension's own. */
#define KAFKA_TRANSACTIONAL_ID_PREFIX "kafka_fdw."

/* The session has so many ids for a server and user, used in turn. */
#define KAFKA_TRANSACTIONAL_IDS 2

/*
 * A producer for one transaction under one of the session's own ids, as
 * kafka_producer_open().  Raises 53000 when all ids are in use.
 */
extern KafkaProducer *kafka_transaction_open(const KafkaOptions *opts);

/* The same under the caller's id. */
extern KafkaProducer *kafka_transaction_open_named(const KafkaOptions *opts, const char *id);

/*
 * begin also does init_transactions where it is still to be done, which fences and cleans up
 * what a predecessor with the same id left.
 */
extern void kafka_transaction_begin(KafkaProducer *producer);

/*
 * Commits; the messages should be flushed before.  Raises 08007 when the outcome is unknown
 * (no answer for kafka_fdw.commit_timeout, or fenced).  A producer that is closed
 * before it has committed aborts in the background.
 */
extern void kafka_transaction_commit(KafkaProducer *producer);

/*
 * The same where nothing may be raised, in a commit callback: at most limit_ms; a cancel or a
 * terminate ends the wait.  False with the reason in why where it is not known to be
 * committed; then the producer is to be closed.
 */
extern bool kafka_transaction_commit_quietly(KafkaProducer *producer, int limit_ms,
											 char *why, size_t why_size);

/*
 * After a commit: waits until read_committed readers see its messages, at most limit_ms.
 * False with the reason in why if that was not seen.  Raises nothing and leaves a cancel
 * pending.
 */
extern bool kafka_transaction_await_visible(KafkaProducer *producer, int limit_ms,
											char *why, size_t why_size);

/*
 * One of this backend's transactional ids for a server and user: bounded in number, stable
 * by backend slot, different for a clone of this instance (doc/architecture.md).  palloc'd.
 */
extern char *kafka_transactional_id(const KafkaOptions *opts, int number);

#endif							/* KAFKA_TRANSACTION_H */
