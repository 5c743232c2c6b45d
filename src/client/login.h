/*-------------------------------------------------------------------------
 *
 * login.h
 *	  What librdkafka's words about a connection mean.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_LOGIN_H
#define KAFKA_LOGIN_H

#include "postgres.h"

#include "client/rdkafka_api.h"

/*
 * The error that a text about a connection tells of: _AUTHENTICATION or _SSL where waiting
 * does not mend it, _TRANSPORT where it may, else err as it is (librdkafka's own code, or no
 * error for a line of the log).
 */
extern rd_kafka_resp_err_t kafka_login_judge(rd_kafka_resp_err_t err, const char *text);

/* The text without the name of a thread that log lines begin with. */
extern const char *kafka_login_text(const char *text);

/*
 * All that is known is that the brokers cannot be talked to: no failed connection was told of.
 * So they accept connections and hang up, as they do when a client does not speak the listener's
 * protocol.
 */
extern bool kafka_login_is_hangup(const char *text);

#endif							/* KAFKA_LOGIN_H */
