/*-------------------------------------------------------------------------
 *
 * cluster.c
 *	  kafka.describe_cluster.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/cluster.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(kafka_describe_cluster);

/* (server): a row (broker_id, host, port, rack, is_controller, cluster_id) for each broker. */
Datum
kafka_describe_cluster(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 0);
	KafkaCluster *cluster = kafka_cluster_read(opts);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < cluster->nbrokers; i++)
	{
		KafkaBroker *broker = &cluster->brokers[i];
		Datum		values[6] = {0};
		bool		nulls[6] = {false};

		values[0] = Int32GetDatum(broker->id);
		values[1] = CStringGetTextDatum(broker->host);
		values[2] = Int32GetDatum(broker->port);
		nulls[3] = broker->rack == NULL;
		if (broker->rack)
			values[3] = CStringGetTextDatum(broker->rack);
		values[4] = BoolGetDatum(broker->is_controller);
		nulls[5] = cluster->id == NULL;
		if (cluster->id)
			values[5] = CStringGetTextDatum(cluster->id);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
