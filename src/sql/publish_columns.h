/*-------------------------------------------------------------------------
 *
 * publish_columns.h
 *	  Which columns of a table kafka.publish sends, and as what.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PUBLISH_COLUMNS_H
#define KAFKA_PUBLISH_COLUMNS_H

#include "postgres.h"

#include "access/htup.h"
#include "ground/message.h"
#include "lib/stringinfo.h"
#include "sql/publish_args.h"
#include "utils/relcache.h"

typedef struct KafkaPublishColumns KafkaPublishColumns;

/*
 * Columns of a table by the trigger's arguments, in the current context.  Raises 42703 for
 * one that does not exist, 0A000 for a virtual one.
 */
extern KafkaPublishColumns *kafka_publish_columns(Relation rel, const KafkaPublishArgs *args);

/* Appends a row as a JSON object, in the database's encoding. */
extern void kafka_publish_append_row(const KafkaPublishColumns *columns, Relation rel,
									 HeapTuple row, StringInfo out);

/*
 * The row's key in UTF-8: the text of its column (bytea: its bytes), or of several a JSON
 * object; null where there is no key.  Lasts as long as the current context and the row.
 */
extern KafkaBytes kafka_publish_key(KafkaPublishColumns *columns, Relation rel, HeapTuple row);

#endif							/* KAFKA_PUBLISH_COLUMNS_H */
