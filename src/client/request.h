/*-------------------------------------------------------------------------
 *
 * request.h
 *	  Requests of administration and their answers.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_REQUEST_H
#define KAFKA_REQUEST_H

#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "ground/options.h"

/* What the limit of such a wait is called in its error. */
#define KAFKA_REQUEST_LIMIT "timeout, by default kafka_fdw.connect_timeout"

/*
 * What librdkafka is given as time limit of a request to a group's coordinator, in ms, its
 * longest.  If such a request passes its limit before the coordinator is found, 2.0.2 ends the
 * process with a failed assertion when it is found after all.  So the limit is the waiter's own,
 * and a handle on which a request was left alone is not used again.
 */
#define KAFKA_COORDINATOR_LIMIT_MS 3600000

typedef struct KafkaRequest
{
	KafkaHandle *handle;		/* the session's metadata handle */
	KafkaPlace	place;			/* for errors */
	int			timeout_ms;
	rd_kafka_AdminOptions_t *options;	/* both time limits are set */
	rd_kafka_queue_t *queue;	/* where the answer comes */
	bool		to_coordinator; /* of a group */
} KafkaRequest;

/*
 * Options and queue for a request on the session's metadata handle; nothing is sent.  Until
 * kafka_request_await nothing may be raised, or both are lost.
 */
extern void kafka_request_begin(KafkaRequest *request, const KafkaOptions *opts,
								rd_kafka_admin_op_t op, const KafkaPlace *place,
								int timeout_ms);

/*
 * Waits for the answer, cancellably, and frees options and queue.  Raises when the request
 * failed as a whole (HV00N, 42501, 28000, ...); what failed for one item is in the event, which
 * the caller destroys.
 */
extern rd_kafka_event_t *kafka_request_await(KafkaRequest *request);

/*
 * The same for a request whose failure is no error: NULL, and *err says why, with librdkafka's
 * text in `text`.  A cancel and a failed authentication are raised.
 */
extern rd_kafka_event_t *kafka_request_try(KafkaRequest *request, rd_kafka_resp_err_t *err,
										   char *text, size_t size);

/* Several requests under way at once. */
typedef struct KafkaRequests
{
	KafkaHandle *handle;
	KafkaPlace	place;			/* for errors */
	int			timeout_ms;		/* of each */
	int			n;
	rd_kafka_event_t **events;	/* the answers, by the requests' numbers; NULL: none in time */
	rd_kafka_queue_t *queue;	/* where they come */
} KafkaRequests;

/*
 * A queue for n requests with the handle, within kafka_fdw.connect_timeout; nothing is sent.
 * Until kafka_requests_await nothing may be raised, or it is lost.
 */
extern void kafka_requests_begin(KafkaRequests *requests, KafkaHandle *handle,
								 const KafkaPlace *place, int n);

/* Options for one of them, with its number from 0 on; destroyed by the caller once it is sent. */
extern rd_kafka_AdminOptions_t *kafka_requests_options(KafkaRequests *requests,
													   rd_kafka_admin_op_t op, int number);

/*
 * Waits for all answers, cancellably, and frees the queue.  An answer may be an error: the
 * caller looks, and destroys all of them with kafka_requests_end.
 */
extern void kafka_requests_await(KafkaRequests *requests);
extern void kafka_requests_end(KafkaRequests *requests);

/* The error of an answer (NULL: none) as a whole; a time-out is taken for what it means. */
extern rd_kafka_resp_err_t kafka_request_error(rd_kafka_event_t *event);
extern const char *kafka_request_error_text(rd_kafka_event_t *event);

#endif							/* KAFKA_REQUEST_H */
