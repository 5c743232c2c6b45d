/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Reading the committed rows of some transactions, in the order of their ids.
 *
 * Layer 3.  Not by SQL: this is the relay's row path, and its plan must not depend on statistics.
 * The index on (outbox, xid) finds the rows; of each only id and place are kept, and sorted; then
 * they are fetched in that order, which is about the order they lie in.  Of a very large tick the
 * lowest ids are kept, and the rest is found by another pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "ground/query.h"
#include "outbox/rows.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* Places that are kept at a time; half of them survive when there is no more room. */
#define MAX_PLACES (2 * 1024 * 1024)
#define FIRST_PLACES 1024

/* Where a row is. */
typedef struct Place
{
	int64		id;
	ItemPointerData tid;
	uint16		slot;
} Place;

#define ST_SORT sort_places
#define ST_ELEMENT_TYPE Place
#define ST_COMPARE(a, b) ((a)->id < (b)->id ? -1 : (a)->id > (b)->id)
#define ST_SCOPE static
#define ST_DEFINE
#define ST_DECLARE
#include "lib/sort_template.h"

struct KafkaRowScan
{
	int32		outbox;
	const KafkaXidRanges *ranges;
	Snapshot	snapshot;
	Relation	rels[KAFKA_OUTBOX_SLOTS];
	Relation	indexes[KAFKA_OUTBOX_SLOTS];	/* NULL: the part is empty */
	TupleTableSlot *slots[KAFKA_OUTBOX_SLOTS];	/* tuple slots for the parts */
	Place	   *places;
	int			nplaces;
	int			max_places;
	int			next;
	bool		more;			/* rows above the last place were left out */
};

/* ------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------
 */
static Oid
part_relid(int number, const char *suffix)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), "outbox_row_%d%s", number, suffix);
	return get_relname_relid(name, get_namespace_oid("kafka", false));
}

static void
open_part(KafkaRowScan *scan, int number)
{
	Oid			indexid;

	scan->rels[number] = table_open(part_relid(number, ""), AccessShareLock);
	kafka_query_check_columns(scan->rels[number], KAFKA_ROW_HEADERS);
	if (RelationGetNumberOfBlocks(scan->rels[number]) == 0)
		return;
	indexid = part_relid(number, "_xid");
	if (!OidIsValid(indexid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"outbox_row_%d_xid\" of the outbox does not exist", number)));
	scan->indexes[number] = index_open(indexid, AccessShareLock);
	scan->slots[number] = table_slot_create(scan->rels[number], NULL);
}

static KafkaRowScan *
open_scan(int32 outbox, const KafkaXidRanges *ranges)
{
	KafkaRowScan *scan = palloc0(sizeof(KafkaRowScan));

	scan->outbox = outbox;
	scan->ranges = ranges;
	PushActiveSnapshot(GetTransactionSnapshot());
	scan->snapshot = GetActiveSnapshot();
	for (int i = 0; i < KAFKA_OUTBOX_SLOTS; i++)
		open_part(scan, i);
	return scan;
}

void
kafka_rows_end(KafkaRowScan *scan)
{
	for (int i = 0; i < KAFKA_OUTBOX_SLOTS; i++)
	{
		if (scan->slots[i])
			ExecDropSingleTupleTableSlot(scan->slots[i]);
		if (scan->indexes[i])
			index_close(scan->indexes[i], AccessShareLock);
		table_close(scan->rels[i], AccessShareLock);
	}
	PopActiveSnapshot();
	if (scan->places)
		pfree(scan->places);
	pfree(scan);
}

/* ------------------------------------------------------------------------
 * Finding
 * ------------------------------------------------------------------------
 */
static SysScanDesc
begin_range(const KafkaRowScan *scan, int number, int range)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], KAFKA_ROW_OUTBOX, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(scan->outbox));
	ScanKeyInit(&keys[1], KAFKA_ROW_XID, BTGreaterEqualStrategyNumber, F_XID8GE,
				FullTransactionIdGetDatum(FullTransactionIdFromU64(scan->ranges->from[range])));
	ScanKeyInit(&keys[2], KAFKA_ROW_XID, BTLessStrategyNumber, F_XID8LT,
				FullTransactionIdGetDatum(FullTransactionIdFromU64(scan->ranges->to[range])));
	return systable_beginscan_ordered(scan->rels[number], scan->indexes[number],
									  scan->snapshot, 3, keys);
}

/* Sorts, unless they are in order already, which is the rule. */
static void
put_in_order(KafkaRowScan *scan)
{
	for (int i = 1; i < scan->nplaces; i++)
		if (scan->places[i - 1].id > scan->places[i].id)
		{
			sort_places(scan->places, scan->nplaces);
			return;
		}
}

static void
make_room(KafkaRowScan *scan)
{
	if (scan->nplaces < scan->max_places)
		return;
	if (scan->max_places == MAX_PLACES)
	{
		put_in_order(scan);
		scan->nplaces = MAX_PLACES / 2;
		scan->more = true;
		return;
	}
	scan->max_places = Max(FIRST_PLACES, scan->max_places * 2);
	scan->places = scan->places ? repalloc(scan->places, sizeof(Place) * scan->max_places) :
		palloc(sizeof(Place) * scan->max_places);
}

/* Once rows were left out, the last place that was kept is the limit. */
static bool
is_above_limit(const KafkaRowScan *scan, int64 id)
{
	return scan->more && id > scan->places[MAX_PLACES / 2 - 1].id;
}

static void
find_in_range(KafkaRowScan *scan, int number, int range, int64 after)
{
	SysScanDesc found = begin_range(scan, number, range);
	TupleDesc	desc = RelationGetDescr(scan->rels[number]);
	HeapTuple	tuple;
	bool		isnull;

	while ((tuple = systable_getnext_ordered(found, ForwardScanDirection)) != NULL)
	{
		int64		id = DatumGetInt64(heap_getattr(tuple, KAFKA_ROW_ID, desc, &isnull));
		Place	   *place;

		if (id <= after || is_above_limit(scan, id))
			continue;
		make_room(scan);
		place = &scan->places[scan->nplaces++];
		place->id = id;
		place->tid = tuple->t_self;
		place->slot = (uint16) number;
		if (scan->nplaces % FIRST_PLACES == 0)
			CHECK_FOR_INTERRUPTS();
	}
	systable_endscan_ordered(found);
}

static void
find_places(KafkaRowScan *scan, int64 after)
{
	scan->nplaces = 0;
	scan->next = 0;
	scan->more = false;
	for (int number = 0; number < KAFKA_OUTBOX_SLOTS; number++)
		for (int range = 0; scan->indexes[number] && range < scan->ranges->n; range++)
			find_in_range(scan, number, range, after);
	put_in_order(scan);
	if (scan->more)
		scan->nplaces = Min(scan->nplaces, MAX_PLACES / 2);
}

bool
kafka_rows_exist(int32 outbox, const KafkaXidRanges *ranges)
{
	KafkaRowScan *scan;
	bool		exist = false;

	if (ranges->n == 0)
		return false;
	scan = open_scan(outbox, ranges);
	for (int number = 0; number < KAFKA_OUTBOX_SLOTS; number++)
		for (int range = 0; !exist && scan->indexes[number] && range < ranges->n; range++)
		{
			SysScanDesc found = begin_range(scan, number, range);

			exist = systable_getnext_ordered(found, ForwardScanDirection) != NULL;
			systable_endscan_ordered(found);
		}
	kafka_rows_end(scan);
	return exist;
}

/* ------------------------------------------------------------------------
 * Fetching
 * ------------------------------------------------------------------------
 */
KafkaRowScan *
kafka_rows_begin(int32 outbox, const KafkaXidRanges *ranges, int64 after)
{
	KafkaRowScan *scan = open_scan(outbox, ranges);

	find_places(scan, after);
	return scan;
}

TupleTableSlot *
kafka_rows_next(KafkaRowScan *scan)
{
	Place	   *place;
	TupleTableSlot *slot;

	if (scan->next == scan->nplaces && scan->more)
		find_places(scan, scan->places[scan->nplaces - 1].id);
	if (scan->next == scan->nplaces)
		return NULL;
	place = &scan->places[scan->next++];
	slot = scan->slots[place->slot];
	if (!table_tuple_fetch_row_version(scan->rels[place->slot], &place->tid, scan->snapshot, slot))
		elog(ERROR, "row " INT64_FORMAT " of the outbox has gone", place->id);
	slot_getallattrs(slot);
	return slot;
}

int64
kafka_rows_highest(const KafkaRowScan *scan, int64 after)
{
	return scan->nplaces > 0 ? scan->places[scan->nplaces - 1].id : after;
}

static int
compare_ids(const void *id, const void *place)
{
	int64		a = *(const int64 *) id;
	int64		b = ((const Place *) place)->id;

	return a < b ? -1 : a > b;
}

bool
kafka_rows_have(const KafkaRowScan *scan, int64 id)
{
	return scan->nplaces > 0 &&
		bsearch(&id, scan->places, scan->nplaces, sizeof(Place), compare_ids) != NULL;
}
