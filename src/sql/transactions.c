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
#include "sql/common.h"
#include "transaction/manual.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#define TRANSACTION_COLUMNS 8

/* Fields of kafka.topic_partition. */
enum
{
	FIELD_TOPIC = 1,
	FIELD_PARTITION,
	FIELD_NEXT_OFFSET,
	FIELD_METADATA
};

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

/* ------------------------------------------------------------------------
 * Offsets
 * ------------------------------------------------------------------------
 */
static Datum
require_field(HeapTupleHeader row, int field, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByNum(row, (AttrNumber) field, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("field \"%s\" of argument \"offsets\" must not be NULL", name)));
	return value;
}

static void
fill_offset(Datum datum, KafkaGroupOffset *offset)
{
	HeapTupleHeader row = DatumGetHeapTupleHeader(datum);
	Datum		metadata;
	bool		isnull;

	offset->topic = TextDatumGetCString(require_field(row, FIELD_TOPIC, "topic"));
	offset->partition = DatumGetInt32(require_field(row, FIELD_PARTITION, "partition"));
	offset->offset = DatumGetInt64(require_field(row, FIELD_NEXT_OFFSET, "offset"));
	metadata = GetAttributeByNum(row, FIELD_METADATA, &isnull);
	offset->metadata = NULL;
	if (!isnull)
	{
		char	   *string = TextDatumGetCString(metadata);

		offset->metadata = pg_server_to_any(string, (int) strlen(string), PG_UTF8);
	}
}

static int
compare_offsets(const void *a, const void *b)
{
	const KafkaGroupOffset *left = (const KafkaGroupOffset *) a;
	const KafkaGroupOffset *right = (const KafkaGroupOffset *) b;
	int			order = strcmp(left->topic, right->topic);

	if (order != 0)
		return order;
	return (left->partition > right->partition) - (left->partition < right->partition);
}

static void
refuse_repeated(KafkaGroupOffset *offsets, int n)
{
	qsort(offsets, n, sizeof(KafkaGroupOffset), compare_offsets);
	for (int i = 1; i < n; i++)
		if (compare_offsets(&offsets[i - 1], &offsets[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("partition %d of topic \"%s\" is given twice",
							offsets[i].partition, offsets[i].topic)));
}

/* A kafka.topic_partition[], palloc'd and sorted. */
static KafkaGroupOffset *
parse_offsets(ArrayType *array, int *n)
{
	Datum	   *elems;
	bool	   *nulls;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	KafkaGroupOffset *offsets;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign, &elems, &nulls, n);
	offsets = palloc(sizeof(KafkaGroupOffset) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"offsets\" must not have NULL elements")));
		fill_offset(elems[i], &offsets[i]);
	}
	refuse_repeated(offsets, *n);
	return offsets;
}

static char *
group_argument(FunctionCallInfo fcinfo, int argno)
{
	char	   *group_id = kafka_sql_text(fcinfo, argno, "group_id");

	if (group_id[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"group_id\" must not be empty")));
	return pg_server_to_any(group_id, (int) strlen(group_id), PG_UTF8);
}

PG_FUNCTION_INFO_V1(kafka_send_offsets_to_transaction);

Datum
kafka_send_offsets_to_transaction(PG_FUNCTION_ARGS)
{
	char	   *group_id = group_argument(fcinfo, 0);
	KafkaGroupOffset *offsets;
	int			n;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"offsets\" must not be NULL")));
	offsets = parse_offsets(PG_GETARG_ARRAYTYPE_P(1), &n);
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
