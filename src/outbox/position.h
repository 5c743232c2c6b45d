/*-------------------------------------------------------------------------
 *
 * position.h
 *	  Where an outbox stands in Kafka: the last record of its topic of positions.
 *
 * Layer 3, private to src/outbox.  The topic is the outbox's own, has one partition and is
 * compacted.  Each Kafka transaction of the relay ends with such a record, so that messages and
 * position become visible together.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_POSITION_H
#define KAFKA_OUTBOX_POSITION_H

#include "postgres.h"

#include "client/producer.h"
#include "ground/options.h"
#include "outbox/outbox.h"

/* A position whose tick is published to its end. */
#define KAFKA_WHOLE_TICK (-1)

/* What tells one database of one instance from its clones and from its own past. */
typedef struct KafkaIncarnation
{
	uint64		system;			/* system identifier */
	uint32		timeline;
	Oid			database;
	const char *instance;		/* kafka_fdw.instance_name, or host:port/directory */
} KafkaIncarnation;

typedef struct KafkaOutboxPosition
{
	int64		tick;			/* 0: none yet */
	pg_uuid_t	token;			/* of that tick; all zero for tick 0 */
	int64		row;			/* the last one published of it, or KAFKA_WHOLE_TICK */
	int64		highest;		/* id of any row that was published */
	pg_uuid_t	claim;			/* of the relay that wrote the record */
	KafkaIncarnation incarnation;	/* where that ran */
	int64		offset;			/* of the record; not written */
	char	   *unreadable;		/* it is no position: why; not written */
} KafkaOutboxPosition;

/* This database, palloc'd text. */
extern KafkaIncarnation kafka_incarnation_of_this(void);
extern bool kafka_incarnation_is_same(const KafkaIncarnation *a, const KafkaIncarnation *b);

/* As "system/timeline/database/instance", palloc'd. */
extern char *kafka_incarnation_text(const KafkaIncarnation *incarnation);

/* The options with an isolation level, whatever the server says. */
extern const KafkaOptions *kafka_position_committed(const KafkaOptions *opts);
extern const KafkaOptions *kafka_position_uncommitted(const KafkaOptions *opts);

/* Of an error about a transaction that nobody ends. */
#define KAFKA_HANGING_HINT \
	"If no producer is at work there, Kafka has lost track of the transaction: its tool " \
	"kafka-transactions.sh finds and aborts it."

/* Names that Kafka knows the outbox by, palloc'd. */
extern char *kafka_position_topic(const KafkaOutbox *outbox);
extern char *kafka_position_transactional_id(const KafkaOutbox *outbox, int number);

/*
 * Makes the topic where it is missing; with `existing` it must exist: false if it does not.  Raises
 * 55000 where its cleanup.policy is not compact, so that Kafka would forget the position.
 */
extern bool kafka_position_ensure_topic(const KafkaOptions *opts, const char *topic,
										bool existing);

/*
 * The last committed record, in the current memory context; false if there is none.  Of one that is
 * no position only `offset` and `unreadable` are set.
 */
extern bool kafka_position_read(const KafkaOptions *opts, const char *topic,
								KafkaOutboxPosition *position);

/*
 * Waits until all that is in the topic now is committed or aborted, and readers see it.  Once the
 * relay's own transactional ids are fenced, that is so soon.
 */
extern void kafka_position_await_settled(const KafkaOptions *opts, const char *topic);

/* The record's value, palloc'd; and sends it in the producer's transaction; target: the topic. */
extern char *kafka_position_encode(const KafkaOutboxPosition *position);
extern void kafka_position_send(KafkaProducer *producer, KafkaTarget *target, const char *value);

#endif							/* KAFKA_OUTBOX_POSITION_H */
