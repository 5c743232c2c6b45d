/*-------------------------------------------------------------------------
 *
 * session.c
 *	  A pipeline begins to read: its definition, this process's partitions, their positions.
 *
 * Layer 3.  A session lasts until the pipeline is changed, workers come or go, the topic has more
 * partitions, or something fails.  Taking partitions raises their epochs, so that whoever had
 * them before can store nothing more; that is all that keeps workers apart.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/sent.h"
#include "client/topic.h"
#include "ground/compat.h"
#include "ground/logfmt.h"
#include "miscadmin.h"
#include "pipeline/run_internal.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/shared.h"

/* Between two looks whether the topic has more partitions, or somebody has changed the pipeline. */
#define LOOK_MS 10000

/* The latter in a session, which nobody wakes. */
#define ORDER_MS 1000

/* ------------------------------------------------------------------------
 * The definition
 * ------------------------------------------------------------------------
 */

/* ON, with run->pipeline; or how the run ends. */
static KafkaPipelineStep
read_definition(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	MemoryContext old = MemoryContextSwitchTo(run->session);

	run->pipeline = kafka_pipeline_by_id(run->id);
	if (run->pipeline)
		kafka_pipeline_resolve(run->pipeline);
	MemoryContextSwitchTo(old);
	if (run->pipeline == NULL)
	{
		*end = KAFKA_PIPELINE_GONE;
		return KAFKA_STEP_END;
	}
	if (strcmp(run->name, run->pipeline->name) != 0)
		run->name = MemoryContextStrdup(run->context, run->pipeline->name);
	*end = KAFKA_PIPELINE_STOPPED;
	if (!run->until->wait)
	{
		if (run->orders < 0)
			run->orders = run->pipeline->orders;
		return run->orders == run->pipeline->orders ? KAFKA_STEP_ON : KAFKA_STEP_END;
	}
	if (!run->pipeline->enabled)
		return KAFKA_STEP_END;
	*end = KAFKA_PIPELINE_FAILED;
	return kafka_pipeline_has_failed(run->id) ? KAFKA_STEP_END : KAFKA_STEP_ON;
}

/* ------------------------------------------------------------------------
 * Partitions
 * ------------------------------------------------------------------------
 */

/* Those that have come since begin with what is in them. */
static void
add_partitions(KafkaPipelineRun *run, int known)
{
	int			n = run->topic_partitions - known;
	int32	   *numbers;
	int64	   *offsets;

	if (n <= 0)
		return;
	numbers = palloc(sizeof(int32) * n);
	offsets = palloc(sizeof(int64) * n);
	for (int i = 0; i < n; i++)
		numbers[i] = known + i;
	kafka_topic_offsets(run->pipeline->opts, run->pipeline->topic, KAFKA_OFFSET_LOW, numbers, n,
						offsets);
	kafka_pipeline_offsets_add(run->id, numbers, offsets, n, true);
}

static void
note_share(KafkaPipelineRun *run)
{
	run->rank = 0;
	run->count = 1;
	if (run->until->wait)
		kafka_workers_share(&run->rank, &run->count);
}

static bool
has_new_share(const KafkaPipelineRun *run)
{
	int			rank = run->rank;
	int			count = run->count;

	if (run->until->wait)
		kafka_workers_share(&rank, &count);
	return rank != run->rank || count != run->count;
}

static bool
is_mine(const KafkaPipelineRun *run, int32 partition)
{
	return partition % run->count == run->rank;
}

/* What is there when a run until the end begins; kept when a session begins anew. */
static void
find_limits(KafkaPipelineRun *run)
{
	if (!run->until->end || run->has_limits)
		return;
	run->limits = MemoryContextAlloc(run->context, sizeof(int64) * run->topic_partitions);
	kafka_topic_offsets(run->pipeline->opts, run->pipeline->topic, KAFKA_OFFSET_END, NULL,
						run->topic_partitions, run->limits);
	kafka_sent_await(run->pipeline->opts, run->pipeline->topic, run->topic_partitions, run->limits);
	run->nlimits = run->topic_partitions;
	run->has_limits = true;
}

static int64
limit_of(const KafkaPipelineRun *run, int32 partition)
{
	if (!run->has_limits)
		return KAFKA_UNKNOWN;
	return partition < run->nlimits ? run->limits[partition] : 0;
}

/* In a transaction.  False: somebody is dropping the pipeline. */
static bool
claim(KafkaPipelineRun *run)
{
	int32	   *numbers = palloc(sizeof(int32) * Max(run->topic_partitions, 1));
	KafkaPipelinePosition *positions;
	int			n = 0;

	for (int32 p = 0; p < run->topic_partitions; p++)
		if (is_mine(run, p))
			numbers[n++] = p;
	positions = kafka_pipeline_offsets_claim(run->id, numbers, n, &run->npartitions);
	if (run->npartitions != n)
		return false;
	run->partitions = MemoryContextAllocZero(run->session,
											 sizeof(KafkaPipelinePartition) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		run->partitions[i].position = positions[i];
		run->partitions[i].limit = limit_of(run, positions[i].partition);
		run->partitions[i].counted = GetCurrentTimestamp();
	}
	return true;
}

/*
 * The offsets that were claimed belong to the topic that is to be read?  Whoever changes that from
 * here on has to raise their epochs, and waits for us.
 */
static bool
is_still_defined(const KafkaPipelineRun *run)
{
	const KafkaPipeline *now = kafka_pipeline_by_id(run->id);

	return now && now->source == run->pipeline->source &&
		now->owner == run->pipeline->owner &&
		strcmp(now->topic, run->pipeline->topic) == 0 &&
		strcmp(now->server, run->pipeline->server) == 0;
}

/*
 * A topic that was made anew may have fewer than before; or the broker has not heard of the new ones
 * yet, so that it is asked again.
 */
static void
check_partitions(const KafkaPipelineRun *run, int known)
{
	if (run->topic_partitions < known)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("topic \"%s\" has fewer partitions than pipeline \"%s\" has offsets",
						run->pipeline->topic, run->name),
				 errdetail("It has %d, the pipeline knows %d.", run->topic_partitions, known),
				 errhint("If the topic was made anew, drop the pipeline and make it anew, too.")));
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

static void
open_member(KafkaPipelineRun *run)
{
	int32	   *numbers = palloc(sizeof(int32) * Max(run->npartitions, 1));
	MemoryContext old = MemoryContextSwitchTo(run->session);
	KafkaMemberPartition **given;
	int			n;

	run->member = kafka_member_open(run->pipeline->opts);
	MemoryContextSwitchTo(old);
	kafka_member_skip_headers(run->member);
	for (int i = 0; i < run->npartitions; i++)
		numbers[i] = run->partitions[i].position.partition;
	kafka_member_assign(run->member, run->pipeline->topic, numbers, run->npartitions);
	given = kafka_member_new_partitions(run->member, &n);
	Assert(n == run->npartitions);	/* both by number */
	for (int i = 0; i < n; i++)
	{
		run->partitions[i].member = given[i];
		given[i]->position = run->partitions[i].position.next_offset;
		given[i]->owner = &run->partitions[i];
	}
	kafka_member_accept(run->member);
}

/* In a transaction. */
static KafkaPipelineStep
begin_to_read(KafkaPipelineRun *run)
{
	int			known = kafka_pipeline_offsets_count(run->id);

	/* Kafka is asked with no lock held */
	run->topic_partitions = kafka_topic_partitions(run->pipeline->opts, run->pipeline->topic,
												   false, false);
	run->next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	find_limits(run);
	add_partitions(run, known);
	if (!claim(run) || !is_still_defined(run))
		return KAFKA_STEP_ANEW;
	check_partitions(run, known);
	return KAFKA_STEP_ON;
}

KafkaPipelineStep
kafka_pipeline_start(KafkaPipelineRun *run, KafkaPipelineEnd *end)
{
	KafkaPipelineStep step;

	kafka_pipeline_forget(run);
	kafka_pipeline_show(run, "taking partitions");
	/* who is woken from here on finds us at the definition as it is then */
	(void) kafka_workers_was_woken();
	note_share(run);
	kafka_pipeline_begin(run);
	step = read_definition(run, end);
	if (step == KAFKA_STEP_ON)
		step = begin_to_read(run);
	if (step == KAFKA_STEP_ANEW)
		return kafka_pipeline_roll_back(run);
	kafka_pipeline_commit(run);
	/* what was taken by an old share is another's, who may have taken it before: he does so again */
	if (has_new_share(run))
		kafka_workers_wake(MyDatabaseId, KAFKA_JOB_PIPELINE, run->id);
	/* the claim first: a position that is read and not yet ours may move */
	if (step == KAFKA_STEP_ON && run->npartitions > 0)
	{
		kafka_pipeline_begin(run);
		open_member(run);
		kafka_pipeline_commit(run);
	}
	return step;
}

void
kafka_pipeline_forget(KafkaPipelineRun *run)
{
	if (run->member)
		kafka_member_close(run->member);
	run->member = NULL;
	run->pipeline = NULL;
	run->partitions = NULL;
	run->npartitions = 0;
	run->nmessages = 0;
	run->shown_running = false;
	MemoryContextReset(run->session);
}

/*
 * Nobody wakes a session that runs a pipeline, and no worker when a prepared transaction is committed:
 * was it started or stopped, moved or changed?
 */
static bool
is_fenced(KafkaPipelineRun *run)
{
	KafkaPipelinePosition *positions;
	const KafkaPipeline *now;
	bool		fenced;

	if (GetCurrentTimestamp() < run->next_order)
		return false;
	run->next_order = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  run->until->wait ? LOOK_MS : ORDER_MS);
	positions = palloc(sizeof(KafkaPipelinePosition) * Max(run->npartitions, 1));
	for (int i = 0; i < run->npartitions; i++)
		positions[i] = run->partitions[i].position;
	kafka_pipeline_begin(run);
	now = kafka_pipeline_by_id(run->id);
	fenced = now == NULL || (!run->until->wait && now->orders != run->orders) ||
		!kafka_pipeline_offsets_hold(run->id, positions, run->npartitions);
	kafka_pipeline_commit(run);
	return fenced;
}

bool
kafka_pipeline_must_restart(KafkaPipelineRun *run)
{
	/* woken for others' sake, as a rule */
	if (kafka_workers_was_woken())
		run->next_order = 0;
	if (has_new_share(run))
		return true;
	if (run->member && kafka_member_is_stale(run->member))
		return true;
	if (is_fenced(run))
		return true;
	if (GetCurrentTimestamp() < run->next_look)
		return false;
	run->next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	/* raises where the topic is gone */
	return kafka_topic_partitions(run->pipeline->opts, run->pipeline->topic, false, false) !=
		run->topic_partitions;
}

/* ------------------------------------------------------------------------
 * Offsets that are not there
 * ------------------------------------------------------------------------
 */
static void
tell_missing(const KafkaPipelineRun *run, const KafkaPipelinePartition *partition, int64 low,
			 int64 end, ErrorData *error)
{
	int64		offset = partition->member->position;

	error->elevel = ERROR;
	error->sqlerrcode = ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION;
	error->message = offset > end ?
		psprintf("offset " INT64_FORMAT " of topic \"%s\" partition %d is behind its end", offset,
				 run->pipeline->topic, partition->position.partition) :
		psprintf("offset " INT64_FORMAT " of topic \"%s\" partition %d is no longer there", offset,
				 run->pipeline->topic, partition->position.partition);
	error->detail = psprintf("The partition now holds offsets from " INT64_FORMAT " to before "
							 INT64_FORMAT ". %s", low, end, offset > end ?
							 "The topic was made anew, or lost messages." :
							 "Messages were removed before the pipeline had loaded them.");
}

static KafkaPipelineStep
move_to(KafkaPipelineRun *run, KafkaPipelinePartition *partition, int64 offset)
{
	kafka_pipeline_clear_counts(run);
	partition->position.target = offset;
	kafka_pipeline_begin(run);
	if (!kafka_pipeline_offsets_store(run->id, &partition->position, 1, 0))
		return kafka_pipeline_roll_back(run);
	kafka_pipeline_commit(run);
	partition->position.next_offset = partition->member->position = offset;
	kafka_member_positions_changed(run->member);
	return KAFKA_STEP_ON;
}

/* Positions are where the table says: nothing of this partition is in the batch. */
KafkaPipelineStep
kafka_pipeline_missing(KafkaPipelineRun *run, KafkaPipelinePartition *partition,
					   KafkaPipelineEnd *end)
{
	int32		number = partition->position.partition;
	int64		low;
	int64		high;
	ErrorData	error = {0};

	kafka_topic_offsets(run->pipeline->opts, run->pipeline->topic, KAFKA_OFFSET_LOW, &number, 1,
						&low);
	kafka_topic_offsets(run->pipeline->opts, run->pipeline->topic, KAFKA_OFFSET_END, &number, 1,
						&high);
	if (partition->member->position >= low && partition->member->position <= high)
	{
		/* it is there again, or a broker was behind */
		kafka_member_positions_changed(run->member);
		return KAFKA_STEP_ON;
	}
	tell_missing(run, partition, low, high, &error);
	if (run->pipeline->opts->on_missing == KAFKA_ON_MISSING_EARLIEST ||
		(partition->position.untouched && partition->member->position < low))
	{
		ereport(WARNING,
				(errmsg_internal("event=pipeline_moved pipeline=%s topic=%s partition=%d from="
								 INT64_FORMAT " to=" INT64_FORMAT " reason=%s",
								 kafka_logfmt_quote(run->name),
								 kafka_logfmt_quote(run->pipeline->topic), number,
								 partition->member->position, low,
								 kafka_logfmt_quote(error.message))));
		return move_to(run, partition, low);
	}
	kafka_pipeline_clear_counts(run);
	kafka_pipeline_begin(run);
	/* only if it is ours still: somebody may have moved it in the meantime */
	if (!kafka_pipeline_offsets_store(run->id, &partition->position, 1, 0))
		return kafka_pipeline_roll_back(run);
	kafka_pipeline_set_state(run->id, "failed", &error, number, partition->member->position);
	kafka_pipeline_commit(run);
	*end = KAFKA_PIPELINE_FAILED;
	return KAFKA_STEP_END;
}
