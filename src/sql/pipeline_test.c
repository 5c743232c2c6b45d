/*-------------------------------------------------------------------------
 *
 * pipeline_test.c
 *	  kafka.test_pipeline: what a pipeline would do with its next messages.
 *
 * Layer 3.  The messages are read as by a scan, some of each partition, from where the pipeline
 * stands.  Each is loaded in a subtransaction, and all of these are in one that is rolled back: so
 * a message meets the rows of those before it, and nothing stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "client/consumer.h"
#include "client/topic.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/attempt.h"
#include "ground/query.h"
#include "miscadmin.h"
#include "pipeline/poison.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/* Columns of the result. */
enum
{
	COLUMN_PARTITION,
	COLUMN_OFFSET,
	COLUMN_OUTCOME,
	COLUMN_RESULT,
	COLUMN_SQLSTATE,
	COLUMN_ERROR,
	COLUMNS
};

/* They are all in memory. */
#define MOST_MESSAGES 100000

/* A wider range of offsets is read each time that gaps have left too few messages; at most */
#define WIDEST_FACTOR (1 << 16)

static KafkaQuery query_offsets = {
	"SELECT o.partition, o.next_offset, o.untouched FROM kafka.pipeline_offset o "
	"WHERE o.pipeline OPERATOR(pg_catalog.=) $1",
	1, {INT4OID}, NULL
};

/* A partition, and how far it is read. */
typedef struct Source
{
	int64		position;
	int64		end;
	int			share;			/* messages of this pass */
} Source;

typedef struct Sample
{
	const KafkaPipeline *pipeline;
	Source	   *sources;		/* by partition */
	int32		nsources;
	KafkaMessage *messages;
	int			n;
	int			max;
} Sample;

/* ------------------------------------------------------------------------
 * Where the pipeline stands
 * ------------------------------------------------------------------------
 */

/* As a batch would: a partition without a row is new, and begins with what there is. */
static void
place_source(const Sample *sample, int32 partition, int64 next, bool untouched)
{
	Source	   *source = &sample->sources[partition];
	int64		low = source->position;

	if (next > source->end ||
		(next < low && !untouched &&
		 sample->pipeline->opts->on_missing != KAFKA_ON_MISSING_EARLIEST))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" stands at an offset that topic \"%s\" does not have",
						sample->pipeline->name, sample->pipeline->topic),
				 errdetail("Partition %d holds offsets from " INT64_FORMAT " to before "
						   INT64_FORMAT ", the pipeline stands at " INT64_FORMAT ".",
						   partition, low, source->end, next),
				 errhint("Move it with kafka.seek_pipeline.")));
	source->position = Max(next, low);
}

static void
find_sources(Sample *sample)
{
	KafkaBounds bounds;
	Datum		pipeline = Int32GetDatum(sample->pipeline->id);
	uint64		rows;
	bool		isnull;

	kafka_topic_bounds(sample->pipeline->opts, sample->pipeline->topic, &bounds);
	sample->nsources = bounds.npartitions;
	sample->sources = palloc0(sizeof(Source) * Max(bounds.npartitions, 1));
	for (int32 p = 0; p < bounds.npartitions; p++)
	{
		sample->sources[p].position = bounds.lows[p];
		sample->sources[p].end = bounds.ends[p];
	}
	rows = kafka_query_run(&query_offsets, &pipeline, NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		int32		partition = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));

		if (partition < sample->nsources)
			place_source(sample, partition, DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull)),
						 DatumGetBool(SPI_getbinval(row, desc, 3, &isnull)));
	}
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
static KafkaBytes
copy_bytes(KafkaBytes bytes)
{
	KafkaBytes	copy = bytes;

	if (bytes.data)
		copy.data = memcpy(palloc(bytes.len + 1), bytes.data, bytes.len);
	return copy;
}

static void
keep_message(Sample *sample, const KafkaMessage *msg)
{
	KafkaMessage *copy = &sample->messages[sample->n++];

	*copy = *msg;
	copy->topic = sample->pipeline->topic;
	copy->key = copy_bytes(msg->key);
	copy->value = copy_bytes(msg->value);
	copy->headers = palloc(sizeof(KafkaHeader) * Max(msg->nheaders, 1));
	for (int i = 0; i < msg->nheaders; i++)
	{
		copy->headers[i].name = pstrdup(msg->headers[i].name);
		copy->headers[i].value = copy_bytes(msg->headers[i].value);
	}
}

/* What each partition that has more gives to this pass, and the offsets to look for it in. */
static int
plan_pass(Sample *sample, KafkaRange *ranges, int64 factor)
{
	int			n = 0;
	int			left = sample->max - sample->n;
	int			share;

	for (int32 p = 0; p < sample->nsources; p++)
		n += sample->sources[p].position < sample->sources[p].end;
	if (n == 0 || left == 0)
		return 0;
	share = (left + n - 1) / n;
	n = 0;
	for (int32 p = 0; p < sample->nsources; p++)
	{
		Source	   *source = &sample->sources[p];

		source->share = Min(share, left);
		if (source->position >= source->end || left == 0)
			continue;
		left -= source->share;
		ranges[n].partition = p;
		ranges[n].start = source->position;
		ranges[n++].end = Min(source->end, source->position + source->share * factor);
	}
	return n;
}

static void
read_pass(Sample *sample, const KafkaRange *ranges, int n)
{
	KafkaConsumer *consumer = kafka_consumer_open(sample->pipeline->opts, sample->pipeline->topic,
												  ranges, n, sample->max - sample->n);
	KafkaMessage msg;

	while (kafka_consumer_next(consumer, &msg))
	{
		Source	   *source = &sample->sources[msg.partition];

		if (source->share == 0)
			continue;
		keep_message(sample, &msg);
		source->share--;
		source->position = msg.offset + 1;
	}
	kafka_consumer_close(consumer);
	for (int i = 0; i < n; i++)
		if (sample->sources[ranges[i].partition].share > 0)
			sample->sources[ranges[i].partition].position = ranges[i].end;
}

static int
compare_messages(const void *a, const void *b)
{
	const KafkaMessage *one = a;
	const KafkaMessage *other = b;

	if (one->partition != other->partition)
		return one->partition < other->partition ? -1 : 1;
	return one->offset < other->offset ? -1 : one->offset > other->offset;
}

static void
read_messages(Sample *sample)
{
	KafkaRange *ranges = palloc(sizeof(KafkaRange) * Max(sample->nsources, 1));
	int			n;

	sample->messages = palloc(sizeof(KafkaMessage) * sample->max);
	for (int64 factor = 1; (n = plan_pass(sample, ranges, factor)) > 0;)
	{
		read_pass(sample, ranges, n);
		factor = Min(factor * 4, WIDEST_FACTOR);
	}
	qsort(sample->messages, sample->n, sizeof(KafkaMessage), compare_messages);
}

/* ------------------------------------------------------------------------
 * Loading
 * ------------------------------------------------------------------------
 */
typedef struct Rehearsal
{
	FunctionCallInfo fcinfo;
	const Sample *sample;
	KafkaLoader *loader;

	/* of a message */
	const KafkaMessage *msg;
	Jsonb	   *result;
	bool		skipped;
} Rehearsal;

static void
load_message(void *arg)
{
	Rehearsal  *rehearsal = arg;
	KafkaLoaded loaded = {0};

	rehearsal->result = kafka_loader_show(rehearsal->loader, rehearsal->msg);
	kafka_loader_load(rehearsal->loader, rehearsal->msg, 1, &rehearsal->skipped, &loaded);
	rehearsal->skipped |= loaded.skipped > 0;	/* by mode ignore */
}

static void
put_outcome(const Rehearsal *rehearsal, const ErrorData *error)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};

	values[COLUMN_PARTITION] = Int32GetDatum(rehearsal->msg->partition);
	values[COLUMN_OFFSET] = Int64GetDatum(rehearsal->msg->offset);
	values[COLUMN_OUTCOME] = CStringGetTextDatum(error ? "failed" :
												 rehearsal->skipped ? "skipped" : "loaded");
	nulls[COLUMN_RESULT] = rehearsal->result == NULL;
	if (rehearsal->result)
		values[COLUMN_RESULT] = JsonbPGetDatum(rehearsal->result);
	nulls[COLUMN_SQLSTATE] = nulls[COLUMN_ERROR] = error == NULL;
	if (error)
	{
		values[COLUMN_SQLSTATE] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
		values[COLUMN_ERROR] = CStringGetTextDatum(error->message ? error->message : "");
	}
	kafka_sql_put_row(rehearsal->fcinfo, values, nulls);
}

/* In the subtransaction that is rolled back: user and settings go with it, too. */
static void
load_messages(void *arg)
{
	Rehearsal  *rehearsal = arg;
	const Sample *sample = rehearsal->sample;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw message",
												  ALLOCSET_DEFAULT_SIZES);
	KafkaPipelineUser saved = kafka_pipeline_enter(sample->pipeline);

	rehearsal->loader = kafka_loader_begin(sample->pipeline);
	for (int i = 0; i < sample->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		ErrorData  *error;

		rehearsal->msg = &sample->messages[i];
		rehearsal->result = NULL;
		rehearsal->skipped = false;
		error = kafka_attempt(load_message, rehearsal, kafka_error_may_be_poison);
		if (error)
			kafka_error_require_poison(error);
		put_outcome(rehearsal, error);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		CHECK_FOR_INTERRUPTS();
	}
	kafka_loader_end(rehearsal->loader);
	kafka_pipeline_leave(&saved);
}

static bool
catches_nothing(int sqlstate)
{
	return false;
}

PG_FUNCTION_INFO_V1(kafka_test_pipeline);

/* kafka.test_pipeline(name, max_messages) */
Datum
kafka_test_pipeline(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	KafkaPipeline *pipeline = kafka_pipeline_find(kafka_sql_text(fcinfo, 0, "name"), false);
	Sample		sample = {.pipeline = pipeline};
	Rehearsal	rehearsal = {.fcinfo = fcinfo, .sample = &sample};

	kafka_pipeline_require_self(pipeline);
	PreventCommandIfReadOnly("kafka.test_pipeline");
	if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > MOST_MESSAGES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_messages\" must be between 1 and %d", MOST_MESSAGES)));
	sample.max = PG_GETARG_INT32(1);
	InitMaterializedSRF(fcinfo, 0);
	kafka_pipeline_resolve(pipeline);
	SPI_connect();
	MemoryContextSwitchTo(context);
	find_sources(&sample);
	read_messages(&sample);
	(void) kafka_rehearse(load_messages, &rehearsal, catches_nothing);
	SPI_finish();
	return (Datum) 0;
}
