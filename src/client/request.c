/*-------------------------------------------------------------------------
 *
 * request.c
 *	  One request of administration and its answer.
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

void
kafka_request_begin(KafkaRequest *request, const KafkaOptions *opts, rd_kafka_admin_op_t op,
					const KafkaPlace *place, int timeout_ms)
{
	char		text[KAFKA_TEXT_SIZE];

	request->handle = kafka_handle_admin(opts);
	request->place = *place;
	request->timeout_ms = timeout_ms;
	request->options = rd_kafka_AdminOptions_new(request->handle->rk, op);
	request->to_coordinator = goes_to_coordinator(op);
	rd_kafka_AdminOptions_set_request_timeout(request->options, request->to_coordinator ?
											  KAFKA_COORDINATOR_LIMIT_MS : timeout_ms,
											  text, sizeof(text));
	/* not every request has one */
	rd_kafka_AdminOptions_set_operation_timeout(request->options, timeout_ms, text, sizeof(text));
	request->queue = rd_kafka_queue_new(request->handle->rk);
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
	if (err == RD_KAFKA_RESP_ERR__TIMED_OUT)
		err = RD_KAFKA_RESP_ERR__TRANSPORT;
	kafka_error_throw(request->handle, err, text, &request->place);
}
