/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  Waiting for librdkafka without losing PostgreSQL's interrupts.
 *
 * Layer 1.  Two ways, by the kind of call:
 *
 * - Calls that resume where they were (poll a queue, flush, init_transactions) are made
 *	 in slices of KAFKA_SLICE_MS with kafka_wait_check() in between.
 * - Calls that start over each time would never finish on a slow network if they were
 *	 sliced; they run whole in a helper thread (KafkaJob).
 *
 * The helper thread never calls PostgreSQL.  Job and handle are counted, so that a
 * backend that leaves by an error leaves nothing dangling: whoever lets go last frees.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "utils/wait_event.h"

/* Brokers that hang up for so long, and have never answered, speak another protocol. */
#define HANGUP_MS 4000

void
kafka_wait_start(KafkaWait *wait, KafkaHandle *handle, const KafkaPlace *place, int limit_ms,
				 const char *setting)
{
	wait->handle = handle;
	wait->place = *place;
	wait->limit_ms = limit_ms;
	wait->setting = setting;
	wait->connecting = false;
	kafka_handle_forget_errors(handle);
	INSTR_TIME_SET_CURRENT(wait->progress);
}

void
kafka_wait_progress(KafkaWait *wait)
{
	INSTR_TIME_SET_CURRENT(wait->progress);
}

int
kafka_wait_elapsed(const KafkaWait *wait)
{
	return kafka_elapsed_ms(wait->progress);
}

void
kafka_wait_timeout(KafkaWait *wait)
{
	KafkaHandle *handle = wait->handle;

	if (kafka_handle_is_down(handle) || wait->connecting)
		kafka_error_throw(handle, RD_KAFKA_RESP_ERR__TRANSPORT, handle->error_text,
						  &wait->place);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("%s: time limit reached",
					wait->place.doing ? wait->place.doing : "request to the Kafka cluster"),
			 errdetail("Waited %d ms without progress%s%s.%s%s", wait->limit_ms,
					   wait->place.topic ? " for topic " : "",
					   wait->place.topic ? wait->place.topic : "",
					   handle->log_text[0] ? " Last broker message: " : "", handle->log_text),
			 errhint("The limit is \"%s\".", wait->setting)));
}

void
kafka_wait_check(KafkaWait *wait)
{
	kafka_handle_serve(wait->handle);
	CHECK_FOR_INTERRUPTS();
	/* no latch is waited for that would tell, and a server cannot be started while we are here */
	if (IsUnderPostmaster && !PostmasterIsAlive())
		proc_exit(1);
	if (kafka_handle_is_rejected(wait->handle))
	{
		/* librdkafka may say so once only: the next statement asks with a new handle */
		wait->handle->stale = true;
		kafka_error_throw(wait->handle, wait->handle->error, wait->handle->error_text,
						  &wait->place);
	}
	if (kafka_wait_elapsed(wait) > wait->limit_ms)
		kafka_wait_timeout(wait);
	if (kafka_wait_elapsed(wait) > HANGUP_MS && kafka_error_is_hangup(wait->handle))
		kafka_error_throw(wait->handle, RD_KAFKA_RESP_ERR__TRANSPORT, NULL, &wait->place);
}

void
kafka_wait_pause(KafkaWait *wait, int ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	kafka_wait_check(wait);
}

void *
kafka_job_alloc(size_t size, void (*run) (KafkaJob *), void (*destroy) (KafkaJob *))
{
	KafkaJob   *job = kafka_job_try_alloc(size, run, destroy);

	if (job == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return job;
}

void *
kafka_job_try_alloc(size_t size, void (*run) (KafkaJob *), void (*destroy) (KafkaJob *))
{
	KafkaJob   *job = calloc(1, size);

	if (job == NULL)
		return NULL;
	job->run = run;
	job->destroy = destroy;
	job->refs = 1;
	job->pipe[0] = job->pipe[1] = -1;
	pthread_mutex_init(&job->mutex, NULL);
	return job;
}

void
kafka_job_drop(KafkaJob *job)
{
	int			refs;

	pthread_mutex_lock(&job->mutex);
	refs = --job->refs;
	pthread_mutex_unlock(&job->mutex);
	if (refs > 0)
		return;
	if (job->pipe[0] >= 0)
		close(job->pipe[0]);
	if (job->pipe[1] >= 0)
		close(job->pipe[1]);
	pthread_mutex_destroy(&job->mutex);
	job->destroy(job);
}

static pthread_mutex_t running_mutex = PTHREAD_MUTEX_INITIALIZER;
static int	running;

static void
count_running(int change)
{
	pthread_mutex_lock(&running_mutex);
	running += change;
	pthread_mutex_unlock(&running_mutex);
}

int
kafka_jobs_running(void)
{
	int			count;

	pthread_mutex_lock(&running_mutex);
	count = running;
	pthread_mutex_unlock(&running_mutex);
	return count;
}

static void *
job_main(void *arg)
{
	KafkaJob   *job = (KafkaJob *) arg;
	KafkaHandleCore *core = job->core;
	ssize_t		written;

	job->run(job);
	pthread_mutex_lock(&job->mutex);
	job->done = true;
	pthread_mutex_unlock(&job->mutex);
	written = write(job->pipe[1], "", 1);
	(void) written;				/* the reader looks at job->done as well */
	kafka_job_drop(job);
	kafka_core_drop(core);
	count_running(-1);
	return NULL;
}

/* The thread holds a reference on job and handle.  Sets errno where it fails. */
bool
kafka_job_try_start(KafkaJob *job, KafkaHandle *handle)
{
	int			rc = 0;

	if (pipe(job->pipe) != 0 || fcntl(job->pipe[0], F_SETFL, O_NONBLOCK) != 0)
		rc = errno;
	else
	{
		job->core = handle->core;
		handle->stats->counters[KAFKA_COUNT_REQUESTS]++;
		job->refs = 2;
		kafka_core_hold(job->core);
		count_running(1);
		rc = kafka_thread_start(job_main, job);
		if (rc == 0)
			return true;
		count_running(-1);
		kafka_core_drop(job->core);
		job->refs = 1;
	}
	kafka_job_drop(job);
	errno = rc;
	return false;
}

void
kafka_job_start(KafkaJob *job, KafkaHandle *handle)
{
	if (!kafka_job_try_start(job, handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a thread for a Kafka request: %m")));
}

bool
kafka_job_is_done(KafkaJob *job)
{
	bool		done;

	pthread_mutex_lock(&job->mutex);
	done = job->done;
	pthread_mutex_unlock(&job->mutex);
	return done;
}

void
kafka_job_nap(KafkaJob *job, int ms)
{
	struct pollfd pipe_end = {.fd = job->pipe[0], .events = POLLIN};

	(void) poll(&pipe_end, 1, ms);	/* a signal ends it, too */
}

static void
await_job(KafkaJob *job, KafkaWait *wait)
{
	while (!kafka_job_is_done(job))
	{
		(void) WaitLatchOrSocket(MyLatch,
								 WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT |
								 WL_EXIT_ON_PM_DEATH,
								 job->pipe[0], KAFKA_SLICE_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (!kafka_job_is_done(job))
			kafka_wait_check(wait);
	}
}

void
kafka_job_forget_left(KafkaHandle *handle)
{
	for (int i = 0; i < KAFKA_JOBS_AT_ONCE; i++)
	{
		if (handle->left_behind[i])
			kafka_job_drop(handle->left_behind[i]);
		handle->left_behind[i] = NULL;
	}
}

bool
kafka_jobs_left_behind(const KafkaHandle *handle)
{
	return handle->left_behind[0] != NULL;
}

/* Throws; the new jobs have not been started yet and are the caller's to drop. */
static void
await_left_behind(KafkaWait *wait)
{
	for (int i = 0; i < KAFKA_JOBS_AT_ONCE; i++)
		if (wait->handle->left_behind[i])
			await_job(wait->handle->left_behind[i], wait);
	kafka_job_forget_left(wait->handle);
}

/* An error leaves: what was started goes on alone, what was not is dropped. */
static void
abandon_jobs(KafkaJob **jobs, int n, int started, KafkaHandle *handle)
{
	for (int i = 0, left = 0; i < n; i++)
	{
		if (jobs[i] == NULL)
			continue;
		if (i < started)
			handle->left_behind[left++] = jobs[i];
		else
			kafka_job_drop(jobs[i]);
	}
}

void
kafka_jobs_wait(KafkaJob **jobs, int n, KafkaWait *wait)
{
	volatile int started = 0;

	Assert(n <= KAFKA_JOBS_AT_ONCE);
	PG_TRY();
	{
		await_left_behind(wait);
		while (started < n)
		{
			KafkaJob   *job = jobs[started];

			jobs[started] = NULL;	/* a job that can't be started is gone */
			kafka_job_start(job, wait->handle);
			jobs[started++] = job;
		}
		for (int i = 0; i < n; i++)
			await_job(jobs[i], wait);
	}
	PG_CATCH();
	{
		abandon_jobs(jobs, n, started, wait->handle);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
kafka_job_wait(KafkaJob *job, KafkaWait *wait)
{
	kafka_jobs_wait(&job, 1, wait);
}
