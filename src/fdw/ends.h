/*-------------------------------------------------------------------------
 *
 * ends.h
 *	  The ends of topics, pinned: all scans under one snapshot agree about them.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ENDS_H
#define KAFKA_ENDS_H

#include "postgres.h"

#include "client/topic.h"
#include "ground/options.h"
#include "utils/snapshot.h"

/*
 * Where the topic begins and ends for this snapshot; asks the cluster when the snapshot first
 * meets the topic.  Under REPEATABLE READ and SERIALIZABLE one answer holds for the
 * transaction.  The result belongs to the pin: use it before anything else is executed.
 */
extern const KafkaBounds *kafka_ends_pinned(Snapshot snapshot, const KafkaOptions *opts);

/* Registers what drops pins in time; called once, from _PG_init. */
extern void kafka_ends_init(void);

#endif							/* KAFKA_ENDS_H */
