/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The background worker that starts the others.
 *
 * Layer 3.  One process of the server, connected to no database: it knows which databases there
 * are.  What is in one only a process that is connected to it can see, so a scout is started
 * there, looks, answers through the registry and ends.  For each enabled outbox that it finds the
 * launcher sees to it that a relay runs, and for each pipeline as many processes as it wants (jobs.c).
 *
 * A look is due when the server starts, when a session says so (outboxes or pipelines were made,
 * started, stopped, resolved), when a worker has ended, and otherwise every minute, for what nobody
 * tells, as the restore of a dump.  Between these the launcher sleeps.
 *
 * All that must outlive it stands in the registry: a launcher that was terminated and started
 * anew goes on with the workers that run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/jobs.h"
#include "worker/shared.h"
#include "worker/worker.h"

#define LIBRARY "kafka_fdw"
#define RESTART_S 1

/* Between routine looks into one database, and into any two. */
#define LOOK_MS (60 * 1000)
#define LOOK_APART_MS (5 * 1000)

/* Between two warnings of too few workers. */
#define WARNING_MS (3600 * 1000)

static uint32 wait_event;
static List *databases;			/* of KafkaDatabase */
static TimestampTz next_refresh;	/* of that list */
static BackgroundWorkerHandle **handles;	/* of the workers that this process has started */
static KafkaFound *found;		/* room for a scout's answer */
static int	refusals;			/* of a process by PostgreSQL, in a row */
static TimestampTz next_try;	/* after such a one */
static TimestampTz next_warning;	/* of too few workers */
static TimestampTz next_end;	/* when one that does not end is terminated */

/* ------------------------------------------------------------------------
 * Databases
 * ------------------------------------------------------------------------
 */
static KafkaDatabase *
find_database(Oid oid)
{
	ListCell   *lc;

	foreach(lc, databases)
		if (((KafkaDatabase *) lfirst(lc))->oid == oid)
			return (KafkaDatabase *) lfirst(lc);
	return NULL;
}

/* A look into the database is due, if it is still there; or it is new. */
static void
look_soon(Oid oid)
{
	KafkaDatabase *database = find_database(oid);

	if (database)
		database->next_look = GetCurrentTimestamp();
	next_refresh = 0;
}

/* ------------------------------------------------------------------------
 * Processes that have ended
 * ------------------------------------------------------------------------
 */
static void
settle_scout(KafkaWorker *scout)
{
	KafkaDatabase *database = find_database(scout->job.database);
	int			count;

	kafka_registry_unlock();
	count = kafka_registry_take_answer(found);
	if (count >= 0)
		kafka_jobs_apply(scout->job.database, found, count);
	kafka_registry_lock(true);
	scout->state = KAFKA_WORKER_NONE;
	if (database && scout->end != KAFKA_END_LEFT)
		database->failures = count >= 0 ? 0 : database->failures + 1;
	if (database && database->failures > 0)
		database->next_look = kafka_after(GetCurrentTimestamp(), kafka_jobs_backoff_ms(database->failures));
}

/* PostgreSQL tells by our latch; of an earlier launcher's processes only the entry tells. */
static bool
has_ended(int i, KafkaWorker *worker)
{
	pid_t		pid;

	if (handles[i] == NULL)
		return worker->state == KAFKA_WORKER_ENDED;
	if (GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
		return false;
	if (kafka_worker_is_live(worker))
	{
		/* it never came to take its entry */
		worker->end = KAFKA_END_DIED;
		worker->ended = GetCurrentTimestamp();
		worker->pid = 0;
	}
	return true;
}

static void
take_ended(void)
{
	kafka_registry_lock(true);
	for (int i = 0; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (!has_ended(i, worker))
			continue;
		if (handles[i])
			pfree(handles[i]);
		handles[i] = NULL;
		next_try = 0;			/* there is room for another one */
		refusals = 0;
		if (i == KAFKA_SCOUT)
			settle_scout(worker);
		else if (kafka_jobs_settle(worker))
			look_soon(worker->job.database);
		else
			next_refresh = 0;	/* the database may be gone */
	}
	kafka_registry_unlock();
}

/* ------------------------------------------------------------------------
 * What sessions ask for
 * ------------------------------------------------------------------------
 */

static void
take_requests(void)
{
	KafkaJob	job;
	ListCell   *lc;

	while (kafka_workers_take_request(&job))
	{
		if (job.kind != KAFKA_JOB_NONE)
			kafka_jobs_retry(&job);
		look_soon(job.database);
	}
	if (!kafka_workers_take_look_everywhere())
		return;
	next_refresh = 0;
	foreach(lc, databases)
		((KafkaDatabase *) lfirst(lc))->next_look = 0;
}

/* Entries of databases that are gone, or not meant any more, go too. */
static void
refresh(void)
{
	if (GetCurrentTimestamp() < next_refresh)
		return;
	databases = kafka_databases_refresh(databases);
	next_refresh = kafka_after(GetCurrentTimestamp(), LOOK_MS);
	kafka_registry_lock(true);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (!kafka_worker_is_live(worker) && worker->state != KAFKA_WORKER_ENDED &&
			find_database(worker->job.database) == NULL)
			worker->state = KAFKA_WORKER_NONE;
	}
	kafka_registry_unlock();
}

/* ------------------------------------------------------------------------
 * Starting processes
 * ------------------------------------------------------------------------
 */
static void
warn_too_few(const char *setting, int value)
{
	TimestampTz now = GetCurrentTimestamp();

	if (now < next_warning)
		return;
	next_warning = kafka_after(now, WARNING_MS);
	ereport(WARNING,
			(errmsg_internal("event=too_few_workers setting=%s value=%d", setting, value),
			 errdetail("Not every outbox and pipeline has the workers it is to have: "
					   "some wait, or are slower."),
			 errhint("Raise \"%s\", which takes a restart of the server.", setting)));
}

static void
fill_worker(BackgroundWorker *process, int i, const KafkaWorker *worker)
{
	bool		pipeline = worker->job.kind == KAFKA_JOB_PIPELINE;

	memset(process, 0, sizeof(*process));
	process->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION |
		KAFKA_WORKER_INTERRUPTIBLE;
	process->bgw_start_time = BgWorkerStart_RecoveryFinished;
	process->bgw_restart_time = BGW_NEVER_RESTART;
	process->bgw_main_arg = Int32GetDatum(i);
	process->bgw_notify_pid = MyProcPid;
	memcpy(process->bgw_extra, &worker->generation, sizeof(worker->generation));
	strlcpy(process->bgw_library_name, LIBRARY, sizeof(process->bgw_library_name));
	if (i == KAFKA_SCOUT)
	{
		strlcpy(process->bgw_type, "kafka_fdw scout", BGW_MAXLEN);
		strlcpy(process->bgw_name, "kafka_fdw scout", BGW_MAXLEN);
		strlcpy(process->bgw_function_name, "kafka_scout_main", BGW_MAXLEN);
		return;
	}
	strlcpy(process->bgw_type, pipeline ? "kafka_fdw pipeline" : "kafka_fdw relay", BGW_MAXLEN);
	snprintf(process->bgw_name, BGW_MAXLEN, "%s %s", process->bgw_type, worker->name);
	strlcpy(process->bgw_function_name,
			pipeline ? "kafka_pipeline_worker_main" : "kafka_relay_worker_main", BGW_MAXLEN);
}

/* Under the lock; true when PostgreSQL will start a process for the entry. */
static bool
start_process(int i)
{
	KafkaWorker *worker = kafka_registry_worker(i);
	BackgroundWorker process;

	worker->generation = kafka_registry_next_generation();
	fill_worker(&process, i, worker);
	if (!RegisterDynamicBackgroundWorker(&process, &handles[i]))
	{
		handles[i] = NULL;
		next_try = kafka_after(GetCurrentTimestamp(), kafka_jobs_backoff_ms(++refusals));
		warn_too_few("max_worker_processes", max_worker_processes);
		return false;
	}
	refusals = 0;
	next_try = 0;
	if (worker->end != KAFKA_END_NONE)
		worker->restarts++;
	worker->state = KAFKA_WORKER_STARTING;
	worker->started = 0;
	worker->unwanted = 0;
	return true;
}

/* When a scout can be started in the database, as things are. */
static TimestampTz
look_at(const KafkaDatabase *database)
{
	return Max(Max(database->next_look, next_try), kafka_registry_left_until(database->oid));
}

static void
start_scout(KafkaDatabase *database)
{
	KafkaWorker *scout = kafka_registry_worker(KAFKA_SCOUT);
	int			apart = Max(LOOK_MS, LOOK_APART_MS * list_length(databases));
	bool		started;

	kafka_registry_lock(true);
	memset(scout, 0, sizeof(*scout));
	scout->job.database = database->oid;
	started = start_process(KAFKA_SCOUT);
	kafka_registry_unlock();
	if (started)
		database->next_look = kafka_after(GetCurrentTimestamp(), apart);
	else
		kafka_jobs_make_room(0);
}

/* One at a time; the one that is due first. */
static void
start_scouts(void)
{
	KafkaDatabase *first = NULL;
	ListCell   *lc;

	if (kafka_registry_worker(KAFKA_SCOUT)->state != KAFKA_WORKER_NONE)
		return;
	foreach(lc, databases)
	{
		KafkaDatabase *database = (KafkaDatabase *) lfirst(lc);

		if (look_at(database) <= GetCurrentTimestamp() &&
			(first == NULL || database->next_look < first->next_look))
			first = database;
	}
	if (first)
		start_scout(first);
}

static bool
is_full(void)
{
	return kafka_jobs_live() >= kafka_setting_max_workers;
}

static void
start_jobs(void)
{
	int			i;

	while ((i = kafka_jobs_next(GetCurrentTimestamp())) != 0)
	{
		bool		started;

		if (is_full())
			warn_too_few("kafka_fdw.max_workers", kafka_setting_max_workers);
		else if (next_try > GetCurrentTimestamp())
			return;
		kafka_registry_lock(true);
		started = !is_full() && start_process(i);
		kafka_registry_unlock();
		if (started)
			continue;
		kafka_jobs_make_room(kafka_registry_worker(i)->slot);
		return;
	}
}

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */

/* When there is next something to do that no latch tells. */
static TimestampTz
next_event(void)
{
	TimestampTz next = Min(next_refresh, next_end);
	ListCell   *lc;

	if (kafka_registry_worker(KAFKA_SCOUT)->state == KAFKA_WORKER_NONE)
		foreach(lc, databases)
			next = Min(next, look_at((KafkaDatabase *) lfirst(lc)));
	return Min(next, Max(kafka_jobs_next_start(is_full()), next_try));
}

static void
nap(void)
{
	long		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next_event());

	/* rounded up: no loop over what is due in a part of a millisecond */
	pgstat_report_activity(STATE_IDLE, "waiting for something to start");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(ms + 1, LOOK_MS),
					 KAFKA_WAIT_EVENT(wait_event, "KafkaLauncherMain"));
	ResetLatch(MyLatch);
}

static void
serve_signals(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ShutdownRequestPending)
		proc_exit(1);			/* 0 would be: never start it again */
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	next_refresh = 0;
}

static void
leave_registry(int code, Datum arg)
{
	kafka_registry_set_launcher(0);
}

/* What an earlier launcher has left: processes that it was about to start are not awaited. */
static void
take_over(void)
{
	kafka_registry_lock(true);
	for (int i = 0; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state != KAFKA_WORKER_STARTING &&
			(i != KAFKA_SCOUT || worker->state == KAFKA_WORKER_NONE))
			continue;
		worker->generation = kafka_registry_next_generation();
		worker->end = KAFKA_END_DIED;
		worker->ended = GetCurrentTimestamp();
		worker->state = KAFKA_WORKER_ENDED;
	}
	kafka_registry_unlock();
}

void
kafka_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_SUSET, PGC_S_OVERRIDE);

	MemoryContextSwitchTo(TopMemoryContext);
	handles = palloc0(kafka_registry_count() * sizeof(BackgroundWorkerHandle *));
	found = palloc(kafka_registry_found_max() * sizeof(KafkaFound));
	before_shmem_exit(leave_registry, (Datum) 0);
	kafka_registry_set_launcher(MyProcPid);
	kafka_workers_enter_launcher();
	take_over();
	for (;;)
	{
		serve_signals();
		take_ended();
		take_requests();
		refresh();
		start_scouts();
		start_jobs();
		next_end = kafka_jobs_terminate_unwanted(GetCurrentTimestamp());
		nap();
	}
}

void
kafka_launcher_init(void)
{
	BackgroundWorker launcher;

	if (!process_shared_preload_libraries_in_progress || kafka_setting_max_workers == 0 ||
		IsBinaryUpgrade)
		return;
	memset(&launcher, 0, sizeof(launcher));
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = RESTART_S;
	strlcpy(launcher.bgw_library_name, LIBRARY, sizeof(launcher.bgw_library_name));
	strlcpy(launcher.bgw_function_name, "kafka_launcher_main", BGW_MAXLEN);
	strlcpy(launcher.bgw_name, "kafka_fdw launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "kafka_fdw launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&launcher);
}
