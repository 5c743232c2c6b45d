/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Defines the settings kafka_fdw.*.
 *
 * Layer 0.  Names, defaults and units stand here once; the manual's list is
 * compared with pg_settings by a test (test/t/003_documents.pl).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/compat.h"
#include "ground/options.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "utils/varlena.h"

char	   *kafka_setting_server;
int			kafka_setting_delivery = KAFKA_DELIVERY_BEFORE_COMMIT;
int			kafka_setting_connect_timeout = 10 * 1000;
int			kafka_setting_commit_timeout = 30 * 1000;
int			kafka_setting_after_commit_timeout = 10 * 1000;
int			kafka_setting_commit_wait = KAFKA_WAIT_ACKNOWLEDGED;
int			kafka_setting_send_buffer = 64 * 1024;
char	   *kafka_setting_instance_name;
int			kafka_setting_log_broker_messages = 4;
int			kafka_setting_statistics_interval = 0;
int			kafka_setting_outbox_retention = 3600;
char	   *kafka_setting_relay_databases;
int			kafka_setting_relay_naptime = 1000;
int			kafka_setting_relay_takeover = KAFKA_TAKEOVER_NEVER;
int			kafka_setting_relay_batch_rows = 50000;
int			kafka_setting_relay_batch_bytes = 16 * 1024;
int			kafka_setting_max_workers = 10;

/* syslog's levels, as librdkafka numbers them */
static const struct config_enum_entry log_levels[] = {
	{"emergency", 0, false},
	{"alert", 1, false},
	{"critical", 2, false},
	{"error", 3, false},
	{"warning", 4, false},
	{"notice", 5, false},
	{"info", 6, false},
	{"debug", 7, false},
	{NULL, 0, false}
};

static const struct config_enum_entry commit_waits[] = {
	{"acknowledged", KAFKA_WAIT_ACKNOWLEDGED, false},
	{"visible", KAFKA_WAIT_VISIBLE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry takeovers[] = {
	{"never", KAFKA_TAKEOVER_NEVER, false},
	{"newer_timeline", KAFKA_TAKEOVER_NEWER_TIMELINE, false},
	{NULL, 0, false}
};

static void
define_names(void)
{
	DefineCustomStringVariable("kafka_fdw.server",
							   "Server that functions use when they are given none.",
							   "Empty: the only kafka_fdw server of the database.",
							   &kafka_setting_server, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("kafka_fdw.instance_name",
							   "Name of this instance in Kafka's transactional ids.",
							   "Empty: made of host name, port and data directory, "
							   "so that a clone never fences its original.",
							   &kafka_setting_instance_name, "", PGC_SIGHUP, 0,
							   NULL, NULL, NULL);
}

static void
define_enums(void)
{
	DefineCustomEnumVariable("kafka_fdw.delivery",
							 "How sends belong to the transaction where nothing else says so.",
							 NULL, &kafka_setting_delivery,
							 KAFKA_DELIVERY_BEFORE_COMMIT, kafka_delivery_modes,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("kafka_fdw.commit_wait",
							 "What COMMIT waits for when it has sent messages.",
							 "visible: until every read_committed reader sees them.",
							 &kafka_setting_commit_wait, KAFKA_WAIT_ACKNOWLEDGED, commit_waits,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("kafka_fdw.log_broker_messages",
							 "Least severe level of librdkafka's messages that is logged.",
							 NULL, &kafka_setting_log_broker_messages, 4, log_levels,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_limits(void)
{
	DefineCustomIntVariable("kafka_fdw.connect_timeout",
							"Longest wait for a broker that cannot be reached.",
							NULL, &kafka_setting_connect_timeout,
							10 * 1000, 100, 3600 * 1000, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.commit_timeout",
							"Longest wait without progress while sent messages are confirmed.",
							"It covers the end of a transaction, which statement_timeout does not.",
							&kafka_setting_commit_timeout,
							30 * 1000, 100, 3600 * 1000, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.after_commit_timeout",
							"Longest wait for Kafka's commit after PostgreSQL's (delivery after_commit).",
							"The transaction still holds its locks meanwhile.",
							&kafka_setting_after_commit_timeout,
							10 * 1000, 100, 3600 * 1000, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.send_buffer",
							"Memory for messages that wait for the transaction's end.",
							"What is beyond goes to a temporary file.",
							&kafka_setting_send_buffer,
							64 * 1024, 64, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.statistics_interval",
							"How often connections to Kafka take librdkafka's statistics.",
							"0: never. It holds for connections that are started from then on.",
							&kafka_setting_statistics_interval,
							0, 0, 24 * 3600 * 1000, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

static void
define_relay(void)
{
	DefineCustomIntVariable("kafka_fdw.outbox_retention",
							"How long published rows of outboxes are kept, at least.",
							NULL, &kafka_setting_outbox_retention,
							3600, 0, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.relay_naptime",
							"How often a relay that nobody wakes looks for rows.",
							"A session that commits rows wakes it at once.",
							&kafka_setting_relay_naptime,
							1000, 10, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("kafka_fdw.relay_takeover",
							 "When a relay takes an outbox from another instance by itself.",
							 "newer_timeline: when this instance was promoted from its standby.",
							 &kafka_setting_relay_takeover, KAFKA_TAKEOVER_NEVER, takeovers,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.relay_batch_rows",
							"Most messages that a relay publishes in one Kafka transaction.",
							NULL, &kafka_setting_relay_batch_rows,
							50000, 1, 1000000, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.relay_batch_bytes",
							"Most bytes of keys, values and headers in one Kafka transaction of a relay.",
							"A message that is larger goes alone.",
							&kafka_setting_relay_batch_bytes,
							16 * 1024, 1, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
}

/* A list as in search_path. */
static bool
check_names(char **value, void **extra, GucSource source)
{
	char	   *names = pstrdup(*value);
	List	   *list = NIL;
	bool		good = SplitIdentifierString(names, ',', &list);

	if (!good)
		GUC_check_errdetail("It takes names, separated by commas; in double quotes where they are "
							"not in lower case.");
	list_free(list);
	pfree(names);
	return good;
}

/*
 * They mean nothing where the library is not preloaded, but may stand in postgresql.conf; and it is
 * too late for PGC_POSTMASTER then.
 */
static void
define_workers(void)
{
	DefineCustomStringVariable("kafka_fdw.relay_databases",
							   "Databases whose outboxes and pipelines run in background workers, separated by commas.",
							   "Empty: all that have the extension.",
							   &kafka_setting_relay_databases, "", PGC_SIGHUP, 0,
							   check_names, NULL, NULL);
	DefineCustomIntVariable("kafka_fdw.max_workers",
							"Most relays and workers of pipelines that run at a time, as background workers.",
							"They are taken from max_worker_processes. 0: no background workers.",
							&kafka_setting_max_workers,
							10, 0, 256,
							process_shared_preload_libraries_in_progress ?
							PGC_POSTMASTER : PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void
kafka_settings_define(void)
{
	define_names();
	define_enums();
	define_limits();
	define_relay();
	define_workers();
	MarkGUCPrefixReserved("kafka_fdw");
}
