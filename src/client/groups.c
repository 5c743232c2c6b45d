/*-------------------------------------------------------------------------
 *
 * groups.c
 *	  Consumer groups: listing, describing, deleting.
 *
 * Layer 1.  Every broker lists the groups that it coordinates; librdkafka asks all of them.
 * The other requests go to the coordinator of each group.
 *
 * A group that does not exist is described as one in the state Dead without members.  So is
 * a group of the newer protocol (KIP-848) by a librdkafka that does not know that; the list
 * tells the two apart.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/coordinator.h"
#include "client/error.h"
#include "client/groups.h"
#include "client/request.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "mb/pg_wchar.h"

#define UNKNOWN_PROTOCOL \
	"the group uses a protocol that this version of librdkafka cannot describe"

static int
compare_groups(const ListCell *a, const ListCell *b)
{
	return strcmp(((KafkaGroup *) lfirst(a))->group_id, ((KafkaGroup *) lfirst(b))->group_id);
}

void
kafka_group_throw(const char *group_id, const char *doing, const char *error, int sqlstate)
{
	const char *id = pg_any_to_server(group_id, (int) strlen(group_id), PG_UTF8);

	ereport(ERROR,
			(errcode(sqlstate),
			 sqlstate == ERRCODE_UNDEFINED_OBJECT ?
			 errmsg("consumer group \"%s\" does not exist", id) :
			 sqlstate == ERRCODE_OBJECT_IN_USE ?
			 errmsg("consumer group \"%s\" has active members", id) :
			 sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE ?
			 errmsg("the Kafka cluster denies access to consumer group \"%s\"", id) :
			 errmsg("%s \"%s\"", doing, id),
			 errdetail("librdkafka says: %s", error),
			 sqlstate == ERRCODE_UNDEFINED_OBJECT ?
			 errhint("List groups with kafka.list_groups.") :
			 sqlstate == ERRCODE_OBJECT_IN_USE ?
			 errhint("Stop its consumers first: kafka.describe_group shows them.") : 0));
}

/* ------------------------------------------------------------------------
 * Listing
 * ------------------------------------------------------------------------
 */
static rd_kafka_event_t *
request_list(const KafkaOptions *opts, KafkaRequest *request)
{
	KafkaPlace	place = {.doing = "could not list consumer groups"};

	kafka_request_begin(request, opts, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, &place,
						kafka_setting_connect_timeout);
	rd_kafka_ListConsumerGroups(request->handle->rk, request->options, request->queue);
	return kafka_request_await(request);
}

static List *
take_listings(const rd_kafka_ListConsumerGroups_result_t *result)
{
	size_t		n;
	const rd_kafka_ConsumerGroupListing_t **listings =
		rd_kafka_ListConsumerGroups_result_valid(result, &n);
	List	   *groups = NIL;

	for (size_t i = 0; i < n; i++)
	{
		KafkaGroup *group = palloc0(sizeof(KafkaGroup));
		const char *type = KAFKA_RD_LISTING_TYPE(listings[i]);

		group->group_id = pstrdup(rd_kafka_ConsumerGroupListing_group_id(listings[i]));
		group->state = rd_kafka_consumer_group_state_name(
			rd_kafka_ConsumerGroupListing_state(listings[i]));
		group->type = type;
		group->simple = rd_kafka_ConsumerGroupListing_is_simple_consumer_group(listings[i]);
		groups = lappend(groups, group);
	}
	list_sort(groups, compare_groups);
	return groups;
}

/* The errors of single brokers; the first one's code, and whether it may pass. */
static List *
take_list_errors(const rd_kafka_ListConsumerGroups_result_t *result, rd_kafka_resp_err_t *err)
{
	size_t		n;
	const rd_kafka_error_t **errors = rd_kafka_ListConsumerGroups_result_errors(result, &n);
	List	   *texts = NIL;

	*err = n > 0 ? rd_kafka_error_code(errors[0]) : RD_KAFKA_RESP_ERR_NO_ERROR;
	for (size_t i = 0; i < n; i++)
		texts = lappend(texts, pstrdup(rd_kafka_error_string(errors[i])));
	return texts;
}

List *
kafka_groups_list(const KafkaOptions *opts, List **errors)
{
	KafkaPlace	place = {.doing = "could not list consumer groups"};
	KafkaRequest request;
	KafkaWait	wait;
	List	   *groups;
	rd_kafka_resp_err_t err;

	kafka_coordinator_wait_start(&wait, kafka_handle_admin(opts), &place);
	do
	{
		rd_kafka_event_t *event = request_list(opts, &request);
		const rd_kafka_ListConsumerGroups_result_t *result =
			rd_kafka_event_ListConsumerGroups_result(event);

		wait.handle = request.handle;
		groups = take_listings(result);
		*errors = take_list_errors(result, &err);
		rd_kafka_event_destroy(event);
	} while (err && kafka_coordinator_again(&wait, err));
	if (err && groups == NIL)
		kafka_error_throw(request.handle, err, (char *) linitial(*errors), &place);
	return groups;
}

const char *
kafka_group_state(const char *text)
{
	for (int state = 0; state < RD_KAFKA_CONSUMER_GROUP_STATE__CNT; state++)
	{
		const char *name =
			rd_kafka_consumer_group_state_name((rd_kafka_consumer_group_state_t) state);

		if (pg_strcasecmp(name, text) == 0)
			return name;
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * Describing
 * ------------------------------------------------------------------------
 */
static char *
copy_text(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

static KafkaGroupMember *
take_member(const rd_kafka_MemberDescription_t *description)
{
	KafkaGroupMember *member = palloc0(sizeof(KafkaGroupMember));
	const rd_kafka_MemberAssignment_t *assignment =
		rd_kafka_MemberDescription_assignment(description);
	const rd_kafka_topic_partition_list_t *list =
		assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;

	member->member_id = copy_text(rd_kafka_MemberDescription_consumer_id(description));
	member->client_id = copy_text(rd_kafka_MemberDescription_client_id(description));
	member->group_instance_id =
		copy_text(rd_kafka_MemberDescription_group_instance_id(description));
	member->host = copy_text(rd_kafka_MemberDescription_host(description));
	member->npartitions = list ? list->cnt : 0;
	member->assignment = palloc0(sizeof(KafkaGroupOffset) * Max(member->npartitions, 1));
	for (int i = 0; i < member->npartitions; i++)
	{
		member->assignment[i].topic = pstrdup(list->elems[i].topic);
		member->assignment[i].partition = list->elems[i].partition;
	}
	return member;
}

static void
set_error(KafkaGroup *group, rd_kafka_resp_err_t err, const char *text)
{
	group->error = pstrdup(text ? text : rd_kafka_err2str(err));
	group->sqlstate = kafka_error_sqlstate(err);
}

/* Fills a group; its error, if it is one that another try may mend. */
static rd_kafka_resp_err_t
take_description(const rd_kafka_ConsumerGroupDescription_t *description, KafkaGroup *group)
{
	const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(description);
	const rd_kafka_Node_t *node = rd_kafka_ConsumerGroupDescription_coordinator(description);
	rd_kafka_consumer_group_state_t state =
		rd_kafka_ConsumerGroupDescription_state(description);
	size_t		n = rd_kafka_ConsumerGroupDescription_member_count(description);

	group->state = rd_kafka_consumer_group_state_name(state);
	group->simple = rd_kafka_ConsumerGroupDescription_is_simple_consumer_group(description);
	if (error)
	{
		set_error(group, rd_kafka_error_code(error), rd_kafka_error_string(error));
		return rd_kafka_error_code(error);
	}
	if (state == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD && n == 0)
	{
		set_error(group, RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, NULL);
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	group->protocol = copy_text(rd_kafka_ConsumerGroupDescription_partition_assignor(description));
	if (node)
	{
		group->coordinator_id = rd_kafka_Node_id(node);
		group->coordinator_host = copy_text(rd_kafka_Node_host(node));
		group->coordinator_port = rd_kafka_Node_port(node);
	}
	for (size_t i = 0; i < n; i++)
		group->members = lappend(group->members, take_member(
			rd_kafka_ConsumerGroupDescription_member(description, i)));
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* One try at all of them; an error that another try may mend. */
static rd_kafka_resp_err_t
describe_once(const KafkaOptions *opts, KafkaGroup *groups, char **group_ids, int n,
			  KafkaWait *wait)
{
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_ConsumerGroupDescription_t **descriptions;
	size_t		count;
	rd_kafka_resp_err_t worst = RD_KAFKA_RESP_ERR_NO_ERROR;

	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, &wait->place,
						kafka_setting_connect_timeout);
	wait->handle = request.handle;
	rd_kafka_DescribeConsumerGroups(request.handle->rk, (const char **) group_ids, n,
									request.options, request.queue);
	event = kafka_request_await(&request);
	descriptions = rd_kafka_DescribeConsumerGroups_result_groups(
		rd_kafka_event_DescribeConsumerGroups_result(event), &count);
	for (int i = 0; i < n; i++)
	{
		rd_kafka_resp_err_t err;

		memset(&groups[i], 0, sizeof(KafkaGroup));
		groups[i].group_id = group_ids[i];
		groups[i].coordinator_id = -1;
		/* librdkafka keeps the order */
		err = i < (int) count ? take_description(descriptions[i], &groups[i]) :
			RD_KAFKA_RESP_ERR__FAIL;
		worst = err ? err : worst;
	}
	rd_kafka_event_destroy(event);
	return worst;
}

/* Those that are said not to exist, and are listed all the same. */
static void
find_undescribed(const KafkaOptions *opts, KafkaGroup *groups, int n)
{
	List	   *errors;
	List	   *listed = NIL;
	ListCell   *lc;
	bool		asked = false;

	for (int i = 0; i < n; i++)
	{
		if (groups[i].sqlstate != ERRCODE_UNDEFINED_OBJECT)
			continue;
		if (!asked)
			listed = kafka_groups_list(opts, &errors);
		asked = true;
		foreach(lc, listed)
		{
			KafkaGroup *group = (KafkaGroup *) lfirst(lc);

			if (strcmp(group->group_id, groups[i].group_id) != 0)
				continue;
			groups[i].state = group->state;
			groups[i].error = UNKNOWN_PROTOCOL;
			groups[i].sqlstate = ERRCODE_FEATURE_NOT_SUPPORTED;
		}
	}
}

KafkaGroup *
kafka_groups_describe(const KafkaOptions *opts, char **group_ids, int n)
{
	KafkaPlace	place = {.doing = "could not describe the consumer group",
	.group_id = n == 1 ? group_ids[0] : NULL};
	KafkaGroup *groups = palloc(sizeof(KafkaGroup) * Max(n, 1));
	KafkaWait	wait;
	rd_kafka_resp_err_t err;

	if (n == 0)
		return groups;
	kafka_coordinator_wait_start(&wait, kafka_handle_admin(opts), &place);
	do
		err = describe_once(opts, groups, group_ids, n, &wait);
	while (err && kafka_coordinator_again(&wait, err));
	find_undescribed(opts, groups, n);
	return groups;
}

/* ------------------------------------------------------------------------
 * Deleting
 * ------------------------------------------------------------------------
 */
static rd_kafka_event_t *
request_delete(const KafkaOptions *opts, char **group_ids, int n, KafkaRequest *request)
{
	rd_kafka_DeleteGroup_t **deletions = palloc(sizeof(*deletions) * n);
	KafkaPlace	place = {.doing = "could not delete consumer groups",
	.group_id = n == 1 ? group_ids[0] : NULL};

	kafka_request_begin(request, opts, RD_KAFKA_ADMIN_OP_DELETEGROUPS, &place,
						kafka_setting_connect_timeout);
	for (int i = 0; i < n; i++)
		deletions[i] = rd_kafka_DeleteGroup_new(group_ids[i]);
	rd_kafka_DeleteGroups(request->handle->rk, deletions, n, request->options, request->queue);
	rd_kafka_DeleteGroup_destroy_array(deletions, n);
	return kafka_request_await(request);
}

/* One try at the n groups that group_ids has; what became of each. */
static void
delete_once(const KafkaOptions *opts, char **group_ids, int n, rd_kafka_resp_err_t *errs,
			KafkaWait *wait)
{
	KafkaRequest request;
	rd_kafka_event_t *event = request_delete(opts, group_ids, n, &request);
	size_t		count;
	const rd_kafka_group_result_t **results =
		rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count);

	wait->handle = request.handle;
	for (int i = 0; i < n; i++)
		errs[i] = RD_KAFKA_RESP_ERR__FAIL;
	for (size_t r = 0; r < count; r++)
		for (int i = 0; i < n; i++)
		{
			const rd_kafka_error_t *error = rd_kafka_group_result_error(results[r]);

			if (strcmp(group_ids[i], rd_kafka_group_result_name(results[r])) == 0)
				errs[i] = rd_kafka_error_code(error);
		}
	rd_kafka_event_destroy(event);
}

/* No broker has answered at all: that is no matter of single groups. */
static void
throw_unanswered(KafkaHandle *handle, const rd_kafka_resp_err_t *errs, int n,
				 const KafkaPlace *place)
{
	for (int i = 0; i < n; i++)
		if (errs[i] != RD_KAFKA_RESP_ERR__TIMED_OUT && errs[i] != RD_KAFKA_RESP_ERR__TRANSPORT)
			return;
	kafka_handle_serve(handle);
	kafka_error_throw(handle, RD_KAFKA_RESP_ERR__TRANSPORT, NULL, place);
}

void
kafka_groups_delete(const KafkaOptions *opts, char **group_ids, int n, char **errors,
					int *sqlstates)
{
	KafkaPlace	place = {.doing = "could not delete consumer groups"};
	char	  **left = palloc(sizeof(char *) * Max(n, 1));
	int		   *places = palloc(sizeof(int) * Max(n, 1));
	rd_kafka_resp_err_t *errs = palloc(sizeof(*errs) * Max(n, 1));
	KafkaWait	wait;
	rd_kafka_resp_err_t again = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int i = 0; i < n; i++)
	{
		left[i] = group_ids[i];
		places[i] = i;
	}
	kafka_coordinator_wait_start(&wait, kafka_handle_admin(opts), &place);
	while (n > 0)
	{
		int			tried = n;

		delete_once(opts, left, n, errs, &wait);
		throw_unanswered(wait.handle, errs, n, &place);
		n = 0;
		for (int i = 0; i < tried; i++)
		{
			errors[places[i]] = errs[i] ? pstrdup(rd_kafka_err2str(errs[i])) : NULL;
			sqlstates[places[i]] = errs[i] ? kafka_error_sqlstate(errs[i]) : 0;
			if (!kafka_coordinator_is_elsewhere(errs[i]))
				continue;
			again = errs[i];
			left[n] = left[i];
			places[n++] = places[i];
		}
		if (n > 0 && !kafka_coordinator_again(&wait, again))
			break;
	}
}
