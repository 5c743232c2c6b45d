/*-------------------------------------------------------------------------
 *
 * check.h
 *	  The steps of kafka.check and kafka.check_server.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SQL_CHECK_H
#define KAFKA_SQL_CHECK_H

#include "postgres.h"

#include "ground/options.h"

typedef struct KafkaCheck
{
	const KafkaOptions *opts;
	char	   *topic;			/* temporary; also the name of a group and a pipeline */
	int			limit_ms;		/* of each wait */
	bool		topic_made;
	bool		group_made;		/* and not deleted again */
	bool		failed;			/* what follows is not run */
	bool		skipped;		/* a step says so: what it returns is the reason */
	int64		offset;			/* of the message that the produce step sent */

	/* a row that waits in an outbox of the server; outbox NULL: there is none */
	char	   *outbox;
	int64		row;
	int64		end;			/* of the topic before it is published */
} KafkaCheck;

/*
 * A step, run in a subtransaction: returns what to tell, in the current memory context, or raises
 * what is wrong.
 */
typedef char *(*KafkaCheckStep) (KafkaCheck *check);

/* check_steps.c: Kafka alone. */
extern char *kafka_check_connect(KafkaCheck *check);
extern char *kafka_check_create_topic(KafkaCheck *check);
extern char *kafka_check_produce(KafkaCheck *check);
extern char *kafka_check_fetch(KafkaCheck *check);
extern char *kafka_check_transaction(KafkaCheck *check);
extern char *kafka_check_abort(KafkaCheck *check);
extern char *kafka_check_group(KafkaCheck *check);
extern char *kafka_check_delete_topic(KafkaCheck *check);

/* Waits, at most limit_ms, until readers are shown what is below the offset. */
extern void kafka_check_await_visible(KafkaCheck *check, int64 offset, const char *waits_for);

/* The value at an offset, or behind it where none is there, or an error if something else is found. */
extern void kafka_check_expect(KafkaCheck *check, int64 offset, int64 end, const char *text);

/* check_pipeline.c: the message is loaded into a temporary table, with its offset. */
extern char *kafka_check_pipeline(KafkaCheck *check);

/*
 * check_relay.c: a message goes through the server's outbox.  send writes its row, which the caller
 * commits; relay waits until it is published; discard takes it back, where it was not.
 */
extern char *kafka_check_outbox(KafkaCheck *check);
extern char *kafka_check_relay(KafkaCheck *check);
extern void kafka_check_discard(KafkaCheck *check);

/*
 * Outboxes and pipelines of the server that are to be worked on and are not: a List of char *, each
 * with the reason; *total: how many are to be.
 */
extern List *kafka_check_unhealthy(const KafkaCheck *check, int64 *total);

#endif							/* KAFKA_SQL_CHECK_H */
