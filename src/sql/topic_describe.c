/*-------------------------------------------------------------------------
 *
 * topic_describe.c
 *	  kafka.describe_topic, list_offsets.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "client/admin_partitions.h"
#include "client/cluster.h"
#include "client/topic.h"
#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/target.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* ------------------------------------------------------------------------
 * describe_topic
 * ------------------------------------------------------------------------
 */
typedef struct Offsets
{
	bool		known;
	int32		n;				/* partitions that have a leader */
	int32	   *partitions;
	int64	   *lows;
	int64	   *highs;
	int64	   *stables;
} Offsets;

static Offsets
make_offsets(const KafkaPartition *partitions, int32 npartitions)
{
	size_t		size = sizeof(int64) * Max(npartitions, 1);
	Offsets		offsets = {.partitions = palloc(size),.lows = palloc(size),
	.highs = palloc(size),.stables = palloc(size)};

	for (int32 p = 0; p < npartitions; p++)
		if (partitions[p].leader != KAFKA_UNKNOWN)
			offsets.partitions[offsets.n++] = p;
	return offsets;
}

static bool
try_offsets(const KafkaOptions *opts, const char *topic, Offsets *offsets)
{
	KafkaOptions *uncommitted = kafka_options_with_property(opts, "isolation.level",
															"read_uncommitted");

	offsets->known =
		kafka_topic_offsets_try(opts, topic, KAFKA_OFFSET_LOW, offsets->partitions, offsets->n,
								offsets->lows) &&
		kafka_topic_offsets_try(opts, topic, KAFKA_OFFSET_END, offsets->partitions, offsets->n,
								offsets->stables) &&
		kafka_topic_offsets_try(uncommitted, topic, KAFKA_OFFSET_END, offsets->partitions,
								offsets->n, offsets->highs);
	return offsets->known;
}

/*
 * While a broker has just died, the metadata name it as leader for some seconds yet.  So both are
 * asked again, until offsets come from every leader, or time is up.
 */
static int32
read_topic(const KafkaOptions *opts, const char *topic, KafkaPartition **partitions,
		   Offsets *offsets)
{
	TimestampTz begin = GetCurrentTimestamp();

	for (;;)
	{
		int32		n = kafka_cluster_partitions(opts, topic, partitions);

		*offsets = make_offsets(*partitions, n);
		if (try_offsets(opts, topic, offsets))
			return n;
		if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(),
									   kafka_setting_connect_timeout))
		{
			ereport(WARNING,
					(errmsg("the offsets of topic \"%s\" could not be read", topic),
					 errdetail("A leader did not answer within %d ms.",
							   kafka_setting_connect_timeout)));
			return n;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static Datum
ids_array(const KafkaBrokerIds *ids)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(ids->n, 1));

	for (int i = 0; i < ids->n; i++)
		elements[i] = Int32GetDatum(ids->ids[i]);
	return PointerGetDatum(construct_array(elements, ids->n, INT4OID, sizeof(int32), true,
										   TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(kafka_describe_topic);

/*
 * (topic, server): a row (partition, leader, replicas, isr, offline, leader_epoch, low, high,
 * last_stable, messages) for each partition.
 */
Datum
kafka_describe_topic(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 1);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	KafkaPartition *partitions;
	Offsets		offsets;
	int32		n = read_topic(opts, topic, &partitions, &offsets);
	int32		led = 0;

	InitMaterializedSRF(fcinfo, 0);
	for (int32 p = 0; p < n; p++)
	{
		Datum		values[10] = {0};
		bool		nulls[10] = {false};

		values[0] = Int32GetDatum(p);
		values[1] = Int32GetDatum(partitions[p].leader);
		nulls[1] = partitions[p].leader == KAFKA_UNKNOWN;
		values[2] = ids_array(&partitions[p].replicas);
		values[3] = ids_array(&partitions[p].isr);
		values[4] = ids_array(&partitions[p].offline);
		nulls[5] = true;		/* no version of librdkafka tells it */
		nulls[6] = nulls[7] = nulls[8] = nulls[9] = nulls[1] || !offsets.known;
		if (!nulls[6])
		{
			values[6] = Int64GetDatum(offsets.lows[led]);
			values[7] = Int64GetDatum(offsets.highs[led]);
			values[8] = Int64GetDatum(offsets.stables[led]);
			values[9] = Int64GetDatum(Max(offsets.highs[led] - offsets.lows[led], 0));
		}
		if (!nulls[1])
			led++;
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * list_offsets
 * ------------------------------------------------------------------------
 */

static int64
parse_target(const char *target)
{
	if (strcmp(target, "earliest") == 0)
		return KAFKA_TIME_EARLIEST;
	if (strcmp(target, "latest") == 0)
		return KAFKA_TIME_LATEST;
	if (strcmp(target, "max_timestamp") == 0)
	{
		if (!kafka_admin_knows_timestamps())
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("target \"max_timestamp\" needs librdkafka 2.3 or later")));
		return KAFKA_TIME_MAX;
	}
	if (strpbrk(target, "0123456789") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"target\": \"%s\"", target),
				 errhint("It is earliest, latest, max_timestamp or a timestamp.")));
	return kafka_sql_time_ms(DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
														   CStringGetDatum(target),
														   ObjectIdGetDatum(InvalidOid),
														   Int32GetDatum(-1))));
}

static void
put_offsets(FunctionCallInfo fcinfo, const KafkaOptions *opts, const char *topic, int64 time)
{
	int32		n = kafka_topic_partitions(opts, topic, false, false);
	int64	   *offsets = palloc(sizeof(int64) * Max(n, 1));
	int64	   *timestamps = palloc(sizeof(int64) * Max(n, 1));

	kafka_admin_list_offsets(opts, topic, time, n, offsets, timestamps);
	InitMaterializedSRF(fcinfo, 0);
	for (int32 p = 0; p < n; p++)
	{
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		values[0] = Int32GetDatum(p);
		values[1] = Int64GetDatum(offsets[p]);
		nulls[1] = offsets[p] == KAFKA_UNKNOWN;
		values[2] = TimestampTzGetDatum((timestamps[p] - (POSTGRES_EPOCH_JDATE -
														  UNIX_EPOCH_JDATE) *
										 SECS_PER_DAY * 1000LL) * 1000LL);
		nulls[2] = timestamps[p] == KAFKA_UNKNOWN;
		kafka_sql_put_row(fcinfo, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(kafka_list_offsets);

/* (topic, target text, server): a row (partition, offset, timestamp) for each partition. */
Datum
kafka_list_offsets(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");

	put_offsets(fcinfo, opts, topic, parse_target(kafka_sql_text(fcinfo, 1, "target")));
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_list_offsets_at);

/* (topic, target timestamptz, server): the same. */
Datum
kafka_list_offsets_at(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"target\" must not be NULL")));
	put_offsets(fcinfo, opts, topic, kafka_sql_time_ms(PG_GETARG_TIMESTAMPTZ(1)));
	return (Datum) 0;
}
