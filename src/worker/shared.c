/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  What sessions and background workers share in memory: who relays what, and who is to look.
 *
 * Layer 3.  Sessions write here in the COMMIT event, where nothing may fail and no lock should be
 * waited for: so they only read and write atomic words, and set latches.  Three orders matter:
 *
 * - A relay enters, then looks at its rows; a session commits rows, then looks who is entered.
 *	 With a full barrier between each pair, one of the two sees the other.
 * - A session marks a relay as woken, then sets its latch; the relay takes the mark, then looks at
 *	 its rows.  Where the mark is set already the relay has yet to look, and the latch is left
 *	 alone: a busy relay is not woken by each transaction.
 * - The latch is that of the process's PGPROC, which never goes away.  If the process has gone and
 *	 another has its place, that one is woken needlessly, which any process must stand.
 *
 * Entering and leaving take a lock.
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

/* Beside max_workers: sessions that relay by CALL kafka.relay(). */
#define FOREGROUND_SLOTS 8

/* Requests to the launcher that it has not taken; if there are more, it looks everywhere. */
#define REQUESTS 64

typedef struct RelaySlot
{
	/* database in the upper half, outbox in the lower one; 0: free */
	pg_atomic_uint64 key;
	pg_atomic_uint32 woken;
	pg_atomic_uint32 proc;		/* place of its PGPROC */
	pg_atomic_uint32 pid;
	KafkaRelayStatus status;
} RelaySlot;

typedef struct Shared
{
	LWLock	   *lock;			/* to enter and to leave */
	pg_atomic_uint32 launcher;	/* place of its PGPROC, from 1; 0: it does not run */
	pg_atomic_uint32 look_everywhere;
	pg_atomic_uint64 requests[REQUESTS];	/* 0: free */
	int			slots;
	RelaySlot	slot[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static Shared *shared;
static RelaySlot *mine;
static KafkaRelayStatus unseen;
static bool leaves_at_exit;

/* ------------------------------------------------------------------------
 * The memory
 * ------------------------------------------------------------------------
 */
static int
slot_count(void)
{
	return kafka_setting_max_workers + FOREGROUND_SLOTS;
}

static Size
shared_size(void)
{
	return add_size(offsetof(Shared, slot), mul_size(slot_count(), sizeof(RelaySlot)));
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
init_slot(RelaySlot *slot)
{
	pg_atomic_init_u64(&slot->key, 0);
	pg_atomic_init_u32(&slot->woken, 0);
	pg_atomic_init_u32(&slot->proc, 0);
	pg_atomic_init_u32(&slot->pid, 0);
	init_status(&slot->status);
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
		shared->slots = slot_count();
		pg_atomic_init_u32(&shared->launcher, 0);
		pg_atomic_init_u32(&shared->look_everywhere, 0);
		for (int i = 0; i < REQUESTS; i++)
			pg_atomic_init_u64(&shared->requests[i], 0);
		for (int i = 0; i < shared->slots; i++)
			init_slot(&shared->slot[i]);
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

/* ------------------------------------------------------------------------
 * Waking
 * ------------------------------------------------------------------------
 */
static uint64
key_of(Oid database, int32 outbox)
{
	return ((uint64) database << 32) | (uint32) outbox;
}

static void
wake(RelaySlot *slot)
{
	if (pg_atomic_read_u32(&slot->woken) == 0 && pg_atomic_exchange_u32(&slot->woken, 1) == 0)
		SetLatch(&ProcGlobal->allProcs[pg_atomic_read_u32(&slot->proc)].procLatch);
}

void
kafka_workers_wake_relay(Oid database, int32 outbox)
{
	if (shared == NULL)
		return;
	pg_memory_barrier();		/* the commit, before who is entered */
	for (int i = 0; i < shared->slots; i++)
	{
		uint64		key = pg_atomic_read_u64(&shared->slot[i].key);

		if ((Oid) (key >> 32) == database &&
			(outbox == KAFKA_ALL_OUTBOXES || (int32) (uint32) key == outbox))
			wake(&shared->slot[i]);
	}
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
request(Oid database, int32 outbox)
{
	if (shared == NULL)
		return;
	pg_memory_barrier();
	if (!post(key_of(database, outbox)))
		pg_atomic_write_u32(&shared->look_everywhere, 1);
	kafka_workers_set_launcher_latch();
	kafka_workers_wake_relay(database, KAFKA_ALL_OUTBOXES);
}

void
kafka_workers_wake_launcher(Oid database)
{
	request(database, 0);
}

void
kafka_workers_retry_relay(Oid database, int32 outbox)
{
	request(database, outbox);
}

bool
kafka_workers_take_request(Oid *database, int32 *outbox)
{
	for (int i = 0; i < REQUESTS; i++)
	{
		uint64		key = pg_atomic_exchange_u64(&shared->requests[i], 0);

		if (key == 0)
			continue;
		*database = (Oid) (key >> 32);
		*outbox = (int32) (uint32) key;
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

static void
relay_leaves(int code, Datum arg)
{
	kafka_workers_leave_relay();
}

void
kafka_workers_leave_relay(void)
{
	if (mine == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&mine->key, 0);
	pg_atomic_write_u32(&mine->pid, 0);
	LWLockRelease(shared->lock);
	mine = NULL;
}

/* NULL where all are taken; the lock is held. */
static RelaySlot *
free_slot(void)
{
	for (int i = 0; i < shared->slots; i++)
		if (pg_atomic_read_u64(&shared->slot[i].key) == 0)
			return &shared->slot[i];
	return NULL;
}

static RelaySlot *
slot_of(uint64 key)
{
	for (int i = 0; shared && i < shared->slots; i++)
		if (pg_atomic_read_u64(&shared->slot[i].key) == key)
			return &shared->slot[i];
	return NULL;
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
take_slot(RelaySlot *slot, uint64 key)
{
	reset_status(&slot->status);
	pg_atomic_write_u32(&slot->woken, 1);	/* it has yet to look */
	pg_atomic_write_u32(&slot->proc, my_place());
	pg_atomic_write_u32(&slot->pid, (uint32) MyProcPid);
	pg_write_barrier();
	pg_atomic_write_u64(&slot->key, key);
	mine = slot;
}

bool
kafka_workers_enter_relay(int32 outbox, KafkaRelayStatus **status)
{
	uint64		key = key_of(MyDatabaseId, outbox);
	RelaySlot  *slot = NULL;
	bool		taken;

	*status = &unseen;
	reset_status(&unseen);
	if (shared == NULL)
		return true;
	kafka_workers_leave_relay();
	if (!leaves_at_exit)
		before_shmem_exit(relay_leaves, (Datum) 0);
	leaves_at_exit = true;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	taken = slot_of(key) != NULL;
	if (!taken)
		slot = free_slot();
	if (slot)
		take_slot(slot, key);
	LWLockRelease(shared->lock);
	pg_memory_barrier();		/* before it looks at its rows */
	if (slot)
		*status = &slot->status;
	return !taken;
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
	RelaySlot  *slot;
	int			pid = 0;

	if (shared == NULL)
		return 0;
	LWLockAcquire(shared->lock, LW_SHARED);
	slot = slot_of(key_of(MyDatabaseId, outbox));
	if (slot)
	{
		pid = (int) pg_atomic_read_u32(&slot->pid);
		copy_status(status, &slot->status);
	}
	LWLockRelease(shared->lock);
	return pid;
}

void
kafka_workers_share(int *rank, int *count)
{
	*rank = 0;
	*count = 1;
}
