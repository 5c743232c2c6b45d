/*-------------------------------------------------------------------------
 *
 * wait.h
 *	  Waiting for librdkafka without losing PostgreSQL's interrupts.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_WAIT_H
#define KAFKA_WAIT_H

#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "ground/clock.h"

/* One slice of a call that can be resumed, in ms: the longest an interrupt waits. */
#define KAFKA_SLICE_MS 50

/* A wait with a limit that counts from the last progress. */
typedef struct KafkaWait
{
	KafkaHandle *handle;
	KafkaPlace	place;			/* for the error */
	int			limit_ms;
	bool		connecting;		/* its time limit means that no broker was reached */
	const char *setting;		/* the setting or argument that the limit comes from */
	instr_time	progress;		/* when something last moved */
} KafkaWait;

extern void kafka_wait_start(KafkaWait *wait, KafkaHandle *handle, const KafkaPlace *place,
							 int limit_ms, const char *setting);

/* Something moved: the limit counts anew. */
extern void kafka_wait_progress(KafkaWait *wait);

/* Milliseconds without progress. */
extern int	kafka_wait_elapsed(const KafkaWait *wait);

/*
 * Between slices: serves logs and callbacks, lets interrupts through, raises a failed
 * authentication at once, and the time limit (HV00N if no broker can be reached, else
 * HV00L) when it has passed.
 */
extern void kafka_wait_check(KafkaWait *wait);

/* A pause between two tries that an interrupt ends; then as kafka_wait_check. */
extern void kafka_wait_pause(KafkaWait *wait, int ms);

/* Raises the error of a wait whose limit has passed. */
extern KAFKA_NORETURN void kafka_wait_timeout(KafkaWait *wait);

/*
 * A blocking call of librdkafka that starts over with each call and so can't be sliced
 * (metadata, offsets_for_times): it runs whole in a thread of its own, with all signals
 * blocked, while the backend waits on its latch.  A handle has one such request at a time: if
 * a statement was cancelled, the next one first waits for what it left behind, so that
 * threads do not pile up.
 *
 * The caller embeds KafkaJob at the start of a malloc'd struct.  run() may use only what
 * is in that struct and the core's handle.  If the backend leaves by an interrupt the
 * thread goes on and frees the struct itself.
 */
typedef struct KafkaJob KafkaJob;
struct KafkaJob
{
	void		(*run) (KafkaJob *job);
	void		(*destroy) (KafkaJob *job); /* frees what the job owns, then the job */
	KafkaHandleCore *core;
	pthread_mutex_t mutex;
	int			refs;
	bool		done;
	int			pipe[2];		/* a byte arrives when it is done */
};

/* calloc'd, or raises 53200. */
extern void *kafka_job_alloc(size_t size, void (*run) (KafkaJob *), void (*destroy) (KafkaJob *));

/*
 * Runs the job to its end.  On return the caller still owns a reference and calls
 * kafka_job_drop; when an error leaves this function the reference is gone already.
 */
extern void kafka_job_wait(KafkaJob *job, KafkaWait *wait);
extern void kafka_job_drop(KafkaJob *job);

/* The same for several at once, KAFKA_JOBS_AT_ONCE at most. */
extern void kafka_jobs_wait(KafkaJob **jobs, int n, KafkaWait *wait);

/* The same in two halves, for a job that nobody waits for. */
extern void kafka_job_start(KafkaJob *job, KafkaHandle *handle);
extern bool kafka_job_is_done(KafkaJob *job);

/* Waits at most so long for the job to be done; no interrupt is served, nothing raised. */
extern void kafka_job_nap(KafkaJob *job, int ms);

/* For clean-up paths: NULL or false where the others raise; then the job is gone. */
extern void *kafka_job_try_alloc(size_t size, void (*run) (KafkaJob *),
								 void (*destroy) (KafkaJob *));
extern bool kafka_job_try_start(KafkaJob *job, KafkaHandle *handle);

/* Lets go of what a cancelled statement left behind; the handle is going. */
extern void kafka_job_forget_left(KafkaHandle *handle);

/* True while a request that a cancelled statement made may still be under way. */
extern bool kafka_jobs_left_behind(const KafkaHandle *handle);

/* Helper threads that are at work in this process. */
extern int	kafka_jobs_running(void);

#endif							/* KAFKA_WAIT_H */
