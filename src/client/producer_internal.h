/*-------------------------------------------------------------------------
 *
 * producer_internal.h
 *	  What producer.c and transaction.c share.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PRODUCER_INTERNAL_H
#define KAFKA_PRODUCER_INTERNAL_H

#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "client/producer.h"
#include "client/transaction.h"
#include "lib/ilist.h"

struct KafkaTarget
{
	KafkaTarget *next;
	KafkaDelivery untracked;	/* of all messages whose sender does not ask */
	char	   *topic;
	int32		npartitions;
	KafkaPartitioner partitioner;
	rd_kafka_topic_t *rkt;
	uint32		turn;			/* round_robin */
	int64	   *confirmed;		/* last offset of each partition, KAFKA_UNKNOWN if none */
};

typedef enum KafkaTransactionPhase
{
	KAFKA_TRANSACTION_NONE,
	KAFKA_TRANSACTION_OPEN,
	KAFKA_TRANSACTION_UNCLEAN,	/* something failed; nothing of it becomes visible */
	KAFKA_TRANSACTION_UNKNOWN	/* its commit was not answered */
} KafkaTransactionPhase;

struct KafkaProducer
{
	dlist_node	node;			/* in the session's list of producers in use */
	const KafkaOptions *opts;	/* the caller's */
	KafkaHandle *handle;
	KafkaTarget *targets;
	int64		outstanding;	/* messages without a report */
	int			unserved;		/* messages since reports were last looked at */
	bool		refused;		/* a tracked message failed: the handle is not used again */
	KafkaTransactionPhase transaction;
	bool		suspect;		/* committed, but not smoothly: the handle is not used again */
	int			troubles;		/* of the handle, when the transaction began */
	bool		must_abort;		/* the open transaction cannot be committed any more */
	struct TransactionJob *call;	/* its commit, abort or offsets in a helper thread, or NULL */
	instr_time	commit_begun;
	struct KafkaTransactionSlot *slot;	/* of the session's ids, or NULL */
	KafkaReceipt receipt;

	/* the first message that failed */
	rd_kafka_resp_err_t failed;
	const KafkaTarget *failed_target;
	int32		failed_partition;
	char		failed_text[KAFKA_TEXT_SIZE];

	MemoryContext context;
	MemoryContextCallback callback;
};

/* As kafka_producer_open() says, in a role. */
extern KafkaProducer *kafka_producer_open_as(const KafkaOptions *opts, KafkaRole role,
											 const char *transactional_id);

/* Raises the first message's failure. */
extern KAFKA_NORETURN void kafka_producer_throw_failed(KafkaProducer *producer);

/* transaction.c: the producer lets go of its transaction and its id.  Never throws. */
extern void kafka_transaction_detach(KafkaProducer *producer);

/* transaction.c: offsets for a request; the caller destroys the list. */
extern rd_kafka_topic_partition_list_t *kafka_transaction_offset_list(const KafkaGroupOffset *offsets,
																	   int n);

/* As kafka_transaction_send_offsets(), for a member of the group; `group` is the callee's. */
extern void kafka_transaction_send_offsets_as(KafkaProducer *producer,
											  rd_kafka_consumer_group_metadata_t *group,
											  const char *group_id,
											  const KafkaGroupOffset *offsets, int n);

#endif							/* KAFKA_PRODUCER_INTERNAL_H */
