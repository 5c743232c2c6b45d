/*-------------------------------------------------------------------------
 *
 * outbox_probe.c
 *	  What a read_committed reader sees of an outbox, and when: the measure for the relay; and what
 *	  a session sees of a pipeline's table.
 *
 *	  outbox_probe count BROKERS TOPIC COUNT
 *		  prints "ready" when it reads at the topic's end, and the time of day, in s, of the
 *		  COUNTth message behind it
 *	  outbox_probe stream BROKERS TOPIC RATE SECONDS SESSIONS SQL
 *		  sessions execute SQL, RATE times a second in all; $1 is a number, which has to be the
 *		  message's value.  Prints "started", and at the end
 *			  latency: p50-ms p99-ms max-ms, from the statement's end to the reader
 *			  messages: committed unknown seen lost twice
 *			  reading: longest time without a message, s, and the time of day that it ended
 *			  writing: the same of statements
 *		  A session that loses its connection makes a new one; what became of its statement is
 *		  "unknown".
 *
 *	  outbox_probe loaded BROKERS TOPIC RATE SECONDS SQL
 *		  sends messages of 100 bytes, "number,padding", and executes SQL every ms, which has to
 *		  give the numbers of rows behind the place $1 in the order of their loading, as (place,
 *		  number).  Prints as stream does latency, from the call that sends a message to the result
 *		  that has its row, and messages
 *
 * Reader and writers are one process, so that times are of one steady clock.
 *
 *-------------------------------------------------------------------------
 */
#include "bare.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MAX_PARTITIONS 64
#define MAX_SESSIONS 64
#define BATCH 10000
/* So long without a message, and none will come. */
#define PATIENCE_MS 60000

typedef struct Reader
{
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_message_t *batch[BATCH];
} Reader;

/* One statement and its message; times in ms. */
typedef struct Sent
{
	double		committed;
	double		seen;
	atomic_int	outcome;
	int			times_seen;
} Sent;

enum
{
	NOT_YET, COMMITTED, UNKNOWN
};

/* The stream. */
static Sent *sent;
static long nsent;
static double interval;			/* between two statements, ms */
static double start;
static int	nsessions;
static const char *sql;
static atomic_int writing;

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
static int
partitions_of(rd_kafka_t *rk, const char *topic)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, rkt, &metadata, TIMEOUT_MS);
	int			n;

	if (err)
		fail("metadata", rd_kafka_err2str(err));
	n = metadata->topics[0].partition_cnt;
	if (n < 1 || n > MAX_PARTITIONS)
		fail("topic", "unusable number of partitions");
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(rkt);
	return n;
}

/* Reads from the ends that the topic's partitions have now. */
static void
open_reader(Reader *reader, const char *brokers, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list;
	int			n;

	set_property(conf, "bootstrap.servers", brokers);
	set_property(conf, "group.id", "outbox_probe");
	set_property(conf, "isolation.level", "read_committed");
	set_property(conf, "enable.auto.commit", "false");
	set_property(conf, "check.crcs", "false");
	set_property(conf, "log_level", "3");
	reader->rk = new_handle(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(reader->rk);
	n = partitions_of(reader->rk, topic);
	list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
	{
		int64_t		low;
		int64_t		high;
		rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(reader->rk, topic, i, &low, &high,
																   TIMEOUT_MS);

		if (err)
			fail("watermarks", rd_kafka_err2str(err));
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = high;
	}
	rd_kafka_assign(reader->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	reader->queue = rd_kafka_queue_get_consumer(reader->rk);
}

/*
 * Messages that are there, or the first one within so many ms; those in the batch are to be
 * destroyed.  Of several librdkafka would wait for all of the batch, or the whole time.
 */
static ssize_t
next_messages(Reader *reader, int timeout_ms)
{
	ssize_t		n = rd_kafka_consume_batch_queue(reader->queue, 0, reader->batch, BATCH);

	if (n == 0)
		n = rd_kafka_consume_batch_queue(reader->queue, timeout_ms, reader->batch, 1);
	if (n < 0)
		fail("consume", rd_kafka_err2str(rd_kafka_last_error()));
	for (ssize_t i = 0; i < n; i++)
		if (reader->batch[i]->err)
			fail("consume", rd_kafka_message_errstr(reader->batch[i]));
	return n;
}

static void
close_reader(Reader *reader)
{
	rd_kafka_queue_destroy(reader->queue);
	rd_kafka_consumer_close(reader->rk);
	rd_kafka_destroy(reader->rk);
}

static void
say(const char *word)
{
	printf("%s\n", word);
	fflush(stdout);
}

static void
count(char **argv)
{
	static Reader reader;
	long		left = atol(argv[4]);
	double		last = now_ms(CLOCK_MONOTONIC);

	open_reader(&reader, argv[2], argv[3]);
	/* the first request is under way a moment later */
	(void) next_messages(&reader, 100);
	say("ready");
	while (left > 0)
	{
		ssize_t		n = next_messages(&reader, 100);

		for (ssize_t i = 0; i < n; i++)
			rd_kafka_message_destroy(reader.batch[i]);
		left -= n;
		if (n > 0)
			last = now_ms(CLOCK_MONOTONIC);
		else if (now_ms(CLOCK_MONOTONIC) - last > PATIENCE_MS)
			fail("count", "messages are missing");
	}
	printf("%.6f\n", now_ms(CLOCK_REALTIME) / 1000);
	fflush(stdout);
	close_reader(&reader);
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* An error of the server's own, which is none of its going away. */
static int
is_refusal(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state != NULL && strncmp(state, "57P", 3) != 0;
}

/* A server that goes away says so to each session. */
static void
keep_silent(void *arg, const char *message)
{
	(void) arg;
	(void) message;
}

/* As the environment says; NULL: there is no server now. */
static PGconn *
connect_session(void)
{
	PGconn	   *conn = PQconnectdb("");
	PGresult   *result;

	PQsetNoticeProcessor(conn, keep_silent, NULL);
	if (PQstatus(conn) == CONNECTION_OK)
	{
		result = PQprepare(conn, "send", sql, 0, NULL);
		if (PQresultStatus(result) == PGRES_COMMAND_OK)
		{
			PQclear(result);
			return conn;
		}
		if (is_refusal(result))
			fail("prepare", PQerrorMessage(conn));
		PQclear(result);
	}
	PQfinish(conn);
	return NULL;
}

static PGconn *
connect_again(void)
{
	PGconn	   *conn;
	double		begin = now_ms(CLOCK_MONOTONIC);

	while ((conn = connect_session()) == NULL)
	{
		if (now_ms(CLOCK_MONOTONIC) - begin > PATIENCE_MS)
			fail("connect", "no server");
		usleep(2000);
	}
	return conn;
}

static PGconn *
send_one(PGconn *conn, long number)
{
	char		text[32];
	const char *values[] = {text};
	PGresult   *result;

	snprintf(text, sizeof(text), "%ld", number);
	result = PQexecPrepared(conn, "send", 1, values, NULL, NULL, 0);
	if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK)
	{
		sent[number].committed = now_ms(CLOCK_MONOTONIC);
		atomic_store(&sent[number].outcome, COMMITTED);
		PQclear(result);
		return conn;
	}
	if (is_refusal(result))
		fail("statement", PQerrorMessage(conn));
	atomic_store(&sent[number].outcome, UNKNOWN);
	PQclear(result);
	PQfinish(conn);
	return connect_again();
}

/* A session executes every nsessionsth statement, each at its time. */
static void *
write_rows(void *arg)
{
	long		number = *(const int *) arg;
	PGconn	   *conn = connect_again();

	for (; number < nsent; number += nsessions)
	{
		double		wait = start + interval * number - now_ms(CLOCK_MONOTONIC);

		if (wait > 0)
			usleep((useconds_t) (wait * 1000));
		conn = send_one(conn, number);
	}
	PQfinish(conn);
	atomic_fetch_sub(&writing, 1);
	return NULL;
}

/* ------------------------------------------------------------------------
 * The stream
 * ------------------------------------------------------------------------
 */
static void
see(long number, double now)
{
	if (number < 0 || number >= nsent)
		fail("stream", "a message of somebody else");
	if (sent[number].times_seen++ == 0)
		sent[number].seen = now;
}

static void
see_message(rd_kafka_message_t *msg, double now)
{
	char		text[32] = "";

	memcpy(text, msg->payload, msg->len < sizeof(text) ? msg->len : sizeof(text) - 1);
	see(atol(text), now);
	rd_kafka_message_destroy(msg);
}

static long
committed(void)
{
	long		n = 0;

	for (long i = 0; i < nsent; i++)
		n += atomic_load(&sent[i].outcome) == COMMITTED && sent[i].times_seen == 0;
	return n;
}

/* Until everything that was committed has been seen. */
static void
read_stream(Reader *reader)
{
	double		last = now_ms(CLOCK_MONOTONIC);

	for (;;)
	{
		ssize_t		n = next_messages(reader, 100);
		double		now = now_ms(CLOCK_MONOTONIC);

		for (ssize_t i = 0; i < n; i++)
			see_message(reader->batch[i], now);
		if (n > 0)
			last = now;
		else if ((atomic_load(&writing) == 0 && committed() == 0) || now - last > PATIENCE_MS)
			return;
	}
}

static void
tell_latencies(void)
{
	double	   *times = malloc(sizeof(double) * nsent);
	long		n = 0;

	for (long i = 0; i < nsent; i++)
		if (sent[i].outcome == COMMITTED && sent[i].times_seen > 0)
			times[n++] = sent[i].seen - sent[i].committed;
	if (n == 0)
		fail("stream", "nothing was seen");
	qsort(times, n, sizeof(double), compare);
	printf("latency: %.3f %.3f %.3f\n", times[n / 2], times[n * 99 / 100], times[n - 1]);
	free(times);
}

static void
tell_messages(void)
{
	long		n[3] = {0, 0, 0};
	long		seen = 0;
	long		lost = 0;
	long		twice = 0;

	for (long i = 0; i < nsent; i++)
	{
		n[sent[i].outcome]++;
		seen += sent[i].times_seen > 0;
		twice += sent[i].times_seen > 1;
		lost += sent[i].times_seen == 0 && sent[i].outcome == COMMITTED;
	}
	printf("messages: %ld %ld %ld %ld %ld\n", n[COMMITTED], n[UNKNOWN], seen, lost, twice);
}

/* The longest gap in the times of what was seen, or committed. */
static void
tell_gap(const char *what, int reading)
{
	double	   *times = malloc(sizeof(double) * nsent);
	double		offset = now_ms(CLOCK_REALTIME) - now_ms(CLOCK_MONOTONIC);
	double		gap = 0;
	double		end = 0;
	long		n = 0;

	for (long i = 0; i < nsent; i++)
		if (reading ? sent[i].times_seen > 0 : sent[i].outcome == COMMITTED)
			times[n++] = reading ? sent[i].seen : sent[i].committed;
	qsort(times, n, sizeof(double), compare);
	for (long i = 1; i < n; i++)
		if (times[i] - times[i - 1] > gap)
		{
			gap = times[i] - times[i - 1];
			end = times[i];
		}
	printf("%s: %.3f %.6f\n", what, gap / 1000, (end + offset) / 1000);
	free(times);
}

static void
stream(char **argv)
{
	static Reader reader;
	static pthread_t threads[MAX_SESSIONS];
	static int	numbers[MAX_SESSIONS];

	interval = 1000 / atof(argv[4]);
	nsent = (long) (atof(argv[4]) * atof(argv[5]));
	nsessions = atoi(argv[6]);
	sql = argv[7];
	if (nsessions < 1 || nsessions > MAX_SESSIONS || nsent < 1)
		fail("stream", "RATE, SECONDS or SESSIONS is out of range");
	sent = calloc(nsent, sizeof(Sent));
	open_reader(&reader, argv[2], argv[3]);
	(void) next_messages(&reader, 100);
	atomic_store(&writing, nsessions);
	start = now_ms(CLOCK_MONOTONIC) + 100;
	for (int i = 0; i < nsessions; i++)
	{
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, write_rows, &numbers[i]) != 0)
			fail("stream", "cannot create a thread");
	}
	say("started");
	read_stream(&reader);
	for (int i = 0; i < nsessions; i++)
		pthread_join(threads[i], NULL);
	tell_latencies();
	tell_messages();
	tell_gap("reading", 1);
	tell_gap("writing", 0);
	fflush(stdout);
	close_reader(&reader);
}

/* ------------------------------------------------------------------------
 * Messages that are loaded into a table
 * ------------------------------------------------------------------------
 */
#define SENT_BYTES 100

/* Without waiting for more to send with a message. */
static void *
send_messages(void *arg)
{
	char	  **argv = arg;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	int			npartitions;

	set_property(conf, "bootstrap.servers", argv[2]);
	set_property(conf, "linger.ms", "0");
	rk = new_handle(RD_KAFKA_PRODUCER, conf);
	npartitions = partitions_of(rk, argv[3]);
	start = now_ms(CLOCK_MONOTONIC) + 100;
	for (long number = 0; number < nsent; number++)
	{
		double		wait = start + interval * number - now_ms(CLOCK_MONOTONIC);
		char		value[SENT_BYTES + 1];
		rd_kafka_resp_err_t err;

		if (wait > 0)
			usleep((useconds_t) (wait * 1000));
		memset(value, 'x', SENT_BYTES);
		value[snprintf(value, sizeof(value), "%ld", number)] = ',';
		sent[number].committed = now_ms(CLOCK_MONOTONIC);
		atomic_store(&sent[number].outcome, COMMITTED);
		err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(argv[3]),
								RD_KAFKA_V_PARTITION((int32_t) (number % npartitions)),
								RD_KAFKA_V_VALUE(value, SENT_BYTES),
								RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		if (err)
			fail("produce", rd_kafka_err2str(err));
		rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, TIMEOUT_MS))
		fail("flush", "messages are left");
	rd_kafka_destroy(rk);
	atomic_store(&writing, 0);
	return NULL;
}

/* Rows that have come; returns the place of the last one. */
static long
look_at_table(PGconn *conn, long place, long *nseen)
{
	char		text[32];
	const char *values[] = {text};
	PGresult   *result;
	double		now;

	snprintf(text, sizeof(text), "%ld", place);
	result = PQexecPrepared(conn, "send", 1, values, NULL, NULL, 0);
	now = now_ms(CLOCK_MONOTONIC);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail("table", PQerrorMessage(conn));
	for (int i = 0; i < PQntuples(result); i++)
	{
		place = atol(PQgetvalue(result, i, 0));
		see(atol(PQgetvalue(result, i, 1)), now);
	}
	*nseen += PQntuples(result);
	PQclear(result);
	return place;
}

static void
loaded(char **argv)
{
	pthread_t	thread;
	PGconn	   *conn;
	long		place = 0;
	long		nseen = 0;
	double		begin = now_ms(CLOCK_MONOTONIC);

	interval = 1000 / atof(argv[4]);
	nsent = (long) (atof(argv[4]) * atof(argv[5]));
	sql = argv[6];
	if (nsent < 1)
		fail("loaded", "RATE or SECONDS is out of range");
	sent = calloc(nsent, sizeof(Sent));
	conn = connect_again();
	atomic_store(&writing, 1);
	if (pthread_create(&thread, NULL, send_messages, argv) != 0)
		fail("loaded", "cannot create a thread");
	say("started");
	while (atomic_load(&writing) || nseen < nsent)
	{
		place = look_at_table(conn, place, &nseen);
		if (now_ms(CLOCK_MONOTONIC) - begin > nsent * interval + PATIENCE_MS)
			break;
		usleep(1000);
	}
	pthread_join(thread, NULL);
	tell_latencies();
	tell_messages();
	fflush(stdout);
	PQfinish(conn);
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "count") == 0)
		count(argv);
	else if (argc == 8 && strcmp(argv[1], "stream") == 0)
		stream(argv);
	else if (argc == 7 && strcmp(argv[1], "loaded") == 0)
		loaded(argv);
	else
		fail("arguments", "see the head of outbox_probe.c");
	return 0;
}
