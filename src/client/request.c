/*-------------------------------------------------------------------------
 *
 * request.c
 *	  Requests of administration and their answers.
 *
 * Layer 1.  librdkafka's admin calls are asynchronous: a request, and its answer as an
 * event on a queue that is polled in slices, so that every one of them can be cancelled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/request.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"

/* librdkafka has the time limit; its answer gets this much more. */
#define REPLY_GRACE_MS 500

static bool
goes_to_coordinator(rd_kafka_admin_op_t op)
{
	return op == RD_KAFKA_ADMIN_OP_DELETEGROUPS ||
		op == RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS ||
		op == RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS ||
		op == RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS ||
		op == RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
}

static void
set_limits(rd_kafka_AdminOptions_t *options, rd_kafka_admin_op_t op, int timeout_ms)
{
	char		text[KAFKA_TEXT_SIZE];

	rd_kafka_AdminOptions_set_request_timeout(options, goes_to_coordinator(op) ?
											  KAFKA_COORDINATOR_LIMIT_MS : timeout_ms, text,
											  sizeof(text));
	/* not every request has one */
	rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text, sizeof(text));
}

/* ------------------------------------------------------------------------
 * One
 * ------------------------------------------------------------------------
 */
void
kafka_request_begin(KafkaRequest *request, const KafkaOptions *opts, rd_kafka_admin_op_t op,
					const KafkaPlace *place, int timeout_ms)
{
	request->handle = kafka_handle_admin(opts);
	request->place = *place;
	request->timeout_ms = timeout_ms;
	request->options = rd_kafka_AdminOptions_new(request->handle->rk, op);
	request->to_coordinator = goes_to_coordinator(op);
	set_limits(request->options, op, timeout_ms);
	request->queue = rd_kafka_queue_new(request->handle->rk);
}

rd_kafka_resp_err_t
kafka_request_error(rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;

	return err == RD_KAFKA_RESP_ERR__TIMED_OUT ? RD_KAFKA_RESP_ERR__TRANSPORT : err;
}

const char *
kafka_request_error_text(rd_kafka_event_t *event)
{
	return event ? rd_kafka_event_error_string(event) : "no answer in time";
}

/* Waits for the event, whatever is in it. */
static rd_kafka_event_t *
await_event(KafkaRequest *request)
{
	rd_kafka_event_t *volatile event = NULL;
	KafkaWait	wait;

	request->handle->stats->counters[KAFKA_COUNT_REQUESTS]++;
	kafka_wait_start(&wait, request->handle, &request->place,
					 request->timeout_ms + REPLY_GRACE_MS, KAFKA_REQUEST_LIMIT);
	wait.connecting = request->to_coordinator;
	PG_TRY();
	{
		while ((event = rd_kafka_queue_poll(request->queue, KAFKA_SLICE_MS)) == NULL)
			kafka_wait_check(&wait);
	}
	PG_FINALLY();
	{
		rd_kafka_AdminOptions_destroy(request->options);
		rd_kafka_queue_destroy(request->queue);
		if (event == NULL && request->to_coordinator)
			request->handle->stale = true;
	}
	PG_END_TRY();
	return event;
}

rd_kafka_event_t *
kafka_request_try(KafkaRequest *request, rd_kafka_resp_err_t *err, char *text, size_t size)
{
	rd_kafka_event_t *event = await_event(request);

	*err = rd_kafka_event_error(event);
	if (*err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		kafka_handle_succeeded(request->handle);
		return event;
	}
	strlcpy(text, rd_kafka_event_error_string(event), size);
	rd_kafka_event_destroy(event);
	kafka_handle_serve(request->handle);
	return NULL;
}

rd_kafka_event_t *
kafka_request_await(KafkaRequest *request)
{
	rd_kafka_resp_err_t err;
	char		text[KAFKA_TEXT_SIZE];
	rd_kafka_event_t *event = kafka_request_try(request, &err, text, sizeof(text));

	if (event)
		return event;
	kafka_error_throw(request->handle, err == RD_KAFKA_RESP_ERR__TIMED_OUT ?
					  RD_KAFKA_RESP_ERR__TRANSPORT : err, text, &request->place);
}

/* ------------------------------------------------------------------------
 * Several at once
 * ------------------------------------------------------------------------
 */
void
kafka_requests_begin(KafkaRequests *requests, KafkaHandle *handle, const KafkaPlace *place,
					 int n)
{
	requests->handle = handle;
	requests->place = *place;
	requests->timeout_ms = kafka_setting_connect_timeout;
	requests->n = n;
	requests->events = palloc0(sizeof(rd_kafka_event_t *) * Max(n, 1));
	requests->queue = rd_kafka_queue_new(handle->rk);
}

rd_kafka_AdminOptions_t *
kafka_requests_options(KafkaRequests *requests, rd_kafka_admin_op_t op, int number)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(requests->handle->rk, op);

	set_limits(options, op, requests->timeout_ms);
	rd_kafka_AdminOptions_set_opaque(options, (void *) (intptr_t) number);
	requests->handle->stats->counters[KAFKA_COUNT_REQUESTS]++;
	return options;
}

/* Takes answers until all are there, or none has come for the time limit. */
static void
gather(KafkaRequests *requests, KafkaWait *wait)
{
	for (int left = requests->n; left > 0;)
	{
		rd_kafka_event_t *event = rd_kafka_queue_poll(requests->queue, KAFKA_SLICE_MS);

		if (event)
		{
			requests->events[(intptr_t) rd_kafka_event_opaque(event)] = event;
			kafka_wait_progress(wait);
			left--;
		}
		else if (kafka_wait_elapsed(wait) > requests->timeout_ms)
			break;
		else
			kafka_wait_check(wait);
	}
}

void
kafka_requests_await(KafkaRequests *requests)
{
	KafkaWait	wait;

	kafka_wait_start(&wait, requests->handle, &requests->place,
					 requests->timeout_ms + REPLY_GRACE_MS, KAFKA_REQUEST_LIMIT);
	PG_TRY();
	{
		gather(requests, &wait);
	}
	PG_CATCH();
	{
		requests->handle->stale = true; /* request.h says why */
		kafka_requests_end(requests);
		rd_kafka_queue_destroy(requests->queue);
		PG_RE_THROW();
	}
	PG_END_TRY();
	rd_kafka_queue_destroy(requests->queue);
	for (int i = 0; i < requests->n; i++)
	{
		if (requests->events[i] == NULL)
			requests->handle->stale = true;
		else if (!rd_kafka_event_error(requests->events[i]))
			kafka_handle_succeeded(requests->handle);
	}
}

void
kafka_requests_end(KafkaRequests *requests)
{
	for (int i = 0; i < requests->n; i++)
	{
		if (requests->events[i])
			rd_kafka_event_destroy(requests->events[i]);
		requests->events[i] = NULL;
	}
}
