/*-------------------------------------------------------------------------
 *
 * coordinator.h
 *	  The broker that a consumer group belongs to.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_COORDINATOR_H
#define KAFKA_COORDINATOR_H

#include "postgres.h"

#include "client/handle_internal.h"
#include "client/wait.h"

/*
 * Waits until the group has a coordinator that answers, at most kafka_fdw.connect_timeout.
 * Raises 42501, HV00N.
 */
extern void kafka_coordinator_await(KafkaHandle *handle, const char *group_id);

/* For tries at a request to coordinators, kafka_fdw.connect_timeout in all. */
extern void kafka_coordinator_wait_start(KafkaWait *wait, KafkaHandle *handle,
										 const KafkaPlace *place);

/* True if the error says that another broker is the coordinator, or is becoming it. */
extern bool kafka_coordinator_is_elsewhere(rd_kafka_resp_err_t err);

/*
 * True if it says so, and there is time for another try: after a pause, with a handle that is
 * asked for anew, because this one remembers the coordinator for a quarter of an hour
 * whatever it is told.
 */
extern bool kafka_coordinator_again(KafkaWait *wait, rd_kafka_resp_err_t err);

#endif							/* KAFKA_COORDINATOR_H */
