/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  A batch of a pipeline: its rows and its offsets in one transaction.
 *
 * Layer 3.  The definition is read again: whoever has changed it has raised the epochs too, so a
 * batch that is loaded by an old one is never stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "ground/clock.h"
#include "ground/logfmt.h"
#include "pipeline/load.h"
#include "pipeline/poison.h"
#include "pipeline/run_internal.h"
#include "utils/timestamp.h"

/* Over which time the rate is an average, s. */
#define RATE_S 5.0

#define GROUP_COMMIT_MS 1000
#define LAST_GROUP_COMMIT_MS 1000
#define WHY_SIZE 512

/* ------------------------------------------------------------------------
 * Positions
 * ------------------------------------------------------------------------
 */
void
kafka_pipeline_clear_counts(KafkaPipelineRun *run)
{
	for (int i = 0; i < run->npartitions; i++)
	{
		KafkaPipelinePosition *position = &run->partitions[i].position;

		position->target = position->next_offset;
		position->message_time = KAFKA_UNKNOWN;
		position->messages = position->bytes = 0;
		position->rows = position->skipped = position->dead_letters = 0;
	}
}

static void
count_message(KafkaPipelinePosition *position, const KafkaMessage *msg, KafkaFate fate)
{
	position->target = msg->offset + 1;
	position->message_time = msg->timestamp;
	position->messages++;
	position->bytes += (int64) (msg->key.len + msg->value.len);
	if (fate == KAFKA_FATE_LOADED)
		position->rows++;
	else if (fate == KAFKA_FATE_SKIPPED)
		position->skipped++;
	else
		position->dead_letters++;
}

/* Since the batch before, or since this process began to read the partition. */
static void
note_rate(KafkaPipelinePartition *partition)
{
	KafkaPipelinePosition *position = &partition->position;
	double		seconds = (double) (GetCurrentTimestamp() - partition->counted) / USECS_PER_SEC;
	double		weight = partition->stored != 0 ? 1 - exp(-seconds / RATE_S) : 1;

	if (position->messages == 0)
		return;
	position->rate += weight * ((double) position->messages / Max(seconds, 0.001) -
								position->rate);
	partition->counted = GetCurrentTimestamp();
}

/* Positions behind what was loaded, where all of it was: markers of transactions lie there. */
static void
pass_markers(KafkaPipelineRun *run)
{
	for (int i = 0; i < run->npartitions; i++)
	{
		KafkaPipelinePartition *partition = &run->partitions[i];

		partition->position.target = Max(partition->position.target,
										 partition->member->position);
	}
}

/*
 * Those that have moved, and the one whose message has failed (or NULL): a process that has lost it has
 * nothing to say of it.  False: they are not this process's any more.
 */
static bool
store(KafkaPipelineRun *run, const KafkaPipelinePartition *failed, double ms)
{
	KafkaPipelinePosition *moved = palloc(sizeof(KafkaPipelinePosition) * run->npartitions);
	int			n = 0;

	for (int i = 0; i < run->npartitions; i++)
	{
		KafkaPipelinePartition *partition = &run->partitions[i];

		if (partition->position.target == partition->position.next_offset &&
			partition != failed)
			continue;
		note_rate(partition);
		partition->position.batches = n == 0 ? 1 : 0;
		partition->position.end_offset = kafka_member_end_offset(run->member, partition->member);
		moved[n++] = partition->position;
	}
	return n == 0 || kafka_pipeline_offsets_store(run->id, moved, n, ms);
}

static void
note_stored(KafkaPipelineRun *run)
{
	for (int i = 0; i < run->npartitions; i++)
	{
		KafkaPipelinePartition *partition = &run->partitions[i];

		if (partition->position.target == partition->position.next_offset)
			continue;
		partition->position.next_offset = partition->position.target;
		partition->position.untouched &= partition->position.messages == 0;
		partition->stored = GetCurrentTimestamp();
		run->untold = true;
	}
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/* For dead letters: few messages need their headers. */
static void
fill_headers(void *arg, int i, KafkaMessage *msg)
{
	KafkaPipelineRun *run = (KafkaPipelineRun *) arg;

	kafka_member_kept_headers(run->member, i, msg);
}

/* As the owner; what it did is in *load. */
static void
load_messages(KafkaPipelineRun *run, const KafkaPipeline *pipeline, KafkaBatchLoad *load)
{
	KafkaPipelineUser saved;
	KafkaLoader *loader;

	memset(load, 0, sizeof(*load));
	if (run->nmessages == 0)
		return;
	load->fates = palloc0(sizeof(KafkaFate) * run->nmessages);
	load->fill_headers = fill_headers;
	load->arg = run;
	saved = kafka_pipeline_enter(pipeline);
	loader = kafka_loader_begin(pipeline);
	if (kafka_loader_needs_headers(loader))
		for (int i = 0; i < run->nmessages; i++)
			fill_headers(run, i, &run->messages[i]);
	kafka_batch_load(pipeline, loader, run->messages, run->nmessages, load);
	kafka_loader_end(loader);
	kafka_pipeline_leave(&saved);
	for (int i = 0; i < load->done; i++)
		count_message(&run->origins[i]->position, &run->messages[i], load->fates[i]);
}

/* NULL: it is not to be run any more, and *end says why. */
static KafkaPipeline *
current_definition(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	KafkaPipeline *pipeline = kafka_pipeline_by_id(run->id);

	*end = KAFKA_PIPELINE_GONE;
	if (pipeline == NULL)
		return NULL;
	*end = KAFKA_PIPELINE_STOPPED;
	if (run->until->wait && !pipeline->enabled)
		return NULL;
	*end = KAFKA_PIPELINE_FAILED;	/* another worker's message */
	if (run->until->wait && kafka_pipeline_has_failed(run->id))
		return NULL;
	kafka_pipeline_resolve(pipeline);
	return pipeline;
}

KafkaPipelineStep
kafka_pipeline_load(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	KafkaBatchLoad load;
	KafkaPipeline *pipeline;
	instr_time	begin;

	if (run->nmessages == 0 && !run->positions_moved)
		return KAFKA_STEP_ON;
	INSTR_TIME_SET_CURRENT(begin);
	kafka_pipeline_show(run, "loading a batch");
	kafka_pipeline_clear_counts(run);
	kafka_pipeline_begin(run);
	pipeline = current_definition(run, end);
	if (pipeline == NULL)
	{
		kafka_pipeline_commit(run);
		return KAFKA_STEP_END;
	}
	load_messages(run, pipeline, &load);
	if (load.error == NULL)
		pass_markers(run);
	/* offsets before the state, as who starts or drops it locks them */
	if (!store(run, load.error ? run->origins[load.done] : NULL, kafka_elapsed_ms(begin)))
		return kafka_pipeline_roll_back(run);
	if (load.error)
		kafka_pipeline_set_state(run->id, "failed", load.error, run->messages[load.done].partition,
								 run->messages[load.done].offset);
	else if (!run->shown_running)
		kafka_pipeline_set_state(run->id, "running", NULL, KAFKA_UNKNOWN, KAFKA_UNKNOWN);
	kafka_pipeline_commit_as_owner(pipeline);
	kafka_pipeline_commit(run);
	run->shown_running = true;
	run->losses = 0;
	note_stored(run);
	kafka_pipeline_tell_group(run, false);
	*end = KAFKA_PIPELINE_FAILED;
	return load.error ? KAFKA_STEP_END : KAFKA_STEP_ON;
}

/* ------------------------------------------------------------------------
 * The group, for tools that show its lag.  Nothing depends on it.
 * ------------------------------------------------------------------------
 */
static void
check_group(KafkaPipelineRun *run)
{
	char		why[WHY_SIZE];

	if (!kafka_member_was_refused(run->member, why, sizeof(why)) || run->group_refused)
		return;
	run->group_refused = true;
	ereport(LOG,
			(errmsg_internal("event=group_offsets_refused pipeline=%s group=%s error=%s",
							 kafka_logfmt_quote(run->name),
							 kafka_logfmt_quote(run->pipeline->opts->group_id),
							 kafka_logfmt_quote(why))));
}

void
kafka_pipeline_tell_group(KafkaPipelineRun *run, bool now)
{
	KafkaGroupOffset *offsets;
	char		why[WHY_SIZE];
	int			n = 0;

	if (run->member == NULL || !run->untold || run->pipeline->opts->group_id == NULL ||
		(!now && GetCurrentTimestamp() < run->next_group_commit))
		return;
	check_group(run);
	run->next_group_commit = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), GROUP_COMMIT_MS);
	offsets = palloc0(sizeof(KafkaGroupOffset) * Max(run->npartitions, 1));
	for (int i = 0; i < run->npartitions; i++)
	{
		if (run->partitions[i].stored == 0)
			continue;
		offsets[n].topic = run->pipeline->topic;
		offsets[n].partition = run->partitions[i].position.partition;
		offsets[n++].offset = run->partitions[i].position.next_offset;
	}
	if (n == 0)
		return;
	run->untold = false;
	kafka_member_prepare_commit(run->member, offsets, n);
	(void) kafka_member_commit_quietly(run->member, now ? LAST_GROUP_COMMIT_MS : 0, why,
									   sizeof(why));
}
