/*-------------------------------------------------------------------------
 *
 * bare_producer.c
 *	  What sending costs without PostgreSQL: the measure for our writing.
 *
 *	  bare_producer bulk BROKERS TOPIC COUNT SIZE produce|producev
 *		  sends COUNT messages of SIZE bytes; prints "wall-ms cpu-ms messages"
 *	  bare_producer transactions BROKERS TOPIC COUNT ID PAUSE_MS PROCESSES
 *		  each process sends COUNT transactions of one message of 100 bytes, with a
 *		  transactional id of its own and a pause after each; prints
 *		  "p50-ms p99-ms max-ms transactions-a-second", the last summed over the processes
 *
 * The properties are those that the extension sets for its producers.  Times begin when all is
 * connected and warm.  Every message has its delivery report looked at; one that is missing
 * or reports an error ends the program with status 1.
 *
 *-------------------------------------------------------------------------
 */
#include "bare.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVE_EVERY 1000
#define WARM_UPS 20
#define MAX_SIZE 100000
#define MAX_PROCESSES 256

static const char *const properties[][2] = {
	{"client.id", "bare_producer"},
	{"log_level", "3"},
	{"socket.nagle.disable", "true"},
	{"reconnect.backoff.max.ms", "1000"},
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{"queue.buffering.max.kbytes", "65536"},
	{"retry.backoff.ms", "5"},
	{"partitioner", "murmur2_random"},
};

typedef struct Producer
{
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkt;
	long		delivered;
} Producer;

/* What the processes share. */
typedef struct Shared
{
	atomic_int	ready;
	double		rate[MAX_PROCESSES];
	double		times[];		/* of each transaction, ms */
} Shared;

static char payload[MAX_SIZE];

static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *rkm, void *opaque)
{
	if (rkm->err)
		fail("delivery", rd_kafka_err2str(rkm->err));
	((Producer *) opaque)->delivered++;
}

static void
check(rd_kafka_error_t *error, const char *what)
{
	if (error)
		fail(what, rd_kafka_error_string(error));
}

/* With the topic's metadata, because the first message would else wait for it. */
static void
open_producer(Producer *producer, const char *brokers, const char *topic, const char *id)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err;

	set_property(conf, "bootstrap.servers", brokers);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		set_property(conf, properties[i][0], properties[i][1]);
	if (id)
		set_property(conf, "transactional.id", id);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_opaque(conf, producer);
	producer->delivered = 0;
	producer->rk = new_handle(RD_KAFKA_PRODUCER, conf);
	producer->rkt = rd_kafka_topic_new(producer->rk, topic, NULL);
	if ((err = rd_kafka_metadata(producer->rk, 0, producer->rkt, &metadata, TIMEOUT_MS)))
		fail("metadata", rd_kafka_err2str(err));
	rd_kafka_metadata_destroy(metadata);
	if (id)
		check(rd_kafka_init_transactions(producer->rk, TIMEOUT_MS), "init_transactions");
}

static void
close_producer(Producer *producer)
{
	rd_kafka_topic_destroy(producer->rkt);
	rd_kafka_destroy(producer->rk);
}

static rd_kafka_resp_err_t
try_produce(Producer *producer, size_t size)
{
	if (rd_kafka_produce(producer->rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, payload, size,
						 NULL, 0, NULL) == 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	return rd_kafka_last_error();
}

static rd_kafka_resp_err_t
try_producev(Producer *producer, size_t size)
{
	return rd_kafka_producev(producer->rk,
							 RD_KAFKA_V_RKT(producer->rkt),
							 RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
							 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							 RD_KAFKA_V_VALUE(payload, size),
							 RD_KAFKA_V_END);
}

/* Sends and confirms them all. */
static void
send_all(Producer *producer, long count, size_t size, int producev)
{
	long		before = producer->delivered;

	for (long i = 0; i < count; i++)
	{
		rd_kafka_resp_err_t err;

		while ((err = producev ? try_producev(producer, size) : try_produce(producer, size)) ==
			   RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(producer->rk, 100);
		if (err)
			fail("produce", rd_kafka_err2str(err));
		if (i % SERVE_EVERY == 0)
			rd_kafka_poll(producer->rk, 0);
	}
	while (rd_kafka_flush(producer->rk, TIMEOUT_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT)
		;
	if (producer->delivered - before != count)
		fail("bulk", "not every message was reported");
}

static void
bulk(char **argv)
{
	Producer	producer;
	long		count = atol(argv[4]);
	size_t		size = (size_t) atol(argv[5]);
	int			producev = strcmp(argv[6], "producev") == 0;
	double		begin;
	double		cpu;

	if (size > MAX_SIZE)
		fail("bulk", "SIZE is too large");
	open_producer(&producer, argv[2], argv[3], NULL);
	send_all(&producer, 1, size, producev);
	begin = now_ms(CLOCK_MONOTONIC);
	cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	send_all(&producer, count, size, producev);
	printf("%.1f %.1f %ld\n", now_ms(CLOCK_MONOTONIC) - begin,
		   now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu, count);
	close_producer(&producer);
}

/* Begin, one message, its confirmation, commit; returns ms. */
static double
one_transaction(Producer *producer)
{
	double		begin = now_ms(CLOCK_MONOTONIC);

	check(rd_kafka_begin_transaction(producer->rk), "begin_transaction");
	send_all(producer, 1, 100, 0);
	check(rd_kafka_commit_transaction(producer->rk, TIMEOUT_MS), "commit_transaction");
	return now_ms(CLOCK_MONOTONIC) - begin;
}

/* One process: number me of processes. */
static void
run_transactions(char **argv, Shared *shared, int me, int processes)
{
	Producer	producer;
	int			count = atoi(argv[4]);
	int			pause_us = (int) (atof(argv[6]) * 1000);
	char		id[256];
	double		begin;

	snprintf(id, sizeof(id), "%s-%d", argv[5], me);
	open_producer(&producer, argv[2], argv[3], id);
	for (int i = 0; i < WARM_UPS; i++)
		one_transaction(&producer);
	atomic_fetch_add(&shared->ready, 1);
	begin = now_ms(CLOCK_MONOTONIC);
	while (atomic_load(&shared->ready) < processes)
	{
		if (now_ms(CLOCK_MONOTONIC) - begin > 2 * TIMEOUT_MS)
			fail("transactions", "another process did not start");
		usleep(1000);
	}
	begin = now_ms(CLOCK_MONOTONIC);
	for (int i = 0; i < count; i++)
	{
		shared->times[(size_t) me * count + i] = one_transaction(&producer);
		if (pause_us > 0)
			usleep(pause_us);
	}
	shared->rate[me] = count * 1e3 / (now_ms(CLOCK_MONOTONIC) - begin);
	close_producer(&producer);
}

static void
transactions(char **argv)
{
	int			count = atoi(argv[4]);
	int			processes = atoi(argv[7]);
	size_t		n = (size_t) count * processes;
	double		rate = 0;
	pid_t		children[MAX_PROCESSES];
	int			status;
	int			failed = 0;
	Shared	   *shared;

	if (count < 1 || processes < 1 || processes > MAX_PROCESSES)
		fail("transactions", "COUNT or PROCESSES is out of range");
	shared = mmap(NULL, sizeof(Shared) + sizeof(double) * n, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("transactions", "out of memory");
	/* before there is a handle: librdkafka does not survive a fork */
	for (int i = 0; i < processes; i++)
	{
		if ((children[i] = fork()) == 0)
		{
			run_transactions(argv, shared, i, processes);
			_exit(0);
		}
		if (children[i] < 0)
			fail("transactions", "cannot fork");
	}
	for (int i = 0; i < processes; i++)
		if (waitpid(children[i], &status, 0) < 0 || status != 0)
			failed = 1;
	if (failed)
		exit(1);
	for (int i = 0; i < processes; i++)
		rate += shared->rate[i];
	qsort(shared->times, n, sizeof(double), compare);
	printf("%.3f %.3f %.3f %.1f\n", shared->times[n / 2], shared->times[n * 99 / 100],
		   shared->times[n - 1], rate);
}

int
main(int argc, char **argv)
{
	memset(payload, 'x', sizeof(payload));
	if (argc == 7 && strcmp(argv[1], "bulk") == 0)
		bulk(argv);
	else if (argc == 8 && strcmp(argv[1], "transactions") == 0)
		transactions(argv);
	else
		fail("arguments", "see the head of bare_producer.c");
	return 0;
}
