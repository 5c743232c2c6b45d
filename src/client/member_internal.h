/*-------------------------------------------------------------------------
 *
 * member_internal.h
 *	  What member.c and member_commit.c share.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_MEMBER_INTERNAL_H
#define KAFKA_MEMBER_INTERNAL_H

#include "postgres.h"

#include "client/handle_internal.h"
#include "client/member.h"
#include "client/message_fill.h"
#include "client/poke.h"

typedef struct MemberTopic
{
	char	   *name;
	rd_kafka_topic_t *rkt;
	KafkaMemberPartition **partitions;	/* by number; NULL: the member never had it */
	int			npartitions;
} MemberTopic;

struct KafkaMember
{
	KafkaHandle *handle;		/* NULL: closed */
	rd_kafka_queue_t *queue;
	MemoryContext context;
	char	   *group_id;		/* UTF-8 */
	bool		grouped;		/* the group is the caller's */
	bool		is_static;
	bool		chosen;			/* kafka_member_assign: the group has no say */
	int			max_poll_ms;
	int			fetch_wait_ms;

	MemberTopic *topics;
	int			ntopics;
	int			max_topics;
	int			last_topic;
	bool		unsure;			/* a partition may be astray */

	rd_kafka_topic_partition_list_t *rebalance; /* to be accepted, or NULL */
	bool		revokes;
	rd_kafka_topic_partition_list_t *later; /* the one behind it, or NULL */
	bool		later_revokes;

	rd_kafka_message_t *rkm;	/* the caller's until the next call */
	rd_kafka_message_t **ahead; /* taken from the queue together; only with `chosen` */
	int			nahead;
	int			next_ahead;
	rd_kafka_message_t **kept;	/* the caller's until it lets go of all of them */
	int			nkept;
	int			max_kept;
	KafkaMessageFiller filler;
	KafkaPoke	poke;
	int64		taken;

	rd_kafka_topic_partition_list_t *commit;	/* prepared, or NULL */
	rd_kafka_queue_t *answers;	/* to commits that nobody has waited for, or NULL */
	rd_kafka_consumer_group_metadata_t *generation; /* noted, or NULL */
};

/* The value that the handle works with. */
extern int	kafka_member_property_ms(const KafkaMember *member, const char *name,
									 int default_ms);

#endif							/* KAFKA_MEMBER_INTERNAL_H */
