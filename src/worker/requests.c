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

/* Jobs that are named; if there are more, all are meant. */
#define JOBS 16

typedef struct Wanted
{
	KafkaJobKind kind;
	int32		id;
} Wanted;

static Wanted wanted[JOBS];
static int	wanted_count;
static Oid	left;				/* database */
static Oid	made;				/* database */

static void
request(KafkaJobKind kind, int32 id)
{
	for (int i = 0; i < wanted_count; i++)
		if (wanted[i].kind == kind && (wanted[i].id == id || wanted[i].id == KAFKA_ALL_JOBS))
			return;
	if (wanted_count == JOBS)
	{
		wanted_count = 2;
		wanted[0] = (Wanted) {KAFKA_JOB_RELAY, KAFKA_ALL_JOBS};
		wanted[1] = (Wanted) {KAFKA_JOB_PIPELINE, KAFKA_ALL_JOBS};
		return;
	}
	wanted[wanted_count++] = (Wanted) {kind, id};
}

void
kafka_workers_request_at_commit(int32 outbox)
{
	request(outbox == 0 ? KAFKA_JOB_NONE : KAFKA_JOB_RELAY, outbox);
}

void
kafka_workers_request_pipeline_at_commit(int32 pipeline)
{
	request(KAFKA_JOB_PIPELINE, pipeline);
}

bool
kafka_workers_leave_until_end(Oid database)
{
	if (!kafka_registry_leave(database))
		return false;
	left = database;
	kafka_workers_wake_database(database);
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
	for (int i = 0; committed && i < wanted_count; i++)
	{
		if (wanted[i].kind == KAFKA_JOB_NONE)
			kafka_workers_wake_launcher(MyDatabaseId);
		else
			kafka_workers_retry(MyDatabaseId, wanted[i].kind, wanted[i].id);
	}
	left = made = InvalidOid;
	wanted_count = 0;
}

void
kafka_workers_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
}
