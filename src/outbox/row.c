/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Rows of an outbox: kafka.outbox_row.
 *
 * Layer 3.  A row is put into the table and its index without executor, triggers or privilege
 * checks, as PostgreSQL writes its TOAST tables: it costs about what a row of an ordinary table
 * does.  The table is one of four that take turns, and which one is remembered in the session; to
 * write into the one before is harmless, because a part is emptied only under a lock that waits
 * for its writers.
 *
 * The column xid is the top-level transaction's, forced: by it the relay finds what a snapshot
 * sees.  The system column xmin would be a savepoint's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_index.h"
#include "commands/sequence.h"
#include "executor/tuptable.h"
#include "format/row.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "outbox/row.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"
#include "worker/shared.h"

/* Columns of kafka.outbox_row. */
enum
{
	COLUMN_OUTBOX,
	COLUMN_PARTITION,
	COLUMN_XID,
	COLUMN_ID,
	COLUMN_CREATED,
	COLUMN_TS,
	COLUMN_RESTORED_XID,
	COLUMN_PARTITIONER,
	COLUMN_TOPIC,
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_HEADERS,
	COLUMNS
};

/* Length of a header's value that is null. */
#define NULL_LENGTH (-1)

/* Where rows go, as of kafka_outbox_generation(). */
static uint64 known;
static Oid	table;
static Oid	sequence;

static MemoryContext row_context;	/* of one row */

/* Of this transaction, in its memory. */
static List *written;			/* outboxes */
static int32 last_written;		/* the latest one in it */
static uint64 writing_xid;

static uint64 last_xid;

/* ------------------------------------------------------------------------
 * Headers: name NUL length bytes, one after the other; the length is big-endian
 * ------------------------------------------------------------------------
 */
Datum
kafka_outbox_pack_headers(const KafkaMessage *msg, bool *isnull)
{
	StringInfoData packed;

	*isnull = msg->nheaders == 0;
	if (*isnull)
		return (Datum) 0;
	initStringInfo(&packed);
	appendStringInfoSpaces(&packed, VARHDRSZ);
	for (int i = 0; i < msg->nheaders; i++)
	{
		const KafkaHeader *header = &msg->headers[i];
		int32		len = header->value.data ? (int32) header->value.len : NULL_LENGTH;
		uint32		big = pg_hton32((uint32) len);

		appendBinaryStringInfo(&packed, header->name, (int) strlen(header->name) + 1);
		appendBinaryStringInfo(&packed, (const char *) &big, sizeof(big));
		if (len > 0)
			appendBinaryStringInfo(&packed, header->value.data, len);
	}
	SET_VARSIZE(packed.data, packed.len);
	return PointerGetDatum(packed.data);
}

static KAFKA_NORETURN void
reject_packed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the headers of a row of kafka.outbox_row are damaged")));
}

/* Reads one; returns where the next one begins. */
static const char *
unpack_header(const char *at, const char *end, KafkaHeader *header)
{
	const char *zero = memchr(at, '\0', end - at);
	uint32		big;
	int32		len;

	if (zero == NULL || (size_t) (end - zero - 1) < sizeof(big))
		reject_packed();
	memcpy(&big, zero + 1, sizeof(big));
	len = (int32) pg_ntoh32(big);
	header->name = at;
	header->value.data = len == NULL_LENGTH ? NULL : zero + 1 + sizeof(big);
	header->value.len = len == NULL_LENGTH ? 0 : len;
	at = zero + 1 + sizeof(big);
	if (len < NULL_LENGTH || len > end - at)
		reject_packed();
	return at + header->value.len;
}

int
kafka_outbox_unpack_headers(const char *packed, size_t len, KafkaHeader *headers, int max)
{
	const char *end = packed + len;
	int			n = 0;

	while (packed < end)
	{
		KafkaHeader header;

		packed = unpack_header(packed, end, &header);
		if (n < max)
			headers[n] = header;
		n++;
	}
	return n;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* The part of kafka.outbox_row that new rows go to: kafka.outbox_ring has one row. */
static int16
read_ring(Oid namespace)
{
	Relation	rel = table_open(get_relname_relid("outbox_ring", namespace), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);
	bool		isnull;
	int16		slot;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"kafka.outbox_ring\" is empty")));
	slot = DatumGetInt16(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return slot;
}

static void
find_table(void)
{
	uint64		generation = kafka_outbox_generation();
	char		name[NAMEDATALEN];
	Oid			namespace;

	if (known == generation)
		return;
	namespace = get_namespace_oid("kafka", false);
	snprintf(name, sizeof(name), "outbox_row_%d", read_ring(namespace));
	table = get_relname_relid(name, namespace);
	sequence = get_relname_relid("outbox_row_id", namespace);
	if (!OidIsValid(table) || !OidIsValid(sequence))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"kafka.%s\" or its sequence does not exist", name)));
	known = generation;
}

static Datum
bytes_datum(KafkaBytes bytes, bool *isnull)
{
	bytea	   *datum;

	*isnull = bytes.data == NULL;
	if (*isnull)
		return (Datum) 0;
	datum = palloc(bytes.len + VARHDRSZ);
	SET_VARSIZE(datum, bytes.len + VARHDRSZ);
	memcpy(VARDATA(datum), bytes.data, bytes.len);
	return PointerGetDatum(datum);
}

static void
fill_row(const KafkaMessage *msg, int partitioner, Datum *values, bool *nulls)
{
	values[COLUMN_PARTITION] = Int32GetDatum(msg->partition);
	nulls[COLUMN_PARTITION] = msg->partition == KAFKA_PARTITION_ANY;
	values[COLUMN_CREATED] = TimestampTzGetDatum(GetCurrentTimestamp());
	nulls[COLUMN_TS] = msg->timestamp == KAFKA_UNKNOWN;
	if (!nulls[COLUMN_TS])
		values[COLUMN_TS] = kafka_timestamp_datum(msg->timestamp);
	nulls[COLUMN_RESTORED_XID] = true;
	values[COLUMN_PARTITIONER] = Int16GetDatum((int16) partitioner);
	nulls[COLUMN_PARTITIONER] = partitioner == KAFKA_OUTBOX_PARTITIONER;
	values[COLUMN_TOPIC] = CStringGetTextDatum(msg->topic);
	values[COLUMN_KEY] = bytes_datum(msg->key, &nulls[COLUMN_KEY]);
	values[COLUMN_VALUE] = bytes_datum(msg->value, &nulls[COLUMN_VALUE]);
	values[COLUMN_HEADERS] = kafka_outbox_pack_headers(msg, &nulls[COLUMN_HEADERS]);
}

/* It has one index of plain columns; two while that is built anew. */
static void
insert_into_index(Relation rel, Oid indexid, ItemPointer tid, const Datum *values,
				  const bool *nulls)
{
	Relation	index = index_open(indexid, RowExclusiveLock);
	const FormData_pg_index *form = index->rd_index;
	Datum		keys[INDEX_MAX_KEYS];
	bool		key_nulls[INDEX_MAX_KEYS];

	if (form->indisready)
	{
		for (int i = 0; i < form->indnatts; i++)
		{
			int			attnum = form->indkey.values[i];

			if (attnum <= 0 || attnum > COLUMNS || form->indisunique)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("index \"%s\" on table \"%s\" is not the extension's",
								RelationGetRelationName(index), RelationGetRelationName(rel)),
						 errhint("Drop it.")));
			keys[i] = values[attnum - 1];
			key_nulls[i] = nulls[attnum - 1];
		}
		index_insert(index, keys, key_nulls, tid, rel, UNIQUE_CHECK_NO, false, NULL);
	}
	index_close(index, NoLock);
}

static void
insert_row(Relation rel, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	memcpy(slot->tts_values, values, sizeof(Datum) * COLUMNS);
	memcpy(slot->tts_isnull, nulls, sizeof(bool) * COLUMNS);
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, NULL);
	foreach(lc, indexes)
		insert_into_index(rel, lfirst_oid(lc), &slot->tts_tid, values, nulls);
	ExecDropSingleTupleTableSlot(slot);
}

static void
note_written(int32 outbox, uint64 xid)
{
	MemoryContext old;

	writing_xid = xid;
	if (written && outbox == last_written)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	written = list_append_unique_int(written, outbox);
	last_written = outbox;
	MemoryContextSwitchTo(old);
}

void
kafka_outbox_check_writable(void)
{
	PreventCommandDuringRecovery("a send to an outbox");
	PreventCommandIfReadOnly("a send to an outbox");
	PreventCommandIfParallelMode("a send to an outbox");
}

/* Under the lock: kafka.drop_outbox waits for writers, and who comes after it finds this out. */
static void
check_outbox(int32 outbox)
{
	if (!kafka_outbox_exists(outbox))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the outbox does not exist any more"),
				 errhint("Run the statement again.")));
}

void
kafka_outbox_write(int32 outbox, const KafkaMessage *msg, int partitioner)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	MemoryContext old;
	Relation	rel;
	uint64		xid;

	kafka_outbox_check_writable();
	find_table();
	if (row_context == NULL)
		row_context = AllocSetContextCreate(TopMemoryContext, "kafka_fdw outbox row",
											ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(row_context);
	old = MemoryContextSwitchTo(row_context);
	rel = table_open(table, RowExclusiveLock);
	check_outbox(outbox);
	kafka_query_check_columns(rel, COLUMNS);
	fill_row(msg, partitioner, values, nulls);
	xid = U64FromFullTransactionId(GetTopFullTransactionId());
	values[COLUMN_OUTBOX] = Int32GetDatum(outbox);
	values[COLUMN_XID] = FullTransactionIdGetDatum(FullTransactionIdFromU64(xid));
	values[COLUMN_ID] = Int64GetDatum(nextval_internal(sequence, false));
	insert_row(rel, values, nulls);
	table_close(rel, NoLock);	/* its lock is kept to the end of the transaction */
	MemoryContextSwitchTo(old);
	note_written(outbox, xid);
}

/* ------------------------------------------------------------------------
 * The transaction's end
 * ------------------------------------------------------------------------
 */
uint64
kafka_outbox_last_xid(void)
{
	return last_xid;
}

uint64
kafka_outbox_writing_xid(void)
{
	return written ? writing_xid : 0;
}

/* Nothing may be raised here. */
static void
wake_relays(void)
{
	ListCell   *lc;

	if (written == NIL)
		return;
	last_xid = writing_xid;
	foreach(lc, written)
		kafka_workers_wake_relay(MyDatabaseId, lfirst_int(lc));
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			kafka_outbox_end_transaction(true);
			wake_relays();
			break;
		case XACT_EVENT_PREPARE:
			if (written)
				last_xid = writing_xid; /* who waits for it waits for COMMIT PREPARED, too */
			kafka_outbox_end_transaction(false);
			break;
		case XACT_EVENT_ABORT:
			kafka_outbox_end_transaction(false);
			break;
		default:
			return;
	}
	written = NIL;
	kafka_outbox_own_write(false);
}

void
kafka_outbox_row_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
}
