/*-------------------------------------------------------------------------
 *
 * restored.c
 *	  Rows that come from a dump: kafka.note_restored().
 *
 * Layer 3.  A dump holds rows and ticks of outboxes with the transactions of the server that it
 * was made on, which mean nothing where it is restored.  A trigger marks what is inserted by
 * anybody but the extension: rows lie still until kafka.outbox_resolve says what becomes of
 * them.  The extension's own rows fire no trigger (row.c); its ticks and outboxes are told apart by
 * a flag.
 *
 * An outbox comes without a worker: one that came between its row and the rows of the other tables
 * would relay what is not there yet, and have a lease of its own when the dump's is to be copied.
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

uint64
kafka_outbox_run_own(KafkaQuery *query, Datum *values, const char *nulls)
{
	volatile uint64 rows = 0;

	own_write = true;
	PG_TRY();
	{
		rows = kafka_query_run(query, values, nulls);
	}
	PG_FINALLY();
	{
		own_write = false;
	}
	PG_END_TRY();
	return rows;
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
set_flag(HeapTuple row, TupleDesc desc, int column, bool flag)
{
	Datum		value = BoolGetDatum(flag);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(row, desc, 1, &column, &value, &isnull);
}

PG_FUNCTION_INFO_V1(kafka_note_restored);

Datum
kafka_note_restored(PG_FUNCTION_ARGS)
{
	/* of a tick, and of an outbox */
	static const struct
	{
		const char *column;
		bool		value;
	}			flags[] = {{"restored", true}, {"enabled", false}};
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
	for (size_t i = 0; i < lengthof(flags); i++)
	{
		int			column = SPI_fnumber(desc, flags[i].column);

		if (column > 0)
			return PointerGetDatum(set_flag(data->tg_trigtuple, desc, column, flags[i].value));
	}
	return PointerGetDatum(data->tg_trigtuple);
}
