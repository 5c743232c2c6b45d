/*-------------------------------------------------------------------------
 *
 * ends.c
 *	  The ends of topics, pinned: all scans of a statement agree about them.
 *
 * Layer 3.  An end is the last stable offset (the high watermark under
 * isolation_level 'read_uncommitted').  A pin hangs on the executor state of the
 * statement, or on the transaction where that has one snapshot throughout, and goes with
 * its memory.
 *
 * A session sees what it has sent and committed itself: the last stable offset can lag
 * some milliseconds behind such a commit, so the pin waits for it to pass what the session
 * was told (client/sent.h).  Somebody else's open transaction can hold it back for
 * longer; then the wait ends after OWN_SENDS_MS, once, and the scan ends there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/property.h"
#include "client/sent.h"
#include "client/topic.h"
#include "fdw/ends.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "lib/ilist.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

/* Longest wait for one's own messages to become visible. */
#define OWN_SENDS_MS 1000

typedef struct Pin
{
	dlist_node	node;
	EState	   *estate;			/* NULL: of the transaction */
	Oid			serverid;
	Oid			userid;
	bool		uncommitted;
	char	   *topic;
	KafkaEnds	ends;
	MemoryContextCallback callback;
} Pin;

static dlist_head pins = DLIST_STATIC_INIT(pins);

static void
remove_pin(void *arg)
{
	dlist_delete(&((Pin *) arg)->node);
}

static bool
reads_uncommitted(const KafkaOptions *opts)
{
	ListCell   *lc;
	bool		result = false;

	foreach(lc, opts->properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);
		const char *name = kafka_property_name(property->name);

		if (name && strcmp(name, "isolation.level") == 0)
			result = strcmp(property->value, "read_uncommitted") == 0;
	}
	return result;
}

static Pin *
find_pin(EState *estate, const KafkaOptions *opts, bool uncommitted)
{
	dlist_iter	iter;

	dlist_foreach(iter, &pins)
	{
		Pin		   *pin = dlist_container(Pin, node, iter.cur);

		if (pin->estate == estate && pin->serverid == opts->serverid &&
			pin->userid == opts->userid && pin->uncommitted == uncommitted &&
			strcmp(pin->topic, opts->topic) == 0)
			return pin;
	}
	return NULL;
}

/* True if the broker shows everything that this session has sent. */
static bool
shows_own_sends(const KafkaOptions *opts, const KafkaEnds *ends)
{
	bool		result = true;

	for (int32 p = 0; p < ends->npartitions; p++)
	{
		int64		sent = kafka_sent_offset(opts->serverid, opts->topic, p);

		if (sent == KAFKA_UNKNOWN)
			continue;
		if (ends->ends[p] <= sent)
			result = false;
		else
			kafka_sent_forget(opts->serverid, opts->topic, p);
	}
	return result;
}

static void
ask_ends(const KafkaOptions *opts, KafkaEnds *ends)
{
	int32	   *partitions = palloc(sizeof(int32) * ends->npartitions);
	instr_time	begin;
	instr_time	now;

	for (int32 p = 0; p < ends->npartitions; p++)
		partitions[p] = p;
	INSTR_TIME_SET_CURRENT(begin);
	for (;;)
	{
		kafka_topic_offsets(opts, opts->topic, KAFKA_OFFSET_END, partitions,
							ends->npartitions, ends->ends);
		if (kafka_sent_is_empty() || shows_own_sends(opts, ends))
			break;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, begin);
		if (INSTR_TIME_GET_MILLISEC(now) > OWN_SENDS_MS)
		{
			kafka_sent_forget_topic(opts->serverid, opts->topic);
			break;
		}
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	pfree(partitions);
}

static Pin *
make_pin(EState *estate, const KafkaOptions *opts, bool uncommitted)
{
	MemoryContext context = estate ? estate->es_query_cxt : TopTransactionContext;
	MemoryContext old = MemoryContextSwitchTo(context);
	Pin		   *pin = palloc0(sizeof(Pin));

	pin->estate = estate;
	pin->serverid = opts->serverid;
	pin->userid = opts->userid;
	pin->uncommitted = uncommitted;
	pin->topic = pstrdup(opts->topic);
	pin->ends.npartitions = kafka_topic_partitions(opts, opts->topic, false, false);
	pin->ends.ends = palloc(sizeof(int64) * pin->ends.npartitions);
	ask_ends(opts, &pin->ends);
	dlist_push_head(&pins, &pin->node);
	pin->callback.func = remove_pin;
	pin->callback.arg = pin;
	MemoryContextRegisterResetCallback(context, &pin->callback);
	MemoryContextSwitchTo(old);
	return pin;
}

const KafkaEnds *
kafka_ends_pinned(EState *estate, const KafkaOptions *opts)
{
	EState	   *key = IsolationUsesXactSnapshot() ? NULL : estate;
	bool		uncommitted = reads_uncommitted(opts);
	Pin		   *pin = find_pin(key, opts, uncommitted);

	if (pin == NULL)
		pin = make_pin(key, opts, uncommitted);
	return &pin->ends;
}
