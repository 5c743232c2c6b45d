/*-------------------------------------------------------------------------
 *
 * publish_args.h
 *	  The arguments of a trigger that calls kafka.publish.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PUBLISH_ARGS_H
#define KAFKA_PUBLISH_ARGS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/reltrigger.h"

typedef enum KafkaPublishFormat
{
	KAFKA_PUBLISH_ENVELOPE,		/* op, before, after, source */
	KAFKA_PUBLISH_ROW			/* the new row; a deleted one is a tombstone */
} KafkaPublishFormat;

typedef struct KafkaPublishArgs
{
	char	   *topic;
	bool		key_given;		/* else it is the primary key */
	List	   *key;			/* of char *, names of columns */
	List	   *columns;		/* only these; NIL: all */
	List	   *except;			/* without these */
	char	   *server;			/* NULL: the default one */
	int			delivery;		/* a KafkaDeliveryMode, or UNSET */
	int			format;			/* a KafkaPublishFormat */
	bool		tombstones;
} KafkaPublishArgs;

/*
 * (topic [, key columns] [, name=value ...]), palloc'd in the current context.  Raises 22023
 * for what is missing, unknown, given twice or wrong.
 */
extern KafkaPublishArgs *kafka_publish_args(const Trigger *trigger);

#endif							/* KAFKA_PUBLISH_ARGS_H */
