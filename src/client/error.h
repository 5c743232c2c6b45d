/*-------------------------------------------------------------------------
 *
 * error.h
 *	  librdkafka's errors as PostgreSQL's.
 *
 * Layer 1, private to src/client (codes are librdkafka's).  Primary messages and
 * HINTs hold no host, port, time or library text: those go to DETAIL, so that
 * expected outputs stay stable.  The table of SQLSTATEs is the contract's, part 4.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ERROR_H
#define KAFKA_ERROR_H

#include "postgres.h"

#include "client/handle_internal.h"
#include "ground/compat.h"

/* What an error is about; every field may be left zero. */
typedef struct KafkaPlace
{
	const char *doing;			/* "could not read from topic \"t\"" and the like */
	const char *topic;
	int32		partition;		/* shown if has_partition */
	bool		has_partition;
	const char *group_id;
} KafkaPlace;

/* SQLSTATE of an error code. */
extern int	kafka_error_sqlstate(rd_kafka_resp_err_t err);

/*
 * Raises the error: place->doing is the primary message unless the code has a text of
 * its own (no such topic, not authorised, ...); librdkafka's text and, where there is
 * one, the last broker message become DETAIL.
 */
extern KAFKA_NORETURN void kafka_error_throw(KafkaHandle *handle, rd_kafka_resp_err_t err,
											 const char *text, const KafkaPlace *place);

/* True for errors after which the same call may succeed a little later. */
extern bool kafka_error_is_transient(rd_kafka_resp_err_t err);

/*
 * True if the brokers accept the handle's connections and hang up before they have ever
 * answered: it does not speak their listener's protocol, or something that stands before them
 * finds them down.
 */
extern bool kafka_error_is_hangup(const KafkaHandle *handle);

/*
 * Of a partition that the cluster did not take into a transaction: the reason, and the topic's
 * name in topic (KAFKA_TOPIC_SIZE).  No error if librdkafka's log does not tell.
 */
#define KAFKA_TOPIC_SIZE 256
extern rd_kafka_resp_err_t kafka_error_of_refusal(const KafkaHandle *handle, char *topic);

/* True if a newer producer has taken the transactional id, or the transaction took too long. */
extern bool kafka_error_is_fenced(rd_kafka_resp_err_t err);

/* The group knows the member no longer, or not in this generation. */
extern bool kafka_error_is_put_out(rd_kafka_resp_err_t err);

/* Kafka does not tell the two apart. */
#define KAFKA_FENCED_HINT \
	"The transaction took longer than \"transaction_timeout_ms\", or another producer has begun " \
	"with the same transactional id (of the extension's own: see \"kafka_fdw.instance_name\")."

/* True if the topic or partition is not known: to the cluster, or only to this handle yet. */
extern bool kafka_error_is_unknown(rd_kafka_resp_err_t err);

#endif							/* KAFKA_ERROR_H */
