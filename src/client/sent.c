/*-------------------------------------------------------------------------
 *
 * sent.c
 *	  What this session has sent: so that it reads its own writes.
 *
 * Layer 1.  See sent.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/sent.h"
#include "ground/message.h"
#include "utils/hsearch.h"

typedef struct SentKey
{
	Oid			serverid;
	int32		partition;
	char		topic[256];
} SentKey;

typedef struct SentEntry
{
	SentKey		key;
	int64		offset;
} SentEntry;

static HTAB *sent;

static SentEntry *
find_entry(Oid serverid, const char *topic, int32 partition, HASHACTION action)
{
	SentKey		key;
	bool		found;
	SentEntry  *entry;

	if (sent == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(SentKey), .entrysize = sizeof(SentEntry)};

		if (action != HASH_ENTER)
			return NULL;
		sent = hash_create("kafka_fdw sent offsets", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	memset(&key, 0, sizeof(key));
	key.serverid = serverid;
	key.partition = partition;
	strlcpy(key.topic, topic, sizeof(key.topic));
	entry = hash_search(sent, &key, action, &found);
	if (action == HASH_ENTER && !found)
		entry->offset = KAFKA_UNKNOWN;
	return entry;
}

void
kafka_sent_note(Oid serverid, const char *topic, int32 partition, int64 offset)
{
	SentEntry  *entry = find_entry(serverid, topic, partition, HASH_ENTER);

	entry->offset = Max(entry->offset, offset);
}

int64
kafka_sent_offset(Oid serverid, const char *topic, int32 partition)
{
	SentEntry  *entry = find_entry(serverid, topic, partition, HASH_FIND);

	return entry ? entry->offset : KAFKA_UNKNOWN;
}

void
kafka_sent_forget(Oid serverid, const char *topic, int32 partition)
{
	(void) find_entry(serverid, topic, partition, HASH_REMOVE);
}

void
kafka_sent_forget_topic(Oid serverid, const char *topic)
{
	HASH_SEQ_STATUS status;
	SentEntry  *entry;

	if (sent == NULL)
		return;
	hash_seq_init(&status, sent);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->key.serverid == serverid && strcmp(entry->key.topic, topic) == 0)
			hash_search(sent, &entry->key, HASH_REMOVE, NULL);
}

void
kafka_sent_forget_all(void)
{
	if (sent)
		hash_destroy(sent);
	sent = NULL;
}

bool
kafka_sent_is_empty(void)
{
	return sent == NULL || hash_get_num_entries(sent) == 0;
}
