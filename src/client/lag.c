/*-------------------------------------------------------------------------
 *
 * lag.c
 *	  How far consumer groups are behind.
 *
 * Layer 1.  Three questions, each for all groups and partitions at once: the groups' offsets,
 * their members, and the ends of the partitions; so three round trips, however many there
 * are, where the session has met the coordinators and topics before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/group_offsets.h"
#include "client/lag.h"
#include "client/partition_offsets.h"

/* The rows so far. */
typedef struct Rows
{
	KafkaLag   *rows;
	int			n;
	int			allocated;
} Rows;

static KafkaLag *
add_row(Rows *rows, const char *group_id)
{
	KafkaLag   *row;

	if (rows->n == rows->allocated)
	{
		rows->allocated = Max(64, rows->allocated * 2);
		rows->rows = rows->rows ?
			repalloc_huge(rows->rows, sizeof(KafkaLag) * rows->allocated) :
			MemoryContextAllocHuge(CurrentMemoryContext, sizeof(KafkaLag) * rows->allocated);
	}
	row = &rows->rows[rows->n++];
	memset(row, 0, sizeof(KafkaLag));
	row->group_id = group_id;
	row->committed = row->end = KAFKA_UNKNOWN;
	return row;
}

static int
compare_partitions(const char *topic, int32 partition, const char *other_topic, int32 other)
{
	int			order = strcmp(topic, other_topic);

	return order != 0 ? order : (partition > other) - (partition < other);
}

static int
compare_lags(const void *a, const void *b)
{
	const KafkaLag *left = (const KafkaLag *) a;
	const KafkaLag *right = (const KafkaLag *) b;

	return compare_partitions(left->topic, left->partition, right->topic, right->partition);
}

/* ------------------------------------------------------------------------
 * One group
 * ------------------------------------------------------------------------
 */
static void
add_committed(Rows *rows, const KafkaGroupOffsets *offsets)
{
	for (int i = 0; i < offsets->nrows; i++)
	{
		const KafkaCommitted *committed = &offsets->rows[i];
		KafkaLag   *row = add_row(rows, offsets->group_id);

		row->topic = committed->at.topic;
		row->partition = committed->at.partition;
		row->committed = committed->at.offset;
		row->error = committed->error;
		row->sqlstate = committed->sqlstate;
	}
}

static void
add_assigned(Rows *rows, const KafkaGroup *group)
{
	ListCell   *lc;

	foreach(lc, group->members)
	{
		const KafkaGroupMember *member = (const KafkaGroupMember *) lfirst(lc);

		for (int i = 0; i < member->npartitions; i++)
		{
			KafkaLag   *row = add_row(rows, group->group_id);

			row->topic = member->assignment[i].topic;
			row->partition = member->assignment[i].partition;
			row->member = member;
		}
	}
}

/* Rows of one partition become one: it has an offset, and somebody has it. */
static void
merge_rows(Rows *rows, int first)
{
	int			last = first;

	qsort(rows->rows + first, rows->n - first, sizeof(KafkaLag), compare_lags);
	for (int i = first + 1; i < rows->n; i++)
	{
		KafkaLag   *kept = &rows->rows[last];
		const KafkaLag *row = &rows->rows[i];

		if (compare_lags(kept, row) != 0)
		{
			rows->rows[++last] = *row;
			continue;
		}
		if (row->member)
			kept->member = row->member;
		if (row->committed != KAFKA_UNKNOWN)
			kept->committed = row->committed;
		if (row->error)
		{
			kept->error = row->error;
			kept->sqlstate = row->sqlstate;
		}
	}
	if (rows->n > first)
		rows->n = last + 1;
}

static void
add_group(Rows *rows, const KafkaGroup *group, const KafkaGroupOffsets *offsets)
{
	int			first = rows->n;

	add_committed(rows, offsets);
	add_assigned(rows, group);
	merge_rows(rows, first);
	if (offsets->error)
	{
		KafkaLag   *row = add_row(rows, group->group_id);

		row->error = offsets->error;
		row->sqlstate = offsets->sqlstate;
	}
	else if (group->error)
	{
		KafkaLag   *row = add_row(rows, group->group_id);

		row->error = group->error;
		row->sqlstate = group->sqlstate;
	}
}

/* ------------------------------------------------------------------------
 * Ends
 * ------------------------------------------------------------------------
 */
static int
compare_ends(const void *a, const void *b)
{
	const KafkaPartitionOffset *left = (const KafkaPartitionOffset *) a;
	const KafkaPartitionOffset *right = (const KafkaPartitionOffset *) b;

	return compare_partitions(left->topic, left->partition, right->topic, right->partition);
}

/* Several groups may read one partition: it is asked about once. */
static KafkaPartitionOffset *
list_partitions(const Rows *rows, int *n)
{
	KafkaPartitionOffset *ends =
		MemoryContextAllocHuge(CurrentMemoryContext,
							   sizeof(KafkaPartitionOffset) * Max(rows->n, 1));
	int			count = 0;

	*n = 0;
	for (int i = 0; i < rows->n; i++)
		if (rows->rows[i].topic)
			ends[count++] = (KafkaPartitionOffset)
		{
			.topic = rows->rows[i].topic, .partition = rows->rows[i].partition,
			.time = KAFKA_TIME_LATEST
		};
	qsort(ends, count, sizeof(KafkaPartitionOffset), compare_ends);
	for (int i = 0; i < count; i++)
		if (i == 0 || compare_ends(&ends[i], &ends[*n - 1]) != 0)
			ends[(*n)++] = ends[i];
	return ends;
}

static void
add_ends(const KafkaOptions *opts, Rows *rows)
{
	int			n;
	KafkaPartitionOffset *ends = list_partitions(rows, &n);

	kafka_partition_offsets(opts, ends, n);
	for (int i = 0; i < rows->n; i++)
	{
		KafkaLag   *row = &rows->rows[i];
		KafkaPartitionOffset key = {.topic = row->topic, .partition = row->partition};
		const KafkaPartitionOffset *end;

		if (row->topic == NULL)
			continue;
		end = bsearch(&key, ends, n, sizeof(KafkaPartitionOffset), compare_ends);
		Assert(end != NULL);
		row->end = end->offset;
		if (row->error == NULL)
		{
			row->error = end->error;
			row->sqlstate = end->sqlstate;
		}
	}
}

KafkaLag *
kafka_lag(const KafkaOptions *opts, char **group_ids, int n, int *nrows)
{
	KafkaGroupOffsets *offsets = kafka_group_offsets(opts, group_ids, n);
	KafkaGroup *groups = kafka_groups_describe(opts, group_ids, n);
	Rows		rows = {0};

	for (int i = 0; i < n; i++)
		add_group(&rows, &groups[i], &offsets[i]);
	add_ends(opts, &rows);
	*nrows = rows.n;
	return rows.rows;
}
