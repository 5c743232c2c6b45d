/*-------------------------------------------------------------------------
 *
 * check_steps.c
 *	  The steps of kafka.check that ask Kafka alone.
 *
 * Layer 3.  Each does what a user of the server would do, on the temporary topic.
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
#include "ground/clock.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "sql/check.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

/* A consumer that waits looks at the time so often. */
#define MEMBER_WAIT_MS 200

/* And so often the end of the topic is looked at. */
#define LOOK_MS 1

/* Between two tries to delete the group. */
#define GROUP_WAIT_MS 20

char *
kafka_check_connect(KafkaCheck *check)
{
	return kafka_cluster_describe(check->opts);
}

char *
kafka_check_create_topic(KafkaCheck *check)
{
	KafkaNewTopic topic = {.name = check->topic, .partitions = 1, .replication_factor = -1};

	check->topic_made = true;	/* even where the answer gets lost */
	kafka_admin_create_topic(check->opts, &topic, false, kafka_setting_connect_timeout);
	return psprintf("topic %s", check->topic);
}

/* One message; inside Kafka's transaction where the producer has one open. */
static int64
send_one(KafkaCheck *check, KafkaProducer *producer, const char *text)
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

char *
kafka_check_produce(KafkaCheck *check)
{
	KafkaProducer *producer = kafka_producer_open(check->opts);

	check->offset = send_one(check, producer, "kafka.check");
	kafka_producer_close(producer);
	return psprintf("1 message acknowledged at offset " INT64_FORMAT, check->offset);
}

/* Both of these are declared, with what they do, in check.h. */
void
kafka_check_await_visible(KafkaCheck *check, int64 offset, const char *waits_for)
{
	int32		partition = 0;
	int64		end = 0;
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	for (;;)
	{
		kafka_topic_offsets(check->opts, check->topic, KAFKA_OFFSET_END, &partition, 1, &end);
		if (end > offset)
			return;
		if (kafka_elapsed_ms(begin) >= check->limit_ms)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
					 errmsg("%s in time", waits_for),
					 errdetail("Waited for %d ms.", check->limit_ms)));
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

void
kafka_check_expect(KafkaCheck *check, int64 offset, int64 end, const char *text)
{
	KafkaRange	range = {.partition = 0, .start = offset, .end = end};
	KafkaConsumer *consumer;
	KafkaMessage msg;
	bool		found;

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

/* A message that was sent is there. */
static void
expect_sent(KafkaCheck *check, int64 offset, const char *text)
{
	kafka_check_await_visible(check, offset, "readers were not shown the message");
	kafka_check_expect(check, offset, offset + 1, text);
}

char *
kafka_check_fetch(KafkaCheck *check)
{
	expect_sent(check, check->offset, "kafka.check");
	return "the message was read back";
}

char *
kafka_check_transaction(KafkaCheck *check)
{
	KafkaProducer *producer = kafka_transaction_open(check->opts);
	int64		offset;

	kafka_transaction_begin(producer);
	offset = send_one(check, producer, "kafka.check in a transaction");
	kafka_transaction_commit(producer);
	kafka_producer_close(producer);
	expect_sent(check, offset, "kafka.check in a transaction");
	return "1 message committed and read back";
}

/*
 * A message that was given up stands before one that was not: a read_committed reader is shown only
 * the second one.
 */
char *
kafka_check_abort(KafkaCheck *check)
{
	KafkaCheck	reader = *check;
	KafkaProducer *producer = kafka_transaction_open(check->opts);
	int64		offset;
	int64		next;

	reader.opts = kafka_options_with_property(check->opts, "isolation.level", "read_committed");
	kafka_transaction_begin(producer);
	offset = send_one(check, producer, "kafka.check, given up");
	kafka_transaction_abort(producer);
	kafka_producer_close(producer);
	producer = kafka_producer_open(check->opts);
	next = send_one(check, producer, "kafka.check after an abort");
	kafka_producer_close(producer);
	kafka_check_await_visible(&reader, next, "readers were not shown the message after an abort");
	kafka_check_expect(&reader, offset, next + 1, "kafka.check after an abort");
	return "1 message given up, which readers do not see";
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
	{
		CHECK_FOR_INTERRUPTS(); /* a cancel has ended the wait */
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the group did not take the offset: %s", why)));
	}
	kafka_member_committed(member, &partition, 1, &stored);
	if (stored != next.offset)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the group has offset " INT64_FORMAT " and not the one that was committed",
						stored)));
}

/* The coordinator may hear of the member's leaving a moment later. */
static void
delete_group(KafkaCheck *check, char **error, int *sqlstate)
{
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	for (;;)
	{
		*error = NULL;
		kafka_groups_delete(check->opts, &check->topic, 1, error, sqlstate);
		if (*error == NULL || *sqlstate != ERRCODE_OBJECT_IN_USE ||
			kafka_elapsed_ms(begin) >= check->limit_ms)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, GROUP_WAIT_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

char *
kafka_check_group(KafkaCheck *check)
{
	KafkaOptions opts = *check->opts;
	char	   *error = NULL;
	int			sqlstate = 0;
	KafkaMember *member;

	opts.group_id = check->topic;
	check->group_made = true;
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
	delete_group(check, &error, &sqlstate);
	if (error)
		ereport(ERROR,
				(errcode(sqlstate), errmsg("could not delete group \"%s\"", check->topic),
				 errdetail("librdkafka says: %s", error)));
	check->group_made = false;
	return psprintf("group %s: joined, 1 offset committed and read back", check->topic);
}

char *
kafka_check_delete_topic(KafkaCheck *check)
{
	char	   *error = NULL;
	int			sqlstate = 0;

	/* what a step that has failed has left; there may be no such group */
	if (check->group_made)
		kafka_groups_delete(check->opts, &check->topic, 1, &error, &sqlstate);
	error = NULL;
	kafka_admin_delete_topics(check->opts, &check->topic, 1, &error, &sqlstate);
	if (error)
		ereport(ERROR,
				(errcode(sqlstate), errmsg("could not delete topic \"%s\"", check->topic),
				 errdetail("librdkafka says: %s", error)));
	return psprintf("topic %s", check->topic);
}
