/*-------------------------------------------------------------------------
 *
 * csv.h
 *	  CSV records taken apart, for those that have no columns yet.
 *
 * Layer 2, private to src/format.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_FORMAT_CSV_H
#define KAFKA_FORMAT_CSV_H

#include "postgres.h"

#include "ground/options.h"

/* A field of a record, counted from 0; text is NULL for a null. */
typedef void (*KafkaCsvField) (void *arg, int index, const char *text);

/*
 * Calls field, unless it is NULL, for each field of the record.  Returns their number, or -1
 * where the text is no record; the fields before the fault have been seen then.  Never raises.
 */
extern int	kafka_csv_split(const KafkaOptions *opts, const char *text, KafkaCsvField field,
							void *arg);

#endif							/* KAFKA_FORMAT_CSV_H */
