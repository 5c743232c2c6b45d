/*-------------------------------------------------------------------------
 *
 * config.c
 *	  Configurations of topics, brokers and groups.
 *
 * Layer 1.  librdkafka before 2.2 can only replace a configuration whole: what is not in the
 * request loses its value.  So everything that is set on the resource is read and sent again
 * with the changes.  Three things keep that from losing anything: sessions of this PostgreSQL
 * alter a resource one after the other, each returns only when every broker shows its changes, so
 * that no later one reads old news, and a sensitive value, which cannot be read, ends in an error.
 * What another program changes in between is lost; since 2.2 it is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "client/cluster.h"
#include "client/config.h"
#include "client/error.h"
#include "client/request.h"
#include "client/topic.h"
#include "client/topic_internal.h"
#include "client/wait.h"
#include "common/hashfn.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/settings.h"
#include "storage/lock.h"

/* Field 4 of our lock tags; PostgreSQL's advisory locks have 1 and 2 there. */
#define CONFIG_LOCK_CLASS 0x6b66

/* Kafka's number for "set on this group", which librdkafka has a word for since 2.10. */
#define SOURCE_GROUP 8

/* ------------------------------------------------------------------------
 * Resources
 * ------------------------------------------------------------------------
 */
static rd_kafka_ResourceType_t
resource_type(const KafkaConfigResource *resource)
{
	switch (resource->type)
	{
		case KAFKA_CONFIG_TOPIC:
			return RD_KAFKA_RESOURCE_TOPIC;
		case KAFKA_CONFIG_BROKER:
			return RD_KAFKA_RESOURCE_BROKER;
		case KAFKA_CONFIG_GROUP:
			break;
	}
	return RD_KAFKA_RESOURCE_GROUP;
}

static int
own_source(const KafkaConfigResource *resource)
{
	switch (resource->type)
	{
		case KAFKA_CONFIG_TOPIC:
			return RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
		case KAFKA_CONFIG_BROKER:
			return RD_KAFKA_CONFIG_SOURCE_DYNAMIC_BROKER_CONFIG;
		case KAFKA_CONFIG_GROUP:
			break;
	}
	return SOURCE_GROUP;
}

static KafkaPlace
make_place(const KafkaConfigResource *resource, const char *doing)
{
	KafkaPlace	place = {.doing = doing};

	if (resource->type == KAFKA_CONFIG_TOPIC)
		place.topic = resource->name;
	return place;
}

static void
check_broker(const KafkaOptions *opts, const char *name)
{
	KafkaCluster *cluster;

	if (name[0] && strlen(name) < 10 && strspn(name, "0123456789") == strlen(name))
	{
		cluster = kafka_cluster_read(opts);
		for (int i = 0; i < cluster->nbrokers; i++)
			if (cluster->brokers[i].id == atoi(name))
				return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the cluster has no broker \"%s\"", name),
			 errhint("The name is a broker's id: list them with kafka.describe_cluster.")));
}

static void
check_resource(const KafkaOptions *opts, const KafkaConfigResource *resource)
{
	if (resource->type == KAFKA_CONFIG_TOPIC)
		kafka_topic_check_name(resource->name);
	else if (resource->type == KAFKA_CONFIG_BROKER)
		check_broker(opts, resource->name);
#ifndef KAFKA_RD_GROUP_CONFIG
	else
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("configurations of groups need librdkafka 2.10 or later")));
#endif
	if (resource->name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"name\" must not be empty")));
}

/* ------------------------------------------------------------------------
 * Describing
 * ------------------------------------------------------------------------
 */
static int
compare_entries(const ListCell *a, const ListCell *b)
{
	return strcmp(((KafkaConfigEntry *) lfirst(a))->name, ((KafkaConfigEntry *) lfirst(b))->name);
}

static char *
copy_value(const rd_kafka_ConfigEntry_t *row)
{
	return rd_kafka_ConfigEntry_value(row) ? pstrdup(rd_kafka_ConfigEntry_value(row)) : NULL;
}

static KafkaConfigEntry *
copy_entry(const rd_kafka_ConfigEntry_t *row, int own)
{
	KafkaConfigEntry *entry = palloc0(sizeof(KafkaConfigEntry));
	size_t		count;
	const rd_kafka_ConfigEntry_t **synonyms = rd_kafka_ConfigEntry_synonyms(row, &count);

	entry->name = pstrdup(rd_kafka_ConfigEntry_name(row));
	entry->is_sensitive = rd_kafka_ConfigEntry_is_sensitive(row) == 1;
	entry->value = entry->is_sensitive ? NULL : copy_value(row);
	entry->source = rd_kafka_ConfigSource_name(rd_kafka_ConfigEntry_source(row));
	entry->is_own = (int) rd_kafka_ConfigEntry_source(row) == own;
	entry->is_default = rd_kafka_ConfigEntry_is_default(row) == 1;
	entry->is_read_only = rd_kafka_ConfigEntry_is_read_only(row) == 1;
	entry->nsynonyms = (int) count;
	entry->synonyms = palloc0(sizeof(KafkaConfigSynonym) * Max(count, 1));
	for (size_t i = 0; i < count; i++)
	{
		entry->synonyms[i].name = pstrdup(rd_kafka_ConfigEntry_name(synonyms[i]));
		entry->synonyms[i].value = entry->is_sensitive ? NULL : copy_value(synonyms[i]);
		entry->synonyms[i].source =
			rd_kafka_ConfigSource_name(rd_kafka_ConfigEntry_source(synonyms[i]));
	}
	return entry;
}

static void
begin_describe(KafkaRequest *request, const KafkaOptions *opts,
			   const KafkaConfigResource *resource, int timeout_ms)
{
	KafkaPlace	place = make_place(resource, "could not read the configuration");
	rd_kafka_ConfigResource_t *config;
	char		text[KAFKA_TEXT_SIZE];

	kafka_request_begin(request, opts, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, &place, timeout_ms);
	if (resource->broker != KAFKA_UNKNOWN)
		rd_kafka_AdminOptions_set_broker(request->options, resource->broker, text, sizeof(text));
	config = rd_kafka_ConfigResource_new(resource_type(resource), resource->name);
	rd_kafka_DescribeConfigs(request->handle->rk, &config, 1, request->options, request->queue);
	rd_kafka_ConfigResource_destroy(config);
}

/* The one resource of an answer. */
static const rd_kafka_ConfigResource_t *
described_resource(rd_kafka_event_t *event, rd_kafka_resp_err_t *err)
{
	size_t		count;
	const rd_kafka_ConfigResource_t **resources =
		rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event),
												  &count);

	*err = count == 1 ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__FAIL;
	return count == 1 ? resources[0] : NULL;
}

static List *
copy_entries(const rd_kafka_ConfigResource_t *config, int own)
{
	size_t		count;
	const rd_kafka_ConfigEntry_t **rows = rd_kafka_ConfigResource_configs(config, &count);
	List	   *entries = NIL;

	for (size_t i = 0; i < count; i++)
		entries = lappend(entries, copy_entry(rows[i], own));
	list_sort(entries, compare_entries);
	return entries;
}

/* Frees the event, and raises what went wrong with the one resource. */
static void
check_result(KafkaRequest *request, rd_kafka_event_t *event,
			 const rd_kafka_ConfigResource_t *config, rd_kafka_resp_err_t err)
{
	char		text[KAFKA_TEXT_SIZE] = "";

	if (err && config)
		strlcpy(text, rd_kafka_ConfigResource_error_string(config), sizeof(text));
	rd_kafka_event_destroy(event);
	if (err)
		kafka_error_throw(request->handle, err, text, &request->place);
}

List *
kafka_config_describe(const KafkaOptions *opts, const KafkaConfigResource *resource)
{
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_ConfigResource_t *config;
	rd_kafka_resp_err_t err;
	List	   *entries = NIL;

	check_resource(opts, resource);
	begin_describe(&request, opts, resource, kafka_setting_connect_timeout);
	event = kafka_request_await(&request);
	config = described_resource(event, &err);
	if (!err)
		entries = copy_entries(config, own_source(resource));
	check_result(&request, event, config, err);
	return entries;
}

KafkaConfigEntry *
kafka_config_find(List *entries, const char *name)
{
	ListCell   *lc;

	foreach(lc, entries)
		if (strcmp(((KafkaConfigEntry *) lfirst(lc))->name, name) == 0)
			return (KafkaConfigEntry *) lfirst(lc);
	return NULL;
}

/* ------------------------------------------------------------------------
 * Comparing.  Kafka shows what it understood: without spaces, numbers without leading zeros.
 * ------------------------------------------------------------------------
 */
static char *
squeeze(const char *value)
{
	char	   *result = palloc(strlen(value) + 1);
	char	   *end = result;

	for (; *value; value++)
		if (!isspace((unsigned char) *value))
			*end++ = pg_ascii_tolower((unsigned char) *value);
	*end = '\0';
	return result;
}

static bool
is_number(const char *value, double *number)
{
	char	   *end;

	*number = strtod(value, &end);
	return end != value && *end == '\0' && !isnan(*number);
}

bool
kafka_config_has_value(const KafkaConfigEntry *entry, const char *value)
{
	char	   *left;
	char	   *right;
	double		number;
	double		other;

	if (entry == NULL || entry->value == NULL)
		return false;
	if (strcmp(entry->value, value) == 0)
		return true;
	left = squeeze(entry->value);
	right = squeeze(value);
	/* beyond 2^53 two numbers may differ and look the same */
	return strcmp(left, right) == 0 ||
		(is_number(left, &number) && is_number(right, &other) && number == other &&
		 fabs(number) < 9007199254740992.0);
}

static bool
shows_change(List *entries, const KafkaConfigChange *change)
{
	KafkaConfigEntry *entry = kafka_config_find(entries, change->name);

	if (change->value == NULL)
		return entry == NULL || !entry->is_own;
	return entry && entry->is_own &&
		(entry->is_sensitive || kafka_config_has_value(entry, change->value));
}

bool
kafka_config_shows(const KafkaOptions *opts, const KafkaConfigResource *resource, List *changes,
				   int timeout_ms)
{
	KafkaRequest request;
	rd_kafka_event_t *event;
	const rd_kafka_ConfigResource_t *config;
	rd_kafka_resp_err_t err;
	char		text[KAFKA_TEXT_SIZE];
	List	   *entries = NIL;
	ListCell   *lc;

	begin_describe(&request, opts, resource, timeout_ms);
	event = kafka_request_try(&request, &err, text, sizeof(text));
	if (event == NULL)
		return false;
	config = described_resource(event, &err);
	if (!err)
		entries = copy_entries(config, own_source(resource));
	rd_kafka_event_destroy(event);
	/* who may not read it is told by the others that nothing is missing */
	if (err)
		return changes == NIL && err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
	foreach(lc, changes)
		if (!shows_change(entries, (KafkaConfigChange *) lfirst(lc)))
			return false;
	return true;
}

/* ------------------------------------------------------------------------
 * Altering
 * ------------------------------------------------------------------------
 */
#ifdef KAFKA_RD_INCREMENTAL_CONFIG

static void
add_changes(rd_kafka_ConfigResource_t *config, List *before, List *changes)
{
	ListCell   *lc;

	foreach(lc, changes)
	{
		KafkaConfigChange *change = (KafkaConfigChange *) lfirst(lc);
		rd_kafka_error_t *error =
			rd_kafka_ConfigResource_add_incremental_config(config, change->name,
														   change->value ?
														   RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET :
														   RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE,
														   change->value);

		if (error)
			rd_kafka_error_destroy(error);	/* an empty name: Kafka will say so */
	}
}

#define ALTER_OP RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS
#define ALTER_CALL rd_kafka_IncrementalAlterConfigs
#define ALTER_RESOURCES(event, count) \
	rd_kafka_IncrementalAlterConfigs_result_resources( \
		rd_kafka_event_IncrementalAlterConfigs_result(event), count)

#else

static KafkaConfigChange *
find_change(List *changes, const char *name)
{
	ListCell   *lc;

	foreach(lc, changes)
		if (strcmp(((KafkaConfigChange *) lfirst(lc))->name, name) == 0)
			return (KafkaConfigChange *) lfirst(lc);
	return NULL;
}

/* Everything that is set and stays, and what is set now. */
static void
add_changes(rd_kafka_ConfigResource_t *config, List *before, List *changes)
{
	ListCell   *lc;

	foreach(lc, before)
	{
		KafkaConfigEntry *entry = (KafkaConfigEntry *) lfirst(lc);

		if (entry->is_own && find_change(changes, entry->name) == NULL)
			rd_kafka_ConfigResource_set_config(config, entry->name, entry->value);
	}
	foreach(lc, changes)
	{
		KafkaConfigChange *change = (KafkaConfigChange *) lfirst(lc);

		if (change->value)
			rd_kafka_ConfigResource_set_config(config, change->name, change->value);
	}
}

#define ALTER_OP RD_KAFKA_ADMIN_OP_ALTERCONFIGS
#define ALTER_CALL rd_kafka_AlterConfigs
#define ALTER_RESOURCES(event, count) \
	rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), count)

#endif

/* A value that is set and cannot be read would be lost where everything is sent again. */
static void
refuse_unreadable(List *before, List *changes)
{
#ifndef KAFKA_RD_INCREMENTAL_CONFIG
	ListCell   *lc;

	foreach(lc, before)
	{
		KafkaConfigEntry *entry = (KafkaConfigEntry *) lfirst(lc);

		if (entry->is_own && entry->value == NULL && find_change(changes, entry->name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot alter this configuration without losing \"%s\"", entry->name),
					 errdetail("Its value is set and cannot be read, and librdkafka before 2.2 "
							   "can only replace a configuration whole."),
					 errhint("Set that property in the same call, or use Kafka's own tool "
							 "kafka-configs.")));
	}
#endif
}

/* Names that were never set can be reset in one version of Kafka and not in another. */
static void
check_changes(List *before, List *changes)
{
	ListCell   *lc;

	foreach(lc, changes)
	{
		KafkaConfigChange *change = (KafkaConfigChange *) lfirst(lc);

		if (change->value == NULL && kafka_config_find(before, change->name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("there is no property \"%s\" to reset", change->name),
					 errhint("List properties with kafka.describe_config.")));
	}
	refuse_unreadable(before, changes);
}

static void
request_alter(const KafkaOptions *opts, const KafkaConfigResource *resource, List *before,
			  List *changes, bool validate_only)
{
	KafkaPlace	place = make_place(resource, "could not alter the configuration");
	KafkaRequest request;
	rd_kafka_ConfigResource_t *config;
	rd_kafka_event_t *event;
	const rd_kafka_ConfigResource_t **resources;
	size_t		count;
	char		text[KAFKA_TEXT_SIZE];

	kafka_request_begin(&request, opts, ALTER_OP, &place, kafka_setting_connect_timeout);
	if (validate_only)
		rd_kafka_AdminOptions_set_validate_only(request.options, 1, text, sizeof(text));
	config = rd_kafka_ConfigResource_new(resource_type(resource), resource->name);
	add_changes(config, before, changes);
	ALTER_CALL(request.handle->rk, &config, 1, request.options, request.queue);
	rd_kafka_ConfigResource_destroy(config);
	event = kafka_request_await(&request);
	resources = ALTER_RESOURCES(event, &count);
	check_result(&request, event, count == 1 ? resources[0] : NULL,
				 count == 1 ? rd_kafka_ConfigResource_error(resources[0]) :
				 RD_KAFKA_RESP_ERR__FAIL);
}

void
kafka_config_alter(const KafkaOptions *opts, const KafkaConfigResource *resource, List *before,
				   List *changes, bool validate_only)
{
	check_changes(before, changes);
	if (changes != NIL)
		request_alter(opts, resource, before, changes, validate_only);
}

/* The brokers that have to show a change: the one it is about, else all. */
static List *
watching_brokers(const KafkaOptions *opts, const KafkaConfigResource *resource)
{
	if (resource->type == KAFKA_CONFIG_BROKER)
		return list_make1_int(atoi(resource->name));
	return kafka_cluster_alive(opts, resource->type == KAFKA_CONFIG_TOPIC ? resource->name : NULL);
}

void
kafka_config_await(const KafkaOptions *opts, const KafkaConfigResource *resource, List *changes)
{
	KafkaPlace	place = make_place(resource, "could not see the altered configuration");
	KafkaConfigResource asked = *resource;
	KafkaWait	wait;
	List	   *brokers = watching_brokers(opts, resource);
	int			patience = 1000;

	kafka_wait_start(&wait, kafka_handle_admin(opts), &place, INT_MAX, KAFKA_REQUEST_LIMIT);
	while (brokers != NIL)
	{
		int			left = kafka_setting_connect_timeout - kafka_wait_elapsed(&wait);

		asked.broker = linitial_int(brokers);
		if (kafka_config_shows(opts, &asked, changes, Max(Min(left, patience), 100)))
		{
			brokers = list_delete_first(brokers);
			continue;
		}
		if (left <= 0)
		{
			ereport(WARNING,
					(errmsg("the configuration is altered, but not every broker shows it yet"),
					 errdetail("Waited %d ms; broker %d has not confirmed.",
							   kafka_setting_connect_timeout, asked.broker)));
			return;
		}
		patience *= 2;
		wait.handle = kafka_handle_admin(opts);
		kafka_wait_pause(&wait, 10);
		/* one that died is not waited for */
		if (!list_member_int(watching_brokers(opts, resource), asked.broker))
			brokers = list_delete_first(brokers);
	}
}

/* ------------------------------------------------------------------------
 * One at a time
 * ------------------------------------------------------------------------
 */
static LOCKTAG
make_tag(const KafkaConfigResource *resource)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) resource->name,
										   (int) strlen(resource->name), resource->type);
	LOCKTAG		tag;

	/* of no database: they may all have a server for the same cluster */
	SET_LOCKTAG_ADVISORY(tag, InvalidOid, (uint32) (hash >> 32), (uint32) hash,
						 CONFIG_LOCK_CLASS);
	return tag;
}

void
kafka_config_lock(const KafkaConfigResource *resource)
{
	LOCKTAG		tag = make_tag(resource);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
kafka_config_unlock(const KafkaConfigResource *resource)
{
	LOCKTAG		tag = make_tag(resource);

	(void) LockRelease(&tag, ExclusiveLock, false);
}
