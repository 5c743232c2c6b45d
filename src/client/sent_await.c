/*-------------------------------------------------------------------------
 *
 * sent_await.c
 *	  A session sees its own messages: ends of partitions are behind them.
 *
 * Layer 1.  A broker answers a commit some milliseconds before the last stable offset has passed
 * what it committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/sent.h"
#include "client/topic.h"
#include "ground/clock.h"
#include "ground/message.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

/* Longest wait for one's own messages to become visible. */
#define OWN_SENDS_MS 1000

/* True if the broker shows everything that this session has sent. */
static bool
shows_own_sends(const KafkaOptions *opts, const char *topic, int32 npartitions, const int64 *ends)
{
	bool		result = true;

	for (int32 p = 0; p < npartitions; p++)
	{
		int64		sent = kafka_sent_offset(opts->serverid, topic, p);

		if (sent == KAFKA_UNKNOWN)
			continue;
		if (ends[p] <= sent)
			result = false;
		else
			kafka_sent_forget(opts->serverid, topic, p);
	}
	return result;
}

static void
wait_a_little(void)
{
	CHECK_FOR_INTERRUPTS();
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

void
kafka_sent_await(const KafkaOptions *opts, const char *topic, int32 npartitions, int64 *ends)
{
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	while (!kafka_sent_is_empty() && !shows_own_sends(opts, topic, npartitions, ends))
	{
		if (kafka_elapsed_ms(begin) > OWN_SENDS_MS)
		{
			kafka_sent_forget_topic(opts->serverid, topic);
			break;
		}
		wait_a_little();
		kafka_topic_offsets(opts, topic, KAFKA_OFFSET_END, NULL, npartitions, ends);
	}
}
