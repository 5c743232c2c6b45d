/*-------------------------------------------------------------------------
 *
 * collector.c
 *	  Takes librdkafka's statistics as they come, and keeps the last.
 *
 * Layer 1.  No PostgreSQL function is called here: most of it runs in a thread of its own.
 *
 * Why a thread.  librdkafka puts a document into the client's queue every
 * statistics.interval.ms, whether or not somebody fetches it.  While a session awaits a command
 * none of our code runs in the backend, so the documents of an idle session would pile up:
 * kilobytes a second, for days.  A client without statistics has no collector and pays nothing.
 *
 * What it must not take.  The same queue brings delivery reports and errors, which the
 * backend's own thread waits for.  So the thread serves the queue only while no message is
 * under way: then no report can be there, and none can come while it serves, because who
 * sends takes the same lock (pause, resume).  While messages are under way the backend waits for
 * their reports, and serves the queue itself.  Errors are kept until the backend looks.
 *
 * rd_kafka_poll() in this thread must not count as a group member's poll: where it does, members
 * have no statistics (property.c).
 *
 * Locks: serving, then the core's mutex; callbacks run with serving held, perhaps, and take
 * the mutex only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "client/collector.h"

/* The thread looks once in an interval, within these limits. */
#define LOOK_AT_LEAST_MS 10
#define LOOK_AT_MOST_MS 10000
/* Longest wait for the thread to end. */
#define STOP_MS 200
#define HEARD_SIZE 512

typedef struct KafkaCollector
{
	pthread_mutex_t serving;	/* held while the thread serves, and while a message is sent */
	pthread_cond_t changed;		/* stop or running, under the core's mutex, as all below */
	pthread_t	thread;
	int			look_ms;
	bool		running;
	bool		stop;
	int64		under_way;		/* messages sent whose delivery was not reported yet */
	char	   *json;			/* the last document, librdkafka's memory; or NULL */
	size_t		len;
	rd_kafka_resp_err_t heard;	/* an error that the backend does not know yet */
	char		heard_text[HEARD_SIZE];
} KafkaCollector;

/* librdkafka's callback, in any thread that serves; 1: the document is ours now. */
static int
on_statistics(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	KafkaHandleCore *core = (KafkaHandleCore *) opaque;
	KafkaCollector *collector = core->collector;
	char	   *before;

	pthread_mutex_lock(&core->mutex);
	before = collector->json;
	collector->json = json;
	collector->len = len;
	pthread_mutex_unlock(&core->mutex);
	if (before)
		rd_kafka_mem_free(rk, before);
	return 1;
}

bool
kafka_collector_prepare(KafkaHandleCore *core, rd_kafka_conf_t *conf)
{
	char		value[32] = "";
	size_t		size = sizeof(value);
	int			interval;

	if (rd_kafka_conf_get(conf, "statistics.interval.ms", value, &size) != RD_KAFKA_CONF_OK)
		return true;
	interval = atoi(value);
	if (interval <= 0)
		return true;
	core->collector = calloc(1, sizeof(KafkaCollector));
	if (core->collector == NULL)
		return false;
	pthread_mutex_init(&core->collector->serving, NULL);
	pthread_cond_init(&core->collector->changed, NULL);
	core->collector->look_ms = Min(Max(interval, LOOK_AT_LEAST_MS), LOOK_AT_MOST_MS);
	rd_kafka_conf_set_stats_cb(conf, on_statistics);
	return true;
}

void
kafka_collector_free(KafkaHandleCore *core)
{
	KafkaCollector *collector = core->collector;

	if (collector == NULL)
		return;
	if (collector->json)
		rd_kafka_mem_free(NULL, collector->json);
	pthread_cond_destroy(&collector->changed);
	pthread_mutex_destroy(&collector->serving);
	free(collector);
	core->collector = NULL;
}

/* ------------------------------------------------------------------------
 * The thread
 * ------------------------------------------------------------------------
 */
static struct timespec
in_ms(int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (ms % 1000) * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return until;
}

/* Waits until it is time to look; false when there is nothing to look at any more. */
static bool
await_turn(KafkaHandleCore *core)
{
	KafkaCollector *collector = core->collector;
	struct timespec until = in_ms(collector->look_ms);
	bool		stop;

	pthread_mutex_lock(&core->mutex);
	while (!collector->stop &&
		   pthread_cond_timedwait(&collector->changed, &core->mutex, &until) == 0)
		;
	stop = collector->stop;
	pthread_mutex_unlock(&core->mutex);
	return !stop;
}

static void
look(KafkaHandleCore *core)
{
	KafkaCollector *collector = core->collector;
	bool		free_to_serve;

	pthread_mutex_lock(&collector->serving);
	pthread_mutex_lock(&core->mutex);
	free_to_serve = collector->under_way == 0 && !collector->stop;
	pthread_mutex_unlock(&core->mutex);
	if (free_to_serve)
		rd_kafka_poll(core->rk, 0);
	pthread_mutex_unlock(&collector->serving);
}

static void *
collector_main(void *arg)
{
	KafkaHandleCore *core = (KafkaHandleCore *) arg;
	int			refs;

	pthread_mutex_lock(&core->mutex);
	core->collector->thread = pthread_self();
	pthread_mutex_unlock(&core->mutex);
	while (await_turn(core))
		look(core);
	/* both at once, so that who waited for it is the one who destroys */
	pthread_mutex_lock(&core->mutex);
	core->collector->running = false;
	refs = --core->refs;
	pthread_cond_broadcast(&core->collector->changed);
	pthread_mutex_unlock(&core->mutex);
	if (refs == 0)
		kafka_core_destroy(core);
	return NULL;
}

bool
kafka_collector_start(KafkaHandleCore *core)
{
	if (core->collector == NULL)
		return true;
	kafka_core_hold(core);
	core->collector->running = true;
	if (kafka_thread_start(collector_main, core) == 0)
		return true;
	core->collector->running = false;
	kafka_core_drop(core);
	return false;
}

void
kafka_collector_stop(KafkaHandleCore *core)
{
	struct timespec until = in_ms(STOP_MS);

	if (core->collector == NULL)
		return;
	pthread_mutex_lock(&core->mutex);
	core->collector->stop = true;
	pthread_cond_broadcast(&core->collector->changed);
	while (core->collector->running &&
		   pthread_cond_timedwait(&core->collector->changed, &core->mutex, &until) == 0)
		;
	pthread_mutex_unlock(&core->mutex);
}

/* ------------------------------------------------------------------------
 * Sending: the thread keeps its hands off
 * ------------------------------------------------------------------------
 */
void
kafka_collector_pause(KafkaHandleCore *core)
{
	pthread_mutex_lock(&core->collector->serving);
}

void
kafka_collector_resume(KafkaHandleCore *core, bool accepted)
{
	if (accepted)
	{
		pthread_mutex_lock(&core->mutex);
		core->collector->under_way++;
		pthread_mutex_unlock(&core->mutex);
	}
	pthread_mutex_unlock(&core->collector->serving);
}

void
kafka_collector_reported(KafkaHandleCore *core)
{
	if (core->collector == NULL)
		return;
	pthread_mutex_lock(&core->mutex);
	core->collector->under_way--;
	pthread_mutex_unlock(&core->mutex);
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */
void
kafka_collector_hear(KafkaHandleCore *core, rd_kafka_resp_err_t err, const char *reason)
{
	KafkaCollector *collector = core->collector;

	if (collector == NULL)
		return;
	pthread_mutex_lock(&core->mutex);
	/* "1/1 brokers are down" comes last and says least */
	if (collector->running && pthread_equal(collector->thread, pthread_self()))
	{
		if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || collector->heard_text[0] == '\0')
			strlcpy(collector->heard_text, reason, HEARD_SIZE);
		collector->heard = err;
	}
	pthread_mutex_unlock(&core->mutex);
}

rd_kafka_resp_err_t
kafka_collector_heard(KafkaHandleCore *core, char *text, size_t size)
{
	KafkaCollector *collector = core->collector;
	rd_kafka_resp_err_t err;

	if (collector == NULL)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	pthread_mutex_lock(&core->mutex);
	err = collector->heard;
	strlcpy(text, collector->heard_text, size);
	collector->heard = RD_KAFKA_RESP_ERR_NO_ERROR;
	collector->heard_text[0] = '\0';
	pthread_mutex_unlock(&core->mutex);
	return err;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
bool
kafka_collector_read(KafkaHandleCore *core,
					 void (*read) (const char *json, size_t len, void *arg), void *arg)
{
	KafkaCollector *collector = core->collector;
	bool		there = false;

	if (collector == NULL)
		return false;
	pthread_mutex_lock(&core->mutex);
	if (collector->json)
	{
		read(collector->json, collector->len, arg);
		there = true;
	}
	pthread_mutex_unlock(&core->mutex);
	return there;
}
