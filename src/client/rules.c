/*-------------------------------------------------------------------------
 *
 * rules.c
 *	  Who may do what: the rules of security, all of them, in one place.
 *
 * Layer 1.  In the order of this file:
 *
 * 1. What each property of librdkafka does (the table), and so who may set it where.  A name that
 *	  is neither in the table nor harmless by its form is privileged: a property of a newer
 *	  librdkafka may read files, and this version cannot know.
 * 2. Rights are checked when a property is set and again whenever it is used.  An option of the
 *	  server is its owner's.  One of a user mapping is the user's and the server owner's, who
 *	  both can write it.  Where an object says password_required 'false', its options were last
 *	  written by a superuser: nobody else may write any of them as long as that stands there.
 * 3. What the server process has (Kerberos tickets) is not its users': only superusers on servers
 *	  of superusers log in with it, and those whom a superuser has allowed to.
 * 4. Functions need USAGE on the server, of the user they run as.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "client/rules.h"
#include "foreign/foreign.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* ------------------------------------------------------------------------
 * Properties
 * ------------------------------------------------------------------------
 */
typedef struct RuledProperty
{
	const char *name;
	KafkaRule	rule;
} RuledProperty;

/* Names ending in _cb are owned without being listed. */
static const RuledProperty property_rules[] = {
	/* the extension decides */
	{"background_event_cb", KAFKA_RULE_OWNED},
	{"auto.commit.enable", KAFKA_RULE_OWNED},
	{"auto.commit.interval.ms", KAFKA_RULE_OWNED},
	{"auto.offset.reset", KAFKA_RULE_OWNED},
	{"builtin.features", KAFKA_RULE_OWNED},
	{"consume.callback.max.messages", KAFKA_RULE_OWNED},
	{"default_topic_conf", KAFKA_RULE_OWNED},
	{"delivery.report.only.error", KAFKA_RULE_OWNED},
	{"enable.auto.commit", KAFKA_RULE_OWNED},
	{"enable.auto.offset.store", KAFKA_RULE_OWNED},
	{"enable.partition.eof", KAFKA_RULE_OWNED},
	{"enabled_events", KAFKA_RULE_OWNED},
	{"group.id", KAFKA_RULE_OWNED},
	{"group.instance.id", KAFKA_RULE_OWNED},
	{"interceptors", KAFKA_RULE_OWNED},
	{"internal.termination.signal", KAFKA_RULE_OWNED},
	{"log.queue", KAFKA_RULE_OWNED},
	{"log.thread.name", KAFKA_RULE_OWNED},
	{"log_level", KAFKA_RULE_OWNED},
	{"msg_order_cmp", KAFKA_RULE_OWNED},
	{"offset.store.method", KAFKA_RULE_OWNED},
	{"offset.store.path", KAFKA_RULE_OWNED},
	{"offset.store.sync.interval.ms", KAFKA_RULE_OWNED},
	{"opaque", KAFKA_RULE_OWNED},
	{"produce.offset.report", KAFKA_RULE_OWNED},
	{"queuing.strategy", KAFKA_RULE_OWNED},
	{"ssl_ca", KAFKA_RULE_OWNED},
	{"ssl_certificate", KAFKA_RULE_OWNED},
	{"ssl_engine_callback_data", KAFKA_RULE_OWNED},
	{"ssl_key", KAFKA_RULE_OWNED},
	{"test.mock.broker.rtt", KAFKA_RULE_OWNED},
	{"test.mock.num.brokers", KAFKA_RULE_OWNED},
	{"transactional.id", KAFKA_RULE_OWNED},

	/* they make the server process read files, load code or run programs */
	{"plugin.library.paths", KAFKA_RULE_PROGRAM},
	/* librdkafka puts these into a shell command as they are, and runs it */
	{"sasl.kerberos.keytab", KAFKA_RULE_PROGRAM},
	{"sasl.kerberos.kinit.cmd", KAFKA_RULE_PROGRAM},
	{"sasl.kerberos.principal", KAFKA_RULE_PROGRAM},
	{"sasl.kerberos.service.name", KAFKA_RULE_PROGRAM},
	{"ssl.engine.id", KAFKA_RULE_PROGRAM},
	{"ssl.engine.location", KAFKA_RULE_PROGRAM},
	{"ssl.providers", KAFKA_RULE_PROGRAM},
	{"https.ca.location", KAFKA_RULE_FILE},
	{"sasl.oauthbearer.assertion.file", KAFKA_RULE_FILE},
	{"sasl.oauthbearer.assertion.jwt.template.file", KAFKA_RULE_FILE},
	{"sasl.oauthbearer.assertion.private.key.file", KAFKA_RULE_FILE},
	{"ssl.ca.certificate.stores", KAFKA_RULE_FILE},
	{"ssl.ca.location", KAFKA_RULE_FILE},
	{"ssl.certificate.location", KAFKA_RULE_FILE},
	{"ssl.crl.location", KAFKA_RULE_FILE},
	{"ssl.key.location", KAFKA_RULE_FILE},
	{"ssl.keystore.location", KAFKA_RULE_FILE},

	/* the log in of the machine that PostgreSQL runs on; what is sent, in the server's log */
	{"debug", KAFKA_RULE_SUPERUSER},
	{"sasl.oauthbearer.metadata.authentication.type", KAFKA_RULE_SUPERUSER},

	/* secrets and what goes with them */
	{"sasl.oauthbearer.assertion.private.key.passphrase", KAFKA_RULE_SECRET},
	{"sasl.oauthbearer.assertion.private.key.pem", KAFKA_RULE_SECRET},
	{"sasl.oauthbearer.client.credentials.client.secret", KAFKA_RULE_SECRET},
	{"sasl.oauthbearer.client.secret", KAFKA_RULE_SECRET},
	{"sasl.oauthbearer.config", KAFKA_RULE_SECRET},
	{"sasl.password", KAFKA_RULE_SECRET},
	{"ssl.key.password", KAFKA_RULE_SECRET},
	{"ssl.key.pem", KAFKA_RULE_SECRET},
	{"ssl.keystore.password", KAFKA_RULE_SECRET},
	{"sasl.oauthbearer.assertion.algorithm", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.assertion.claim.aud", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.assertion.claim.exp.seconds", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.assertion.claim.iss", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.assertion.claim.jti.include", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.assertion.claim.nbf.seconds", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.assertion.claim.sub", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.client.credentials.client.id", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.client.id", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.extensions", KAFKA_RULE_CREDENTIAL},
	{"sasl.oauthbearer.scope", KAFKA_RULE_CREDENTIAL},
	{"sasl.username", KAFKA_RULE_CREDENTIAL},
	{"ssl.certificate.pem", KAFKA_RULE_CREDENTIAL},

	/* known and harmless */
	{"acks", KAFKA_RULE_OPEN},
	{"allow.auto.create.topics", KAFKA_RULE_OWNED},
	{"api.version.fallback.ms", KAFKA_RULE_OPEN},
	{"api.version.request", KAFKA_RULE_OPEN},
	{"api.version.request.timeout.ms", KAFKA_RULE_OPEN},
	{"batch.num.messages", KAFKA_RULE_OPEN},
	{"batch.size", KAFKA_RULE_OPEN},
	{"bootstrap.servers", KAFKA_RULE_OPEN},
	{"broker.address.family", KAFKA_RULE_OPEN},
	{"broker.address.ttl", KAFKA_RULE_OPEN},
	{"broker.version.fallback", KAFKA_RULE_OPEN},
	{"check.crcs", KAFKA_RULE_OPEN},
	{"client.dns.lookup", KAFKA_RULE_OPEN},
	{"client.id", KAFKA_RULE_OPEN},
	{"client.rack", KAFKA_RULE_OPEN},
	{"compression.codec", KAFKA_RULE_OPEN},
	{"compression.level", KAFKA_RULE_OPEN},
	{"compression.type", KAFKA_RULE_OPEN},
	{"connections.max.idle.ms", KAFKA_RULE_OPEN},
	{"coordinator.query.interval.ms", KAFKA_RULE_OPEN},
	{"delivery.timeout.ms", KAFKA_RULE_OPEN},
	{"enable.gapless.guarantee", KAFKA_RULE_OPEN},
	{"enable.idempotence", KAFKA_RULE_OPEN},
	{"enable.metrics.push", KAFKA_RULE_OPEN},
	{"enable.random.seed", KAFKA_RULE_OPEN},
	{"enable.sasl.oauthbearer.unsecure.jwt", KAFKA_RULE_OPEN},
	{"enable.ssl.certificate.verification", KAFKA_RULE_OPEN},
	{"fetch.error.backoff.ms", KAFKA_RULE_OPEN},
	{"fetch.max.bytes", KAFKA_RULE_OPEN},
	{"fetch.message.max.bytes", KAFKA_RULE_OPEN},
	{"fetch.min.bytes", KAFKA_RULE_OPEN},
	{"fetch.queue.backoff.ms", KAFKA_RULE_OPEN},
	{"fetch.wait.max.ms", KAFKA_RULE_OPEN},
	{"group.protocol", KAFKA_RULE_OPEN},
	{"group.protocol.type", KAFKA_RULE_OPEN},
	{"group.remote.assignor", KAFKA_RULE_OPEN},
	{"heartbeat.interval.ms", KAFKA_RULE_OPEN},
	{"https.ca.pem", KAFKA_RULE_OPEN},
	{"isolation.level", KAFKA_RULE_OPEN},
	{"linger.ms", KAFKA_RULE_OPEN},
	{"log.connection.close", KAFKA_RULE_OPEN},
	{"max.in.flight", KAFKA_RULE_OPEN},
	{"max.in.flight.requests.per.connection", KAFKA_RULE_OPEN},
	{"max.partition.fetch.bytes", KAFKA_RULE_OPEN},
	{"max.poll.interval.ms", KAFKA_RULE_OPEN},
	{"message.copy.max.bytes", KAFKA_RULE_OPEN},
	{"message.max.bytes", KAFKA_RULE_OPEN},
	{"message.send.max.retries", KAFKA_RULE_OPEN},
	{"message.timeout.ms", KAFKA_RULE_OPEN},
	{"metadata.broker.list", KAFKA_RULE_OPEN},
	{"metadata.max.age.ms", KAFKA_RULE_OPEN},
	{"metadata.recovery.rebootstrap.trigger.ms", KAFKA_RULE_OPEN},
	{"metadata.recovery.strategy", KAFKA_RULE_OPEN},
	{"partition.assignment.strategy", KAFKA_RULE_OPEN},
	{"partitioner", KAFKA_RULE_OPEN},
	{"queue.buffering.backpressure.threshold", KAFKA_RULE_OPEN},
	{"queue.buffering.max.kbytes", KAFKA_RULE_OPEN},
	{"queue.buffering.max.messages", KAFKA_RULE_OPEN},
	{"queue.buffering.max.ms", KAFKA_RULE_OPEN},
	{"queued.max.messages.kbytes", KAFKA_RULE_OPEN},
	{"queued.min.messages", KAFKA_RULE_OPEN},
	{"receive.message.max.bytes", KAFKA_RULE_OPEN},
	{"reconnect.backoff.jitter.ms", KAFKA_RULE_OPEN},
	{"reconnect.backoff.max.ms", KAFKA_RULE_OPEN},
	{"reconnect.backoff.ms", KAFKA_RULE_OPEN},
	{"request.required.acks", KAFKA_RULE_OPEN},
	{"request.timeout.ms", KAFKA_RULE_OPEN},
	{"retries", KAFKA_RULE_OPEN},
	{"retry.backoff.max.ms", KAFKA_RULE_OPEN},
	{"retry.backoff.ms", KAFKA_RULE_OPEN},
	{"sasl.kerberos.min.time.before.relogin", KAFKA_RULE_OPEN},
	{"sasl.mechanism", KAFKA_RULE_OPEN},
	{"sasl.mechanisms", KAFKA_RULE_OPEN},
	{"sasl.oauthbearer.grant.type", KAFKA_RULE_OPEN},
	{"sasl.oauthbearer.method", KAFKA_RULE_OPEN},
	{"sasl.oauthbearer.sub.claim.name", KAFKA_RULE_OPEN},
	{"sasl.oauthbearer.token.endpoint.url", KAFKA_RULE_OPEN},
	{"security.protocol", KAFKA_RULE_OPEN},
	{"session.timeout.ms", KAFKA_RULE_OPEN},
	{"socket.blocking.max.ms", KAFKA_RULE_OPEN},
	{"socket.connection.setup.timeout.ms", KAFKA_RULE_OPEN},
	{"socket.keepalive.enable", KAFKA_RULE_OPEN},
	{"socket.max.fails", KAFKA_RULE_OPEN},
	{"socket.nagle.disable", KAFKA_RULE_OPEN},
	{"socket.receive.buffer.bytes", KAFKA_RULE_OPEN},
	{"socket.send.buffer.bytes", KAFKA_RULE_OPEN},
	{"socket.timeout.ms", KAFKA_RULE_OPEN},
	{"ssl.ca.pem", KAFKA_RULE_OPEN},
	{"ssl.cipher.suites", KAFKA_RULE_OPEN},
	{"ssl.curves.list", KAFKA_RULE_OPEN},
	{"ssl.endpoint.identification.algorithm", KAFKA_RULE_OPEN},
	{"ssl.sigalgs.list", KAFKA_RULE_OPEN},
	{"statistics.interval.ms", KAFKA_RULE_OPEN},
	{"sticky.partitioning.linger.ms", KAFKA_RULE_OPEN},
	{"topic.blacklist", KAFKA_RULE_OPEN},
	{"topic.metadata.propagation.max.ms", KAFKA_RULE_OPEN},
	{"topic.metadata.refresh.fast.cnt", KAFKA_RULE_OPEN},
	{"topic.metadata.refresh.fast.interval.ms", KAFKA_RULE_OPEN},
	{"topic.metadata.refresh.interval.ms", KAFKA_RULE_OPEN},
	{"topic.metadata.refresh.sparse", KAFKA_RULE_OPEN},
	{"transaction.timeout.ms", KAFKA_RULE_OPEN},
};

static bool
ends_with(const char *name, const char *suffix)
{
	size_t		len = strlen(name);
	size_t		suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

KafkaRule
kafka_rules_of(const char *name)
{
	for (int i = 0; i < (int) lengthof(property_rules); i++)
		if (strcmp(property_rules[i].name, name) == 0)
			return property_rules[i].rule;
	if (ends_with(name, "_cb") || strncmp(name, "test.mock.", 10) == 0)
		return KAFKA_RULE_OWNED;
	if (ends_with(name, ".password") || ends_with(name, ".secret") ||
		ends_with(name, ".passphrase") || ends_with(name, "key.pem"))
		return KAFKA_RULE_SECRET;
	return KAFKA_RULE_PROGRAM;	/* unknown to this version: the most careful rule */
}

bool
kafka_rules_is_privileged(KafkaRule rule)
{
	return rule == KAFKA_RULE_FILE || rule == KAFKA_RULE_PROGRAM || rule == KAFKA_RULE_SUPERUSER;
}

bool
kafka_rules_is_secret(const char *name)
{
	KafkaRule	rule = kafka_rules_of(name);

	return rule == KAFKA_RULE_SECRET || rule == KAFKA_RULE_CREDENTIAL || ends_with(name, ".pem");
}

/* ------------------------------------------------------------------------
 * Where an option is set
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
reject_privilege(const char *name, KafkaRule rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to use option \"%s\"", name),
			 rule == KAFKA_RULE_SUPERUSER ?
			 errhint("It makes the server process use the machine's identity, or write what is "
					 "sent into the server's log: only a superuser may use it.") :
			 errhint("It makes the server process %s: only a superuser or a member of \"%s\" "
					 "may use it.",
					 rule == KAFKA_RULE_FILE ? "read files" : "load code or run programs",
					 rule == KAFKA_RULE_FILE ? "pg_read_server_files" :
					 "pg_execute_server_program")));
}

static void
check_privilege(const char *name, KafkaRule rule, Oid userid)
{
	if (!kafka_rules_is_privileged(rule) || superuser_arg(userid))
		return;
	if (rule == KAFKA_RULE_FILE && has_privs_of_role(userid, ROLE_PG_READ_SERVER_FILES))
		return;
	if (rule == KAFKA_RULE_PROGRAM && has_privs_of_role(userid, ROLE_PG_EXECUTE_SERVER_PROGRAM))
		return;
	reject_privilege(name, rule);
}

static void
check_place(const char *option, KafkaRule rule, KafkaOptionPlace place)
{
	if (rule == KAFKA_RULE_OWNED)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" cannot be set", option),
				 errhint("kafka_fdw itself decides this property of librdkafka.")));
	if (rule == KAFKA_RULE_SECRET && place != KAFKA_ON_USER_MAPPING)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is a secret and belongs to a user mapping", option),
				 errhint("Use CREATE USER MAPPING ... OPTIONS (%s ...).", option)));
	if (rule == KAFKA_RULE_CREDENTIAL &&
		(place == KAFKA_ON_TABLE || place == KAFKA_ON_CONSUMER))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is a credential and belongs to a user mapping", option),
				 errhint("Use CREATE USER MAPPING ... OPTIONS (%s ...).", option)));
	if (place == KAFKA_ON_USER_MAPPING && rule == KAFKA_RULE_OPEN)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" does not belong to a user mapping", option),
				 errhint("A user mapping holds credentials only; set it on the server.")));
}

/*
 * Tables and a session's consumers: where to connect and how to log in is the server's.  So is
 * what is privileged: a table is used by others than those who have set its options.
 */
static void
check_shared_property(const char *option, const char *name, KafkaRule rule)
{
	if (kafka_rules_is_privileged(rule) ||
		strcmp(name, "bootstrap.servers") == 0 || strcmp(name, "metadata.broker.list") == 0 ||
		strcmp(name, "security.protocol") == 0 || strncmp(name, "sasl.", 5) == 0 ||
		strncmp(name, "ssl.", 4) == 0 || strncmp(name, "https.", 6) == 0 ||
		strcmp(name, "enable.sasl.oauthbearer.unsecure.jwt") == 0 ||
		strcmp(name, "enable.ssl.certificate.verification") == 0 ||
		strcmp(name, "transaction.timeout.ms") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" belongs to the server", option),
				 errhint("Set it with ALTER SERVER.")));
}

void
kafka_rules_check_set(const char *option, const char *name, KafkaOptionPlace place, Oid userid)
{
	KafkaRule	rule = kafka_rules_of(name);

	check_place(option, rule, place);
	if (place == KAFKA_ON_TABLE || place == KAFKA_ON_CONSUMER)
		check_shared_property(option, name, rule);
	check_privilege(option, rule, userid);
}

void
kafka_rules_check_password_required(const char *value, Oid userid)
{
	bool		required = true;

	(void) parse_bool(value, &required);
	if (required || superuser_arg(userid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"password_required\" to \"false\""),
			 errhint("Only superusers may create or change a server or user mapping on which it "
					 "is \"false\".")));
}

/* ------------------------------------------------------------------------
 * Where options are used
 * ------------------------------------------------------------------------
 */
void
kafka_rules_check_use(const KafkaOptions *opts, const KafkaProperty *property, KafkaRule rule)
{
	if (!kafka_rules_is_privileged(rule))
		return;
	if (property->place == KAFKA_ON_SERVER ? opts->server_by_superuser :
		property->place == KAFKA_ON_USER_MAPPING && opts->mapping_by_superuser)
		return;
	check_privilege(property->name, rule, GetForeignServer(opts->serverid)->owner);
	if (property->place != KAFKA_ON_SERVER)
		check_privilege(property->name, rule, opts->userid);
}

/* Log-ins that take all they need from the options; any other may use what the process has. */
static bool
is_login_by_options(const char *mechanism)
{
	static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512",
	"OAUTHBEARER"};

	for (size_t i = 0; mechanism && i < lengthof(mechanisms); i++)
		if (strcmp(mechanism, mechanisms[i]) == 0)
			return true;
	return false;				/* GSSAPI, which is the default */
}

void
kafka_rules_check_login(const KafkaOptions *opts, const char *protocol, const char *mechanism)
{
	if (protocol == NULL || pg_strncasecmp(protocol, "sasl", 4) != 0 ||
		is_login_by_options(mechanism))
		return;
	if (!opts->password_required ||
		(superuser_arg(opts->userid) && superuser_arg(GetForeignServer(opts->serverid)->owner)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to log in to server \"%s\" as the server process",
					opts->server_name),
			 errdetail("SASL mechanism \"%s\" uses the Kerberos tickets of the operating-system "
					   "user that runs PostgreSQL.", mechanism ? mechanism : "GSSAPI"),
			 errhint("Set \"sasl_mechanisms\" on the server to one that takes its credentials from "
					 "the user mapping. A superuser can allow this one by "
					 "\"password_required\" 'false' on the user mapping or server.")));
}

void
kafka_rules_require_usage(Oid serverid, const char *server_name)
{
	AclResult	acl = KAFKA_SERVER_ACLCHECK(serverid, GetUserId());

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, server_name);
}
