/*-------------------------------------------------------------------------
 *
 * poke.c
 *	  Waking a librdkafka that sleeps on a full queue.
 *
 * Layer 1.  Before 2.2 librdkafka stops fetching for up to a second whenever its queue is
 * full.  A request on a partition's connection wakes the thread that sleeps; which one does
 * not matter, and its answer is thrown away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/poke.h"
#include "client/property.h"

/* A queue that never was longer than this was never full. */
#define SHORT_QUEUE 1000

typedef struct PokeJob
{
	KafkaJob	job;
	rd_kafka_topic_partition_list_t *partitions;
} PokeJob;

void
kafka_poke_init(KafkaPoke *poke)
{
	poke->needed = kafka_property_name("fetch.queue.backoff.ms") == NULL;
	poke->longest = 0;
	poke->job = NULL;
}

void
kafka_poke_end(KafkaPoke *poke)
{
	if (poke->job)
		kafka_job_drop(poke->job);
	poke->job = NULL;
	poke->longest = 0;
}

bool
kafka_poke_is_due(KafkaPoke *poke, size_t length)
{
	if (!poke->needed)
		return false;
	poke->longest = Max(poke->longest, length);
	if (poke->longest < SHORT_QUEUE || length > poke->longest / 2)
		return false;
	poke->longest = length;
	return true;
}

bool
kafka_poke_is_idle(const KafkaPoke *poke)
{
	return poke->job == NULL || kafka_job_is_done(poke->job);
}

static void
poke_run(KafkaJob *job)
{
	(void) rd_kafka_offsets_for_times(job->core->rk, ((PokeJob *) job)->partitions, 1000);
}

static void
poke_destroy(KafkaJob *job)
{
	rd_kafka_topic_partition_list_destroy(((PokeJob *) job)->partitions);
	free(job);
}

void
kafka_poke_send(KafkaPoke *poke, KafkaHandle *handle,
				rd_kafka_topic_partition_list_t *partitions)
{
	PokeJob    *self = kafka_job_try_alloc(sizeof(PokeJob), poke_run, poke_destroy);

	kafka_poke_end(poke);
	if (self == NULL)
	{
		rd_kafka_topic_partition_list_destroy(partitions);
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	self->partitions = partitions;
	kafka_job_start(&self->job, handle);
	poke->job = &self->job;
}
