/*-------------------------------------------------------------------------
 *
 * ends.h
 *	  The ends of topics, pinned: all scans of a statement agree about them.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ENDS_H
#define KAFKA_ENDS_H

#include "postgres.h"

#include "ground/options.h"
#include "nodes/execnodes.h"

typedef struct KafkaEnds
{
	int32		npartitions;
	int64	   *ends;			/* of each partition, exclusive */
} KafkaEnds;

/*
 * The pinned ends of the topic for this statement; asks the cluster when the statement
 * first meets it.  Under REPEATABLE READ and SERIALIZABLE they hold for the transaction.
 * The result belongs to the pin and lasts as long.
 */
extern const KafkaEnds *kafka_ends_pinned(EState *estate, const KafkaOptions *opts);

#endif							/* KAFKA_ENDS_H */
