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
 * Before 2.3 librdkafka aborts the process when it destroys a consumer of the strategy
 * "cooperative-sticky" that has joined its group and has had no assignment yet.  The thread
 * then waits for the assignment.  If none comes the consumer leaves its group, and stays as
 * it is: what it holds is lost until the process ends, but PostgreSQL does not restart.
 *
 * A rebalance that waits to be accepted, or comes meanwhile, keeps a consumer from leaving its
 * group (before 2.4 for ever).  So a consumer ends its subscription first, and accepts what
 * comes until it has none.  Static members would leave their groups by that; of theirs only
 * what is there is accepted.
 *
 * Exit.  Within exit() OpenSSL clears away what it has, and a thread of librdkafka's that is in
 * the midst of TLS crashes then: at an unlucky moment, but a crash of one backend restarts them
 * all.  So a process that cannot wait for its clients any longer leaves by _exit(), after all
 * that PostgreSQL does at its end, in the first of exit()'s handlers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "client/collector.h"
#include "client/core.h"

/* Longest wait for a client to be destroyed. */
#define KAFKA_DESTROY_MS 200

/* Longest wait for the assignment of a consumer that is fragile without one. */
#define ASSIGNMENT_MS 5000
/* Longest wait for the end of a subscription. */
#define UNSUBSCRIBE_MS 1000
#define SERVE_SLICE_MS 20
/* More than a consumer's queue holds. */
#define SERVE_MESSAGES 100000

/* What a client's end depends on, as in KafkaHandleCore. */
typedef struct Client
{
	rd_kafka_t *rk;
	bool		leaves_group;
	bool		subscribed;
	bool		is_static;
	bool		fragile;
} Client;

typedef struct Destruction
{
	pthread_mutex_t mutex;
	pthread_cond_t over;
	int			refs;			/* the thread's and the waiter's */
	bool		done;
	Client		client;
} Destruction;

/* Of the thread that destroys: the consumer has had an assignment. */
static __thread bool assigned;

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

static pthread_mutex_t clients_mutex = PTHREAD_MUTEX_INITIALIZER;
static int	clients;
static int	exit_code;

static int
count_clients(int change)
{
	int			count;

	pthread_mutex_lock(&clients_mutex);
	count = clients += change;
	pthread_mutex_unlock(&clients_mutex);
	return count;
}

void
kafka_core_count_client(void)
{
	(void) count_clients(1);
}

static void
leave_at_once(void)
{
	_exit(exit_code);
}

bool
kafka_core_guard_exit(int code)
{
	if (count_clients(0) == 0)
		return false;
	exit_code = code;
	return atexit(leave_at_once) == 0;
}

void
kafka_core_accept_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
							const rd_kafka_topic_partition_list_t *partitions)
{
	bool		assigns = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	rd_kafka_error_t *error = NULL;

	assigned = true;
	if (strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") != 0)
		rd_kafka_assign(rk, assigns ? partitions : NULL);
	else if (assigns)
		error = rd_kafka_incremental_assign(rk, partitions);
	else
		error = rd_kafka_incremental_unassign(rk, partitions);
	if (error)
		rd_kafka_error_destroy(error);
}

/* Serves rebalances until one message has come, or wait_ms have passed. */
static bool
serve_consumer(rd_kafka_t *rk, int wait_ms)
{
	rd_kafka_message_t *rkm = rd_kafka_consumer_poll(rk, wait_ms);

	if (rkm)
		rd_kafka_message_destroy(rkm);
	return rkm != NULL;
}

/* All that is there. */
static void
empty_consumer(rd_kafka_t *rk)
{
	for (int i = 0; i < SERVE_MESSAGES && serve_consumer(rk, 0); i++)
		;
}

static bool
await_assignment(rd_kafka_t *rk)
{
	assigned = false;
	for (int i = 0; i < ASSIGNMENT_MS / SERVE_SLICE_MS && !assigned; i++)
		(void) serve_consumer(rk, SERVE_SLICE_MS);
	return assigned;
}

static bool
has_none(rd_kafka_resp_err_t (*ask) (rd_kafka_t *, rd_kafka_topic_partition_list_t **),
		 rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list;
	bool		none;

	if (ask(rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	none = list->cnt == 0;
	rd_kafka_topic_partition_list_destroy(list);
	return none;
}

static void
end_subscription(rd_kafka_t *rk)
{
	rd_kafka_unsubscribe(rk);
	for (int i = 0; i < UNSUBSCRIBE_MS / SERVE_SLICE_MS; i++)
	{
		empty_consumer(rk);
		if (has_none(rd_kafka_subscription, rk) && has_none(rd_kafka_assignment, rk))
			return;
		(void) serve_consumer(rk, SERVE_SLICE_MS);
	}
}

/* To leave its group a consumer waits for the coordinator's answer. */
static void
destroy_client(const Client *client)
{
	bool		ready = !client->fragile || await_assignment(client->rk);

	if (client->subscribed && client->is_static)
		empty_consumer(client->rk);
	else if (client->subscribed)
		end_subscription(client->rk);
	if (!ready)
		return;					/* it counts: the process will not wait for it */
	rd_kafka_destroy_flags(client->rk, client->leaves_group ? 0 :
						   RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	(void) count_clients(-1);
}

static void *
destroy_main(void *arg)
{
	Destruction *destruction = (Destruction *) arg;

	destroy_client(&destruction->client);
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
destroy_aside(Client client)
{
	Destruction *destruction = calloc(1, sizeof(Destruction));

	if (destruction)
	{
		pthread_mutex_init(&destruction->mutex, NULL);
		pthread_cond_init(&destruction->over, NULL);
		destruction->refs = 2;
		destruction->client = client;
		if (kafka_thread_start(destroy_main, destruction) == 0)
		{
			await_destruction(destruction);
			return;
		}
		free(destruction);
	}
	destroy_client(&client);
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
	Client		client = {.rk = core->rk, .leaves_group = core->leaves_group,
		.subscribed = core->subscribed, .is_static = core->is_static, .fragile = core->fragile};

	if (core->logs)
		rd_kafka_queue_destroy(core->logs);
	destroy_aside(client);
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
