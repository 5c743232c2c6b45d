/*-------------------------------------------------------------------------
 *
 * restored.c
 *	  Rows that come from a dump: kafka.note_restored().
 *
 * Layer 3.  A dump holds rows and ticks of outboxes with the transactions of the server that it
 * was made on, which mean nothing where it is restored.  A trigger marks what is inserted by
 * anybody but the extension: rows lie still until kafka.outbox_resolve says what becomes of
 * them.  The extension's own rows fire no trigger (row.c); its ticks are told apart by a flag.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "outbox/outbox.h"
#include "utils/rel.h"
#include "utils/xid8.h"

static bool own_write;

void
kafka_outbox_own_write(bool own)
{
	own_write = own;
}

/* Its xid is 0 from now on, and what it was is kept. */
static HeapTuple
mark_row(HeapTuple row, TupleDesc desc)
{
	int			columns[2] = {SPI_fnumber(desc, "xid"), SPI_fnumber(desc, "restored_xid")};
	Datum		values[2];
	bool		nulls[2] = {false, false};
	bool		isnull;

	values[0] = FullTransactionIdGetDatum(FullTransactionIdFromU64(0));
	values[1] = heap_getattr(row, columns[0], desc, &isnull);
	if (isnull || U64FromFullTransactionId(DatumGetFullTransactionId(values[1])) == 0)
		return row;				/* it was restored before */
	return heap_modify_tuple_by_cols(row, desc, 2, columns, values, nulls);
}

static HeapTuple
mark_tick(HeapTuple row, TupleDesc desc)
{
	int			column = SPI_fnumber(desc, "restored");
	Datum		value = BoolGetDatum(true);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(row, desc, 1, &column, &value, &isnull);
}

PG_FUNCTION_INFO_V1(kafka_note_restored);

Datum
kafka_note_restored(PG_FUNCTION_ARGS)
{
	const TriggerData *data = (const TriggerData *) fcinfo->context;
	TupleDesc	desc;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) || !TRIGGER_FIRED_BY_INSERT(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("kafka.note_restored can only be called as a trigger before a row is "
						"inserted")));
	desc = RelationGetDescr(data->tg_relation);
	if (own_write)
		return PointerGetDatum(data->tg_trigtuple);
	if (SPI_fnumber(desc, "restored_xid") > 0)
		return PointerGetDatum(mark_row(data->tg_trigtuple, desc));
	if (SPI_fnumber(desc, "restored") > 0)
		return PointerGetDatum(mark_tick(data->tg_trigtuple, desc));
	return PointerGetDatum(data->tg_trigtuple);
}
