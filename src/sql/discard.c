/*-------------------------------------------------------------------------
 *
 * discard.c
 *	  DISCARD ALL: nothing of Kafka is left in the session.
 *
 * Layer 3.  A connection pooler gives a backend from one client to the next and says DISCARD
 * ALL in between.  What a client has left in the session ends there: consumers, Kafka
 * transactions by hand, connections to Kafka with their threads, what it has sent and what was learned of
 * topics, counters.  It cannot run in a transaction, so no messages are pending.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/handle.h"
#include "client/sent.h"
#include "client/stats.h"
#include "client/topic.h"
#include "ground/utility.h"
#include "nodes/parsenodes.h"
#include "sql/discard.h"
#include "transaction/consumers.h"
#include "transaction/manual.h"

static void *
before(Node *command)
{
	return IsA(command, DiscardStmt) && ((DiscardStmt *) command)->target == DISCARD_ALL ?
		command : NULL;
}

/* Afterwards: where it is refused, nothing is discarded. */
static void
discard_all(void *note)
{
	kafka_consumers_close_all();
	kafka_manual_close_all();
	kafka_handle_close_all_idle();
	kafka_sent_forget_all();
	kafka_topic_forget();
	kafka_stats_reset();
}

static const KafkaUtility utility = {.before = before, .after = discard_all};

void
kafka_discard_init(void)
{
	kafka_utility_add(&utility);
}
