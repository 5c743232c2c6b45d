/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN shows of a scan.
 *
 * Layer 3.  Without ANALYZE nothing is asked of a broker: shown is what the constants in the
 * conditions allow.  With ANALYZE it is what was really to be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/fdw.h"
#include "fdw/scan.h"
#include "format/row.h"
#include "ground/compat.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* A condition may compare with times that no message can have. */
static char *
time_text(int64 ms)
{
	const int64 margin = (int64) 366 * SECS_PER_DAY * 1000;
	const int64 epoch_ms = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;

	if (ms > END_TIMESTAMP / 1000 + epoch_ms - margin)
		return "infinity";
	if (ms < MIN_TIMESTAMP / 1000 + epoch_ms + margin)
		return "-infinity";
	return DatumGetCString(DirectFunctionCall1(timestamptz_out, kafka_timestamp_datum(ms)));
}

/* Shown only where a constant bounds the time. */
static void
explain_times(const KafkaBoxes *boxes, ExplainState *es)
{
	KafkaInterval all = {PG_INT64_MAX, PG_INT64_MIN};
	char	   *low;
	char	   *high;

	for (int i = 0; i < boxes->n; i++)
	{
		all.low = Min(all.low, boxes->boxes[i].side[KAFKA_BY_TIME].low);
		all.high = Max(all.high, boxes->boxes[i].side[KAFKA_BY_TIME].high);
	}
	if (all.low > all.high || (all.low == PG_INT64_MIN && all.high == PG_INT64_MAX))
		return;
	low = all.low == PG_INT64_MIN ? "" : psprintf("from %s", time_text(all.low));
	high = all.high == PG_INT64_MAX ? "" : psprintf("to %s", time_text(all.high));
	ExplainPropertyText("Kafka Timestamps",
						psprintf("%s%s%s", low, *low && *high ? " " : "", high), es);
}

static void
explain_conditions(const KafkaScan *scan, ExplainState *es)
{
	KafkaBoxes	boxes = kafka_condition_boxes(scan->condition, NULL);

	ExplainPropertyText("Kafka Partitions", kafka_range_describe(&boxes, KAFKA_BY_PARTITION), es);
	ExplainPropertyText("Kafka Offsets", kafka_range_describe(&boxes, KAFKA_BY_OFFSET), es);
	explain_times(&boxes, es);
	if (kafka_condition_has_unknown(scan->condition))
		ExplainPropertyText("Kafka Ranges", "narrowed by parameters when the scan starts", es);
}

static void
explain_order(const KafkaScan *scan, ExplainState *es)
{
	const KafkaScanOrder *order = &scan->order;
	char	   *partition = order->partition == 0 ? "" :
		order->partition > 0 ? "partition" : "partition DESC";
	char	   *offset = order->offset == 0 ? "" : order->offset > 0 ? "offset" : "offset DESC";

	if (*partition || *offset)
		ExplainPropertyText("Kafka Order",
							psprintf("%s%s%s", partition, *partition && *offset ? ", " : "",
									 offset), es);
}

/* As "0: 5 to 9"; both bounds inclusive. */
static List *
range_texts(const KafkaScan *scan)
{
	List	   *texts = NIL;

	for (int i = 0; i < scan->nshown; i++)
		texts = lappend(texts, psprintf("%d: " INT64_FORMAT " to " INT64_FORMAT,
										scan->shown_ranges[i].partition,
										scan->shown_ranges[i].start,
										scan->shown_ranges[i].end - 1));
	return texts;
}

/* What the last run was to read, after pinning the ends. */
static void
explain_ranges(const KafkaScan *scan, ExplainState *es)
{
	int			read = 0;

	for (int i = 0; i < scan->nshown; i++)
		if (i == 0 || scan->shown_ranges[i].partition != scan->shown_ranges[i - 1].partition)
			read++;
	ExplainPropertyInteger("Kafka Partitions Read", NULL, read, es);
	ExplainPropertyInteger("Kafka Partitions Pruned", NULL, scan->npartitions - read, es);
	if (es->verbose)
		ExplainPropertyList("Kafka Ranges Read", range_texts(scan), es);
}

static void
explain_stats(const KafkaScan *scan, ExplainState *es)
{
	KafkaConsumerStats stats = scan->finished;

	if (scan->consumer)
	{
		const KafkaConsumerStats *current = kafka_consumer_stats(scan->consumer);

		stats.messages += current->messages;
		stats.bytes += current->bytes;
		stats.wait_ms += current->wait_ms;
	}
	ExplainPropertyInteger("Kafka Messages", NULL, stats.messages, es);
	ExplainPropertyInteger("Kafka Bytes", NULL, stats.bytes, es);
	if (es->timing)
		ExplainPropertyFloat("Kafka Fetch Wait", "ms", stats.wait_ms, 3, es);
}

void
kafkaExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	const KafkaScan *scan = (KafkaScan *) node->fdw_state;

	ExplainPropertyText("Kafka Topic", scan->opts->topic, es);
	ExplainPropertyText("Kafka Format", kafka_option_word(kafka_formats, scan->opts->format),
						es);
	if (scan->opts->key_format != KAFKA_FORMAT_UNSET)
		ExplainPropertyText("Kafka Key Format",
							kafka_option_word(kafka_formats, scan->opts->key_format), es);
	explain_conditions(scan, es);
	explain_order(scan, es);
	if (!es->analyze)
		return;
	if (scan->resolved)
		explain_ranges(scan, es);
	explain_stats(scan, es);
}
