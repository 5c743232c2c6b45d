/*-------------------------------------------------------------------------
 *
 * infer.h
 *	  From the bytes of some messages to the columns of a foreign table for their topic.
 *
 * Layer 2.  Knows neither Kafka nor the catalogue: messages go in one by one, a list of
 * columns comes out.  Nothing in a message makes it raise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_INFER_H
#define KAFKA_INFER_H

#include "postgres.h"

#include "ground/message.h"
#include "ground/options.h"
#include "nodes/pg_list.h"

/* One column, with what was seen of it. */
typedef struct KafkaInferredColumn
{
	char	   *name;			/* valid and unique in the table; not quoted */
	const char *type;			/* as SQL writes it */
	const char *option;			/* "meta", "json", "path", or NULL: it needs none */
	const char *option_value;
	int64		samples;		/* messages that could have it */
	int64		nulls;			/* of them, those in which it is null or missing */
} KafkaInferredColumn;

typedef struct KafkaInferred
{
	int			format;			/* KafkaFormatId */
	List	   *columns;		/* of KafkaInferredColumn; those with a meta last */
	int64		values;			/* messages that were no tombstones */
	int64		misfits;		/* of them, those that the format cannot decode */
	bool		too_wide;		/* too many JSON members: one column for the document */
} KafkaInferred;

typedef struct KafkaInference KafkaInference;

/*
 * opts: how CSV is written.  format: a KafkaFormatId, or KAFKA_FORMAT_UNSET to find it out: json if every value is a
 * JSON object, else string if every value is text, else bytes.  Lives in the current
 * memory context.
 */
extern KafkaInference *kafka_infer_begin(const KafkaOptions *opts, int format);

/* One message; nothing of it is kept. */
extern void kafka_infer_add(KafkaInference *inference, const KafkaMessage *msg);

/*
 * The result, in the current memory context.  metadata: with columns for key, partition,
 * offset, timestamp and headers.
 */
extern KafkaInferred *kafka_infer_end(KafkaInference *inference, bool metadata);

#endif							/* KAFKA_INFER_H */
