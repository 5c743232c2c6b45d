/*-------------------------------------------------------------------------
 *
 * common.c
 *	  What the SQL functions share: finding the server, reading arguments.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "client/rules.h"
#include "foreign/foreign.h"
#include "format/format.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "mb/pg_wchar.h"
#include "sql/common.h"
#include "transaction/send.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* The only kafka_fdw server of the database. */
static Oid
find_only_server(void)
{
	Relation	catalog = table_open(ForeignServerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	Oid			found = InvalidOid;
	int			count = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server row = (Form_pg_foreign_server) GETSTRUCT(tuple);

		if (!kafka_is_our_wrapper(row->srvfdw))
			continue;
		found = row->oid;
		count++;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (count == 1)
		return found;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 count == 0 ? errmsg("there is no kafka_fdw server in this database") :
			 errmsg("it is not clear which kafka_fdw server is meant"),
			 count == 0 ? errhint("Create one with CREATE SERVER ... FOREIGN DATA WRAPPER "
								  "kafka_fdw.") :
			 errhint("Pass the argument \"server\", or set \"kafka_fdw.server\".")));
}

static Oid
find_server(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, false);

	if (!kafka_is_our_wrapper(server->fdwid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a kafka_fdw server", name)));
	return server->serverid;
}

KafkaOptions *
kafka_sql_server(FunctionCallInfo fcinfo, int argno)
{
	return kafka_sql_server_named(PG_ARGISNULL(argno) ? NULL :
								  NameStr(*PG_GETARG_NAME(argno)));
}

KafkaOptions *
kafka_sql_server_named(const char *name)
{
	Oid			serverid;

	if (name)
		serverid = find_server(name);
	else if (kafka_setting_server[0])
		serverid = find_server(kafka_setting_server);
	else
		serverid = find_only_server();
	kafka_rules_require_usage(serverid, GetForeignServer(serverid)->servername);
	return kafka_options_of_server(serverid, GetUserId());
}

char *
kafka_sql_text(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

KafkaBytes
kafka_sql_utf8(KafkaBytes bytes)
{
	StringInfoData text;

	if (bytes.data == NULL || GetDatabaseEncoding() == PG_UTF8)
		return bytes;
	initStringInfo(&text);
	kafka_text_encode(bytes.data, (int) bytes.len, PG_UTF8, &text);
	bytes.data = text.data;
	bytes.len = text.len;
	return bytes;
}

KafkaBytes
kafka_sql_bytes(FunctionCallInfo fcinfo, int argno, Oid type)
{
	KafkaBytes	bytes = {NULL, 0};
	struct varlena *data;

	if (PG_ARGISNULL(argno))
		return bytes;
	if (type == JSONBOID)
	{
		Jsonb	   *jsonb = PG_GETARG_JSONB_P(argno);

		bytes.data = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
		bytes.len = strlen(bytes.data);
	}
	else
	{
		data = PG_GETARG_VARLENA_PP(argno);
		bytes.data = VARDATA_ANY(data);
		bytes.len = VARSIZE_ANY_EXHDR(data);
	}
	return type == BYTEAOID ? bytes : kafka_sql_utf8(bytes);
}

KafkaDeliveryMode
kafka_sql_delivery(FunctionCallInfo fcinfo, int argno)
{
	int			mode = KAFKA_DELIVERY_UNSET;

	if (!PG_ARGISNULL(argno))
		mode = kafka_option_enum(kafka_delivery_modes, kafka_sql_text(fcinfo, argno, "delivery"),
								 "argument \"delivery\"");
	return kafka_delivery_mode(mode);
}

/* An interval argument that is not NULL, in ms. */
static double
interval_ms(FunctionCallInfo fcinfo, int argno)
{
	const Interval *interval = PG_GETARG_INTERVAL_P(argno);

	return interval->time / 1000.0 + interval->day * (double) SECS_PER_DAY * 1000.0 +
		interval->month * (double) DAYS_PER_MONTH * SECS_PER_DAY * 1000.0;
}

int
kafka_sql_wait_ms(FunctionCallInfo fcinfo, int argno, const char *name, int default_ms)
{
	if (!PG_ARGISNULL(argno) && interval_ms(fcinfo, argno) == 0)
		return 0;
	if (!PG_ARGISNULL(argno) && interval_ms(fcinfo, argno) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative", name),
				 errhint("0 does not wait.")));
	return kafka_sql_interval_ms(fcinfo, argno, name, default_ms);
}

int
kafka_sql_interval_ms(FunctionCallInfo fcinfo, int argno, const char *name, int default_ms)
{
	double		ms;

	if (PG_ARGISNULL(argno))
		return default_ms;
	ms = interval_ms(fcinfo, argno);
	if (ms < 1 || ms > INT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is out of range", name),
				 errhint("It takes an interval from 1 ms to 24 days.")));
	return (int) ms;
}
