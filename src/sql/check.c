/*-------------------------------------------------------------------------
 *
 * check.c
 *	  kafka.check: does everything work with this server, end to end?
 *
 * Layer 3.  Each step runs in a subtransaction and becomes a row, also when it fails; the
 * steps behind a failed one are reported as not run.  The temporary topic is deleted at
 * the end, whatever happened.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/admin.h"
#include "client/consumer.h"
#include "client/groups.h"
#include "client/member.h"
#include "client/producer.h"
#include "client/topic.h"
#include "client/transaction.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/attempt.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "sql/common.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

/* A consumer that waits looks at the time so often. */
#define MEMBER_WAIT_MS 200

typedef struct Check
{
	FunctionCallInfo fcinfo;
	const KafkaOptions *opts;
	char	   *topic;
	bool		topic_made;
	bool		failed;			/* what follows is not run */
	int64		offset;			/* of the message that the produce step sent */
} Check;

/* A step returns what to tell, or raises. */
typedef char *(*CheckStep) (Check *check);

static char *
step_connect(Check *check)
{
	return kafka_cluster_describe(check->opts);
}

static char *
step_create_topic(Check *check)
{
	KafkaNewTopic topic = {.name = check->topic, .partitions = 1, .replication_factor = -1};

	check->topic_made = true;	/* even where the answer gets lost */
	kafka_admin_create_topic(check->opts, &topic, false, kafka_setting_connect_timeout);
	return psprintf("topic %s", check->topic);
}

/* One message; inside Kafka's transaction where the producer has one open. */
static int64
send_one(Check *check, KafkaProducer *producer, const char *text)
{
	KafkaTarget *target = kafka_producer_target(producer, check->topic, 1,
												KAFKA_PARTITIONER_MURMUR2_RANDOM);
	KafkaMessage msg = {.topic = check->topic, .partition = 0, .timestamp = KAFKA_UNKNOWN};

	msg.value.data = text;
	msg.value.len = strlen(text);
	kafka_producer_send(producer, target, &msg);
	kafka_producer_flush(producer);
	return kafka_producer_receipt(producer)->offset;
}

static char *
step_produce(Check *check)
{
	KafkaProducer *producer = kafka_producer_open(check->opts);

	check->offset = send_one(check, producer, "kafka.check");
	kafka_producer_close(producer);
	return psprintf("1 message acknowledged at offset " INT64_FORMAT, check->offset);
}

/* Waits until readers are shown what is below the offset. */
static void
await_visible(Check *check, int64 offset)
{
	int32		partition = 0;
	int64		end = 0;

	for (;;)
	{
		kafka_topic_offsets(check->opts, check->topic, KAFKA_OFFSET_END, &partition, 1, &end);
		if (end > offset)
			return;
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* The value at an offset, or an error if something else is found there. */
static void
expect_message(Check *check, int64 offset, const char *text)
{
	KafkaRange	range = {.partition = 0, .start = offset, .end = offset + 1};
	KafkaConsumer *consumer;
	KafkaMessage msg;
	bool		found;

	await_visible(check, offset);
	consumer = kafka_consumer_open(check->opts, check->topic, &range, 1, 1);
	found = kafka_consumer_next(consumer, &msg) && msg.value.len == strlen(text) &&
		memcmp(msg.value.data, text, msg.value.len) == 0;
	kafka_consumer_close(consumer);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the message at offset " INT64_FORMAT " is not the one that was sent",
						offset)));
}

static char *
step_fetch(Check *check)
{
	expect_message(check, check->offset, "kafka.check");
	return "the message was read back";
}

static char *
step_transaction(Check *check)
{
	KafkaProducer *producer = kafka_transaction_open(check->opts);
	int64		offset;

	kafka_transaction_begin(producer);
	offset = send_one(check, producer, "kafka.check in a transaction");
	kafka_transaction_commit(producer);
	kafka_producer_close(producer);
	expect_message(check, offset, "kafka.check in a transaction");
	return "1 message committed and read back";
}

/* Waits for the one message that is looked for, as a member of the group. */
static void
await_in_group(KafkaMember *member, int64 offset)
{
	instr_time	begin;
	instr_time	now;
	KafkaMemberEvent event;

	INSTR_TIME_SET_CURRENT(begin);
	do
	{
		kafka_member_next(member, MEMBER_WAIT_MS, &event);
		if (event.type == KAFKA_MEMBER_MESSAGE && event.msg.offset == offset)
			return;
		if (event.type == KAFKA_MEMBER_ASSIGN)
		{
			int			n;
			KafkaMemberPartition **partitions = kafka_member_new_partitions(member, &n);

			for (int i = 0; i < n; i++)
				partitions[i]->position = offset;
			kafka_member_accept(member);
		}
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, begin);
	} while (INSTR_TIME_GET_MILLISEC(now) < kafka_setting_connect_timeout);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("a consumer of the group did not get the message in time"),
			 errhint("The limit is \"kafka_fdw.connect_timeout\".")));
}

/* Commits the offset behind the message and reads it back. */
static void
round_trip_offset(KafkaMember *member, const char *topic, int64 offset)
{
	KafkaGroupOffset next = {.topic = topic, .partition = 0, .offset = offset + 1};
	KafkaMemberPartition *partition = kafka_member_find(member, topic, 0);
	char		why[256];
	int64		stored;

	kafka_member_prepare_commit(member, &next, 1);
	if (!kafka_member_commit_quietly(member, kafka_setting_connect_timeout, why, sizeof(why)))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the group did not take the offset: %s", why)));
	kafka_member_committed(member, &partition, 1, &stored);
	if (stored != next.offset)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the group has offset " INT64_FORMAT " and not the one that was committed",
						stored)));
}

static char *
step_group(Check *check)
{
	KafkaOptions opts = *check->opts;
	char	   *error = NULL;
	int			sqlstate = 0;
	KafkaMember *member;

	opts.group_id = check->topic;
	member = kafka_member_open(&opts);
	PG_TRY();
	{
		kafka_member_subscribe(member, &check->topic, 1);
		await_in_group(member, check->offset);
		round_trip_offset(member, check->topic, check->offset);
	}
	PG_FINALLY();
	{
		kafka_member_close(member);
	}
	PG_END_TRY();
	kafka_groups_delete(check->opts, &check->topic, 1, &error, &sqlstate);
	if (error)
		ereport(ERROR,
				(errcode(sqlstate), errmsg("could not delete group \"%s\"", check->topic),
				 errdetail("librdkafka says: %s", error)));
	return psprintf("group %s: joined, 1 offset committed and read back", check->topic);
}

static char *
step_delete_topic(Check *check)
{
	char	   *error = NULL;
	int			sqlstate = 0;

	kafka_admin_delete_topics(check->opts, &check->topic, 1, &error, &sqlstate);
	if (error)
		ereport(ERROR,
				(errcode(sqlstate), errmsg("could not delete topic \"%s\"", check->topic),
				 errdetail("librdkafka says: %s", error)));
	return psprintf("topic %s", check->topic);
}

/* ------------------------------------------------------------------------
 * Running and reporting
 * ------------------------------------------------------------------------
 */
static void
put_step(Check *check, const char *step, bool run, bool ok, double ms, const char *detail)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) check->fcinfo->resultinfo;
	Datum		values[4] = {0};
	bool		nulls[4] = {false, !run, !run, false};

	values[0] = CStringGetTextDatum(step);
	values[1] = BoolGetDatum(ok);
	values[2] = Float8GetDatum(((int64) (ms * 1000)) / 1000.0);
	values[3] = CStringGetTextDatum(detail);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* What a failed step says: the error's text, with its detail. */
static char *
failure_text(const ErrorData *error)
{
	return error->detail ? psprintf("%s (%s): %s", error->message,
									unpack_sql_state(error->sqlerrcode), error->detail) :
		psprintf("%s (%s)", error->message, unpack_sql_state(error->sqlerrcode));
}

/* A cancel is not a finding about the server. */
static bool
is_finding(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) !=
		ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION);
}

typedef struct StepCall
{
	CheckStep	run;
	Check	   *check;
	char	   *detail;
} StepCall;

static void
call_step(void *arg)
{
	StepCall   *call = (StepCall *) arg;

	call->detail = call->run(call->check);
}

static void
run_step(Check *check, const char *name, CheckStep run)
{
	instr_time	begin;
	instr_time	end;
	StepCall	call = {.run = run, .check = check};
	ErrorData  *error;
	MemoryContext context;
	MemoryContext old;

	if (check->failed)
	{
		put_step(check, name, false, false, 0, "not run");
		return;
	}
	INSTR_TIME_SET_CURRENT(begin);
	context = AllocSetContextCreate(CurrentMemoryContext, "kafka.check step",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	error = kafka_attempt(call_step, &call, is_finding);
	MemoryContextSwitchTo(old);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, begin);
	put_step(check, name, true, error == NULL, INSTR_TIME_GET_MILLISEC(end),
			 error ? failure_text(error) : call.detail);
	check->failed = error != NULL;
	MemoryContextDelete(context);	/* closes what a failed step has left open */
}

/* The topic goes, whatever happened before. */
static void
clean_up(Check *check)
{
	bool		failed = check->failed;

	check->failed = !check->topic_made;
	run_step(check, "delete_topic", step_delete_topic);
	check->failed |= failed;
}

PG_FUNCTION_INFO_V1(kafka_check);

/* (server, write): a row (step, ok, milliseconds, detail) for each step. */
Datum
kafka_check(PG_FUNCTION_ARGS)
{
	Check		check = {.fcinfo = fcinfo, .opts = kafka_sql_server(fcinfo, 0)};
	bool		write = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);

	check.topic = psprintf("kafka_fdw_check_%d_%08x", MyProcPid,
						   (unsigned) (GetCurrentTimestamp() & 0xffffffff));
	InitMaterializedSRF(fcinfo, 0);
	run_step(&check, "connect", step_connect);
	if (!write)
		return (Datum) 0;
	PG_TRY();
	{
		run_step(&check, "create_topic", step_create_topic);
		run_step(&check, "produce", step_produce);
		run_step(&check, "fetch", step_fetch);
		run_step(&check, "transaction", step_transaction);
		run_step(&check, "group", step_group);
		clean_up(&check);
	}
	PG_CATCH();
	{
		if (check.topic_made)
			kafka_admin_delete_unwatched(check.opts, check.topic);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return (Datum) 0;
}
