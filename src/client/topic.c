/*-------------------------------------------------------------------------
 *
 * topic.c
 *	  Topics of a cluster: which there are, their partitions, what is remembered of them.
 *
 * Layer 1.  Offsets are in offsets.c.  All questions go through the session's metadata handle, which is a consumer
 * without a group: it never creates a topic by asking, and its requests never queue
 * behind a fetch.  Each question is one blocking call of librdkafka in a helper thread
 * (wait.h); errors that pass are tried again until kafka_fdw.connect_timeout.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/handle_internal.h"
#include "client/metadata.h"
#include "client/topic.h"
#include "client/topic_internal.h"
#include "ground/compat.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How long the number of partitions of a topic is believed without asking again. */
#define METADATA_TTL_MS 5000

/* ------------------------------------------------------------------------
 * Partition counts, remembered for a few seconds
 * ------------------------------------------------------------------------
 */
typedef struct TopicKey
{
	Oid			serverid;
	Oid			userid;
	char		topic[256];		/* Kafka's limit is 249 */
} TopicKey;

typedef struct TopicEntry
{
	TopicKey	key;
	int32		npartitions;
	TimestampTz asked;
	KafkaBounds bounds;			/* of the last scan; npartitions 0: there was none */
} TopicEntry;

static HTAB *topic_cache;

/* Counts the times that something about topics turned out to have changed. */
static uint32 generation;

static HTAB *
get_topic_cache(void)
{
	if (topic_cache == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(TopicKey), .entrysize = sizeof(TopicEntry)};

		topic_cache = hash_create("kafka_fdw topics", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	return topic_cache;
}

KafkaBounds
kafka_bounds_copy(const KafkaBounds *bounds)
{
	size_t		size = sizeof(int64) * bounds->npartitions;
	KafkaBounds copy = {.npartitions = bounds->npartitions};

	copy.lows = memcpy(palloc(size), bounds->lows, size);
	copy.ends = memcpy(palloc(size), bounds->ends, size);
	return copy;
}

static void
forget_bounds(TopicEntry *entry)
{
	if (entry->bounds.npartitions > 0)
	{
		pfree(entry->bounds.lows);
		pfree(entry->bounds.ends);
	}
	entry->bounds.npartitions = 0;
}

static void
forget_topics(void)
{
	HASH_SEQ_STATUS status;
	TopicEntry *entry;

	if (topic_cache == NULL)
		return;
	hash_seq_init(&status, topic_cache);
	while ((entry = hash_seq_search(&status)) != NULL)
		forget_bounds(entry);
	hash_destroy(topic_cache);
	topic_cache = NULL;
}

void
kafka_topic_forget(void)
{
	forget_topics();
	generation++;
	kafka_handle_topics_changed();
}

void
kafka_topic_check_name(const char *topic)
{
	size_t		len = strlen(topic);

	if (len >= 1 && len <= 249 && strcmp(topic, ".") != 0 && strcmp(topic, "..") != 0 &&
		strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid topic name \"%s\"", topic),
			 errhint("A topic name has up to 249 letters, digits, dots, underscores and "
					 "hyphens.")));
}

void
kafka_topic_check_sendable(const char *topic)
{
	kafka_topic_check_name(topic);
	if (strncmp(topic, KAFKA_POSITION_TOPIC_PREFIX, strlen(KAFKA_POSITION_TOPIC_PREFIX)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("topic \"%s\" is the extension's own", topic),
				 errdetail("Topics with the prefix \"%s\" keep the positions of outboxes.",
						   KAFKA_POSITION_TOPIC_PREFIX)));
}

void
kafka_topic_refresh(KafkaHandle *handle, const char *topic)
{
	KafkaPlace	place = {.doing = "could not read the topic's metadata", .topic = topic};
	KafkaMetadataJob *self = kafka_metadata_fetch(handle, topic);
	rd_kafka_resp_err_t err = self->err;

	kafka_job_drop(&self->job);
	if (err)
		kafka_error_throw(handle, err, NULL, &place);
}

void
kafka_topic_introduce(KafkaHandle *handle, const char *topic)
{
	MemoryContext old;
	ListCell   *lc;

	if (handle->topics_generation != generation)
	{
		list_free_deep(handle->topics);
		handle->topics = NIL;
		handle->topics_generation = generation;
	}
	foreach(lc, handle->topics)
		if (strcmp((char *) lfirst(lc), topic) == 0)
			return;
	kafka_topic_refresh(handle, topic);
	old = MemoryContextSwitchTo(handle->context);
	handle->topics = lappend(handle->topics, pstrdup(topic));
	MemoryContextSwitchTo(old);
}

static int32
ask_partitions(const KafkaOptions *opts, const char *topic, bool missing_ok)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not read the topic's metadata", .topic = topic};
	KafkaMetadataJob *self = kafka_metadata_fetch(handle, topic);
	rd_kafka_resp_err_t err = self->err;
	int32		npartitions = -1;

	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		npartitions = self->metadata->topics[0].partition_cnt;
	kafka_job_drop(&self->job);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return npartitions;
	if (missing_ok && (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
					   err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC))
		return -1;
	kafka_error_throw(handle, err, NULL, &place);
}

static void
make_key(TopicKey *key, const KafkaOptions *opts, const char *topic)
{
	memset(key, 0, sizeof(*key));
	key->serverid = opts->serverid;
	key->userid = opts->userid;
	strlcpy(key->topic, topic, sizeof(key->topic));
}

static TopicEntry *
find_topic(const KafkaOptions *opts, const char *topic)
{
	TopicKey	key;

	make_key(&key, opts, topic);
	return hash_search(get_topic_cache(), &key, HASH_FIND, NULL);
}

static TopicEntry *
remember_partitions(const KafkaOptions *opts, const char *topic, int32 npartitions)
{
	TopicKey	key;
	TopicEntry *entry;
	bool		found;

	make_key(&key, opts, topic);
	entry = hash_search(get_topic_cache(), &key, HASH_ENTER, &found);
	if (!found)
		entry->bounds.npartitions = 0;
	else if (entry->npartitions != npartitions)
	{
		generation++;
		kafka_handle_topics_changed();
	}
	entry->npartitions = npartitions;
	entry->asked = GetCurrentTimestamp();
	return entry;
}

int32
kafka_topic_partitions(const KafkaOptions *opts, const char *topic, bool missing_ok, bool cached)
{
	TopicEntry *entry;
	int32		npartitions;

	kafka_topic_check_name(topic);
	entry = find_topic(opts, topic);
	if (cached && entry &&
		!TimestampDifferenceExceeds(entry->asked, GetCurrentTimestamp(), METADATA_TTL_MS))
		return entry->npartitions;
	npartitions = ask_partitions(opts, topic, missing_ok);
	if (npartitions < 0)
		kafka_topic_forget();
	else
		(void) remember_partitions(opts, topic, npartitions);
	return npartitions;
}

int32
kafka_topic_remembered_partitions(const KafkaOptions *opts, const char *topic)
{
	TopicEntry *entry = find_topic(opts, topic);

	return entry ? entry->npartitions : 0;
}

void
kafka_topic_remember_bounds(const KafkaOptions *opts, const char *topic,
							const KafkaBounds *bounds)
{
	TopicEntry *entry = remember_partitions(opts, topic, bounds->npartitions);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	forget_bounds(entry);
	entry->bounds = kafka_bounds_copy(bounds);
	MemoryContextSwitchTo(old);
}

bool
kafka_topic_remembered_bounds(const KafkaOptions *opts, const char *topic, KafkaBounds *bounds)
{
	TopicEntry *entry = find_topic(opts, topic);

	if (entry == NULL || entry->bounds.npartitions == 0)
		return false;
	*bounds = kafka_bounds_copy(&entry->bounds);
	return true;
}

KafkaHandle *
kafka_topic_start_over(const KafkaOptions *opts)
{
	generation++;
	kafka_handle_mark_stale();
	return kafka_handle_admin(opts);
}

/* ------------------------------------------------------------------------
 * Lists
 * ------------------------------------------------------------------------
 */
bool
kafka_topic_is_internal(const char *topic)
{
	return strncmp(topic, "__", 2) == 0;
}

static int
compare_topics(const ListCell *a, const ListCell *b)
{
	return strcmp(((KafkaTopic *) lfirst(a))->name, ((KafkaTopic *) lfirst(b))->name);
}

List *
kafka_topic_list(const KafkaOptions *opts)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not list topics"};
	KafkaMetadataJob *self = kafka_metadata_fetch(handle, NULL);
	rd_kafka_resp_err_t err = self->err;
	List	   *result = NIL;

	for (int i = 0; !err && i < self->metadata->topic_cnt; i++)
	{
		const struct rd_kafka_metadata_topic *row = &self->metadata->topics[i];
		KafkaTopic *topic = palloc(sizeof(KafkaTopic));

		topic->name = pstrdup(row->topic);
		topic->npartitions = row->partition_cnt;
		topic->replication_factor = row->partition_cnt ? row->partitions[0].replica_cnt : 0;
		result = lappend(result, topic);
	}
	kafka_job_drop(&self->job);
	if (err)
		kafka_error_throw(handle, err, NULL, &place);
	list_sort(result, compare_topics);
	return result;
}

char *
kafka_cluster_describe(const KafkaOptions *opts)
{
	KafkaHandle *handle = kafka_handle_admin(opts);
	KafkaPlace	place = {.doing = "could not read the cluster's metadata"};
	KafkaMetadataJob *self = kafka_metadata_fetch(handle, NULL);
	rd_kafka_resp_err_t err = self->err;
	char	   *result = NULL;

	if (!err)
		result = psprintf("%d broker%s, %d topics, librdkafka %s",
						  self->metadata->broker_cnt,
						  self->metadata->broker_cnt == 1 ? "" : "s",
						  self->metadata->topic_cnt, rd_kafka_version_str());
	kafka_job_drop(&self->job);
	if (err)
		kafka_error_throw(handle, err, NULL, &place);
	return result;
}
