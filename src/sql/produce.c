/*-------------------------------------------------------------------------
 *
 * produce.c
 *	  kafka.produce and kafka.send_transactional: one message from SQL; kafka.make_record: the
 *	  same as a value.
 *
 * Layer 3.  One C function serves all declarations of a name; they differ in the types of
 * value and key only, which are read from the declaration that was called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "format/format.h"
#include "format/headers.h"
#include "format/row.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "mb/pg_wchar.h"
#include "sql/common.h"
#include "transaction/send.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Arguments, in the order of the declarations; make_record has those up to ts. */
enum
{
	ARG_TOPIC,
	ARG_VALUE,
	ARG_KEY,
	ARG_HEADERS,
	ARG_PARTITION,
	ARG_TS,
	ARG_DELIVERY,				/* kafka.send_transactional: ARG_TRANSACTION */
	ARG_SERVER
};

#define ARG_TRANSACTION ARG_DELIVERY

/* What is looked up once per call site. */
typedef struct ProduceCall
{
	Oid			value_type;
	Oid			key_type;
	TupleDesc	result;
} ProduceCall;

static ProduceCall *
get_call(FunctionCallInfo fcinfo)
{
	ProduceCall *call = (ProduceCall *) fcinfo->flinfo->fn_extra;
	MemoryContext old;
	Oid		   *types;
	int			ntypes;

	if (call)
		return call;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	call = palloc0(sizeof(ProduceCall));
	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &ntypes);
	call->value_type = types[ARG_VALUE];
	call->key_type = types[ARG_KEY];
	if (get_call_result_type(fcinfo, NULL, &call->result) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the function must return a composite type");
	call->result = BlessTupleDesc(CreateTupleDescCopy(call->result));
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = call;
	return call;
}

static void
fill_message(FunctionCallInfo fcinfo, const ProduceCall *call, KafkaMessage *msg)
{
	memset(msg, 0, sizeof(*msg));
	msg->topic = kafka_sql_text(fcinfo, ARG_TOPIC, "topic");
	msg->offset = KAFKA_UNKNOWN;
	msg->value = kafka_sql_bytes(fcinfo, ARG_VALUE, call->value_type);
	msg->key = kafka_sql_bytes(fcinfo, ARG_KEY, call->key_type);
	if (!PG_ARGISNULL(ARG_HEADERS))
		kafka_headers_from_jsonb(PG_GETARG_DATUM(ARG_HEADERS), msg);
	msg->partition = PG_ARGISNULL(ARG_PARTITION) ? KAFKA_PARTITION_ANY :
		PG_GETARG_INT32(ARG_PARTITION);
	if (msg->partition < 0 && !PG_ARGISNULL(ARG_PARTITION))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"partition\" must not be negative"),
				 errhint("NULL lets the partitioner choose.")));
	msg->timestamp = PG_ARGISNULL(ARG_TS) ? KAFKA_UNKNOWN :
		kafka_timestamp_ms(PG_GETARG_DATUM(ARG_TS));
}

static Datum
delivery_datum(const ProduceCall *call, const KafkaMessage *msg, const KafkaReceipt *receipt)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false, true, true, true};

	values[0] = CStringGetTextDatum(msg->topic);
	if (receipt)
	{
		values[1] = Int32GetDatum(receipt->partition);
		nulls[1] = false;
		values[2] = Int64GetDatum(receipt->offset);
		nulls[2] = receipt->offset < 0;
		nulls[3] = receipt->timestamp < 0;
		if (!nulls[3])
			values[3] = kafka_timestamp_datum(receipt->timestamp);
	}
	return HeapTupleGetDatum(heap_form_tuple(call->result, values, nulls));
}

PG_FUNCTION_INFO_V1(kafka_produce);

Datum
kafka_produce(PG_FUNCTION_ARGS)
{
	ProduceCall *call = get_call(fcinfo);
	KafkaOptions *opts = kafka_sql_server(fcinfo, ARG_SERVER);
	KafkaDeliveryMode mode = kafka_sql_delivery(fcinfo, ARG_DELIVERY);
	KafkaMessage msg;
	KafkaSender *sender;
	Datum		result;

	fill_message(fcinfo, call, &msg);
	sender = kafka_sender_open(opts, msg.topic, mode);
	kafka_sender_send(sender, &msg);
	kafka_sender_finish(sender);
	result = delivery_datum(call, &msg, kafka_sender_receipt(sender));
	kafka_sender_close(sender);
	return result;
}

PG_FUNCTION_INFO_V1(kafka_make_record);

/* A kafka.record from the first arguments of kafka.produce. */
Datum
kafka_make_record(PG_FUNCTION_ARGS)
{
	ProduceCall *call = get_call(fcinfo);
	Datum		values[6] = {0};
	bool		nulls[6] = {false};
	KafkaMessage msg;

	fill_message(fcinfo, call, &msg);
	values[0] = PG_GETARG_DATUM(ARG_TOPIC);
	nulls[1] = msg.value.data == NULL;
	if (!nulls[1])
		values[1] = PointerGetDatum(cstring_to_text_with_len(msg.value.data,
															 (int) msg.value.len));
	nulls[2] = msg.key.data == NULL;
	if (!nulls[2])
		values[2] = PointerGetDatum(cstring_to_text_with_len(msg.key.data, (int) msg.key.len));
	nulls[3] = PG_ARGISNULL(ARG_HEADERS);
	if (!nulls[3])
		values[3] = kafka_headers_to_array(&msg, TupleDescAttr(call->result, 3)->atttypid);
	nulls[4] = PG_ARGISNULL(ARG_PARTITION);
	values[4] = PG_GETARG_DATUM(ARG_PARTITION);
	nulls[5] = PG_ARGISNULL(ARG_TS);
	values[5] = PG_GETARG_DATUM(ARG_TS);
	return HeapTupleGetDatum(heap_form_tuple(call->result, values, nulls));
}

PG_FUNCTION_INFO_V1(kafka_send_transactional);

/* A message in a Kafka transaction by hand: queued, where to is not known yet. */
Datum
kafka_send_transactional(PG_FUNCTION_ARGS)
{
	ProduceCall *call = get_call(fcinfo);
	KafkaMessage msg;

	fill_message(fcinfo, call, &msg);
	kafka_manual_send(kafka_sql_transaction(fcinfo, ARG_TRANSACTION, ARG_SERVER), &msg);
	return delivery_datum(call, &msg, NULL);
}

PG_FUNCTION_INFO_V1(kafka_headers_to_jsonb);

/* The cast kafka.header[] -> jsonb: the list form, which loses nothing. */
Datum
kafka_headers_to_jsonb(PG_FUNCTION_ARGS)
{
	KafkaMessage msg = {0};

	kafka_headers_from_array(PG_GETARG_DATUM(0), &msg);
	PG_RETURN_DATUM(kafka_headers_to_list(&msg));
}
