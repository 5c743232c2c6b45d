/*-------------------------------------------------------------------------
 *
 * infer.c
 *	  kafka.infer_columns: what IMPORT FOREIGN SCHEMA would make of a topic, as rows.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/import.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "sql/common.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

/* The arguments as the options that IMPORT FOREIGN SCHEMA would have; NULL is the default. */
static KafkaImportOptions *
import_options(FunctionCallInfo fcinfo)
{
	List	   *options = NIL;

	if (!PG_ARGISNULL(1))
		options = lappend(options, makeDefElem("format",
											   (Node *) makeString(kafka_sql_text(fcinfo, 1, "format")),
											   -1));
	if (!PG_ARGISNULL(2))
		options = lappend(options, makeDefElem("sample",
											   (Node *) makeString(psprintf("%d", PG_GETARG_INT32(2))),
											   -1));
	return kafka_options_parse_import(options);
}

static void
put_column(ReturnSetInfo *rsinfo, int attnum, const KafkaInferredColumn *column, int format)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false};

	values[0] = Int32GetDatum(attnum);
	values[1] = CStringGetTextDatum(column->name);
	values[2] = CStringGetTextDatum(column->type);
	nulls[3] = column->option == NULL;
	if (column->option)
		values[3] = CStringGetTextDatum(psprintf("%s %s", column->option,
												 quote_literal_cstr(column->option_value)));
	values[4] = CStringGetTextDatum(kafka_option_word(kafka_formats, format));
	values[5] = Int64GetDatum(column->samples);
	values[6] = Int64GetDatum(column->nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_infer_columns);

/*
 * (topic, format, sample, server): a row (attnum, column_name, type, options, format,
 * samples, nulls) for each column.
 */
Datum
kafka_infer_columns(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 3);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	KafkaInferred *inferred = kafka_import_infer(opts, topic, import_options(fcinfo));
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, inferred->columns)
		put_column((ReturnSetInfo *) fcinfo->resultinfo, foreach_current_index(lc) + 1,
				   (KafkaInferredColumn *) lfirst(lc), inferred->format);
	return (Datum) 0;
}
