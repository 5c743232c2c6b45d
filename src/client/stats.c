/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  What this session has done with each server, in numbers.
 *
 * Layer 1.  Plain counters in the backend's own memory: counting takes no lock and costs an
 * addition.  A handle points to its server's and user's, so that nothing is looked up while
 * messages are sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/stats.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

static List *all_stats;

KafkaStats *
kafka_stats_of(const KafkaOptions *opts)
{
	ListCell   *lc;
	KafkaStats *stats;
	MemoryContext old;

	foreach(lc, all_stats)
	{
		stats = (KafkaStats *) lfirst(lc);
		if (stats->serverid == opts->serverid && stats->userid == opts->userid)
			return stats;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	stats = palloc0(sizeof(KafkaStats));
	stats->serverid = opts->serverid;
	stats->userid = opts->userid;
	all_stats = lappend(all_stats, stats);
	MemoryContextSwitchTo(old);
	return stats;
}

List *
kafka_stats_list(void)
{
	return all_stats;
}

void
kafka_stats_reset(void)
{
	ListCell   *lc;

	foreach(lc, all_stats)
		memset(((KafkaStats *) lfirst(lc))->counters, 0, sizeof(((KafkaStats *) 0)->counters));
}
