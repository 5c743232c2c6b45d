/*-------------------------------------------------------------------------
 *
 * acl.c
 *	  The cluster's access control lists.
 *
 * Layer 1.
 *
 * librdkafka (2.0 to at least 2.15) reads the error code of a broker's list of ACLs and drops
 * it: a cluster that has no authorizer, and one that refuses, look like one without ACLs.
 * So nothing is believed to be nothing before it is proved, see prove_empty.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/acl.h"
#include "client/error.h"
#include "client/request.h"
#include "ground/compat.h"
#include "ground/settings.h"

/* ------------------------------------------------------------------------
 * Words
 * ------------------------------------------------------------------------
 */
typedef struct Word
{
	KafkaAclWord kind;
	const char *text;
	int			number;
	bool		filter_only;
} Word;

static const Word words[] = {
	{KAFKA_ACL_OPERATION, "any", RD_KAFKA_ACL_OPERATION_ANY, true},
	{KAFKA_ACL_OPERATION, "all", RD_KAFKA_ACL_OPERATION_ALL, false},
	{KAFKA_ACL_OPERATION, "read", RD_KAFKA_ACL_OPERATION_READ, false},
	{KAFKA_ACL_OPERATION, "write", RD_KAFKA_ACL_OPERATION_WRITE, false},
	{KAFKA_ACL_OPERATION, "create", RD_KAFKA_ACL_OPERATION_CREATE, false},
	{KAFKA_ACL_OPERATION, "delete", RD_KAFKA_ACL_OPERATION_DELETE, false},
	{KAFKA_ACL_OPERATION, "alter", RD_KAFKA_ACL_OPERATION_ALTER, false},
	{KAFKA_ACL_OPERATION, "describe", RD_KAFKA_ACL_OPERATION_DESCRIBE, false},
	{KAFKA_ACL_OPERATION, "cluster_action", RD_KAFKA_ACL_OPERATION_CLUSTER_ACTION, false},
	{KAFKA_ACL_OPERATION, "describe_configs", RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS, false},
	{KAFKA_ACL_OPERATION, "alter_configs", RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS, false},
	{KAFKA_ACL_OPERATION, "idempotent_write", RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE, false},
	{KAFKA_ACL_RESOURCE_TYPE, "any", RD_KAFKA_RESOURCE_ANY, true},
	{KAFKA_ACL_RESOURCE_TYPE, "topic", RD_KAFKA_RESOURCE_TOPIC, false},
	{KAFKA_ACL_RESOURCE_TYPE, "group", RD_KAFKA_RESOURCE_GROUP, false},
	/* in ACLs the number is the cluster's */
	{KAFKA_ACL_RESOURCE_TYPE, "cluster", RD_KAFKA_RESOURCE_BROKER, false},
	{KAFKA_ACL_RESOURCE_TYPE, "transactional_id", KAFKA_RD_RESOURCE_TRANSACTIONAL_ID, false},
	{KAFKA_ACL_PATTERN_TYPE, "any", RD_KAFKA_RESOURCE_PATTERN_ANY, true},
	{KAFKA_ACL_PATTERN_TYPE, "match", RD_KAFKA_RESOURCE_PATTERN_MATCH, true},
	{KAFKA_ACL_PATTERN_TYPE, "literal", RD_KAFKA_RESOURCE_PATTERN_LITERAL, false},
	{KAFKA_ACL_PATTERN_TYPE, "prefixed", RD_KAFKA_RESOURCE_PATTERN_PREFIXED, false},
	{KAFKA_ACL_PERMISSION, "any", RD_KAFKA_ACL_PERMISSION_TYPE_ANY, true},
	{KAFKA_ACL_PERMISSION, "allow", RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, false},
	{KAFKA_ACL_PERMISSION, "deny", RD_KAFKA_ACL_PERMISSION_TYPE_DENY, false},
};

int
kafka_acl_word(KafkaAclWord kind, const char *text, bool filter)
{
	for (int i = 0; i < (int) lengthof(words); i++)
		if (words[i].kind == kind && (filter || !words[i].filter_only) &&
			pg_strcasecmp(words[i].text, text) == 0)
			return words[i].number;
	return -1;
}

const char *
kafka_acl_word_text(KafkaAclWord kind, int number)
{
	for (int i = 0; i < (int) lengthof(words); i++)
		if (words[i].kind == kind && words[i].number == number)
			return words[i].text;
	return "unknown";
}

char *
kafka_acl_words(KafkaAclWord kind, bool filter)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < (int) lengthof(words); i++)
		if (words[i].kind == kind && (filter || !words[i].filter_only))
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", words[i].text);
	return buf.data;
}

bool
kafka_acl_matches_all(const KafkaAcl *filter)
{
	return filter->principal == NULL && filter->host == NULL && filter->resource_name == NULL &&
		filter->operation <= RD_KAFKA_ACL_OPERATION_ANY &&
		filter->resource_type <= RD_KAFKA_RESOURCE_ANY &&
		filter->pattern_type <= RD_KAFKA_RESOURCE_PATTERN_MATCH &&
		filter->permission <= RD_KAFKA_ACL_PERMISSION_TYPE_ANY;
}

static void
refuse_unsupported(const KafkaAcl *acl)
{
	if (KAFKA_RD_ACL_TRANSACTIONAL_ID ||
		acl->resource_type != (int) KAFKA_RD_RESOURCE_TRANSACTIONAL_ID)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("ACLs of transactional ids need librdkafka 2.6 or later"),
			 errdetail("This is librdkafka %s.", rd_kafka_version_str()),
			 errhint("Use the tool kafka-acls of Kafka's distribution.")));
}

/* ------------------------------------------------------------------------
 * Creating
 * ------------------------------------------------------------------------
 */
void
kafka_acl_create(const KafkaOptions *opts, const KafkaAcl *acl)
{
	KafkaPlace	place = {.doing = "could not create the ACL"};
	char		text[KAFKA_TEXT_SIZE];
	rd_kafka_AclBinding_t *binding;
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_acl_result_t **results;
	const rd_kafka_error_t *error;
	rd_kafka_resp_err_t err;
	size_t		n;

	refuse_unsupported(acl);
	binding = rd_kafka_AclBinding_new((rd_kafka_ResourceType_t) acl->resource_type,
									  acl->resource_name,
									  (rd_kafka_ResourcePatternType_t) acl->pattern_type,
									  acl->principal, acl->host,
									  (rd_kafka_AclOperation_t) acl->operation,
									  (rd_kafka_AclPermissionType_t) acl->permission,
									  text, sizeof(text));
	if (binding == NULL)
		kafka_error_throw(NULL, RD_KAFKA_RESP_ERR__INVALID_ARG, text, &place);
	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_CREATEACLS, &place,
						kafka_setting_connect_timeout);
	rd_kafka_CreateAcls(request.handle->rk, &binding, 1, request.options, request.queue);
	rd_kafka_AclBinding_destroy(binding);
	event = kafka_request_await(&request);
	results = rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &n);
	error = n == 1 ? rd_kafka_acl_result_error(results[0]) : NULL;
	err = n == 1 ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR__FAIL;
	strlcpy(text, error ? rd_kafka_error_string(error) : "", sizeof(text));
	rd_kafka_event_destroy(event);
	if (err)
		kafka_error_throw(request.handle, err, text, &place);
}

/* ------------------------------------------------------------------------
 * Listing and deleting
 * ------------------------------------------------------------------------
 */
static int
or_any(int number, int any)
{
	return number ? number : any;
}

static rd_kafka_AclBindingFilter_t *
make_filter(const KafkaAcl *filter, const KafkaPlace *place)
{
	char		text[KAFKA_TEXT_SIZE];
	rd_kafka_AclBindingFilter_t *result;

	refuse_unsupported(filter);
	result = rd_kafka_AclBindingFilter_new(
		(rd_kafka_ResourceType_t) or_any(filter->resource_type, RD_KAFKA_RESOURCE_ANY),
		filter->resource_name,
		(rd_kafka_ResourcePatternType_t) or_any(filter->pattern_type,
												RD_KAFKA_RESOURCE_PATTERN_ANY),
		filter->principal, filter->host,
		(rd_kafka_AclOperation_t) or_any(filter->operation, RD_KAFKA_ACL_OPERATION_ANY),
		(rd_kafka_AclPermissionType_t) or_any(filter->permission,
											  RD_KAFKA_ACL_PERMISSION_TYPE_ANY),
		text, sizeof(text));
	if (result == NULL)
		kafka_error_throw(NULL, RD_KAFKA_RESP_ERR__INVALID_ARG, text, place);
	return result;
}

static List *
take_acls(const rd_kafka_AclBinding_t **bindings, size_t n)
{
	List	   *acls = NIL;

	for (size_t i = 0; i < n; i++)
	{
		KafkaAcl   *acl = palloc0(sizeof(KafkaAcl));
		const rd_kafka_error_t *error = rd_kafka_AclBinding_error(bindings[i]);

		acl->principal = pstrdup(rd_kafka_AclBinding_principal(bindings[i]));
		acl->host = pstrdup(rd_kafka_AclBinding_host(bindings[i]));
		acl->resource_name = pstrdup(rd_kafka_AclBinding_name(bindings[i]));
		acl->operation = rd_kafka_AclBinding_operation(bindings[i]);
		acl->resource_type = rd_kafka_AclBinding_restype(bindings[i]);
		acl->pattern_type = rd_kafka_AclBinding_resource_pattern_type(bindings[i]);
		acl->permission = rd_kafka_AclBinding_permission_type(bindings[i]);
		acl->error = error ? pstrdup(rd_kafka_error_string(error)) : NULL;
		acls = lappend(acls, acl);
	}
	return acls;
}

static List *
list_once(const KafkaOptions *opts, const KafkaAcl *filter)
{
	KafkaPlace	place = {.doing = "could not list ACLs"};
	rd_kafka_AclBindingFilter_t *made = make_filter(filter, &place);
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_AclBinding_t **bindings;
	size_t		n;
	List	   *acls;

	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_DESCRIBEACLS, &place,
						kafka_setting_connect_timeout);
	rd_kafka_DescribeAcls(request.handle->rk, made, request.options, request.queue);
	rd_kafka_AclBinding_destroy(made);
	event = kafka_request_await(&request);
	bindings = rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &n);
	acls = take_acls(bindings, n);
	rd_kafka_event_destroy(event);
	return acls;
}

static List *
delete_once(const KafkaOptions *opts, const KafkaAcl *filter, const KafkaPlace *place)
{
	rd_kafka_AclBindingFilter_t *made = make_filter(filter, place);
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_DeleteAcls_result_response_t **responses;
	const rd_kafka_error_t *error = NULL;
	char		text[KAFKA_TEXT_SIZE] = "";
	rd_kafka_resp_err_t err;
	size_t		n;
	List	   *acls = NIL;

	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_DELETEACLS, place,
						kafka_setting_connect_timeout);
	rd_kafka_DeleteAcls(request.handle->rk, &made, 1, request.options, request.queue);
	rd_kafka_AclBinding_destroy(made);
	event = kafka_request_await(&request);
	responses = rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(event), &n);
	err = n == 1 ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__FAIL;
	if (n == 1)
		error = rd_kafka_DeleteAcls_result_response_error(responses[0]);
	if (error)
	{
		err = rd_kafka_error_code(error);
		strlcpy(text, rd_kafka_error_string(error), sizeof(text));
	}
	else if (n == 1)
	{
		const rd_kafka_AclBinding_t **bindings =
			rd_kafka_DeleteAcls_result_response_matching_acls(responses[0], &n);

		acls = take_acls(bindings, n);
	}
	rd_kafka_event_destroy(event);
	if (err)
		kafka_error_throw(request.handle, err, text, place);
	return acls;
}

/*
 * Returns if there is really nothing that matches.  Who is shown anything at all may see
 * everything.  Who is shown nothing has no ACL that lets it look; then it is a super user,
 * whom the cluster also lets delete what there is not, or it is refused, or there is no
 * authorizer: an error.
 */
static void
prove_empty(const KafkaOptions *opts)
{
	KafkaPlace	place = {.doing = "could not list ACLs"};
	KafkaAcl	any = {0};
	KafkaAcl	nothing = {
		.principal = "User:kafka_fdw that nobody is called", .host = "192.0.2.0",
		.resource_name = "kafka_fdw_that_nothing_is_called",
		.resource_type = RD_KAFKA_RESOURCE_TOPIC,
		.pattern_type = RD_KAFKA_RESOURCE_PATTERN_LITERAL,
		.operation = RD_KAFKA_ACL_OPERATION_DELETE,
		.permission = RD_KAFKA_ACL_PERMISSION_TYPE_DENY
	};

	if (list_once(opts, &any) == NIL)
		(void) delete_once(opts, &nothing, &place);
}

List *
kafka_acl_list(const KafkaOptions *opts, const KafkaAcl *filter)
{
	List	   *acls = list_once(opts, filter);

	if (acls == NIL)
		prove_empty(opts);
	return acls;
}

List *
kafka_acl_delete(const KafkaOptions *opts, const KafkaAcl *filter)
{
	KafkaPlace	place = {.doing = "could not delete ACLs"};

	return delete_once(opts, filter, &place);
}
