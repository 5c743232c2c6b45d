/*-------------------------------------------------------------------------
 *
 * statistics.c
 *	  librdkafka's own statistics of this session's clients, by name.
 *
 * Layer 1.  collector.c keeps the last document of each client; it is parsed here, when
 * somebody looks.
 *
 * This is the only file that uses jansson.  The server program has a function json_object() of
 * its own, which wins the look-up: jansson's of that name must never be called (its parser is
 * safe, and so are the functions used here).  utils/builtins.h declares it too, so it cannot
 * be included.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <jansson.h>

#include "client/collector.h"
#include "client/handle_internal.h"
#include "client/statistics.h"
#include "utils/memutils.h"

/* What is needed while one client's document is read; jansson's memory goes in any case. */
typedef struct Reading
{
	MemoryContextCallback callback;
	json_t	   *document;
	json_error_t error;
	KafkaStatisticsLevel level;
	const char *const *keys;
	int			nkeys;
	const KafkaClient *client;
	TimestampTz as_of;
	List	   *rows;
} Reading;

static void
free_document(void *arg)
{
	Reading    *reading = (Reading *) arg;

	json_decref(reading->document);
	reading->document = NULL;
}

/* The document cannot change meanwhile.  Neither throws nor allocates by palloc. */
static void
parse(const char *json, size_t len, void *arg)
{
	Reading    *reading = (Reading *) arg;

	reading->document = json_loadb(json, len, 0, &reading->error);
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

/* An average over no samples is none. */
static json_t *
find_member(json_t *object, const char *key)
{
	const char *dot = strchr(key, '.');
	json_t	   *window;
	json_int_t	samples = 0;

	if (dot == NULL)
		return json_object_get(object, key);
	window = json_object_get(object, pnstrdup(key, dot - key));
	if (json_unpack(window, "{s?I}", "cnt", &samples) == 0 && samples == 0 &&
		json_object_get(window, "cnt"))
		return NULL;
	return json_object_get(window, dot + 1);
}

static KafkaFigure
get_figure(json_t *object, const char *key)
{
	json_t	   *member = find_member(object, key);
	KafkaFigure figure = {0};

	if (json_is_string(member))
	{
		figure.text = pstrdup(json_string_value(member));
		figure.known = true;
	}
	else if (json_is_integer(member))
	{
		figure.number = json_integer_value(member);
		figure.known = figure.number >= 0;
	}
	return figure;
}

static int64
get_number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */
static void
add_row(Reading *reading, json_t *object)
{
	KafkaStatisticsRow *row = palloc0(sizeof(KafkaStatisticsRow));

	row->client = reading->client;
	row->known = object != NULL;
	row->as_of = reading->as_of;
	row->figures = palloc0(sizeof(KafkaFigure) * reading->nkeys);
	for (int i = 0; i < reading->nkeys; i++)
		row->figures[i] = get_figure(object, reading->keys[i]);
	reading->rows = lappend(reading->rows, row);
}

/* librdkafka has a broker of its own, for what belongs to none. */
static void
add_broker(Reading *reading, json_t *broker)
{
	const char *source = json_string_value(json_object_get(broker, "source"));

	if (source == NULL || strcmp(source, "internal") != 0)
		add_row(reading, broker);
}

/* Partition -1 is where messages wait until they are given one: it counts if there are any. */
static void
add_partitions(Reading *reading, json_t *topic)
{
	json_t	   *partitions = json_object_get(topic, "partitions");

	for (void *iter = json_object_iter(partitions); iter != NULL;
		 iter = json_object_iter_next(partitions, iter))
	{
		json_t	   *partition = json_object_iter_value(iter);

		if (get_number(partition, "partition") < 0 && get_number(partition, "msgq_cnt") == 0)
			continue;
		json_object_set(partition, "topic", json_object_get(topic, "topic"));
		add_row(reading, partition);
	}
}

static void
add_all(Reading *reading, const char *key, void (*add) (Reading *reading, json_t *object))
{
	json_t	   *objects = json_object_get(reading->document, key);

	for (void *iter = json_object_iter(objects); iter != NULL;
		 iter = json_object_iter_next(objects, iter))
		add(reading, json_object_iter_value(iter));
}

static void
add_rows(Reading *reading)
{
	/* microseconds since the client was made, as TimestampTz counts them */
	reading->as_of = reading->client->started + get_number(reading->document, "age");
	switch (reading->level)
	{
		case KAFKA_STATISTICS_CLIENT:
			add_row(reading, reading->document);
			break;
		case KAFKA_STATISTICS_BROKER:
			add_all(reading, "brokers", add_broker);
			break;
		case KAFKA_STATISTICS_PARTITION:
			add_all(reading, "topics", add_partitions);
			break;
	}
}

/* librdkafka does not escape names, so that a quote in client.id spoils the document. */
static void
warn_unreadable(const Reading *reading)
{
	ereport(WARNING,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("could not read the statistics of a Kafka client"),
			 errdetail("Line %d, column %d: %s.", reading->error.line, reading->error.column,
					   reading->error.text),
			 errhint("Option \"client_id\" should have no quotes and no backslashes.")));
}

List *
kafka_statistics_read(KafkaStatisticsLevel level, const char *const *keys, int nkeys)
{
	Reading    *reading = palloc0(sizeof(Reading));
	ListCell   *lc;

	reading->level = level;
	reading->keys = keys;
	reading->nkeys = nkeys;
	reading->callback.func = free_document;
	reading->callback.arg = reading;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &reading->callback);
	foreach(lc, kafka_handle_list())
	{
		bool		there;

		reading->client = (KafkaClient *) lfirst(lc);
		there = kafka_collector_read(reading->client->handle->core, parse, reading);
		if (reading->document)
			add_rows(reading);
		else if (there)
			warn_unreadable(reading);
		if (reading->document == NULL && level == KAFKA_STATISTICS_CLIENT)
			add_row(reading, NULL);
		free_document(reading);
	}
	return reading->rows;
}
