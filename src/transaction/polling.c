/*-------------------------------------------------------------------------
 *
 * polling.c
 *	  What a poll of a consumer goes through: rebalances, start positions, messages.
 *
 * Layer 3.  A revocation waits until this transaction's positions are stored: until then the
 * group waits for this member, and what it has read stays its own.  Only when the group does
 * not wait any longer (max.poll.interval.ms, session.timeout.ms) are partitions lost with
 * positions in them; what that means depends on where they are stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/stats.h"
#include "client/topic.h"
#include "client/transaction.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "transaction/consumer_offset.h"
#include "transaction/polling.h"
#include "utils/wait_event.h"

/* Who polls on while the group waits for the transaction's end is not answered at once. */
#define HELD_MS 200
#define WHY_SIZE 512
/* A poll that has waited so long for nothing asks whether there still is something to wait for. */
#define SILENCE_MS 500

/* ------------------------------------------------------------------------
 * Start positions
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
throw_no_offset(const KafkaSessionConsumer *consumer, const KafkaMemberPartition *partition)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("consumer group \"%s\" has no offset for topic \"%s\" partition %d",
					consumer->spec.opts->group_id, partition->topic, partition->partition),
			 errhint("Set one with kafka.alter_group_offsets while the group has no members, or "
					 "subscribe with start => 'earliest' or 'latest'.")));
}

/* Fills in offsets that are unknown, topic by topic; partitions are sorted. */
static void
start_unknown(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions, int n,
			  int64 *offsets)
{
	KafkaOffsetKind kind = consumer->spec.start == KAFKA_START_EARLIEST ? KAFKA_OFFSET_LOW :
		KAFKA_OFFSET_END;
	int32	   *numbers = palloc(sizeof(int32) * Max(n, 1));
	int		   *places = palloc(sizeof(int) * Max(n, 1));
	int64	   *found = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n;)
	{
		const char *topic = partitions[i]->topic;
		int			count = 0;

		for (; i < n && strcmp(partitions[i]->topic, topic) == 0; i++)
		{
			/* where it began before, in a transaction that was rolled back perhaps */
			if (offsets[i] == KAFKA_UNKNOWN)
				offsets[i] = kafka_consumers_position(consumer, partitions[i])->start;
			if (offsets[i] != KAFKA_UNKNOWN)
				continue;
			if (consumer->spec.start == KAFKA_START_NONE)
				throw_no_offset(consumer, partitions[i]);
			places[count] = i;
			numbers[count++] = partitions[i]->partition;
		}
		kafka_topic_offsets(consumer->spec.opts, topic, kind, numbers, count, found);
		for (int j = 0; j < count; j++)
		{
			offsets[places[j]] = found[j];
			kafka_consumers_position(consumer, partitions[places[j]])->start = found[j];
		}
	}
}

void
kafka_poll_stored(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions, int n,
				  int64 *offsets)
{
	if (consumer->spec.store == KAFKA_STORE_POSTGRES)
		for (int i = 0; i < n; i++)
			offsets[i] = kafka_consumer_offset_look(consumer, partitions[i]);
	else if (consumer->spec.store != KAFKA_STORE_NONE)
		kafka_member_committed(consumer->member, partitions, n, offsets);
	else
		for (int i = 0; i < n; i++)
			offsets[i] = KAFKA_UNKNOWN;
}

/* Where kafka.assign has put them, unless the store knows better. */
static void
keep_chosen(KafkaMemberPartition **partitions, int n, int64 *offsets)
{
	for (int i = 0; i < n; i++)
		if (offsets[i] == KAFKA_UNKNOWN)
			offsets[i] = partitions[i]->position;
}

static void
start_from_group(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions, int n)
{
	int64	   *offsets = palloc(sizeof(int64) * Max(n, 1));
	int64	   *committed = palloc(sizeof(int64) * Max(n, 1));

	kafka_poll_stored(consumer, partitions, n, committed);
	memcpy(offsets, committed, sizeof(int64) * n);
	if (consumer->spec.chosen)
		keep_chosen(partitions, n, offsets);
	start_unknown(consumer, partitions, n, offsets);
	for (int i = 0; i < n; i++)
	{
		KafkaPosition *position = kafka_consumers_position(consumer, partitions[i]);

		/* lost and had again in one transaction, and nobody has moved it: on where we were */
		if (position->level > 0 && committed[i] == position->committed)
			position->lost = false;
		else
			partitions[i]->position = offsets[i];
		position->committed = committed[i];
	}
}

/* It began where the store knew nothing, and the group has not been told. */
static bool
is_new_start(const KafkaPosition *position)
{
	return position->start != KAFKA_UNKNOWN && !position->stored;
}

/*
 * Where the group begins becomes the group's at once, whatever this transaction does: else whoever
 * goes on after a rollback, or has the partition next, finds another end for 'latest'.
 */
static void
store_starts(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions, int n)
{
	KafkaGroupOffset *offsets = palloc0(sizeof(KafkaGroupOffset) * Max(n, 1));
	char		why[WHY_SIZE];
	int			count = 0;

	if (!consumer->spec.auto_commit || consumer->spec.store == KAFKA_STORE_NONE)
		return;
	for (int i = 0; i < n; i++)
	{
		const KafkaPosition *position = kafka_consumers_position(consumer, partitions[i]);

		if (!is_new_start(position))
			continue;
		offsets[count].topic = partitions[i]->topic;
		offsets[count].partition = partitions[i]->partition;
		offsets[count++].offset = position->start;
	}
	if (count == 0)
		return;
	kafka_member_prepare_commit(consumer->member, offsets, count);
	if (!kafka_member_commit_quietly(consumer->member, kafka_setting_connect_timeout, why,
									 sizeof(why)))
	{
		CHECK_FOR_INTERRUPTS();
		consumer->touched |= consumer->spec.store == KAFKA_STORE_KAFKA;
		return;
	}
	for (int i = 0; i < n; i++)
	{
		KafkaPosition *position = kafka_consumers_position(consumer, partitions[i]);

		if (!is_new_start(position))
			continue;
		position->stored = true;
		if (consumer->spec.store != KAFKA_STORE_POSTGRES && position->committed == KAFKA_UNKNOWN)
			position->committed = position->start;
	}
}

/* One partition of kafka.consumer_offset; start KAFKA_UNKNOWN: only if it is there. */
static bool
claim(KafkaSessionConsumer *consumer, KafkaMemberPartition *partition, int64 start)
{
	KafkaPosition *position = kafka_consumers_position(consumer, partition);
	int64		next_offset;
	int64		epoch;
	bool		read = position->level > 0;

	if (!kafka_consumer_offset_claim(consumer, position, start, &next_offset, &epoch))
		return false;
	/* what this transaction has read of it before is only good if it stayed ours */
	if (read && (position->epoch == 0 || epoch != position->epoch + 1 ||
				 next_offset != position->committed))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("another consumer of the group has taken topic \"%s\" partition %d",
						partition->topic, partition->partition),
				 errhint("Repeat the transaction.")));
	kafka_consumers_save(consumer, position);
	if (!read)
		partition->position = next_offset;
	position->committed = next_offset;
	position->epoch = epoch;
	return true;
}

static void
start_from_table(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions, int n)
{
	KafkaMemberPartition **unknown = palloc(sizeof(KafkaMemberPartition *) * Max(n, 1));
	int64	   *offsets = palloc(sizeof(int64) * Max(n, 1));
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (!claim(consumer, partitions[i], KAFKA_UNKNOWN))
			unknown[count++] = partitions[i];
	for (int i = 0; i < count; i++)
		offsets[i] = KAFKA_UNKNOWN;
	if (consumer->spec.chosen)
		keep_chosen(unknown, count, offsets);
	else if (consumer->spec.start == KAFKA_START_LATEST)
		kafka_member_committed(consumer->member, unknown, count, offsets);	/* where it began */
	start_unknown(consumer, unknown, count, offsets);
	for (int i = 0; i < count; i++)
		(void) claim(consumer, unknown[i], offsets[i]);
}

static void
start(KafkaSessionConsumer *consumer, KafkaMemberPartition **partitions, int n)
{
	if (consumer->spec.store == KAFKA_STORE_POSTGRES)
		start_from_table(consumer, partitions, n);
	else
		start_from_group(consumer, partitions, n);
}

/* Partitions that it has, and whose position has to be had from the store. */
static void
reload(KafkaSessionConsumer *consumer)
{
	int			n;
	KafkaMemberPartition **partitions = kafka_member_partitions(consumer->member, &n);
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		KafkaPosition *position = kafka_consumers_position(consumer, partitions[i]);

		if (partitions[i]->assigned &&
			(consumer->must_reload || partitions[i]->position == KAFKA_UNKNOWN ||
			 (consumer->spec.store == KAFKA_STORE_POSTGRES && position->epoch == 0)))
			partitions[count++] = partitions[i];
	}
	/* the group does not tell before the transaction that moves it has ended */
	if (consumer->must_reload && consumer->spec.store == KAFKA_STORE_TRANSACTION)
		kafka_transaction_settle_own(consumer->spec.opts);
	if (count > 0)
		start(consumer, partitions, count);
	consumer->must_reload = false;
}

/* ------------------------------------------------------------------------
 * Rebalances
 * ------------------------------------------------------------------------
 */
static void
take_assigned(KafkaSessionConsumer *consumer)
{
	int			n;
	KafkaMemberPartition **partitions = kafka_member_new_partitions(consumer->member, &n);

	for (int i = 0; i < n; i++)
	{
		KafkaPosition *position = kafka_consumers_position(consumer, partitions[i]);

		/* it comes from the group, at another's offset perhaps */
		if (position->level == 0)
		{
			position->epoch = 0;
			position->committed = KAFKA_UNKNOWN;
			if (!consumer->spec.chosen)
				partitions[i]->position = KAFKA_UNKNOWN;
		}
	}
	start(consumer, partitions, n);
	kafka_member_accept(consumer->member);
	consumer->rebalances++;
	store_starts(consumer, partitions, n);
}

/* The group did not wait: what of this transaction was read in those partitions? */
static void
note_lost(KafkaSessionConsumer *consumer)
{
	int			n;
	KafkaMemberPartition **partitions = kafka_member_new_partitions(consumer->member, &n);

	if (consumer->spec.store == KAFKA_STORE_TRANSACTION)
		kafka_consumers_throw_lost(consumer);
	if (consumer->spec.store == KAFKA_STORE_POSTGRES)
		return;					/* compare-and-set will tell */
	for (int i = 0; i < n; i++)
	{
		KafkaPosition *position = kafka_consumers_position(consumer, partitions[i]);

		if (position->level > 0)
			position->lost = true;
	}
}

/* The group does not wait any longer, though librdkafka does not say so while it waits for us. */
static bool
is_overdue(const KafkaSessionConsumer *consumer)
{
	return consumer->last_poll != 0 &&
		TimestampDifferenceExceeds(consumer->last_poll, GetCurrentTimestamp(),
								   kafka_member_max_poll_ms(consumer->member));
}

/* False: not now, the group has to wait for the end of the transaction. */
static bool
give_back(KafkaSessionConsumer *consumer)
{
	if (kafka_consumers_is_pending(consumer))
	{
		if (!kafka_member_is_lost(consumer->member) && !is_overdue(consumer))
			return false;
		note_lost(consumer);
	}
	kafka_member_accept(consumer->member);
	consumer->rebalances++;
	return true;
}

/* ------------------------------------------------------------------------
 * Offsets that are not there
 * ------------------------------------------------------------------------
 */
static void
handle_missing(KafkaSessionConsumer *consumer, KafkaMemberPartition *partition)
{
	const KafkaOptions *opts = consumer->spec.opts;
	int64		low;
	int64		end;

	kafka_topic_offsets(opts, partition->topic, KAFKA_OFFSET_LOW, &partition->partition, 1, &low);
	kafka_topic_offsets(opts, partition->topic, KAFKA_OFFSET_END, &partition->partition, 1, &end);
	if (partition->position >= low && partition->position <= end)
		return;					/* it is there by now */
	if (partition->position > end || opts->on_missing != KAFKA_ON_MISSING_EARLIEST)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("offset " INT64_FORMAT " of topic \"%s\" partition %d is not there",
						partition->position, partition->topic, partition->partition),
				 errdetail("The partition holds offsets from " INT64_FORMAT " to before "
						   INT64_FORMAT ".", low, end),
				 partition->position > end ?
				 errhint("The topic was made anew or truncated. Go on with kafka.seek.") :
				 errhint("Messages were removed before they were read. Go on with kafka.seek, or "
						 "subscribe with the option \"on_missing\" 'earliest'.")));
	ereport(WARNING,
			(errmsg("offsets " INT64_FORMAT " to " INT64_FORMAT " of topic \"%s\" partition %d "
					"were removed before they were read", partition->position, low - 1,
					partition->topic, partition->partition)));
	kafka_consumers_move(consumer, kafka_consumers_position(consumer, partition), low);
}

/* ------------------------------------------------------------------------
 * Polling
 * ------------------------------------------------------------------------
 */
static int
remaining_ms(const KafkaPoll *poll)
{
	instr_time	now;
	double		elapsed;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, poll->begin);
	elapsed = INSTR_TIME_GET_MILLISEC(now);
	return elapsed >= poll->timeout_ms ? 0 : poll->timeout_ms - (int) elapsed;
}

void
kafka_poll_settle(KafkaSessionConsumer *consumer)
{
	if (kafka_member_is_closed(consumer->member))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("consumer \"%s\" has left its group", consumer->spec.name),
				 errhint("Call kafka.subscribe or kafka.assign again.")));
	if (consumer->spec.chosen && kafka_member_must_accept(consumer->member))
		take_assigned(consumer);
	reload(consumer);
}

/* A commit with async => true: nobody has waited for the answer, here it is. */
static void
check_async(KafkaSessionConsumer *consumer)
{
	char		why[WHY_SIZE];

	if (!kafka_member_was_refused(consumer->member, why, sizeof(why)) ||
		consumer->spec.store != KAFKA_STORE_KAFKA)
		return;
	consumer->commit_failures++;
	kafka_stats_of(consumer->spec.opts)->counters[KAFKA_COUNT_OFFSET_COMMIT_FAILURES]++;
	for (int i = 0; i < consumer->npositions; i++)
		consumer->positions[i]->committed = KAFKA_UNKNOWN;
	consumer->touched = true;
	ereport(WARNING,
			(errmsg("offsets of consumer \"%s\" were not committed to its group: messages may "
					"come again", consumer->spec.name),
			 errdetail("librdkafka says: %s", why)));
}

void
kafka_poll_begin(KafkaPoll *poll, KafkaSessionConsumer *consumer, int max_messages,
				 int timeout_ms)
{
	memset(poll, 0, sizeof(*poll));
	poll->consumer = consumer;
	poll->max_messages = max_messages;
	poll->timeout_ms = timeout_ms;
	INSTR_TIME_SET_CURRENT(poll->begin);
	/* while a revocation waits librdkafka is not asked, and its clock goes on */
	if (!kafka_member_must_accept(consumer->member))
		consumer->last_poll = GetCurrentTimestamp();
	kafka_poll_settle(consumer);
	check_async(consumer);
	kafka_member_positions_changed(consumer->member);
}

/* The group waits for this transaction; somebody who loops shall not spin. */
static void
nap(int ms)
{
	if (ms <= 0)
		return;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * A topic that was deleted is only silent: librdkafka tells late, or not at all.  One topic a
 * poll is looked at, and the session remembers answers for some seconds.
 */
static void
check_topic(const KafkaPoll *poll)
{
	KafkaSessionConsumer *consumer = poll->consumer;
	const KafkaConsumerSpec *spec = &consumer->spec;
	const char *topic = spec->topics[consumer->topics_checked++ % spec->ntopics];

	if (poll->timeout_ms >= SILENCE_MS && topic[0] != '^')
		(void) kafka_topic_partitions(spec->opts, topic, false, true);
}

/* Fetches the next event; false: the poll is over. */
static bool
next_event(KafkaPoll *poll)
{
	KafkaMember *member = poll->consumer->member;
	int			wait_ms;

	kafka_member_next(member, 0, &poll->event);
	if (poll->event.type != KAFKA_MEMBER_NOTHING)
		return true;
	wait_ms = remaining_ms(poll);
	if (poll->taken > 0)
		wait_ms = Min(wait_ms, kafka_member_linger_ms(member));
	if (wait_ms > 0)
		kafka_member_next(member, wait_ms, &poll->event);
	if (poll->event.type != KAFKA_MEMBER_NOTHING)
		return true;
	if (poll->taken == 0)
	{
		kafka_member_check_reachable(member);
		check_topic(poll);
	}
	return false;
}

static const KafkaMessage *
hand_out(KafkaPoll *poll)
{
	KafkaSessionConsumer *consumer = poll->consumer;
	KafkaPosition *position = kafka_consumers_position(consumer, poll->event.partition);

	kafka_consumers_move(consumer, position, poll->event.msg.offset + 1);
	consumer->messages++;
	kafka_stats_of(consumer->spec.opts)->counters[KAFKA_COUNT_MESSAGES_POLLED]++;
	poll->taken++;
	return &poll->event.msg;
}

const KafkaMessage *
kafka_poll_next(KafkaPoll *poll)
{
	KafkaSessionConsumer *consumer = poll->consumer;

	while (poll->taken < poll->max_messages && next_event(poll))
	{
		CHECK_FOR_INTERRUPTS();
		if (consumer->spec.store == KAFKA_STORE_TRANSACTION && poll->event.partition)
			kafka_member_note_generation(consumer->member);
		switch (poll->event.type)
		{
			case KAFKA_MEMBER_MESSAGE:
				return hand_out(poll);
			case KAFKA_MEMBER_END:
				kafka_consumers_move(consumer,
									 kafka_consumers_position(consumer, poll->event.partition),
									 poll->event.offset);
				break;
			case KAFKA_MEMBER_MISSING:
				handle_missing(consumer, poll->event.partition);
				break;
			case KAFKA_MEMBER_ASSIGN:
				take_assigned(consumer);
				break;
			case KAFKA_MEMBER_REVOKE:
				if (give_back(consumer))
					break;
				if (poll->taken == 0)
					nap(Min(remaining_ms(poll), HELD_MS));
				return NULL;
			case KAFKA_MEMBER_NOTHING:
				break;
		}
	}
	return NULL;
}
