/*-------------------------------------------------------------------------
 *
 * topics.c
 *	  kafka.create_topic, delete_topic, list_topics, watermarks.
 *
 * Layer 3.  Administration acts at once and is not undone by ROLLBACK.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/admin.h"
#include "client/topic.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/* ------------------------------------------------------------------------
 * create_topic
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_create_topic);

/*
 * (topic, partitions, replication_factor, config, if_not_exists, validate_only,
 * replica_assignment, timeout, server): one row (topic, partitions, created).
 */
Datum
kafka_create_topic(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 8);
	KafkaNewTopic topic = {.name = kafka_sql_text(fcinfo, 0, "topic")};
	int			timeout = kafka_sql_interval_ms(fcinfo, 7, "timeout",
												kafka_setting_connect_timeout);
	Datum		values[3] = {0};
	bool		nulls[3] = {false};
	bool		created;

	topic.partitions = kafka_sql_count(fcinfo, 1, "partitions");
	topic.replication_factor = kafka_sql_count(fcinfo, 2, "replication_factor");
	if (!PG_ARGISNULL(3))
		topic.config = kafka_sql_properties(PG_GETARG_JSONB_P(3), "config");
	topic.validate_only = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	if (!PG_ARGISNULL(6))
	{
		int			partitions;

		topic.replica_assignment = kafka_sql_assignment(PG_GETARG_JSONB_P(6), &partitions);
		if (topic.replication_factor > 0 ||
			(topic.partitions > 0 && topic.partitions != partitions))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"replica_assignment\" contradicts \"partitions\" or "
							"\"replication_factor\""),
					 errhint("Leave those out: the assignment says both.")));
		topic.partitions = partitions;
	}
	created = kafka_admin_create_topic(opts, &topic, !PG_ARGISNULL(4) && PG_GETARG_BOOL(4),
									   timeout);
	InitMaterializedSRF(fcinfo, 0);
	values[0] = CStringGetTextDatum(topic.name);
	nulls[1] = topic.validate_only;
	if (!topic.validate_only)
		values[1] = Int32GetDatum(kafka_topic_partitions(opts, topic.name, false, true));
	values[2] = BoolGetDatum(created && !topic.validate_only);
	kafka_sql_put_row(fcinfo, values, nulls);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * delete_topic
 * ------------------------------------------------------------------------
 */
#define NOTHING_TO_DELETE "topic does not exist, skipped"

static void
put_deleted(FunctionCallInfo fcinfo, const char *topic, const char *error)
{
	Datum		values[3] = {0};
	bool		nulls[3] = {false};

	values[0] = CStringGetTextDatum(topic);
	values[1] = BoolGetDatum(error == NULL);
	nulls[2] = error == NULL;
	if (error)
		values[2] = CStringGetTextDatum(error);
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_delete_topic);

/* (topic, if_exists, server): one row (topic, deleted, error); raises where it fails. */
Datum
kafka_delete_topic(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	char	   *error = NULL;
	int			sqlstate = 0;

	kafka_admin_delete_topics(opts, &topic, 1, &error, &sqlstate);
	if (error && !(if_exists && sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND))
		ereport(ERROR,
				(errcode(sqlstate),
				 sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND ?
				 errmsg("topic \"%s\" does not exist", topic) :
				 errmsg("could not delete topic \"%s\"", topic),
				 errdetail("librdkafka says: %s", error)));
	InitMaterializedSRF(fcinfo, 0);
	put_deleted(fcinfo, topic, error ? NOTHING_TO_DELETE : NULL);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_delete_topics);

/* (topics, if_exists, server): a row for each; what fails for one is in its row. */
Datum
kafka_delete_topics(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	int			n;
	char	  **topics = kafka_sql_names(fcinfo, 0, "topics", &n);
	char	  **errors;
	int		   *sqlstates;

	errors = palloc0(sizeof(char *) * Max(n, 1));
	sqlstates = palloc0(sizeof(int) * Max(n, 1));
	kafka_admin_delete_topics(opts, topics, n, errors, sqlstates);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		if (errors[i] && if_exists && sqlstates[i] == ERRCODE_FDW_TABLE_NOT_FOUND)
			errors[i] = NOTHING_TO_DELETE;
		put_deleted(fcinfo, topics[i], errors[i]);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * list_topics and watermarks
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_list_topics);

/* (internal, server): a row (topic, partitions, replication_factor) for each. */
Datum
kafka_list_topics(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	bool		internal = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
	List	   *topics = kafka_topic_list(opts);
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, topics)
	{
		KafkaTopic *topic = (KafkaTopic *) lfirst(lc);
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		if (!internal && kafka_topic_is_internal(topic->name))
			continue;
		values[0] = CStringGetTextDatum(topic->name);
		values[1] = Int32GetDatum(topic->npartitions);
		values[2] = Int32GetDatum(topic->replication_factor);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_watermarks);

/* (topic, server): a row (partition, low, high, last_stable) for each partition. */
Datum
kafka_watermarks(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	KafkaBounds bounds;
	int64	   *highs;

	kafka_topic_bounds(opts, topic, &bounds);
	/* read uncommitted, the end is the high watermark */
	opts = kafka_options_with_property(opts, "isolation.level", "read_uncommitted");
	highs = palloc(sizeof(int64) * bounds.npartitions);
	kafka_topic_offsets(opts, topic, KAFKA_OFFSET_END, NULL, bounds.npartitions, highs);
	InitMaterializedSRF(fcinfo, 0);
	for (int32 i = 0; i < bounds.npartitions; i++)
	{
		Datum		values[4] = {0};
		bool		nulls[4] = {false};

		values[0] = Int32GetDatum(i);
		values[1] = Int64GetDatum(bounds.lows[i]);
		values[2] = Int64GetDatum(highs[i]);
		values[3] = Int64GetDatum(bounds.ends[i]);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
