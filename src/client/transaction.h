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
 * before it has committed aborts in the background.  After a cancel the commit goes on;
 * calling again waits for the same one.
 */
extern void kafka_transaction_commit(KafkaProducer *producer);

/* Begins the same and returns at once; kafka_transaction_commit() then waits for it. */
extern void kafka_transaction_commit_start(KafkaProducer *producer);

/*
 * The last commit succeeded, but not smoothly: a copy of its request may still be on its way, and
 * would commit what is open when it arrives.  The producer is to be closed, and another one opened
 * under its id.
 */
extern bool kafka_transaction_is_suspect(const KafkaProducer *producer);

/* Aborts, and waits until Kafka has confirmed that; after a cancel as commit. */
extern void kafka_transaction_abort(KafkaProducer *producer);

/*
 * On a producer that has not begun: fences and ends what its id has left open, no more.
 */
extern void kafka_transaction_settle(KafkaProducer *producer);

/*
 * The same for those of the session's own ids whose last transaction did not end cleanly: whoever
 * waits for that one's end would else wait for "transaction.timeout.ms".
 */
extern void kafka_transaction_settle_own(const KafkaOptions *opts);

/* Where a consumer group goes on in a partition. */
typedef struct KafkaGroupOffset
{
	const char *topic;
	int32		partition;
	int64		offset;			/* of the next message to read */
	const char *metadata;		/* UTF-8, or NULL */
} KafkaGroupOffset;

/*
 * The offsets become the group's with the commit.  Topics and partitions must exist, or it
 * waits for kafka_fdw.commit_timeout.  After an error, also a cancel, the transaction can only
 * be aborted.
 */
extern void kafka_transaction_send_offsets(KafkaProducer *producer, const char *group_id,
										   const KafkaGroupOffset *offsets, int n);

/* How a producer's transaction is, after an error of one of the calls above. */
typedef enum KafkaTransactionHealth
{
	KAFKA_TRANSACTION_SOUND,	/* open, as before */
	KAFKA_TRANSACTION_FAILED,	/* open, and can only be aborted */
	KAFKA_TRANSACTION_FENCED,	/* a newer producer has its id, or it took too long */
	KAFKA_TRANSACTION_BUSY,		/* its commit or abort may still be under way */
	KAFKA_TRANSACTION_LOST		/* this producer will not tell what became of it */
} KafkaTransactionHealth;

/* Raises nothing. */
extern KafkaTransactionHealth kafka_transaction_health(KafkaProducer *producer);

/*
 * A commit or abort that was left alone is done; then take_result tells, once, whether it
 * succeeded, else with the reason in why.  They raise nothing.
 */
extern bool kafka_transaction_has_result(const KafkaProducer *producer);
extern bool kafka_transaction_take_result(KafkaProducer *producer, char *why, size_t why_size);

/* The session needs no client under that id any longer. */
extern void kafka_transaction_forget_client(const char *id);

/*
 * The same where nothing may be raised, in a commit callback: at most limit_ms; a cancel or a
 * terminate ends the wait; a helper thread goes on for a while.  False with the reason in why where it is not known to be
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
