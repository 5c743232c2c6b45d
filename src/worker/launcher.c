/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The background worker that starts the others.
 *
 * Layer 3.  One process of the server, connected to no database: it knows which databases there
 * are.  What is in one only a process that is connected to it can see, so a scout is started
 * there, looks, answers through the registry and ends.  For each enabled outbox that it finds the
 * launcher sees to it that a relay runs.
 *
 * A look is due when the server starts, when a session says so (outboxes were made, started,
 * stopped, resolved), when a relay has ended, and otherwise every minute, for what nobody tells,
 * as the restore of a dump.  Between these the launcher sleeps.
 *
 * All that must outlive it stands in the registry: a launcher that was terminated and started
 * anew goes on with the relays that run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "ground/compat.h"
#include "ground/logfmt.h"
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
#include "worker/shared.h"
#include "worker/worker.h"

#define LIBRARY "kafka_fdw"
#define RESTART_S 1

/* Between routine looks into one database, and into any two. */
#define LOOK_MS (60 * 1000)
#define LOOK_APART_MS (5 * 1000)

/* Between the end of a process and the start of the next one for the same. */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS (60 * 1000)

/* What has run so long ran well. */
#define RAN_WELL_MS (60 * 1000)

/* A relay that is stopped, and does not see it because it waits for Kafka, is terminated. */
#define STOP_MS 2000

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

/* ------------------------------------------------------------------------
 * Times
 * ------------------------------------------------------------------------
 */
static TimestampTz
after(TimestampTz time, int ms)
{
	return TimestampTzPlusMilliseconds(time, ms);
}

static int
backoff_ms(int failures)
{
	return failures > 6 ? BACKOFF_MAX_MS :
		Min(BACKOFF_MIN_MS << Max(failures - 1, 0), BACKOFF_MAX_MS);
}

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
 * Entries
 * ------------------------------------------------------------------------
 */
static KafkaWorker *
find_worker(Oid database, int32 outbox)
{
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state != KAFKA_WORKER_NONE && worker->database == database &&
			worker->outbox == outbox)
			return worker;
	}
	return NULL;
}

static KafkaWorker *
add_worker(Oid database, int32 outbox)
{
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state != KAFKA_WORKER_NONE)
			continue;
		memset(worker, 0, sizeof(*worker));
		worker->database = database;
		worker->outbox = outbox;
		return worker;
	}
	return NULL;
}

static int
live_relays(void)
{
	int			count = 0;

	for (int i = 1; i < kafka_registry_count(); i++)
		count += kafka_worker_is_live(kafka_registry_worker(i)) ? 1 : 0;
	return count;
}

static void
make_pending(KafkaWorker *worker, TimestampTz start)
{
	worker->state = KAFKA_WORKER_PENDING;
	worker->next_start = start;
}

/* ------------------------------------------------------------------------
 * Processes that have ended
 * ------------------------------------------------------------------------
 */
static void
log_end(const KafkaWorker *worker, int ms)
{
	char	   *name = kafka_logfmt_quote(worker->name);

	ereport(LOG,
			(errmsg_internal("event=relay_ended database=%u outbox=%s reason=%s failures=%d "
							 "restart_ms=%d", worker->database, name,
							 worker->end == KAFKA_END_REPLACED ? "replaced" : "died",
							 worker->failures, ms)));
	pfree(name);
}

/* What becomes of a relay whose process has ended. */
static void
settle_relay(KafkaWorker *worker)
{
	int			ms;

	if (worker->started != 0 &&
		TimestampDifferenceExceeds(worker->started, worker->ended, RAN_WELL_MS))
		worker->failures = 0;
	switch (worker->end)
	{
		case KAFKA_END_STOPPED:
		case KAFKA_END_LEFT:
			worker->state = KAFKA_WORKER_STOPPED;
			worker->failures = 0;
			break;
		case KAFKA_END_UNRESOLVED:
			worker->state = KAFKA_WORKER_UNRESOLVED;
			worker->failures++;
			break;
		default:
			ms = backoff_ms(++worker->failures);
			make_pending(worker, after(worker->ended, ms));
			log_end(worker, ms);
			next_refresh = 0;	/* the database may be gone */
			return;
	}
	look_soon(worker->database);
}

/* A scout has found an enabled outbox. */
static void
apply_found(Oid database, const KafkaFound *outbox)
{
	KafkaWorker *worker = find_worker(database, outbox->outbox);
	TimestampTz earliest = GetCurrentTimestamp();

	if (worker == NULL)
	{
		worker = add_worker(database, outbox->outbox);
		if (worker)
			make_pending(worker, earliest);
	}
	if (worker == NULL)
		return;
	strlcpy(worker->name, outbox->name, sizeof(worker->name));
	worker->unwanted = 0;
	earliest = Max(earliest, after(worker->ended, backoff_ms(worker->failures)));
	if (worker->state == KAFKA_WORKER_STOPPED ||
		(worker->state == KAFKA_WORKER_UNRESOLVED && outbox->resolved))
		make_pending(worker, earliest);
}

static bool
was_found(int32 outbox, int count)
{
	for (int i = 0; i < count; i++)
		if (found[i].outbox == outbox)
			return true;
	return false;
}

/* Those that run and were not found see for themselves, as a rule, that they are to end. */
static void
apply_answer(Oid database, int count)
{
	for (int i = 0; i < count; i++)
		apply_found(database, &found[i]);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state == KAFKA_WORKER_NONE || worker->database != database ||
			was_found(worker->outbox, count))
			continue;
		if (!kafka_worker_is_live(worker))
			worker->state = KAFKA_WORKER_NONE;
		else if (worker->unwanted == 0)
			worker->unwanted = after(GetCurrentTimestamp(), STOP_MS);
	}
}

static void
settle_scout(KafkaWorker *scout)
{
	KafkaDatabase *database = find_database(scout->database);
	int			count;

	kafka_registry_unlock();
	count = kafka_registry_take_answer(found);
	kafka_registry_lock(true);
	scout->state = KAFKA_WORKER_NONE;
	if (count >= 0)
		apply_answer(scout->database, count);
	if (database && scout->end != KAFKA_END_LEFT)
		database->failures = count >= 0 ? 0 : database->failures + 1;
	if (database && database->failures > 0)
		database->next_look = after(GetCurrentTimestamp(), backoff_ms(database->failures));
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
		else
			settle_relay(worker);
	}
	kafka_registry_unlock();
}

static void
terminate_unwanted(void)
{
	TimestampTz now = GetCurrentTimestamp();

	kafka_registry_lock(true);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state != KAFKA_WORKER_RUNNING || worker->unwanted == 0 ||
			worker->unwanted > now)
			continue;
		(void) kill(worker->pid, SIGTERM);
		worker->unwanted = after(now, STOP_MS);
	}
	kafka_registry_unlock();
}

/* ------------------------------------------------------------------------
 * What sessions ask for
 * ------------------------------------------------------------------------
 */

/* Relays of the database that do not run are started, whatever befell them; outbox -1: all. */
static void
retry(Oid database, int32 outbox)
{
	kafka_registry_lock(true);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state == KAFKA_WORKER_NONE || kafka_worker_is_live(worker) ||
			worker->database != database || (outbox != -1 && worker->outbox != outbox))
			continue;
		worker->failures = 0;
		make_pending(worker, GetCurrentTimestamp());
	}
	kafka_registry_unlock();
}

static void
take_requests(void)
{
	Oid			database;
	int32		outbox;
	ListCell   *lc;

	while (kafka_workers_take_request(&database, &outbox))
	{
		if (outbox != 0)
			retry(database, outbox);
		look_soon(database);
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
	next_refresh = after(GetCurrentTimestamp(), LOOK_MS);
	kafka_registry_lock(true);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (!kafka_worker_is_live(worker) && worker->state != KAFKA_WORKER_ENDED &&
			find_database(worker->database) == NULL)
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
	next_warning = after(now, WARNING_MS);
	ereport(WARNING,
			(errmsg_internal("event=too_few_workers setting=%s value=%d", setting, value),
			 errdetail("Not every outbox has a relay: what is in the others waits."),
			 errhint("Raise \"%s\", which takes a restart of the server.", setting)));
}

static void
fill_worker(BackgroundWorker *process, int i, const KafkaWorker *worker)
{
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
	strlcpy(process->bgw_type, "kafka_fdw relay", BGW_MAXLEN);
	snprintf(process->bgw_name, BGW_MAXLEN, "kafka_fdw relay %s", worker->name);
	strlcpy(process->bgw_function_name, "kafka_relay_worker_main", BGW_MAXLEN);
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
		next_try = after(GetCurrentTimestamp(), backoff_ms(++refusals));
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

	kafka_registry_lock(true);
	memset(scout, 0, sizeof(*scout));
	scout->database = database->oid;
	if (start_process(KAFKA_SCOUT))
		database->next_look = after(GetCurrentTimestamp(), apart);
	kafka_registry_unlock();
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

static void
start_relays(void)
{
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);
		TimestampTz now = GetCurrentTimestamp();

		if (worker->state != KAFKA_WORKER_PENDING || worker->next_start > now ||
			kafka_registry_is_left(worker->database))
			continue;
		if (live_relays() >= kafka_setting_max_workers)
		{
			warn_too_few("kafka_fdw.max_workers", kafka_setting_max_workers);
			break;
		}
		if (next_try > now)
			break;
		kafka_registry_lock(true);
		(void) start_process(i);
		kafka_registry_unlock();
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
	TimestampTz next = next_refresh;
	bool		full = live_relays() >= kafka_setting_max_workers;
	ListCell   *lc;

	if (kafka_registry_worker(KAFKA_SCOUT)->state == KAFKA_WORKER_NONE)
		foreach(lc, databases)
			next = Min(next, look_at((KafkaDatabase *) lfirst(lc)));
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state == KAFKA_WORKER_RUNNING && worker->unwanted != 0)
			next = Min(next, worker->unwanted);
		if (worker->state == KAFKA_WORKER_PENDING && !full)
			next = Min(next, Max(Max(worker->next_start, next_try),
								 kafka_registry_left_until(worker->database)));
	}
	return next;
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
	found = palloc(kafka_registry_count() * sizeof(KafkaFound));
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
		terminate_unwanted();
		start_scouts();
		start_relays();
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
