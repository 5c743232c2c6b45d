/*-------------------------------------------------------------------------
 *
 * jobs.c
 *	  Which processes outboxes and pipelines are to have: the launcher's entries in the registry.
 *
 * Layer 3.  There is an entry for each process that is wanted: one for an outbox that is enabled,
 * as many as its parallelism for a pipeline.  Where PostgreSQL has too few processes they are shared
 * out by slot: each job gets its first one before any gets a second one, and one of a higher slot
 * that runs gives way.
 *
 * A process that is not wanted any more is marked and woken.  It ends after the transaction that
 * it is at, or is terminated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "ground/logfmt.h"
#include "utils/timestamp.h"
#include "worker/jobs.h"
#include "worker/shared.h"

/* Between the end of a process and the start of the next one for the same. */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS (60 * 1000)

/* What has run so long ran well. */
#define RAN_WELL_MS (60 * 1000)

/* Between the starts of processes that end because they are to stop. */
#define APART_MS 1000

TimestampTz
kafka_after(TimestampTz time, int ms)
{
	return TimestampTzPlusMilliseconds(time, ms);
}

int
kafka_jobs_backoff_ms(int failures)
{
	return failures > 6 ? BACKOFF_MAX_MS :
		Min(BACKOFF_MIN_MS << Max(failures - 1, 0), BACKOFF_MAX_MS);
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */
static bool
is_of(const KafkaWorker *worker, const KafkaJob *job)
{
	return worker->state != KAFKA_WORKER_NONE && worker->job.database == job->database &&
		worker->job.kind == job->kind && (job->id == KAFKA_ALL_JOBS || worker->job.id == job->id);
}

static KafkaWorker *
find_worker(const KafkaJob *job, int slot)
{
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (is_of(worker, job) && worker->slot == slot)
			return worker;
	}
	return NULL;
}

/* A free one; else that of a higher slot which does not run.  NULL: there is no room. */
static KafkaWorker *
free_worker(int slot)
{
	KafkaWorker *found = NULL;

	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state == KAFKA_WORKER_NONE)
			return worker;
		if (!kafka_worker_is_live(worker) && worker->state != KAFKA_WORKER_ENDED &&
			worker->slot > (found ? found->slot : slot))
			found = worker;
	}
	return found;
}

static void
make_pending(KafkaWorker *worker, TimestampTz start)
{
	worker->state = KAFKA_WORKER_PENDING;
	worker->next_start = start;
}

static KafkaWorker *
add_worker(const KafkaJob *job, int slot)
{
	KafkaWorker *worker = free_worker(slot);

	if (worker == NULL)
		return NULL;
	memset(worker, 0, sizeof(*worker));
	worker->job = *job;
	worker->slot = slot;
	make_pending(worker, GetCurrentTimestamp());
	return worker;
}

int
kafka_jobs_live(void)
{
	int			count = 0;

	for (int i = 1; i < kafka_registry_count(); i++)
		count += kafka_worker_is_live(kafka_registry_worker(i)) ? 1 : 0;
	return count;
}

/* It sees that at the end of its transaction. */
static void
end_soon(KafkaWorker *worker)
{
	if (worker->unwanted != 0)
		return;
	worker->unwanted = kafka_after(GetCurrentTimestamp(), KAFKA_STOP_MS);
	kafka_workers_wake(worker->job.database, worker->job.kind, worker->job.id);
}

/* ------------------------------------------------------------------------
 * Processes that have ended
 * ------------------------------------------------------------------------
 */
static void
log_end(const KafkaWorker *worker, int ms)
{
	const char *reason = worker->end == KAFKA_END_REPLACED ? "replaced" : "died";
	char	   *name = kafka_logfmt_quote(worker->name);

	if (worker->job.kind == KAFKA_JOB_RELAY)
		ereport(LOG,
				(errmsg_internal("event=relay_ended database=%u outbox=%s reason=%s failures=%d "
								 "restart_ms=%d", worker->job.database, name, reason,
								 worker->failures, ms)));
	else
		ereport(LOG,
				(errmsg_internal("event=pipeline_ended database=%u pipeline=%s slot=%d reason=%s "
								 "failures=%d restart_ms=%d", worker->job.database, name,
								 worker->slot, reason, worker->failures, ms)));
	pfree(name);
}

bool
kafka_jobs_settle(KafkaWorker *worker)
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
			worker->next_start = kafka_after(worker->started, APART_MS);
			return true;
		case KAFKA_END_UNRESOLVED:
			worker->state = KAFKA_WORKER_UNRESOLVED;
			worker->next_start = kafka_after(worker->ended,
											 kafka_jobs_backoff_ms(++worker->failures));
			return true;
		default:
			ms = kafka_jobs_backoff_ms(++worker->failures);
			make_pending(worker, kafka_after(worker->ended, ms));
			log_end(worker, ms);
			return false;
	}
}

/* ------------------------------------------------------------------------
 * What scouts find
 * ------------------------------------------------------------------------
 */
static void
apply_found(Oid database, const KafkaFound *found, int slot)
{
	KafkaJob	job = {database, found->kind, found->id};
	KafkaWorker *worker = find_worker(&job, slot);

	if (worker == NULL)
		worker = add_worker(&job, slot);
	if (worker == NULL)
		return;
	strlcpy(worker->name, found->name, sizeof(worker->name));
	worker->unwanted = 0;
	if (worker->state == KAFKA_WORKER_STOPPED ||
		(worker->state == KAFKA_WORKER_UNRESOLVED && found->resolved))
		worker->state = KAFKA_WORKER_PENDING;
}

static bool
was_found(const KafkaWorker *worker, const KafkaFound *found, int count)
{
	for (int i = 0; i < count; i++)
		if (found[i].kind == worker->job.kind && found[i].id == worker->job.id)
			return worker->slot < found[i].processes;
	return false;
}

/* Those that run and were not found see for themselves, as a rule, that they are to end. */
static void
apply_missing(Oid database, const KafkaFound *found, int count)
{
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state == KAFKA_WORKER_NONE || worker->job.database != database ||
			was_found(worker, found, count))
			continue;
		if (kafka_worker_is_live(worker))
			end_soon(worker);
		else if (worker->state != KAFKA_WORKER_ENDED)
			worker->state = KAFKA_WORKER_NONE;
	}
}

/* First processes first: there may be no room for all entries. */
void
kafka_jobs_apply(Oid database, const KafkaFound *found, int count)
{
	int			most = 0;

	for (int i = 0; i < count; i++)
		most = Max(most, found[i].processes);
	most = Min(most, kafka_registry_count());
	kafka_registry_lock(true);
	apply_missing(database, found, count);
	for (int slot = 0; slot < most; slot++)
		for (int i = 0; i < count; i++)
			if (slot < found[i].processes)
				apply_found(database, &found[i], slot);
	kafka_registry_unlock();
}

/* ------------------------------------------------------------------------
 * What sessions ask for
 * ------------------------------------------------------------------------
 */

/* A pipeline may have failed or be stopped: a scout looks first. */
void
kafka_jobs_retry(const KafkaJob *job)
{
	kafka_registry_lock(true);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (!is_of(worker, job) || kafka_worker_is_live(worker))
			continue;
		worker->failures = 0;
		worker->next_start = GetCurrentTimestamp();
		worker->state = worker->job.kind == KAFKA_JOB_PIPELINE ?
			KAFKA_WORKER_STOPPED : KAFKA_WORKER_PENDING;
	}
	kafka_registry_unlock();
}

/* ------------------------------------------------------------------------
 * Whose turn it is
 * ------------------------------------------------------------------------
 */
static bool
is_startable(const KafkaWorker *worker)
{
	return worker->state == KAFKA_WORKER_PENDING && !kafka_registry_is_left(worker->job.database);
}

int
kafka_jobs_next(TimestampTz now)
{
	int			next = 0;

	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (is_startable(worker) && worker->next_start <= now &&
			(next == 0 || worker->slot < kafka_registry_worker(next)->slot))
			next = i;
	}
	return next;
}

/* Of the highest slot; NULL where none is higher, or one is about to end anyway. */
static KafkaWorker *
who_gives_way(int slot)
{
	KafkaWorker *found = NULL;

	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (!kafka_worker_is_live(worker))
			continue;
		if (worker->unwanted != 0)
			return NULL;
		if (worker->slot > (found ? found->slot : slot))
			found = worker;
	}
	return found;
}

void
kafka_jobs_make_room(int slot)
{
	KafkaWorker *worker;

	kafka_registry_lock(true);
	worker = who_gives_way(slot);
	if (worker)
		end_soon(worker);
	kafka_registry_unlock();
}

TimestampTz
kafka_jobs_next_start(bool full)
{
	TimestampTz next = DT_NOEND;

	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state != KAFKA_WORKER_PENDING || (full && !who_gives_way(worker->slot)))
			continue;
		next = Min(next, Max(worker->next_start, kafka_registry_left_until(worker->job.database)));
	}
	return next;
}

TimestampTz
kafka_jobs_terminate_unwanted(TimestampTz now)
{
	TimestampTz next = DT_NOEND;

	kafka_registry_lock(true);
	for (int i = 1; i < kafka_registry_count(); i++)
	{
		KafkaWorker *worker = kafka_registry_worker(i);

		if (worker->state != KAFKA_WORKER_RUNNING || worker->unwanted == 0)
			continue;
		if (worker->unwanted <= now)
		{
			(void) kill(worker->pid, SIGTERM);
			worker->unwanted = kafka_after(now, KAFKA_STOP_MS);
		}
		next = Min(next, worker->unwanted);
	}
	kafka_registry_unlock();
	return next;
}
