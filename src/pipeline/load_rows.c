/*-------------------------------------------------------------------------
 *
 * load_rows.c
 *	  Rows of a batch for a statement, and what the statement made of each.
 *
 * Layer 3.  The rows lie in a tuplestore that the statement sees as the table "kafka_batch".
 *
 * Which message an error belongs to: rows are taken from the tuplestore one by one, so it is
 * the last one that was taken, unless all were (then AFTER triggers ran) or unless they are
 * gathered behind that (a foreign table may send batches).
 *
 * Which rows were inserted: the statement returns something for each, and then the last one
 * that was taken is it.  How far a scan of a tuplestore has come nobody tells; so a read pointer of our
 * own follows, up to the tuple that the scan would take next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "ground/compat.h"
#include "pipeline/load_internal.h"
#include "tcop/dest.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"

/* A batch has a limit of its own, and is in memory anyway: no files, and tuples keep their place. */
#define ROWS_KB MAX_KILOBYTES

/* Read pointers of the tuplestore; those of the statement's scans come behind. */
enum
{
	POINTER_NOBODY,				/* is there from the beginning */
	POINTER_FOLLOWER,
	POINTER_NEXT,
	POINTER_SCAN
};

/* ------------------------------------------------------------------------
 * Rows for a statement
 * ------------------------------------------------------------------------
 */
KafkaLoadRows *
kafka_load_rows_make(KafkaLoader *loader, TupleDesc desc, int n)
{
	MemoryContext old = MemoryContextSwitchTo(loader->load_context);
	KafkaLoadRows *rows = palloc0(sizeof(KafkaLoadRows));

	rows->desc = desc;
	rows->tuples = tuplestore_begin_heap(false, false, ROWS_KB);
	rows->indexes = palloc(sizeof(int) * n);
	(void) tuplestore_alloc_read_pointer(rows->tuples, 0);
	(void) tuplestore_alloc_read_pointer(rows->tuples, 0);
	MemoryContextSwitchTo(old);
	return rows;
}

void
kafka_load_rows_add(KafkaLoadRows *rows, Datum *values, bool *nulls, int index)
{
	rows->indexes[rows->n++] = index;
	tuplestore_putvalues(rows->tuples, rows->desc, values, nulls);
}

/* The message whose row was read last, or -1.  A scan makes its read pointer when it begins. */
static int
find_last_read(const KafkaLoadRows *rows)
{
	int			scan = tuplestore_alloc_read_pointer(rows->tuples, 0) - 1;
	int			left = 0;

	if (scan < POINTER_SCAN || !tuplestore_in_memory(rows->tuples))
		return -1;
	tuplestore_select_read_pointer(rows->tuples, scan);
	if (tuplestore_ateof(rows->tuples))
		return -1;
	while (tuplestore_advance(rows->tuples, true))
		left++;
	return left < rows->n ? rows->indexes[rows->n - left - 1] : -1;
}

bool
kafka_load_inserts_at_once(Relation rel)
{
	List	   *parts;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return rel->rd_rel->relkind == RELKIND_RELATION;
	parts = find_all_inheritors(RelationGetRelid(rel), NoLock, NULL);
	foreach(lc, parts)
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return false;
	return true;
}

/* ------------------------------------------------------------------------
 * What was inserted
 * ------------------------------------------------------------------------
 */
typedef struct Receiver
{
	DestReceiver pub;
	KafkaLoadRows *rows;
	bool	   *inserted;
	TupleTableSlot *slot;
	int			followed;		/* rows that the follower has read */
} Receiver;

/* The tuple at a read pointer, which moves on; NULL: the end. */
static MinimalTuple
read_tuple(Receiver *receiver, int pointer)
{
	tuplestore_select_read_pointer(receiver->rows->tuples, pointer);
	if (!tuplestore_gettupleslot(receiver->rows->tuples, true, false, receiver->slot))
		return NULL;
	return ((MinimalTupleTableSlot *) receiver->slot)->mintuple;
}

/* A row was inserted, the last one that the scan has read: the one before its next. */
static bool
receive(TupleTableSlot *returned, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;
	MinimalTuple next;

	tuplestore_copy_read_pointer(receiver->rows->tuples, POINTER_SCAN, POINTER_NEXT);
	next = read_tuple(receiver, POINTER_NEXT);
	if (next == NULL)
		receiver->inserted[receiver->rows->n - 1] = true;
	else
	{
		MinimalTuple tuple;

		do
		{
			tuple = read_tuple(receiver, POINTER_FOLLOWER);
			receiver->followed++;
		} while (tuple != NULL && tuple != next);
		if (tuple == NULL || receiver->followed < 2)
			elog(ERROR, "a batch's rows were not read in their order");
		receiver->inserted[receiver->followed - 2] = true;
	}
	return true;
}

static void
start(DestReceiver *self, int operation, TupleDesc desc)
{
	Receiver   *receiver = (Receiver *) self;

	receiver->slot = MakeSingleTupleTableSlot(receiver->rows->desc, &TTSOpsMinimalTuple);
}

static void
stop(DestReceiver *self)
{
	ExecDropSingleTupleTableSlot(((Receiver *) self)->slot);
}

static void
destroy(DestReceiver *self)
{
}

/* ------------------------------------------------------------------------
 * Running
 * ------------------------------------------------------------------------
 */
static uint64
execute(KafkaLoadRows *rows, const char *statement, bool *inserted)
{
	Receiver	receiver = {
		.pub = {receive, start, stop, destroy, DestTuplestore}, .rows = rows,
		.inserted = inserted
	};
	EphemeralNamedRelationData table = {.reldata = rows->tuples};
	SPIExecuteOptions options = {.dest = inserted ? &receiver.pub : None_Receiver};
	uint64		processed;
	int			rc;

	table.md.name = pstrdup("kafka_batch");
	table.md.tupdesc = rows->desc;
	table.md.enrtype = ENR_NAMED_TUPLESTORE;
	table.md.enrtuples = rows->n;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_register_relation(&table) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register a batch with SPI");
	rc = SPI_execute_extended(statement, &options);
	if (rc < 0)
		elog(ERROR, "could not load a batch: %s", SPI_result_code_string(rc));
	processed = SPI_processed;
	SPI_finish();
	return processed;
}

/* The error with the message's place, if known, in its context. */
static KAFKA_NORETURN void
rethrow(KafkaLoader *loader, int culprit)
{
	ErrorData  *error = CopyErrorData();
	const KafkaMessage *msg;

	FlushErrorState();
	if (culprit >= 0 && loader->culprit < 0)
	{
		msg = &loader->messages[culprit];
		error->context = psprintf("%s%stopic \"%s\" partition %d offset " INT64_FORMAT,
								  error->context ? error->context : "",
								  error->context ? "\n" : "", msg->topic, msg->partition,
								  msg->offset);
		loader->culprit = culprit;
	}
	ReThrowError(error);
}

int64
kafka_load_run(KafkaLoader *loader, KafkaLoadRows *rows, const char *statement, bool *inserted)
{
	bool		at_once = kafka_load_inserts_at_once(loader->target);
	MemoryContext context = CurrentMemoryContext;
	uint64		processed = 0;

	loader->culprit = loader->n == 1 ? 0 : -1;
	PG_TRY();
	{
		processed = execute(rows, statement, inserted);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		rethrow(loader, at_once ? find_last_read(rows) : -1);
	}
	PG_END_TRY();
	tuplestore_end(rows->tuples);
	return (int64) processed;
}
