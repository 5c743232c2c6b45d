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
#include "nodes/parsenodes.h"
#include "sql/discard.h"
#include "tcop/utility.h"
#include "transaction/consumers.h"
#include "transaction/manual.h"

static ProcessUtility_hook_type previous_hook;

static void
discard_all(void)
{
	kafka_consumers_close_all();
	kafka_manual_close_all();
	kafka_handle_close_all_idle();
	kafka_sent_forget_all();
	kafka_topic_forget();
	kafka_stats_reset();
}

static void
on_utility(PlannedStmt *stmt, const char *query, bool read_only_tree,
		   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
		   DestReceiver *dest, QueryCompletion *qc)
{
	/* looked at before: a procedure's ROLLBACK may free the statement while it runs */
	bool		discards = IsA(stmt->utilityStmt, DiscardStmt) &&
		((DiscardStmt *) stmt->utilityStmt)->target == DISCARD_ALL;

	if (previous_hook)
		previous_hook(stmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(stmt, query, read_only_tree, context, params, env, dest, qc);
	/* afterwards: where it is refused, nothing is discarded */
	if (discards)
		discard_all();
}

void
kafka_discard_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
