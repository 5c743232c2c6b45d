/*-------------------------------------------------------------------------
 *
 * groups.c
 *	  kafka.list_groups, describe_group, delete_group.
 *
 * Layer 3.  Administration acts at once and is not undone by ROLLBACK.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "client/groups.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

/* ------------------------------------------------------------------------
 * list_groups
 * ------------------------------------------------------------------------
 */
static const char *
state_argument(FunctionCallInfo fcinfo, int argno)
{
	const char *state;

	if (PG_ARGISNULL(argno))
		return NULL;
	state = kafka_group_state(kafka_sql_text(fcinfo, argno, "state"));
	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"state\" is not the name of a consumer group's state"),
				 errhint("The states are Stable, Empty, PreparingRebalance, "
						 "CompletingRebalance, Dead and Unknown.")));
	return state;
}

static void
warn_of_brokers(List *errors)
{
	StringInfoData detail;
	ListCell   *lc;

	if (errors == NIL)
		return;
	initStringInfo(&detail);
	foreach(lc, errors)
		appendStringInfo(&detail, "%s%s", detail.len > 0 ? "; " : "", (char *) lfirst(lc));
	ereport(WARNING,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("not every broker could list its consumer groups: some may be missing"),
			 errdetail_internal("librdkafka says: %s", detail.data)));
}

PG_FUNCTION_INFO_V1(kafka_list_groups);

/* (state, server): a row (group_id, state, protocol_type, type, simple) for each. */
Datum
kafka_list_groups(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	const char *state = state_argument(fcinfo, 0);
	List	   *errors;
	List	   *groups = kafka_groups_list(opts, &errors);
	ListCell   *lc;

	warn_of_brokers(errors);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, groups)
	{
		KafkaGroup *group = (KafkaGroup *) lfirst(lc);
		Datum		values[5] = {0};
		bool		nulls[5] = {false};

		if (state && strcmp(state, group->state) != 0)
			continue;
		kafka_sql_set_text(values, nulls, 0, group->group_id);
		kafka_sql_set_text(values, nulls, 1, group->state);
		/* librdkafka lists no others */
		kafka_sql_set_text(values, nulls, 2, group->simple ? NULL : "consumer");
		kafka_sql_set_text(values, nulls, 3, group->type);
		values[4] = BoolGetDatum(group->simple);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * describe_group
 * ------------------------------------------------------------------------
 */
enum
{
	MEMBER_GROUP_ID,
	MEMBER_STATE,
	MEMBER_PROTOCOL,
	MEMBER_SIMPLE,
	MEMBER_COORDINATOR_ID,
	MEMBER_COORDINATOR_HOST,
	MEMBER_COORDINATOR_PORT,
	MEMBER_ID,
	MEMBER_CLIENT_ID,
	MEMBER_GROUP_INSTANCE_ID,
	MEMBER_HOST,
	MEMBER_ASSIGNMENT,
	MEMBER_COLUMNS
};

/* A member's partitions as kafka.topic_partition[], without offsets. */
static Datum
assignment_array(const KafkaGroupMember *member, Oid rowtype)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(rowtype, -1);
	Datum	   *elems = palloc(sizeof(Datum) * Max(member->npartitions, 1));
	int16		typlen;
	bool		typbyval;
	char		typalign;

	get_typlenbyvalalign(rowtype, &typlen, &typbyval, &typalign);
	for (int i = 0; i < member->npartitions; i++)
	{
		Datum		values[4] = {0};
		bool		nulls[4] = {false, false, true, true};

		values[0] = kafka_sql_foreign_text(member->assignment[i].topic);
		values[1] = Int32GetDatum(member->assignment[i].partition);
		elems[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	return PointerGetDatum(construct_array(elems, member->npartitions, rowtype, typlen,
										   typbyval, typalign));
}

/* A row for a member, or for a group that has none. */
static void
put_member(FunctionCallInfo fcinfo, const KafkaGroup *group, const KafkaGroupMember *member,
		   Oid rowtype)
{
	Datum		values[MEMBER_COLUMNS] = {0};
	bool		nulls[MEMBER_COLUMNS] = {false};

	kafka_sql_set_text(values, nulls, MEMBER_GROUP_ID, group->group_id);
	kafka_sql_set_text(values, nulls, MEMBER_STATE, group->state);
	kafka_sql_set_text(values, nulls, MEMBER_PROTOCOL,
					   group->protocol && group->protocol[0] ? group->protocol : NULL);
	values[MEMBER_SIMPLE] = BoolGetDatum(group->simple);
	nulls[MEMBER_COORDINATOR_ID] = nulls[MEMBER_COORDINATOR_PORT] = group->coordinator_id < 0;
	values[MEMBER_COORDINATOR_ID] = Int32GetDatum(group->coordinator_id);
	kafka_sql_set_text(values, nulls, MEMBER_COORDINATOR_HOST, group->coordinator_host);
	values[MEMBER_COORDINATOR_PORT] = Int32GetDatum(group->coordinator_port);
	kafka_sql_set_text(values, nulls, MEMBER_ID, member ? member->member_id : NULL);
	kafka_sql_set_text(values, nulls, MEMBER_CLIENT_ID, member ? member->client_id : NULL);
	kafka_sql_set_text(values, nulls, MEMBER_GROUP_INSTANCE_ID,
					   member ? member->group_instance_id : NULL);
	kafka_sql_set_text(values, nulls, MEMBER_HOST, member ? member->host : NULL);
	nulls[MEMBER_ASSIGNMENT] = member == NULL;
	if (member)
		values[MEMBER_ASSIGNMENT] = assignment_array(member, rowtype);
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_describe_group);

/* (group_id, server): a row a member, or one where the group has none. */
Datum
kafka_describe_group(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	KafkaGroup *group = kafka_groups_describe(opts, &group_id, 1);
	Oid			rowtype;
	ListCell   *lc;

	if (group->error)
		kafka_group_throw(group_id, "could not describe consumer group", group->error,
						  group->sqlstate);
	InitMaterializedSRF(fcinfo, 0);
	rowtype = get_element_type(
		TupleDescAttr(((ReturnSetInfo *) fcinfo->resultinfo)->setDesc,
					  MEMBER_ASSIGNMENT)->atttypid);
	foreach(lc, group->members)
		put_member(fcinfo, group, (KafkaGroupMember *) lfirst(lc), rowtype);
	if (group->members == NIL)
		put_member(fcinfo, group, NULL, rowtype);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * delete_group
 * ------------------------------------------------------------------------
 */
#define NOTHING_TO_DELETE "group does not exist, skipped"

static void
put_deleted(FunctionCallInfo fcinfo, const char *group_id, const char *error)
{
	Datum		values[3] = {0};
	bool		nulls[3] = {false};

	kafka_sql_set_text(values, nulls, 0, group_id);
	values[1] = BoolGetDatum(error == NULL);
	kafka_sql_set_text(values, nulls, 2, error);
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_delete_group);

/* (group_id, if_exists, server): one row (group_id, deleted, error); raises where it fails. */
Datum
kafka_delete_group(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	char	   *error = NULL;
	int			sqlstate = 0;

	kafka_groups_delete(opts, &group_id, 1, &error, &sqlstate);
	if (error && !(if_exists && sqlstate == ERRCODE_UNDEFINED_OBJECT))
		kafka_group_throw(group_id, "could not delete consumer group", error, sqlstate);
	InitMaterializedSRF(fcinfo, 0);
	put_deleted(fcinfo, group_id, error ? NOTHING_TO_DELETE : NULL);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_delete_groups);

/* (group_ids, if_exists, server): a row for each; what fails for one is in its row. */
Datum
kafka_delete_groups(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	int			n;
	char	  **group_ids = kafka_sql_group_array(fcinfo, 0, &n);
	char	  **errors = palloc0(sizeof(char *) * Max(n, 1));
	int		   *sqlstates = palloc0(sizeof(int) * Max(n, 1));

	kafka_groups_delete(opts, group_ids, n, errors, sqlstates);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		if (errors[i] && if_exists && sqlstates[i] == ERRCODE_UNDEFINED_OBJECT)
			errors[i] = NOTHING_TO_DELETE;
		put_deleted(fcinfo, group_ids[i], errors[i]);
	}
	return (Datum) 0;
}
