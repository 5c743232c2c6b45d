/*-------------------------------------------------------------------------
 *
 * position.c
 *	  Where an outbox stands in Kafka: the last record of its topic of positions.
 *
 * Layer 3.  A record's value is a JSON object, so that an operator can read it with any consumer.
 * A group's offsets would do too, but they expire when nothing is committed for a week, and any
 * tool for groups can move them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <unistd.h>

#include "access/xlog.h"
#include "client/admin.h"
#include "client/config.h"
#include "client/consumer.h"
#include "client/property.h"
#include "client/topic.h"
#include "ground/attempt.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "outbox/position.h"
#include "postmaster/postmaster.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define RECORD_KEY "position"
/* Records that are read first; most often the last one is among them. */
#define FIRST_LOOK 32
/* Pause between two looks at the topic's ends, ms. */
#define SETTLE_PAUSE_MS 2

/* ------------------------------------------------------------------------
 * Names
 * ------------------------------------------------------------------------
 */
KafkaIncarnation
kafka_incarnation_of_this(void)
{
	KafkaIncarnation self = {.system = GetSystemIdentifier(),
		.timeline = GetWALInsertionTimeLine(),
	.database = MyDatabaseId};
	char		host[256] = "";

	if (kafka_setting_instance_name[0])
		self.instance = pstrdup(kafka_setting_instance_name);
	else
	{
		gethostname(host, sizeof(host) - 1);
		self.instance = psprintf("%s:%d%s", host, PostPortNumber, DataDir);
	}
	return self;
}

bool
kafka_incarnation_is_same(const KafkaIncarnation *a, const KafkaIncarnation *b)
{
	return a->system == b->system && a->timeline == b->timeline &&
		a->database == b->database && strcmp(a->instance, b->instance) == 0;
}

char *
kafka_incarnation_text(const KafkaIncarnation *incarnation)
{
	return psprintf(UINT64_FORMAT "/%u/%u/%s", incarnation->system, incarnation->timeline,
					incarnation->database, incarnation->instance);
}

static char *
uuid_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}

char *
kafka_position_topic(const KafkaOutbox *outbox)
{
	return psprintf(KAFKA_POSITION_TOPIC_PREFIX "%s", uuid_text(&outbox->uuid));
}

char *
kafka_position_transactional_id(const KafkaOutbox *outbox, int number)
{
	return psprintf(KAFKA_POSITION_TOPIC_PREFIX "%s.%d", uuid_text(&outbox->uuid), number);
}

/* ------------------------------------------------------------------------
 * The topic
 * ------------------------------------------------------------------------
 */
static void
add_config(KafkaNewTopic *topic, const char *name, const char *value)
{
	KafkaProperty *property = palloc0(sizeof(KafkaProperty));

	property->name = pstrdup(name);
	property->value = pstrdup(value);
	topic->config = lappend(topic->config, property);
}

/* Small segments: a record for each transaction is soon old. */
static void
create_topic(const KafkaOptions *opts, const char *name)
{
	KafkaNewTopic topic = {.name = name, .partitions = 1, .replication_factor = -1};

	add_config(&topic, "cleanup.policy", "compact");
	add_config(&topic, "segment.bytes", "16777216");
	(void) kafka_admin_create_topic(opts, &topic, true, kafka_setting_connect_timeout);
}

static void
check_policy(const KafkaOptions *opts, const char *name)
{
	KafkaConfigResource resource = {.type = KAFKA_CONFIG_TOPIC, .name = name,
	.broker = KAFKA_UNKNOWN};
	const KafkaConfigEntry *policy = kafka_config_find(kafka_config_describe(opts, &resource),
													   "cleanup.policy");

	if (policy == NULL || policy->value == NULL || strcmp(policy->value, "compact") == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the topic of the outbox's position has cleanup.policy \"%s\"",
					policy->value),
			 errdetail("Kafka would delete the position from topic \"%s\".", name),
			 errhint("Set its cleanup.policy to \"compact\".")));
}

bool
kafka_position_ensure_topic(const KafkaOptions *opts, const char *topic, bool existing)
{
	int32		partitions = kafka_topic_partitions(opts, topic, true, false);

	if (partitions < 0 && existing)
		return false;
	if (partitions < 0)
		create_topic(opts, topic);
	if (partitions > 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the topic of the outbox's position has %d partitions", partitions),
				 errdetail("Topic \"%s\" must have one.", topic)));
	check_policy(opts, topic);
	return true;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
throw_unreadable(int64 offset, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the position of the outbox in Kafka cannot be read"),
			 errdetail("Its record at offset " INT64_FORMAT " has no valid \"%s\".", offset, what)));
}

/* A member's text; NULL for JSON's null, and where it is missing. */
static char *
member_text(Jsonb *json, const char *name)
{
	JsonbValue	buffer;
	JsonbValue *value = getKeyJsonValueFromContainer(&json->root, name, (int) strlen(name),
													 &buffer);

	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));
	return NULL;
}

static uint64
member_number(Jsonb *json, const char *name, int64 offset)
{
	const char *text = member_text(json, name);
	char	   *end;
	uint64		number;

	errno = 0;
	number = text ? strtoull(text, &end, 10) : 0;
	if (text == NULL || errno || *end || end == text)
		throw_unreadable(offset, name);
	return number;
}

static pg_uuid_t
member_uuid(Jsonb *json, const char *name, int64 offset)
{
	char	   *text = member_text(json, name);

	if (text == NULL || strlen(text) != 36 || strspn(text, "0123456789abcdef-") != 36)
		throw_unreadable(offset, name);
	return *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
}

/* Only the extension's own relays write here; anything else is refused, not guessed at. */
static void
parse_record(const KafkaMessage *msg, KafkaOutboxPosition *position)
{
	char	   *text = pnstrdup(msg->value.data ? msg->value.data : "", msg->value.len);
	Jsonb	   *json;

	if (text[0] != '{' || strlen(text) != msg->value.len)
		throw_unreadable(msg->offset, "value");
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	if (member_number(json, "version", msg->offset) != 1)
		throw_unreadable(msg->offset, "version");
	position->tick = (int64) member_number(json, "tick", msg->offset);
	position->token = member_uuid(json, "token", msg->offset);
	position->row = member_text(json, "row") ?
		(int64) member_number(json, "row", msg->offset) : KAFKA_WHOLE_TICK;
	position->highest = (int64) member_number(json, "highest", msg->offset);
	position->claim = member_uuid(json, "claim", msg->offset);
	position->incarnation.system = member_number(json, "system", msg->offset);
	position->incarnation.timeline = (uint32) member_number(json, "timeline", msg->offset);
	position->incarnation.database = (Oid) member_number(json, "database", msg->offset);
	position->incarnation.instance = member_text(json, "instance");
	if (position->incarnation.instance == NULL)
		throw_unreadable(msg->offset, "instance");
	position->offset = msg->offset;
}

static bool
is_position(const KafkaMessage *msg)
{
	return msg->key.len == strlen(RECORD_KEY) &&
		memcmp(msg->key.data, RECORD_KEY, msg->key.len) == 0;
}

/* What parse_record is given, and gives. */
typedef struct Parsing
{
	const KafkaMessage *msg;
	KafkaOutboxPosition *position;
} Parsing;

static void
run_parsing(void *arg)
{
	Parsing    *parsing = (Parsing *) arg;

	parse_record(parsing->msg, parsing->position);
}

static bool
is_data_error(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION ||
		sqlstate == ERRCODE_DATA_CORRUPTED;
}

/* Whoever may write to the topic can write anything. */
static void
parse_any_record(const KafkaMessage *msg, KafkaOutboxPosition *position)
{
	Parsing		parsing = {msg, position};
	const ErrorData *error = kafka_attempt(run_parsing, &parsing, is_data_error);

	if (error == NULL)
		return;
	memset(position, 0, sizeof(*position));
	position->row = KAFKA_WHOLE_TICK;
	position->offset = msg->offset;
	position->unreadable = error->detail ? pstrdup(error->detail) : pstrdup(error->message);
}

/* The last record of these offsets. */
static bool
read_range(const KafkaOptions *opts, const char *topic, int64 start, int64 end,
		   KafkaOutboxPosition *position)
{
	KafkaRange	range = {.partition = 0, .start = start, .end = end};
	KafkaConsumer *consumer = kafka_consumer_open(opts, topic, &range, 1, FIRST_LOOK);
	KafkaMessage msg;
	StringInfoData value;
	int64		offset = KAFKA_UNKNOWN;

	initStringInfo(&value);
	while (kafka_consumer_next(consumer, &msg))
	{
		if (!is_position(&msg))
			continue;
		offset = msg.offset;
		resetStringInfo(&value);
		appendBinaryStringInfo(&value, msg.value.data ? msg.value.data : "", (int) msg.value.len);
	}
	kafka_consumer_close(consumer);
	if (offset == KAFKA_UNKNOWN)
		return false;
	msg.value.data = value.data;
	msg.value.len = value.len;
	msg.offset = offset;
	parse_any_record(&msg, position);
	return true;
}

/* read_committed is the default; another handle is made only where the user wants another level. */
const KafkaOptions *
kafka_position_committed(const KafkaOptions *opts)
{
	ListCell   *lc;

	foreach(lc, opts->properties)
	{
		const char *name = kafka_property_name(((KafkaProperty *) lfirst(lc))->name);

		if (name && strcmp(name, "isolation.level") == 0)
			return kafka_options_with_property(opts, "isolation.level", "read_committed");
	}
	return opts;
}

const KafkaOptions *
kafka_position_uncommitted(const KafkaOptions *opts)
{
	return kafka_options_with_property(opts, "isolation.level", "read_uncommitted");
}

bool
kafka_position_read(const KafkaOptions *opts, const char *topic, KafkaOutboxPosition *position)
{
	const KafkaOptions *committed = kafka_position_committed(opts);
	KafkaBounds bounds;
	int64		end;

	kafka_topic_bounds(committed, topic, &bounds);
	end = bounds.ends[0];
	for (int64 count = FIRST_LOOK; end > bounds.lows[0]; count *= 8)
	{
		int64		start = Max(bounds.lows[0], end - count);

		if (read_range(committed, topic, start, end, position))
			return true;
		end = start;
	}
	return false;
}

static int64
topic_end(const KafkaOptions *opts, const char *topic)
{
	int64		end;

	kafka_topic_offsets(opts, topic, KAFKA_OFFSET_END, NULL, 1, &end);
	return end;
}

void
kafka_position_await_settled(const KafkaOptions *opts, const char *topic)
{
	const KafkaOptions *committed = kafka_position_committed(opts);
	int64		high = topic_end(kafka_position_uncommitted(opts), topic);
	TimestampTz begin = GetCurrentTimestamp();

	while (topic_end(committed, topic) < high)
	{
		if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), kafka_setting_commit_timeout))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
					 errmsg("a transaction stays open in the topic of the outbox's position"),
					 errdetail("Waited for %d ms for topic \"%s\".", kafka_setting_commit_timeout, topic),
					 errhint(KAFKA_HANGING_HINT)));
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, SETTLE_PAUSE_MS,
						 PG_WAIT_EXTENSION);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */
char *
kafka_position_encode(const KafkaOutboxPosition *position)
{
	StringInfoData value;

	initStringInfo(&value);
	appendStringInfo(&value, "{\"version\":1,\"tick\":" INT64_FORMAT ",\"token\":\"%s\"",
					 position->tick, uuid_text(&position->token));
	if (position->row != KAFKA_WHOLE_TICK)
		appendStringInfo(&value, ",\"row\":" INT64_FORMAT, position->row);
	appendStringInfo(&value, ",\"highest\":" INT64_FORMAT, position->highest);
	appendStringInfo(&value, ",\"claim\":\"%s\",\"system\":\"" UINT64_FORMAT
					 "\",\"timeline\":%u,\"database\":%u,\"instance\":",
					 uuid_text(&position->claim), position->incarnation.system,
					 position->incarnation.timeline, position->incarnation.database);
	escape_json(&value, position->incarnation.instance);
	appendStringInfoChar(&value, '}');
	return value.data;
}

void
kafka_position_send(KafkaProducer *producer, KafkaTarget *target, const char *value)
{
	KafkaMessage msg = {.partition = 0, .offset = KAFKA_UNKNOWN, .timestamp = KAFKA_UNKNOWN};

	msg.key.data = RECORD_KEY;
	msg.key.len = strlen(RECORD_KEY);
	msg.value.data = value;
	msg.value.len = strlen(value);
	kafka_producer_send(producer, target, &msg);
}
