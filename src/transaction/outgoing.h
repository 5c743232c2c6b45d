/*-------------------------------------------------------------------------
 *
 * outgoing.h
 *	  Where the messages of this transaction go: what send.c and commit.c share.
 *
 * Layer 3, private to src/transaction.  All of it lives in TopTransactionContext.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTGOING_H
#define KAFKA_OUTGOING_H

#include "postgres.h"

#include "client/producer.h"
#include "ground/options.h"
#include "nodes/pg_list.h"

/* One Kafka transaction: a server as a user, in one delivery mode. */
typedef struct KafkaSendGroup
{
	KafkaOptions *opts;
	KafkaDeliveryMode mode;
	int64		messages;		/* sent in the transaction's end */
	KafkaProducer *producer;	/* from PRE_COMMIT on */
	bool		committed;
} KafkaSendGroup;

/* A topic that this transaction sends to. */
typedef struct KafkaDestination
{
	KafkaSendGroup *group;
	char	   *topic;
	int32		npartitions;
	KafkaPartitioner partitioner;
	KafkaTarget *target;		/* from PRE_COMMIT on */
} KafkaDestination;

/*
 * The number of the transaction's destination for a topic, for kafka_pending_add(); made
 * where it is new.  Raises what is wrong with the options for this mode.
 */
extern int	kafka_outgoing_destination(const KafkaOptions *opts, const char *topic,
									   int32 npartitions, KafkaDeliveryMode mode);

/* The one for a server as a user in a mode; made where it is new. */
extern KafkaSendGroup *kafka_outgoing_group(const KafkaOptions *opts, KafkaDeliveryMode mode);

/* By number. */
extern KafkaDestination *kafka_outgoing_at(int number);

/* All groups, in the order they were made. */
extern List *kafka_outgoing_groups(void);

/* Drops the pointers, at the end of the transaction, which frees the memory itself. */
extern void kafka_outgoing_forget(void);

/*
 * kafka_fdw.commit_wait 'visible', once the producer's transaction has committed in Kafka: nothing
 * is raised, a wait in vain is a WARNING.
 */
extern void kafka_commit_await_visible(KafkaProducer *producer, const char *server_name,
									   int limit_ms);

/* PRE_COMMIT has begun: what is sent now would come too late. */
extern bool kafka_commit_is_under_way(void);

#endif							/* KAFKA_OUTGOING_H */
