/*-------------------------------------------------------------------------
 *
 * member_kept.c
 *	  Messages of a member that are kept together, as long as a batch is in work.
 *
 * Layer 1.  They stay where librdkafka has put them, so nothing is copied; their headers, which
 * librdkafka takes apart at a price, are had only for those that need them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/member.h"
#include "client/member_internal.h"
#include "utils/memutils.h"

int
kafka_member_keep(KafkaMember *member)
{
	if (member->nkept == member->max_kept)
	{
		int			max = Max(1024, member->max_kept * 2);

		member->kept = member->kept ?
			repalloc_huge(member->kept, sizeof(rd_kafka_message_t *) * max) :
			MemoryContextAlloc(member->context, sizeof(rd_kafka_message_t *) * max);
		member->max_kept = max;
	}
	member->kept[member->nkept] = member->rkm;
	member->rkm = NULL;
	return member->nkept++;
}

void
kafka_member_drop_kept(KafkaMember *member)
{
	while (member->nkept > 0)
		rd_kafka_message_destroy(member->kept[--member->nkept]);
}

void
kafka_member_skip_headers(KafkaMember *member)
{
	member->filler.skips_headers = true;
}

void
kafka_member_kept_headers(const KafkaMember *member, int number, KafkaMessage *msg)
{
	KafkaMessageFiller filler = {.context = CurrentMemoryContext};

	kafka_message_fill(&filler, member->kept[number], msg);
}
