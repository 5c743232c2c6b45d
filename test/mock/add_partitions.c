/*-------------------------------------------------------------------------
 *
 * add_partitions.c
 *	  Gives a topic more partitions:
 *
 *	      add_partitions BOOTSTRAP TOPIC TOTAL
 *
 *	  TOTAL is the number of partitions that it has then.
 *
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 30000

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "add_partitions: %s: %s\n", what, why);
	exit(1);
}

/* The answer's error, else the topic's. */
static rd_kafka_resp_err_t
answer_error(rd_kafka_event_t *event)
{
	const rd_kafka_CreatePartitions_result_t *result;
	const rd_kafka_topic_result_t **topics;
	size_t		ntopics;

	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return rd_kafka_event_error(event);
	result = rd_kafka_event_CreatePartitions_result(event);
	topics = rd_kafka_CreatePartitions_result_topics(result, &ntopics);
	return ntopics == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
}

int
main(int argc, char **argv)
{
	char		text[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_NewPartitions_t *request;
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t err;

	if (argc != 4)
		die("usage", "add_partitions BOOTSTRAP TOPIC TOTAL");
	if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) !=
		RD_KAFKA_CONF_OK)
		die(argv[1], text);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL)
		die(argv[1], text);
	queue = rd_kafka_queue_new(rk);
	request = rd_kafka_NewPartitions_new(argv[2], atoi(argv[3]), text, sizeof(text));
	if (request == NULL)
		die(argv[2], text);
	rd_kafka_CreatePartitions(rk, &request, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	if (event == NULL)
		die(argv[2], "no answer");
	err = answer_error(event);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die(argv[2], rd_kafka_err2str(err));
	rd_kafka_event_destroy(event);
	rd_kafka_NewPartitions_destroy(request);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	return 0;
}
