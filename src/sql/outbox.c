/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  kafka.create_outbox: outboxes of users' own tables, and a server's outbox beforehand.
 *
 * Layer 3.  An outbox of a table is a row of kafka.outbox_definition and a trigger on the table
 * (outbox_copy.c).  The row is written as the owner of kafka.outbox_definition, the trigger as
 * the caller, who must own the table.  The messages go out as the table's owner's, whoever calls:
 * he decides what the table sends, so it must not be a superuser's rights that it sends with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "client/topic.h"
#include "fmgr.h"
#include "format/headers.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "sql/common.h"
#include "sql/outbox_columns.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#define DEBEZIUM_PREFIX "outbox.event."

/* Arguments of kafka.create_outbox. */
enum
{
	ARG_SOURCE,
	ARG_SERVER,
	ARG_TOPIC_COLUMN,
	ARG_KEY_COLUMN,
	ARG_VALUE_COLUMN,
	ARG_HEADERS_COLUMN,
	ARG_TOPIC,
	ARG_ID_COLUMN
};

/* ------------------------------------------------------------------------
 * Tables and their columns
 * ------------------------------------------------------------------------
 */
static Form_pg_attribute
find_attribute(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (!attr->attisdropped && strcmp(NameStr(attr->attname), name) == 0)
			return attr;
	}
	return NULL;
}

AttrNumber
kafka_outbox_column(Relation rel, const char *name)
{
	Form_pg_attribute attr = find_attribute(rel, name);

	if (attr == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						RelationGetRelationName(rel)),
				 errhint("If an outbox names a column that was renamed or dropped, make it anew "
						 "with kafka.drop_outbox and kafka.create_outbox.")));
	if (KAFKA_IS_VIRTUAL(attr))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an outbox cannot send virtual generated column \"%s\"", name),
				 errhint("Triggers do not see its value; a stored one they do.")));
	return attr->attnum;
}

void
kafka_outbox_check_headers(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	Oid			type = getBaseType(attr->atttypid);

	if (type == JSONBOID || type == JSONOID || kafka_is_header_array(type))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of table \"%s\" cannot hold headers", NameStr(attr->attname),
					RelationGetRelationName(rel)),
			 errdetail("It has type %s.", format_type_be(attr->atttypid)),
			 errhint("Types that can are jsonb, json and kafka.header[].")));
}

Oid
kafka_table_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
kafka_table_owner_check_usage(Oid relid, const KafkaOptions *opts)
{
	if (KAFKA_SERVER_ACLCHECK(opts->serverid, kafka_table_owner(relid)) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", opts->server_name),
				 errdetail("The owner of table \"%s\" needs USAGE on it.", get_rel_name(relid))));
}

const char *
kafka_table_qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

static void
check_ownership(Oid relid)
{
	(void) kafka_table_owner(relid);	/* it exists */
	if (!KAFKA_OWNS_TABLE(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

static void
check_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	check_ownership(RelationGetRelid(rel));
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name)));
	if (OidIsValid(getExtensionOfObject(RelationRelationId, RelationGetRelid(rel))))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" belongs to an extension", name)));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" cannot have an outbox", name)));
	if (kafka_outbox_of_table(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" has an outbox already", name)));
}

/* ------------------------------------------------------------------------
 * create_outbox
 * ------------------------------------------------------------------------
 */
static char *
column_argument(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : pstrdup(NameStr(*PG_GETARG_NAME(argno)));
}

static void
read_arguments(FunctionCallInfo fcinfo, KafkaOutboxSource *source)
{
	source->topic_column = column_argument(fcinfo, ARG_TOPIC_COLUMN);
	source->key_column = column_argument(fcinfo, ARG_KEY_COLUMN);
	source->value_column = column_argument(fcinfo, ARG_VALUE_COLUMN);
	source->headers_column = column_argument(fcinfo, ARG_HEADERS_COLUMN);
	source->id_column = column_argument(fcinfo, ARG_ID_COLUMN);
	if (!PG_ARGISNULL(ARG_TOPIC))
		source->topic = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TOPIC));
}

/* Columns of Debezium's outbox event router, where the caller names none. */
static void
recognise_debezium(KafkaOutboxSource *source, Relation rel)
{
	static const char *const columns[] = {"id", "aggregatetype", "aggregateid", "type", "payload"};

	if (source->topic_column || source->key_column || source->value_column ||
		source->headers_column || source->id_column || source->topic)
		return;
	for (size_t i = 0; i < lengthof(columns); i++)
		if (find_attribute(rel, columns[i]) == NULL)
			return;
	source->topic = DEBEZIUM_PREFIX;
	source->topic_column = "aggregatetype";
	source->key_column = "aggregateid";
	source->value_column = "payload";
	source->id_column = "id";
}

static void
check_columns(const KafkaOutboxSource *source, Relation rel)
{
	const char *const columns[] = {source->topic_column, source->key_column,
		source->value_column, source->headers_column, source->id_column};

	if (source->value_column == NULL || (source->topic == NULL && source->topic_column == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("it is not clear what of table \"%s\" is to be sent, and where to",
						RelationGetRelationName(rel)),
				 errhint("Pass \"value_column\", and \"topic_column\" or \"topic\". Only a table "
						 "with columns id, aggregatetype, aggregateid, type and payload needs "
						 "none of them.")));
	for (size_t i = 0; i < lengthof(columns); i++)
		if (columns[i])
			(void) kafka_outbox_column(rel, columns[i]);
	if (source->headers_column)
		kafka_outbox_check_headers(rel, kafka_outbox_column(rel, source->headers_column));
	if (source->topic_column == NULL)
		kafka_topic_check_name(source->topic);
}

static Datum
name_datum(const char *name, char *isnull)
{
	*isnull = name ? ' ' : 'n';
	return name ? DirectFunctionCall1(namein, CStringGetDatum(name)) : (Datum) 0;
}

static void
insert_source(const KafkaOutboxSource *source)
{
	static KafkaQuery query = {
		.text = "INSERT INTO kafka.outbox_definition (name, server, username, source, topic, "
		"topic_column, key_column, value_column, headers_column, id_column, owner) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
		.nargs = 11,
		.types = {TEXTOID, NAMEOID, NAMEOID, REGCLASSOID, TEXTOID, NAMEOID, NAMEOID, NAMEOID,
		NAMEOID, NAMEOID, NAMEOID}
	};
	Datum		values[11] = {0};
	char		nulls[12] = "           ";

	values[0] = CStringGetTextDatum(source->outbox.name);
	values[1] = name_datum(source->outbox.server, &nulls[1]);
	values[2] = name_datum(source->outbox.username, &nulls[2]);
	values[3] = ObjectIdGetDatum(source->relid);
	if (source->topic)
		values[4] = CStringGetTextDatum(source->topic);
	else
		nulls[4] = 'n';
	values[5] = name_datum(source->topic_column, &nulls[5]);
	values[6] = name_datum(source->key_column, &nulls[6]);
	values[7] = name_datum(source->value_column, &nulls[7]);
	values[8] = name_datum(source->headers_column, &nulls[8]);
	values[9] = name_datum(source->id_column, &nulls[9]);
	values[10] = name_datum(source->owner, &nulls[10]);
	if (kafka_outbox_run_own(&query, values, nulls) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("outbox \"%s\" already exists", source->outbox.name)));
	kafka_outbox_changed();
}

static void
run_command(const char *command)
{
	int			rc = SPI_execute(command, false, 0);

	if (rc != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\": %s", command, SPI_result_code_string(rc));
}

/* Nobody gets a lock on a table that is not his. */
static void
fill_source(FunctionCallInfo fcinfo, KafkaOutboxSource *source, const KafkaOptions *opts)
{
	Relation	rel;
	Oid			owner;

	check_ownership(source->relid);
	rel = table_open(source->relid, ShareRowExclusiveLock);
	check_table(rel);
	kafka_table_owner_check_usage(source->relid, opts);
	owner = rel->rd_rel->relowner;
	read_arguments(fcinfo, source);
	recognise_debezium(source, rel);
	check_columns(source, rel);
	table_close(rel, NoLock);
	source->outbox.name = psprintf("%s.%s", get_namespace_name(get_rel_namespace(source->relid)),
								   get_rel_name(source->relid));
	source->outbox.server = opts->server_name;
	source->outbox.username = pstrdup(kafka_outbox_username(opts->serverid, owner));
	source->owner = GetUserNameFromId(owner, false);
}

/* Without a table: what the caller's first message through the server would make. */
static char *
make_automatic(FunctionCallInfo fcinfo)
{
	static const struct
	{
		int			number;
		const char *name;
	}			others[] = {{ARG_TOPIC_COLUMN, "topic_column"}, {ARG_KEY_COLUMN, "key_column"},
	{ARG_VALUE_COLUMN, "value_column"}, {ARG_HEADERS_COLUMN, "headers_column"},
	{ARG_TOPIC, "topic"}, {ARG_ID_COLUMN, "id_column"}};

	for (size_t i = 0; i < lengthof(others); i++)
		if (!PG_ARGISNULL(others[i].number))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" needs \"source\", a table", others[i].name),
					 errhint("Without a table the outbox is the server's: kafka.produce and its "
							 "like say what is sent.")));
	PreventCommandIfReadOnly("kafka.create_outbox()");
	return kafka_outbox_by_id(kafka_outbox_of_sender(kafka_sql_server(fcinfo,
																	   ARG_SERVER)).outbox)->name;
}

PG_FUNCTION_INFO_V1(kafka_create_outbox);

/* The outbox's name. */
Datum
kafka_create_outbox(PG_FUNCTION_ARGS)
{
	KafkaOutboxSource source = {.relid = InvalidOid};
	KafkaOptions *opts;

	PreventCommandIfReadOnly("kafka.create_outbox()");
	if (PG_ARGISNULL(ARG_SOURCE))
		PG_RETURN_TEXT_P(cstring_to_text(make_automatic(fcinfo)));
	source.relid = PG_GETARG_OID(ARG_SOURCE);
	opts = kafka_sql_server(fcinfo, ARG_SERVER);
	fill_source(fcinfo, &source, opts);
	(void) kafka_outbox_check_relay(&source.outbox);
	SPI_connect();
	insert_source(&source);
	run_command(psprintf("CREATE TRIGGER " KAFKA_OUTBOX_TRIGGER " AFTER INSERT ON %s FOR EACH ROW "
						 "EXECUTE FUNCTION kafka.copy_to_outbox()",
						 kafka_table_qualified_name(source.relid)));
	SPI_finish();
	kafka_outbox_warn_without_workers();
	PG_RETURN_TEXT_P(cstring_to_text(source.outbox.name));
}
