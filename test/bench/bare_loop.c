/*-------------------------------------------------------------------------
 *
 * bare_loop.c
 *	  What librdkafka costs without PostgreSQL: the measure for our scans.
 *
 *	  bare_loop scan BROKERS TOPIC
 *		  reads every message once, from absolute offsets; prints "wall-ms cpu-ms messages"
 *	  bare_loop point BROKERS TOPIC COUNT reused|fresh
 *		  reads COUNT single messages at random offsets, with one handle or a new one for
 *		  each; prints "median-ms p99-ms"
 *
 * The properties are those that the extension sets for its scans, but for the length of the
 * queue: librdkafka before 2.2 sleeps up to a second when it is full, which the extension
 * works around and this program avoids by a queue that holds everything.
 *
 *-------------------------------------------------------------------------
 */
#include "bare.h"

#define BATCH 500
#define MAX_PARTITIONS 64

static const char *const properties[][2] = {
	{"socket.nagle.disable", "true"},
	{"enable.partition.eof", "true"},
	{"auto.offset.reset", "error"},
	{"fetch.wait.max.ms", "1"},
	{"queued.min.messages", "10000000"},
	{"queued.max.messages.kbytes", "2097151"},
};

typedef struct Topic
{
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkt;
	rd_kafka_queue_t *queue;
	const char *name;
	int			partitions;
	int64_t		low[MAX_PARTITIONS];
	int64_t		high[MAX_PARTITIONS];
} Topic;

static void
open_handle(Topic *topic, const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set_property(conf, "bootstrap.servers", brokers);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		set_property(conf, properties[i][0], properties[i][1]);
	topic->rk = new_handle(RD_KAFKA_CONSUMER, conf);
	topic->rkt = rd_kafka_topic_new(topic->rk, topic->name, NULL);
	topic->queue = rd_kafka_queue_new(topic->rk);
}

static void
close_handle(Topic *topic)
{
	rd_kafka_queue_destroy(topic->queue);
	rd_kafka_topic_destroy(topic->rkt);
	rd_kafka_destroy(topic->rk);
}

static void
read_offsets(Topic *topic)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err = rd_kafka_metadata(topic->rk, 0, topic->rkt, &metadata, TIMEOUT_MS);

	if (err)
		fail("metadata", rd_kafka_err2str(err));
	topic->partitions = metadata->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(metadata);
	if (topic->partitions < 1 || topic->partitions > MAX_PARTITIONS)
		fail(topic->name, "no such topic, or too many partitions");
	for (int p = 0; p < topic->partitions; p++)
		if ((err = rd_kafka_query_watermark_offsets(topic->rk, topic->name, p, &topic->low[p],
													&topic->high[p], TIMEOUT_MS)))
			fail("offsets", rd_kafka_err2str(err));
}

static void
start(Topic *topic, int partition, int64_t offset)
{
	if (rd_kafka_consume_start_queue(topic->rkt, partition, offset, topic->queue))
		fail("start", rd_kafka_err2str(rd_kafka_last_error()));
}

/* One message, with the whole of starting and stopping. */
static void
read_one(Topic *topic, int partition, int64_t offset)
{
	start(topic, partition, offset);
	for (;;)
	{
		rd_kafka_message_t *msg;
		int			found;

		if (rd_kafka_consume_batch_queue(topic->queue, TIMEOUT_MS, &msg, 1) != 1)
			fail("point", "nothing came");
		found = msg->err == 0 && msg->partition == partition && msg->offset == offset;
		rd_kafka_message_destroy(msg);
		if (found)
			break;
	}
	rd_kafka_consume_stop(topic->rkt, partition);
}

/* Reads every message once; returns their number. */
static long
read_all(Topic *topic)
{
	rd_kafka_message_t *batch[BATCH];
	long		messages = 0;
	int			open = 0;

	for (int p = 0; p < topic->partitions; p++)
		if (topic->high[p] > topic->low[p])
		{
			start(topic, p, topic->low[p]);
			open++;
		}
	while (open > 0)
	{
		ssize_t		n = rd_kafka_consume_batch_queue(topic->queue, 0, batch, BATCH);

		if (n == 0)
			n = rd_kafka_consume_batch_queue(topic->queue, TIMEOUT_MS, batch, 1);
		if (n <= 0)
			fail("scan", "nothing came");
		for (ssize_t i = 0; i < n; i++)
		{
			if (batch[i]->err == 0)
			{
				messages++;
				open -= batch[i]->offset == topic->high[batch[i]->partition] - 1;
			}
			else if (batch[i]->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
				fail("scan", rd_kafka_message_errstr(batch[i]));
			rd_kafka_message_destroy(batch[i]);
		}
	}
	return messages;
}

/* One message of each partition first, to connect: our backend is connected, too. */
static void
scan(Topic *topic)
{
	double		begin;
	double		cpu;
	long		messages;

	read_offsets(topic);
	for (int p = 0; p < topic->partitions; p++)
		if (topic->high[p] > topic->low[p])
			read_one(topic, p, topic->high[p] - 1);
	begin = now_ms(CLOCK_MONOTONIC);
	cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	messages = read_all(topic);
	printf("%.1f %.1f %ld\n", now_ms(CLOCK_MONOTONIC) - begin,
		   now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu, messages);
	for (int p = 0; p < topic->partitions; p++)
		rd_kafka_consume_stop(topic->rkt, p);
}

static void
point(Topic *topic, const char *brokers, int count, int fresh)
{
	double	   *times = malloc(sizeof(double) * (count + 1));

	read_offsets(topic);
	srandom(1);
	/* the first one, of which the time is not taken, warms the handle */
	for (int i = 0; i <= count; i++)
	{
		int			p = (int) (random() % topic->partitions);
		int64_t		offset = topic->low[p] + random() % (topic->high[p] - topic->low[p]);
		double		begin = now_ms(CLOCK_MONOTONIC);

		if (fresh)
		{
			close_handle(topic);
			open_handle(topic, brokers);
		}
		read_one(topic, p, offset);
		times[i] = now_ms(CLOCK_MONOTONIC) - begin;
	}
	qsort(times + 1, count, sizeof(double), compare);
	printf("%.3f %.3f\n", times[1 + count / 2], times[1 + count * 99 / 100]);
	free(times);
}

int
main(int argc, char **argv)
{
	Topic		topic = {0};

	if (argc < 4)
		fail("arguments", "see the head of bare_loop.c");
	topic.name = argv[3];
	open_handle(&topic, argv[2]);
	if (strcmp(argv[1], "scan") == 0)
		scan(&topic);
	else if (argc == 6)
		point(&topic, argv[2], atoi(argv[4]), strcmp(argv[5], "fresh") == 0);
	else
		fail("arguments", "see the head of bare_loop.c");
	close_handle(&topic);
	return 0;
}
