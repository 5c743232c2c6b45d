/*-------------------------------------------------------------------------
 *
 * ends.c
 *	  The ends of topics, pinned: all scans under one snapshot agree about them.
 *
 * Layer 3.  An end is the last stable offset (the high watermark under
 * isolation_level 'read_uncommitted').  The beginning is pinned with it, so that what is
 * removed later is noticed.
 *
 * The key is the snapshot, whoever reads under it (a view's owner too): a self-join, a CTE, an
 * InitPlan, a rescan, a cursor and a STABLE function share their statement's.  Neither its
 * address nor its contents would do alone: in
 * a loop of PL/pgSQL the snapshots of successive statements have both the same.  So a pin
 * holds a registration of its own on the snapshot, which keeps the address taken, and goes
 * when nobody else uses the snapshot any longer; that is looked for whenever a pin is wanted,
 * when an executor ends, when a portal is dropped (until then INSERT ... SELECT, COPY and DO
 * use it), and at the ends of transactions and subtransactions.  So an idle
 * transaction does not hold back vacuum because it has read a topic.  Under REPEATABLE READ
 * and SERIALIZABLE the transaction has one snapshot throughout, and pins are the
 * transaction's.
 *
 * A session sees what it has sent and committed itself: the last stable offset can lag
 * some milliseconds behind such a commit, so the pin waits for it to pass what the session
 * was told (client/sent.h).  Somebody else's open transaction can hold it back for
 * longer; then the wait ends after a second, once, and the scan ends there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/property.h"
#include "client/sent.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "fdw/ends.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "lib/ilist.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

typedef struct Pin
{
	dlist_node	node;
	Snapshot	snapshot;		/* registered by us; NULL: of the transaction */
	Oid			serverid;
	uint32		cluster;		/* hash of the server's options */
	bool		uncommitted;
	char	   *topic;
	KafkaBounds bounds;
	MemoryContext context;		/* holds all this */
} Pin;

static dlist_head pins = DLIST_STATIC_INIT(pins);

static ExecutorEnd_hook_type previous_executor_end;

/* ------------------------------------------------------------------------
 * Dropping
 * ------------------------------------------------------------------------
 */
static void
drop_pin(Pin *pin)
{
	dlist_delete(&pin->node);
	if (pin->snapshot)
		UnregisterSnapshotFromOwner(pin->snapshot, TopTransactionResourceOwner);
	MemoryContextDelete(pin->context);
}

static void
drop_all(void)
{
	while (!dlist_is_empty(&pins))
		drop_pin(dlist_head_element(Pin, node, &pins));
}

static int
pins_on(Snapshot snapshot)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, &pins)
		if (dlist_container(Pin, node, iter.cur)->snapshot == snapshot)
			count++;
	return count;
}

/* Drops pins whose snapshot nobody uses but we, and an executor that is just ending. */
static void
drop_unused(Snapshot ending)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &pins)
	{
		Pin		   *pin = dlist_container(Pin, node, iter.cur);
		uint32		ours;

		if (pin->snapshot == NULL)
			continue;
		ours = pins_on(pin->snapshot) + (pin->snapshot == ending ? 1 : 0);
		if (pin->snapshot->active_count == 0 && pin->snapshot->regd_count <= ours)
			drop_pin(pin);
	}
}

static void
on_executor_end(QueryDesc *query)
{
	Snapshot	snapshot = query->snapshot;

	if (previous_executor_end)
		previous_executor_end(query);
	else
		standard_ExecutorEnd(query);
	if (!dlist_is_empty(&pins))
		drop_unused(snapshot);
}

static void
on_transaction(XactEvent event, void *arg)
{
	drop_all();
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	/* at an abort the failed executor still holds its snapshot; ROLLBACK TO starts anew */
	if (!dlist_is_empty(&pins) &&
		(event == SUBXACT_EVENT_START_SUB || event == SUBXACT_EVENT_COMMIT_SUB))
		drop_unused(NULL);
}

/* A portal's resources have gone: its statement is over. */
static void
on_resource_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	if (phase == RESOURCE_RELEASE_AFTER_LOCKS && is_commit && !is_top_level &&
		!dlist_is_empty(&pins))
		drop_unused(NULL);
}

void
kafka_ends_init(void)
{
	previous_executor_end = ExecutorEnd_hook;
	ExecutorEnd_hook = on_executor_end;
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
	RegisterResourceReleaseCallback(on_resource_release, NULL);
}

/* ------------------------------------------------------------------------
 * Making
 * ------------------------------------------------------------------------
 */
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
			result = pg_strcasecmp(property->value, "read_uncommitted") == 0;
	}
	return result;
}

/* ALTER SERVER may make it another cluster, within one transaction too. */
static uint32
cluster_hash(const KafkaOptions *opts)
{
	uint32		hash = 0;
	ListCell   *lc;

	foreach(lc, opts->properties)
	{
		KafkaProperty *property = (KafkaProperty *) lfirst(lc);

		if (property->place != KAFKA_ON_SERVER)
			continue;
		hash = hash_combine(hash, string_hash(property->name, strlen(property->name) + 1));
		hash = hash_combine(hash, string_hash(property->value, strlen(property->value) + 1));
	}
	return hash;
}

static bool
is_pin_for(const Pin *pin, Snapshot snapshot, const KafkaOptions *opts)
{
	return pin->snapshot == snapshot && pin->serverid == opts->serverid &&
		strcmp(pin->topic, opts->topic) == 0 &&
		pin->uncommitted == reads_uncommitted(opts) && pin->cluster == cluster_hash(opts);
}

static Pin *
find_pin(Snapshot snapshot, const KafkaOptions *opts)
{
	dlist_iter	iter;

	dlist_foreach(iter, &pins)
	{
		Pin		   *pin = dlist_container(Pin, node, iter.cur);

		if (is_pin_for(pin, snapshot, opts))
			return pin;
	}
	return NULL;
}

static Pin *
make_pin(Snapshot snapshot, const KafkaOptions *opts)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw pinned ends",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Pin		   *pin = palloc0(sizeof(Pin));

	pin->context = context;
	pin->serverid = opts->serverid;
	pin->cluster = cluster_hash(opts);
	pin->uncommitted = reads_uncommitted(opts);
	pin->topic = pstrdup(opts->topic);
	kafka_topic_bounds(opts, opts->topic, &pin->bounds);
	kafka_sent_await(opts, opts->topic, pin->bounds.npartitions, pin->bounds.ends);
	MemoryContextSwitchTo(old);
	if (snapshot)
		pin->snapshot = RegisterSnapshotOnOwner(snapshot, TopTransactionResourceOwner);
	MemoryContextSetParent(context, TopMemoryContext);	/* from here on it is the list's */
	dlist_push_head(&pins, &pin->node);
	return pin;
}

const KafkaBounds *
kafka_ends_pinned(Snapshot snapshot, const KafkaOptions *opts)
{
	Pin		   *pin;

	if (IsolationUsesXactSnapshot())
		snapshot = NULL;
	drop_unused(NULL);
	pin = find_pin(snapshot, opts);
	if (pin == NULL)
		pin = make_pin(snapshot, opts);
	Assert(pin->snapshot == snapshot);
	return &pin->bounds;
}
