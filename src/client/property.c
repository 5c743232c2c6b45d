/*-------------------------------------------------------------------------
 *
 * property.c
 *	  librdkafka's properties as options of servers, user mappings and tables.
 *
 * Layer 1.  Three sources meet here: librdkafka's own list (which names exist and
 * which direction they belong to, read from rd_kafka_conf_properties_show), the rules of
 * rules.c (what users may set, and where), and the defaults that this extension's way of
 * reading and writing needs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <stdio.h>

#include "client/property.h"
#include "client/rdkafka_api.h"
#include "client/rules.h"
#include "foreign/foreign.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

/* ------------------------------------------------------------------------
 * librdkafka's own list
 * ------------------------------------------------------------------------
 */
typedef struct KnownProperty
{
	char	   *name;
	char		direction;		/* 'C', 'P' or '*' */
} KnownProperty;

static KnownProperty *known_properties;
static int	n_known_properties;

/* A row of the table is "name | C/P | range | ..."; anything else is a heading. */
static bool
parse_property_row(char *line, char **name, char *direction)
{
	char	   *bar = strstr(line, " | ");
	char	   *end;

	if (bar == NULL || strncmp(line, "Property ", 9) == 0)
		return false;
	*direction = bar[3] == ' ' ? bar[4] : bar[3];
	end = bar;
	*end = '\0';
	while (end > line && end[-1] == ' ')
		*--end = '\0';
	*name = line;
	return *line != '\0';
}

static const KnownProperty *
find_known(const char *name)
{
	for (int i = 0; i < n_known_properties; i++)
		if (strcmp(known_properties[i].name, name) == 0)
			return &known_properties[i];
	return NULL;
}

/* A name that is both a global and a topic property is kept once. */
static void
add_known(char *name, char direction)
{
	KnownProperty *known = (KnownProperty *) find_known(name);

	if (known)
	{
		if (known->direction != direction)
			known->direction = '*';
		return;
	}
	known = &known_properties[n_known_properties++];
	known->name = MemoryContextStrdup(TopMemoryContext, name);
	known->direction = direction;
}

static void
load_known_properties(void)
{
	char	   *text = NULL;
	size_t		size = 0;
	FILE	   *stream;
	char	   *line;
	char	   *save;
	int			lines = 1;

	if (known_properties)
		return;
	stream = open_memstream(&text, &size);
	if (stream == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	rd_kafka_conf_properties_show(stream);
	fclose(stream);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			lines++;
	known_properties = MemoryContextAlloc(TopMemoryContext, lines * sizeof(KnownProperty));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
	{
		char	   *name;
		char		direction;

		if (parse_property_row(line, &name, &direction))
			add_known(name, direction);
	}
	free(text);
}

/* Options are written with underscores or with dots; both are compared as dots. */
static bool
same_name(const char *option, const char *name)
{
	for (; *option && *name; option++, name++)
		if ((*option == '_' ? '.' : *option) != (*name == '_' ? '.' : *name))
			return false;
	return *option == *name;
}

static const KnownProperty *
find_property(const char *option)
{
	load_known_properties();
	if (strcmp(option, "brokers") == 0)
		option = "bootstrap.servers";
	for (int i = 0; i < n_known_properties; i++)
		if (same_name(option, known_properties[i].name))
			return &known_properties[i];
	return NULL;
}

const char *
kafka_property_name(const char *option)
{
	const KnownProperty *known = find_property(option);

	if (known == NULL)
		return NULL;
	if (strcmp(known->name, "metadata.broker.list") == 0)
		return "bootstrap.servers";
	return known->name;
}

bool
kafka_property_is_producers(const char *option)
{
	const KnownProperty *known = find_property(option);

	return known && known->direction == 'P';
}

/* ------------------------------------------------------------------------
 * Checks where an option is set
 * ------------------------------------------------------------------------
 */

/* Keeps the nearest of the names offered so far. */
static void
offer_name(const char *wanted, const char *name, const char **best, int *distance)
{
	int			found;

	if (strlen(name) > 255)
		return;
	found = varstr_levenshtein_less_equal(wanted, strlen(wanted), name, strlen(name),
										  1, 1, 1, *distance - 1, true);
	if (found < *distance)
	{
		*distance = found;
		*best = name;
	}
}

static KAFKA_NORETURN void
reject_unknown(const char *option, KafkaOptionPlace place)
{
	const KafkaOption *elsewhere = kafka_option_find(option, ~0);
	const char *best = NULL;
	int			distance = Min((int) strlen(option) / 2, 5) + 1;

	if (elsewhere)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", option),
				 errhint("It is an option of %s.",
						 elsewhere->places & KAFKA_ON_TABLE ? "a foreign table" :
						 elsewhere->places & KAFKA_ON_SERVER ? "a server or user mapping" :
						 elsewhere->places & KAFKA_ON_IMPORT ? "IMPORT FOREIGN SCHEMA" :
						 "a column")));
	if (strlen(option) <= 255)
	{
		for (const KafkaOption *own = kafka_option_table; own->name; own++)
			if (own->places & place)
				offer_name(option, own->name, &best, &distance);
		for (int i = 0; place != KAFKA_ON_COLUMN && place != KAFKA_ON_WRAPPER &&
			 i < n_known_properties; i++)
		{
			char	   *spelled = pstrdup(known_properties[i].name);

			if (kafka_rules_of(spelled) == KAFKA_RULE_OWNED)
				continue;
			for (char *p = spelled; *p; p++)
				if (*p == '.')
					*p = '_';
			offer_name(option, spelled, &best, &distance);
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", option),
			 best ? errhint("Perhaps you meant the option \"%s\".", best) :
			 errhint("Options are those of kafka_fdw and, on servers, user mappings and "
					 "tables, librdkafka's properties with underscores for dots.")));
}

static KAFKA_NORETURN void
reject_producers(const char *option)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("option \"%s\" does not belong to a consumer", option),
			 errhint("It is a producer's property.")));
}

/* A server's options are everybody's to read: what is secret in a URL belongs elsewhere. */
static void
check_url(const char *option, const char *url)
{
	const char *host = strstr(url, "://");

	if (host == NULL || host[3 + strcspn(host + 3, "@/?#")] != '@')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", option),
			 errdetail("The URL has a user name or password in it."),
			 errhint("Set \"sasl_oauthbearer_client_id\" and "
					 "\"sasl_oauthbearer_client_secret\" in a user mapping.")));
}

static void
check_value(const char *option, const char *name, const char *value)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char		reason[512];
	char		text[600];
	rd_kafka_conf_res_t res;

	res = rd_kafka_conf_set(conf, name, value, reason, sizeof(reason));
	snprintf(text, sizeof(text), "librdkafka says: %s", reason);
	rd_kafka_conf_destroy(conf);
	if (strcmp(name, "bootstrap.servers") == 0 && value[strspn(value, " ,")] == '\0')
	{
		res = RD_KAFKA_CONF_INVALID;
		strlcpy(text, "No broker is named.", sizeof(text));
	}
	if (res == RD_KAFKA_CONF_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", option),
			 kafka_rules_is_secret(name) ? 0 : errdetail_internal("%s", text)));
}

void
kafka_property_check(const char *option, const char *value, KafkaOptionPlace place, Oid userid)
{
	const KnownProperty *known = NULL;
	KafkaRule	rule;

	load_known_properties();
	if (place != KAFKA_ON_COLUMN && place != KAFKA_ON_WRAPPER)
		known = find_property(option);
	if (known == NULL)
		reject_unknown(option, place);
	rule = kafka_rules_of(known->name);
	kafka_rules_check_set(option, known->name, place, userid);
	if (place == KAFKA_ON_CONSUMER && known->direction == 'P')
		reject_producers(option);
	if (strcmp(known->name, "sasl.oauthbearer.token.endpoint.url") == 0)
		check_url(option, value);
	/* setting these on a scratch object already opens the file or loads the code */
	if (rule != KAFKA_RULE_PROGRAM && rule != KAFKA_RULE_FILE)
		check_value(option, known->name, value);
}

/* ------------------------------------------------------------------------
 * The properties of a handle
 * ------------------------------------------------------------------------
 */
static void
put_setting(List **settings, const char *name, const char *value)
{
	ListCell   *lc;
	KafkaSetting *setting;

	foreach(lc, *settings)
	{
		setting = (KafkaSetting *) lfirst(lc);
		if (strcmp(setting->name, name) == 0)
		{
			setting->value = pstrdup(value);
			return;
		}
	}
	setting = palloc(sizeof(KafkaSetting));
	setting->name = name;
	setting->value = pstrdup(value);
	*settings = lappend(*settings, setting);
}

const char *
kafka_property_get(List *settings, const char *name)
{
	ListCell   *lc;

	foreach(lc, settings)
	{
		KafkaSetting *setting = (KafkaSetting *) lfirst(lc);

		if (strcmp(setting->name, name) == 0)
			return setting->value;
	}
	return NULL;
}

/* Optional: set only where this librdkafka has it. */
static void
put_if_known(List **settings, const char *name, const char *value)
{
	if (find_property(name))
		put_setting(settings, name, value);
}

#define DEFAULT_QUEUE_KBYTES "65536"
#define DEFAULT_FETCH_BYTES "8388608"

/* Defaults that users may override; doc/options.md lists them. */
static void
put_defaults(List **settings, KafkaRole role)
{
	/* who wants a few messages needs none beyond the first answer's */
	const char *queued = role == KAFKA_ROLE_PICKER ? "1000" : "20000";
	char		timeout[32];
	char		interval[32];

	put_setting(settings, "client.id", "kafka_fdw");
	put_setting(settings, "log.connection.close", "false");
	put_setting(settings, "reconnect.backoff.max.ms", "1000");
	put_setting(settings, "socket.nagle.disable", "true");
	put_if_known(settings, "enable.metrics.push", "false");
	snprintf(interval, sizeof(interval), "%d", kafka_setting_statistics_interval);
	put_setting(settings, "statistics.interval.ms", interval);
	/* what is not remembered cannot be mistaken for the topic that took its name */
	if (KAFKA_RD_FRAGILE_TOPIC_CACHE())
		put_setting(settings, "metadata.max.age.ms", "1000");
	switch (role)
	{
		case KAFKA_ROLE_ADMIN:
		case KAFKA_ROLE_GROUPS:
			put_setting(settings, "fetch.max.bytes", DEFAULT_FETCH_BYTES);
			break;
		case KAFKA_ROLE_PICKER:
			put_setting(settings, "fetch.message.max.bytes", "65536");
			KAFKA_FALLTHROUGH;
		case KAFKA_ROLE_CONSUMER:
			/* a scan ends by position: a long poll at the end would only delay the next one */
			put_setting(settings, "fetch.wait.max.ms", "1");
			put_setting(settings, "fetch.error.backoff.ms", "20");
			put_setting(settings, "fetch.max.bytes", DEFAULT_FETCH_BYTES);
			put_setting(settings, "queued.min.messages", queued);
			put_setting(settings, "queued.max.messages.kbytes", "16384");
			put_if_known(settings, "fetch.queue.backoff.ms", "2");
			break;
		case KAFKA_ROLE_MEMBER:
			/* it fetches on between polls: no more often than a rewind can wait */
			put_setting(settings, "fetch.wait.max.ms", "100");
			put_setting(settings, "fetch.error.backoff.ms", "20");
			put_setting(settings, "fetch.max.bytes", DEFAULT_FETCH_BYTES);
			put_setting(settings, "queued.min.messages", queued);
			put_setting(settings, "queued.max.messages.kbytes", "16384");
			put_if_known(settings, "fetch.queue.backoff.ms", "2");
			break;
		case KAFKA_ROLE_TRANSACTIONAL:
			/* longer than the longest wait for a message, within a broker's usual maximum */
			snprintf(timeout, sizeof(timeout), "%d",
					 Min(Max(60000, kafka_setting_commit_timeout * 2), 900000));
			put_setting(settings, "transaction.timeout.ms", timeout);
			KAFKA_FALLTHROUGH;
		case KAFKA_ROLE_PRODUCER:
			/* message.timeout.ms stays long: the limit on waiting is on lack of progress */
			put_setting(settings, "enable.idempotence", "true");
			put_setting(settings, "queue.buffering.max.kbytes", DEFAULT_QUEUE_KBYTES);
			put_setting(settings, "retry.backoff.ms", "5");
			/* fills batches while rows come; who waits for a message flushes, which ends it */
			put_setting(settings, "linger.ms", "50");
			break;
	}
}

/* What the extension's way of using librdkafka rests on; set last. */
static void
put_fixed(List **settings, KafkaRole role)
{
	static const char *const never = "0";
	char		level[8];

	snprintf(level, sizeof(level), "%d", Max(kafka_setting_log_broker_messages, 3));
	put_setting(settings, "log_level", level);
	put_setting(settings, "log.queue", "true");
	/* a topic that is missing is an error, whatever the broker would make of it */
	put_setting(settings, "allow.auto.create.topics", "false");
	switch (role)
	{
		case KAFKA_ROLE_ADMIN:
			break;
		case KAFKA_ROLE_GROUPS:
			/* it never joins, and the group need not exist */
			put_setting(settings, "group.id", "kafka_fdw");
			put_setting(settings, "enable.auto.commit", "false");
			break;
		case KAFKA_ROLE_MEMBER:
			/* who takes them would keep a session that hangs in its group */
			if (KAFKA_RD_POLL_KEEPS_MEMBER())
				put_setting(settings, "statistics.interval.ms", never);
			KAFKA_FALLTHROUGH;
		case KAFKA_ROLE_CONSUMER:
		case KAFKA_ROLE_PICKER:
			put_setting(settings, "auto.offset.reset", "error");
			put_setting(settings, "enable.auto.commit", "false");
			put_setting(settings, "enable.auto.offset.store", "false");
			put_setting(settings, "enable.partition.eof", "true");
			break;
		case KAFKA_ROLE_PRODUCER:
			put_setting(settings, "partitioner", "murmur2_random");
			break;
		case KAFKA_ROLE_TRANSACTIONAL:
			put_setting(settings, "partitioner", "murmur2_random");
			put_setting(settings, "enable.idempotence", "true");
			break;
	}
}

/*
 * A consumer's properties are of no use to a producer, and the other way round.  The metadata
 * handle is a consumer: librdkafka compares fetch.max.bytes with receive.message.max.bytes.
 */
static bool
suits_role(const KnownProperty *known, KafkaRole role)
{
	if (known->direction == 'P')
		return role == KAFKA_ROLE_PRODUCER || role == KAFKA_ROLE_TRANSACTIONAL;
	if (known->direction == 'C')
		return role == KAFKA_ROLE_CONSUMER || role == KAFKA_ROLE_PICKER ||
			role == KAFKA_ROLE_MEMBER ||
			((role == KAFKA_ROLE_ADMIN || role == KAFKA_ROLE_GROUPS) &&
			 (strcmp(known->name, "isolation.level") == 0 ||
			  strcmp(known->name, "fetch.max.bytes") == 0));
	return true;
}

/*
 * In a transaction all sends of a server share one producer, so a table cannot give it
 * properties of its own.
 */
static void
reject_table_producer_property(const KafkaProperty *property)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("option \"%s\" on a table needs delivery \"immediate\"", property->name),
			 errdetail("In the other modes all sends of a transaction share one producer."),
			 errhint("Set the option on the server, or the table's \"delivery\" to "
					 "\"immediate\".")));
}

/*
 * Without acks from all replicas there is no idempotence, and a transaction cannot keep
 * its promise.
 */
static void
settle_acks(List **settings, KafkaRole role)
{
	const char *acks = kafka_property_get(*settings, "acks");

	if (acks == NULL)
		acks = kafka_property_get(*settings, "request.required.acks");
	if (acks == NULL || strcmp(acks, "all") == 0 || strcmp(acks, "-1") == 0)
		return;
	if (role == KAFKA_ROLE_TRANSACTIONAL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"acks\" must be \"all\" in this delivery mode"),
				 errhint("Only delivery \"immediate\" may use other values.")));
	if (role == KAFKA_ROLE_PRODUCER)
		put_setting(settings, "enable.idempotence", "false");
}

/* The queue must take the longest message, twice, so that one is packed while one is sent. */
static void
settle_queue(List **settings)
{
	const char *longest = kafka_property_get(*settings, "message.max.bytes");
	const char *queue = kafka_property_get(*settings, "queue.buffering.max.kbytes");
	int64		kbytes;

	if (longest == NULL || queue == NULL || strcmp(queue, DEFAULT_QUEUE_KBYTES) != 0)
		return;
	kbytes = (int64) pg_strtoint32(longest) / 1024 * 2 + 2;
	if (kbytes > pg_strtoint32(queue))
		put_setting(settings, "queue.buffering.max.kbytes", psprintf(INT64_FORMAT, kbytes));
}

/*
 * A fetch must take the longest message, and its answer must be allowed in.  librdkafka sees to
 * both, but only while it has chosen fetch.max.bytes itself.
 */
static void
settle_fetch(List **settings)
{
	const char *longest = kafka_property_get(*settings, "message.max.bytes");
	const char *received = kafka_property_get(*settings, "receive.message.max.bytes");
	const char *fetch = kafka_property_get(*settings, "fetch.max.bytes");
	int			bytes;

	if (fetch == NULL || strcmp(fetch, DEFAULT_FETCH_BYTES) != 0)
		return;
	bytes = pg_strtoint32(fetch);
	if (received)
		bytes = Min(bytes, pg_strtoint32(received) - 512);
	if (longest)
		bytes = Max(bytes, pg_strtoint32(longest));
	put_setting(settings, "fetch.max.bytes", psprintf("%d", bytes));
}

/* The mechanism has two names, of which librdkafka obeys the one that is set last. */
static void
check_login(const KafkaOptions *opts, List *settings)
{
	const char *protocol = kafka_property_get(settings, "security.protocol");
	const char *mechanism = kafka_property_get(settings, "sasl.mechanism");
	const char *mechanisms = kafka_property_get(settings, "sasl.mechanisms");

	kafka_rules_check_login(opts, protocol, mechanisms ? mechanisms : mechanism);
	if (mechanism)
		kafka_rules_check_login(opts, protocol, mechanism);
}

List *
kafka_property_collect(const KafkaOptions *opts, KafkaRole role)
{
	List	   *settings = NIL;
	ListCell   *lc;

	put_defaults(&settings, role);
	foreach(lc, opts->properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);
		const KnownProperty *known = find_property(property->name);
		KafkaRule	rule;

		if (known == NULL)
			reject_unknown(property->name, property->place);
		rule = kafka_rules_of(known->name);
		kafka_rules_check_use(opts, property, rule);
		if (!suits_role(known, role))
			continue;
		/* a consumer asks for metadata by the session's handle; its ends depend on one of its own */
		if (property->place == KAFKA_ON_CONSUMER && role != KAFKA_ROLE_MEMBER &&
			strcmp(known->name, "isolation.level") != 0)
			continue;
		if (role == KAFKA_ROLE_TRANSACTIONAL && property->place == KAFKA_ON_TABLE)
			reject_table_producer_property(property);
		put_setting(&settings, kafka_property_name(property->name), property->value);
	}
	check_login(opts, settings);
	settle_acks(&settings, role);
	settle_queue(&settings);
	settle_fetch(&settings);
	put_fixed(&settings, role);
	if (opts->group_id && role == KAFKA_ROLE_MEMBER)
		put_setting(&settings, "group.id", opts->group_id);
	if (opts->group_instance_id && role == KAFKA_ROLE_MEMBER)
		put_setting(&settings, "group.instance.id", opts->group_instance_id);
	return settings;
}

bool
kafka_property_has_tables(const KafkaOptions *opts)
{
	ListCell   *lc;

	foreach(lc, opts->properties)
		if (((KafkaProperty *) lfirst(lc))->place == KAFKA_ON_TABLE)
			return true;
	return false;
}

int64
kafka_property_max_message(const KafkaOptions *opts)
{
	ListCell   *lc;
	int64		message = 1000000;	/* librdkafka's default */
	int64		queue = -1;

	foreach(lc, opts->properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);
		const char *name = kafka_property_name(property->name);

		if (name && strcmp(name, "message.max.bytes") == 0)
			message = pg_strtoint32(property->value);
		else if (name && strcmp(name, "queue.buffering.max.kbytes") == 0)
			queue = (int64) pg_strtoint32(property->value) * 1024;
	}
	/* one that never fits into the queue would wait for ever to get in */
	return queue >= 0 ? Min(message, queue) : message;
}
