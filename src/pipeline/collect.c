/*-------------------------------------------------------------------------
 *
 * collect.c
 *	  A pipeline waits for messages and collects a batch of them.
 *
 * Layer 3.  Outside of any transaction.  Messages stay in librdkafka's memory until the batch is
 * loaded, and nothing of them is copied.  While a batch is loaded librdkafka fetches the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/clock.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "pipeline/run_internal.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* So often somebody who waits looks whether he is to stop. */
#define LOOK_MS 100

/* After so much silence it is asked whether Kafka is there at all. */
#define SILENCE_MS 2000

/* A look for messages ends after that time, so that what it has allocated is freed. */
#define COLLECT_MS 5000

/* Messages between two looks at the clock. */
#define CLOCK_EVERY 128

static uint32 share_event;

static void
begin_batch(KafkaPipelineRun *run)
{
	if (run->member)
		kafka_member_drop_kept(run->member);
	run->nmessages = 0;
	run->bytes = 0;
	run->positions_moved = false;
	MemoryContextReset(run->batch);
	if (run->max_messages < run->pipeline->batch_rows)
	{
		Size		n = run->pipeline->batch_rows;

		if (run->messages)
			pfree(run->messages);
		if (run->origins)
			pfree(run->origins);
		run->messages = NULL;
		run->origins = NULL;
		run->max_messages = 0;
		run->messages = MemoryContextAllocHuge(run->context, sizeof(KafkaMessage) * n);
		run->origins = MemoryContextAllocHuge(run->context,
											  sizeof(KafkaPipelinePartition *) * n);
		run->max_messages = (int) n;
	}
}

static bool
has_content(const KafkaPipelineRun *run)
{
	return run->nmessages > 0 || run->positions_moved;
}

static void
note_content(KafkaPipelineRun *run)
{
	if (!has_content(run))
		INSTR_TIME_SET_CURRENT(run->begin);
}

static void
add_message(KafkaPipelineRun *run, const KafkaMemberEvent *event)
{
	const KafkaMessage *msg = &event->msg;
	int			number;

	note_content(run);
	number = kafka_member_keep(run->member);
	Assert(number == run->nmessages);
	run->messages[number] = *msg;
	run->origins[number] = (KafkaPipelinePartition *) event->partition->owner;
	run->nmessages = number + 1;
	run->bytes += (int64) (msg->key.len + msg->value.len);
	event->partition->position = msg->offset + 1;
}

bool
kafka_pipeline_is_through(const KafkaPipelineRun *run)
{
	if (!run->until->end)
		return false;
	for (int i = 0; i < run->npartitions; i++)
		if (run->partitions[i].limit != KAFKA_UNKNOWN &&
			run->partitions[i].member->position < run->partitions[i].limit)
			return false;
	return true;
}

static bool
is_full(const KafkaPipelineRun *run)
{
	return run->nmessages >= run->pipeline->batch_rows || run->bytes >= run->pipeline->batch_bytes;
}

/* ms that the batch may still wait for more. */
static int
time_left(const KafkaPipelineRun *run)
{
	return has_content(run) ? run->pipeline->batch_interval - kafka_elapsed_ms(run->begin) :
		LOOK_MS;
}

static bool
is_time_over(const KafkaPipelineRun *run)
{
	return run->until->time != 0 && GetCurrentTimestamp() >= run->until->time;
}

/* Between messages, now and then.  ON: nothing to be seen. */
static KafkaPipelineStep
look_around(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	CHECK_FOR_INTERRUPTS();
	*end = KAFKA_PIPELINE_STOPPED;
	if (run->host->should_stop())
		return KAFKA_STEP_END;
	*end = KAFKA_PIPELINE_DONE;
	if (is_time_over(run) || kafka_pipeline_is_through(run))
		return KAFKA_STEP_END;
	return kafka_pipeline_must_restart(run) ? KAFKA_STEP_ANEW : KAFKA_STEP_ON;
}

/* There are more workers than partitions. */
static void
wait_for_share(KafkaPipelineRun *run)
{
	kafka_pipeline_show(run, "waiting for partitions");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1000,
					 KAFKA_WAIT_EVENT(share_event, "KafkaPipelineShare"));
	ResetLatch(MyLatch);
}

/* The next thing that happens; false: the batch is to be loaded, or *step says something else. */
static bool
take_next(KafkaPipelineRun *run, int wait_ms, instr_time *silence, KafkaPipelineStep *step,
		  KafkaPipelineEnd *end)
{
	KafkaMemberEvent event;

	kafka_member_next(run->member, wait_ms, &event);
	if (event.type != KAFKA_MEMBER_NOTHING && wait_ms > 0)
		INSTR_TIME_SET_CURRENT(*silence);
	switch (event.type)
	{
		case KAFKA_MEMBER_MESSAGE:
			add_message(run, &event);
			break;
		case KAFKA_MEMBER_END:
			note_content(run);
			run->positions_moved = true;
			event.partition->position = event.offset;
			break;
		case KAFKA_MEMBER_MISSING:
			/* it comes again when what is before it is loaded */
			if (has_content(run))
				return false;
			*step = kafka_pipeline_missing(run, (KafkaPipelinePartition *) event.partition->owner,
										   end);
			return *step == KAFKA_STEP_ON;
		default:
			if (kafka_elapsed_ms(*silence) < SILENCE_MS)
				break;
			kafka_member_check_reachable(run->member);
			INSTR_TIME_SET_CURRENT(*silence);
	}
	return true;
}

/* There are messages, and no more are to be waited for. */
static bool
is_time_to_load(const KafkaPipelineRun *run)
{
	return kafka_pipeline_is_through(run) || is_time_over(run) || run->host->should_stop();
}

/* With time to spare: nothing has come, or the clock is looked at. */
static KafkaPipelineStep
wait_for_messages(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	KafkaPipelineStep step = KAFKA_STEP_ON;
	instr_time	begin;
	instr_time	silence;
	int			left;

	INSTR_TIME_SET_CURRENT(begin);
	silence = begin;
	while (!is_full(run) && (left = time_left(run)) > 0)
	{
		if (!has_content(run) && kafka_elapsed_ms(begin) > COLLECT_MS)
			return KAFKA_STEP_ON;
		if (has_content(run) ? is_time_to_load(run) :
			(step = look_around(run, end)) != KAFKA_STEP_ON)
			return step;
		/* what was collected by an old definition would not be stored */
		if (has_content(run) && kafka_pipeline_must_restart(run))
			return KAFKA_STEP_ANEW;
		if (!has_content(run))
			kafka_pipeline_show(run, "waiting for messages");
		if (!take_next(run, Min(left, LOOK_MS), &silence, &step, end))
			return step;
		if (!has_content(run))
			kafka_pipeline_note_running(run);
		/* those that are there already, with one look at the clock for many */
		for (int n = 0; n < CLOCK_EVERY && run->nmessages > 0 && !is_full(run); n++)
		{
			int			before = run->nmessages;

			if (!take_next(run, 0, &silence, &step, end))
				return step;
			if (run->nmessages == before)
				break;
		}
	}
	return KAFKA_STEP_ON;
}

KafkaPipelineStep
kafka_pipeline_collect(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	KafkaPipelineStep step;

	begin_batch(run);
	/* also of a pipeline that is never without messages */
	step = look_around(run, end);
	if (step != KAFKA_STEP_ON)
		return step;
	if (run->npartitions > 0)
		return wait_for_messages(run, end);
	wait_for_share(run);
	return KAFKA_STEP_ON;
}
