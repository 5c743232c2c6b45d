/*-------------------------------------------------------------------------
 *
 * options.h
 *	  Options of servers, user mappings, foreign tables and columns.
 *
 * Layer 0.  One table of the extension's own options feeds the validator, the
 * HINTs, the resolver and the manual's list.  Every other name is a librdkafka
 * property: those are carried along as text and judged by client/property.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OPTIONS_H
#define KAFKA_OPTIONS_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "nodes/pg_list.h"
#include "utils/guc.h"

/* Where an option may stand; bits. */
typedef enum KafkaOptionPlace
{
	KAFKA_ON_SERVER = 1,
	KAFKA_ON_USER_MAPPING = 2,
	KAFKA_ON_TABLE = 4,
	KAFKA_ON_COLUMN = 8,
	KAFKA_ON_WRAPPER = 16,
	KAFKA_ON_IMPORT = 32,		/* IMPORT FOREIGN SCHEMA */
	KAFKA_ON_CONSUMER = 64		/* options of kafka.subscribe and kafka.assign */
} KafkaOptionPlace;

typedef enum KafkaDeliveryMode
{
	KAFKA_DELIVERY_UNSET = -1,
	KAFKA_DELIVERY_BEFORE_COMMIT,
	KAFKA_DELIVERY_AFTER_COMMIT,
	KAFKA_DELIVERY_OUTBOX,
	KAFKA_DELIVERY_IMMEDIATE
} KafkaDeliveryMode;

typedef enum KafkaFormatId
{
	KAFKA_FORMAT_UNSET = -1,
	KAFKA_FORMAT_STRING,
	KAFKA_FORMAT_BYTES,
	KAFKA_FORMAT_JSON,
	KAFKA_FORMAT_CSV,
	KAFKA_FORMAT_INTEGER,
	KAFKA_FORMAT_SHORT,
	KAFKA_FORMAT_LONG,
	KAFKA_FORMAT_FLOAT,
	KAFKA_FORMAT_DOUBLE,
	KAFKA_FORMAT_UUID
} KafkaFormatId;

typedef enum KafkaPartitioner
{
	KAFKA_PARTITIONER_MURMUR2_RANDOM,
	KAFKA_PARTITIONER_MURMUR2,
	KAFKA_PARTITIONER_CONSISTENT,
	KAFKA_PARTITIONER_CONSISTENT_RANDOM,
	KAFKA_PARTITIONER_FNV1A,
	KAFKA_PARTITIONER_FNV1A_RANDOM,
	KAFKA_PARTITIONER_RANDOM,
	KAFKA_PARTITIONER_ROUND_ROBIN,
	KAFKA_PARTITIONER_STICKY
} KafkaPartitioner;

typedef enum KafkaOnError
{
	KAFKA_ON_ERROR_ERROR,
	KAFKA_ON_ERROR_NULL,
	KAFKA_ON_ERROR_SKIP
} KafkaOnError;

/* What a scan does about offsets that were removed before it got there. */
typedef enum KafkaOnMissing
{
	KAFKA_ON_MISSING_ERROR,
	KAFKA_ON_MISSING_EARLIEST
} KafkaOnMissing;

/* What a column of a foreign table holds; KAFKA_META_NONE: a part of the value. */
typedef enum KafkaMeta
{
	KAFKA_META_NONE,
	KAFKA_META_TOPIC,
	KAFKA_META_PARTITION,
	KAFKA_META_OFFSET,
	KAFKA_META_TIMESTAMP,
	KAFKA_META_TIMESTAMP_TYPE,
	KAFKA_META_KEY,
	KAFKA_META_VALUE,
	KAFKA_META_HEADERS,
	KAFKA_META_LEADER_EPOCH,
	KAFKA_META_TOMBSTONE,
	KAFKA_META_JUNK,
	KAFKA_META_JUNK_ERROR
} KafkaMeta;

/* One librdkafka property, as the user wrote it, with the place it came from. */
typedef struct KafkaProperty
{
	char	   *name;
	char	   *value;
	KafkaOptionPlace place;
} KafkaProperty;

/* Everything that is known of a server, and of a table where there is one. */
typedef struct KafkaOptions
{
	/* who and where */
	Oid			serverid;
	Oid			userid;			/* whose user mapping */
	char	   *server_name;
	List	   *properties;		/* of KafkaProperty: server, then mapping, then table */

	/* a session's consumer's, in UTF-8; NULL for everything else */
	const char *group_id;
	const char *group_instance_id;

	/* the server's or the user mapping's; what it means is in client/rules.c */
	bool		password_required;
	bool		server_by_superuser;	/* "false" on the server: its options are a superuser's */
	bool		mapping_by_superuser;	/* the same of the mapping */

	/* the table's */
	char	   *topic;
	int			format;			/* KafkaFormatId */
	int			key_format;		/* KafkaFormatId; UNSET: the key column's type decides */
	int			delivery;		/* KafkaDeliveryMode; UNSET: kafka_fdw.delivery */
	int			partitioner;	/* KafkaPartitioner */
	int			on_error;		/* KafkaOnError */
	int			on_missing;		/* KafkaOnMissing */
	bool		ordered_timestamps; /* they ascend within each partition, says the user */
	double		fdw_startup_cost;
	double		fdw_tuple_cost;
	bool		strict;
	bool		ignore_junk;
	char	   *encoding;		/* of the messages */
	char	   *delimiter;
	char	   *quote;
	char	   *escape;			/* NULL: as quote */
	char	   *null;
	int			batch_size;		/* rows that INSERT is given at a time */
	int			buffer_delay;
	int			num_partitions;
	int			analyze_bytes;	/* of messages that ANALYZE reads, about */
} KafkaOptions;

typedef struct KafkaColumnOptions
{
	int			meta;			/* KafkaMeta */
	char	   *path;			/* '$.a.b[0]' */
	char	   *json;			/* one member name, taken literally */
	bool		partition;		/* older spellings of meta */
	bool		offset;
	bool		junk;
	bool		junk_error;
	bool		force_null;
	bool		force_not_null;
	bool		force_quote;
	bool		ignore_junk;	/* what cannot be decoded is NULL */
} KafkaColumnOptions;

typedef struct KafkaImportOptions
{
	int			sample;			/* messages per topic */
	int			format;			/* KafkaFormatId; UNSET: found out from the messages */
	bool		metadata;		/* columns for key, partition, offset, timestamp, headers */
} KafkaImportOptions;

/* One row of the table of the extension's own options. */
typedef enum KafkaOptionType
{
	KAFKA_OPTION_STRING,
	KAFKA_OPTION_CHAR,			/* a single one-byte character */
	KAFKA_OPTION_BOOL,
	KAFKA_OPTION_INT,
	KAFKA_OPTION_COST,			/* a real number, not negative */
	KAFKA_OPTION_ENUM,
	KAFKA_OPTION_ENCODING
} KafkaOptionType;

typedef struct KafkaOption
{
	const char *name;
	int			places;			/* bits of KafkaOptionPlace */
	KafkaOptionType type;
	const struct config_enum_entry *values; /* ENUM */
	int			min,
				max;			/* INT */
	const char *default_value;	/* NULL: none */
	bool		required;
	size_t		offset;			/* into KafkaOptions, KafkaColumnOptions, KafkaImportOptions */
} KafkaOption;

extern const struct config_enum_entry kafka_delivery_modes[];
extern const struct config_enum_entry kafka_partitioners[];
extern const struct config_enum_entry kafka_formats[];
extern const struct config_enum_entry kafka_metas[];
extern const struct config_enum_entry kafka_import_formats[];

/* The table, ended by a row without a name. */
extern const KafkaOption kafka_option_table[];

/* The row for a name at a place (KafkaOptionPlace bits), or NULL. */
extern const KafkaOption *kafka_option_find(const char *name, int places);

/* Raises 22023 unless the value suits the row. */
extern void kafka_option_check(const KafkaOption *option, const char *value);

/* The same, and sets the field of the row in a KafkaOptions; for rows of servers and tables. */
extern void kafka_option_store(KafkaOptions *opts, const KafkaOption *option, const char *value);

/* Words of an enum as "a", "b", "c", for messages; palloc'd. */
extern char *kafka_option_words(const struct config_enum_entry *values);

/* The number of an enum's word, or raises 22023; what: as 'option "format"'. */
extern int	kafka_option_enum(const struct config_enum_entry *values, const char *word,
							  const char *what);

/* The word of an enum's number. */
extern const char *kafka_option_word(const struct config_enum_entry *values, int number);

/* True for a foreign-data wrapper that has our handler. */
extern bool kafka_is_our_wrapper(Oid fdwid);

/* True if the list of DefElem holds an option of exactly that name. */
extern bool kafka_options_have(List *defelems, const char *name);

/*
 * Options of a server as seen by a user (its mapping, if there is one).  The result is
 * palloc'd in the current context.  Does not check privileges.
 */
extern KafkaOptions *kafka_options_of_server(Oid serverid, Oid userid);

/* The same with a foreign table's options on top; `topic` is required. */
extern KafkaOptions *kafka_options_of_table(Oid relid, Oid userid);

/* Options of one column; raises HV00D/22023 for what the catalogue holds and is wrong. */
extern KafkaColumnOptions *kafka_options_of_column(Oid relid, AttrNumber attnum);

/* Column options from a list of DefElem; the older spellings are folded into `meta`. */
extern KafkaColumnOptions *kafka_options_parse_column(List *defelems);

/*
 * Options of IMPORT FOREIGN SCHEMA from a list of DefElem, over the defaults (NIL: only
 * those); raises HV00D/22023.
 */
extern KafkaImportOptions *kafka_options_parse_import(List *defelems);

/* A copy with one librdkafka property more, which wins over those that are there. */
extern KafkaOptions *kafka_options_with_property(const KafkaOptions *opts, const char *name,
												 const char *value);

#endif							/* KAFKA_OPTIONS_H */
