/*-------------------------------------------------------------------------
 *
 * flush.c
 *	  kafka.flush and kafka.close_producer: the session's producers.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/producer.h"
#include "fmgr.h"
#include "ground/settings.h"
#include "sql/common.h"
#include "transaction/send.h"

PG_FUNCTION_INFO_V1(kafka_flush);

/* (timeout, server): how many messages of immediate statements are still unconfirmed. */
Datum
kafka_flush(PG_FUNCTION_ARGS)
{
	int			limit_ms = kafka_sql_wait_ms(fcinfo, 0, "timeout", kafka_setting_commit_timeout);
	const KafkaOptions *opts = kafka_sql_server(fcinfo, 1);

	PG_RETURN_INT64(kafka_producers_flush(opts->serverid, opts->userid, limit_ms));
}

PG_FUNCTION_INFO_V1(kafka_close_producer);

/* (server): how many producers were closed. */
Datum
kafka_close_producer(PG_FUNCTION_ARGS)
{
	const KafkaOptions *opts = kafka_sql_server(fcinfo, 0);

	if (kafka_sends_are_pending(opts->serverid, opts->userid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot close the producer of server \"%s\": messages wait for COMMIT",
						opts->server_name),
				 errhint("Call it after COMMIT or ROLLBACK.")));
	PG_RETURN_INT32(kafka_producers_close_idle(opts->serverid, opts->userid));
}
