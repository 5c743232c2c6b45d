/*-------------------------------------------------------------------------
 *
 * parallel.c
 *	  A scan by several processes: one queue of offset ranges that all take from.
 *
 * Layer 3.  The leader pins the ends, works out the ranges and cuts them into units; the
 * processes take unit after unit.  Workers ask nothing about the topic: what they read is
 * decided once.  Units are large enough that starting one costs little beside reading it, and
 * small enough that nobody waits long for the last.
 *
 * A unit may hold more than the conditions allow, because the executor checks every row, but
 * never less.  So ranges with small gaps between them are read as one; and because the queue
 * lies in memory whose size is fixed when the plan starts, a rescan that needs more units than
 * fit joins ranges with larger gaps too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "executor/executor.h"
#include "fdw/fdw.h"
#include "fdw/scan.h"
#include "format/row.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "utils/rel.h"

/* Units for each process, and offsets in a unit at least. */
#define UNITS_PER_PROCESS 8
#define MIN_UNIT 10000
/* Gaps between ranges that are read through: starting a unit costs more. */
#define SMALL_GAP 2000
/* Room for units, beyond those of the first run. */
#define SPARE_UNITS 1000

struct KafkaSharedScan
{
	pg_atomic_uint32 next;		/* the unit that is taken next */
	pg_atomic_uint64 messages;
	pg_atomic_uint64 bytes;
	pg_atomic_uint64 wait_us;
	int			max_units;
	int			nunits;
	int			npartitions;
	KafkaRange	units[FLEXIBLE_ARRAY_MEMBER];
};

/* ------------------------------------------------------------------------
 * Units
 * ------------------------------------------------------------------------
 */

/* Cuts ranges into units; NULL units only counts. */
static int
cut_units(const KafkaRange *ranges, int nranges, int64 size, KafkaRange *units)
{
	int			n = 0;

	for (int i = 0; i < nranges; i++)
		for (int64 start = ranges[i].start; start < ranges[i].end; start += size)
		{
			if (units)
			{
				units[n].partition = ranges[i].partition;
				units[n].start = start;
				units[n].end = Min(start + size, ranges[i].end);
			}
			n++;
		}
	return n;
}

/*
 * Joins each range with the partition's next ones where the gap between them is small enough;
 * returns how many are left.
 */
static int
join_ranges(KafkaRange *ranges, int nranges, int64 gap)
{
	int			n = 0;

	for (int i = 1; i < nranges; i++)
	{
		if (ranges[i].partition == ranges[n].partition && ranges[i].start - ranges[n].end <= gap)
			ranges[n].end = ranges[i].end;
		else
			ranges[++n] = ranges[i];
	}
	return Min(n + 1, nranges);
}

static void
fill_units(KafkaScan *scan, KafkaSharedScan *shared, int processes)
{
	KafkaRange *ranges = scan->ranges;
	int64		gap = SMALL_GAP;
	int			nranges = join_ranges(ranges, scan->nranges, gap);
	int64		count = kafka_range_count(ranges, nranges);
	int64		size = Max(MIN_UNIT, count / (processes * UNITS_PER_PROCESS) + 1);

	/* with large gaps there may be as many ranges as conditions */
	while (cut_units(ranges, nranges, size, NULL) > shared->max_units)
	{
		gap = Min(gap, PG_INT64_MAX / 4) * 2;
		size = Min(size, PG_INT64_MAX / 4) * 2;
		nranges = join_ranges(ranges, nranges, gap);
	}
	scan->nranges = nranges;
	shared->nunits = cut_units(ranges, nranges, size, shared->units);
	shared->npartitions = scan->npartitions;
	pg_atomic_write_u32(&shared->next, 0);
}

bool
kafka_parallel_next(KafkaScan *scan, KafkaRange *range)
{
	KafkaSharedScan *shared = scan->shared;
	uint32		mine = pg_atomic_fetch_add_u32(&shared->next, 1);

	if (mine >= (uint32) shared->nunits)
	{
		/* never wraps around, however often it is asked */
		pg_atomic_write_u32(&shared->next, (uint32) shared->nunits);
		return false;
	}
	*range = shared->units[mine];
	return true;
}

void
kafka_parallel_report(KafkaScan *scan, const KafkaConsumerStats *stats)
{
	KafkaSharedScan *shared = scan->shared;

	if (!IsParallelWorker())
		return;					/* the leader adds its own when it explains */
	pg_atomic_fetch_add_u64(&shared->messages, stats->messages);
	pg_atomic_fetch_add_u64(&shared->bytes, stats->bytes);
	pg_atomic_fetch_add_u64(&shared->wait_us, (uint64) (stats->wait_ms * 1000));
}

/* ------------------------------------------------------------------------
 * The executor's calls
 * ------------------------------------------------------------------------
 */

/* The leader asks Kafka here, when the plan is about to start its workers. */
static void
resolve_in_leader(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;
	MemoryContext old = MemoryContextSwitchTo(scan->run_context);

	scan->ranges = kafka_scan_resolve(scan, node, &scan->nranges, &scan->npartitions);
	MemoryContextSwitchTo(old);
}

static int
room_for(const KafkaScan *scan)
{
	return scan->nranges + scan->npartitions + SPARE_UNITS;
}

Size
kafkaEstimateDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt)
{
	resolve_in_leader(node);
	return offsetof(KafkaSharedScan, units) +
		sizeof(KafkaRange) * room_for((KafkaScan *) node->fdw_state);
}

void
kafkaInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;
	KafkaSharedScan *shared = (KafkaSharedScan *) coordinate;

	pg_atomic_init_u32(&shared->next, 0);
	pg_atomic_init_u64(&shared->messages, 0);
	pg_atomic_init_u64(&shared->bytes, 0);
	pg_atomic_init_u64(&shared->wait_us, 0);
	shared->max_units = room_for(scan);
	fill_units(scan, shared, pcxt->nworkers + 1);
	scan->shared = shared;
}

void
kafkaReInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;

	resolve_in_leader(node);
	fill_units(scan, (KafkaSharedScan *) coordinate, pcxt->nworkers + 1);
}

void
kafkaInitializeWorkerForeignScan(ForeignScanState *node, shm_toc *toc, void *coordinate)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;

	scan->shared = (KafkaSharedScan *) coordinate;
	scan->npartitions = scan->shared->npartitions;
}

/* The shared memory goes: a worker has its last consumer counted, the leader keeps the sums. */
void
kafkaShutdownForeignScan(ForeignScanState *node)
{
	KafkaScan  *scan = (KafkaScan *) node->fdw_state;
	KafkaSharedScan *shared = scan->shared;

	if (shared == NULL)
		return;
	kafka_scan_close(scan);
	if (IsParallelWorker())
		return;
	/* nobody asks for rows any more before a rescan */
	scan->next_range = scan->nranges;
	scan->shared = NULL;
	scan->finished.messages += pg_atomic_exchange_u64(&shared->messages, 0);
	scan->finished.bytes += pg_atomic_exchange_u64(&shared->bytes, 0);
	scan->finished.wait_ms += pg_atomic_exchange_u64(&shared->wait_us, 0) / 1000.0;
}

static bool
catches_errors(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);	/* the query holds a lock */
	bool		result = kafka_row_catches(rel, kafka_options_of_table(relid, GetUserId()));

	table_close(rel, NoLock);
	return result;
}

/*
 * Where PostgreSQL allows no subtransaction while anything runs in parallel, a scan that needs
 * one must keep the whole query from it, as a function that is PARALLEL UNSAFE does.  Nothing
 * has been made of the tables that were looked at before but this mark.
 */
static void
forbid_parallel(PlannerInfo *root)
{
	root->glob->parallelModeOK = false;
	for (; root; root = root->parent_root)
		for (int i = 1; i < root->simple_rel_array_size; i++)
			if (root->simple_rel_array[i])
				root->simple_rel_array[i]->consider_parallel = false;
}

/* Only a partial path is: an ordinary scan in a worker would pin ends of its own. */
bool
kafkaIsForeignScanParallelSafe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	if (KAFKA_ATTEMPTS_IN_PARALLEL || !catches_errors(rte->relid))
		return true;
	forbid_parallel(root);
	return false;
}
