/*-------------------------------------------------------------------------
 *
 * clients.c
 *	  The views kafka.clients, client_brokers, client_topics and client_stats: this session's
 *	  connections to Kafka, what librdkafka says of them, and what they have done.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/handle.h"
#include "client/statistics.h"
#include "client/stats.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "sql/arguments.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* before librdkafka's figures */
#define CLIENT_COLUMNS 10
#define STATS_COLUMNS (2 + KAFKA_COUNTERS)

static const char *const purposes[] = {
	[KAFKA_ROLE_ADMIN] = "metadata",
	[KAFKA_ROLE_GROUPS] = "group offsets",
	[KAFKA_ROLE_CONSUMER] = "scan",
	[KAFKA_ROLE_PICKER] = "lookup",
	[KAFKA_ROLE_MEMBER] = "consumer",
	[KAFKA_ROLE_PRODUCER] = "producer",
	[KAFKA_ROLE_TRANSACTIONAL] = "transactional producer",
};

/* Server and user, by name; NULL where they were dropped since. */
static void
set_names(Oid serverid, Oid userid, Datum *values, bool *nulls)
{
	ForeignServer *server = GetForeignServerExtended(serverid, FSV_MISSING_OK);
	char	   *user = GetUserNameFromId(userid, true);

	nulls[0] = server == NULL;
	if (server)
		values[0] = DirectFunctionCall1(namein, CStringGetDatum(server->servername));
	nulls[1] = user == NULL;
	if (user)
		values[1] = DirectFunctionCall1(namein, CStringGetDatum(user));
}

/* ------------------------------------------------------------------------
 * librdkafka's statistics
 * ------------------------------------------------------------------------
 */

/* How a number of librdkafka's becomes a column. */
typedef enum FigureKind
{
	FIGURE_TEXT,
	FIGURE_INT4,
	FIGURE_INT8,
	FIGURE_MILLISECONDS,		/* double precision */
	FIGURE_MICROSECONDS,		/* double precision, of milliseconds */
	FIGURE_AGE					/* microseconds, an interval */
} FigureKind;

typedef struct FigureColumn
{
	const char *key;
	FigureKind	kind;
} FigureColumn;

/* In the order of the views' columns. */
static const FigureColumn client_figures[] = {
	{"replyq", FIGURE_INT8},
	{"msg_cnt", FIGURE_INT8},
	{"msg_size", FIGURE_INT8},
	{"eos.idemp_state", FIGURE_TEXT},
	{"eos.txn_state", FIGURE_TEXT},
	{"eos.producer_id", FIGURE_INT8},
	{"eos.producer_epoch", FIGURE_INT4},
};

static const FigureColumn broker_figures[] = {
	{"nodename", FIGURE_TEXT},
	{"nodeid", FIGURE_INT4},
	{"source", FIGURE_TEXT},
	{"state", FIGURE_TEXT},
	{"stateage", FIGURE_AGE},
	{"rtt.avg", FIGURE_MICROSECONDS},
	{"rtt.p99", FIGURE_MICROSECONDS},
	{"rtt.max", FIGURE_MICROSECONDS},
	{"throttle.avg", FIGURE_MILLISECONDS},
	{"throttle.max", FIGURE_MILLISECONDS},
	{"int_latency.avg", FIGURE_MICROSECONDS},
	{"outbuf_cnt", FIGURE_INT8},
	{"waitresp_cnt", FIGURE_INT8},
	{"tx", FIGURE_INT8},
	{"txbytes", FIGURE_INT8},
	{"txerrs", FIGURE_INT8},
	{"txretries", FIGURE_INT8},
	{"req_timeouts", FIGURE_INT8},
	{"rx", FIGURE_INT8},
	{"rxbytes", FIGURE_INT8},
	{"rxerrs", FIGURE_INT8},
	{"connects", FIGURE_INT8},
	{"disconnects", FIGURE_INT8},
};

static const FigureColumn topic_figures[] = {
	{"topic", FIGURE_TEXT},
	{"partition", FIGURE_INT4},
	{"leader", FIGURE_INT4},
	{"msgq_cnt", FIGURE_INT8},
	{"msgq_bytes", FIGURE_INT8},
	{"msgs_inflight", FIGURE_INT8},
	{"txmsgs", FIGURE_INT8},
	{"txbytes", FIGURE_INT8},
	{"fetch_state", FIGURE_TEXT},
	{"fetchq_cnt", FIGURE_INT8},
	{"fetchq_size", FIGURE_INT8},
	{"rxmsgs", FIGURE_INT8},
	{"rxbytes", FIGURE_INT8},
	{"lo_offset", FIGURE_INT8},
	{"hi_offset", FIGURE_INT8},
	{"ls_offset", FIGURE_INT8},
	{"app_offset", FIGURE_INT8},
	{"committed_offset", FIGURE_INT8},
	{"consumer_lag", FIGURE_INT8},
};

#define MAX_FIGURES lengthof(broker_figures)

static Datum
age_datum(int64 microseconds)
{
	Interval   *age = palloc0(sizeof(Interval));

	age->time = microseconds;
	return IntervalPGetDatum(age);
}

static Datum
figure_datum(const KafkaFigure *figure, FigureKind kind, bool *isnull)
{
	*isnull = !figure->known || (figure->text != NULL) != (kind == FIGURE_TEXT);
	if (*isnull)
		return (Datum) 0;
	switch (kind)
	{
		case FIGURE_TEXT:
			return CStringGetTextDatum(figure->text);
		case FIGURE_INT4:
			*isnull = figure->number > PG_INT32_MAX;
			return Int32GetDatum((int32) figure->number);
		case FIGURE_INT8:
			return Int64GetDatum(figure->number);
		case FIGURE_MILLISECONDS:
			return Float8GetDatum((double) figure->number);
		case FIGURE_MICROSECONDS:
			return Float8GetDatum((double) figure->number / 1000);
		case FIGURE_AGE:
			return age_datum(figure->number);
	}
	return (Datum) 0;			/* silence compilers */
}

/* Columns of the client itself: server, username, purpose, client, as_of. */
#define OF_CLIENT 5

static void
put_statistics(FunctionCallInfo fcinfo, KafkaStatisticsLevel level, const FigureColumn *columns,
			   int ncolumns)
{
	const char *keys[MAX_FIGURES];
	ListCell   *lc;

	for (int i = 0; i < ncolumns; i++)
		keys[i] = columns[i].key;
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_statistics_read(level, keys, ncolumns))
	{
		const KafkaStatisticsRow *row = (KafkaStatisticsRow *) lfirst(lc);
		Datum		values[OF_CLIENT + MAX_FIGURES] = {0};
		bool		nulls[OF_CLIENT + MAX_FIGURES] = {false};

		set_names(row->client->serverid, row->client->userid, values, nulls);
		values[2] = CStringGetTextDatum(purposes[row->client->role]);
		values[3] = CStringGetTextDatum(row->client->name);
		values[4] = TimestampTzGetDatum(row->as_of);
		for (int i = 0; i < ncolumns; i++)
			values[OF_CLIENT + i] = figure_datum(&row->figures[i], columns[i].kind,
												 &nulls[OF_CLIENT + i]);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(kafka_get_client_brokers);

Datum
kafka_get_client_brokers(PG_FUNCTION_ARGS)
{
	put_statistics(fcinfo, KAFKA_STATISTICS_BROKER, broker_figures, lengthof(broker_figures));
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_get_client_topics);

Datum
kafka_get_client_topics(PG_FUNCTION_ARGS)
{
	put_statistics(fcinfo, KAFKA_STATISTICS_PARTITION, topic_figures, lengthof(topic_figures));
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * Clients
 * ------------------------------------------------------------------------
 */
static void
put_client(FunctionCallInfo fcinfo, const KafkaStatisticsRow *row)
{
	const KafkaClient *client = row->client;
	Datum		values[CLIENT_COLUMNS + lengthof(client_figures)] = {0};
	bool		nulls[CLIENT_COLUMNS + lengthof(client_figures)] = {false};

	set_names(client->serverid, client->userid, values, nulls);
	values[2] = CStringGetTextDatum(purposes[client->role]);
	nulls[3] = client->transactional_id == NULL;
	if (client->transactional_id)
		values[3] = CStringGetTextDatum(client->transactional_id);
	values[4] = BoolGetDatum(client->in_use);
	values[5] = BoolGetDatum(client->stale);
	values[6] = BoolGetDatum(client->reachable);
	values[7] = TimestampTzGetDatum(client->started);
	values[8] = CStringGetTextDatum(client->name);
	values[9] = TimestampTzGetDatum(row->as_of);
	nulls[9] = !row->known;
	for (int i = 0; i < (int) lengthof(client_figures); i++)
		values[CLIENT_COLUMNS + i] = figure_datum(&row->figures[i], client_figures[i].kind,
												  &nulls[CLIENT_COLUMNS + i]);
	kafka_sql_put_row(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(kafka_get_clients);

Datum
kafka_get_clients(PG_FUNCTION_ARGS)
{
	const char *keys[lengthof(client_figures)];
	ListCell   *lc;

	for (int i = 0; i < (int) lengthof(client_figures); i++)
		keys[i] = client_figures[i].key;
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_statistics_read(KAFKA_STATISTICS_CLIENT, keys, lengthof(client_figures)))
		put_client(fcinfo, (KafkaStatisticsRow *) lfirst(lc));
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_get_client_stats);

Datum
kafka_get_client_stats(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_stats_list())
	{
		const KafkaStats *stats = (KafkaStats *) lfirst(lc);
		Datum		values[STATS_COLUMNS] = {0};
		bool		nulls[STATS_COLUMNS] = {false};

		set_names(stats->serverid, stats->userid, values, nulls);
		for (int i = 0; i < KAFKA_COUNTERS; i++)
			values[2 + i] = Int64GetDatum(stats->counters[i]);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
