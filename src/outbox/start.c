/*-------------------------------------------------------------------------
 *
 * start.c
 *	  The start of a relay: from nothing to a claim in Kafka.
 *
 * Layer 3.  In this order, so that a clone, or a copy that was restored, never disturbs the real
 * one, and nobody publishes what is published already:
 *
 *	 1.  Take the lease: whoever had the outbox in this database makes no tick any more.
 *	 2.  Look at the position in Kafka, and stop if it is not as this database would have it:
 *		 nobody has been disturbed yet.
 *	 3.  Fence: init_transactions of all the outbox's transactional ids ends what a predecessor
 *		 has left open, one way or the other.
 *	 4.  Look again: a predecessor's last transaction may have been committed meanwhile.
 *	 5.  Note the new claim here, then write it into Kafka, in a transaction of its own.
 *
 * A relay that meets an error later comes back to 2.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/handle.h"
#include "client/property.h"
#include "client/topic.h"
#include "client/transaction.h"
#include "ground/settings.h"
#include "nodes/pg_list.h"
#include "access/transam.h"
#include "outbox/relay_internal.h"
#include "utils/memutils.h"

/*
 * What the server may say otherwise: how long a dead relay can hold readers up, and that a batch's
 * messages go out while its rows are still read, ms.
 */
static const char *const properties[][2] = {
	{"transaction.timeout.ms", "30000"},
	{"linger.ms", "0"}
};

/* What step 2 and 4 find. */
typedef struct Finding
{
	bool		found;			/* a position in Kafka */
	KafkaOutboxPosition position;
	KafkaTick	tick;			/* the one that is published whole */
	KafkaTick	part;			/* the one that is published in part; else the same */
	int64		row;			/* up to this row of it, or KAFKA_WHOLE_TICK */
	char	   *reason;			/* why it is unresolved, or NULL */
} Finding;

/* ------------------------------------------------------------------------
 * Base
 * ------------------------------------------------------------------------
 */
void
kafka_relay_set_base(KafkaRelay *relay, const KafkaTick *base)
{
	MemoryContext context = AllocSetContextCreate(relay->context, "kafka_fdw relay base",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	relay->base = kafka_tick_copy(base);
	MemoryContextSwitchTo(old);
	if (relay->base_context)
		MemoryContextDelete(relay->base_context);
	relay->base_context = context;
}

/* ------------------------------------------------------------------------
 * Looking
 * ------------------------------------------------------------------------
 */
static bool
is_same_uuid(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t)) == 0;
}

/* Another database than this one, here and now, has written the last record. */
static bool
is_foreign(const KafkaRelay *relay, const KafkaLease *lease, const KafkaOutboxPosition *position)
{
	if (!kafka_incarnation_is_same(&position->incarnation, &relay->self))
	{
		if (kafka_setting_relay_takeover == KAFKA_TAKEOVER_NEWER_TIMELINE &&
			position->incarnation.system == relay->self.system &&
			position->incarnation.database == relay->self.database &&
			position->incarnation.timeline < relay->self.timeline)
			return false;
		return true;
	}
	return !is_same_uuid(&position->claim, &lease->claim) &&
		!is_same_uuid(&position->claim, &lease->previous_claim);
}

/* The position's tick, as this database has it; false if it has not. */
static bool
find_ticks(const KafkaRelay *relay, Finding *finding)
{
	const KafkaOutboxPosition *position = &finding->position;

	finding->row = position->row;
	if (!kafka_tick_find(relay->outbox.id, position->tick, &finding->part) ||
		!is_same_uuid(&finding->part.token, &position->token))
		return false;
	/* transactions that this server has not had yet: whatever marks restored ticks was not there */
	if (finding->part.snapshot.xmax > U64FromFullTransactionId(ReadNextFullTransactionId()))
		finding->part.restored = true;
	finding->tick = finding->part;
	if (position->row != KAFKA_WHOLE_TICK)
		kafka_tick_before(relay->outbox.id, position->tick, &finding->tick);
	return true;
}

/* Why the outbox cannot be relayed from this position as it is; NULL: it can. */
static char *
find_reason(const KafkaRelay *relay, const KafkaLease *lease, Finding *finding)
{
	const KafkaOutboxPosition *position = &finding->position;

	if (!finding->found && lease->confirmed)
		return psprintf("topic \"%s\" has lost the position", relay->topic);
	if (position->unreadable)
		return psprintf("the record at offset " INT64_FORMAT " of topic \"%s\" is no position",
						position->offset, relay->topic);
	if (finding->found && lease->resolution == KAFKA_RESOLUTION_NONE &&
		is_foreign(relay, lease, position))
		return psprintf("it is relayed by %s%s",
						kafka_incarnation_text(&position->incarnation),
						kafka_incarnation_is_same(&position->incarnation, &relay->self) ?
						", a copy of this database that says it is the same" : "");
	if (!find_ticks(relay, finding))
		return psprintf("tick " INT64_FORMAT " in Kafka is not known here: "
						"rows were published that are not in this database", position->tick);
	if (position->tick < relay->progress.acknowledged)
		return psprintf("tick " INT64_FORMAT " in Kafka is older than tick " INT64_FORMAT
						", which was published", position->tick, relay->progress.acknowledged);
	if (lease->resolution == KAFKA_RESOLUTION_NONE &&
		(finding->part.restored || kafka_tick_has_restored_rows(relay->outbox.id)))
		return pstrdup("rows were restored from a dump");
	return NULL;
}

/* Reads the position and judges it; in the relay's session context. */
static void
look(KafkaRelay *relay, const KafkaLease *lease, Finding *finding)
{
	MemoryContext old = MemoryContextSwitchTo(relay->session);

	memset(finding, 0, sizeof(*finding));
	finding->position.row = KAFKA_WHOLE_TICK;
	finding->found = kafka_position_read(relay->opts, relay->topic, &finding->position);
	finding->reason = find_reason(relay, lease, finding);
	MemoryContextSwitchTo(old);
}

/*
 * A commit is answered some milliseconds before readers see it: a position that is missing or too
 * old may be on its way.  Nobody waits where the first look finds what it should.
 */
static void
look_twice(KafkaRelay *relay, const KafkaLease *lease, Finding *finding)
{
	look(relay, lease, finding);
	if (finding->reason == NULL)
		return;
	kafka_position_await_settled(relay->opts, relay->topic);
	look(relay, lease, finding);
}

/* ------------------------------------------------------------------------
 * Resolving
 * ------------------------------------------------------------------------
 */

/* The last tick that this database knows to be published. */
static void
find_acknowledged(const KafkaRelay *relay, KafkaTick *tick)
{
	if (!kafka_tick_find(relay->outbox.id, relay->progress.acknowledged, tick))
		kafka_tick_before(relay->outbox.id, relay->progress.acknowledged, tick);
}

/* A tick in whose place everything up to `snapshot` counts as published. */
static void
restart_from(KafkaRelay *relay, const KafkaSnapshot *snapshot, int64 after, Finding *finding)
{
	KafkaTickProgress stored;
	KafkaTick	tick = {.tick = Max(kafka_tick_last(relay->outbox.id, &stored), after) + 1,
	.snapshot = *snapshot};

	kafka_tick_store(relay->outbox.id, &tick, &relay->progress);
	finding->tick = finding->part = tick;
	finding->row = KAFKA_WHOLE_TICK;
	finding->position.tick = tick.tick;
	finding->position.token = tick.token;
	finding->position.row = KAFKA_WHOLE_TICK;
}

/* What was committed when somebody decided to skip it, however long ago that is. */
static KafkaSnapshot
skipped(const KafkaLease *lease)
{
	KafkaSnapshot now = kafka_snapshot_now();
	KafkaSnapshot then = lease->resolved ? kafka_snapshot_parse(lease->resolved) : now;

	/* it was decided where the dump came from */
	return then.xmax > now.xmax ? now : then;
}

/*
 * What kafka.outbox_resolve has asked for.  Where nothing was wrong but whose outbox it is, the
 * position holds.  Rows from a dump become this transaction's: what they were has no meaning here.
 */
static void
resolve(KafkaRelay *relay, const KafkaLease *lease, Finding *finding)
{
	bool		restored = kafka_tick_has_restored_rows(relay->outbox.id);
	int64		after = finding->position.tick;
	KafkaTick	nothing;

	if (lease->resolution == KAFKA_RESOLUTION_SKIP)
	{
		KafkaSnapshot then = skipped(lease);
		KafkaSnapshot all = kafka_snapshot_parse("9223372036854775807:9223372036854775807:");

		kafka_tick_adopt_restored_rows(relay->outbox.id, &all, &all, PG_INT64_MAX);
		restart_from(relay, &then, after, finding);
		return;
	}
	if (finding->reason)
	{
		find_acknowledged(relay, &finding->tick);
		finding->part = finding->tick;
		finding->row = KAFKA_WHOLE_TICK;
	}
	else if (!restored && !finding->part.restored)
		return;
	restored = restored || finding->tick.restored;
	if (restored)
		kafka_tick_adopt_restored_rows(relay->outbox.id, &finding->tick.snapshot,
									   &finding->part.snapshot,
									   finding->row == KAFKA_WHOLE_TICK ? PG_INT64_MAX :
									   finding->row);
	kafka_tick_before(relay->outbox.id, 0, &nothing);
	restart_from(relay, finding->tick.restored ? &nothing.snapshot : &finding->tick.snapshot,
				 after, finding);
}

/* ------------------------------------------------------------------------
 * The steps
 * ------------------------------------------------------------------------
 */
static KafkaRelayStart
ended(KafkaRelayEnd end, char *reason)
{
	KafkaRelayStart start = {end, reason};

	return start;
}

static bool
has_property(const KafkaOptions *opts, const char *wanted)
{
	ListCell   *lc;

	foreach(lc, opts->properties)
	{
		const char *name = kafka_property_name(((KafkaProperty *) lfirst(lc))->name);

		if (name && strcmp(name, wanted) == 0)
			return true;
	}
	return false;
}

/* In the current memory context. */
static KafkaOptions *
options_now(const KafkaRelay *relay)
{
	KafkaOptions *opts = kafka_outbox_options(&relay->outbox);

	for (size_t i = 0; i < lengthof(properties); i++)
		if (!has_property(opts, properties[i][0]))
			opts = kafka_options_with_property(opts, properties[i][0], properties[i][1]);
	return opts;
}

static bool
is_same_property(const KafkaProperty *a, const KafkaProperty *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->value, b->value) == 0;
}

bool
kafka_relay_has_new_options(KafkaRelay *relay)
{
	const KafkaOptions *now;
	const KafkaOptions *then = relay->opts;
	bool		changed;
	ListCell   *a;
	ListCell   *b;

	kafka_relay_begin(relay);
	now = options_now(relay);
	changed = now->serverid != then->serverid || now->userid != then->userid ||
		now->partitioner != then->partitioner ||
		list_length(now->properties) != list_length(then->properties);
	if (!changed)
		forboth(a, now->properties, b, then->properties)
			changed = changed || !is_same_property(lfirst(a), lfirst(b));
	kafka_relay_commit(relay);
	return changed;
}

static void
read_options(KafkaRelay *relay)
{
	MemoryContext old = MemoryContextSwitchTo(relay->session);

	relay->opts = options_now(relay);
	relay->topic = kafka_position_topic(&relay->outbox);
	relay->self = kafka_incarnation_of_this();
	MemoryContextSwitchTo(old);
}

void
kafka_relay_forget_session(KafkaRelay *relay)
{
	MemoryContextReset(relay->session);
	memset(relay->producers, 0, sizeof(relay->producers));
	memset(relay->positions, 0, sizeof(relay->positions));
	relay->topics = NIL;
	relay->opts = NULL;
	relay->turn = 0;
}

static void
keep_text(KafkaRelay *relay, char **kept, const char *text)
{
	if (*kept && strcmp(*kept, text) == 0)
		return;
	if (*kept)
		pfree(*kept);
	*kept = MemoryContextStrdup(relay->context, text);
}

/* Its texts outlive a session. */
static void
keep_outbox(KafkaRelay *relay, const KafkaOutbox *outbox)
{
	relay->outbox.uuid = outbox->uuid;
	relay->outbox.enabled = outbox->enabled;
	keep_text(relay, &relay->outbox.name, outbox->name);
	keep_text(relay, &relay->outbox.server, outbox->server);
	keep_text(relay, &relay->outbox.username, outbox->username);
}

/* Step 1; DONE: it is ours. */
static KafkaRelayEnd
take_lease(KafkaRelay *relay, KafkaLease *lease)
{
	KafkaRelayEnd end = KAFKA_RELAY_DONE;
	const KafkaOutbox *outbox;
	MemoryContext old;

	kafka_relay_begin(relay);
	old = MemoryContextSwitchTo(relay->session);
	outbox = kafka_outbox_by_id(relay->outbox.id);
	if (outbox)
		keep_outbox(relay, outbox);
	if (outbox == NULL || (relay->waits && !outbox->enabled))
		end = KAFKA_RELAY_STOPPED;
	else if (relay->epoch > 0 && !kafka_lease_hold(relay->outbox.id, relay->epoch))
		end = KAFKA_RELAY_REPLACED;
	else
	{
		read_options(relay);
		kafka_lease_take(relay->outbox.id, kafka_incarnation_text(&relay->self), lease);
		(void) kafka_tick_last(relay->outbox.id, &relay->progress);
	}
	MemoryContextSwitchTo(old);
	kafka_relay_commit(relay);
	if (end == KAFKA_RELAY_DONE)
		relay->epoch = lease->epoch;
	return end;
}

void
kafka_relay_open_producer(KafkaRelay *relay, int number)
{
	MemoryContext old = MemoryContextSwitchTo(relay->session);
	const char *id = kafka_position_transactional_id(&relay->outbox, number);

	if (relay->producers[number])
		kafka_producer_close(relay->producers[number]);
	/* one from the cache has been initialised before, which fences nobody now */
	kafka_transaction_forget_client(id);
	relay->producers[number] = kafka_transaction_open_named(relay->opts, id);
	kafka_transaction_settle(relay->producers[number]);
	relay->positions[number] = kafka_producer_target(relay->producers[number], relay->topic, 1,
													 KAFKA_PARTITIONER_MURMUR2_RANDOM);
	MemoryContextSwitchTo(old);
}

/* Step 3. */
static void
fence(KafkaRelay *relay)
{
	for (int i = 0; i < KAFKA_RELAY_PRODUCERS; i++)
		kafka_relay_open_producer(relay, i);
	kafka_position_await_settled(relay->opts, relay->topic);
}

/* Step 5; false if somebody else has the outbox by now. */
static bool
claim(KafkaRelay *relay, const KafkaLease *lease, Finding *finding)
{
	bool		ours;

	if (!pg_strong_random(&relay->claim, sizeof(relay->claim)))
		elog(ERROR, "could not generate random values");
	kafka_relay_begin(relay);
	ours = kafka_lease_claim(relay->outbox.id, relay->epoch, &relay->claim,
							 &finding->position.claim);
	if (!ours)
	{
		kafka_relay_commit(relay);
		return false;
	}
	if (lease->resolution != KAFKA_RESOLUTION_NONE)
		resolve(relay, lease, finding);
	kafka_tick_raise_ids(finding->position.highest);
	kafka_relay_set_base(relay, &finding->tick);
	relay->position = finding->position;
	relay->position.claim = relay->claim;
	relay->position.incarnation = relay->self;
	kafka_relay_commit(relay);
	if (!kafka_relay_await_replicated(relay))
		return false;
	kafka_relay_begin(relay);
	kafka_relay_write_position(relay);
	relay->progress.acknowledged = Max(relay->progress.acknowledged, relay->base.tick);
	ours = kafka_lease_confirm(relay->outbox.id, relay->epoch);
	if (ours)
		kafka_tick_acknowledge(relay->outbox.id, relay->base.tick, &relay->progress);
	kafka_relay_commit(relay);
	relay->recorded = true;
	return ours;
}

/* A finding that nothing but a resolution can help, or that the given one does not. */
static bool
is_unresolved(const KafkaLease *lease, const Finding *finding)
{
	return finding->reason != NULL && lease->resolution != KAFKA_RESOLUTION_REPUBLISH &&
		lease->resolution != KAFKA_RESOLUTION_SKIP;
}

KafkaRelayStart
kafka_relay_start(KafkaRelay *relay)
{
	KafkaLease	lease;
	Finding		finding;
	bool		existing;
	KafkaRelayEnd end;

	kafka_relay_forget_session(relay);
	end = take_lease(relay, &lease);
	if (end != KAFKA_RELAY_DONE)
		return ended(end, NULL);
	kafka_relay_begin(relay);
	existing = lease.confirmed && lease.resolution != KAFKA_RESOLUTION_REPUBLISH &&
		lease.resolution != KAFKA_RESOLUTION_SKIP;
	if (!kafka_position_ensure_topic(relay->opts, relay->topic, existing))
	{
		char	   *reason = MemoryContextStrdup(relay->session,
												 psprintf("topic \"%s\" is gone", relay->topic));

		kafka_relay_commit(relay);
		return ended(KAFKA_RELAY_UNRESOLVED, reason);
	}
	look_twice(relay, &lease, &finding);
	if (!is_unresolved(&lease, &finding))
	{
		fence(relay);
		look(relay, &lease, &finding);
	}
	kafka_handle_close_all_idle();
	kafka_relay_commit(relay);
	if (is_unresolved(&lease, &finding))
		return ended(KAFKA_RELAY_UNRESOLVED, finding.reason);
	if (!claim(relay, &lease, &finding))
		return ended(KAFKA_RELAY_REPLACED, NULL);
	return ended(KAFKA_RELAY_DONE, NULL);
}
