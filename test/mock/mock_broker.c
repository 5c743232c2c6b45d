/*
 * mock_broker: librdkafka's mock cluster in a process of its own, for what a real
 * broker cannot be made to do, such as a round trip of 300 ms to a topic that is
 * already full. Prints its bootstrap servers on one line when it is ready and runs
 * until its standard input ends, so it never outlives the test that started it.
 *
 *   mock_broker [--brokers N] [--topic NAME:PARTITIONS] [--fill N] [--rtt MS]
 *
 * Used by mock_broker() of test/perl/KafkaFdwTest.pm, which also builds it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

typedef struct Options
{
	int			brokers;
	char	   *topic;			/* NULL: none */
	int			partitions;
	int			fill;			/* messages put into the topic, round robin */
	int			rtt;			/* milliseconds, from after the filling */
} Options;

static int	failed_deliveries = 0;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "mock_broker: %s: %s\n", what, why);
	exit(1);
}

static int
number(const char *option, const char *text)
{
	char	   *end;
	long		value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0 || value > 100000000)
		fail(option, "not a number");
	return (int) value;
}

static void
parse_options(int argc, char **argv, Options *opts)
{
	static const struct option known[] = {
		{"brokers", required_argument, NULL, 'b'},
		{"topic", required_argument, NULL, 't'},
		{"fill", required_argument, NULL, 'f'},
		{"rtt", required_argument, NULL, 'r'},
		{NULL, 0, NULL, 0}
	};
	int			c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
	{
		char	   *colon;

		switch (c)
		{
			case 'b':
				opts->brokers = number("--brokers", optarg);
				break;
			case 't':
				opts->topic = optarg;
				colon = strrchr(optarg, ':');
				if (colon != NULL)
				{
					*colon = '\0';
					opts->partitions = number("--topic", colon + 1);
				}
				break;
			case 'f':
				opts->fill = number("--fill", optarg);
				break;
			case 'r':
				opts->rtt = number("--rtt", optarg);
				break;
			default:
				exit(2);
		}
	}
	if (opts->fill > 0 && opts->topic == NULL)
		fail("--fill", "needs --topic");
}

static void
count_failure(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
	(void) rk;
	(void) opaque;
	if (msg->err)
		failed_deliveries++;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		error[256];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
		fail(name, error);
}

static rd_kafka_t *
new_producer(const char *bootstrap)
{
	char		error[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	if (bootstrap != NULL)
		set(conf, "bootstrap.servers", bootstrap);
	rd_kafka_conf_set_dr_msg_cb(conf, count_failure);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
		fail("producer", error);
	return rk;
}

/* Message I has key "kI" and value {"id": I}, in partition I modulo the partitions. */
static void
fill_topic(const char *bootstrap, const Options *opts)
{
	rd_kafka_t *rk = new_producer(bootstrap);

	for (int i = 0; i < opts->fill; i++)
	{
		char		key[32];
		char		value[32];
		rd_kafka_resp_err_t err;

		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "{\"id\": %d}", i);
		while ((err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(opts->topic),
										RD_KAFKA_V_PARTITION(i % opts->partitions),
										RD_KAFKA_V_KEY(key, strlen(key)),
										RD_KAFKA_V_VALUE(value, strlen(value)),
										RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
										RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(rk, 100);
		if (err)
			fail("produce", rd_kafka_err2str(err));
	}
	if (rd_kafka_flush(rk, 30000) != RD_KAFKA_RESP_ERR_NO_ERROR || failed_deliveries > 0)
		fail("--fill", "messages were not delivered");
	rd_kafka_destroy(rk);
}

int
main(int argc, char **argv)
{
	Options		opts = {.brokers = 1, .partitions = 1};
	rd_kafka_t *owner;
	rd_kafka_mock_cluster_t *cluster;
	char		buffer[256];

	parse_options(argc, argv, &opts);

	/* The cluster lives in the threads of a handle that does nothing else. */
	owner = new_producer(NULL);
	cluster = rd_kafka_mock_cluster_new(owner, opts.brokers);
	if (cluster == NULL)
		fail("mock cluster", "could not be made");
	if (opts.topic != NULL)
	{
		rd_kafka_resp_err_t err = rd_kafka_mock_topic_create(cluster, opts.topic, opts.partitions, 1);

		if (err)
			fail(opts.topic, rd_kafka_err2str(err));
	}
	if (opts.fill > 0)
		fill_topic(rd_kafka_mock_cluster_bootstraps(cluster), &opts);
	for (int id = 1; opts.rtt > 0 && id <= opts.brokers; id++)
		rd_kafka_mock_broker_set_rtt(cluster, id, opts.rtt);

	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
		;

	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(owner);
	return 0;
}
