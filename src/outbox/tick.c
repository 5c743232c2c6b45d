/*-------------------------------------------------------------------------
 *
 * tick.c
 *	  Ticks: which rows of an outbox are published together.
 *
 * Layer 3.  Tick n has the rows that snapshot n sees and snapshot n - 1 does not.  Whose they can
 * be follows from the two alone: transactions from the earlier one's xmax up to the later one's,
 * and those that were under way in the earlier one; without those that are still under way in the
 * later one.  Their rows are found by an index (rows.c).  Transactions that are under way
 * are never looked at, however many rows they have written by now.  Whatever is visible of
 * the others had committed when the later snapshot was taken, so the same two snapshots give the
 * same rows at any later time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ground/query.h"
#include "outbox/outbox.h"
#include "outbox/tick.h"
#include "utils/builtins.h"

/* Sees nothing: 3 is the first transaction id there is. */
#define NOTHING "3:3:"

static KafkaQuery now_query = {.text = "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text"};

static KafkaQuery store_query = {
	.text = "INSERT INTO kafka.outbox_tick (outbox, tick, token, snapshot, acknowledged, messages, "
	"transactions, made) VALUES ($1, $2, $3, $4::pg_catalog.pg_snapshot, $5, $6, $7, "
	"pg_catalog.clock_timestamp())",
	.nargs = 7, .types = {INT4OID, INT8OID, UUIDOID, TEXTOID, INT8OID, INT8OID, INT8OID}
};

#define TICK_COLUMNS "SELECT t.tick, t.token, t.snapshot::pg_catalog.text, t.restored " \
	"FROM kafka.outbox_tick t WHERE t.outbox OPERATOR(pg_catalog.=) $1 AND t.tick "

static KafkaQuery next_query = {
	.text = TICK_COLUMNS "OPERATOR(pg_catalog.>) $2 ORDER BY t.tick USING OPERATOR(pg_catalog.<) LIMIT 1",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

static KafkaQuery before_query = {
	.text = TICK_COLUMNS "OPERATOR(pg_catalog.<) $2 ORDER BY t.tick USING OPERATOR(pg_catalog.>) LIMIT 1",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

static KafkaQuery find_query = {
	.text = TICK_COLUMNS "OPERATOR(pg_catalog.=) $2",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

static KafkaQuery last_query = {
	.text = "SELECT pg_catalog.max(t.tick), pg_catalog.max(t.acknowledged), pg_catalog.max(t.messages), "
	"pg_catalog.max(t.transactions) FROM kafka.outbox_tick t "
	"WHERE t.outbox OPERATOR(pg_catalog.=) $1",
	.nargs = 1, .types = {INT4OID}
};

static KafkaQuery acknowledge_query = {
	.text = "UPDATE kafka.outbox_tick t SET acknowledged = $3, messages = $4, transactions = $5 "
	"WHERE t.outbox OPERATOR(pg_catalog.=) $1 AND t.tick OPERATOR(pg_catalog.=) $2",
	.nargs = 5, .types = {INT4OID, INT8OID, INT8OID, INT8OID, INT8OID}
};

static KafkaQuery raise_query = {
	.text = "SELECT pg_catalog.setval('kafka.outbox_row_id'::pg_catalog.regclass, $1) "
	"FROM kafka.outbox_row_id s WHERE s.last_value OPERATOR(pg_catalog.<) $1",
	.nargs = 1, .types = {INT8OID}
};

static KafkaQuery forget_query = {
	.text = "DELETE FROM kafka.outbox_tick t WHERE t.outbox OPERATOR(pg_catalog.=) $1 "
	"AND t.tick OPERATOR(pg_catalog.<) $2",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

#define RESTORED_ROWS "r.outbox OPERATOR(pg_catalog.=) $1 AND r.xid OPERATOR(pg_catalog.=) '0'"

static KafkaQuery restored_query = {
	.text = "SELECT EXISTS (SELECT FROM kafka.outbox_row r WHERE " RESTORED_ROWS ")",
	.nargs = 1, .types = {INT4OID}
};

static KafkaQuery drop_restored_query = {
	.text = "DELETE FROM kafka.outbox_row r WHERE " RESTORED_ROWS " AND "
	"(pg_catalog.pg_visible_in_snapshot(r.restored_xid, $2::pg_catalog.pg_snapshot) OR "
	"(pg_catalog.pg_visible_in_snapshot(r.restored_xid, $3::pg_catalog.pg_snapshot) "
	"AND r.id OPERATOR(pg_catalog.<=) $4))",
	.nargs = 4, .types = {INT4OID, TEXTOID, TEXTOID, INT8OID}
};

static KafkaQuery adopt_query = {
	.text = "UPDATE kafka.outbox_row r SET xid = pg_catalog.pg_current_xact_id(), restored_xid = NULL "
	"WHERE " RESTORED_ROWS,
	.nargs = 1, .types = {INT4OID}
};

/* ------------------------------------------------------------------------
 * Snapshots
 * ------------------------------------------------------------------------
 */
KafkaSnapshot
kafka_snapshot_parse(const char *text)
{
	KafkaSnapshot snapshot = {.text = pstrdup(text)};
	char	   *p;
	int			max = 0;

	(void) strtoull(text, &p, 10);	/* xmin: xip tells the same */
	if (*p == ':')
		snapshot.xmax = strtoull(p + 1, &p, 10);
	if (*p != ':')
		elog(ERROR, "invalid snapshot \"%s\"", text);
	for (p++; *p; p += *p == ',')
	{
		if (snapshot.nxip == max)
		{
			max = Max(16, max * 2);
			snapshot.xip = snapshot.xip ? repalloc(snapshot.xip, sizeof(uint64) * max) :
				palloc(sizeof(uint64) * max);
		}
		snapshot.xip[snapshot.nxip++] = strtoull(p, &p, 10);
		if (*p && *p != ',')
			elog(ERROR, "invalid snapshot \"%s\"", text);
	}
	return snapshot;
}

KafkaSnapshot
kafka_snapshot_now(void)
{
	bool		isnull;

	(void) kafka_query_run(&now_query, NULL, NULL);
	return kafka_snapshot_parse(TextDatumGetCString(kafka_query_value(1, &isnull)));
}

static void
add_range(KafkaXidRanges *ranges, uint64 from, uint64 to)
{
	if (from >= to)
		return;
	ranges->from[ranges->n] = from;
	ranges->to[ranges->n++] = to;
}

static bool
is_under_way(const KafkaSnapshot *snapshot, uint64 xid)
{
	for (int i = 0; i < snapshot->nxip; i++)
		if (snapshot->xip[i] == xid)
			return true;
	return false;
}

KafkaXidRanges
kafka_snapshot_between(const KafkaSnapshot *from, const KafkaSnapshot *to)
{
	int			max = from->nxip + to->nxip + 1;
	KafkaXidRanges ranges = {.from = palloc(sizeof(uint64) * max),
	.to = palloc(sizeof(uint64) * max)};
	uint64		next = from->xmax;

	for (int i = 0; i < from->nxip; i++)
		if (from->xip[i] < to->xmax && !is_under_way(to, from->xip[i]))
			add_range(&ranges, from->xip[i], from->xip[i] + 1);
	for (int i = 0; i < to->nxip; i++)
	{
		if (to->xip[i] < from->xmax)
			continue;
		add_range(&ranges, next, to->xip[i]);
		next = to->xip[i] + 1;
	}
	add_range(&ranges, next, to->xmax);
	return ranges;
}

/* ------------------------------------------------------------------------
 * Ticks
 * ------------------------------------------------------------------------
 */
KafkaTick
kafka_tick_copy(const KafkaTick *tick)
{
	KafkaTick	copy = *tick;

	copy.snapshot = kafka_snapshot_parse(tick->snapshot.text);
	return copy;
}

static void
take_tick(KafkaTick *tick)
{
	bool		isnull;

	tick->tick = DatumGetInt64(kafka_query_value(1, &isnull));
	tick->token = *DatumGetUUIDP(kafka_query_value(2, &isnull));
	tick->snapshot = kafka_snapshot_parse(TextDatumGetCString(kafka_query_value(3, &isnull)));
	tick->restored = DatumGetBool(kafka_query_value(4, &isnull));
}

static bool
find_tick(KafkaQuery *query, int32 outbox, int64 number, KafkaTick *tick)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(number)};

	if (kafka_query_run(query, values, NULL) == 0)
		return false;
	take_tick(tick);
	return true;
}

bool
kafka_tick_next(int32 outbox, int64 after, KafkaTick *tick)
{
	return find_tick(&next_query, outbox, after, tick);
}

static void
set_first_tick(KafkaTick *tick)
{
	memset(tick, 0, sizeof(*tick));
	tick->snapshot = kafka_snapshot_parse(NOTHING);
}

void
kafka_tick_before(int32 outbox, int64 number, KafkaTick *tick)
{
	if (!find_tick(&before_query, outbox, number, tick))
		set_first_tick(tick);
}

bool
kafka_tick_find(int32 outbox, int64 number, KafkaTick *tick)
{
	if (number > 0)
		return find_tick(&find_query, outbox, number, tick);
	set_first_tick(tick);
	return true;
}

bool
kafka_tick_has_restored_rows(int32 outbox)
{
	Datum		values[] = {Int32GetDatum(outbox)};
	bool		isnull;

	(void) kafka_query_run(&restored_query, values, NULL);
	return DatumGetBool(kafka_query_value(1, &isnull));
}

void
kafka_tick_adopt_restored_rows(int32 outbox, const KafkaSnapshot *whole,
							   const KafkaSnapshot *part, int64 row)
{
	Datum		values[] = {Int32GetDatum(outbox), CStringGetTextDatum(whole->text),
	CStringGetTextDatum(part->text), Int64GetDatum(row)};

	(void) kafka_query_run(&drop_restored_query, values, NULL);
	(void) kafka_query_run(&adopt_query, values, NULL);
}

void
kafka_tick_store(int32 outbox, KafkaTick *tick, const KafkaTickProgress *progress)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(tick->tick),
		UUIDPGetDatum(&tick->token), CStringGetTextDatum(tick->snapshot.text),
		Int64GetDatum(progress->acknowledged), Int64GetDatum(progress->messages),
	Int64GetDatum(progress->transactions)};

	if (!pg_strong_random(&tick->token, sizeof(tick->token)))
		elog(ERROR, "could not generate random values");
	kafka_outbox_own_write(true);
	PG_TRY();
	{
		(void) kafka_query_run(&store_query, values, NULL);
	}
	PG_FINALLY();
	{
		kafka_outbox_own_write(false);
	}
	PG_END_TRY();
}

int64
kafka_tick_last(int32 outbox, KafkaTickProgress *progress)
{
	Datum		values[] = {Int32GetDatum(outbox)};
	bool		isnull;
	int64		last;

	memset(progress, 0, sizeof(*progress));
	(void) kafka_query_run(&last_query, values, NULL);
	last = DatumGetInt64(kafka_query_value(1, &isnull));
	if (isnull)
		return 0;
	progress->acknowledged = DatumGetInt64(kafka_query_value(2, &isnull));
	progress->messages = DatumGetInt64(kafka_query_value(3, &isnull));
	progress->transactions = DatumGetInt64(kafka_query_value(4, &isnull));
	return last;
}

void
kafka_tick_acknowledge(int32 outbox, int64 last, const KafkaTickProgress *progress)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(last),
		Int64GetDatum(progress->acknowledged), Int64GetDatum(progress->messages),
	Int64GetDatum(progress->transactions)};

	(void) kafka_query_run(&acknowledge_query, values, NULL);
}

void
kafka_tick_raise_ids(int64 highest)
{
	Datum		values[] = {Int64GetDatum(highest)};

	(void) kafka_query_run(&raise_query, values, NULL);
}

void
kafka_tick_forget_before(int32 outbox, int64 tick)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(tick)};

	(void) kafka_query_run(&forget_query, values, NULL);
}
