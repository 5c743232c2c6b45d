/*-------------------------------------------------------------------------
 *
 * relay_worker.c
 *	  The background worker that relays an outbox.
 *
 * Layer 3.  What it does is src/outbox/relay.c; its process and transactions are process.c's.
 *
 * It ends by itself when its outbox is disabled or gone, when somebody has to decide something,
 * or when a session has its database to itself for a command; the launcher looks how it ended.
 * SIGTERM ends it as it ends a session: at the next look at interrupts, with what Kafka has begun
 * left to be aborted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/logfmt.h"
#include "outbox/relay.h"
#include "storage/ipc.h"
#include "worker/worker.h"

static const char *const ends[] = {
	[KAFKA_RELAY_DONE] = "done",
	[KAFKA_RELAY_STOPPED] = "stopped",
	[KAFKA_RELAY_UNRESOLVED] = "unresolved",
	[KAFKA_RELAY_REPLACED] = "replaced",
	[KAFKA_RELAY_GONE] = "gone",
};

static KafkaWorkerEnd
end_of(KafkaRelayEnd end)
{
	switch (end)
	{
		case KAFKA_RELAY_STOPPED:
			return kafka_worker_stopped();
		case KAFKA_RELAY_GONE:
			return KAFKA_END_STOPPED;
		case KAFKA_RELAY_UNRESOLVED:
			return KAFKA_END_UNRESOLVED;
		case KAFKA_RELAY_REPLACED:
			return KAFKA_END_REPLACED;
		default:
			return KAFKA_END_DONE;
	}
}

void
kafka_relay_worker_main(Datum arg)
{
	KafkaWorker worker = kafka_worker_connect(arg, 0);
	char	   *name = kafka_logfmt_quote(worker.name);
	char	   *database = kafka_logfmt_quote(kafka_worker_database());
	KafkaRelayEnd end;

	ereport(LOG,
			(errmsg_internal("event=relay_start database=%s outbox=%s", database, name)));
	end = kafka_relay_run(worker.job.id, &kafka_worker_host, true, 0);
	ereport(LOG,
			(errmsg_internal("event=relay_end database=%s outbox=%s reason=%s", database, name,
							 ends[end])));
	kafka_registry_set_end(end_of(end));
	proc_exit(0);
}
