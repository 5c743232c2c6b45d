/*-------------------------------------------------------------------------
 *
 * consumers.c
 *	  The session's consumers, whose positions belong to the transaction.
 *
 * Layer 3.  A position moves while messages are polled.  Before a nesting level changes one it
 * is saved, so that ROLLBACK TO and ROLLBACK find it as it was; client/member.c then reads
 * from there again.  What has moved is stored at the transaction's end:
 *
 *	 'kafka'		committed to the group in the COMMIT event.  A failure there is a WARNING:
 *					the group is behind, messages may come again.
 *	 'postgres'		written to kafka.consumer_offset in PRE_COMMIT, by compare-and-set.  The
 *					group is told afterwards, for those who look at lag.
 *	 'transaction'	sent to the Kafka transaction that carries this transaction's messages
 *					(commit.c).
 *
 * The consumer itself is the session's, not the transaction's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/stats.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "transaction/consumer_offset.h"
#include "transaction/consumers.h"
#include "transaction/warning.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define WHY_SIZE 512

static List *consumers;			/* of KafkaSessionConsumer */

/* ------------------------------------------------------------------------
 * Making and closing
 * ------------------------------------------------------------------------
 */
static KafkaSessionConsumer *
look_up(const char *name)
{
	ListCell   *lc;

	foreach(lc, consumers)
	{
		KafkaSessionConsumer *consumer = (KafkaSessionConsumer *) lfirst(lc);

		if (strcmp(consumer->spec.name, name) == 0)
			return consumer;
	}
	return NULL;
}

static void
check_owner(const KafkaSessionConsumer *consumer)
{
	if (consumer->userid != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("consumer \"%s\" belongs to another user", consumer->spec.name)));
}

KafkaSessionConsumer *
kafka_consumers_find(const char *name)
{
	KafkaSessionConsumer *consumer = look_up(name);

	PreventCommandIfParallelMode("a Kafka consumer");
	if (consumer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no consumer \"%s\" in this session", name),
				 errhint("Make one with kafka.subscribe or kafka.assign.")));
	check_owner(consumer);
	return consumer;
}

List *
kafka_consumers_list(void)
{
	return consumers;
}

bool
kafka_consumers_is_pending(const KafkaSessionConsumer *consumer)
{
	return consumer->nsaved > 0;
}

/* Strings and lists in the current context. */
static void
copy_spec(KafkaConsumerSpec *to, const KafkaConsumerSpec *from)
{
	KafkaOptions *opts = palloc(sizeof(KafkaOptions));

	*to = *from;
	to->name = pstrdup(from->name);
	to->identity = pstrdup(from->identity);
	to->topics = palloc(sizeof(char *) * Max(from->ntopics, 1));
	for (int i = 0; i < from->ntopics; i++)
		to->topics[i] = pstrdup(from->topics[i]);
	*opts = *from->opts;
	opts->server_name = pstrdup(opts->server_name);
	opts->group_id = opts->group_id ? pstrdup(opts->group_id) : NULL;
	opts->group_instance_id = opts->group_instance_id ? pstrdup(opts->group_instance_id) : NULL;
	opts->properties = NIL;
	for (int i = 0; i < list_length(from->opts->properties); i++)
	{
		const KafkaProperty *property = list_nth(from->opts->properties, i);
		KafkaProperty *copy = palloc(sizeof(KafkaProperty));

		*copy = *property;
		copy->name = pstrdup(property->name);
		copy->value = pstrdup(property->value);
		opts->properties = lappend(opts->properties, copy);
	}
	to->opts = opts;
}

static void
drop(KafkaSessionConsumer *consumer)
{
	consumers = list_delete_ptr(consumers, consumer);
	if (consumer->member)
		kafka_member_close(consumer->member);
	MemoryContextDelete(consumer->context);
}

KafkaSessionConsumer *
kafka_consumers_make(const KafkaConsumerSpec *spec, bool *is_new)
{
	KafkaSessionConsumer *consumer = look_up(spec->name);
	KafkaSessionConsumer *before;
	MemoryContext context;
	MemoryContext old;

	PreventCommandIfParallelMode("a Kafka consumer");
	*is_new = true;
	if (consumer)
	{
		check_owner(consumer);
		*is_new = spec->identity[0] == '\0' ||
			strcmp(consumer->spec.identity, spec->identity) != 0 ||
			consumer->userid != spec->opts->userid;
		if (!*is_new)
			return consumer;
		kafka_consumers_refuse_pending(consumer);
	}
	before = consumer;
	context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw session consumer",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	consumer = palloc0(sizeof(KafkaSessionConsumer));
	consumer->context = context;
	copy_spec(&consumer->spec, spec);
	consumer->serverid = spec->opts->serverid;
	consumer->userid = spec->opts->userid;
	consumer->created = GetCurrentTimestamp();
	consumer->member = kafka_member_open(consumer->spec.opts);
	MemoryContextSwitchTo(TopMemoryContext);
	consumers = lappend(consumers, consumer);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);	/* from here on it stays */
	if (before)
		drop(before);			/* only now: the new one might have failed */
	return consumer;
}

void
kafka_consumers_refuse_pending(const KafkaSessionConsumer *consumer)
{
	if (kafka_consumers_is_pending(consumer))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("consumer \"%s\" has positions to commit", consumer->spec.name),
				 errhint("COMMIT or ROLLBACK first.")));
}

void
kafka_consumers_close(KafkaSessionConsumer *consumer)
{
	kafka_consumers_refuse_pending(consumer);
	drop(consumer);
}

void
kafka_consumers_leave(KafkaSessionConsumer *consumer)
{
	kafka_consumers_refuse_pending(consumer);
	kafka_member_leave(consumer->member);
	consumer->touched = false;
	consumer->spec.identity = "";	/* subscribing again makes a new one */
}

void
kafka_consumers_close_all(void)
{
	while (consumers != NIL)
		drop((KafkaSessionConsumer *) linitial(consumers));
}

/* ------------------------------------------------------------------------
 * Positions
 * ------------------------------------------------------------------------
 */
KafkaPosition *
kafka_consumers_position(KafkaSessionConsumer *consumer, KafkaMemberPartition *partition)
{
	KafkaPosition *position = (KafkaPosition *) partition->owner;
	MemoryContext old;

	if (position)
		return position;
	old = MemoryContextSwitchTo(consumer->context);
	if (consumer->npositions == consumer->max_positions)
	{
		Size		size;

		consumer->max_positions = Max(16, consumer->max_positions * 2);
		size = sizeof(KafkaPosition *) * consumer->max_positions;
		consumer->positions = consumer->positions ? repalloc(consumer->positions, size) :
			palloc(size);
	}
	position = palloc0(sizeof(KafkaPosition));
	position->partition = partition;
	position->marked = position->committed = position->target = KAFKA_UNKNOWN;
	position->start = KAFKA_UNKNOWN;
	consumer->positions[consumer->npositions++] = position;
	partition->owner = position;
	MemoryContextSwitchTo(old);
	return position;
}

void
kafka_consumers_save(KafkaSessionConsumer *consumer, KafkaPosition *position)
{
	int			level = GetCurrentTransactionNestLevel();
	KafkaSavedPosition *saved;

	if (position->level == level)
		return;
	if (consumer->nsaved == 0 && consumer->spec.store == KAFKA_STORE_TRANSACTION)
	{
		kafka_member_forget_generation(consumer->member);
		kafka_member_note_generation(consumer->member);
	}
	if (consumer->nsaved == consumer->max_saved)
	{
		int			max = Max(16, consumer->max_saved * 2);
		Size		size = sizeof(KafkaSavedPosition) * max;

		consumer->saved = consumer->saved ? repalloc(consumer->saved, size) :
			MemoryContextAlloc(consumer->context, size);
		consumer->max_saved = max;
	}
	saved = &consumer->saved[consumer->nsaved++];
	saved->position = position;
	saved->before = *position;
	saved->offset = position->partition->position;
	saved->level = level;
	position->level = level;
}

void
kafka_consumers_move(KafkaSessionConsumer *consumer, KafkaPosition *position, int64 offset)
{
	kafka_consumers_save(consumer, position);
	position->partition->position = offset;
}

/* ------------------------------------------------------------------------
 * Rolling back
 * ------------------------------------------------------------------------
 */

/*
 * That the group took a partition away is not undone: what outer levels have read of it is lost
 * as well, and where it stands only the group knows.
 */
static void
restore_position(KafkaSessionConsumer *consumer, const KafkaSavedPosition *saved)
{
	KafkaPosition *position = saved->position;
	KafkaPosition undone = *position;
	bool		lost = position->lost;

	*position = saved->before;
	position->start = undone.start;
	position->stored = undone.stored;
	if (position->committed == KAFKA_UNKNOWN && consumer->spec.store != KAFKA_STORE_POSTGRES)
		position->committed = undone.stored ? undone.start : KAFKA_UNKNOWN;
	position->lost = lost && position->level > 0;
	/* the claim is undone, and the one before it may be another's by now: it is made anew */
	if (undone.epoch != position->epoch)
		position->epoch = 0;
	position->partition->position = saved->offset;
	consumer->must_reload |= lost;
}

static void
restore(KafkaSessionConsumer *consumer, int level)
{
	while (consumer->nsaved > 0 && consumer->saved[consumer->nsaved - 1].level >= level)
		restore_position(consumer, &consumer->saved[--consumer->nsaved]);
}

void
kafka_consumers_subabort(int level)
{
	ListCell   *lc;

	foreach(lc, consumers)
		restore((KafkaSessionConsumer *) lfirst(lc), level);
}

/* What the level has saved is its parent's now, unless that has saved the position itself. */
static void
hand_up(KafkaSessionConsumer *consumer, int level)
{
	int			first = consumer->nsaved;
	int			kept;

	while (first > 0 && consumer->saved[first - 1].level >= level)
		first--;
	kept = first;
	for (int i = first; i < consumer->nsaved; i++)
	{
		KafkaSavedPosition *saved = &consumer->saved[i];

		saved->position->level = saved->level = level - 1;
		if (saved->before.level != level - 1)
			consumer->saved[kept++] = *saved;
	}
	consumer->nsaved = kept;
}

void
kafka_consumers_subcommit(int level)
{
	ListCell   *lc;

	foreach(lc, consumers)
		hand_up((KafkaSessionConsumer *) lfirst(lc), level);
}

/* ------------------------------------------------------------------------
 * PRE_COMMIT
 * ------------------------------------------------------------------------
 */
bool
kafka_consumers_are_pending(void)
{
	ListCell   *lc;

	foreach(lc, consumers)
		if (kafka_consumers_is_pending((KafkaSessionConsumer *) lfirst(lc)))
			return true;
	return false;
}

/* What the store is to have of a position. */
static int64
find_target(const KafkaSessionConsumer *consumer, const KafkaPosition *position)
{
	int64		target = position->marked;

	if (target == KAFKA_UNKNOWN && consumer->spec.auto_commit)
		target = position->partition->position;
	if (position->lost || target == position->committed)
		return KAFKA_UNKNOWN;
	if (consumer->spec.store == KAFKA_STORE_POSTGRES && position->epoch == 0)
		return KAFKA_UNKNOWN;	/* it is not ours */
	/* one that was given back, and has not been read in this transaction */
	if (!position->partition->assigned && position->level == 0)
		return KAFKA_UNKNOWN;
	return target;
}

/* Fills consumer->offsets, in the transaction's memory. */
static void
collect_targets(KafkaSessionConsumer *consumer)
{
	consumer->offsets = palloc(sizeof(KafkaGroupOffset) * Max(consumer->npositions, 1));
	consumer->noffsets = 0;
	for (int i = 0; i < consumer->npositions; i++)
	{
		KafkaPosition *position = consumer->positions[i];
		KafkaGroupOffset *offset;

		position->target = find_target(consumer, position);
		if (position->target == KAFKA_UNKNOWN)
			continue;
		offset = &consumer->offsets[consumer->noffsets++];
		offset->topic = position->partition->topic;
		offset->partition = position->partition->partition;
		offset->offset = position->target;
		offset->metadata = position->marked == KAFKA_UNKNOWN ? NULL : position->metadata;
	}
}

/* In the order of their names, so that two sessions do not lock each other out. */
static int
compare_positions(const void *a, const void *b)
{
	const KafkaMemberPartition *left = (*(KafkaPosition *const *) a)->partition;
	const KafkaMemberPartition *right = (*(KafkaPosition *const *) b)->partition;
	int			order = strcmp(left->topic, right->topic);

	return order != 0 ? order : (left->partition > right->partition) -
		(left->partition < right->partition);
}

static void
store_in_table(KafkaSessionConsumer *consumer)
{
	qsort(consumer->positions, consumer->npositions, sizeof(KafkaPosition *),
		  compare_positions);
	PushActiveSnapshot(GetTransactionSnapshot());	/* at the end there is none */
	for (int i = 0; i < consumer->npositions; i++)
		if (consumer->positions[i]->target != KAFKA_UNKNOWN)
			kafka_consumer_offset_store(consumer, consumer->positions[i]);
	PopActiveSnapshot();
}

void
kafka_consumers_throw_lost(const KafkaSessionConsumer *consumer)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the partitions of consumer \"%s\" were taken away in this transaction",
					consumer->spec.name),
			 errhint("Repeat the transaction.")));
}

static void
check_lost(const KafkaSessionConsumer *consumer)
{
	if (consumer->noffsets > 0 && !consumer->spec.chosen &&
		kafka_member_is_lost(consumer->member))
		kafka_consumers_throw_lost(consumer);
}

void
kafka_consumers_before_commit(void)
{
	ListCell   *lc;

	foreach(lc, consumers)
	{
		KafkaSessionConsumer *consumer = (KafkaSessionConsumer *) lfirst(lc);

		if (consumer->spec.store == KAFKA_STORE_NONE ||
			!(kafka_consumers_is_pending(consumer) || consumer->touched))
			continue;
		collect_targets(consumer);
		if (consumer->spec.store == KAFKA_STORE_POSTGRES)
			store_in_table(consumer);
		else if (consumer->spec.store == KAFKA_STORE_TRANSACTION)
			check_lost(consumer);
		if (consumer->spec.store != KAFKA_STORE_TRANSACTION && consumer->noffsets > 0)
			kafka_member_prepare_commit(consumer->member, consumer->offsets,
										consumer->noffsets);
	}
}

List *
kafka_consumers_transactional(void)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, consumers)
	{
		KafkaSessionConsumer *consumer = (KafkaSessionConsumer *) lfirst(lc);

		if (consumer->spec.store == KAFKA_STORE_TRANSACTION && consumer->noffsets > 0)
			result = lappend(result, consumer);
	}
	return result;
}

/* ------------------------------------------------------------------------
 * COMMIT and ABORT: nothing may be raised, and no memory be had
 * ------------------------------------------------------------------------
 */
static void
warn_of_offsets(KafkaSessionConsumer *consumer, const char *why)
{
	KafkaWarning warning = {.sqlstate = ERRCODE_WARNING};

	consumer->commit_failures++;
	kafka_stats_of(consumer->spec.opts)->counters[KAFKA_COUNT_OFFSET_COMMIT_FAILURES]++;
	if (QueryCancelPending)
		QueryCancelPending = false; /* it has ended this wait, and can end nothing else */
	snprintf(warning.message, sizeof(warning.message),
			 _("offsets of consumer \"%s\" are not known to be committed to its group: messages "
			   "may come again"), consumer->spec.name);
	snprintf(warning.detail, sizeof(warning.detail), _("PostgreSQL has committed; %s."), why);
	kafka_warn_quietly(&warning);
}

static void
note_stored(KafkaSessionConsumer *consumer, bool stored)
{
	for (int i = 0; i < consumer->npositions; i++)
	{
		KafkaPosition *position = consumer->positions[i];

		if (stored && position->target != KAFKA_UNKNOWN)
			position->committed = position->target;
		if (stored)
			position->marked = KAFKA_UNKNOWN;
		position->target = KAFKA_UNKNOWN;
		position->metadata = NULL;
		position->lost = false;
		position->level = 0;
	}
	consumer->nsaved = 0;
}

static bool
any_lost(const KafkaSessionConsumer *consumer)
{
	for (int i = 0; i < consumer->npositions; i++)
		if (consumer->positions[i]->lost)
			return true;
	return false;
}

/* Offsets that the group is to have; true if it has them. */
static bool
commit_to_group(KafkaSessionConsumer *consumer, int limit_ms)
{
	char		why[WHY_SIZE];

	bool		all_lost = !consumer->spec.chosen && consumer->noffsets > 0 &&
		kafka_member_is_lost(consumer->member);

	if (all_lost)
		kafka_member_forget_commit(consumer->member);
	if (all_lost || any_lost(consumer))
		warn_of_offsets(consumer, KAFKA_PUT_OUT);
	if (all_lost)
		return false;
	if (consumer->noffsets == 0)
		return true;
	if (!kafka_member_commit_quietly(consumer->member, consumer->async ? 0 : Max(limit_ms, 1),
									 why, sizeof(why)))
	{
		warn_of_offsets(consumer, why);
		return false;
	}
	kafka_stats_of(consumer->spec.opts)->counters[KAFKA_COUNT_OFFSET_COMMITS]++;
	return true;
}

static void
end_transaction(KafkaSessionConsumer *consumer)
{
	consumer->async = false;
	consumer->offsets = NULL;
	consumer->noffsets = 0;
	kafka_member_forget_commit(consumer->member);
	kafka_member_forget_generation(consumer->member);
}

void
kafka_consumers_commit(int limit_ms)
{
	instr_time	begin;
	ListCell   *lc;

	INSTR_TIME_SET_CURRENT(begin);
	foreach(lc, consumers)
	{
		KafkaSessionConsumer *consumer = (KafkaSessionConsumer *) lfirst(lc);
		bool		stored = true;
		instr_time	now;

		if (!kafka_consumers_is_pending(consumer) && !consumer->touched)
		{
			end_transaction(consumer);	/* all may have been rolled back to savepoints */
			continue;
		}
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, begin);
		if (consumer->spec.store == KAFKA_STORE_KAFKA)
			stored = commit_to_group(consumer,
									 limit_ms - (int) INSTR_TIME_GET_MILLISEC(now));
		else if (consumer->spec.store == KAFKA_STORE_POSTGRES)
			(void) kafka_member_commit_quietly(consumer->member, 0, NULL, 0);
		if (consumer->spec.store == KAFKA_STORE_TRANSACTION)
			consumer->must_reload = false;	/* the group is where we are */
		note_stored(consumer, stored);
		consumer->touched = !stored;	/* the next COMMIT tries again */
		end_transaction(consumer);
	}
}

void
kafka_consumers_abort(void)
{
	ListCell   *lc;

	foreach(lc, consumers)
	{
		KafkaSessionConsumer *consumer = (KafkaSessionConsumer *) lfirst(lc);

		restore(consumer, 0);
		for (int i = 0; i < consumer->npositions; i++)
			consumer->positions[i]->target = KAFKA_UNKNOWN;
		end_transaction(consumer);
	}
}
