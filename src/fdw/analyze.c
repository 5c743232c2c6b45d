/*-------------------------------------------------------------------------
 *
 * analyze.c
 *	  ANALYZE of a foreign table: a sample of rows, and how many there are.
 *
 * Layer 3.  The offsets of all partitions are put one after the other and taken as one
 * line, so that a partition counts by the number of its offsets.  A first look at short
 * runs says how many bytes, and how many messages, there are to an offset (transactions and
 * compaction leave offsets without a message).  If the whole line then fits into the
 * table's analyze_bytes, all of it is read.  Else the line is cut into blocks of equal
 * length and a random choice of them is read: each offset has the same chance, and each is
 * read once at most, as a row that comes twice would spoil the estimate of distinct values.
 * Neighbours come together, as the rows of a page do where PostgreSQL samples a table.
 *
 * Reading stops hard at analyze_bytes; it aims lower, so that this is rare.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "client/consumer.h"
#include "client/topic.h"
#include "common/pg_prng.h"
#include "fdw/fdw.h"
#include "format/row.h"
#include "ground/compat.h"
#include "ground/options.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

/* The first look: so many runs, of so many offsets each, for this part of the bytes. */
#define LOOK_RUNS 16
#define LOOK_LENGTH 25
#define LOOK_SHARE 0.25

/* Places that are read at most; each costs a round trip or two. */
#define MAX_RUNS 300

/* The part of analyze_bytes that is aimed at. */
#define AIM 0.8

/*
 * Fetching for short runs: the default of 1 MB for each of them would be thrown away
 * mostly.  A single message that is longer is fetched all the same.
 */
#define RUN_FETCH_BYTES "65536"

/* The offsets of a topic as one line. */
typedef struct Line
{
	const KafkaOptions *opts;
	KafkaBounds bounds;
	int64		length;			/* of all partitions together */
} Line;

/* What was read of it. */
typedef struct Measure
{
	int64		offsets;
	int64		messages;
	int64		bytes;			/* of keys and values */
} Measure;

/* A sample that is being taken; rows is NULL for a look that only measures. */
typedef struct Sample
{
	HeapTuple  *rows;
	int			target;
	int			count;			/* rows that are there */
	double		seen;			/* rows that were offered */
	double		skipped;		/* messages that on_error 'skip' leaves out */
	double		to_skip;		/* rows to pass over before the next replaces one */
	ReservoirStateData reservoir;
	KafkaRowReader *reader;
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
} Sample;

static Line *
open_line(Relation rel)
{
	Line	   *line = palloc0(sizeof(Line));

	/* statistics are the owner's matter, whoever asks for them */
	line->opts = kafka_options_of_table(RelationGetRelid(rel), rel->rd_rel->relowner);
	kafka_topic_bounds(line->opts, line->opts->topic, &line->bounds);
	for (int32 p = 0; p < line->bounds.npartitions; p++)
		line->length += Max(line->bounds.ends[p] - line->bounds.lows[p], 0);
	return line;
}

/* ------------------------------------------------------------------------
 * Choosing runs
 * ------------------------------------------------------------------------
 */
typedef struct Runs
{
	KafkaRange *ranges;
	int			n;
} Runs;

/* Adds [from, to) of the line: more than one range where it spans partitions. */
static void
add_run(Runs *runs, const Line *line, int64 from, int64 to)
{
	int64		base = 0;

	for (int32 p = 0; p < line->bounds.npartitions && base < to; p++)
	{
		int64		length = Max(line->bounds.ends[p] - line->bounds.lows[p], 0);
		int64		start = Max(from - base, 0);
		int64		end = Min(to - base, length);

		if (start < end)
		{
			KafkaRange	range = {p, line->bounds.lows[p] + start, line->bounds.lows[p] + end};

			runs->ranges[runs->n++] = range;
		}
		base += length;
	}
}

/*
 * `count` runs of `length` offsets at random places; the whole line if it has no more.  The
 * line is cut into blocks and PostgreSQL's own sampler chooses among them, in their order.
 * A line that is too long for its block numbers gets larger blocks, of which the run is a
 * random part.
 */
static Runs
choose_runs(const Line *line, int count, int64 length)
{
	int64		block = Max(length, line->length / MaxBlockNumber + 1);
	int64		nblocks = (line->length + block - 1) / block;
	Runs		runs = {palloc(sizeof(KafkaRange) * ((Size) count + line->bounds.npartitions)), 0};
	BlockSamplerData sampler;

	if (length >= line->length || nblocks <= count)
	{
		add_run(&runs, line, 0, line->length);
		return runs;
	}
	BlockSampler_Init(&sampler, (BlockNumber) nblocks, count,
					  pg_prng_uint32(&pg_global_prng_state));
	while (BlockSampler_HasMore(&sampler))
	{
		int64		start = (int64) BlockSampler_Next(&sampler) * block;

		if (block > length)
			start += (int64) pg_prng_uint64_range(&pg_global_prng_state, 0, block - length);
		add_run(&runs, line, start, Min(start + length, line->length));
	}
	return runs;
}

/* ------------------------------------------------------------------------
 * Reading runs
 * ------------------------------------------------------------------------
 */

/* A row for the sample: the first ones fill it, later ones replace a random one. */
static void
offer_row(Sample *sample)
{
	int			at = sample->count;

	sample->seen++;
	if (sample->count == sample->target)
	{
		if (sample->to_skip < 0)
			sample->to_skip = reservoir_get_next_S(&sample->reservoir, sample->seen - 1,
												   sample->target);
		if (sample->to_skip-- > 0)
			return;
		at = (int) (sample->target * sampler_random_fract(&sample->reservoir.randstate));
		heap_freetuple(sample->rows[at]);
	}
	else
		sample->count++;
	sample->rows[at] = heap_form_tuple(sample->desc, sample->values, sample->nulls);
}

/* Decodes every message, so that the ones to be left out are known. */
static void
take_row(Sample *sample, const KafkaMessage *msg, MemoryContext row_context)
{
	MemoryContext old = MemoryContextSwitchTo(row_context);
	bool		is_row = kafka_row_read(sample->reader, msg, sample->values, sample->nulls);

	MemoryContextSwitchTo(old);
	if (is_row)
		offer_row(sample);
	else
		sample->skipped++;
	MemoryContextReset(row_context);
}

/* Offsets of the ranges that were passed; positions: next offset of each partition. */
static int64
covered_offsets(const Runs *runs, const int64 *positions)
{
	int64		result = 0;

	for (int i = 0; i < runs->n; i++)
	{
		const KafkaRange *range = &runs->ranges[i];

		result += Max(Min(range->end, positions[range->partition]) - range->start, 0);
	}
	return result;
}

/* Reads the runs up to max_bytes. */
static Measure
read_runs(const Line *line, const Runs *runs, int64 max_bytes, Sample *sample)
{
	MemoryContext consumer_context = AllocSetContextCreate(CurrentMemoryContext,
														   "kafka_fdw analyze",
														   ALLOCSET_DEFAULT_SIZES);
	MemoryContext row_context = AllocSetContextCreate(consumer_context, "kafka_fdw analyzed row",
													  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;
	int64	   *positions = palloc0(sizeof(int64) * Max(line->bounds.npartitions, 1));
	const KafkaOptions *opts = line->opts;
	KafkaConsumer *consumer;
	KafkaMessage msg;
	Measure		measure = {0};
	bool		stopped = false;

	if (runs->n > line->bounds.npartitions)
		opts = kafka_options_with_property(opts, "fetch.message.max.bytes", RUN_FETCH_BYTES);
	MemoryContextSwitchTo(consumer_context);
	consumer = kafka_consumer_open(opts, opts->topic, runs->ranges, runs->n, PG_INT64_MAX);
	MemoryContextSwitchTo(old);
	while (!stopped && kafka_consumer_next(consumer, &msg))
	{
		measure.messages++;
		positions[msg.partition] = msg.offset + 1;
		if (sample)
			take_row(sample, &msg, row_context);
		stopped = kafka_consumer_stats(consumer)->bytes >= max_bytes;
	}
	measure.bytes = kafka_consumer_stats(consumer)->bytes;
	MemoryContextDelete(consumer_context);	/* closes it */
	/* one that was read to its end has passed all offsets, also those without a message */
	for (int32 p = 0; p < line->bounds.npartitions && !stopped; p++)
		positions[p] = PG_INT64_MAX;
	measure.offsets = covered_offsets(runs, positions);
	pfree(positions);
	return measure;
}

/* What an offset holds on average. */
static Measure
first_look(const Line *line)
{
	Runs		runs = choose_runs(line, LOOK_RUNS, LOOK_LENGTH);

	return read_runs(line, &runs, (int64) (line->opts->analyze_bytes * LOOK_SHARE), NULL);
}

/* The runs that make up the sample: everything, or as much as is wanted and allowed. */
static Runs
plan_sample(const Line *line, int target)
{
	Measure		look = first_look(line);
	double		offsets = Max(look.offsets, 1);
	double		bytes = Max(look.bytes / offsets, 0.01);
	double		density = Max(look.messages / offsets, 0.01);
	double		allowed = line->opts->analyze_bytes * AIM / bytes;
	double		wanted;

	if (line->length <= allowed)
		return choose_runs(line, 1, line->length);
	wanted = Max(Min(target / density, allowed), 1);
	return choose_runs(line, (int) Min(wanted, MAX_RUNS), (int64) ceil(wanted / MAX_RUNS));
}

/* ------------------------------------------------------------------------
 * ANALYZE's calls
 * ------------------------------------------------------------------------
 */
static Sample *
begin_sample(Relation rel, const KafkaOptions *opts, HeapTuple *rows, int target)
{
	Sample	   *sample = palloc0(sizeof(Sample));
	int			natts = Max(RelationGetDescr(rel)->natts, 1);

	sample->rows = rows;
	sample->target = target;
	sample->to_skip = -1;
	reservoir_init_selection_state(&sample->reservoir, target);
	sample->desc = RelationGetDescr(rel);
	sample->values = palloc(sizeof(Datum) * natts);
	sample->nulls = palloc(sizeof(bool) * natts);
	/* a whole row: every column */
	sample->reader = kafka_row_reader(rel, opts,
									  bms_make_singleton(0 - FirstLowInvalidHeapAttributeNumber));
	return sample;
}

static int
acquire_sample_rows(Relation rel, int elevel, HeapTuple *rows, int targrows, double *totalrows,
					double *totaldeadrows)
{
	Line	   *line = open_line(rel);
	Sample	   *sample = begin_sample(rel, line->opts, rows, targrows);
	Measure		measure = {0};
	Runs		runs = {NULL, 0};

	*totalrows = *totaldeadrows = 0;
	if (line->length > 0)
	{
		runs = plan_sample(line, targrows);
		measure = read_runs(line, &runs, line->opts->analyze_bytes, sample);
		*totalrows = sample->seen / Max(measure.offsets, 1) * line->length;
	}
	ereport(elevel,
			(errmsg("\"%s\": read " INT64_FORMAT " of " INT64_FORMAT " offsets at %d places, "
					"containing " INT64_FORMAT " messages, %.0f of them left out; "
					"%d rows in sample, %.0f estimated total rows",
					RelationGetRelationName(rel), measure.offsets, line->length, runs.n,
					measure.messages, sample->skipped, sample->count, *totalrows)));
	return sample->count;
}

/*
 * PostgreSQL wants the size before it asks for the sample, so this takes a look of its own.
 */
bool
kafkaAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	Line	   *line = open_line(rel);
	double		pages = 0;

	if (line->length > 0)
	{
		Measure		look = first_look(line);

		pages = look.bytes / (double) Max(look.offsets, 1) * line->length / BLCKSZ;
		/* a table of no pages counts for nothing among the children of a parent */
		pages = Max(Min(pages, (double) MaxBlockNumber), 1);
	}
	*totalpages = (BlockNumber) pages;
	*func = acquire_sample_rows;
	return true;
}
