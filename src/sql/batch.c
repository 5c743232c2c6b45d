/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  kafka.produce_batch: many messages in one call, and what became of each.
 *
 * Layer 3.  All records are looked at before the first is sent, so that what can be known
 * before is an error that sends nothing.  In immediate mode they are then sent, through one
 * producer for all topics, and waited for together.
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
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#define RESULT_COLUMNS 5

/* Fields of kafka.record. */
enum
{
	FIELD_TOPIC,
	FIELD_VALUE,
	FIELD_KEY,
	FIELD_HEADERS,
	FIELD_PARTITION,
	FIELD_TS,
	FIELDS
};

/* A topic of the batch. */
typedef struct BatchTopic
{
	const char *name;
	KafkaSender *sender;
} BatchTopic;

typedef struct BatchRecord
{
	KafkaMessage msg;
	KafkaSender *sender;
	KafkaDelivery delivery;		/* immediate */
} BatchRecord;

typedef struct Batch
{
	const KafkaOptions *opts;
	KafkaDeliveryMode mode;
	List	   *topics;			/* of BatchTopic */
	int			nrecords;
	BatchRecord *records;
	int			current;		/* index of the one that is looked at, for errors */
} Batch;

static void
tell_record(void *arg)
{
	errcontext("record %d of the batch", ((const Batch *) arg)->current + 1);
}

/* ------------------------------------------------------------------------
 * Arguments to messages
 * ------------------------------------------------------------------------
 */

/* Elements of an array argument, of one dimension; NULL is as an empty one. */
static int
array_elements(FunctionCallInfo fcinfo, int argno, const char *name, Datum **elements,
			   bool **nulls)
{
	ArrayType  *array;
	TypeCacheEntry *type;
	int			count;

	*elements = NULL;
	*nulls = NULL;
	if (PG_ARGISNULL(argno))
		return 0;
	array = PG_GETARG_ARRAYTYPE_P(argno);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must have one dimension", name)));
	type = lookup_type_cache(ARR_ELEMTYPE(array), 0);
	deconstruct_array(array, ARR_ELEMTYPE(array), type->typlen, type->typbyval, type->typalign,
					  elements, nulls, &count);
	return count;
}

static void
make_records(Batch *batch, int count)
{
	batch->nrecords = count;
	batch->records = MemoryContextAllocHuge(CurrentMemoryContext,
											sizeof(BatchRecord) * Max(count, 1));
	memset(batch->records, 0, sizeof(BatchRecord) * count);
	for (int i = 0; i < count; i++)
	{
		KafkaMessage *msg = &batch->records[i].msg;

		msg->offset = KAFKA_UNKNOWN;
		msg->partition = KAFKA_PARTITION_ANY;
		msg->timestamp = KAFKA_UNKNOWN;
	}
}

static KafkaBytes
datum_bytes(Datum datum, bool isnull)
{
	KafkaBytes	bytes = {NULL, 0};
	struct varlena *data;

	if (isnull)
		return bytes;
	data = PG_DETOAST_DATUM_PACKED(datum);
	bytes.data = VARDATA_ANY(data);
	bytes.len = VARSIZE_ANY_EXHDR(data);
	return bytes;
}

/* The same of a text, in UTF-8. */
static KafkaBytes
datum_text(Datum datum, bool isnull)
{
	return kafka_sql_utf8(datum_bytes(datum, isnull));
}

static KAFKA_NORETURN void
reject_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be NULL", what)));
}

static void
fill_from_record(KafkaMessage *msg, Datum record, TupleDesc *desc)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(record);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header};
	Datum		values[FIELDS];
	bool		nulls[FIELDS];

	if (*desc == NULL)
		*desc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header),
											HeapTupleHeaderGetTypMod(header));
	heap_deform_tuple(&tuple, *desc, values, nulls);
	if (nulls[FIELD_TOPIC])
		reject_null("the topic of a record");
	msg->topic = TextDatumGetCString(values[FIELD_TOPIC]);
	msg->value = datum_bytes(values[FIELD_VALUE], nulls[FIELD_VALUE]);
	msg->key = datum_bytes(values[FIELD_KEY], nulls[FIELD_KEY]);
	if (!nulls[FIELD_HEADERS])
		kafka_headers_from_array(values[FIELD_HEADERS], msg);
	if (!nulls[FIELD_PARTITION])
	{
		msg->partition = DatumGetInt32(values[FIELD_PARTITION]);
		if (msg->partition < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the partition of a record must not be negative"),
					 errhint("NULL lets the partitioner choose.")));
	}
	if (!nulls[FIELD_TS])
		msg->timestamp = kafka_timestamp_ms(values[FIELD_TS]);
}

static void
fill_from_records(Batch *batch, FunctionCallInfo fcinfo)
{
	ErrorContextCallback callback = {.callback = tell_record, .arg = batch};
	TupleDesc	desc = NULL;
	Datum	   *elements;
	bool	   *nulls;

	make_records(batch, array_elements(fcinfo, 0, "records", &elements, &nulls));
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	for (int i = 0; i < batch->nrecords; i++)
	{
		batch->current = i;
		if (nulls[i])
			reject_null("a record");
		fill_from_record(&batch->records[i].msg, elements[i], &desc);
	}
	error_context_stack = callback.previous;
}

static void
fill_from_values(Batch *batch, FunctionCallInfo fcinfo)
{
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	Datum	   *values;
	Datum	   *keys;
	bool	   *value_nulls;
	bool	   *key_nulls;
	int			nkeys;

	make_records(batch, array_elements(fcinfo, 1, "values", &values, &value_nulls));
	nkeys = array_elements(fcinfo, 2, "keys", &keys, &key_nulls);
	if (!PG_ARGISNULL(2) && nkeys != batch->nrecords)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arguments \"values\" and \"keys\" must have the same length"),
				 errdetail("They have %d and %d elements.", batch->nrecords, nkeys)));
	for (int i = 0; i < batch->nrecords; i++)
	{
		KafkaMessage *msg = &batch->records[i].msg;

		msg->topic = topic;
		msg->value = datum_text(values[i], value_nulls[i]);
		if (keys)
			msg->key = datum_text(keys[i], key_nulls[i]);
	}
}

/* ------------------------------------------------------------------------
 * Sending
 * ------------------------------------------------------------------------
 */
static KafkaSender *
find_sender(Batch *batch, const char *topic)
{
	const BatchTopic *first = batch->topics ? linitial(batch->topics) : NULL;
	BatchTopic *found;
	ListCell   *lc;

	foreach(lc, batch->topics)
	{
		found = (BatchTopic *) lfirst(lc);
		if (found->name == topic || strcmp(found->name, topic) == 0)
			return found->sender;
	}
	found = palloc(sizeof(BatchTopic));
	found->name = topic;
	found->sender = kafka_sender_open_beside(first ? first->sender : NULL, batch->opts, topic,
											 batch->mode);
	batch->topics = lappend(batch->topics, found);
	return found->sender;
}

/* What can be known of the records before any is sent. */
static void
check_records(Batch *batch)
{
	ErrorContextCallback callback = {.callback = tell_record, .arg = batch};

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	for (int i = 0; i < batch->nrecords; i++)
	{
		BatchRecord *record = &batch->records[i];

		batch->current = i;
		record->sender = find_sender(batch, record->msg.topic);
		kafka_sender_check(record->sender, &record->msg);
	}
	error_context_stack = callback.previous;
}

static void
send_records(Batch *batch)
{
	ListCell   *lc;

	for (int i = 0; i < batch->nrecords; i++)
	{
		BatchRecord *record = &batch->records[i];

		if (!kafka_sender_send_tracked(record->sender, &record->msg, &record->delivery))
			kafka_sender_send(record->sender, &record->msg);
	}
	foreach(lc, batch->topics)
		kafka_sender_finish(((BatchTopic *) lfirst(lc))->sender);
}

static void
put_row(ReturnSetInfo *rsinfo, int index, const KafkaDelivery *delivery)
{
	Datum		values[RESULT_COLUMNS] = {0};
	bool		nulls[RESULT_COLUMNS] = {false, true, true, true, true};

	values[0] = Int64GetDatum((int64) index + 1);
	if (delivery->confirmed)
	{
		nulls[1] = false;
		values[1] = Int32GetDatum(delivery->receipt.partition);
		nulls[2] = delivery->receipt.offset < 0;
		values[2] = Int64GetDatum(delivery->receipt.offset);
		nulls[3] = delivery->receipt.timestamp < 0;
		if (!nulls[3])
			values[3] = kafka_timestamp_datum(delivery->receipt.timestamp);
	}
	if (delivery->error)
	{
		nulls[4] = false;
		values[4] = CStringGetTextDatum(delivery->error);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static Datum
send_batch(FunctionCallInfo fcinfo, Batch *batch)
{
	ListCell   *lc;

	check_records(batch);
	send_records(batch);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < batch->nrecords; i++)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, i, &batch->records[i].delivery);
	foreach(lc, batch->topics)
		kafka_sender_close(((BatchTopic *) lfirst(lc))->sender);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_produce_records);

/* (records, delivery, server): a row (ordinality, partition, offset, ts, error) for each. */
Datum
kafka_produce_records(PG_FUNCTION_ARGS)
{
	Batch		batch = {.opts = kafka_sql_server(fcinfo, 2),
	.mode = kafka_sql_delivery(fcinfo, 1)};

	fill_from_records(&batch, fcinfo);
	return send_batch(fcinfo, &batch);
}

PG_FUNCTION_INFO_V1(kafka_produce_values);

/* (topic, values, keys, delivery, server): the same rows. */
Datum
kafka_produce_values(PG_FUNCTION_ARGS)
{
	Batch		batch = {.opts = kafka_sql_server(fcinfo, 4),
	.mode = kafka_sql_delivery(fcinfo, 3)};

	fill_from_values(&batch, fcinfo);
	return send_batch(fcinfo, &batch);
}
