/*-------------------------------------------------------------------------
 *
 * load_handler.c
 *	  Messages to a function of the user's.
 *
 * Layer 3.  It is given the batch as an array of kafka.message, in one call.  What it returns
 * does not matter; it cannot commit, for the offsets belong to the same transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "format/headers.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "pipeline/load_internal.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Columns of kafka.message. */
enum
{
	COLUMN_TOPIC,
	COLUMN_PARTITION,
	COLUMN_OFFSET,
	COLUMN_TIMESTAMP,
	COLUMN_TIMESTAMP_TYPE,
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_HEADERS,
	COLUMN_LEADER_EPOCH,
	COLUMNS
};

/* The loader's path. */
typedef struct HandlerPath
{
	const char *statement;
	Oid			array_type;		/* kafka.message[] */
	Oid			type;
} HandlerPath;

/* ------------------------------------------------------------------------
 * The argument
 * ------------------------------------------------------------------------
 */
static Datum
bytes_datum(KafkaBytes bytes, bool *isnull)
{
	*isnull = bytes.data == NULL;
	if (*isnull)
		return (Datum) 0;
	return PointerGetDatum(cstring_to_text_with_len(bytes.data, (int) bytes.len));
}

static Datum
message_datum(const KafkaMessage *msg, TupleDesc desc)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};

	values[COLUMN_TOPIC] = CStringGetTextDatum(msg->topic);
	values[COLUMN_PARTITION] = Int32GetDatum(msg->partition);
	values[COLUMN_OFFSET] = Int64GetDatum(msg->offset);
	nulls[COLUMN_TIMESTAMP] = nulls[COLUMN_TIMESTAMP_TYPE] =
		msg->timestamp_type == KAFKA_TIMESTAMP_NONE;
	if (!nulls[COLUMN_TIMESTAMP])
	{
		values[COLUMN_TIMESTAMP] = kafka_timestamp_datum(msg->timestamp);
		values[COLUMN_TIMESTAMP_TYPE] =
			CStringGetTextDatum(msg->timestamp_type == KAFKA_TIMESTAMP_CREATE ? "create" :
								"log_append");
	}
	values[COLUMN_KEY] = bytes_datum(msg->key, &nulls[COLUMN_KEY]);
	values[COLUMN_VALUE] = bytes_datum(msg->value, &nulls[COLUMN_VALUE]);
	nulls[COLUMN_HEADERS] = msg->nheaders == 0;
	if (msg->nheaders > 0)
		values[COLUMN_HEADERS] =
			kafka_headers_to_array(msg, TupleDescAttr(desc, COLUMN_HEADERS)->atttypid);
	nulls[COLUMN_LEADER_EPOCH] = msg->leader_epoch < 0;
	values[COLUMN_LEADER_EPOCH] = Int32GetDatum(msg->leader_epoch);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
batch_datum(KafkaLoader *loader, const HandlerPath *path)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext elements_context = AllocSetContextCreate(context, "kafka_fdw messages",
														   ALLOCSET_DEFAULT_SIZES);
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(path->type, -1);
	Datum	   *elements = palloc(sizeof(Datum) * loader->n);
	ArrayType  *array;

	MemoryContextSwitchTo(elements_context);
	for (int i = 0; i < loader->n; i++)
	{
		loader->culprit = i;
		elements[i] = message_datum(&loader->messages[i], desc);
	}
	loader->culprit = loader->n == 1 ? 0 : -1;
	MemoryContextSwitchTo(context);
	array = construct_array(elements, loader->n, path->type, -1, false, TYPALIGN_DOUBLE);
	MemoryContextDelete(elements_context);
	return PointerGetDatum(array);
}

static void
load_handler(KafkaLoader *loader)
{
	HandlerPath *path = (HandlerPath *) loader->path;
	ParamListInfo params = makeParamList(1);
	SPIExecuteOptions options = {.params = params, .dest = None_Receiver};
	int			rc;

	params->params[0].value = batch_datum(loader, path);
	params->params[0].isnull = false;
	params->params[0].pflags = PARAM_FLAG_CONST;
	params->params[0].ptype = path->array_type;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	rc = SPI_execute_extended(path->statement, &options);
	if (rc < 0)
		elog(ERROR, "could not call a pipeline's handler: %s", SPI_result_code_string(rc));
	SPI_finish();
	loader->loaded->rows += loader->n;
}

/* ------------------------------------------------------------------------
 * Looking it up
 * ------------------------------------------------------------------------
 */
static Form_pg_proc
find_handler(const KafkaLoader *loader)
{
	Datum		function = DirectFunctionCall1(regprocedurein,
											   CStringGetDatum(loader->pipeline->handler));
	HeapTuple	tuple = SearchSysCacheCopy1(PROCOID, function);
	AclResult	result;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("the handler of pipeline \"%s\" does not exist any more",
						loader->pipeline->name),
				 errhint("Give it another one with kafka.alter_pipeline.")));
	result = KAFKA_FUNCTION_ACLCHECK(DatumGetObjectId(function), GetUserId());
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, loader->pipeline->handler);
	return (Form_pg_proc) GETSTRUCT(tuple);
}

bool
kafka_loader_takes(Oid type)
{
	Oid			element = get_element_type(type);
	Oid			relid = OidIsValid(element) ? get_typ_typrelid(element) : InvalidOid;

	return OidIsValid(relid) && strcmp(get_rel_name(relid), "message") == 0 &&
		get_rel_namespace(relid) == get_namespace_oid("kafka", true);
}

void
kafka_load_handler_begin(KafkaLoader *loader)
{
	HandlerPath *path = palloc0(sizeof(HandlerPath));
	Form_pg_proc function = find_handler(loader);

	if (function->prokind != PROKIND_FUNCTION || function->pronargs != 1 ||
		!kafka_loader_takes(function->proargtypes.values[0]))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s cannot be a pipeline's handler", loader->pipeline->handler),
				 errhint("A handler is a function with one argument, kafka.message[].")));
	path->array_type = function->proargtypes.values[0];
	path->type = get_element_type(path->array_type);
	path->statement =
		psprintf("SELECT %s($1)",
				 quote_qualified_identifier(get_namespace_name(function->pronamespace),
											NameStr(function->proname)));
	loader->path = path;
	loader->load = load_handler;
}
