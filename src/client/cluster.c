/*-------------------------------------------------------------------------
 *
 * cluster.c
 *	  The cluster: its brokers, where a topic's partitions are, what every broker knows.
 *
 * Layer 1.  Brokers learn of a change one after the other, some milliseconds apart.  Whoever has
 * to know that all of them have heard asks each one: for the configuration by a request to that
 * very broker, for the number of partitions by metadata, whose answer tells which broker gave it.
 * librdkafka lets nobody choose the broker for metadata, but takes one of those that were used
 * within this second, by chance: the requests for the configuration see to that, so that each
 * one's turn comes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/cluster.h"
#include "client/config.h"
#include "client/error.h"
#include "client/handle_internal.h"
#include "client/metadata.h"
#include "client/request.h"
#include "client/topic_internal.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/settings.h"

/* A broker is first given this long for one answer, then twice as long, and so on. */
#define FIRST_PROBE_MS 1000

/* So often all are asked without a pause: it is chance that decides who answers. */
#define PROMPT_ROUNDS 20

/* ------------------------------------------------------------------------
 * Brokers
 * ------------------------------------------------------------------------
 */
static int
compare_brokers(const void *a, const void *b)
{
	int32		left = ((const KafkaBroker *) a)->id;
	int32		right = ((const KafkaBroker *) b)->id;

	return (left > right) - (left < right);
}

#ifdef KAFKA_RD_DESCRIBE_CLUSTER
/* Metadata has no racks. */
static void
fill_racks(const KafkaOptions *opts, KafkaCluster *cluster)
{
	KafkaPlace	place = {.doing = "could not describe the cluster"};
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_Node_t **nodes;
	size_t		count;

	kafka_request_begin(&request, opts, RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, &place,
						kafka_setting_connect_timeout);
	rd_kafka_DescribeCluster(request.handle->rk, request.options, request.queue);
	event = kafka_request_await(&request);
	nodes = rd_kafka_DescribeCluster_result_nodes(rd_kafka_event_DescribeCluster_result(event),
												  &count);
	for (size_t n = 0; n < count; n++)
		for (int i = 0; i < cluster->nbrokers; i++)
			if (cluster->brokers[i].id == rd_kafka_Node_id(nodes[n]) &&
				rd_kafka_Node_rack(nodes[n]))
				cluster->brokers[i].rack = pstrdup(rd_kafka_Node_rack(nodes[n]));
	rd_kafka_event_destroy(event);
}
#else
static void
fill_racks(const KafkaOptions *opts, KafkaCluster *cluster)
{
}
#endif

static void
fill_brokers(KafkaCluster *cluster, const struct rd_kafka_metadata *metadata, int32 controller)
{
	cluster->nbrokers = metadata->broker_cnt;
	cluster->brokers = palloc0(sizeof(KafkaBroker) * Max(metadata->broker_cnt, 1));
	for (int i = 0; i < metadata->broker_cnt; i++)
	{
		KafkaBroker *broker = &cluster->brokers[i];

		broker->id = metadata->brokers[i].id;
		broker->host = pstrdup(metadata->brokers[i].host);
		broker->port = metadata->brokers[i].port;
		broker->is_controller = broker->id == controller;
	}
	qsort(cluster->brokers, cluster->nbrokers, sizeof(KafkaBroker), compare_brokers);
}

KafkaCluster *
kafka_cluster_read(const KafkaOptions *opts)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not read the cluster's metadata"};
	KafkaCluster *cluster = palloc0(sizeof(KafkaCluster));
	KafkaMetadataJob *job = kafka_metadata_fetch(handle, NULL);
	rd_kafka_resp_err_t err = job->err;
	char	   *id;

	/* known from the answer, so these two do not wait */
	if (!err)
		fill_brokers(cluster, job->metadata, rd_kafka_controllerid(handle->rk, 0));
	kafka_job_drop(&job->job);
	if (err)
		kafka_error_throw(handle, err, NULL, &place);
	id = rd_kafka_clusterid(handle->rk, 0);
	if (id)
	{
		cluster->id = pstrdup(id);
		rd_kafka_mem_free(handle->rk, id);
	}
	fill_racks(opts, cluster);
	return cluster;
}

static List *
alive_ids(const struct rd_kafka_metadata *metadata)
{
	List	   *ids = NIL;

	for (int i = 0; i < metadata->broker_cnt; i++)
		ids = lappend_int(ids, metadata->brokers[i].id);
	return ids;
}

List *
kafka_cluster_alive(const KafkaOptions *opts, const char *topic)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not read the cluster's metadata", .topic = topic};
	KafkaMetadataJob *job = kafka_metadata_fetch(handle, topic);
	rd_kafka_resp_err_t err = job->err;
	List	   *ids = job->metadata ? alive_ids(job->metadata) : NIL;

	kafka_job_drop(&job->job);
	if (ids == NIL)
		kafka_error_throw(handle, err ? err : RD_KAFKA_RESP_ERR__FAIL, NULL, &place);
	return ids;
}

/* ------------------------------------------------------------------------
 * Partitions
 * ------------------------------------------------------------------------
 */
static bool
is_alive(const struct rd_kafka_metadata *metadata, int32 broker)
{
	for (int i = 0; i < metadata->broker_cnt; i++)
		if (metadata->brokers[i].id == broker)
			return true;
	return false;
}

static KafkaBrokerIds
copy_ids(const int32 *ids, int n)
{
	KafkaBrokerIds copy = {.n = n,.ids = palloc(sizeof(int32) * Max(n, 1))};

	if (n > 0)
		memcpy(copy.ids, ids, sizeof(int32) * n);
	return copy;
}

static void
fill_partition(KafkaPartition *partition, const struct rd_kafka_metadata *metadata,
			   const struct rd_kafka_metadata_partition *row)
{
	partition->leader = row->leader < 0 ? KAFKA_UNKNOWN : row->leader;
	partition->replicas = copy_ids(row->replicas, row->replica_cnt);
	partition->isr = copy_ids(row->isrs, row->isr_cnt);
	partition->offline = copy_ids(row->replicas, row->replica_cnt);
	partition->offline.n = 0;
	for (int i = 0; i < row->replica_cnt; i++)
		if (!is_alive(metadata, row->replicas[i]))
			partition->offline.ids[partition->offline.n++] = row->replicas[i];
}

int32
kafka_cluster_partitions(const KafkaOptions *opts, const char *topic, KafkaPartition **partitions)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not read the topic's metadata", .topic = topic};
	KafkaMetadataJob *job;
	rd_kafka_resp_err_t err;
	int32		n = 0;

	kafka_topic_check_name(topic);
	job = kafka_metadata_fetch(handle, topic);
	err = job->err;
	if (!err)
	{
		const struct rd_kafka_metadata_topic *row = &job->metadata->topics[0];

		n = row->partition_cnt;
		*partitions = palloc0(sizeof(KafkaPartition) * n);
		for (int i = 0; i < n; i++)
			(*partitions)[i].leader = KAFKA_UNKNOWN;
		for (int i = 0; i < n; i++)
			if (row->partitions[i].id >= 0 && row->partitions[i].id < n)
				fill_partition(&(*partitions)[row->partitions[i].id], job->metadata,
							   &row->partitions[i]);
	}
	kafka_job_drop(&job->job);
	if (err)
		kafka_error_throw(handle, err, NULL, &place);
	return n;
}

/* ------------------------------------------------------------------------
 * What every broker knows
 * ------------------------------------------------------------------------
 */
typedef struct Watch
{
	const KafkaOptions *opts;
	const char *topic;
	int32		partitions;
	List	   *changes;
	List	   *alive;			/* ids of brokers */
	List	   *counted;		/* those that know all partitions */
	List	   *configured;		/* those that show the configuration */
	int			timeout_ms;
	int			probe_ms;
} Watch;

/* One metadata request: who is alive, and what the broker that answered knows. */
static void
look_at_metadata(Watch *watch, KafkaHandle *handle)
{
	KafkaMetadataJob *job = kafka_metadata_fetch(handle, watch->topic);
	const struct rd_kafka_metadata *metadata = job->metadata;

	if (metadata)
	{
		watch->alive = alive_ids(metadata);
		if (!job->err && metadata->topics[0].partition_cnt >= watch->partitions)
			watch->counted = list_append_unique_int(watch->counted, metadata->orig_broker_id);
	}
	kafka_job_drop(&job->job);
}

/* The first broker that has not confirmed everything, or KAFKA_UNKNOWN. */
static int32
who_is_missing(const Watch *watch)
{
	ListCell   *lc;

	foreach(lc, watch->alive)
		if (!list_member_int(watch->counted, lfirst_int(lc)) ||
			!list_member_int(watch->configured, lfirst_int(lc)))
			return lfirst_int(lc);
	return KAFKA_UNKNOWN;
}

/* A request to each broker that has not confirmed everything. */
static void
probe_brokers(Watch *watch, KafkaWait *wait)
{
	KafkaConfigResource resource = {.type = KAFKA_CONFIG_TOPIC, .name = watch->topic};
	ListCell   *lc;

	foreach(lc, watch->alive)
	{
		int			left = watch->timeout_ms - kafka_wait_elapsed(wait);

		resource.broker = lfirst_int(lc);
		if (list_member_int(watch->counted, resource.broker) &&
			list_member_int(watch->configured, resource.broker))
			continue;
		if (kafka_config_shows(watch->opts, &resource, watch->changes,
							   Max(Min(left, watch->probe_ms), 100)))
			watch->configured = list_append_unique_int(watch->configured, resource.broker);
	}
	watch->probe_ms *= 2;
}

static KAFKA_NORETURN void
give_up(const Watch *watch)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("topic \"%s\" is as asked for, but not every broker knows it yet",
					watch->topic),
			 errdetail("Waited %d ms; broker %d has not confirmed.", watch->timeout_ms,
					   who_is_missing(watch)),
			 errhint("The limit is \"%s\".", KAFKA_REQUEST_LIMIT)));
}

void
kafka_cluster_await_topic(const KafkaOptions *opts, const char *topic, int32 partitions,
						  List *changes, int timeout_ms)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not wait for every broker", .topic = topic};
	Watch		watch = {.opts = opts, .topic = topic, .partitions = partitions,
	.changes = changes,.timeout_ms = timeout_ms,.probe_ms = FIRST_PROBE_MS};
	KafkaWait	wait;
	int			rounds = 0;

	kafka_wait_start(&wait, handle, &place, INT_MAX, KAFKA_REQUEST_LIMIT);
	for (;;)
	{
		look_at_metadata(&watch, handle);
		if (watch.alive != NIL && who_is_missing(&watch) == KAFKA_UNKNOWN)
			return;
		probe_brokers(&watch, &wait);
		if (who_is_missing(&watch) == KAFKA_UNKNOWN)
			continue;			/* who is alive now? */
		if (kafka_wait_elapsed(&wait) >= timeout_ms)
			give_up(&watch);
		if (++rounds > PROMPT_ROUNDS)
			kafka_wait_pause(&wait, 10);
		wait.handle = handle = kafka_handle_admin(opts);	/* an invalidation may have replaced it */
	}
}
