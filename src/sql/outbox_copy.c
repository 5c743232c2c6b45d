/*-------------------------------------------------------------------------
 *
 * outbox_copy.c
 *	  kafka.copy_to_outbox: the trigger that copies a table's new rows into its outbox.
 *
 * Layer 3.  What is sent, and with whose user mapping, stands in kafka.outbox_definition under
 * the table that the trigger is on, or that its partition belongs to.  Arguments say nothing:
 * whoever makes such a trigger on a table of his own reaches no outbox by it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "format/headers.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "sql/common.h"
#include "sql/outbox_columns.h"
#include "transaction/send.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct Part
{
	AttrNumber	attnum;			/* InvalidAttrNumber: the outbox has none */
	Oid			type;			/* under all domains */
	FmgrInfo	output;
} Part;

/* What is looked up once per call site. */
typedef struct Copy
{
	const KafkaOutboxSource *source;
	KafkaSender *sender;
	Part		topic;
	Part		key;
	Part		value;
	Part		headers;
	Part		id;
	MemoryContext row_context;	/* reset for each row */
} Copy;

static void
tell_trigger(void *arg)
{
	const TriggerData *data = (const TriggerData *) arg;

	errcontext("trigger \"%s\" on table \"%s\", copying into its outbox",
			   data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation));
}

/* ------------------------------------------------------------------------
 * Once per call site
 * ------------------------------------------------------------------------
 */
static void
check_trigger(FunctionCallInfo fcinfo)
{
	const TriggerData *data = (const TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("kafka.copy_to_outbox can only be called as a trigger")));
	if (!TRIGGER_FIRED_AFTER(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must be fired AFTER INSERT, FOR EACH ROW, to copy into an "
						"outbox", data->tg_trigger->tgname),
				 errhint("kafka.create_outbox makes it.")));
}

/* A trigger that a partition has from its parent: the nearest one with an outbox. */
static const KafkaOutboxSource *
find_source(const TriggerData *data)
{
	Oid			relid = RelationGetRelid(data->tg_relation);
	const KafkaOutboxSource *source = NULL;
	ListCell   *lc;

	if (!data->tg_trigger->tgisclone)
		source = kafka_outbox_of_table(relid);
	else
		foreach(lc, get_partition_ancestors(relid))
			if ((source = kafka_outbox_of_table(lfirst_oid(lc))) != NULL)
				break;
	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no outbox", RelationGetRelationName(data->tg_relation)),
				 errhint("Make it with kafka.create_outbox, or drop the trigger.")));
	return source;
}

/* Rows are sent by leave of the table's owner, and as his: the table may have another one now. */
static void
check_owner(const KafkaOutboxSource *source, const KafkaOptions *opts)
{
	Oid			owner = kafka_table_owner(source->relid);

	kafka_table_owner_check_usage(source->relid, opts);
	if (strcmp(kafka_outbox_username(opts->serverid, owner), source->outbox.username) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("outbox \"%s\" was made for another user mapping than that of \"%s\", who owns "
					"table \"%s\"", source->outbox.name, GetUserNameFromId(owner, false),
					get_rel_name(source->relid)),
			 errhint("The table has changed its owner, or its owner has another user mapping now: "
					 "make the outbox anew with kafka.drop_outbox and kafka.create_outbox.")));
}

static Part
make_part(Relation rel, const char *column)
{
	Part		part = {InvalidAttrNumber, InvalidOid, {0}};
	Oid			output;
	bool		is_varlena;

	if (column == NULL)
		return part;
	part.attnum = kafka_outbox_column(rel, column);
	part.type = getBaseType(TupleDescAttr(RelationGetDescr(rel), part.attnum - 1)->atttypid);
	getTypeOutputInfo(part.type, &output, &is_varlena);
	fmgr_info(output, &part.output);
	return part;
}

static Copy *
make_copy(const TriggerData *data)
{
	Relation	rel = data->tg_relation;
	Copy	   *copy = palloc0(sizeof(Copy));
	KafkaOptions *opts;

	copy->source = find_source(data);
	opts = kafka_outbox_check_relay(&copy->source->outbox);
	check_owner(copy->source, opts);
	kafka_outbox_warn_without_workers();
	copy->sender = kafka_sender_into_outbox(opts, copy->source->outbox.id);
	copy->topic = make_part(rel, copy->source->topic_column);
	copy->key = make_part(rel, copy->source->key_column);
	copy->value = make_part(rel, copy->source->value_column);
	copy->headers = make_part(rel, copy->source->headers_column);
	if (copy->headers.attnum != InvalidAttrNumber)
		kafka_outbox_check_headers(rel, copy->headers.attnum);
	copy->id = make_part(rel, copy->source->id_column);
	copy->row_context = AllocSetContextCreate(CurrentMemoryContext, "kafka.copy_to_outbox row",
											  ALLOCSET_DEFAULT_SIZES);
	return copy;
}

static Copy *
get_copy(FunctionCallInfo fcinfo)
{
	MemoryContext old;

	if (fcinfo->flinfo->fn_extra == NULL)
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = make_copy((const TriggerData *) fcinfo->context);
		MemoryContextSwitchTo(old);
	}
	return (Copy *) fcinfo->flinfo->fn_extra;
}

/* ------------------------------------------------------------------------
 * A row as a message
 * ------------------------------------------------------------------------
 */
static Datum
part_datum(const Part *part, const TriggerData *data, bool *isnull)
{
	*isnull = true;
	if (part->attnum == InvalidAttrNumber)
		return (Datum) 0;
	return heap_getattr(data->tg_trigtuple, part->attnum, RelationGetDescr(data->tg_relation),
						isnull);
}

/* bytea as it is, everything else as its text in UTF-8. */
static KafkaBytes
part_bytes(Part *part, const TriggerData *data)
{
	KafkaBytes	bytes = {NULL, 0};
	bool		isnull;
	Datum		datum = part_datum(part, data, &isnull);
	struct varlena *binary;

	if (isnull)
		return bytes;
	if (part->type == BYTEAOID)
	{
		binary = PG_DETOAST_DATUM_PACKED(datum);
		bytes.data = VARDATA_ANY(binary);
		bytes.len = VARSIZE_ANY_EXHDR(binary);
		return bytes;
	}
	bytes.data = OutputFunctionCall(&part->output, datum);
	bytes.len = strlen(bytes.data);
	return kafka_sql_utf8(bytes);
}

static const char *
make_topic(Copy *copy, const TriggerData *data)
{
	const char *topic = copy->source->topic;
	bool		isnull;
	Datum		datum = part_datum(&copy->topic, data, &isnull);

	if (copy->topic.attnum == InvalidAttrNumber)
		return topic;
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column \"%s\" of table \"%s\" must not be NULL: it names the topic",
						copy->source->topic_column,
						RelationGetRelationName(data->tg_relation))));
	return psprintf("%s%s", topic ? topic : "", OutputFunctionCall(&copy->topic.output, datum));
}

static void
add_headers(Copy *copy, const TriggerData *data, KafkaMessage *msg)
{
	bool		isnull;
	Datum		datum = part_datum(&copy->headers, data, &isnull);

	if (isnull)
		return;
	if (copy->headers.type == JSONOID)
		datum = DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(datum)));
	if (copy->headers.type == JSONOID || copy->headers.type == JSONBOID)
		kafka_headers_from_jsonb(datum, msg);
	else
		kafka_headers_from_array(datum, msg);
}

/* The header "id" comes first. */
static void
add_id(Copy *copy, const TriggerData *data, KafkaMessage *msg)
{
	KafkaHeader *headers;

	if (copy->id.attnum == InvalidAttrNumber)
		return;
	headers = palloc(sizeof(KafkaHeader) * (msg->nheaders + 1));
	headers[0].name = "id";
	headers[0].value = part_bytes(&copy->id, data);
	if (msg->nheaders > 0)
		memcpy(&headers[1], msg->headers, sizeof(KafkaHeader) * msg->nheaders);
	msg->headers = headers;
	msg->nheaders++;
}

static void
copy_row(Copy *copy, const TriggerData *data)
{
	MemoryContext old = MemoryContextSwitchTo(copy->row_context);
	KafkaMessage msg = {
		.partition = KAFKA_PARTITION_ANY,
		.offset = KAFKA_UNKNOWN,
		.timestamp = KAFKA_UNKNOWN
	};

	MemoryContextReset(copy->row_context);
	msg.topic = make_topic(copy, data);
	msg.key = part_bytes(&copy->key, data);
	msg.value = part_bytes(&copy->value, data);
	add_headers(copy, data, &msg);
	add_id(copy, data, &msg);
	kafka_sender_send(copy->sender, &msg);
	MemoryContextSwitchTo(old);
}

PG_FUNCTION_INFO_V1(kafka_copy_to_outbox);

Datum
kafka_copy_to_outbox(PG_FUNCTION_ARGS)
{
	ErrorContextCallback callback = {.callback = tell_trigger, .arg = fcinfo->context};

	check_trigger(fcinfo);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	copy_row(get_copy(fcinfo), (const TriggerData *) fcinfo->context);
	error_context_stack = callback.previous;
	PG_RETURN_POINTER(NULL);
}
