/*-------------------------------------------------------------------------
 *
 * login.c
 *	  What librdkafka's words about a connection mean.
 *
 * Layer 1.  A client that cannot log in, or cannot agree on TLS, tries for ever, and whoever
 * waits for a topic's metadata or an answer hears only of a time-out.  The reason is in an error
 * event and in the log, as a text; so texts are judged here, for both.  No harm is done where
 * a version words them otherwise: then the wait ends by its limit.
 *
 * A broker that goes down in the midst of a log-in leaves a text that begins like that of a
 * refusal; what it goes on with tells the two apart.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "client/login.h"

typedef struct Sign
{
	const char *text;
	rd_kafka_resp_err_t err;
} Sign;

/* The first one that is found decides. */
static const Sign signs[] = {
	/* the connection went away meanwhile */
	{"SaslAuthenticateRequest failed: Local: ", RD_KAFKA_RESP_ERR__TRANSPORT},
	{"mechanism handshake failed: Local: ", RD_KAFKA_RESP_ERR__TRANSPORT},
	{"unexpected eof while reading", RD_KAFKA_RESP_ERR__TRANSPORT},
	{"SSL handshake failed: Disconnected", RD_KAFKA_RESP_ERR__TRANSPORT},
	{"SSL transport error: ", RD_KAFKA_RESP_ERR__TRANSPORT},

	{"SASL authentication error: ", RD_KAFKA_RESP_ERR__AUTHENTICATION},
	{"mechanism handshake failed: ", RD_KAFKA_RESP_ERR__AUTHENTICATION},
	{"Failed to initialize SASL authentication: ", RD_KAFKA_RESP_ERR__AUTHENTICATION},
	{"Failed to acquire SASL OAUTHBEARER token", RD_KAFKA_RESP_ERR__AUTHENTICATION},
	{"SSL handshake failed: ", RD_KAFKA_RESP_ERR__SSL},
	{"Failed to verify broker certificate: ", RD_KAFKA_RESP_ERR__SSL},
	{"Broker did not provide a certificate", RD_KAFKA_RESP_ERR__SSL},
};

/*
 * With TLS 1.3 a broker refuses a client's certificate only after the handshake.  In a
 * connection that was up already an alert means something else.
 */
static bool
is_refused_certificate(const char *text)
{
	return strstr(text, "SSL routines") && strstr(text, " alert ") &&
		!strstr(text, "in state UP");
}

rd_kafka_resp_err_t
kafka_login_judge(rd_kafka_resp_err_t err, const char *text)
{
	for (int i = 0; i < (int) lengthof(signs); i++)
		if (strstr(text, signs[i].text))
			return signs[i].err;
	return is_refused_certificate(text) ? RD_KAFKA_RESP_ERR__SSL : err;
}

const char *
kafka_login_text(const char *text)
{
	const char *end = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;

	return end ? end + 3 : text;
}

bool
kafka_login_is_hangup(const char *text)
{
	return strstr(text, "unexpected eof while reading") ||
		strstr(text, "SSL handshake failed: Disconnected") ||
		(isdigit((unsigned char) text[0]) && strstr(text, " brokers are down"));
}
