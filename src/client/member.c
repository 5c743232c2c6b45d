/*-------------------------------------------------------------------------
 *
 * member.c
 *	  A consumer that stays: joining, rebalances, messages.
 *
 * Layer 1.  Uses librdkafka's consumer with a group.  It fetches ahead in its threads; here
 * messages are taken from its queue, one at a time; or where partitions are of the caller's choice
 * many at a time, which costs a fifth of it.
 *
 * Positions.  The caller's position of a partition is what counts.  `fetched` is where
 * librdkafka is.  Where the two differ (a rollback, a seek, a message that was taken and then
 * lost by an error) align() assigns the partition anew at the position, which is exact in all
 * versions; seeking and resuming are not (librdkafka before 2.1).
 *
 * Rebalances.  librdkafka calls on_rebalance() inside rd_kafka_consumer_poll(), in the
 * backend's thread.  It only notes what is to be done; librdkafka then waits for the assign or
 * unassign call that kafka_member_accept() makes.  In the meantime it has stopped fetching, so
 * no message comes.  While a rebalance waits nothing is aligned: an assign call would be taken
 * for the answer.  drain() looks for one before; should one come just then all the same, it is
 * answered too early, and is carried out when it is seen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/error.h"
#include "client/member.h"
#include "client/member_internal.h"
#include "client/topic.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "utils/memutils.h"

/* Messages between two looks at the length of librdkafka's queue. */
#define POKE_EVERY 500
/* The name that librdkafka wants to have for a group where there is none. */
#define NO_GROUP "kafka_fdw"
/* Silence after which a librdkafka that sleeps on full queues is woken. */
#define SHORT_SLICE_MS 5
/* Who has some messages waits so long for more. */
#define LINGER_MS 50
/* Messages that are taken from the queue together, where no rebalance can come between them. */
#define AHEAD 500

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------
 */
static void
free_message(KafkaMember *member)
{
	if (member->rkm)
		rd_kafka_message_destroy(member->rkm);
	member->rkm = NULL;
}

static void
free_ahead(KafkaMember *member)
{
	while (member->next_ahead < member->nahead)
		rd_kafka_message_destroy(member->ahead[member->next_ahead++]);
}

/* The one that waited behind it comes next. */
static void
forget_rebalance(KafkaMember *member)
{
	if (member->rebalance)
		rd_kafka_topic_partition_list_destroy(member->rebalance);
	member->rebalance = member->later;
	member->revokes = member->later_revokes;
	member->later = NULL;
}

static void
note_all_unassigned(KafkaMember *member)
{
	for (int i = 0; i < member->ntopics; i++)
		for (int p = 0; p < member->topics[i].npartitions; p++)
			if (member->topics[i].partitions[p])
				member->topics[i].partitions[p]->assigned = false;
}

/* Lets go of everything of librdkafka's. */
static void
detach(void *arg)
{
	KafkaMember *member = (KafkaMember *) arg;

	free_message(member);
	free_ahead(member);
	kafka_member_drop_kept(member);
	for (; member->rebalance; forget_rebalance(member))
		if (!member->chosen)
			kafka_core_accept_rebalance(member->handle->rk, member->revokes ?
										RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS :
										RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS,
										member->rebalance);
	if (member->answers)
		rd_kafka_queue_destroy(member->answers);
	member->answers = NULL;
	note_all_unassigned(member);
	kafka_member_forget_commit(member);
	kafka_member_forget_generation(member);
	kafka_poke_end(&member->poke);
	if (member->queue)
		rd_kafka_queue_destroy(member->queue);
	member->queue = NULL;
	for (int i = 0; i < member->ntopics; i++)
		rd_kafka_topic_destroy(member->topics[i].rkt);
	member->ntopics = 0;		/* partitions that it had are known to their positions only */
	member->handle = NULL;
}

void
kafka_member_leave(KafkaMember *member)
{
	KafkaHandle *handle = member->handle;

	if (handle == NULL)
		return;
	detach(member);
	kafka_handle_discard(handle);
}

void
kafka_member_close(KafkaMember *member)
{
	kafka_member_leave(member);
	MemoryContextDelete(member->context);
}

bool
kafka_member_is_stale(const KafkaMember *member)
{
	return member->handle == NULL || member->handle->stale;
}

bool
kafka_member_is_closed(const KafkaMember *member)
{
	return member->handle == NULL;
}

/* Called by librdkafka in the backend, inside rd_kafka_consumer_poll(). */
static void
on_rebalance(void *owner, rd_kafka_resp_err_t err,
			 const rd_kafka_topic_partition_list_t *partitions)
{
	KafkaMember *member = (KafkaMember *) owner;
	bool		revokes = err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	member->handle->core->fragile = false;
	/* two at once: align() has answered the first one before it was seen */
	if (member->later)
		forget_rebalance(member);
	if (member->rebalance)
	{
		member->later = rd_kafka_topic_partition_list_copy(partitions);
		member->later_revokes = revokes;
		return;
	}
	member->rebalance = rd_kafka_topic_partition_list_copy(partitions);
	member->revokes = revokes;
}

KafkaMember *
kafka_member_open(const KafkaOptions *opts)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw consumer",
												  ALLOCSET_SMALL_SIZES);
	KafkaMember *member = MemoryContextAllocZero(context, sizeof(KafkaMember));
	KafkaOptions *used = palloc(sizeof(KafkaOptions));

	*used = *opts;
	if (used->group_id == NULL)
		used->group_id = NO_GROUP;
	member->context = context;
	member->grouped = opts->group_id != NULL;
	member->is_static = opts->group_instance_id != NULL;
	member->group_id = MemoryContextStrdup(context, used->group_id);
	member->filler.context = context;
	kafka_poke_init(&member->poke);
	member->handle = kafka_handle_acquire(used, KAFKA_ROLE_MEMBER, NULL);
	member->handle->owner = member;
	member->handle->detach = detach;
	member->handle->rebalance = on_rebalance;
	member->queue = rd_kafka_queue_get_consumer(member->handle->rk);
	member->max_poll_ms = kafka_member_property_ms(member, "max.poll.interval.ms", 300000);
	member->fetch_wait_ms = kafka_member_property_ms(member, "fetch.wait.max.ms", 500);
	return member;
}

/* ------------------------------------------------------------------------
 * Partitions
 * ------------------------------------------------------------------------
 */

/* The topic's object is held, so that its address is a name. */
static MemberTopic *
add_topic(KafkaMember *member, const char *name)
{
	KafkaPlace	place = {.doing = "could not open the topic", .topic = name};
	MemoryContext old = MemoryContextSwitchTo(member->context);
	MemberTopic *topic;

	if (member->ntopics == member->max_topics)
	{
		member->max_topics = Max(8, member->max_topics * 2);
		member->topics = member->topics ?
			repalloc(member->topics, sizeof(MemberTopic) * member->max_topics) :
			palloc(sizeof(MemberTopic) * member->max_topics);
	}
	topic = &member->topics[member->ntopics];
	memset(topic, 0, sizeof(MemberTopic));
	topic->name = pstrdup(name);
	MemoryContextSwitchTo(old);
	topic->rkt = rd_kafka_topic_new(member->handle->rk, name, NULL);
	if (topic->rkt == NULL)
		kafka_error_throw(member->handle, rd_kafka_last_error(), NULL, &place);
	member->ntopics++;
	return topic;
}

static MemberTopic *
find_topic(const KafkaMember *member, const char *name)
{
	for (int i = 0; i < member->ntopics; i++)
		if (strcmp(member->topics[i].name, name) == 0)
			return &member->topics[i];
	return NULL;
}

static KafkaMemberPartition *
topic_partition(const MemberTopic *topic, int32 partition)
{
	return partition >= 0 && partition < topic->npartitions ? topic->partitions[partition] : NULL;
}

/* Made where it is new. */
static KafkaMemberPartition *
get_partition(KafkaMember *member, const char *name, int32 number)
{
	MemberTopic *topic = find_topic(member, name);
	MemoryContext old;

	if (topic == NULL)
		topic = add_topic(member, name);
	if (topic_partition(topic, number))
		return topic->partitions[number];
	old = MemoryContextSwitchTo(member->context);
	if (number >= topic->npartitions)
	{
		int			n = Max(number + 1, topic->npartitions * 2);
		Size		size = sizeof(KafkaMemberPartition *) * n;

		topic->partitions = topic->partitions ? repalloc(topic->partitions, size) : palloc(size);
		for (int i = topic->npartitions; i < n; i++)
			topic->partitions[i] = NULL;
		topic->npartitions = n;
	}
	topic->partitions[number] = palloc0(sizeof(KafkaMemberPartition));
	topic->partitions[number]->topic = topic->name;
	topic->partitions[number]->partition = number;
	topic->partitions[number]->position = KAFKA_UNKNOWN;
	topic->partitions[number]->fetched = KAFKA_UNKNOWN;
	MemoryContextSwitchTo(old);
	return topic->partitions[number];
}

/* Of a message: mostly of the same topic as the one before. */
static KafkaMemberPartition *
find_by_message(KafkaMember *member, const rd_kafka_message_t *rkm)
{
	if (rkm->rkt == NULL)
		return NULL;
	for (int i = 0; i < member->ntopics; i++)
	{
		int			turn = (member->last_topic + i) % member->ntopics;

		if (member->topics[turn].rkt == rkm->rkt)
		{
			member->last_topic = turn;
			return topic_partition(&member->topics[turn], rkm->partition);
		}
	}
	return NULL;
}

KafkaMemberPartition *
kafka_member_find(const KafkaMember *member, const char *topic, int32 partition)
{
	MemberTopic *found = find_topic(member, topic);
	KafkaMemberPartition *result = found ? topic_partition(found, partition) : NULL;

	return result && result->assigned ? result : NULL;
}

static int
compare_partitions(const void *a, const void *b)
{
	const KafkaMemberPartition *left = *(KafkaMemberPartition *const *) a;
	const KafkaMemberPartition *right = *(KafkaMemberPartition *const *) b;
	int			order = strcmp(left->topic, right->topic);

	return order != 0 ? order : (left->partition > right->partition) -
		(left->partition < right->partition);
}

KafkaMemberPartition **
kafka_member_partitions(const KafkaMember *member, int *n)
{
	KafkaMemberPartition **result;
	int			max = 0;

	for (int i = 0; i < member->ntopics; i++)
		max += member->topics[i].npartitions;
	result = palloc(sizeof(KafkaMemberPartition *) * Max(max, 1));
	*n = 0;
	for (int i = 0; i < member->ntopics; i++)
		for (int p = 0; p < member->topics[i].npartitions; p++)
			if (member->topics[i].partitions[p])
				result[(*n)++] = member->topics[i].partitions[p];
	qsort(result, *n, sizeof(KafkaMemberPartition *), compare_partitions);
	return result;
}

/* ------------------------------------------------------------------------
 * Assignments
 * ------------------------------------------------------------------------
 */
static rd_kafka_topic_partition_list_t *
make_list(KafkaMemberPartition **partitions, int n, bool with_positions)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		rd_kafka_topic_partition_t *row =
			rd_kafka_topic_partition_list_add(list, partitions[i]->topic,
											  partitions[i]->partition);

		Assert(!with_positions || partitions[i]->position >= 0);
		if (with_positions)
			row->offset = partitions[i]->position;
	}
	return list;
}

static bool
is_incremental(const KafkaMember *member)
{
	return !member->chosen &&
		strcmp(rd_kafka_rebalance_protocol(member->handle->rk), "COOPERATIVE") == 0;
}

const char *
kafka_member_protocol(const KafkaMember *member)
{
	const char *protocol = member->handle && !member->chosen ?
		rd_kafka_rebalance_protocol(member->handle->rk) : NULL;

	if (protocol == NULL || strcmp(protocol, "NONE") == 0)
		return NULL;
	return strcmp(protocol, "COOPERATIVE") == 0 ? "cooperative" : "eager";
}

/* error: of an incremental call, destroyed here */
static void
check_assign(KafkaMember *member, rd_kafka_error_t *error, rd_kafka_resp_err_t err)
{
	KafkaPlace	place = {.doing = "could not take the partitions"};

	if (error)
	{
		char		text[KAFKA_TEXT_SIZE];

		err = rd_kafka_error_code(error);
		strlcpy(text, rd_kafka_error_string(error), sizeof(text));
		rd_kafka_error_destroy(error);
		kafka_error_throw(member->handle, err, text, &place);
	}
	if (err)
		kafka_error_throw(member->handle, err, NULL, &place);
}

/* From here on librdkafka reads these at their positions. */
static void
note_started(KafkaMember *member, KafkaMemberPartition **partitions, int n)
{
	for (int i = 0; i < n; i++)
	{
		partitions[i]->assigned = true;
		partitions[i]->fetched = partitions[i]->position;
		partitions[i]->at_end = partitions[i]->heard_of = false;
		if (partitions[i]->paused)
			kafka_member_pause(member, partitions[i], true);
	}
}

static void
unassign_all(KafkaMember *member)
{
	check_assign(member, NULL, rd_kafka_assign(member->handle->rk, NULL));
	note_all_unassigned(member);
}

/* These and no others. */
static void
assign_all(KafkaMember *member, KafkaMemberPartition **partitions, int n)
{
	rd_kafka_topic_partition_list_t *list = make_list(partitions, n, true);
	rd_kafka_resp_err_t err = rd_kafka_assign(member->handle->rk, list);

	rd_kafka_topic_partition_list_destroy(list);
	check_assign(member, NULL, err);
	note_all_unassigned(member);
	note_started(member, partitions, n);
}

static void
assign_more(KafkaMember *member, KafkaMemberPartition **partitions, int n)
{
	rd_kafka_topic_partition_list_t *list = make_list(partitions, n, true);
	rd_kafka_error_t *error = rd_kafka_incremental_assign(member->handle->rk, list);

	rd_kafka_topic_partition_list_destroy(list);
	check_assign(member, error, RD_KAFKA_RESP_ERR_NO_ERROR);
	note_started(member, partitions, n);
}

static void
unassign(KafkaMember *member, KafkaMemberPartition **partitions, int n)
{
	rd_kafka_topic_partition_list_t *list = make_list(partitions, n, false);
	rd_kafka_error_t *error = rd_kafka_incremental_unassign(member->handle->rk, list);

	rd_kafka_topic_partition_list_destroy(list);
	check_assign(member, error, RD_KAFKA_RESP_ERR_NO_ERROR);
	for (int i = 0; i < n; i++)
		partitions[i]->assigned = false;
}

KafkaMemberPartition **
kafka_member_new_partitions(KafkaMember *member, int *n)
{
	const rd_kafka_topic_partition_list_t *list = member->rebalance;
	KafkaMemberPartition **result = palloc(sizeof(KafkaMemberPartition *) * Max(list->cnt, 1));

	*n = list->cnt;
	for (int i = 0; i < list->cnt; i++)
		result[i] = get_partition(member, list->elems[i].topic, list->elems[i].partition);
	qsort(result, *n, sizeof(KafkaMemberPartition *), compare_partitions);
	return result;
}

bool
kafka_member_must_accept(const KafkaMember *member)
{
	return member->rebalance != NULL;
}

bool
kafka_member_is_lost(const KafkaMember *member)
{
	return member->handle == NULL || rd_kafka_assignment_lost(member->handle->rk);
}

static void
accept_now(KafkaMember *member)
{
	int			n;
	KafkaMemberPartition **partitions = kafka_member_new_partitions(member, &n);

	if (!member->revokes)
	{
		if (is_incremental(member))
			assign_more(member, partitions, n);
		else
			assign_all(member, partitions, n);
	}
	else if (is_incremental(member))
		unassign(member, partitions, n);
	else
		unassign_all(member);
}

/* Gives everything back and joins anew. */
static void
rejoin(KafkaMember *member)
{
	rd_kafka_topic_partition_list_t *topics;

	rd_kafka_assign(member->handle->rk, NULL);
	note_all_unassigned(member);
	while (member->rebalance)
		forget_rebalance(member);
	if (member->chosen || rd_kafka_subscription(member->handle->rk, &topics))
		return;
	rd_kafka_unsubscribe(member->handle->rk);
	rd_kafka_subscribe(member->handle->rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
}

void
kafka_member_accept(KafkaMember *member)
{
	PG_TRY();
	{
		accept_now(member);
	}
	PG_CATCH();
	{
		/* the same call would fail with every poll */
		rejoin(member);
		PG_RE_THROW();
	}
	PG_END_TRY();
	forget_rebalance(member);
}

static bool
has_property(const KafkaMember *member, const char *name, const char *part)
{
	char		text[256];
	size_t		size = sizeof(text);
	rd_kafka_conf_res_t res = rd_kafka_conf_get(rd_kafka_conf(member->handle->rk), name, text,
												&size);

	return res == RD_KAFKA_CONF_OK && strstr(text, part) != NULL;
}

void
kafka_member_subscribe(KafkaMember *member, char **topics, int n)
{
	KafkaPlace	place = {.doing = "could not subscribe"};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	rd_kafka_resp_err_t err;

	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	member->handle->core->subscribed = true;
	member->handle->core->is_static = member->is_static;
	member->handle->core->fragile = KAFKA_RD_FRAGILE_STICKY() &&
		has_property(member, "partition.assignment.strategy", "sticky");
	err = rd_kafka_subscribe(member->handle->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (err)
		kafka_error_throw(member->handle, err, NULL, &place);
}

void
kafka_member_assign(KafkaMember *member, const char *topic, const int32 *partitions, int n)
{
	while (member->rebalance)
		forget_rebalance(member);
	free_ahead(member);
	member->chosen = true;
	member->revokes = false;
	if (member->ahead == NULL)
		member->ahead = MemoryContextAlloc(member->context, sizeof(rd_kafka_message_t *) * AHEAD);
	member->rebalance = rd_kafka_topic_partition_list_new(Max(n, 1));
	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(member->rebalance, topic, partitions[i]);
	/* in this order: the answer's leaders are then the topic object's, else it asks again in 1 s */
	if (find_topic(member, topic) == NULL)
		add_topic(member, topic);
	kafka_topic_introduce(member->handle, topic);
}

void
kafka_member_pause(KafkaMember *member, KafkaMemberPartition *partition, bool paused)
{
	rd_kafka_topic_partition_list_t *list;

	partition->paused = paused;
	if (!partition->assigned)
		return;
	list = make_list(&partition, 1, false);
	/* should this fail, messages that come are dropped, and read again when it is resumed */
	if (paused)
		rd_kafka_pause_partitions(member->handle->rk, list);
	else
		rd_kafka_resume_partitions(member->handle->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	/* what was dropped in the meantime, or skipped by librdkafka, is read again */
	if (!paused)
		partition->fetched = KAFKA_UNKNOWN;
	member->unsure = true;
}

/* ------------------------------------------------------------------------
 * librdkafka reads from where the caller is
 * ------------------------------------------------------------------------
 */
static bool
is_astray(const KafkaMemberPartition *partition)
{
	return partition->assigned && !partition->paused &&
		partition->fetched != partition->position;
}

/* All assigned ones, or those that are astray. */
static KafkaMemberPartition **
collect(const KafkaMember *member, bool astray, int *n)
{
	KafkaMemberPartition **partitions = kafka_member_partitions(member, n);
	int			kept = 0;

	for (int i = 0; i < *n; i++)
		if (astray ? is_astray(partitions[i]) : partitions[i]->assigned)
			partitions[kept++] = partitions[i];
	*n = kept;
	return partitions;
}

static void
align(KafkaMember *member)
{
	bool		incremental = is_incremental(member);
	int			n;
	KafkaMemberPartition **partitions = collect(member, incremental, &n);

	if (incremental)
	{
		unassign(member, partitions, n);
		assign_more(member, partitions, n);
	}
	else
		assign_all(member, partitions, n);
}

static bool
any_astray(const KafkaMember *member)
{
	for (int i = 0; i < member->ntopics; i++)
		for (int p = 0; p < member->topics[i].npartitions; p++)
			if (member->topics[i].partitions[p] && is_astray(member->topics[i].partitions[p]))
				return true;
	return false;
}

/* ------------------------------------------------------------------------
 * Events
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
throw_put_out(KafkaMember *member)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("the consumer group has gone on without this consumer"),
			 errdetail("It did not poll for %d ms, \"max.poll.interval.ms\".",
					   member->max_poll_ms),
			 errhint("The next poll joins again. Poll more often, take fewer messages at a time, "
					 "or raise \"max.poll.interval.ms\" in the options of kafka.subscribe.")));
}

/* An error in place of a message; returns where it can be waited out. */
static void
handle_error(KafkaMember *member, const rd_kafka_message_t *rkm)
{
	KafkaPlace	place = {.doing = "could not read from Kafka", .partition = rkm->partition};

	if (kafka_error_is_transient(rkm->err))
		return;
	if (rkm->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
		throw_put_out(member);
	/* librdkafka looks for the coordinator of every group */
	if (!member->grouped && (rkm->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED))
		return;
	if (rkm->rkt)
		place.topic = pstrdup(rd_kafka_topic_name(rkm->rkt));
	if (place.topic && place.topic[0] == '^')
		return;					/* a pattern that no topic matches yet */
	place.has_partition = place.topic && rkm->partition >= 0;
	kafka_error_throw(member->handle, rkm->err, rd_kafka_message_errstr(rkm), &place);
}

static KafkaMemberEventType
take_error(KafkaMember *member, KafkaMemberEvent *event)
{
	const rd_kafka_message_t *rkm = member->rkm;
	KafkaMemberPartition *partition = event->partition;
	bool		concerns = partition && partition->assigned && !is_astray(partition);

	if (rkm->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
	{
		if (!concerns || partition->paused || rkm->offset < partition->position)
			return KAFKA_MEMBER_NOTHING;
		partition->at_end = partition->heard_of = true;
		if (rkm->offset == partition->position)
			return KAFKA_MEMBER_NOTHING;
		partition->fetched = event->offset = rkm->offset;
		return KAFKA_MEMBER_END;
	}
	if (rkm->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
		rkm->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
	{
		/* one that comes late, from before it was assigned anew, tells nothing */
		if (!concerns)
			return KAFKA_MEMBER_NOTHING;
		partition->fetched = KAFKA_UNKNOWN; /* it has stopped */
		member->unsure = true;
		return KAFKA_MEMBER_MISSING;
	}
	handle_error(member, rkm);
	return KAFKA_MEMBER_NOTHING;
}

/* A message that is not handed out leaves its partition astray. */
static KafkaMemberEventType
take_message(KafkaMember *member, KafkaMemberEvent *event)
{
	const rd_kafka_message_t *rkm = member->rkm;
	KafkaMemberPartition *partition = event->partition;

	if (partition == NULL || !partition->assigned || rkm->offset < partition->position)
		return KAFKA_MEMBER_NOTHING;
	if (partition->paused || is_astray(partition))
	{
		partition->fetched = KAFKA_UNKNOWN;
		member->unsure = true;
		return KAFKA_MEMBER_NOTHING;
	}
	/* before anything can fail: if it does, the message is read again */
	partition->fetched = rkm->offset + 1;
	partition->at_end = false;
	partition->heard_of = true;
	kafka_message_fill(&member->filler, rkm, &event->msg);
	event->msg.topic = partition->topic;
	return KAFKA_MEMBER_MESSAGE;
}

static void
poke(KafkaMember *member)
{
	KafkaMemberPartition **partitions;
	rd_kafka_topic_partition_list_t *list;
	int			n;

	if (!kafka_poke_is_idle(&member->poke))
		return;
	partitions = collect(member, false, &n);
	if (n == 0)
		return;
	list = make_list(partitions, n, false);
	for (int i = 0; i < n; i++)
		list->elems[i].offset = RD_KAFKA_OFFSET_END;
	kafka_poke_send(&member->poke, member->handle, list);
	pfree(partitions);
}

/* What comes of one message, or error. */
static void
judge(KafkaMember *member, KafkaMemberEvent *event)
{
	event->type = KAFKA_MEMBER_NOTHING;
	if (member->rkm)
	{
		event->partition = find_by_message(member, member->rkm);
		event->type = member->rkm->err ? take_error(member, event) :
			take_message(member, event);
	}
	if (event->type == KAFKA_MEMBER_NOTHING && member->rebalance)
		event->type = member->revokes ? KAFKA_MEMBER_REVOKE : KAFKA_MEMBER_ASSIGN;
}

/* With a time-out librdkafka waits for a full array: so it is one message, or what is there. */
static rd_kafka_message_t *
next_ahead(KafkaMember *member, int wait_ms)
{
	ssize_t		n;

	if (member->next_ahead == member->nahead)
	{
		n = rd_kafka_consume_batch_queue(member->queue, wait_ms, member->ahead,
										 wait_ms > 0 ? 1 : AHEAD);
		member->next_ahead = 0;
		member->nahead = (int) Max(n, 0);
	}
	return member->next_ahead < member->nahead ? member->ahead[member->next_ahead++] : NULL;
}

/* True if librdkafka's queue had something, whatever it was worth. */
static bool
take(KafkaMember *member, int wait_ms, KafkaMemberEvent *event)
{
	free_message(member);
	if (member->rebalance == NULL)
		member->rkm = member->chosen ? next_ahead(member, wait_ms) :
			rd_kafka_consumer_poll(member->handle->rk, wait_ms);
	judge(member, event);
	return member->rkm != NULL;
}

/* librdkafka says so once and then falls silent. */
static void
check_fatal(KafkaMember *member)
{
	KafkaPlace	place = {.doing = "the consumer cannot go on"};
	char		text[KAFKA_TEXT_SIZE];
	rd_kafka_resp_err_t err = rd_kafka_fatal_error(member->handle->rk, text, sizeof(text));

	if (err)
		kafka_error_throw(member->handle, err, text, &place);
}

/* librdkafka has begun to read a partition and nothing was heard of it yet. */
static bool
any_unheard(const KafkaMember *member)
{
	for (int i = 0; i < member->ntopics; i++)
		for (int p = 0; p < member->topics[i].npartitions; p++)
		{
			const KafkaMemberPartition *partition = member->topics[i].partitions[p];

			if (partition && partition->assigned && !partition->paused && !partition->heard_of)
				return true;
		}
	return false;
}

/* The first thing of worth, in slices that let interrupts through. */
static void
poll_once(KafkaMember *member, int wait_ms, KafkaMemberEvent *event)
{
	KafkaPlace	place = {.doing = "could not read from Kafka"};
	KafkaWait	wait;
	int			slice = KAFKA_SLICE_MS;
	int			left;

	while (take(member, 0, event) && event->type == KAFKA_MEMBER_NOTHING)
		;
	if (event->type != KAFKA_MEMBER_NOTHING)
		return;
	check_fatal(member);
	if (wait_ms <= 0)
		return;
	kafka_wait_start(&wait, member->handle, &place, INT_MAX, "timeout");
	/* its thread may still sleep on the queue that was full before */
	if (member->poke.needed && any_unheard(member))
		slice = SHORT_SLICE_MS;
	for (;;)
	{
		kafka_wait_check(&wait);
		left = wait_ms - kafka_wait_elapsed(&wait);
		if (left <= 0)
			return;
		(void) take(member, Min(left, slice), event);
		if (event->type != KAFKA_MEMBER_NOTHING)
			return;
		if (slice == SHORT_SLICE_MS)
			poke(member);
		slice = KAFKA_SLICE_MS;
	}
}

/*
 * A rebalance that is there already comes before align(), and messages may be there before it.
 * They are read again: whoever loses one is astray.
 */
static void
drain(KafkaMember *member)
{
	KafkaMemberEvent event;

	event.partition = NULL;
	while (member->rebalance == NULL && take(member, 0, &event))
		if (event.partition && (event.type == KAFKA_MEMBER_MESSAGE ||
								event.type == KAFKA_MEMBER_END))
			event.partition->fetched = KAFKA_UNKNOWN;
	free_message(member);
}

void
kafka_member_positions_changed(KafkaMember *member)
{
	member->unsure = true;
}

void
kafka_member_next(KafkaMember *member, int wait_ms, KafkaMemberEvent *event)
{
	event->partition = NULL;
	if (member->unsure && member->rebalance == NULL && any_astray(member))
	{
		drain(member);
		if (member->rebalance == NULL)
			align(member);
	}
	if (member->rebalance == NULL)
		member->unsure = false;
	poll_once(member, wait_ms, event);
	if (event->type == KAFKA_MEMBER_MESSAGE && member->poke.needed &&
		++member->taken % POKE_EVERY == 0 &&
		kafka_poke_is_due(&member->poke, rd_kafka_queue_length(member->queue)))
		poke(member);
}

/* As the last fetch has told: no request.  A last offset that does not come is a marker. */
static bool
is_read_up(const KafkaMember *member, const KafkaMemberPartition *partition)
{
	int64_t		low;
	int64_t		high;

	return partition->at_end ||
		(rd_kafka_get_watermark_offsets(member->handle->rk, partition->topic,
										partition->partition, &low, &high) == 0 &&
		 high >= 0 && partition->position >= high - 1);
}

int64
kafka_member_end_offset(const KafkaMember *member, const KafkaMemberPartition *partition)
{
	int64_t		low;
	int64_t		high;

	if (partition->at_end)
		return partition->position;
	if (rd_kafka_get_watermark_offsets(member->handle->rk, partition->topic, partition->partition,
									   &low, &high) != 0 || high < 0)
		return KAFKA_UNKNOWN;
	return Max(high, partition->position);
}

int
kafka_member_linger_ms(KafkaMember *member)
{
	int			linger = 0;

	for (int i = 0; i < member->ntopics; i++)
		for (int p = 0; p < member->topics[i].npartitions; p++)
		{
			KafkaMemberPartition *partition = member->topics[i].partitions[p];

			if (partition == NULL || !partition->assigned || partition->paused)
				continue;
			if (!partition->heard_of)
				return LINGER_MS + member->fetch_wait_ms;
			if (!is_read_up(member, partition))
				linger = LINGER_MS;
		}
	return linger;
}
