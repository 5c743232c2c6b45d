/*-------------------------------------------------------------------------
 *
 * rules.h
 *	  Who may do what: the rules of security, all of them, in one place.
 *
 * Layer 1.  doc/security.md is the same for users.  What PostgreSQL checks itself is not here:
 * SELECT and INSERT on a table, EXECUTE on a function, USAGE for CREATE SERVER and CREATE
 * FOREIGN TABLE.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_RULES_H
#define KAFKA_RULES_H

#include "postgres.h"

#include "ground/options.h"

/* What a property of librdkafka does to the server process, and so who may set it, and where. */
typedef enum KafkaRule
{
	KAFKA_RULE_OPEN,			/* anybody who may set options */
	KAFKA_RULE_OWNED,			/* the extension's own business */
	KAFKA_RULE_FILE,			/* reads files: pg_read_server_files */
	KAFKA_RULE_PROGRAM,			/* loads code, runs programs: pg_execute_server_program */
	KAFKA_RULE_SUPERUSER,		/* the machine's identity, the server's log: superusers */
	KAFKA_RULE_CREDENTIAL,		/* user mapping or server, not secret */
	KAFKA_RULE_SECRET			/* user mapping only, never shown */
} KafkaRule;

/* The rule of a property, by librdkafka's name; the most careful one if it is not known. */
extern KafkaRule kafka_rules_of(const char *name);

/* True for a rule that asks for a right beyond that to set options. */
extern bool kafka_rules_is_privileged(KafkaRule rule);

/* True for a property (librdkafka's name) whose value must not be shown in an error. */
extern bool kafka_rules_is_secret(const char *name);

/*
 * Where a property is set (the validator's work): refuses the wrong place (HV00D), and a user
 * who may not (42501).  option: as the user wrote it; name: librdkafka's name.
 */
extern void kafka_rules_check_set(const char *option, const char *name, KafkaOptionPlace place,
								  Oid userid);

/* The option password_required: only superusers may have it say "false" (42501). */
extern void kafka_rules_check_password_required(const char *value, Oid userid);

/*
 * Where a property is used, before librdkafka hears of it: the rights as they are now, of all
 * who can have set it (42501).
 */
extern void kafka_rules_check_use(const KafkaOptions *opts, const KafkaProperty *property,
								  KafkaRule rule);

/*
 * Before a client is started: refuses (42501) a log-in with what belongs to the server process,
 * and not to the user.  protocol and mechanism are security.protocol and sasl.mechanisms, or NULL.
 */
extern void kafka_rules_check_login(const KafkaOptions *opts, const char *protocol,
									const char *mechanism);

/* Functions: the current user needs USAGE on the server (42501). */
extern void kafka_rules_require_usage(Oid serverid, const char *server_name);

#endif							/* KAFKA_RULES_H */
