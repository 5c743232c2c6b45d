/*-------------------------------------------------------------------------
 *
 * member.h
 *	  A consumer that stays: a member of a consumer group, or one with partitions of its own
 *	  choice.
 *
 * Layer 1.  Positions are the caller's: where a partition's position and librdkafka's differ,
 * as after a rollback, the next kafka_member_next() sees to it that librdkafka reads from the
 * caller's.  So nothing that is fetched ahead, dropped or lost by an error moves a position.
 *
 * Rebalances are put before the caller, and nothing happens until it accepts them: while a
 * revocation waits, the group waits too.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_MEMBER_H
#define KAFKA_MEMBER_H

#include "postgres.h"

#include "client/transaction.h"
#include "ground/message.h"
#include "ground/options.h"

typedef struct KafkaMember KafkaMember;

/* Why offsets are not committed, where the group has gone on without the member. */
#define KAFKA_PUT_OUT "the group had taken its partitions away"

/* A partition that the member has, or had; the struct lives as long as the member. */
typedef struct KafkaMemberPartition
{
	const char *topic;
	int32		partition;
	bool		assigned;
	bool		paused;
	int64		position;		/* the caller's: offset of the next message it wants */

	/* member.c's */
	int64		fetched;		/* the offset that librdkafka's next message is at, or behind */
	bool		heard_of;		/* the broker has answered since librdkafka began to read it */
	bool		at_end;			/* nothing was behind it when last asked */
	void	   *owner;			/* the caller's, for whatever it likes */
} KafkaMemberPartition;

typedef enum KafkaMemberEventType
{
	KAFKA_MEMBER_NOTHING,		/* in the time that was given */
	KAFKA_MEMBER_MESSAGE,		/* of the partition, in msg, until the next call */
	KAFKA_MEMBER_END,			/* the partition has nothing before that offset any more */
	KAFKA_MEMBER_MISSING,		/* the broker does not have the partition's position */
	KAFKA_MEMBER_ASSIGN,		/* partitions are given: set their positions, accept */
	KAFKA_MEMBER_REVOKE			/* partitions are to be given back: accept */
} KafkaMemberEventType;

typedef struct KafkaMemberEvent
{
	KafkaMemberEventType type;
	KafkaMemberPartition *partition;
	int64		offset;			/* END: where it goes on */
	KafkaMessage msg;
} KafkaMemberEvent;

/*
 * opts->group_id NULL: not in a group.  It lives in a new child of the current memory
 * context until it is closed.
 */
extern KafkaMember *kafka_member_open(const KafkaOptions *opts);

/*
 * Leaves the group and closes the connection, in the background if that takes long; partitions'
 * structs are gone.  Never throws.
 */
extern void kafka_member_close(KafkaMember *member);

/* The same, but the structs stay: nothing is assigned any longer. */
extern void kafka_member_leave(KafkaMember *member);

/* Its server, user mapping or options have changed since it was opened. */
extern bool kafka_member_is_stale(const KafkaMember *member);

/* It has left. */
extern bool kafka_member_is_closed(const KafkaMember *member);

/* Joins the group for these topics, or patterns that begin with '^'.  Nothing is awaited. */
extern void kafka_member_subscribe(KafkaMember *member, char **topics, int n);

/*
 * Takes partitions of its own choice, in place of those it has; kafka_member_new_partitions()
 * then has them, for kafka_member_accept().
 */
extern void kafka_member_assign(KafkaMember *member, const char *topic, const int32 *partitions,
								int n);

/* Positions may have changed, other than to behind the message that was handed out. */
extern void kafka_member_positions_changed(KafkaMember *member);

/*
 * The next thing that happens, within wait_ms (0: what is there already).  Raises what cannot be
 * waited out: 42501, 28000, HV00R; HV00L when the group has put the member out because it
 * did not poll for max.poll.interval.ms (it rejoins with the next call).
 */
extern void kafka_member_next(KafkaMember *member, int wait_ms, KafkaMemberEvent *event);

/*
 * The message of the last event stays where it is until kafka_member_drop_kept(), or the member is
 * closed.  Its number, from 0 in each round.
 */
extern int	kafka_member_keep(KafkaMember *member);
extern void kafka_member_drop_kept(KafkaMember *member);

/* Headers are not filled in with an event, but for a message that was kept, when asked for; palloc'd. */
extern void kafka_member_skip_headers(KafkaMember *member);
extern void kafka_member_kept_headers(const KafkaMember *member, int number, KafkaMessage *msg);

/* The end of a partition (last stable offset) as the last fetch has told; KAFKA_UNKNOWN: not yet. */
extern int64 kafka_member_end_offset(const KafkaMember *member,
									 const KafkaMemberPartition *partition);

/*
 * How long who has some messages should wait for more, in ms: 0 when no partition has more, as
 * far as is known; longer while one has only begun to be read.
 */
extern int	kafka_member_linger_ms(KafkaMember *member);

/*
 * No message has come for a while: raises HV00N if no broker can be reached.  Takes half a
 * second at most, and no request unless something is wrong.
 */
extern void kafka_member_check_reachable(KafkaMember *member);

/* The partitions of an ASSIGN or REVOKE that waits, palloc'd. */
extern KafkaMemberPartition **kafka_member_new_partitions(KafkaMember *member, int *n);

/* An ASSIGN or REVOKE waits. */
extern bool kafka_member_must_accept(const KafkaMember *member);

/* The partitions were taken away without asking: what was read of them cannot be committed. */
extern bool kafka_member_is_lost(const KafkaMember *member);

/* Answers ASSIGN or REVOKE. */
extern void kafka_member_accept(KafkaMember *member);

/* All partitions that it has or had, by topic and partition. */
extern KafkaMemberPartition **kafka_member_partitions(const KafkaMember *member, int *n);

/* The assigned one, or NULL. */
extern KafkaMemberPartition *kafka_member_find(const KafkaMember *member, const char *topic,
											   int32 partition);

/* Messages of a paused partition stay where they are. */
extern void kafka_member_pause(KafkaMember *member, KafkaMemberPartition *partition, bool paused);

/*
 * Where the group stands in each partition; KAFKA_UNKNOWN where it has no offset.  Waits for
 * transactions of others that move it.
 */
extern void kafka_member_committed(KafkaMember *member, KafkaMemberPartition **partitions, int n,
								   int64 *offsets);

/*
 * Commits offsets to the group in two halves: what is prepared, where memory may be had, is
 * sent by the other, which raises nothing.  With limit_ms 0 nobody waits for the answer;
 * else false, with the reason in why, where the commit was refused or not seen in time.
 * A cancel ends the wait and stays pending.
 */
extern void kafka_member_prepare_commit(KafkaMember *member, const KafkaGroupOffset *offsets,
										int n);
extern bool kafka_member_commit_quietly(KafkaMember *member, int limit_ms, char *why,
										size_t why_size);
extern void kafka_member_forget_commit(KafkaMember *member);

/* A commit that nobody has waited for was refused: true, once, with the reason in why. */
extern bool kafka_member_was_refused(KafkaMember *member, char *why, size_t why_size);

/*
 * The group's generation is noted: offsets that go with a Kafka transaction are those of a
 * member of that generation, or are refused.
 */
extern void kafka_member_note_generation(KafkaMember *member);
extern void kafka_member_forget_generation(KafkaMember *member);

/* As kafka_transaction_send_offsets(), as the member of the generation that was noted. */
extern void kafka_member_send_offsets(KafkaMember *member, KafkaProducer *producer,
									  const KafkaGroupOffset *offsets, int n);

/* The group's name for this member, palloc'd, or NULL: it is in none, or not yet. */
extern char *kafka_member_id(const KafkaMember *member);

/* max.poll.interval.ms */
extern int	kafka_member_max_poll_ms(const KafkaMember *member);

/* "RANGE" is not told by librdkafka: "eager", "cooperative" or "none". */
extern const char *kafka_member_protocol(const KafkaMember *member);

#endif							/* KAFKA_MEMBER_H */
