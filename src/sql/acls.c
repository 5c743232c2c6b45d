/*-------------------------------------------------------------------------
 *
 * acls.c
 *	  kafka.create_acl, list_acls, delete_acl.
 *
 * Layer 3.  Administration acts at once and is not undone by ROLLBACK.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/acl.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

/* The one name that a resource of type "cluster" has. */
#define CLUSTER_NAME "kafka-cluster"

/* ------------------------------------------------------------------------
 * Arguments: three functions have the same seven
 * ------------------------------------------------------------------------
 */
enum
{
	ACL_PRINCIPAL,
	ACL_OPERATION,
	ACL_RESOURCE_TYPE,
	ACL_RESOURCE_NAME,
	ACL_PATTERN_TYPE,
	ACL_PERMISSION,
	ACL_HOST,
	ACL_ATTRIBUTES
};

static const char *const attributes[ACL_ATTRIBUTES] = {
	"principal", "operation", "resource_type", "resource_name", "pattern_type", "permission",
	"host"
};

/* NULL is any in a filter, else an error. */
static const char *
text_argument(FunctionCallInfo fcinfo, int argno, bool filter)
{
	char	   *text;

	if (filter && PG_ARGISNULL(argno))
		return NULL;
	text = kafka_sql_text(fcinfo, argno, attributes[argno]);
	if (text[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", attributes[argno])));
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static int
word_argument(FunctionCallInfo fcinfo, int argno, KafkaAclWord kind, bool filter)
{
	const char *text = text_argument(fcinfo, argno, filter);
	int			number = text ? kafka_acl_word(kind, text, filter) : 0;

	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" has an unknown value", attributes[argno]),
				 errhint("It may be %s.", kafka_acl_words(kind, filter))));
	return number;
}

/* Kafka takes any text for a principal, and then it is nobody's. */
static void
check_principal(const char *principal)
{
	const char *colon = principal ? strchr(principal, ':') : NULL;

	if (principal && (colon == NULL || colon == principal || colon[1] == '\0'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"principal\" must have a type and a name"),
				 errhint("It looks like User:alice, or User:* for everybody.")));
}

static KafkaAcl
acl_arguments(FunctionCallInfo fcinfo, bool filter)
{
	KafkaAcl	acl = {0};

	acl.principal = text_argument(fcinfo, ACL_PRINCIPAL, filter);
	check_principal(acl.principal);
	acl.operation = word_argument(fcinfo, ACL_OPERATION, KAFKA_ACL_OPERATION, filter);
	acl.resource_type = word_argument(fcinfo, ACL_RESOURCE_TYPE, KAFKA_ACL_RESOURCE_TYPE,
									  filter);
	if (!filter && PG_ARGISNULL(ACL_RESOURCE_NAME) &&
		acl.resource_type == kafka_acl_word(KAFKA_ACL_RESOURCE_TYPE, "cluster", false))
		acl.resource_name = CLUSTER_NAME;
	else
		acl.resource_name = text_argument(fcinfo, ACL_RESOURCE_NAME, filter);
	acl.pattern_type = word_argument(fcinfo, ACL_PATTERN_TYPE, KAFKA_ACL_PATTERN_TYPE, filter);
	acl.permission = word_argument(fcinfo, ACL_PERMISSION, KAFKA_ACL_PERMISSION, filter);
	acl.host = text_argument(fcinfo, ACL_HOST, filter);
	return acl;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */
static int
compare_acls(const ListCell *a, const ListCell *b)
{
	const KafkaAcl *left = (const KafkaAcl *) lfirst(a);
	const KafkaAcl *right = (const KafkaAcl *) lfirst(b);
	int			order = left->resource_type - right->resource_type;

	if (order == 0)
		order = strcmp(left->resource_name, right->resource_name);
	if (order == 0)
		order = left->pattern_type - right->pattern_type;
	if (order == 0)
		order = strcmp(left->principal, right->principal);
	if (order == 0)
		order = left->operation - right->operation;
	if (order == 0)
		order = left->permission - right->permission;
	return order ? order : strcmp(left->host, right->host);
}

/* with_error: the row's last column. */
static void
put_acl(FunctionCallInfo fcinfo, const KafkaAcl *acl, bool with_error)
{
	Datum		values[ACL_ATTRIBUTES + 1] = {0};
	bool		nulls[ACL_ATTRIBUTES + 1] = {false};

	kafka_sql_set_text(values, nulls, ACL_PRINCIPAL, acl->principal);
	kafka_sql_set_text(values, nulls, ACL_OPERATION,
					   kafka_acl_word_text(KAFKA_ACL_OPERATION, acl->operation));
	kafka_sql_set_text(values, nulls, ACL_RESOURCE_TYPE,
					   kafka_acl_word_text(KAFKA_ACL_RESOURCE_TYPE, acl->resource_type));
	kafka_sql_set_text(values, nulls, ACL_RESOURCE_NAME, acl->resource_name);
	kafka_sql_set_text(values, nulls, ACL_PATTERN_TYPE,
					   kafka_acl_word_text(KAFKA_ACL_PATTERN_TYPE, acl->pattern_type));
	kafka_sql_set_text(values, nulls, ACL_PERMISSION,
					   kafka_acl_word_text(KAFKA_ACL_PERMISSION, acl->permission));
	kafka_sql_set_text(values, nulls, ACL_HOST, acl->host);
	if (with_error)
		kafka_sql_set_text(values, nulls, ACL_ATTRIBUTES, acl->error);
	kafka_sql_put_row(fcinfo, values, nulls);
}

static Datum
put_acls(FunctionCallInfo fcinfo, List *acls, bool with_error)
{
	ListCell   *lc;

	list_sort(acls, compare_acls);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, acls)
		put_acl(fcinfo, (KafkaAcl *) lfirst(lc), with_error);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * Functions
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_create_acl);

/* (the seven attributes, server): the entry as a row. */
Datum
kafka_create_acl(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, ACL_ATTRIBUTES);
	KafkaAcl	acl = acl_arguments(fcinfo, false);

	kafka_acl_create(opts, &acl);
	return put_acls(fcinfo, list_make1(&acl), false);
}

PG_FUNCTION_INFO_V1(kafka_list_acls);

/* (the seven attributes, server): a row for each entry that matches. */
Datum
kafka_list_acls(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, ACL_ATTRIBUTES);
	KafkaAcl	filter = acl_arguments(fcinfo, true);

	return put_acls(fcinfo, kafka_acl_list(opts, &filter), false);
}

PG_FUNCTION_INFO_V1(kafka_delete_acl);

/* (the seven attributes, delete_all, server): a row for each entry that matched. */
Datum
kafka_delete_acl(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, ACL_ATTRIBUTES + 1);
	KafkaAcl	filter = acl_arguments(fcinfo, true);
	bool		delete_all = !PG_ARGISNULL(ACL_ATTRIBUTES) && PG_GETARG_BOOL(ACL_ATTRIBUTES);

	if (kafka_acl_matches_all(&filter) && !delete_all)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this would delete every ACL of the cluster"),
				 errhint("Say which ones, or pass delete_all => true.")));
	return put_acls(fcinfo, kafka_acl_delete(opts, &filter), true);
}
