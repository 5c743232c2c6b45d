/*-------------------------------------------------------------------------
 *
 * positions.c
 *	  Where the session's consumers stand: kafka.commit_offsets, seek, pause, resume, assignment,
 *	  position, committed, and the view kafka.consumers.
 *
 * Layer 3.  Positions and marks are undone by ROLLBACK; pausing is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "client/partition_offsets.h"
#include "fmgr.h"
#include "format/row.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/consumer_args.h"
#include "transaction/polling.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define CONSUMER_COLUMNS 19

/* One that polls, or could. */
static KafkaSessionConsumer *
working_consumer(FunctionCallInfo fcinfo, int argno)
{
	KafkaSessionConsumer *consumer = kafka_sql_consumer(fcinfo, argno);

	kafka_poll_settle(consumer);
	return consumer;
}

static KAFKA_NORETURN void
reject_partition(const KafkaSessionConsumer *consumer, const char *topic, int32 partition)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 partition < 0 ?
			 errmsg("consumer \"%s\" has no partition of topic \"%s\"", consumer->spec.name,
					topic) :
			 errmsg("consumer \"%s\" does not have topic \"%s\" partition %d",
					consumer->spec.name, topic, partition),
			 errhint("kafka.assignment shows what it has; a new consumer gets its partitions with "
					 "the first poll.")));
}

/* The assigned partitions that topic and partition mean (NULL: all). */
static KafkaMemberPartition **
chosen_partitions(KafkaSessionConsumer *consumer, const char *topic, int32 number, int *n)
{
	KafkaMemberPartition **partitions = kafka_member_partitions(consumer->member, n);
	int			kept = 0;

	for (int i = 0; i < *n; i++)
		if (partitions[i]->assigned &&
			(topic == NULL || strcmp(partitions[i]->topic, topic) == 0) &&
			(number < 0 || partitions[i]->partition == number))
			partitions[kept++] = partitions[i];
	*n = kept;
	if (kept == 0 && topic)
		reject_partition(consumer, topic, number);
	return partitions;
}

static int32
partition_argument(FunctionCallInfo fcinfo, int argno)
{
	if (PG_ARGISNULL(argno))
		return -1;
	if (PG_GETARG_INT32(argno) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"partition\" must not be negative"),
				 errhint("NULL means all partitions.")));
	return PG_GETARG_INT32(argno);
}

/* ------------------------------------------------------------------------
 * commit_offsets
 * ------------------------------------------------------------------------
 */
static void
mark(KafkaSessionConsumer *consumer, KafkaMemberPartition *partition, int64 offset,
	 const char *metadata)
{
	KafkaPosition *position = kafka_consumers_position(consumer, partition);

	kafka_consumers_save(consumer, position);
	position->marked = offset;
	position->metadata = metadata ? MemoryContextStrdup(TopTransactionContext, metadata) : NULL;
}

static int
mark_given(KafkaSessionConsumer *consumer, const KafkaGroupOffset *offsets, int n)
{
	for (int i = 0; i < n; i++)
	{
		KafkaMemberPartition *partition = kafka_member_find(consumer->member, offsets[i].topic,
															offsets[i].partition);

		if (partition == NULL)
			reject_partition(consumer, offsets[i].topic, offsets[i].partition);
		if (offsets[i].offset < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("offset " INT64_FORMAT " of topic \"%s\" partition %d is negative",
							offsets[i].offset, offsets[i].topic, offsets[i].partition)));
		mark(consumer, partition, offsets[i].offset, offsets[i].metadata);
	}
	return n;
}

PG_FUNCTION_INFO_V1(kafka_commit_offsets);

/* (offsets kafka.topic_partition[], async, consumer): how many were marked. */
Datum
kafka_commit_offsets(PG_FUNCTION_ARGS)
{
	KafkaSessionConsumer *consumer = working_consumer(fcinfo, 2);
	int			n;

	if (consumer->spec.store == KAFKA_STORE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("consumer \"%s\" is in no group", consumer->spec.name),
				 errhint("Give kafka.assign the option \"group_id\".")));
	if (!PG_ARGISNULL(0))
	{
		KafkaGroupOffset *offsets = kafka_sql_offsets(fcinfo, 0, &n);

		n = mark_given(consumer, offsets, n);
	}
	else
	{
		KafkaMemberPartition **partitions = chosen_partitions(consumer, NULL, -1, &n);

		for (int i = 0; i < n; i++)
			mark(consumer, partitions[i], partitions[i]->position, NULL);
	}
	consumer->async = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	PG_RETURN_INT32(n);
}

/* ------------------------------------------------------------------------
 * seek, pause, resume
 * ------------------------------------------------------------------------
 */
static void
seek(FunctionCallInfo fcinfo, const KafkaPlaceTarget *target)
{
	KafkaSessionConsumer *consumer = working_consumer(fcinfo, 3);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	int			n;
	KafkaMemberPartition **partitions =
		chosen_partitions(consumer, topic, partition_argument(fcinfo, 1), &n);
	int32	   *numbers = palloc(sizeof(int32) * n);
	int64	   *offsets = palloc(sizeof(int64) * n);

	for (int i = 0; i < n; i++)
		numbers[i] = partitions[i]->partition;
	kafka_sql_target_offsets(consumer->spec.opts, topic, target, numbers, n, offsets);
	for (int i = 0; i < n; i++)
		kafka_consumers_move(consumer, kafka_consumers_position(consumer, partitions[i]),
							 offsets[i]);
}

static void
require_target(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL", "target")));
}

PG_FUNCTION_INFO_V1(kafka_seek_text);

/* (topic, partition, target text, consumer) */
Datum
kafka_seek_text(PG_FUNCTION_ARGS)
{
	KafkaPlaceTarget target = kafka_sql_parse_target(kafka_sql_text(fcinfo, 2, "target"));

	seek(fcinfo, &target);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_seek_offset);

/* (topic, partition, target bigint, consumer) */
Datum
kafka_seek_offset(PG_FUNCTION_ARGS)
{
	KafkaPlaceTarget target = {.is_offset = true};

	require_target(fcinfo);
	target.offset = PG_GETARG_INT64(2);
	if (target.offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"target\" must not be negative")));
	seek(fcinfo, &target);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_seek_time);

/* (topic, partition, target timestamptz, consumer) */
Datum
kafka_seek_time(PG_FUNCTION_ARGS)
{
	KafkaPlaceTarget target;

	require_target(fcinfo);
	target = kafka_sql_time_target(PG_GETARG_TIMESTAMPTZ(2));
	seek(fcinfo, &target);
	PG_RETURN_VOID();
}

/* (topic, partition, consumer): how many. */
static int
set_paused(FunctionCallInfo fcinfo, bool paused)
{
	KafkaSessionConsumer *consumer = working_consumer(fcinfo, 2);
	char	   *topic = PG_ARGISNULL(0) && PG_ARGISNULL(1) ? NULL :
		kafka_sql_text(fcinfo, 0, "topic");
	int			n;
	KafkaMemberPartition **partitions =
		chosen_partitions(consumer, topic, partition_argument(fcinfo, 1), &n);

	for (int i = 0; i < n; i++)
		kafka_member_pause(consumer->member, partitions[i], paused);
	return n;
}

PG_FUNCTION_INFO_V1(kafka_pause);

Datum
kafka_pause(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(set_paused(fcinfo, true));
}

PG_FUNCTION_INFO_V1(kafka_resume);

Datum
kafka_resume(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(set_paused(fcinfo, false));
}

/* ------------------------------------------------------------------------
 * A look
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_assignment);

/* (consumer): topic, partition, position, paused */
Datum
kafka_assignment(PG_FUNCTION_ARGS)
{
	KafkaSessionConsumer *consumer = working_consumer(fcinfo, 0);
	int			n;
	KafkaMemberPartition **partitions = chosen_partitions(consumer, NULL, -1, &n);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		Datum		values[4] = {0};
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(partitions[i]->topic);
		values[1] = Int32GetDatum(partitions[i]->partition);
		values[2] = Int64GetDatum(partitions[i]->position);
		values[3] = BoolGetDatum(partitions[i]->paused);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* Rows (topic, partition, offset), NULL where it is not known. */
static void
put_offsets(FunctionCallInfo fcinfo, KafkaMemberPartition **partitions, int n,
			const int64 *offsets)
{
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(partitions[i]->topic);
		values[1] = Int32GetDatum(partitions[i]->partition);
		values[2] = Int64GetDatum(offsets[i]);
		nulls[2] = offsets[i] == KAFKA_UNKNOWN;
		kafka_sql_put_row(fcinfo, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(kafka_position);

Datum
kafka_position(PG_FUNCTION_ARGS)
{
	KafkaSessionConsumer *consumer = working_consumer(fcinfo, 0);
	int			n;
	KafkaMemberPartition **partitions = chosen_partitions(consumer, NULL, -1, &n);
	int64	   *offsets = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		offsets[i] = partitions[i]->position;
	put_offsets(fcinfo, partitions, n, offsets);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_committed);

Datum
kafka_committed(PG_FUNCTION_ARGS)
{
	KafkaSessionConsumer *consumer = working_consumer(fcinfo, 0);
	int			n;
	KafkaMemberPartition **partitions = chosen_partitions(consumer, NULL, -1, &n);
	int64	   *offsets = palloc(sizeof(int64) * Max(n, 1));

	kafka_poll_stored(consumer, partitions, n, offsets);
	put_offsets(fcinfo, partitions, n, offsets);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * kafka.consumers
 * ------------------------------------------------------------------------
 */
static Datum
text_or_null(const char *utf8, bool *isnull)
{
	*isnull = utf8 == NULL;
	return utf8 ? CStringGetTextDatum(pg_any_to_server(utf8, (int) strlen(utf8), PG_UTF8)) :
		(Datum) 0;
}

static Datum
topics_datum(const KafkaConsumerSpec *spec)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(spec->ntopics, 1));

	for (int i = 0; i < spec->ntopics; i++)
		elems[i] = CStringGetTextDatum(spec->topics[i]);
	return PointerGetDatum(construct_array(elems, spec->ntopics, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static int
count_assigned(const KafkaSessionConsumer *consumer)
{
	int			n;
	KafkaMemberPartition **partitions = kafka_member_partitions(consumer->member, &n);
	int			count = 0;

	for (int i = 0; i < n; i++)
		count += partitions[i]->assigned;
	return count;
}

/* The group waits for a poll until then; 0: it does not. */
static TimestampTz
poll_deadline(const KafkaSessionConsumer *consumer)
{
	if (consumer->spec.chosen || consumer->last_poll == 0 ||
		kafka_member_is_closed(consumer->member))
		return 0;
	return TimestampTzPlusMilliseconds(consumer->last_poll,
									   kafka_member_max_poll_ms(consumer->member));
}

static const char *
state_of(const KafkaSessionConsumer *consumer, int assigned)
{
	TimestampTz deadline = poll_deadline(consumer);

	if (kafka_member_is_closed(consumer->member))
		return "unsubscribed";
	if (deadline != 0 && deadline < GetCurrentTimestamp())
		return "overdue";
	if (kafka_member_must_accept(consumer->member) && !consumer->spec.chosen)
		return "rebalancing";
	return assigned > 0 || consumer->spec.chosen ? "assigned" : "joining";
}

static void
fill_consumer(const KafkaSessionConsumer *consumer, Datum *values, bool *nulls)
{
	const KafkaConsumerSpec *spec = &consumer->spec;
	char	   *user = GetUserNameFromId(consumer->userid, true);
	int			assigned = count_assigned(consumer);
	TimestampTz deadline = poll_deadline(consumer);

	values[0] = CStringGetTextDatum(spec->name);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(spec->opts->server_name));
	nulls[2] = user == NULL;
	if (user)
		values[2] = DirectFunctionCall1(namein, CStringGetDatum(user));
	values[3] = text_or_null(spec->opts->group_id, &nulls[3]);
	values[4] = topics_datum(spec);
	nulls[5] = spec->store == KAFKA_STORE_NONE;
	if (!nulls[5])
		values[5] = CStringGetTextDatum(kafka_option_word(kafka_offset_stores, spec->store));
	values[6] = BoolGetDatum(spec->auto_commit);
	values[7] = CStringGetTextDatum(state_of(consumer, assigned));
	values[8] = text_or_null(kafka_member_id(consumer->member), &nulls[8]);
	values[9] = text_or_null(kafka_member_protocol(consumer->member), &nulls[9]);
	values[10] = Int32GetDatum(assigned);
	values[11] = BoolGetDatum(kafka_consumers_is_pending(consumer));
	values[12] = TimestampTzGetDatum(consumer->created);
	values[13] = TimestampTzGetDatum(consumer->last_poll);
	nulls[13] = consumer->last_poll == 0;
	values[14] = TimestampTzGetDatum(deadline);
	nulls[14] = deadline == 0;
	values[15] = Int64GetDatum(consumer->messages);
	values[16] = Int64GetDatum(consumer->rebalances);
	values[17] = Int64GetDatum(consumer->commit_failures);
	values[18] = BoolGetDatum(spec->chosen);
}

PG_FUNCTION_INFO_V1(kafka_get_consumers);

Datum
kafka_get_consumers(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_consumers_list())
	{
		Datum		values[CONSUMER_COLUMNS] = {0};
		bool		nulls[CONSUMER_COLUMNS] = {false};

		fill_consumer((KafkaSessionConsumer *) lfirst(lc), values, nulls);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
