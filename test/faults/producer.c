/*-------------------------------------------------------------------------
 *
 * producer.c
 *	  Writes numbered messages into a topic, for the rounds of test/faults/pipeline:
 *
 *	      producer BOOTSTRAP TOPIC PARTITIONS NAME SEED SECONDS RATE POISON [TRANSACTIONAL_ID]
 *
 *	  RATE messages a second go to random partitions.  A message's key is NAME-NUMBER and tells it from
 *	  all others; of POISON in 1,000 it is NAME-NUMBER-poison, and the value is one that no target
 *	  takes.  With a TRANSACTIONAL_ID they are sent in transactions, of which a third is aborted;
 *	  without, a broker that is away may lose some.  SIGTERM is the end of the time.
 *
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define MAX_BATCH 40

/* One of so many transactions is aborted. */
#define ABORTED_OF 3

static volatile sig_atomic_t ended = 0;
static rd_kafka_t *rk;
static const char *topic;
static const char *name;
static int	partitions;
static int	poison;
static int	number = 0;

static void
end(int sig)
{
	(void) sig;
	ended = 1;
}

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "producer: %s: %s\n", what, why);
	exit(1);
}

static double
now(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (double) tv.tv_sec + (double) tv.tv_usec / 1e6;
}

static int
below(int n)
{
	return (int) (random() % n);
}

static void
set(rd_kafka_conf_t *conf, const char *property, const char *value)
{
	char		text[512];

	if (rd_kafka_conf_set(conf, property, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		die(property, text);
}

static void
start(const char *bootstrap, const char *transactional_id)
{
	char		text[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_error_t *error;

	set(conf, "bootstrap.servers", bootstrap);
	set(conf, "linger.ms", "2");
	set(conf, "enable.idempotence", "true");
	set(conf, "message.timeout.ms", "5000");
	set(conf, "log_level", "0");
	if (transactional_id)
	{
		set(conf, "transactional.id", transactional_id);
		set(conf, "transaction.timeout.ms", "6000");
	}
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL)
		die(bootstrap, text);
	if (transactional_id && (error = rd_kafka_init_transactions(rk, TIMEOUT_MS)) != NULL)
		die(transactional_id, rd_kafka_error_string(error));
}

/* Values that no target takes, each by another error. */
static const char *
poisoned(char *value, size_t size, int *len)
{
	static const char *const values[] = {
		"{\"id\": \"%s\", \"n\": %d, ", /* no JSON */
		"{\"id\": \"%s\", \"n\": -%d, \"kind\": 1}",	/* a check */
		"{\"id\": \"%s\", \"n\": \"a%d\", \"kind\": 1}",	/* no number */
		"{\"id\": \"%s\", \"n\": %d, \"kind\": 99}",	/* a foreign key, a trigger */
		"{\"id\": \"%s\", \"n\": %d, \"kind\": 1, \"pad\": \"\xff\"}",
		"{\"id\": \"%s\", \"n\": %d, \"kind\": 1, \"pad\": \"\\u0000\"}",
		NULL					/* a tombstone: no id */
	};
	const char *form = values[below(sizeof(values) / sizeof(values[0]))];
	char		id[100];

	*len = 0;
	if (form == NULL)
		return NULL;
	snprintf(id, sizeof(id), "%s-%d", name, number);
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	*len = snprintf(value, size, form, id, number);
	return value;
}

static void
send_one(void)
{
	char		key[100];
	char		text[400];
	const char *value = text;
	int			len;
	int			pad = below(200);

	number++;
	if (below(1000) < poison)
	{
		snprintf(key, sizeof(key), "%s-%d-poison", name, number);
		value = poisoned(text, sizeof(text), &len);
	}
	else
	{
		snprintf(key, sizeof(key), "%s-%d", name, number);
		len = snprintf(text, sizeof(text), "{\"id\": \"%s\", \"n\": %d, \"kind\": %d, \"pad\": \"%.*s\"}",
					   key, number, below(5), pad,
					   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
					   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
					   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	}
	rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(below(partitions)),
					  RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE((void *) value, (size_t) len),
					  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK), RD_KAFKA_V_END);
}

static void
finish(rd_kafka_error_t *error, const char *what)
{
	if (error)
		die(what, rd_kafka_error_string(error));
}

static int
send_batch(int transactional)
{
	int			n = 1 + below(MAX_BATCH);
	int			aborted = transactional && below(ABORTED_OF) == 0;

	if (transactional)
		finish(rd_kafka_begin_transaction(rk), "begin");
	for (int i = 0; i < n; i++)
		send_one();
	/* what is aborted has to be in the topic */
	if (aborted)
	{
		rd_kafka_flush(rk, TIMEOUT_MS);
		finish(rd_kafka_abort_transaction(rk, TIMEOUT_MS), "abort");
	}
	else if (transactional)
		finish(rd_kafka_commit_transaction(rk, TIMEOUT_MS), "commit");
	return n;
}

int
main(int argc, char **argv)
{
	double		begun;
	double		until;
	double		rate;

	if (argc < 9)
		die("usage", "producer BOOTSTRAP TOPIC PARTITIONS NAME SEED SECONDS RATE POISON [TRANSACTIONAL_ID]");
	signal(SIGTERM, end);
	signal(SIGINT, end);
	topic = argv[2];
	partitions = atoi(argv[3]);
	name = argv[4];
	srandom((unsigned) atol(argv[5]));
	rate = atof(argv[7]);
	poison = atoi(argv[8]);
	start(argv[1], argv[9]);
	begun = now();
	until = begun + atof(argv[6]);
	while (!ended && now() < until)
	{
		send_batch(argv[9] != NULL);
		while (!ended && now() < until && now() - begun < number / rate)
			rd_kafka_poll(rk, 5);
	}
	if (!argv[9])
		rd_kafka_flush(rk, TIMEOUT_MS);
	rd_kafka_destroy(rk);
	printf("%d\n", number);
	return 0;
}
