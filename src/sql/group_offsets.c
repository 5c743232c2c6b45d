/*-------------------------------------------------------------------------
 *
 * group_offsets.c
 *	  kafka.group_offsets, alter_group_offsets, delete_group_offsets.
 *
 * Layer 3.  Administration acts at once and is not undone by ROLLBACK.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "client/group_offsets.h"
#include "client/groups.h"
#include "client/partition_offsets.h"
#include "client/topic.h"
#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/compat.h"
#include "sql/arguments.h"
#include "sql/common.h"
#include "sql/target.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

static void
set_offset(Datum *values, bool *nulls, int column, int64 offset)
{
	nulls[column] = offset == KAFKA_UNKNOWN;
	values[column] = Int64GetDatum(offset);
}

/* ------------------------------------------------------------------------
 * group_offsets
 * ------------------------------------------------------------------------
 */
/* No offsets: because there is no such group? */
static void
require_group(const KafkaOptions *opts, char *group_id)
{
	KafkaGroup *group = kafka_groups_describe(opts, &group_id, 1);

	if (group->sqlstate == ERRCODE_UNDEFINED_OBJECT)
		kafka_group_throw(group_id, "could not describe consumer group", group->error,
						  group->sqlstate);
}

static bool
is_wanted(const char *topic, char **topics, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(topic, topics[i]) == 0)
			return true;
	return topics == NULL;
}

static KafkaGroupOffsets *
read_offsets(const KafkaOptions *opts, char *group_id)
{
	KafkaGroupOffsets *offsets = kafka_group_offsets(opts, &group_id, 1);

	if (offsets->error)
		kafka_group_throw(group_id, "could not read the offsets of consumer group",
						  offsets->error, offsets->sqlstate);
	return offsets;
}

PG_FUNCTION_INFO_V1(kafka_group_offsets_rows);

/* (group_id, topics, server): a row (topic, partition, offset, metadata, error) for each. */
Datum
kafka_group_offsets_rows(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 2);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	int			ntopics = 0;
	char	  **topics = PG_ARGISNULL(1) ? NULL :
		kafka_sql_names(fcinfo, 1, "topics", &ntopics);
	KafkaGroupOffsets *offsets;

	for (int i = 0; i < ntopics; i++)
		kafka_topic_check_name(topics[i]);
	offsets = read_offsets(opts, group_id);
	if (offsets->nrows == 0)
		require_group(opts, group_id);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < offsets->nrows; i++)
	{
		const KafkaCommitted *row = &offsets->rows[i];
		Datum		values[5] = {0};
		bool		nulls[5] = {false};

		if (!is_wanted(row->at.topic, topics, ntopics))
			continue;
		kafka_sql_set_text(values, nulls, 0, row->at.topic);
		values[1] = Int32GetDatum(row->at.partition);
		set_offset(values, nulls, 2, row->at.offset);
		kafka_sql_set_text(values, nulls, 3, row->at.metadata);
		kafka_sql_set_text(values, nulls, 4, row->error);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * alter_group_offsets
 * ------------------------------------------------------------------------
 */
/* So many offsets that were brought within bounds are told one by one. */
#define SHOWN_CLAMPED 10

/* One partition's change.  to.at.offset: what is wanted, then what is set. */
typedef struct Change
{
	KafkaCommitted to;
	int64		old;			/* KAFKA_UNKNOWN: there was none */
} Change;

static KafkaPartitionOffset *
ask_offsets(const KafkaOptions *opts, const Change *changes, int n, int64 time)
{
	KafkaPartitionOffset *rows = palloc0(sizeof(KafkaPartitionOffset) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		rows[i].topic = changes[i].to.at.topic;
		rows[i].partition = changes[i].to.at.partition;
		rows[i].time = time;
	}
	kafka_partition_offsets(opts, rows, n);
	return rows;
}

/* A note of an offset that is not taken as it was wanted; the first few are told one by one. */
static void
note_clamped(StringInfo notes, int count, const KafkaGroupOffset *at, int64 wanted)
{
	if (count < SHOWN_CLAMPED)
		appendStringInfo(notes, "%sTopic \"%s\", partition %d: " INT64_FORMAT " became "
						 INT64_FORMAT ".", notes->len > 0 ? "\n" : "", at->topic, at->partition,
						 wanted, at->offset);
	else if (count == SHOWN_CLAMPED)
		appendStringInfoString(notes, "\n...");
}

/* What is wanted is brought within what the partition has. */
static void
clamp_changes(const KafkaOptions *opts, Change *changes, int n)
{
	KafkaPartitionOffset *lows = ask_offsets(opts, changes, n, KAFKA_TIME_EARLIEST);
	KafkaPartitionOffset *ends = ask_offsets(opts, changes, n, KAFKA_TIME_LATEST);
	StringInfoData notes;
	int			clamped = 0;

	initStringInfo(&notes);
	for (int i = 0; i < n; i++)
	{
		KafkaCommitted *to = &changes[i].to;
		const KafkaPartitionOffset *failed = lows[i].error ? &lows[i] : &ends[i];
		int64		wanted = to->at.offset;

		if (to->error == NULL && failed->error)
		{
			to->error = failed->error;
			to->sqlstate = failed->sqlstate;
		}
		if (to->error)
			continue;
		to->at.offset = Min(Max(wanted, lows[i].offset), ends[i].offset);
		if (to->at.offset != wanted)
			note_clamped(&notes, clamped++, &to->at, wanted);
	}
	if (clamped > 0)
		ereport(NOTICE,
				(errmsg_plural("%d offset was outside of its partition and is brought within it",
							   "%d offsets were outside of their partitions and are brought "
							   "within them", clamped, clamped),
				 errdetail_internal("%s", notes.data)));
}

static void
fill_old_offsets(const KafkaGroupOffsets *offsets, Change *changes, int n)
{
	for (int i = 0; i < n; i++)
	{
		changes[i].old = KAFKA_UNKNOWN;
		for (int j = 0; j < offsets->nrows; j++)
			if (offsets->rows[j].at.partition == changes[i].to.at.partition &&
				strcmp(offsets->rows[j].at.topic, changes[i].to.at.topic) == 0)
				changes[i].old = offsets->rows[j].at.offset;
	}
}

/* A dry run is refused where the real one would be. */
static void
refuse_members(const KafkaOptions *opts, char *group_id)
{
	KafkaGroup *group = kafka_groups_describe(opts, &group_id, 1);

	if (group->members != NIL)
		kafka_group_throw(group_id, "could not alter the offsets of consumer group",
						  "the group is not empty", ERRCODE_OBJECT_IN_USE);
}

/* Raises where all were refused because the group has members. */
static void
apply_changes(const KafkaOptions *opts, const char *group_id, Change *changes, int n)
{
	KafkaCommitted *rows = palloc(sizeof(KafkaCommitted) * Max(n, 1));
	int			count = 0;
	int			in_use = 0;

	for (int i = 0; i < n; i++)
		if (changes[i].to.error == NULL)
			rows[count++] = changes[i].to;
	if (count == 0)
		return;
	kafka_group_offsets_alter(opts, group_id, rows, count);
	for (int i = 0; i < count; i++)
		in_use += rows[i].sqlstate == ERRCODE_OBJECT_IN_USE ? 1 : 0;
	if (in_use == count)
		kafka_group_throw(group_id, "could not alter the offsets of consumer group",
						  rows[0].error, rows[0].sqlstate);
	count = 0;
	for (int i = 0; i < n; i++)
		if (changes[i].to.error == NULL)
			changes[i].to = rows[count++];
}

/* The end of both forms: brings the changes within bounds, makes them, returns them. */
static Datum
alter_offsets(FunctionCallInfo fcinfo, const KafkaOptions *opts, char *group_id,
			  Change *changes, int n, bool dry_run)
{
	clamp_changes(opts, changes, n);
	if (dry_run)
		refuse_members(opts, group_id);
	else
		apply_changes(opts, group_id, changes, n);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		const KafkaCommitted *to = &changes[i].to;
		Datum		values[5] = {0};
		bool		nulls[5] = {false};

		kafka_sql_set_text(values, nulls, 0, to->at.topic);
		values[1] = Int32GetDatum(to->at.partition);
		set_offset(values, nulls, 2, changes[i].old);
		set_offset(values, nulls, 3, to->error ? KAFKA_UNKNOWN : to->at.offset);
		kafka_sql_set_text(values, nulls, 4, to->error);
		kafka_sql_put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* The topic's partitions, or (not NULL) the one that is asked for. */
static Change *
list_changes(const KafkaOptions *opts, const char *topic, const int32 *partition, int *n)
{
	int32		npartitions = kafka_topic_partitions(opts, topic, false, false);
	Change	   *changes;

	if (partition && (*partition < 0 || *partition >= npartitions))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("topic \"%s\" has no partition %d", topic, *partition),
				 errhint("It has the partitions 0 to %d.", npartitions - 1)));
	*n = partition ? 1 : npartitions;
	changes = palloc0(sizeof(Change) * *n);
	for (int i = 0; i < *n; i++)
	{
		changes[i].to.at.topic = topic;
		changes[i].to.at.partition = partition ? *partition : i;
	}
	return changes;
}

/* Where messages are not that late, the end is meant. */
static void
aim_at_target(const KafkaOptions *opts, Change *changes, int n, char *text)
{
	KafkaPlaceTarget target = kafka_sql_parse_target(text);
	KafkaPartitionOffset *found;

	for (int i = 0; target.is_offset && i < n; i++)
		changes[i].to.at.offset = target.offset;
	if (target.is_offset)
		return;
	found = ask_offsets(opts, changes, n, target.time);
	for (int i = 0; i < n; i++)
		if (found[i].error == NULL && found[i].offset == KAFKA_UNKNOWN)
			changes[i].to.at.offset =
				ask_offsets(opts, &changes[i], 1, KAFKA_TIME_LATEST)->offset;
		else
		{
			changes[i].to.at.offset = found[i].offset;
			changes[i].to.error = found[i].error;
			changes[i].to.sqlstate = found[i].sqlstate;
		}
}

static void
aim_by_shift(Change *changes, int n, int64 shift)
{
	for (int i = 0; i < n; i++)
		if (changes[i].old == KAFKA_UNKNOWN)
		{
			changes[i].to.error = "the group has no offset that could be shifted";
			changes[i].to.sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		}
		else if (pg_add_s64_overflow(changes[i].old, shift, &changes[i].to.at.offset))
			changes[i].to.at.offset = shift < 0 ? 0 : PG_INT64_MAX;
}

PG_FUNCTION_INFO_V1(kafka_alter_group_offsets);

/*
 * (group_id, topic, partition, target, shift, dry_run, server): a row (topic, partition,
 * old_offset, new_offset, error) for each.
 */
Datum
kafka_alter_group_offsets(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 6);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	char	   *topic = kafka_sql_text(fcinfo, 1, "topic");
	int32		partition = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	bool		dry_run = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	Change	   *changes;
	int			n;

	if (PG_ARGISNULL(3) == PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("one of the arguments \"target\" and \"shift\" must be given"),
				 errhint("A target is 'earliest', 'latest', a number or a timestamp; a shift is "
						 "a number of offsets to go forward, or back if it is negative.")));
	changes = list_changes(opts, topic, PG_ARGISNULL(2) ? NULL : &partition, &n);
	fill_old_offsets(read_offsets(opts, group_id), changes, n);
	if (PG_ARGISNULL(3))
		aim_by_shift(changes, n, PG_GETARG_INT64(4));
	else
		aim_at_target(opts, changes, n, kafka_sql_text(fcinfo, 3, "target"));
	return alter_offsets(fcinfo, opts, group_id, changes, n, dry_run);
}

PG_FUNCTION_INFO_V1(kafka_alter_group_offsets_list);

/* (group_id, offsets, dry_run, server): as above. */
Datum
kafka_alter_group_offsets_list(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 3);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	bool		dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	int			n;
	KafkaGroupOffset *offsets = kafka_sql_offsets(fcinfo, 1, &n);
	Change	   *changes = palloc0(sizeof(Change) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		kafka_topic_check_name(offsets[i].topic);
		if (offsets[i].partition < 0 || offsets[i].offset < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("partitions and offsets of argument \"offsets\" must not be "
							"negative")));
		changes[i].to.at = offsets[i];
	}
	fill_old_offsets(read_offsets(opts, group_id), changes, n);
	return alter_offsets(fcinfo, opts, group_id, changes, n, dry_run);
}

/* ------------------------------------------------------------------------
 * delete_group_offsets
 * ------------------------------------------------------------------------
 */
static int32 *
partition_argument(FunctionCallInfo fcinfo, int argno, int *n)
{
	Datum	   *elems;
	bool	   *nulls;
	int32	   *partitions;

	*n = 0;
	if (PG_ARGISNULL(argno))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argno), INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &elems, &nulls, n);
	partitions = palloc(sizeof(int32) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an element of argument \"partitions\" is NULL")));
		partitions[i] = DatumGetInt32(elems[i]);
	}
	return partitions;
}

/* The rows of the group's offsets in the topic, of these partitions or (NULL) of all. */
static KafkaCommitted *
choose_rows(const KafkaGroupOffsets *offsets, const char *topic, const int32 *partitions,
			int npartitions, int *n)
{
	KafkaCommitted *chosen = palloc(sizeof(KafkaCommitted) * Max(offsets->nrows, 1));

	*n = 0;
	for (int i = 0; i < offsets->nrows; i++)
	{
		bool		wanted = partitions == NULL;

		for (int j = 0; j < npartitions; j++)
			wanted |= partitions[j] == offsets->rows[i].at.partition;
		if (wanted && strcmp(offsets->rows[i].at.topic, topic) == 0)
			chosen[(*n)++] = offsets->rows[i];
	}
	return chosen;
}

static void
put_deleted(FunctionCallInfo fcinfo, const char *topic, int32 partition,
			const KafkaCommitted *row)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false};
	const char *error = row ? row->error : "the group has no offset there";

	kafka_sql_set_text(values, nulls, 0, topic);
	values[1] = Int32GetDatum(partition);
	set_offset(values, nulls, 2, row ? row->at.offset : KAFKA_UNKNOWN);
	kafka_sql_set_text(values, nulls, 3, error);
	kafka_sql_put_row(fcinfo, values, nulls);
}

static const KafkaCommitted *
find_row(const KafkaCommitted *rows, int n, int32 partition)
{
	for (int i = 0; i < n; i++)
		if (rows[i].at.partition == partition)
			return &rows[i];
	return NULL;
}

PG_FUNCTION_INFO_V1(kafka_delete_group_offsets);

/* (group_id, topic, partitions, server): a row (topic, partition, old_offset, error) for each. */
Datum
kafka_delete_group_offsets(PG_FUNCTION_ARGS)
{
	KafkaOptions *opts = kafka_sql_server(fcinfo, 3);
	char	   *group_id = kafka_sql_group(fcinfo, 0);
	char	   *topic = kafka_sql_text(fcinfo, 1, "topic");
	int			npartitions;
	int32	   *partitions = partition_argument(fcinfo, 2, &npartitions);
	KafkaGroupOffsets *offsets;
	KafkaCommitted *rows;
	int			n;

	kafka_topic_check_name(topic);
	offsets = read_offsets(opts, group_id);
	if (offsets->nrows == 0)
		require_group(opts, group_id);
	rows = choose_rows(offsets, topic, partitions, npartitions, &n);
	if (n > 0)
		kafka_group_offsets_delete(opts, group_id, rows, n);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; partitions == NULL && i < n; i++)
		put_deleted(fcinfo, topic, rows[i].at.partition, &rows[i]);
	for (int i = 0; i < npartitions; i++)
		put_deleted(fcinfo, topic, partitions[i], find_row(rows, n, partitions[i]));
	return (Datum) 0;
}
