/*-------------------------------------------------------------------------
 *
 * error.c
 *	  librdkafka's errors as PostgreSQL's.
 *
 * Layer 1.  See error.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/login.h"
#include "ground/compat.h"

typedef struct ErrorRule
{
	rd_kafka_resp_err_t err;
	int			sqlstate;
	const char *message;		/* with one %s for topic, group or transactional id, or NULL:
								 * place->doing */
	const char *hint;
} ErrorRule;

static const ErrorRule error_rules[] = {
	{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERRCODE_FDW_TABLE_NOT_FOUND,
		"topic \"%s\" does not exist",
	"Create it with kafka.create_topic, or list topics with kafka.list_topics."},
	{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERRCODE_FDW_TABLE_NOT_FOUND,
		"topic \"%s\" does not exist",
	"Create it with kafka.create_topic, or list topics with kafka.list_topics."},
	{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
	"List partitions with kafka.watermarks."},
	{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERRCODE_INVALID_PARAMETER_VALUE,
		"invalid topic name \"%s\"",
	"A topic name has up to 249 letters, digits, dots, underscores and hyphens."},
	{RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, ERRCODE_DUPLICATE_TABLE,
	"topic \"%s\" already exists", NULL},
	{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
	"See the offsets that are there with kafka.watermarks."},
	{RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
	"The number of partitions must be 1 or more."},
	{RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
	"The replication factor cannot exceed the number of brokers."},
	{RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT, ERRCODE_INVALID_PARAMETER_VALUE, NULL, NULL},
	{RD_KAFKA_RESP_ERR_INVALID_CONFIG, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
	"Topic properties are those of Kafka, as \"retention.ms\"."},
	{RD_KAFKA_RESP_ERR_INVALID_REQUEST, ERRCODE_INVALID_PARAMETER_VALUE, NULL, NULL},
	{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERRCODE_INVALID_PARAMETER_VALUE, NULL, NULL},
	{RD_KAFKA_RESP_ERR__INVALID_ARG, ERRCODE_INVALID_PARAMETER_VALUE, NULL, NULL},
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
		"message for topic \"%s\" is too large",
		"Raise \"message_max_bytes\" on the server, and the topic's "
	"\"max.message.bytes\"."},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERRCODE_INSUFFICIENT_PRIVILEGE,
	"the Kafka cluster denies access to topic \"%s\"", NULL},
	{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERRCODE_INSUFFICIENT_PRIVILEGE,
	"the Kafka cluster denies this operation", NULL},
	{RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ERRCODE_INSUFFICIENT_PRIVILEGE,
		"the Kafka cluster denies the transactional id \"%s\"",
	"The principal needs Write on it; those of the extension itself begin with \"kafka_fdw.\"."},
	{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERRCODE_INSUFFICIENT_PRIVILEGE,
	"the Kafka cluster denies access to consumer group \"%s\"", NULL},
	{RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, ERRCODE_UNDEFINED_OBJECT,
		"consumer group \"%s\" does not exist",
	"List groups with kafka.list_groups."},
	{RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP, ERRCODE_OBJECT_IN_USE,
		"consumer group \"%s\" has active members",
	"Stop its consumers first: kafka.describe_group shows them."},
	{RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC, ERRCODE_OBJECT_IN_USE, NULL,
	"Stop the group's consumers first: kafka.describe_group shows them."},
	{RD_KAFKA_RESP_ERR_SECURITY_DISABLED, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		"the Kafka cluster has no authorizer",
	"Its brokers need \"authorizer.class.name\" before they can keep ACLs."},
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"authentication with the Kafka cluster failed",
	"Check the user mapping and the server's \"security_protocol\" and \"sasl_mechanisms\"."},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"authentication with the Kafka cluster failed",
	"Check the user mapping and the server's \"security_protocol\" and \"sasl_mechanisms\"."},
	{RD_KAFKA_RESP_ERR__SSL, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"TLS negotiation with the Kafka cluster failed",
	"Check the server's \"security_protocol\" and the ssl options."},
	{RD_KAFKA_RESP_ERR__TRANSPORT, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
		"could not reach a Kafka broker",
	"Check \"bootstrap_servers\" of the server, and that the broker runs."},
	{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
		"could not reach a Kafka broker",
	"Check \"bootstrap_servers\" of the server, and that the broker runs."},
	{RD_KAFKA_RESP_ERR__RESOLVE, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
		"could not reach a Kafka broker",
	"Check \"bootstrap_servers\" of the server, and that the broker runs."},
	{RD_KAFKA_RESP_ERR__FENCED, ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
	"the producer of the Kafka transaction was fenced", KAFKA_FENCED_HINT},
	{RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
	"the producer of the Kafka transaction was fenced", KAFKA_FENCED_HINT},
	{RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
	"the producer of the Kafka transaction was fenced", KAFKA_FENCED_HINT},
	{RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, ERRCODE_FEATURE_NOT_SUPPORTED, NULL, NULL},
};

static const ErrorRule *
find_rule(rd_kafka_resp_err_t err)
{
	for (int i = 0; i < (int) lengthof(error_rules); i++)
		if (error_rules[i].err == err)
			return &error_rules[i];
	return NULL;
}

int
kafka_error_sqlstate(rd_kafka_resp_err_t err)
{
	const ErrorRule *rule = find_rule(err);

	return rule ? rule->sqlstate : ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION;
}

bool
kafka_error_is_transient(rd_kafka_resp_err_t err)
{
	switch (err)
	{
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		case RD_KAFKA_RESP_ERR__RESOLVE:
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
		case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
		case RD_KAFKA_RESP_ERR__WAIT_COORD:
		case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
		case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
		case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
		case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
		case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
		case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
		case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
		case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
		case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
			return true;
		default:
			return false;
	}
}

bool
kafka_error_is_fenced(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
		err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

bool
kafka_error_is_hangup(const KafkaHandle *handle)
{
	return !handle->answered && kafka_handle_is_down(handle) &&
		kafka_login_is_hangup(handle->error_text);
}

/* Failed to add partition "TOPIC" [PARTITION] to transaction: REASON */
rd_kafka_resp_err_t
kafka_error_of_refusal(const KafkaHandle *handle, char *topic)
{
	const char *name = strstr(handle->refused_text, "partition \"");
	const char *end = name ? strstr(name, "\" [") : NULL;
	const char *reason = end ? strstr(end, "to transaction: ") : NULL;

	if (reason == NULL)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	name += strlen("partition \"");
	strlcpy(topic, name, Min(end - name + 1, KAFKA_TOPIC_SIZE));
	for (int i = 0; i < (int) lengthof(error_rules); i++)
		if (strstr(reason, rd_kafka_err2str(error_rules[i].err)))
			return error_rules[i].err;
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool
kafka_error_is_put_out(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
		err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
		err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

bool
kafka_error_is_unknown(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
		err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
		err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* librdkafka's text, what it says besides, and what the broker connection said last. */
static char *
error_detail(KafkaHandle *handle, rd_kafka_resp_err_t err, const char *text,
			 const KafkaPlace *place)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (place->has_partition)
		appendStringInfo(&buf, "Topic \"%s\", partition %d. ", place->topic, place->partition);
	appendStringInfo(&buf, "librdkafka says: %s",
					 text && text[0] ? text : rd_kafka_err2str(err));
	if (handle == NULL || !kafka_error_is_transient(err))
		return buf.data;		/* the broker has answered: no more to say */
	if (handle->error_text[0] && (text == NULL || !strstr(text, handle->error_text)))
		appendStringInfo(&buf, "; last error: %s", handle->error_text);
	else if (handle->log_text[0])
		appendStringInfo(&buf, "; last broker message: %s", handle->log_text);
	return buf.data;
}

/* What fills the rule's text; NULL if that is not known. */
static const char *
error_object(const KafkaHandle *handle, const ErrorRule *rule, const KafkaPlace *place)
{
	switch (rule->err)
	{
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
		case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
			return place->group_id ? place->group_id : handle ? handle->group_id : NULL;
		case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
			return handle ? handle->transactional_id : NULL;
		default:
			return place->topic;
	}
}

/* The rule's text, with the object where it asks for one, else what was being done. */
static char *
error_message(const KafkaHandle *handle, const ErrorRule *rule, const KafkaPlace *place)
{
	const char *slot = rule && rule->message ? strstr(rule->message, "%s") : NULL;
	const char *object = slot ? error_object(handle, rule, place) : NULL;

	if (rule == NULL || rule->message == NULL || (slot && object == NULL))
		return pstrdup(place->doing ? place->doing : "request to the Kafka cluster failed");
	if (slot == NULL)
		return pstrdup(rule->message);
	return psprintf("%.*s%s%s", (int) (slot - rule->message), rule->message, object, slot + 2);
}

static const char *
error_hint(const KafkaHandle *handle, const ErrorRule *rule, const char *text)
{
	if (rule == NULL)
		return NULL;
	if (rule->sqlstate == ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION && handle &&
		kafka_error_is_hangup(handle))
		return "The brokers hang up before they have answered: check \"security_protocol\" of "
			"the server, and that the brokers run.";
	if (rule->sqlstate == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION && text &&
		strstr(text, "SCRAM") && KAFKA_RD_SCRAM_NONCE_TWICE())
		return "Check the user mapping. With librdkafka before 2.6.1, as here, Kafka 4.0 and later "
			"refuse every log-in by SCRAM: install a newer librdkafka, or use another mechanism.";
	if (rule->err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED && text &&
		strstr(text, "idempotence"))
		return "To send, the principal needs Write on the topic and, before Kafka 2.8, "
			"IdempotentWrite on the cluster.";
	return rule->hint;
}

void
kafka_error_throw(KafkaHandle *handle, rd_kafka_resp_err_t err, const char *text,
				  const KafkaPlace *place)
{
	const ErrorRule *rule = find_rule(err);
	const char *hint = error_hint(handle, rule, text);

	ereport(ERROR,
			(errcode(kafka_error_sqlstate(err)),
			 errmsg_internal("%s", error_message(handle, rule, place)),
			 errdetail_internal("%s", error_detail(handle, err, text, place)),
			 hint ? errhint("%s", hint) : 0));
}
