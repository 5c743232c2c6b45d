/*-------------------------------------------------------------------------
 *
 * lag.c
 *	  kafka.consumer_lag, and the rows of the view kafka.group_lag.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/groups.h"
#include "client/lag.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

enum
{
	LAG_GROUP_ID,
	LAG_TOPIC,
	LAG_PARTITION,
	LAG_COMMITTED,
	LAG_END,
	LAG_LAG,
	LAG_MEMBER_ID,
	LAG_CLIENT_ID,
	LAG_HOST,
	LAG_ERROR,
	LAG_COLUMNS
};

/* The row without its first `skip` columns. */
static void
put_lag(FunctionCallInfo fcinfo, const KafkaLag *lag, int skip)
{
	Datum		values[LAG_COLUMNS] = {0};
	bool		nulls[LAG_COLUMNS] = {false};
	bool		known = lag->committed != KAFKA_UNKNOWN && lag->end != KAFKA_UNKNOWN;

	kafka_sql_set_text(values, nulls, LAG_GROUP_ID, lag->group_id);
	kafka_sql_set_text(values, nulls, LAG_TOPIC, lag->topic);
	nulls[LAG_PARTITION] = lag->topic == NULL;
	values[LAG_PARTITION] = Int32GetDatum(lag->partition);
	nulls[LAG_COMMITTED] = lag->committed == KAFKA_UNKNOWN;
	values[LAG_COMMITTED] = Int64GetDatum(lag->committed);
	nulls[LAG_END] = lag->end == KAFKA_UNKNOWN;
	values[LAG_END] = Int64GetDatum(lag->end);
	nulls[LAG_LAG] = !known;
	values[LAG_LAG] = Int64GetDatum(known ? lag->end - lag->committed : 0);
	kafka_sql_set_text(values, nulls, LAG_MEMBER_ID, lag->member ? lag->member->member_id : NULL);
	kafka_sql_set_text(values, nulls, LAG_CLIENT_ID, lag->member ? lag->member->client_id : NULL);
	kafka_sql_set_text(values, nulls, LAG_HOST, lag->member ? lag->member->host : NULL);
	kafka_sql_set_text(values, nulls, LAG_ERROR, lag->error);
	kafka_sql_put_row(fcinfo, values + skip, nulls + skip);
}

PG_FUNCTION_INFO_V1(kafka_consumer_lag);

/* (group_id, server): a row for each partition; raises where the group itself is the matter. */
Datum
kafka_consumer_lag(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	int			n;
	KafkaLag   *rows = kafka_lag(opts, &group_id, 1, &n);

	/* a group whose members cannot be told has its offsets all the same */
	for (int i = 0; i < n; i++)
		if (rows[i].topic == NULL && rows[i].sqlstate != ERRCODE_FEATURE_NOT_SUPPORTED)
			kafka_group_throw(group_id, "could not read the lag of consumer group",
							  rows[i].error, rows[i].sqlstate);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
		put_lag(fcinfo, &rows[i], LAG_TOPIC);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_get_group_lag);

/* The rows of kafka.group_lag: all groups of the default server. */
Datum
kafka_get_group_lag(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server_named(NULL);
	List	   *errors;
	List	   *groups = kafka_groups_list(opts, &errors);
	char	  **group_ids = palloc(sizeof(char *) * Max(list_length(groups), 1));
	int			ngroups = 0;
	int			n;
	KafkaLag   *rows;
	ListCell   *lc;

	foreach(lc, groups)
		group_ids[ngroups++] = unconstify(char *, ((KafkaGroup *) lfirst(lc))->group_id);
	rows = kafka_lag(opts, group_ids, ngroups, &n);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, errors)
	{
		KafkaLag	row = {.error = (char *) lfirst(lc), .committed = KAFKA_UNKNOWN,
		.end = KAFKA_UNKNOWN};

		put_lag(fcinfo, &row, 0);
	}
	for (int i = 0; i < n; i++)
		put_lag(fcinfo, &rows[i], 0);
	return (Datum) 0;
}
