/*-------------------------------------------------------------------------
 *
 * outbox_drop.c
 *	  kafka.drop_outbox, and kafka.outbox_discard for a single row.
 *
 * Layer 3.  An outbox is dropped when nobody writes rows, so that none is left behind.  Who waits
 * for that holds nothing meanwhile and stands in no queue: else everybody who sends would wait
 * behind him, for as long as the longest transaction takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "sql/common.h"
#include "sql/outbox_columns.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Parts of kafka.outbox_row. */
#define ROW_TABLES 4

/* A relation that has to be locked. */
typedef struct Wanted
{
	Oid			relid;
	LOCKMODE	mode;
} Wanted;

/* ------------------------------------------------------------------------
 * Who may
 * ------------------------------------------------------------------------
 */
static bool
has_table(const KafkaOutboxSource *source)
{
	return OidIsValid(source->relid) && get_rel_name(source->relid) != NULL;
}

/* The owner of its table, or, where that is gone, who was it when the outbox was made. */
static bool
owns_source(const KafkaOutboxSource *source)
{
	Oid			owner;

	if (has_table(source))
		return KAFKA_OWNS_TABLE(source->relid, GetUserId());
	owner = source->owner ? get_role_oid(source->owner, true) : InvalidOid;
	return OidIsValid(owner) && has_privs_of_role(GetUserId(), owner);
}

/* He may, and who has the privileges of the owner of outbox_definition. */
static void
check_dropper(const KafkaOutboxSource *source)
{
	if (has_privs_of_role(GetUserId(), kafka_query_owner()) || owns_source(source))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to drop outbox \"%s\"", source->outbox.name),
			 errhint("The owner of its table, or of the extension, may do it.")));
}

/* ------------------------------------------------------------------------
 * Locks
 * ------------------------------------------------------------------------
 */
static List *
want(List *wanted, Oid relid, LOCKMODE mode)
{
	Wanted	   *one = palloc(sizeof(Wanted));

	one->relid = relid;
	one->mode = mode;
	return lappend(wanted, one);
}

/* The table with its partitions, which lose the trigger, and the parts of kafka.outbox_row. */
static List *
wanted_locks(const KafkaOutboxSource *source)
{
	Oid			namespace = get_namespace_oid("kafka", false);
	List	   *wanted = NIL;
	ListCell   *lc;

	if (has_table(source))
		foreach(lc, find_all_inheritors(source->relid, NoLock, NULL))
			wanted = want(wanted, lfirst_oid(lc), AccessExclusiveLock);
	for (int i = 0; i < ROW_TABLES; i++)
		wanted = want(wanted, get_relname_relid(psprintf("outbox_row_%d", i), namespace), ShareLock);
	return wanted;
}

/* The first `count` of them. */
static void
unlock(List *wanted, int count)
{
	for (int i = 0; i < count; i++)
	{
		const Wanted *one = (const Wanted *) list_nth(wanted, i);

		UnlockRelationOid(one->relid, one->mode);
	}
}

/* All of them or none; NULL, or one that somebody else has. */
static const Wanted *
lock(List *wanted)
{
	ListCell   *lc;

	foreach(lc, wanted)
	{
		const Wanted *one = (const Wanted *) lfirst(lc);

		if (ConditionalLockRelationOid(one->relid, one->mode))
			continue;
		unlock(wanted, foreach_current_index(lc));
		return one;
	}
	return NULL;
}

/* Waits for the transactions that have it now to end, prepared ones too; deadlocks are noticed. */
static void
wait_for_holders(const Wanted *one)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, one->relid);
	WaitForLockers(tag, one->mode, false);
	CHECK_FOR_INTERRUPTS();
}

/* The outbox, when nobody writes into it: who comes now waits for the end of this transaction. */
static KafkaOutboxSource *
lock_outbox(const char *name)
{
	for (;;)
	{
		KafkaOutboxSource *source = kafka_outbox_source(name);
		List	   *wanted;
		const Wanted *taken;
		int32		id = source->outbox.id;

		check_dropper(source);
		wanted = wanted_locks(source);
		if ((taken = lock(wanted)) != NULL)
		{
			wait_for_holders(taken);
			continue;
		}
		/* what was true before may have changed until then */
		source = kafka_outbox_source(name);
		check_dropper(source);
		if (source->outbox.id == id)
			return source;
		unlock(wanted, list_length(wanted));
	}
}

/* ------------------------------------------------------------------------
 * drop_outbox
 * ------------------------------------------------------------------------
 */
static void
drop_trigger(Oid relid)
{
	const char *command = psprintf("DROP TRIGGER IF EXISTS " KAFKA_OUTBOX_TRIGGER " ON %s",
								   kafka_table_qualified_name(relid));
	int			rc = SPI_execute(command, false, 0);

	if (rc != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\": %s", command, SPI_result_code_string(rc));
}

static int64
count_unpublished(int32 outbox)
{
	static KafkaQuery query = {
		.text = "SELECT b.messages FROM kafka.outbox_backlog($1) b",
		.nargs = 1,
		.types = {INT4OID}
	};
	Datum		value = Int32GetDatum(outbox);
	bool		isnull;

	(void) kafka_query_look(&query, &value, NULL);
	return DatumGetInt64(kafka_query_value(1, &isnull));
}

static void
check_unpublished(const KafkaOutbox *outbox)
{
	int64		rows = count_unpublished(outbox->id);

	if (rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("outbox \"%s\" has messages that are not published", outbox->name),
				 errdetail_plural(INT64_FORMAT " message waits.", INT64_FORMAT " messages wait.",
								  (unsigned long) rows, rows),
				 errhint("Let its relay publish them first, or pass \"force\" => true, which "
						 "deletes them.")));
}

static void
run_on_outbox(KafkaQuery *query, int32 outbox)
{
	Datum		value = Int32GetDatum(outbox);

	(void) kafka_query_run(query, &value, NULL);
}

static void
delete_outbox(int32 outbox)
{
	static KafkaQuery queries[] = {
		{.text = "DELETE FROM kafka.outbox_row r WHERE r.outbox OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}},
		{.text = "DELETE FROM kafka.outbox_tick t WHERE t.outbox OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}},
		{.text = "DELETE FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}},
		{.text = "DELETE FROM kafka.outbox_definition d WHERE d.id OPERATOR(pg_catalog.=) $1",
		.nargs = 1,.types = {INT4OID}}
	};

	for (size_t i = 0; i < lengthof(queries); i++)
		run_on_outbox(&queries[i], outbox);
	kafka_outbox_changed();
}

PG_FUNCTION_INFO_V1(kafka_drop_outbox);

Datum
kafka_drop_outbox(PG_FUNCTION_ARGS)
{
	const char *name = kafka_sql_text(fcinfo, 0, "outbox");
	bool		force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	KafkaOutboxSource *source;

	PreventCommandIfReadOnly("kafka.drop_outbox()");
	source = lock_outbox(name);
	SPI_connect();
	if (has_table(source))
		drop_trigger(source->relid);
	if (!force)
		check_unpublished(&source->outbox);
	delete_outbox(source->outbox.id);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * outbox_discard
 * ------------------------------------------------------------------------
 */

/* If it is not published, as kafka.outbox has it. */
static bool
delete_row(int32 outbox, int64 id)
{
	static KafkaQuery query = {
		.text = "WITH a AS MATERIALIZED (SELECT o.snapshot FROM kafka.outbox_acknowledged($1) o) "
		"DELETE FROM kafka.outbox_row r WHERE r.outbox OPERATOR(pg_catalog.=) $1 "
		"AND r.id OPERATOR(pg_catalog.=) $2 "
		"AND (r.xid OPERATOR(pg_catalog.=) '0'::pg_catalog.xid8 OR NOT COALESCE("
		"(SELECT pg_catalog.pg_visible_in_snapshot(r.xid, a.snapshot) FROM a), false))",
		.nargs = 2,
		.types = {INT4OID, INT8OID}
	};
	Datum		values[2];

	values[0] = Int32GetDatum(outbox);
	values[1] = Int64GetDatum(id);
	return kafka_query_run(&query, values, NULL) > 0;
}

PG_FUNCTION_INFO_V1(kafka_outbox_discard);

/* kafka.outbox_discard(outbox, id) */
Datum
kafka_outbox_discard(PG_FUNCTION_ARGS)
{
	const char *name = kafka_sql_text(fcinfo, 0, "outbox");
	bool		deleted;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"id\" must not be NULL")));
	PreventCommandIfReadOnly("kafka.outbox_discard()");
	SPI_connect();
	deleted = delete_row(kafka_outbox_find(name, false)->id, PG_GETARG_INT64(1));
	SPI_finish();
	if (deleted)
		kafka_outbox_changed(); /* the relay looks at COMMIT */
	PG_RETURN_BOOL(deleted);
}
