/*-------------------------------------------------------------------------
 *
 * core.c
 *	  The part of a handle that helper threads may outlive the backend's interest in.
 *
 * Layer 1.  No PostgreSQL function is called here: it runs in helper threads too, and when the
 * process ends.
 *
 * Destroying.  rd_kafka_destroy() joins librdkafka's threads.  That takes a millisecond, but it
 * has no time limit, and librdkafka 2.0.2 was seen to wait for ever for a broker thread after
 * the topic of a consumer had been deleted and made anew.  A backend that hung there could not be
 * cancelled, and would hold up DROP DATABASE.  So a thread of its own destroys, and nobody
 * waits for long.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "client/collector.h"
#include "client/core.h"

/* Longest wait for a client to be destroyed. */
#define KAFKA_DESTROY_MS 200

typedef struct Destruction
{
	pthread_mutex_t mutex;
	pthread_cond_t over;
	int			refs;			/* the thread's and the waiter's */
	bool		done;
	rd_kafka_t *rk;
	bool		leaves_group;
} Destruction;

int
kafka_thread_start(void *(*run) (void *), void *arg)
{
	pthread_t	thread;
	pthread_attr_t attr;
	sigset_t	all;
	sigset_t	before;
	int			rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

/* Called with the mutex held, which it gives back. */
static void
let_go(Destruction *destruction)
{
	int			refs = --destruction->refs;

	pthread_mutex_unlock(&destruction->mutex);
	if (refs > 0)
		return;
	pthread_cond_destroy(&destruction->over);
	pthread_mutex_destroy(&destruction->mutex);
	free(destruction);
}

/* To leave its group a consumer waits for the coordinator's answer. */
static void
destroy_client(rd_kafka_t *rk, bool leaves_group)
{
	rd_kafka_destroy_flags(rk, leaves_group ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void *
destroy_main(void *arg)
{
	Destruction *destruction = (Destruction *) arg;

	destroy_client(destruction->rk, destruction->leaves_group);
	pthread_mutex_lock(&destruction->mutex);
	destruction->done = true;
	pthread_cond_signal(&destruction->over);
	let_go(destruction);
	return NULL;
}

static void
await_destruction(Destruction *destruction)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += KAFKA_DESTROY_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&destruction->mutex);
	while (!destruction->done &&
		   pthread_cond_timedwait(&destruction->over, &destruction->mutex, &until) == 0)
		;
	let_go(destruction);
}

/* Where there is no memory or thread for it, here and now. */
static void
destroy_aside(rd_kafka_t *rk, bool leaves_group)
{
	Destruction *destruction = calloc(1, sizeof(Destruction));

	if (destruction)
	{
		pthread_mutex_init(&destruction->mutex, NULL);
		pthread_cond_init(&destruction->over, NULL);
		destruction->refs = 2;
		destruction->rk = rk;
		destruction->leaves_group = leaves_group;
		if (kafka_thread_start(destroy_main, destruction) == 0)
		{
			await_destruction(destruction);
			return;
		}
		free(destruction);
	}
	destroy_client(rk, leaves_group);
}

void
kafka_core_hold(KafkaHandleCore *core)
{
	pthread_mutex_lock(&core->mutex);
	core->refs++;
	pthread_mutex_unlock(&core->mutex);
}

int
kafka_core_troubles(KafkaHandleCore *core)
{
	int			troubles;

	pthread_mutex_lock(&core->mutex);
	troubles = core->troubles;
	pthread_mutex_unlock(&core->mutex);
	return troubles;
}

void
kafka_core_destroy(KafkaHandleCore *core)
{
	if (core->logs)
		rd_kafka_queue_destroy(core->logs);
	destroy_aside(core->rk, core->leaves_group);
	kafka_collector_free(core);
	pthread_mutex_destroy(&core->mutex);
	free(core);
}

void
kafka_core_drop(KafkaHandleCore *core)
{
	int			refs;

	pthread_mutex_lock(&core->mutex);
	refs = --core->refs;
	pthread_mutex_unlock(&core->mutex);
	if (refs == 0)
		kafka_core_destroy(core);
}
