/*-------------------------------------------------------------------------
 *
 * registry.c
 *	  The extension's background workers, as launcher, workers and sessions see them.
 *
 * Layer 3.  The launcher makes entries and starts processes for them.  A process takes its entry
 * if it is still meant: the generation says so.  It marks the entry as ended when it has left the
 * database, so that a launcher that was started anew, and has no handles of its predecessor's
 * workers, sees them end all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/settings.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "worker/registry.h"
#include "worker/shared.h"

#define REGISTRY_NAME "kafka_fdw workers"

/* Beside the workers that may run: those that wait to be started, or to be resolved. */
#define WAITING_WORKERS 54

/* Databases that sessions have left at a time. */
#define LEAVINGS 8
#define LEAVING_MS (60 * 1000)

typedef struct Leaving
{
	Oid			database;		/* InvalidOid: free */
	int			pid;			/* session */
	TimestampTz until;
} Leaving;

typedef struct Registry
{
	LWLock	   *lock;
	int			launcher;		/* pid */
	TimestampTz launcher_started;
	uint32		generation;
	pg_atomic_uint32 leavings;	/* how many are set: asked without the lock */
	Leaving		leaving[LEAVINGS];
	int			found;			/* -1: no answer */
	int			count;
	KafkaWorker worker[FLEXIBLE_ARRAY_MEMBER];	/* then a scout's answer, KafkaFound */
} Registry;

static Registry *registry;
static KafkaFound *answer;
static KafkaWorker *mine;

/* ------------------------------------------------------------------------
 * The memory
 * ------------------------------------------------------------------------
 */
static int
worker_count(void)
{
	return 1 + kafka_setting_max_workers + WAITING_WORKERS;
}

/* As many outboxes, and as many pipelines. */
static int
found_count(void)
{
	return 2 * worker_count();
}

static Size
workers_size(void)
{
	return MAXALIGN(offsetof(Registry, worker) + worker_count() * sizeof(KafkaWorker));
}

Size
kafka_registry_size(void)
{
	return add_size(workers_size(), mul_size(found_count(), sizeof(KafkaFound)));
}

void
kafka_registry_request(void)
{
	RequestAddinShmemSpace(kafka_registry_size());
	RequestNamedLWLockTranche(REGISTRY_NAME, 1);
}

/* Under AddinShmemInitLock. */
void
kafka_registry_startup(void)
{
	bool		found;

	registry = ShmemInitStruct(REGISTRY_NAME, kafka_registry_size(), &found);
	answer = (KafkaFound *) ((char *) registry + workers_size());
	if (found)
		return;
	memset(registry, 0, kafka_registry_size());
	registry->lock = &GetNamedLWLockTranche(REGISTRY_NAME)->lock;
	pg_atomic_init_u32(&registry->leavings, 0);
	registry->found = -1;
	registry->count = worker_count();
}

void
kafka_registry_lock(bool exclusive)
{
	LWLockAcquire(registry->lock, exclusive ? LW_EXCLUSIVE : LW_SHARED);
}

void
kafka_registry_unlock(void)
{
	LWLockRelease(registry->lock);
}

KafkaWorker *
kafka_registry_worker(int i)
{
	return &registry->worker[i];
}

int
kafka_registry_count(void)
{
	return registry ? registry->count : 0;
}

bool
kafka_worker_is_live(const KafkaWorker *worker)
{
	return worker->state == KAFKA_WORKER_STARTING || worker->state == KAFKA_WORKER_RUNNING;
}

/* ------------------------------------------------------------------------
 * The launcher
 * ------------------------------------------------------------------------
 */
void
kafka_registry_set_launcher(int pid)
{
	kafka_registry_lock(true);
	registry->launcher = pid;
	registry->launcher_started = GetCurrentTimestamp();
	kafka_registry_unlock();
}

int
kafka_registry_launcher(TimestampTz *started)
{
	int			pid;

	kafka_registry_lock(false);
	pid = registry->launcher;
	*started = registry->launcher_started;
	kafka_registry_unlock();
	return pid;
}

uint32
kafka_registry_next_generation(void)
{
	return ++registry->generation;
}

/* ------------------------------------------------------------------------
 * A worker
 * ------------------------------------------------------------------------
 */
static void
detach(int code, Datum arg)
{
	bool		left;

	if (mine == NULL)
		return;
	left = kafka_registry_is_left(mine->job.database);
	kafka_registry_lock(true);
	if (mine->generation == DatumGetUInt32(arg))
	{
		/* terminated for that, as the one that waits for Kafka is */
		if (left)
			mine->end = KAFKA_END_LEFT;
		else if (mine->end == KAFKA_END_DIED && mine->unwanted != 0)
			mine->end = KAFKA_END_STOPPED;
		mine->state = KAFKA_WORKER_ENDED;
		mine->ended = GetCurrentTimestamp();
		mine->pid = 0;
	}
	kafka_registry_unlock();
	mine = NULL;
	kafka_workers_set_launcher_latch();
}

KafkaWorker
kafka_registry_attach(int i, uint32 generation)
{
	KafkaWorker *worker = &registry->worker[i];
	KafkaWorker copy;

	/* registered now, it is called after the process has left its database */
	on_shmem_exit(detach, UInt32GetDatum(generation));
	kafka_registry_lock(true);
	copy = *worker;
	if (worker->generation == generation && worker->state == KAFKA_WORKER_STARTING)
	{
		mine = worker;
		worker->state = KAFKA_WORKER_RUNNING;
		worker->previous = worker->end;
		worker->end = KAFKA_END_DIED;
		worker->pid = MyProcPid;
		worker->started = GetCurrentTimestamp();
	}
	kafka_registry_unlock();
	if (mine == NULL)
		proc_exit(0);
	if (kafka_registry_is_left(copy.job.database))
	{
		kafka_registry_set_end(KAFKA_END_LEFT);
		proc_exit(0);
	}
	return copy;
}

void
kafka_registry_set_end(KafkaWorkerEnd end)
{
	kafka_registry_lock(true);
	mine->end = end;
	kafka_registry_unlock();
}

bool
kafka_registry_is_worker(void)
{
	return mine != NULL;
}

/* Without the lock: who sees it late is terminated. */
bool
kafka_registry_is_unwanted(void)
{
	return mine != NULL && *(volatile TimestampTz *) &mine->unwanted != 0;
}

int
kafka_registry_found_max(void)
{
	return 2 * registry->count;
}

void
kafka_registry_answer(const KafkaFound *found, int count)
{
	kafka_registry_lock(true);
	memcpy(answer, found, count * sizeof(KafkaFound));
	registry->found = count;
	mine->end = KAFKA_END_DONE;
	kafka_registry_unlock();
}

int
kafka_registry_take_answer(KafkaFound *found)
{
	int			count;

	kafka_registry_lock(true);
	count = registry->found;
	if (count > 0)
		memcpy(found, answer, count * sizeof(KafkaFound));
	registry->found = -1;
	kafka_registry_unlock();
	return count;
}

/* ------------------------------------------------------------------------
 * Databases that are left
 * ------------------------------------------------------------------------
 */
bool
kafka_registry_leave(Oid database)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		set = false;

	kafka_registry_lock(true);
	for (int i = 0; i < LEAVINGS && !set; i++)
	{
		Leaving    *leaving = &registry->leaving[i];

		if (OidIsValid(leaving->database) && leaving->until > now)
			continue;
		if (!OidIsValid(leaving->database))
			pg_atomic_fetch_add_u32(&registry->leavings, 1);
		leaving->database = database;
		leaving->pid = MyProcPid;
		leaving->until = TimestampTzPlusMilliseconds(now, LEAVING_MS);
		set = true;
	}
	kafka_registry_unlock();
	return set;
}

void
kafka_registry_leave_done(void)
{
	kafka_registry_lock(true);
	for (int i = 0; i < LEAVINGS; i++)
	{
		if (!OidIsValid(registry->leaving[i].database) || registry->leaving[i].pid != MyProcPid)
			continue;
		registry->leaving[i].database = InvalidOid;
		pg_atomic_fetch_sub_u32(&registry->leavings, 1);
	}
	kafka_registry_unlock();
}

TimestampTz
kafka_registry_left_until(Oid database)
{
	TimestampTz until = 0;
	TimestampTz now;

	if (registry == NULL || pg_atomic_read_u32(&registry->leavings) == 0)
		return 0;
	now = GetCurrentTimestamp();
	kafka_registry_lock(false);
	for (int i = 0; i < LEAVINGS; i++)
		if (registry->leaving[i].database == database && registry->leaving[i].until > now)
			until = Max(until, registry->leaving[i].until);
	kafka_registry_unlock();
	return until;
}

bool
kafka_registry_is_left(Oid database)
{
	return kafka_registry_left_until(database) != 0;
}

int
kafka_registry_workers_in(Oid database, int *pids, int max)
{
	int			count = 0;

	kafka_registry_lock(false);
	for (int i = 0; i < registry->count && count < max; i++)
	{
		KafkaWorker *worker = &registry->worker[i];

		if (worker->job.database == database && kafka_worker_is_live(worker))
			pids[count++] = worker->pid;
	}
	kafka_registry_unlock();
	return count;
}
