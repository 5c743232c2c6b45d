/*-------------------------------------------------------------------------
 *
 * outgoing.c
 *	  Where the messages of this transaction go.
 *
 * Layer 3.  A transaction may send to several topics through several servers, as several
 * users and in several modes.  Each server, user and mode is a group, which becomes one
 * Kafka transaction when PostgreSQL's ends.  Pending messages hold their destination's
 * number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/property.h"
#include "transaction/outgoing.h"
#include "utils/memutils.h"

static List *groups;
static List *destinations;

static KafkaSendGroup *
find_group(const KafkaOptions *opts, KafkaDeliveryMode mode)
{
	ListCell   *lc;
	KafkaSendGroup *group;

	foreach(lc, groups)
	{
		group = (KafkaSendGroup *) lfirst(lc);
		if (group->opts->serverid == opts->serverid && group->opts->userid == opts->userid &&
			group->mode == mode)
			return group;
	}
	group = palloc0(sizeof(KafkaSendGroup));
	group->opts = kafka_options_of_server(opts->serverid, opts->userid);
	group->mode = mode;
	groups = lappend(groups, group);
	return group;
}

KafkaSendGroup *
kafka_outgoing_group(const KafkaOptions *opts, KafkaDeliveryMode mode)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	KafkaSendGroup *group = find_group(opts, mode);

	MemoryContextSwitchTo(old);
	return group;
}

static bool
is_destination(const KafkaDestination *destination, const KafkaOptions *opts,
			   const char *topic, KafkaDeliveryMode mode)
{
	const KafkaSendGroup *group = destination->group;

	return group->mode == mode && group->opts->serverid == opts->serverid &&
		group->opts->userid == opts->userid &&
		destination->partitioner == (KafkaPartitioner) opts->partitioner &&
		strcmp(destination->topic, topic) == 0;
}

/* -1: it is new.  Latest first: who sends row by row sends to the same again. */
static int
find_destination(const KafkaOptions *opts, const char *topic, KafkaDeliveryMode mode)
{
	int			number = list_length(destinations) - 1;

	while (number >= 0 && !is_destination(list_nth(destinations, number), opts, topic, mode))
		number--;
	return number;
}

int
kafka_outgoing_destination(const KafkaOptions *opts, const char *topic, int32 npartitions,
						   KafkaDeliveryMode mode)
{
	int			number = find_destination(opts, topic, mode);
	KafkaDestination *destination;
	MemoryContext old;

	/* options that this mode cannot honour are the statement's error */
	if (number < 0 || kafka_property_has_tables(opts))
		(void) kafka_property_collect(opts, KAFKA_ROLE_TRANSACTIONAL);
	if (number >= 0)
	{
		kafka_outgoing_at(number)->npartitions = npartitions;
		return number;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	destination = palloc0(sizeof(KafkaDestination));
	destination->group = find_group(opts, mode);
	destination->topic = pstrdup(topic);
	destination->npartitions = npartitions;
	destination->partitioner = opts->partitioner;
	destinations = lappend(destinations, destination);
	MemoryContextSwitchTo(old);
	return list_length(destinations) - 1;
}

KafkaDestination *
kafka_outgoing_at(int number)
{
	return (KafkaDestination *) list_nth(destinations, number);
}

List *
kafka_outgoing_groups(void)
{
	return groups;
}

void
kafka_outgoing_forget(void)
{
	groups = NIL;
	destinations = NIL;
}
