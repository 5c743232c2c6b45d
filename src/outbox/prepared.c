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

#include "ground/utility.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "outbox/row.h"
#include "worker/shared.h"

static void *
before(Node *command)
{
	return IsA(command, TransactionStmt) &&
		((TransactionStmt *) command)->kind == TRANS_STMT_COMMIT_PREPARED ? command : NULL;
}

static void
wake(void *note)
{
	/* an outbox that it has made needs a relay first */
	kafka_workers_wake_launcher(MyDatabaseId);
	kafka_workers_wake_relay(MyDatabaseId, KAFKA_ALL_OUTBOXES);
}

static const KafkaUtility utility = {.before = before, .after = wake};

void
kafka_outbox_prepared_init(void)
{
	kafka_utility_add(&utility);
}
