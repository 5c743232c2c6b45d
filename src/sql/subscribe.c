/*-------------------------------------------------------------------------
 *
 * subscribe.c
 *	  kafka.subscribe, assign, unsubscribe, close_consumer: the life of a session's consumers.
 *
 * Layer 3.  They act at once, whatever the transaction does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "client/topic.h"
#include "fmgr.h"
#include "ground/compat.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/consumer_args.h"
#include "transaction/consumers.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/* Arguments of kafka.subscribe, behind the topics. */
enum
{
	ARG_GROUP_ID = 1,
	ARG_OFFSETS,
	ARG_START,
	ARG_AUTO_COMMIT,
	ARG_OPTIONS,
	ARG_CONSUMER,
	ARG_SERVER
};

/* All that makes two consumers the same, as one text. */
static char *
identity_of(const KafkaConsumerSpec *spec)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%u/%u/%d/%d/%d/%d/%d/%d/%s/%s", spec->opts->serverid,
					 spec->opts->userid, spec->store, spec->start, spec->auto_commit,
					 spec->allow_table_writes, spec->chosen, spec->opts->on_missing,
					 spec->opts->group_id ? spec->opts->group_id : "",
					 spec->opts->group_instance_id ? spec->opts->group_instance_id : "");
	for (int i = 0; i < spec->ntopics; i++)
		appendStringInfo(&buf, "\n%s", spec->topics[i]);
	foreach(lc, spec->opts->properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);

		appendStringInfo(&buf, "\n%s=%s", property->name, property->value);
	}
	return buf.data;
}

/* A name that begins with '^' is a pattern; others must be topics. */
static void
check_topics(const KafkaOptions *opts, char **topics, int n)
{
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"topics\" must not be empty")));
	for (int i = 0; i < n; i++)
		if (topics[i][0] != '^')
			(void) kafka_topic_partitions(opts, topics[i], false, false);
}

static void
subscribe(FunctionCallInfo fcinfo, char **topics, int n)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, ARG_SERVER);
	KafkaConsumerSpec spec = {.topics = topics, .ntopics = n};
	KafkaSessionConsumer *consumer;
	bool		is_new;

	spec.name = kafka_sql_consumer_name(fcinfo, ARG_CONSUMER);
	spec.store = kafka_option_enum(kafka_offset_stores,
								   kafka_sql_text(fcinfo, ARG_OFFSETS, "offsets"),
								   "argument \"offsets\"");
	spec.start = kafka_option_enum(kafka_starts, kafka_sql_text(fcinfo, ARG_START, "start"),
								   "argument \"start\"");
	spec.auto_commit = PG_ARGISNULL(ARG_AUTO_COMMIT) || PG_GETARG_BOOL(ARG_AUTO_COMMIT);
	kafka_sql_consumer_options(fcinfo, ARG_OPTIONS, &opts, &spec);
	opts->group_id = kafka_sql_group(fcinfo, ARG_GROUP_ID);
	spec.opts = opts;
	spec.identity = identity_of(&spec);
	check_topics(opts, topics, n);
	consumer = kafka_consumers_make(&spec, &is_new);
	if (!is_new)
		return;
	PG_TRY();
	{
		kafka_member_subscribe(consumer->member, topics, n);
	}
	PG_CATCH();
	{
		kafka_consumers_close(consumer);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

PG_FUNCTION_INFO_V1(kafka_subscribe_topics);

/* (topics text[], group_id, offsets, start, auto_commit, options, consumer, server) */
Datum
kafka_subscribe_topics(PG_FUNCTION_ARGS)
{
	int			n;
	char	  **topics = kafka_sql_names(fcinfo, 0, "topics", &n);

	subscribe(fcinfo, topics, n);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_subscribe_topic);

/* The same with one topic. */
Datum
kafka_subscribe_topic(PG_FUNCTION_ARGS)
{
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");

	subscribe(fcinfo, &topic, 1);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * assign
 * ------------------------------------------------------------------------
 */
static int
compare_numbers(const void *a, const void *b)
{
	return (*(const int32 *) a > *(const int32 *) b) - (*(const int32 *) a < *(const int32 *) b);
}

/* An int[], each number once, or all partitions of the topic for NULL. */
static int32 *
parse_partitions(FunctionCallInfo fcinfo, int argno, const KafkaOptions *opts,
				 const char *topic, int *n)
{
	int32		npartitions = kafka_topic_partitions(opts, topic, false, false);
	int32	   *numbers;
	Datum	   *elems;
	bool	   *nulls;
	int			count = npartitions;

	if (!PG_ARGISNULL(argno))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(argno), INT4OID, sizeof(int32), true,
						  TYPALIGN_INT, &elems, &nulls, &count);
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"partitions\" must not be empty")));
	numbers = palloc(sizeof(int32) * count);
	for (int i = 0; i < count; i++)
	{
		if (!PG_ARGISNULL(argno) && nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an element of argument \"%s\" is NULL", "partitions")));
		numbers[i] = PG_ARGISNULL(argno) ? i : DatumGetInt32(elems[i]);
		if (numbers[i] < 0 || numbers[i] >= npartitions)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("topic \"%s\" has no partition %d", topic, numbers[i]),
					 errhint("It has partitions 0 to %d.", npartitions - 1)));
	}
	qsort(numbers, count, sizeof(int32), compare_numbers);
	*n = 1;
	for (int i = 1; i < count; i++)
		if (numbers[i] != numbers[*n - 1])
			numbers[(*n)++] = numbers[i];
	return numbers;
}

PG_FUNCTION_INFO_V1(kafka_assign);

/* (topic, partitions int[], target, options, consumer, server) */
Datum
kafka_assign(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 5);
	char	   *topic = kafka_sql_text(fcinfo, 0, "topic");
	KafkaPlaceTarget target = kafka_sql_parse_target(kafka_sql_text(fcinfo, 2, "target"));
	KafkaConsumerSpec spec = {.topics = &topic, .ntopics = 1, .chosen = true,
	.auto_commit = true, .start = KAFKA_START_NONE};
	KafkaSessionConsumer *consumer;
	KafkaMemberPartition **assigned;
	int32	   *partitions;
	int64	   *offsets;
	int			n;
	bool		is_new;

	spec.name = kafka_sql_consumer_name(fcinfo, 4);
	kafka_sql_consumer_options(fcinfo, 3, &opts, &spec);
	spec.opts = opts;
	spec.identity = identity_of(&spec);
	partitions = parse_partitions(fcinfo, 1, opts, topic, &n);
	offsets = palloc(sizeof(int64) * n);
	kafka_sql_target_offsets(opts, topic, &target, partitions, n, offsets);
	consumer = kafka_consumers_make(&spec, &is_new);
	if (!is_new)
		kafka_consumers_refuse_pending(consumer);
	PG_TRY();
	{
		kafka_member_assign(consumer->member, topic, partitions, n);
	}
	PG_CATCH();
	{
		kafka_consumers_close(consumer);
		PG_RE_THROW();
	}
	PG_END_TRY();
	assigned = kafka_member_new_partitions(consumer->member, &n);
	for (int i = 0; i < n; i++)
		assigned[i]->position = offsets[i];
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * The end
 * ------------------------------------------------------------------------
 */
PG_FUNCTION_INFO_V1(kafka_unsubscribe);

/* (consumer): it leaves its group and stays in the session, without partitions. */
Datum
kafka_unsubscribe(PG_FUNCTION_ARGS)
{
	kafka_consumers_leave(kafka_consumers_find(kafka_sql_consumer_name(fcinfo, 0)));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kafka_close_consumer);

/* (consumer) */
Datum
kafka_close_consumer(PG_FUNCTION_ARGS)
{
	kafka_consumers_close(kafka_consumers_find(kafka_sql_consumer_name(fcinfo, 0)));
	PG_RETURN_VOID();
}
