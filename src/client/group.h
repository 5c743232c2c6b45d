/*-------------------------------------------------------------------------
 *
 * group.h
 *	  Consumer groups.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_GROUP_H
#define KAFKA_GROUP_H

#include "postgres.h"

#include "client/handle_internal.h"

/*
 * Waits until the group has a coordinator that answers, at most kafka_fdw.connect_timeout.
 * The topic's partition is one that is asked about.  Raises 42501, HV00N.
 */
extern void kafka_group_await_coordinator(KafkaHandle *handle, const char *group_id,
										  const char *topic, int32 partition);

#endif							/* KAFKA_GROUP_H */
