/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Running a pipeline: batch after batch, each with its offsets in one transaction.
 *
 * Layer 3.
 *
 * Exactly once.  Where the pipeline stands in each partition is a row of kafka.pipeline_offset,
 * with an epoch.  A process takes a partition by raising the epoch (session.c), reads Kafka from
 * that offset (collect.c), and loads what it has read in a transaction that also moves the offset,
 * from what the process believes and of the epoch that it has raised (batch.c).  If that row is
 * not there any more, the transaction is rolled back: another process has the partition, or
 * somebody has stopped, changed or moved the pipeline.  So rows and offset are committed together
 * or not at all, whoever dies when, and however many processes believe that a partition is
 * theirs.  Kafka's consumer group is told afterwards, for tools that look at its lag.
 *
 * Which process has which partition is settled by numbers, without talk: partition p belongs to
 * the worker of rank p modulo their number.  When workers come or go, all begin a new session.
 *
 * Messages that fail are found and dealt with in the batch's own transaction (poison.c).  All
 * other errors roll the batch back; a worker notes them, waits, and begins a new session, which
 * reads the same messages again from where the table says.
 *
 * In a worker nothing of the server's is held while it waits: no transaction, no snapshot, no
 * lock.  Waits are librdkafka's, in slices that look at interrupts, or the latch's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "ground/compat.h"
#include "ground/logfmt.h"
#include "miscadmin.h"
#include "pipeline/run_internal.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/shared.h"

#define PIPELINE_LOCK_CLASS 0x6b70
#define FIRST_PAUSE_MS 250
#define LAST_PAUSE_MS (30 * 1000)
#define REPEAT_LOG_SECONDS 60
#define LOSSES_BEFORE_PAUSE 3

static uint32 retry_event;

/* ------------------------------------------------------------------------
 * Transactions
 * ------------------------------------------------------------------------
 */
void
kafka_pipeline_begin(KafkaPipelineRun *run)
{
	run->host->begin();
	if (!ActiveSnapshotSet())
		PushActiveSnapshot(GetTransactionSnapshot());
	else
		PushCopiedSnapshot(GetActiveSnapshot());
	MemoryContextSwitchTo(run->batch);
}

void
kafka_pipeline_commit(KafkaPipelineRun *run)
{
	PopActiveSnapshot();
	run->host->commit();
	MemoryContextSwitchTo(run->batch);
}

void
kafka_pipeline_show(const KafkaPipelineRun *run, const char *what)
{
	if (run->host->show)
		run->host->show(what);
}

KafkaPipelineStep
kafka_pipeline_roll_back(KafkaPipelineRun *run)
{
	run->losses++;
	PopActiveSnapshot();
	run->host->abort();
	MemoryContextSwitchTo(run->batch);
	return KAFKA_STEP_ANEW;
}

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------
 */

/* One session; ANEW, or END. */
static KafkaPipelineStep
run_session(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	KafkaPipelineStep step = kafka_pipeline_start(run, end);

	while (step == KAFKA_STEP_ON)
	{
		step = kafka_pipeline_collect(run, end);
		if (step == KAFKA_STEP_ON)
			step = kafka_pipeline_load(run, end);
	}
	/* what is behind the last batch need not be told twice */
	if (step == KAFKA_STEP_END)
		kafka_pipeline_tell_group(run, true);
	return step;
}

/* Once or twice is as it should be, when workers come or somebody changes the pipeline. */
static void
pause_after_losses(KafkaPipelineRun *run)
{
	if (run->losses < LOSSES_BEFORE_PAUSE)
		return;
	if (run->losses == LOSSES_BEFORE_PAUSE)
		ereport(LOG,
				(errmsg_internal("event=pipeline_lost_claims pipeline=%s losses=%d",
								 kafka_logfmt_quote(run->name), run->losses),
				 errhidestmt(true), errhidecontext(true)));
	kafka_pipeline_show(run, "waiting: others change it, or take its partitions");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Min(FIRST_PAUSE_MS << Min(run->losses - LOSSES_BEFORE_PAUSE, 5), 5000),
					 KAFKA_WAIT_EVENT(retry_event, "KafkaPipelineRetry"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static KafkaPipelineEnd
run_sessions(KafkaPipelineRun *run)
{
	KafkaPipelineEnd end = KAFKA_PIPELINE_DONE;

	while (run_session(run, &end) == KAFKA_STEP_ANEW)
		pause_after_losses(run);
	return end;
}

/* ------------------------------------------------------------------------
 * Errors of a worker
 * ------------------------------------------------------------------------
 */
typedef struct Trouble
{
	char	   *text;			/* of the last error, or NULL */
	TimestampTz logged;
	TimestampTz last;
	int			pause_ms;
} Trouble;

static void
log_trouble(const KafkaPipelineRun *run, Trouble *trouble, const ErrorData *error)
{
	bool		same = trouble->text && strcmp(trouble->text, error->message) == 0;

	if (same && !TimestampDifferenceExceeds(trouble->logged, GetCurrentTimestamp(),
											REPEAT_LOG_SECONDS * 1000))
		return;
	if (trouble->text)
		pfree(trouble->text);
	trouble->text = MemoryContextStrdup(run->context, error->message);
	trouble->logged = GetCurrentTimestamp();
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg_internal("event=pipeline_waiting pipeline=%s sqlstate=%s error=%s detail=%s",
							 kafka_logfmt_quote(run->name), unpack_sql_state(error->sqlerrcode),
							 kafka_logfmt_quote(error->message),
							 kafka_logfmt_quote(error->detail ? error->detail : "")),
			 errhidecontext(true)));
}

/* Best effort: what stands in the way of a batch may stand in the way of this, too. */
static void
note_trouble(KafkaPipelineRun *run, const ErrorData *error)
{
	PG_TRY();
	{
		kafka_pipeline_begin(run);
		if (OidIsValid(get_extension_oid("kafka_fdw", true)) && kafka_pipeline_by_id(run->id))
			kafka_pipeline_set_state(run->id, "waiting", error, KAFKA_UNKNOWN, KAFKA_UNKNOWN);
		kafka_pipeline_commit(run);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		FlushErrorState();
		run->host->abort();
		MemoryContextSwitchTo(run->context);
	}
	PG_END_TRY();
}

/* Rolls back, tells, and waits. */
static void
overcome(KafkaPipelineRun *run, Trouble *trouble)
{
	ErrorData  *error;

	MemoryContextSwitchTo(run->context);
	error = CopyErrorData();
	FlushErrorState();
	run->host->abort();
	MemoryContextSwitchTo(run->context);
	kafka_pipeline_forget(run);
	MemoryContextReset(run->batch);
	/* what went well for longer than the longest pause was over */
	if (TimestampDifferenceExceeds(trouble->last, GetCurrentTimestamp(), 2 * LAST_PAUSE_MS))
		trouble->pause_ms = FIRST_PAUSE_MS;
	log_trouble(run, trouble, error);
	note_trouble(run, error);
	FreeErrorData(error);
	kafka_pipeline_show(run, "waiting after an error");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, trouble->pause_ms,
					 KAFKA_WAIT_EVENT(retry_event, "KafkaPipelineRetry"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	trouble->pause_ms = Min(trouble->pause_ms * 2, LAST_PAUSE_MS);
	trouble->last = GetCurrentTimestamp();
}

static KafkaPipelineEnd
run_through_errors(KafkaPipelineRun *run)
{
	Trouble		trouble = {.pause_ms = FIRST_PAUSE_MS};

	for (;;)
	{
		volatile bool failed = false;
		volatile KafkaPipelineEnd end = KAFKA_PIPELINE_DONE;

		PG_TRY();
		{
			end = run_sessions(run);
		}
		PG_CATCH();
		{
			failed = true;
			overcome(run, &trouble);
		}
		PG_END_TRY();
		if (!failed)
			return end;
		if (run->host->should_stop())
			return KAFKA_PIPELINE_STOPPED;
	}
}

/* ------------------------------------------------------------------------
 * Beginning and end
 * ------------------------------------------------------------------------
 */
static void
tell_pipeline(void *arg)
{
	const KafkaPipelineRun *run = (const KafkaPipelineRun *) arg;

	if (run->name[0] != '\0')
		errcontext("running pipeline \"%s\"", run->name);
}

static KafkaPipelineRun *
make_run(int32 pipeline, const KafkaHost *host, const KafkaPipelineUntil *until)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "kafka_fdw pipeline",
												  ALLOCSET_DEFAULT_SIZES);
	KafkaPipelineRun *run = MemoryContextAllocZero(context, sizeof(KafkaPipelineRun));

	run->id = pipeline;
	run->host = host;
	run->until = until;
	run->context = context;
	run->name = MemoryContextStrdup(context, "");
	run->orders = -1;
	run->session = AllocSetContextCreate(context, "kafka_fdw pipeline session",
										 ALLOCSET_DEFAULT_SIZES);
	run->batch = AllocSetContextCreate(context, "kafka_fdw pipeline batch",
									   ALLOCSET_DEFAULT_SIZES);
	return run;
}

/* Workers share it among themselves, and with nobody else. */
static bool
lock_pipeline(LOCKTAG *tag, int32 pipeline, bool worker)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, PIPELINE_LOCK_CLASS, (uint32) pipeline, 3);
	return LockAcquire(tag, worker ? ShareLock : ExclusiveLock, true, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/* Of a run in a session: nobody sees it go on, and what has failed before may not fail now. */
static void
note_stopped(KafkaPipelineRun *run)
{
	kafka_pipeline_begin(run);
	kafka_pipeline_set_state(run->id, "stopped", NULL, KAFKA_UNKNOWN, KAFKA_UNKNOWN);
	kafka_pipeline_commit(run);
}

static KafkaPipelineEnd
run_and_finish(KafkaPipelineRun *run)
{
	KafkaPipelineEnd end;

	note_stopped(run);
	end = run_sessions(run);
	if (end == KAFKA_PIPELINE_DONE)
		note_stopped(run);
	return end;
}

KafkaPipelineEnd
kafka_pipeline_run(int32 pipeline, const KafkaHost *host, const KafkaPipelineUntil *until)
{
	MemoryContext caller = CurrentMemoryContext;
	KafkaPipelineRun *run;
	ErrorContextCallback callback = {.callback = tell_pipeline};
	LOCKTAG		tag;
	volatile KafkaPipelineEnd end = KAFKA_PIPELINE_REPLACED;

	if (!lock_pipeline(&tag, pipeline, until->wait))
		return KAFKA_PIPELINE_REPLACED;
	run = make_run(pipeline, host, until);
	callback.arg = run;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		end = until->wait ? run_through_errors(run) : run_and_finish(run);
	}
	PG_FINALLY();
	{
		LockRelease(&tag, until->wait ? ShareLock : ExclusiveLock, true);
		kafka_pipeline_forget(run);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(run->context);
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	return end;
}
