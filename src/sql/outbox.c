/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  kafka.create_outbox and kafka.drop_outbox: outboxes of users' own tables.
 *
 * Layer 3.  An outbox of a table is a row of kafka.outbox_definition and a trigger on the table
 * (outbox_copy.c).  The row is written as the owner of kafka.outbox_definition, the trigger as
 * the caller, who must own the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "client/property.h"
#include "client/topic.h"
#include "fmgr.h"
#include "format/headers.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "outbox/query.h"
#include "sql/common.h"
#include "sql/outbox_columns.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#define TRIGGER_NAME "kafka_outbox"
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

static void
check_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	if (!KAFKA_OWNS_TABLE(RelationGetRelid(rel), GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name)));
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
		"topic_column, key_column, value_column, headers_column, id_column) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
		.nargs = 10,
		.types = {TEXTOID, NAMEOID, NAMEOID, REGCLASSOID, TEXTOID, NAMEOID, NAMEOID, NAMEOID,
		NAMEOID, NAMEOID}
	};
	Datum		values[10] = {0};
	char		nulls[11] = "          ";

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
	if (kafka_query_run(&query, values, nulls) == 0)
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

static const char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

static void
fill_source(FunctionCallInfo fcinfo, KafkaOutboxSource *source, const KafkaOptions *opts)
{
	Relation	rel = table_open(source->relid, ShareRowExclusiveLock);

	check_table(rel);
	read_arguments(fcinfo, source);
	recognise_debezium(source, rel);
	check_columns(source, rel);
	table_close(rel, NoLock);
	source->outbox.name = psprintf("%s.%s", get_namespace_name(get_rel_namespace(source->relid)),
								   get_rel_name(source->relid));
	source->outbox.server = opts->server_name;
	source->outbox.username = pstrdup(kafka_outbox_username(opts->serverid, opts->userid));
}

PG_FUNCTION_INFO_V1(kafka_create_outbox);

/* The outbox's name. */
Datum
kafka_create_outbox(PG_FUNCTION_ARGS)
{
	KafkaOutboxSource source = {.relid = InvalidOid};
	KafkaOptions *opts;

	if (PG_ARGISNULL(ARG_SOURCE))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"source\" must not be NULL")));
	source.relid = PG_GETARG_OID(ARG_SOURCE);
	opts = kafka_sql_server(fcinfo, ARG_SERVER);
	(void) kafka_property_collect(opts, KAFKA_ROLE_TRANSACTIONAL);
	fill_source(fcinfo, &source, opts);
	SPI_connect();
	insert_source(&source);
	run_command(psprintf("CREATE TRIGGER " TRIGGER_NAME " AFTER INSERT ON %s FOR EACH ROW "
						 "EXECUTE FUNCTION kafka.copy_to_outbox()",
						 qualified_name(source.relid)));
	SPI_finish();
	kafka_outbox_warn_without_workers();
	PG_RETURN_TEXT_P(cstring_to_text(source.outbox.name));
}

/* ------------------------------------------------------------------------
 * drop_outbox
 * ------------------------------------------------------------------------
 */

/* The owner of its table may, and who has the privileges of the owner of outbox_definition. */
static void
check_dropper(const KafkaOutboxSource *source, bool has_table)
{
	if (has_privs_of_role(GetUserId(), kafka_query_owner()) ||
		(has_table && KAFKA_OWNS_TABLE(source->relid, GetUserId())))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to drop outbox \"%s\"", source->outbox.name),
			 errhint("The owner of its table, or of the extension, may do it.")));
}

static void
run_on_outbox(KafkaQuery *query, int32 outbox)
{
	Datum		value = Int32GetDatum(outbox);

	(void) kafka_query_run(query, &value, NULL);
}

/* Waits for transactions that write rows of any outbox; those that come now wait for us. */
static void
lock_rows(void)
{
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(kafka_query_owner(), security | SECURITY_LOCAL_USERID_CHANGE);
	run_command("LOCK TABLE ONLY kafka.outbox_row_0, ONLY kafka.outbox_row_1, "
				"ONLY kafka.outbox_row_2, ONLY kafka.outbox_row_3 IN SHARE MODE");
	SetUserIdAndSecContext(user, security);
}

static int64
count_unpublished(int32 outbox)
{
	static KafkaQuery query = {
		.text = "SELECT b.messages FROM kafka.outbox_backlog($1) b",
		.nargs = 1,
		.types = {INT4OID}
	};
	Datum		value = Int32GetDatum(outbox);
	bool		isnull;

	(void) kafka_query_look(&query, &value, NULL);
	return DatumGetInt64(kafka_query_value(1, &isnull));
}

static void
check_unpublished(const KafkaOutbox *outbox)
{
	int64		rows = count_unpublished(outbox->id);

	if (rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("outbox \"%s\" has messages that are not published", outbox->name),
				 errdetail_plural(INT64_FORMAT " message waits.", INT64_FORMAT " messages wait.",
								  (unsigned long) rows, rows),
				 errhint("Let its relay publish them first, or pass \"force\" => true, which "
						 "deletes them.")));
}

static void
delete_outbox(int32 outbox)
{
	static KafkaQuery queries[] = {
		{.text = "DELETE FROM kafka.outbox_row r WHERE r.outbox OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}},
		{.text = "DELETE FROM kafka.outbox_tick t WHERE t.outbox OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}},
		{.text = "DELETE FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}},
		{.text = "DELETE FROM kafka.outbox_definition d WHERE d.id OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}}
	};

	for (size_t i = 0; i < lengthof(queries); i++)
		run_on_outbox(&queries[i], outbox);
	kafka_outbox_changed();
}

PG_FUNCTION_INFO_V1(kafka_drop_outbox);

Datum
kafka_drop_outbox(PG_FUNCTION_ARGS)
{
	KafkaOutboxSource *source = kafka_outbox_source(kafka_sql_text(fcinfo, 0, "outbox"));
	bool		force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	bool		has_table = OidIsValid(source->relid) && get_rel_name(source->relid) != NULL;

	check_dropper(source, has_table);
	SPI_connect();
	if (has_table)
		run_command(psprintf("DROP TRIGGER IF EXISTS " TRIGGER_NAME " ON %s",
							 qualified_name(source->relid)));
	lock_rows();
	if (!force)
		check_unpublished(&source->outbox);
	delete_outbox(source->outbox.id);
	SPI_finish();
	PG_RETURN_VOID();
}
