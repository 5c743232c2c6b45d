/*-------------------------------------------------------------------------
 *
 * requests.c
 *	  What a transaction wants of the workers once it has committed.
 *
 * Layer 3.  A savepoint that is rolled back takes nothing away: a needless look does no harm.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "worker/registry.h"
#include "worker/requests.h"
#include "worker/shared.h"

/* Outboxes that are named; if there are more, all are meant. */
#define OUTBOXES 16

static int32 outboxes[OUTBOXES];
static int	outbox_count;
static Oid	left;				/* database */
static Oid	made;				/* database */

void
kafka_workers_request_at_commit(int32 outbox)
{
	for (int i = 0; i < outbox_count; i++)
		if (outboxes[i] == outbox)
			return;
	if (outbox_count < OUTBOXES)
		outboxes[outbox_count++] = outbox;
	else
		outboxes[0] = -1;
}

bool
kafka_workers_leave_until_end(Oid database)
{
	if (!kafka_registry_leave(database))
		return false;
	left = database;
	kafka_workers_wake_relay(database, KAFKA_ALL_OUTBOXES);
	return true;
}

void
kafka_workers_look_at_commit(Oid database)
{
	made = database;
}

/* Raises nothing. */
static void
on_transaction(XactEvent event, void *arg)
{
	bool		committed = event == XACT_EVENT_COMMIT;

	if (!committed && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (OidIsValid(left))
	{
		kafka_registry_leave_done();
		kafka_workers_wake_launcher(left);
	}
	if (committed && OidIsValid(made))
		kafka_workers_wake_launcher(made);
	for (int i = 0; committed && i < outbox_count; i++)
	{
		if (outboxes[i] == 0)
			kafka_workers_wake_launcher(MyDatabaseId);
		else
			kafka_workers_retry_relay(MyDatabaseId, outboxes[i]);
	}
	left = made = InvalidOid;
	outbox_count = 0;
}

void
kafka_workers_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
}
