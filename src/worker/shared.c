/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  What sessions and background workers share in memory: who works for what, and who is to look.
 *
 * Layer 3.  Sessions write here in the COMMIT event, where nothing may fail and no lock should be
 * waited for: so they only read and write atomic words, and set latches.  Three orders matter:
 *
 * - A relay enters, then looks at its rows; a session commits rows, then looks who is entered.
 *	 With a full barrier between each pair, one of the two sees the other.  The same holds for a
 *	 pipeline's worker and its definition.
 * - A session marks a worker as woken, then sets its latch; the worker takes the mark, then looks.
 *	 Where the mark is set already the worker has yet to look, and the latch is left alone: a busy
 *	 relay is not woken by each transaction.
 * - The latch is that of the process's PGPROC, which never goes away.  If the process has gone and
 *	 another has its place, that one is woken needlessly, which any process must stand.
 *
 * Entering, leaving, and a pipeline's look at its workers take a lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/settings.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "worker/registry.h"
#include "worker/shared.h"

#define SHARED_NAME "kafka_fdw"

/* Before those of max_workers: of sessions that relay by CALL kafka.relay(). */
#define FOREGROUND_SLOTS 8

/* Requests to the launcher that it has not taken; if there are more, it looks everywhere. */
#define REQUESTS 64

/* In a key: the lower half is a pipeline's number, not an outbox's. */
#define PIPELINE_BIT UINT64CONST(0x80000000)
#define ID_MASK UINT64CONST(0x7fffffff)

/* A process that works for an outbox or a pipeline. */
typedef struct Entry
{
	/* database in the upper half, kind and number in the lower one; 0: free */
	pg_atomic_uint64 key;
	pg_atomic_uint32 woken;
	pg_atomic_uint32 proc;		/* place of its PGPROC */
	pg_atomic_uint32 pid;
	int			slot;			/* among those of its pipeline; under the lock */
	KafkaRelayStatus status;
} Entry;

typedef struct Shared
{
	LWLock	   *lock;			/* to enter and to leave */
	pg_atomic_uint32 launcher;	/* place of its PGPROC, from 1; 0: it does not run */
	pg_atomic_uint32 look_everywhere;
	pg_atomic_uint64 requests[REQUESTS];	/* 0: free */
	int			count;
	Entry		entry[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static Shared *shared;
static Entry *mine;
static KafkaRelayStatus unseen;
static bool leaves_at_exit;

/* ------------------------------------------------------------------------
 * The memory
 * ------------------------------------------------------------------------
 */
static int
entry_count(void)
{
	return kafka_setting_max_workers + FOREGROUND_SLOTS;
}

static Size
shared_size(void)
{
	return add_size(offsetof(Shared, entry), mul_size(entry_count(), sizeof(Entry)));
}

static void
on_request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(SHARED_NAME, 1);
	kafka_registry_request();
}

static void
init_status(KafkaRelayStatus *status)
{
	pg_atomic_init_u64(&status->messages, 0);
	pg_atomic_init_u64(&status->bytes, 0);
	pg_atomic_init_u64(&status->transactions, 0);
	pg_atomic_init_u64(&status->tick, 0);
	pg_atomic_init_u64(&status->published, 0);
	pg_atomic_init_u64(&status->started, 0);
}

static void
init_entry(Entry *entry)
{
	pg_atomic_init_u64(&entry->key, 0);
	pg_atomic_init_u32(&entry->woken, 0);
	pg_atomic_init_u32(&entry->proc, 0);
	pg_atomic_init_u32(&entry->pid, 0);
	entry->slot = 0;
	init_status(&entry->status);
}

/* At the start of the server, and again after a crash of one of its processes. */
static void
on_startup(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(SHARED_NAME, shared_size(), &found);
	if (!found)
	{
		shared->lock = &GetNamedLWLockTranche(SHARED_NAME)->lock;
		shared->count = entry_count();
		pg_atomic_init_u32(&shared->launcher, 0);
		pg_atomic_init_u32(&shared->look_everywhere, 0);
		for (int i = 0; i < REQUESTS; i++)
			pg_atomic_init_u64(&shared->requests[i], 0);
		for (int i = 0; i < shared->count; i++)
			init_entry(&shared->entry[i]);
	}
	kafka_registry_startup();
	LWLockRelease(AddinShmemInitLock);
}

void
kafka_shared_init(void)
{
	init_status(&unseen);
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = on_request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = on_startup;
}

bool
kafka_workers_are_there(void)
{
	return shared != NULL && kafka_setting_max_workers > 0;
}

void
kafka_workers_require(const char *work, const char *instead)
{
	if (kafka_workers_are_there())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("there are no background workers to %s", work),
			 errdetail("The library is not preloaded, or \"kafka_fdw.max_workers\" is 0."),
			 errhint("Put kafka_fdw into \"shared_preload_libraries\" and restart the server; or "
					 "%s.", instead)));
}

/* ------------------------------------------------------------------------
 * Waking
 * ------------------------------------------------------------------------
 */
static uint64
key_of(Oid database, KafkaJobKind kind, int32 id)
{
	return ((uint64) database << 32) | (kind == KAFKA_JOB_PIPELINE ? PIPELINE_BIT : 0) |
		((uint64) id & ID_MASK);
}

static Oid
database_of(uint64 key)
{
	return (Oid) (key >> 32);
}

static void
wake(Entry *entry)
{
	if (pg_atomic_read_u32(&entry->woken) == 0 && pg_atomic_exchange_u32(&entry->woken, 1) == 0)
		SetLatch(&ProcGlobal->allProcs[pg_atomic_read_u32(&entry->proc)].procLatch);
}

void
kafka_workers_wake(Oid database, KafkaJobKind kind, int32 id)
{
	uint64		wanted = key_of(database, kind, id);

	if (shared == NULL)
		return;
	pg_memory_barrier();		/* the commit, before who is entered */
	for (int i = 0; i < shared->count; i++)
	{
		uint64		key = pg_atomic_read_u64(&shared->entry[i].key);

		if (id == KAFKA_ALL_JOBS ? (key & ~ID_MASK) == (wanted & ~ID_MASK) : key == wanted)
			wake(&shared->entry[i]);
	}
}

void
kafka_workers_wake_relay(Oid database, int32 outbox)
{
	kafka_workers_wake(database, KAFKA_JOB_RELAY, outbox);
}

void
kafka_workers_wake_database(Oid database)
{
	kafka_workers_wake(database, KAFKA_JOB_RELAY, KAFKA_ALL_JOBS);
	kafka_workers_wake(database, KAFKA_JOB_PIPELINE, KAFKA_ALL_JOBS);
}

/* False where there is no room. */
static bool
post(uint64 request)
{
	for (int i = 0; i < REQUESTS; i++)
		if (pg_atomic_read_u64(&shared->requests[i]) == request)
			return true;
	for (int i = 0; i < REQUESTS; i++)
	{
		uint64		expected = 0;

		if (pg_atomic_compare_exchange_u64(&shared->requests[i], &expected, request))
			return true;
	}
	return false;
}

void
kafka_workers_set_launcher_latch(void)
{
	uint32		launcher;

	if (shared == NULL)
		return;
	pg_memory_barrier();
	launcher = pg_atomic_read_u32(&shared->launcher);
	if (launcher > 0)
		SetLatch(&ProcGlobal->allProcs[launcher - 1].procLatch);
}

static void
request(Oid database, KafkaJobKind kind, int32 id)
{
	if (shared == NULL)
		return;
	pg_memory_barrier();
	if (!post(key_of(database, kind, id)))
		pg_atomic_write_u32(&shared->look_everywhere, 1);
	kafka_workers_set_launcher_latch();
}

void
kafka_workers_wake_launcher(Oid database)
{
	request(database, KAFKA_JOB_NONE, 0);
	kafka_workers_wake_database(database);
}

void
kafka_workers_retry(Oid database, KafkaJobKind kind, int32 id)
{
	request(database, kind, id);
	kafka_workers_wake(database, kind, kind == KAFKA_JOB_RELAY ? KAFKA_ALL_JOBS : id);
}

bool
kafka_workers_take_request(KafkaJob *job)
{
	for (int i = 0; i < REQUESTS; i++)
	{
		uint64		key = pg_atomic_exchange_u64(&shared->requests[i], 0);

		if (key == 0)
			continue;
		job->database = database_of(key);
		job->id = (key & ID_MASK) == ID_MASK ? KAFKA_ALL_JOBS : (int32) (key & ID_MASK);
		job->kind = (key & PIPELINE_BIT) ? KAFKA_JOB_PIPELINE :
			job->id != 0 ? KAFKA_JOB_RELAY : KAFKA_JOB_NONE;
		return true;
	}
	return false;
}

bool
kafka_workers_take_look_everywhere(void)
{
	return pg_atomic_exchange_u32(&shared->look_everywhere, 0) != 0;
}

/* ------------------------------------------------------------------------
 * The launcher's and the relays' own entries
 * ------------------------------------------------------------------------
 */
static uint32
my_place(void)
{
	return (uint32) (MyProc - ProcGlobal->allProcs);
}

static void
launcher_leaves(int code, Datum arg)
{
	pg_atomic_write_u32(&shared->launcher, 0);
}

void
kafka_workers_enter_launcher(void)
{
	before_shmem_exit(launcher_leaves, (Datum) 0);
	pg_atomic_write_u32(&shared->launcher, my_place() + 1);
	pg_memory_barrier();		/* before it takes requests */
}

static Entry *
find_entry(uint64 key, int slot)
{
	for (int i = 0; shared && i < shared->count; i++)
		if (pg_atomic_read_u64(&shared->entry[i].key) == key && shared->entry[i].slot == slot)
			return &shared->entry[i];
	return NULL;
}

/* Workers have theirs, however many sessions relay.  NULL where all are taken. */
static Entry *
free_entry(void)
{
	int			first = kafka_registry_is_worker() ? FOREGROUND_SLOTS : 0;
	int			last = kafka_registry_is_worker() ? shared->count : FOREGROUND_SLOTS;

	for (int i = first; i < last; i++)
		if (pg_atomic_read_u64(&shared->entry[i].key) == 0)
			return &shared->entry[i];
	return NULL;
}

/* Of a pipeline the others have another share of the partitions now. */
static void
wake_others(uint64 key)
{
	if (key & PIPELINE_BIT)
		for (int i = 0; i < shared->count; i++)
			if (pg_atomic_read_u64(&shared->entry[i].key) == key && &shared->entry[i] != mine)
				wake(&shared->entry[i]);
}

static void
leave(void)
{
	uint64		key;

	if (mine == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	key = pg_atomic_exchange_u64(&mine->key, 0);
	pg_atomic_write_u32(&mine->pid, 0);
	mine = NULL;
	wake_others(key);
	LWLockRelease(shared->lock);
}

static void
leave_at_exit(int code, Datum arg)
{
	leave();
}

static void
reset_status(KafkaRelayStatus *status)
{
	pg_atomic_write_u64(&status->messages, 0);
	pg_atomic_write_u64(&status->bytes, 0);
	pg_atomic_write_u64(&status->transactions, 0);
	pg_atomic_write_u64(&status->tick, 0);
	pg_atomic_write_u64(&status->published, 0);
	pg_atomic_write_u64(&status->started, (uint64) GetCurrentTimestamp());
}

/* The key last: from then on it is found. */
static void
take_entry(Entry *entry, uint64 key, int slot)
{
	reset_status(&entry->status);
	entry->slot = slot;
	pg_atomic_write_u32(&entry->woken, 1);	/* it has yet to look */
	pg_atomic_write_u32(&entry->proc, my_place());
	pg_atomic_write_u32(&entry->pid, (uint32) MyProcPid);
	pg_write_barrier();
	pg_atomic_write_u64(&entry->key, key);
	mine = entry;
	wake_others(key);
}

/* False where another process is entered; true without an entry where there is no room. */
static bool
enter(uint64 key, int slot)
{
	Entry	   *entry = NULL;
	bool		taken;

	leave();
	if (!leaves_at_exit)
		before_shmem_exit(leave_at_exit, (Datum) 0);
	leaves_at_exit = true;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	taken = find_entry(key, slot) != NULL;
	if (!taken)
		entry = free_entry();
	if (entry)
		take_entry(entry, key, slot);
	LWLockRelease(shared->lock);
	pg_memory_barrier();		/* before it looks at its rows */
	return !taken;
}

/* ------------------------------------------------------------------------
 * Relays
 * ------------------------------------------------------------------------
 */
bool
kafka_workers_enter_relay(int32 outbox, KafkaRelayStatus **status)
{
	bool		entered;

	*status = &unseen;
	reset_status(&unseen);
	if (shared == NULL)
		return true;
	entered = enter(key_of(MyDatabaseId, KAFKA_JOB_RELAY, outbox), 0);
	if (mine)
		*status = &mine->status;
	return entered;
}

void
kafka_workers_leave_relay(void)
{
	leave();
}

bool
kafka_workers_was_woken(void)
{
	return mine != NULL && pg_atomic_exchange_u32(&mine->woken, 0) != 0;
}

static void
copy_status(KafkaRelayStatus *to, KafkaRelayStatus *from)
{
	pg_atomic_init_u64(&to->messages, pg_atomic_read_u64(&from->messages));
	pg_atomic_init_u64(&to->bytes, pg_atomic_read_u64(&from->bytes));
	pg_atomic_init_u64(&to->transactions, pg_atomic_read_u64(&from->transactions));
	pg_atomic_init_u64(&to->tick, pg_atomic_read_u64(&from->tick));
	pg_atomic_init_u64(&to->published, pg_atomic_read_u64(&from->published));
	pg_atomic_init_u64(&to->started, pg_atomic_read_u64(&from->started));
}

int
kafka_workers_relay_of(int32 outbox, KafkaRelayStatus *status)
{
	Entry	   *entry;
	int			pid = 0;

	if (shared == NULL)
		return 0;
	LWLockAcquire(shared->lock, LW_SHARED);
	entry = find_entry(key_of(MyDatabaseId, KAFKA_JOB_RELAY, outbox), 0);
	if (entry)
	{
		pid = (int) pg_atomic_read_u32(&entry->pid);
		copy_status(status, &entry->status);
	}
	LWLockRelease(shared->lock);
	return pid;
}

/* ------------------------------------------------------------------------
 * Workers of pipelines
 * ------------------------------------------------------------------------
 */
bool
kafka_workers_enter_pipeline(int32 pipeline, int slot)
{
	uint64		key = key_of(MyDatabaseId, KAFKA_JOB_PIPELINE, pipeline);

	if (shared == NULL)
		return false;
	if (mine && pg_atomic_read_u64(&mine->key) == key && mine->slot == slot)
		return true;
	return enter(key, slot) && mine != NULL;
}

void
kafka_workers_leave_pipeline(void)
{
	leave();
}

void
kafka_workers_share(int *rank, int *count)
{
	uint64		key = mine ? pg_atomic_read_u64(&mine->key) : 0;

	*rank = 0;
	*count = 1;
	if ((key & PIPELINE_BIT) == 0)
		return;
	*count = 0;
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->count; i++)
	{
		if (pg_atomic_read_u64(&shared->entry[i].key) != key)
			continue;
		(*count)++;
		*rank += shared->entry[i].slot < mine->slot ? 1 : 0;
	}
	LWLockRelease(shared->lock);
}
