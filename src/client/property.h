/*-------------------------------------------------------------------------
 *
 * property.h
 *	  librdkafka's properties as options: which exist, who may set them, where.
 *
 * Layer 1.  The names, directions and value checks come from librdkafka itself; the
 * rules (owned, privileged, secret) are the extension's, in one table in rules.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PROPERTY_H
#define KAFKA_PROPERTY_H

#include "postgres.h"

#include "ground/options.h"

/* What a handle is for; properties of the other direction are left out of it. */
typedef enum KafkaRole
{
	KAFKA_ROLE_ADMIN,			/* metadata, offsets, administration */
	KAFKA_ROLE_GROUPS,			/* offsets of consumer groups: see group_offsets.c */
	KAFKA_ROLE_CONSUMER,		/* bounded scans */
	KAFKA_ROLE_PICKER,			/* the same for a few messages: small fetches */
	KAFKA_ROLE_MEMBER,			/* kafka.subscribe, kafka.assign: a consumer with a group id */
	KAFKA_ROLE_PRODUCER,		/* immediate sends */
	KAFKA_ROLE_TRANSACTIONAL	/* a producer with a transactional id */
} KafkaRole;

/* One property under librdkafka's own (dotted) name. */
typedef struct KafkaSetting
{
	const char *name;
	char	   *value;
} KafkaSetting;

/* librdkafka's name for an option's name, or NULL where librdkafka knows none. */
extern const char *kafka_property_name(const char *option);

/*
 * Judges one property where it is set (the validator's work): unknown name HV00D with
 * the nearest name in the HINT; owned, secret or misplaced HV00D; not allowed for
 * userid 42501; bad value 22023 with librdkafka's text as DETAIL (never for a secret).
 */
extern void kafka_property_check(const char *option, const char *value,
								 KafkaOptionPlace place, Oid userid);

/* True if a table has given these options properties of its own. */
extern bool kafka_property_has_tables(const KafkaOptions *opts);

/* True if a table's property belongs to a producer, so that it needs a handle of its own. */
extern bool kafka_property_is_producers(const char *option);

/*
 * All properties of a handle: the extension's defaults under the user's own, as a List of
 * KafkaSetting in the order they are set.  Checks privileges again, as they are now (rules.h).
 */
extern List *kafka_property_collect(const KafkaOptions *opts, KafkaRole role);

/* The value a property has in such a list, or NULL. */
extern const char *kafka_property_get(List *settings, const char *name);

/*
 * The longest message that a producer with these options sends, in bytes (message.max.bytes, or the
 * producer's queue where that is set to less).
 */
extern int64 kafka_property_max_message(const KafkaOptions *opts);

#endif							/* KAFKA_PROPERTY_H */
