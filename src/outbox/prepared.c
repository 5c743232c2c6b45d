/*-------------------------------------------------------------------------
 *
 * prepared.c
 *	  COMMIT PREPARED wakes the relays.
 *
 * Layer 3.  Which outboxes a prepared transaction has written to is not known to the session that
 * commits it, so all relays of the database look.  Without this they would find its rows at the end
 * of kafka_fdw.relay_naptime only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "outbox/row.h"
#include "tcop/utility.h"
#include "worker/shared.h"

static ProcessUtility_hook_type previous_hook;

static void
on_utility(PlannedStmt *stmt, const char *query, bool read_only_tree,
		   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
		   DestReceiver *dest, QueryCompletion *qc)
{
	bool		commits = IsA(stmt->utilityStmt, TransactionStmt) &&
		((TransactionStmt *) stmt->utilityStmt)->kind == TRANS_STMT_COMMIT_PREPARED;

	if (previous_hook)
		previous_hook(stmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(stmt, query, read_only_tree, context, params, env, dest, qc);
	if (commits)
	{
		/* an outbox that it has made needs a relay first */
		kafka_workers_wake_launcher(MyDatabaseId);
		kafka_workers_wake_relay(MyDatabaseId, KAFKA_ALL_OUTBOXES);
	}
}

void
kafka_outbox_prepared_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
