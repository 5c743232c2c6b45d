/*-------------------------------------------------------------------------
 *
 * pipeline_worker.c
 *	  A background worker that runs a pipeline, perhaps beside others.
 *
 * Layer 3.  What it does is src/pipeline/run.c; its process and transactions are process.c's.
 *
 * Workers of a pipeline share its partitions by their slots: each that comes or goes wakes the
 * others.  A worker ends by itself when the pipeline is disabled, gone or has failed, when the launcher
 * wants it to (there are more than its parallelism, or others need the place), or when a session has
 * its database to itself for a command; the launcher looks how it ended.  SIGTERM ends it at the
 * next look at interrupts, and with it the transaction of its batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/logfmt.h"
#include "pipeline/run.h"
#include "storage/ipc.h"
#include "worker/shared.h"
#include "worker/worker.h"

static const char *const ends[] = {
	[KAFKA_PIPELINE_DONE] = "done",
	[KAFKA_PIPELINE_STOPPED] = "stopped",
	[KAFKA_PIPELINE_FAILED] = "failed",
	[KAFKA_PIPELINE_REPLACED] = "replaced",
	[KAFKA_PIPELINE_GONE] = "gone",
};

static KafkaWorkerEnd
end_of(KafkaPipelineEnd end)
{
	switch (end)
	{
		case KAFKA_PIPELINE_STOPPED:
			return kafka_worker_stopped();
		case KAFKA_PIPELINE_GONE:
			return KAFKA_END_STOPPED;
		case KAFKA_PIPELINE_FAILED:
			return KAFKA_END_UNRESOLVED;
		case KAFKA_PIPELINE_REPLACED:
			return KAFKA_END_REPLACED;
		default:
			return KAFKA_END_DONE;
	}
}

/* A process that had the slot before may still be there. */
static KafkaPipelineEnd
run(const KafkaWorker *worker)
{
	KafkaPipelineUntil until = {.wait = true};

	if (!kafka_workers_enter_pipeline(worker->job.id, worker->slot))
		return KAFKA_PIPELINE_REPLACED;
	return kafka_pipeline_run(worker->job.id, &kafka_worker_host, &until);
}

void
kafka_pipeline_worker_main(Datum arg)
{
	KafkaWorker worker = kafka_worker_connect(arg, 0);
	char	   *name = kafka_logfmt_quote(worker.name);
	char	   *database = kafka_logfmt_quote(kafka_worker_database());
	KafkaPipelineEnd end;

	ereport(LOG,
			(errmsg_internal("event=pipeline_start database=%s pipeline=%s slot=%d", database, name,
							 worker.slot)));
	end = run(&worker);
	kafka_workers_leave_pipeline();
	ereport(LOG,
			(errmsg_internal("event=pipeline_end database=%s pipeline=%s slot=%d reason=%s", database,
							 name, worker.slot, ends[end])));
	kafka_registry_set_end(end_of(end));
	proc_exit(0);
}
