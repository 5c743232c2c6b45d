/*-------------------------------------------------------------------------
 *
 * config.h
 *	  Configurations of topics, brokers and groups.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CONFIG_H
#define KAFKA_CONFIG_H

#include "postgres.h"

#include "ground/options.h"

typedef enum KafkaConfigType
{
	KAFKA_CONFIG_TOPIC,
	KAFKA_CONFIG_BROKER,
	KAFKA_CONFIG_GROUP
} KafkaConfigType;

typedef struct KafkaConfigResource
{
	KafkaConfigType type;
	const char *name;			/* of the topic or group; the broker's id as text */
	int32		broker;			/* the broker to ask; KAFKA_UNKNOWN: librdkafka chooses */
} KafkaConfigResource;

/* One value that applies where those before it in the list are not set. */
typedef struct KafkaConfigSynonym
{
	char	   *name;
	char	   *value;			/* or NULL */
	const char *source;
} KafkaConfigSynonym;

typedef struct KafkaConfigEntry
{
	char	   *name;
	char	   *value;			/* NULL: none, or sensitive */
	const char *source;			/* Kafka's word for where the value comes from */
	bool		is_own;			/* set on this very topic, broker or group */
	bool		is_default;
	bool		is_read_only;
	bool		is_sensitive;
	int			nsynonyms;
	KafkaConfigSynonym *synonyms;	/* what is in force first; names and values of sensitive
									 * ones as the broker gives them, NULL */
} KafkaConfigEntry;

/* A property to be set, or with value NULL to be reset to what applies without it. */
typedef struct KafkaConfigChange
{
	char	   *name;
	char	   *value;
} KafkaConfigChange;

/*
 * All properties, as a List of KafkaConfigEntry sorted by name, palloc'd.  Raises HV00R for a
 * topic that does not exist, 22023 for a broker that is none, 0A000 for groups where librdkafka
 * is too old, HV00N, 42501, 28000.
 */
extern List *kafka_config_describe(const KafkaOptions *opts, const KafkaConfigResource *resource);

/* The property of that name, or NULL. */
extern KafkaConfigEntry *kafka_config_find(List *entries, const char *name);

/* Has the property this value already?  Spelling that Kafka changes, as of "007", does not count. */
extern bool kafka_config_has_value(const KafkaConfigEntry *entry, const char *value);

/*
 * Makes the changes (a List of KafkaConfigChange, each name once), to `before`, what has just
 * been described; touches no other property.  Raises 22023 for what Kafka refuses, 0A000 where an
 * old librdkafka would lose a sensitive value.
 */
extern void kafka_config_alter(const KafkaOptions *opts, const KafkaConfigResource *resource,
							   List *before, List *changes, bool validate_only);

/* Waits until every broker shows the changes; if that takes too long it is a WARNING. */
extern void kafka_config_await(const KafkaOptions *opts, const KafkaConfigResource *resource,
							   List *changes);

/*
 * Does resource->broker show the changes?  False too where it does not answer within timeout_ms.
 * Without changes: does it know the resource?
 */
extern bool kafka_config_shows(const KafkaOptions *opts, const KafkaConfigResource *resource,
							   List *changes, int timeout_ms);

/*
 * One session of this PostgreSQL at a time alters a resource: from here to kafka_config_unlock,
 * or to an error.  Cancellable.
 */
extern void kafka_config_lock(const KafkaConfigResource *resource);
extern void kafka_config_unlock(const KafkaConfigResource *resource);

#endif							/* KAFKA_CONFIG_H */
