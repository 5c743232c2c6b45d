/*-------------------------------------------------------------------------
 *
 * salvage.h
 *	  What can be had of a value or key that could not be decoded as a whole.
 *
 * Layer 2, private to src/format.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SALVAGE_H
#define KAFKA_SALVAGE_H

#include "postgres.h"

#include "format/format.h"

typedef struct KafkaSalvage KafkaSalvage;

/* The set must outlive the result; allocates in the current context. */
extern KafkaSalvage *kafka_salvage_make(const KafkaFieldSet *set, const KafkaFormat *format);

/*
 * Decodes the i-th field alone, in a subtransaction, into *value and *isnull.  Returns the
 * error, or NULL; an error that catches() does not take is raised.
 */
extern ErrorData *kafka_salvage_field(KafkaSalvage *salvage, int i, KafkaBytes bytes,
									  Datum *value, bool *isnull, bool (*catches) (int));

#endif							/* KAFKA_SALVAGE_H */
