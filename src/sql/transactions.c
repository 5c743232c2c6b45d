/*-------------------------------------------------------------------------
 *
 * transactions.c
 *	  Kafka transactions by hand, as SQL functions (kafka.send_transactional is in produce.c).
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "transaction/manual.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#define TRANSACTION_COLUMNS 8

KafkaManual *
kafka_sql_transaction(FunctionCallInfo fcinfo, int id_argno, int server_argno)
{
	char	   *id = PG_ARGISNULL(id_argno) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(id_argno));
	Oid			serverid = InvalidOid;

	/* without it, any server: NULL does not mean kafka_fdw.server here */
	if (!PG_ARGISNULL(server_argno))
		serverid = kafka_sql_server(fcinfo, server_argno)->serverid;
	return kafka_manual_find(id, serverid);
}

PG_FUNCTION_INFO_V1(kafka_begin_transaction);

Datum
kafka_begin_transaction(PG_FUNCTION_ARGS)
{
	char	   *id = kafka_sql_text(fcinfo, 0, "transactional_id");

	kafka_manual_begin(kafka_sql_server(fcinfo, 1), id);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_send_offsets_to_transaction);

Datum
kafka_send_offsets_to_transaction(PG_FUNCTION_ARGS)
{
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	int			n;
	KafkaGroupOffset *offsets = kafka_sql_offsets(fcinfo, 1, &n);

	kafka_manual_send_offsets(kafka_sql_transaction(fcinfo, 2, 3), group_id, offsets, n);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * The end
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_commit_transaction);

Datum
kafka_commit_transaction(PG_FUNCTION_ARGS)
{
	kafka_manual_commit(kafka_sql_transaction(fcinfo, 0, 1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_abort_transaction);

Datum
kafka_abort_transaction(PG_FUNCTION_ARGS)
{
	kafka_manual_abort(kafka_sql_transaction(fcinfo, 0, 1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_close_transaction);

Datum
kafka_close_transaction(PG_FUNCTION_ARGS)
{
	kafka_manual_close(kafka_sql_transaction(fcinfo, 0, 1));
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * A look
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_transaction_state);

Datum
kafka_transaction_state(PG_FUNCTION_ARGS)
{
	KafkaManual *manual = kafka_sql_transaction(fcinfo, 0, 1);

	kafka_manual_refresh(manual);
	PG_RETURN_TEXT_P(cstring_to_text(kafka_manual_state_name(manual)));
}

static Datum
groups_datum(const List *groups)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(list_length(groups), 1));
	ListCell   *lc;
	int			n = 0;

	foreach(lc, groups)
	{
		char	   *group = (char *) lfirst(lc);

		elems[n++] = CStringGetTextDatum(pg_any_to_server(group, (int) strlen(group), PG_UTF8));
	}
	return PointerGetDatum(construct_array(elems, n, TEXTOID, -1, false, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(kafka_get_transactions);

Datum
kafka_get_transactions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_manual_list())
	{
		KafkaManual *manual = (KafkaManual *) lfirst(lc);
		char	   *user = GetUserNameFromId(manual->userid, true);
		Datum		values[TRANSACTION_COLUMNS] = {0};
		bool		nulls[TRANSACTION_COLUMNS] = {false};

		kafka_manual_refresh(manual);
		values[0] = CStringGetTextDatum(manual->id);
		values[1] = DirectFunctionCall1(namein, CStringGetDatum(manual->server_name));
		nulls[2] = user == NULL;
		if (user)
			values[2] = DirectFunctionCall1(namein, CStringGetDatum(user));
		values[3] = CStringGetTextDatum(kafka_manual_state_name(manual));
		values[4] = TimestampTzGetDatum(manual->since);
		values[5] = Int64GetDatum(manual->messages);
		values[6] = groups_datum(manual->groups);
		nulls[7] = manual->error == NULL;
		if (manual->error)
			values[7] = CStringGetTextDatum(manual->error);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
