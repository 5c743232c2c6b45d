/*-------------------------------------------------------------------------
 *
 * delete_records.c
 *	  Removes the oldest messages of a partition, as retention does, at once:
 *
 *	      delete_records BOOTSTRAP TOPIC PARTITION BEFORE
 *
 *	  BEFORE is the first offset that stays.
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
	fprintf(stderr, "delete_records: %s: %s\n", what, why);
	exit(1);
}

static rd_kafka_t *
connect_to(const char *bootstrap)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char		text[512];
	rd_kafka_t *rk;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof(text)) !=
		RD_KAFKA_CONF_OK)
		die(bootstrap, text);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL)
		die(bootstrap, text);
	return rk;
}

/* The answer's error, else the partition's. */
static rd_kafka_resp_err_t
answer_error(rd_kafka_event_t *event, const char *topic, int partition)
{
	const rd_kafka_topic_partition_list_t *offsets;

	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return rd_kafka_event_error(event);
	offsets = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
	return rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *) offsets, topic,
											  partition)->err;
}

int
main(int argc, char **argv)
{
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_topic_partition_list_t *before = rd_kafka_topic_partition_list_new(1);
	rd_kafka_DeleteRecords_t *request;
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t err;

	if (argc != 5)
		die("usage", "delete_records BOOTSTRAP TOPIC PARTITION BEFORE");
	rk = connect_to(argv[1]);
	queue = rd_kafka_queue_new(rk);
	rd_kafka_topic_partition_list_add(before, argv[2], atoi(argv[3]))->offset = atoll(argv[4]);
	request = rd_kafka_DeleteRecords_new(before);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	if (event == NULL)
		die(argv[2], "no answer");
	err = answer_error(event, argv[2], atoi(argv[3]));
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die(argv[2], rd_kafka_err2str(err));
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(before);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	return 0;
}
