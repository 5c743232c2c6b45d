/*-------------------------------------------------------------------------
 *
 * topic_change.c
 *	  kafka.create_partitions, delete_records, ensure_topic.
 *
 * Layer 3.  Administration acts at once and is not undone by ROLLBACK.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/admin.h"
#include "client/admin_partitions.h"
#include "client/cluster.h"
#include "client/config.h"
#include "client/topic.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/settings.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/configs.h"
#include "utils/builtins.h"

static KAFKA_NORETURN void
refuse_to_shrink(const char *topic, int32 current)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("topic \"%s\" has %d partitions already", topic, current),
			 errhint("Kafka cannot take partitions away: make another topic with fewer.")));
}

/* ------------------------------------------------------------------------
 * create_partitions
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_create_partitions);

/* (topic, total, replica_assignment, validate_only, timeout, server): (topic, partitions, added) */
Datum
kafka_create_partitions(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 5);
	KafkaNewPartitions request = {.topic = kafka_sql_text(fcinfo, 0, "topic")};
	int			timeout = kafka_sql_interval_ms(fcinfo, 4, "timeout",
												kafka_setting_connect_timeout);
	Datum		values[3] = {0};
	bool		nulls[3] = {false};
	int			assigned;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"total\" must not be NULL")));
	request.total = PG_GETARG_INT32(1);
	request.validate_only = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	if (!PG_ARGISNULL(2))
		request.replica_assignment = kafka_sql_assignment(PG_GETARG_JSONB_P(2), &assigned);
	request.current = kafka_topic_partitions(opts, request.topic, false, false);
	if (request.total <= request.current)
		refuse_to_shrink(request.topic, request.current);
	if (request.replica_assignment && assigned != request.total - request.current)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"replica_assignment\" contradicts \"total\""),
				 errdetail("There are %d new partitions and broker ids for %d.",
						   request.total - request.current, assigned),
				 errhint("It has a list of broker ids for each new partition.")));
	kafka_admin_create_partitions(opts, &request, timeout);
	InitMaterializedSRF(fcinfo, 0);
	values[0] = CStringGetTextDatum(request.topic);
	values[1] = Int32GetDatum(request.validate_only ? request.current : request.total);
	values[2] = Int32GetDatum(request.validate_only ? 0 : request.total - request.current);
	kafka_sql_put_row(fcinfo, values, nulls);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * delete_records
 * ------------------------------------------------------------------------
 */
static void
check_before(const KafkaGroupOffset *offset)
{
	if (offset->offset < KAFKA_BEFORE_END)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an offset to delete before must not be negative"),
				 errhint("-1 stands for the end: all records that are there.")));
}

static void
put_deletion(FunctionCallInfo fcinfo, const KafkaGroupOffset *offset,
			 const KafkaDeletion *deletion)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum(offset->topic);
	values[1] = Int32GetDatum(offset->partition);
	values[2] = Int64GetDatum(deletion->low);
	nulls[2] = deletion->error != NULL;
	nulls[3] = deletion->error == NULL;
	if (deletion->error)
		values[3] = CStringGetTextDatum(deletion->error);
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_delete_records);

/* (offsets, server): a row (topic, partition, low, error) for each; what fails is in its row. */
Datum
kafka_delete_records(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	int			n;
	KafkaGroupOffset *offsets = kafka_sql_offsets(fcinfo, 0, &n);
	KafkaDeletion *deletions = palloc(sizeof(KafkaDeletion) * Max(n, 1));

	for (int i = 0; i < n; i++)
		check_before(&offsets[i]);
	kafka_admin_delete_records(opts, offsets, n, deletions);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
		put_deletion(fcinfo, &offsets[i], &deletions[i]);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_delete_records_before);

/* (topic, partition, before, server): one such row; raises where it fails. */
Datum
kafka_delete_records_before(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 3);
	KafkaGroupOffset offset = {.topic = kafka_sql_text(fcinfo, 0, "topic")};
	KafkaDeletion deletion;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL",
						PG_ARGISNULL(1) ? "partition" : "before")));
	offset.partition = PG_GETARG_INT32(1);
	offset.offset = PG_GETARG_INT64(2);
	check_before(&offset);
	kafka_admin_delete_records(opts, &offset, 1, &deletion);
	if (deletion.error)
		ereport(ERROR,
				(errcode(deletion.sqlstate),
				 deletion.sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND ?
				 errmsg("topic \"%s\" does not exist", offset.topic) :
				 errmsg("could not delete records of partition %d of topic \"%s\"",
						offset.partition, offset.topic),
				 errdetail("librdkafka says: %s", deletion.error)));
	InitMaterializedSRF(fcinfo, 0);
	put_deletion(fcinfo, &offset, &deletion);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * ensure_topic
 * ------------------------------------------------------------------------
 */
typedef struct Ensure
{
	FunctionCallInfo fcinfo;
	KafkaOptions *opts;
	KafkaNewTopic topic;		/* as asked for */
	int			timeout;
	int32		partitions;		/* as every broker is to know it at last */
	List	   *changes;		/* of KafkaConfigChange, likewise */
} Ensure;

static void
put_item(const Ensure *ensure, const char *item, const char *old, const char *new)
{
	Datum		values[3] = {0};
	bool		nulls[3] = {false, old == NULL, new == NULL};

	values[0] = CStringGetTextDatum(item);
	if (old)
		values[1] = CStringGetTextDatum(old);
	if (new)
		values[2] = CStringGetTextDatum(new);
	kafka_sql_put_row(ensure->fcinfo, values, nulls);
}

static void
await_every_broker(const Ensure *ensure, int32 partitions)
{
	kafka_cluster_await_topic(ensure->opts, ensure->topic.name, partitions, ensure->changes,
							  ensure->timeout);
}

/*
 * False if it exists, for another has made it meanwhile.  Whichever broker is asked from then on
 * knows it.
 */
static bool
create_it(Ensure *ensure)
{
	KafkaPartition *layout;
	ListCell   *lc;
	bool		created = kafka_admin_create_topic(ensure->opts, &ensure->topic, true,
												   ensure->timeout);

	await_every_broker(ensure, 1);
	if (!created)
		return false;
	ensure->partitions = kafka_cluster_partitions(ensure->opts, ensure->topic.name, &layout);
	ensure->changes = kafka_sql_config_changes(ensure->topic.config);
	put_item(ensure, "topic", NULL, "created");
	put_item(ensure, "partitions", NULL, psprintf("%d", ensure->partitions));
	put_item(ensure, "replication_factor", NULL, psprintf("%d", layout[0].replicas.n));
	foreach(lc, ensure->topic.config)
		put_item(ensure, ((KafkaProperty *) lfirst(lc))->name, NULL,
				 ((KafkaProperty *) lfirst(lc))->value);
	return true;
}

/* What can't be done is refused before anything is. */
static void
check_layout(Ensure *ensure)
{
	KafkaPartition *layout;
	int32		n = kafka_cluster_partitions(ensure->opts, ensure->topic.name, &layout);
	int			wanted = ensure->topic.replication_factor;

	ensure->partitions = n;
	if (ensure->topic.partitions > 0 && ensure->topic.partitions < n)
		refuse_to_shrink(ensure->topic.name, n);
	for (int32 p = 0; wanted > 0 && p < n; p++)
		if (layout[p].replicas.n != wanted)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot change the replication factor of topic \"%s\"",
							ensure->topic.name),
					 errdetail("Partition %d has %d replicas, %d are asked for.", p,
							   layout[p].replicas.n, wanted),
					 errhint("Kafka's own tool kafka-reassign-partitions can.")));
}

static void
alter_config(Ensure *ensure, const KafkaConfigResource *resource)
{
	List	   *wanted = kafka_sql_config_changes(ensure->topic.config);
	List	   *entries;
	ListCell   *lc;

	if (wanted == NIL)
		return;					/* not described: it takes a right of its own */
	entries = kafka_config_describe(ensure->opts, resource);
	foreach(lc, wanted)
	{
		KafkaConfigChange *change = (KafkaConfigChange *) lfirst(lc);

		if (!kafka_config_has_value(kafka_config_find(entries, change->name), change->value))
			ensure->changes = lappend(ensure->changes, change);
	}
	kafka_config_alter(ensure->opts, resource, entries, ensure->changes, false);
	foreach(lc, ensure->changes)
	{
		KafkaConfigChange *change = (KafkaConfigChange *) lfirst(lc);
		KafkaConfigEntry *entry = kafka_config_find(entries, change->name);

		put_item(ensure, change->name, entry ? entry->value : NULL, change->value);
	}
}

static void
grow(Ensure *ensure)
{
	KafkaNewPartitions request = {.topic = ensure->topic.name,.current = ensure->partitions,
	.total = ensure->topic.partitions};

	if (request.total <= request.current)
		return;
	kafka_admin_create_partitions(ensure->opts, &request, ensure->timeout);
	ensure->partitions = request.total;
	put_item(ensure, "partitions", psprintf("%d", request.current),
			 psprintf("%d", request.total));
}

PG_FUNCTION_INFO_V1(kafka_ensure_topic);

/*
 * (topic, partitions, replication_factor, config, timeout, server): a row (item, old_value,
 * new_value) for each change.
 */
Datum
kafka_ensure_topic(PG_FUNCTION_ARGS)
{
	Ensure		ensure = {.fcinfo = fcinfo,.opts = kafka_sql_server(fcinfo, 5)};
	KafkaConfigResource resource = {.type = KAFKA_CONFIG_TOPIC,.broker = KAFKA_UNKNOWN};

	ensure.topic.name = resource.name = kafka_sql_text(fcinfo, 0, "topic");
	ensure.topic.partitions = kafka_sql_count(fcinfo, 1, "partitions");
	ensure.topic.replication_factor = kafka_sql_count(fcinfo, 2, "replication_factor");
	if (!PG_ARGISNULL(3))
		ensure.topic.config = kafka_sql_properties(PG_GETARG_JSONB_P(3), "config");
	ensure.timeout = kafka_sql_interval_ms(fcinfo, 4, "timeout", kafka_setting_connect_timeout);
	InitMaterializedSRF(fcinfo, 0);
	kafka_config_lock(&resource);
	if (kafka_topic_partitions(ensure.opts, ensure.topic.name, true, false) >= 0 ||
		!create_it(&ensure))
	{
		check_layout(&ensure);
		alter_config(&ensure, &resource);
		grow(&ensure);
	}
	await_every_broker(&ensure, ensure.partitions);
	kafka_config_unlock(&resource);
	return (Datum) 0;
}
