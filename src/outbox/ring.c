/*-------------------------------------------------------------------------
 *
 * ring.c
 *	  The parts of kafka.outbox_row take turns, so that a steady load leaves no bloat.
 *
 * Layer 3.  New rows go into one part.  After half of kafka_fdw.outbox_retention they go into the
 * next, and a part whose rows are all published and old enough is truncated.  Which part a row is
 * in says nothing: relays look into all of them.  A session that has not heard of the turn yet
 * still writes into the last part; it holds a lock on it to the end of its transaction, prepared
 * ones too, and truncation waits for nobody's lock: it tries again later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "ground/query.h"
#include "outbox/relay_internal.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* A part is open for so long at least, s. */
#define SHORTEST_TURN 5

typedef struct Ring
{
	int			slot;
	TimestampTz opened;
	TimestampTz closed[KAFKA_OUTBOX_SLOTS];	/* 0: never */
} Ring;

static KafkaQuery look_query = {
	.text = "SELECT r.slot, r.opened, r.closed FROM kafka.outbox_ring r"
};

static KafkaQuery turn_query = {
	.text = "UPDATE kafka.outbox_ring r SET slot = $1, opened = pg_catalog.clock_timestamp(), "
	"closed[$2] = pg_catalog.clock_timestamp() "
	"WHERE r.slot OPERATOR(pg_catalog.+) 1 OPERATOR(pg_catalog.=) $2",
	.nargs = 2, .types = {INT2OID, INT4OID}
};

/* Rows of a part that are not published yet; its number comes three times. */
#define UNPUBLISHED_ROWS \
	"SELECT FROM kafka.outbox_definition d CROSS JOIN LATERAL (SELECT COALESCE((" \
	"SELECT CASE WHEN t.restored THEN '3:3:' ELSE t.snapshot END FROM kafka.outbox_tick t " \
	"WHERE t.outbox = d.id AND t.tick = " \
	"(SELECT max(u.acknowledged) FROM kafka.outbox_tick u WHERE u.outbox = d.id)), '3:3:') AS s) a " \
	"WHERE EXISTS (SELECT FROM kafka.outbox_row_%d r " \
	"WHERE r.outbox = d.id AND r.xid >= pg_snapshot_xmax(a.s)) " \
	"OR EXISTS (SELECT FROM pg_snapshot_xip(a.s) x JOIN kafka.outbox_row_%d r " \
	"ON r.outbox = d.id AND r.xid = x) " \
	"OR EXISTS (SELECT FROM kafka.outbox_row_%d r WHERE r.outbox = d.id AND r.xid = '0')"

static bool
look(Ring *ring)
{
	bool		isnull;
	Datum	   *closed;
	bool	   *nulls;
	int			n;

	if (kafka_query_run(&look_query, NULL, NULL) == 0)
		return false;
	ring->slot = DatumGetInt16(kafka_query_value(1, &isnull));
	ring->opened = DatumGetTimestampTz(kafka_query_value(2, &isnull));
	deconstruct_array(DatumGetArrayTypeP(kafka_query_value(3, &isnull)), TIMESTAMPTZOID,
					  sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &closed, &nulls, &n);
	for (int i = 0; i < KAFKA_OUTBOX_SLOTS; i++)
		ring->closed[i] = i < n && !nulls[i] ? DatumGetTimestampTz(closed[i]) : 0;
	return ring->slot >= 0 && ring->slot < KAFKA_OUTBOX_SLOTS;
}

static Oid
slot_relid(int slot)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), "outbox_row_%d", slot);
	return get_relname_relid(name, get_namespace_oid("kafka", false));
}

static bool
is_empty(int slot)
{
	Relation	rel = table_open(slot_relid(slot), AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);

	table_close(rel, AccessShareLock);
	return blocks == 0;
}

static bool
has_unpublished(int slot)
{
	char	   *query = psprintf(UNPUBLISHED_ROWS, slot, slot, slot);

	if (SPI_execute(query, false, 1) < 0)
		elog(ERROR, "a query on the outbox failed");
	return SPI_processed > 0;
}

/* Truncates a part, if nobody has a lock on it and all of it is published.  As the tables' owner. */
static void
try_truncate(int slot)
{
	if (!ConditionalLockRelationOid(slot_relid(slot), AccessExclusiveLock))
		return;
	if (has_unpublished(slot))
		return;
	if (SPI_execute(psprintf("TRUNCATE ONLY kafka.outbox_row_%d", slot), false, 0) < 0)
		elog(ERROR, "could not truncate a part of the outbox");
}

/* As the tables' owner. */
static void
truncate_as_owner(int slot)
{
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(kafka_query_owner(), security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	try_truncate(slot);
	SetUserIdAndSecContext(user, security);
}

static bool
is_older(TimestampTz time, int64 seconds)
{
	return time != 0 &&
		time + seconds * USECS_PER_SEC <= GetCurrentTimestamp();
}

/* The next part that is empty; the same one, if none is. */
static int
next_slot(const Ring *ring)
{
	int			slot = (ring->slot + 1) % KAFKA_OUTBOX_SLOTS;

	while (slot != ring->slot && !is_empty(slot))
		slot = (slot + 1) % KAFKA_OUTBOX_SLOTS;
	return slot;
}

static void
turn(const Ring *ring)
{
	int			next = next_slot(ring);
	Datum		values[] = {Int16GetDatum(next), Int32GetDatum(ring->slot + 1)};

	if (next != ring->slot && kafka_query_run(&turn_query, values, NULL) > 0)
		kafka_outbox_changed();
}

void
kafka_relay_turn_ring(KafkaRelay *relay)
{
	int64		retention = kafka_setting_outbox_retention;
	Ring		ring;

	/* a table that is locked to be truncated must not wait for a standby */
	kafka_relay_begin_here(relay);
	if (look(&ring))
	{
		for (int slot = 0; slot < KAFKA_OUTBOX_SLOTS; slot++)
			if (slot != ring.slot && is_older(ring.closed[slot], retention) && !is_empty(slot))
				truncate_as_owner(slot);
		if (is_older(ring.opened, Max(retention / 2, SHORTEST_TURN)) && !is_empty(ring.slot))
			turn(&ring);
	}
	kafka_relay_commit(relay);
}
