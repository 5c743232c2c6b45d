/*-------------------------------------------------------------------------
 *
 * clients.c
 *	  The views kafka.clients and kafka.client_stats: this session's connections to Kafka,
 *	  and what they have done.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/handle.h"
#include "client/stats.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#define CLIENT_COLUMNS 8
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

PG_FUNCTION_INFO_V1(kafka_get_clients);

Datum
kafka_get_clients(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, kafka_handle_list())
	{
		const KafkaClient *client = (KafkaClient *) lfirst(lc);
		Datum		values[CLIENT_COLUMNS] = {0};
		bool		nulls[CLIENT_COLUMNS] = {false};

		set_names(client->serverid, client->userid, values, nulls);
		values[2] = CStringGetTextDatum(purposes[client->role]);
		nulls[3] = client->transactional_id == NULL;
		if (client->transactional_id)
			values[3] = CStringGetTextDatum(client->transactional_id);
		values[4] = BoolGetDatum(client->in_use);
		values[5] = BoolGetDatum(client->stale);
		values[6] = BoolGetDatum(client->reachable);
		values[7] = TimestampTzGetDatum(client->started);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kafka_get_client_stats);

Datum
kafka_get_client_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
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
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
