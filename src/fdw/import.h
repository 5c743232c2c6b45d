/*-------------------------------------------------------------------------
 *
 * import.h
 *	  Columns for a topic, from a sample of its messages.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_IMPORT_H
#define KAFKA_IMPORT_H

#include "postgres.h"

#include "format/infer.h"
#include "ground/options.h"

/*
 * Reads up to import->sample messages from the ends of the topic's partitions and says
 * which columns suit them; palloc'd.  A WARNING where a given format does not suit all of
 * them.  Raises HV00R if the topic does not exist, and what reading raises.
 */
extern KafkaInferred *kafka_import_infer(const KafkaOptions *opts, const char *topic,
										 const KafkaImportOptions *import);

#endif							/* KAFKA_IMPORT_H */
