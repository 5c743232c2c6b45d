/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  The outboxes of this database: kafka.outbox_definition.
 *
 * Layer 3.  There are few of them, so the table is read whole, with a snapshot of its own: an
 * outbox that another session has made since this transaction began is found under REPEATABLE
 * READ too, and nobody needs SPI for it.
 *
 * Which outbox a sender's messages go to is remembered in the session.  Whoever changes the
 * table sends a relcache invalidation of it, which PostgreSQL also applies to the session itself
 * when the transaction, or the subtransaction, is rolled back: so an outbox that was never
 * committed is not remembered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "client/property.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "outbox/outbox.h"
#include "ground/query.h"
#include "outbox/row.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "worker/shared.h"

/* Names that are tried for a new outbox before it is given up. */
#define MAX_NAMES 100

/* Columns of kafka.outbox_definition. */
enum
{
	COLUMN_ID,
	COLUMN_NAME,
	COLUMN_UUID,
	COLUMN_SERVER,
	COLUMN_USERNAME,
	COLUMN_ENABLED,
	COLUMN_CREATED,
	COLUMN_SOURCE,
	COLUMN_TOPIC,
	COLUMN_TOPIC_COLUMN,
	COLUMN_KEY_COLUMN,
	COLUMN_VALUE_COLUMN,
	COLUMN_HEADERS_COLUMN,
	COLUMN_ID_COLUMN,
	COLUMN_OWNER,
	COLUMNS
};

/* What the session remembers of a sender. */
typedef struct Sender
{
	Oid			serverid;
	Oid			userid;
	KafkaOutboxSender outbox;
} Sender;

static MemoryContext cache;		/* of the senders; NULL: nothing is remembered */
static List *senders;
static Oid	watched;			/* kafka.outbox_definition, once something was remembered */
static uint64 generation = 1;
static uint64 known_generation; /* of known_ids */
static Bitmapset *known_ids;
static bool changed;			/* by this transaction */

/* ------------------------------------------------------------------------
 * Reading the table
 * ------------------------------------------------------------------------
 */
static Oid
definition_table(void)
{
	Oid			relid = get_relname_relid("outbox_definition", get_namespace_oid("kafka", true));

	if (!OidIsValid(relid))
		(void) kafka_query_owner(); /* says what is missing */
	return relid;
}

static char *
name_or_null(const Datum *values, const bool *nulls, int column)
{
	return nulls[column] ? NULL : pstrdup(NameStr(*DatumGetName(values[column])));
}

static KafkaOutboxSource *
read_definition(HeapTuple tuple, TupleDesc desc)
{
	KafkaOutboxSource *source = palloc0(sizeof(KafkaOutboxSource));
	KafkaOutbox *outbox = &source->outbox;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	for (int i = 0; i < COLUMNS; i++)
		values[i] = heap_getattr(tuple, i + 1, desc, &nulls[i]);
	outbox->id = DatumGetInt32(values[COLUMN_ID]);
	outbox->name = TextDatumGetCString(values[COLUMN_NAME]);
	outbox->uuid = *DatumGetUUIDP(values[COLUMN_UUID]);
	outbox->server = name_or_null(values, nulls, COLUMN_SERVER);
	outbox->username = name_or_null(values, nulls, COLUMN_USERNAME);
	outbox->enabled = DatumGetBool(values[COLUMN_ENABLED]);
	source->relid = nulls[COLUMN_SOURCE] ? InvalidOid : DatumGetObjectId(values[COLUMN_SOURCE]);
	source->topic = nulls[COLUMN_TOPIC] ? NULL : TextDatumGetCString(values[COLUMN_TOPIC]);
	source->topic_column = name_or_null(values, nulls, COLUMN_TOPIC_COLUMN);
	source->key_column = name_or_null(values, nulls, COLUMN_KEY_COLUMN);
	source->value_column = name_or_null(values, nulls, COLUMN_VALUE_COLUMN);
	source->headers_column = name_or_null(values, nulls, COLUMN_HEADERS_COLUMN);
	source->id_column = name_or_null(values, nulls, COLUMN_ID_COLUMN);
	source->owner = name_or_null(values, nulls, COLUMN_OWNER);
	return source;
}

/* What is committed by now, or was done by this transaction. */
static Snapshot
look_now(void)
{
	return RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
}

/* All of them, a List of KafkaOutboxSource. */
static List *
read_all(void)
{
	Relation	rel = table_open(definition_table(), AccessShareLock);
	Snapshot	snapshot = look_now();
	SysScanDesc scan;
	List	   *result = NIL;
	HeapTuple	tuple;

	kafka_query_check_columns(rel, COLUMNS);
	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = lappend(result, read_definition(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return result;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((const KafkaOutbox *) lfirst(a))->name, ((const KafkaOutbox *) lfirst(b))->name);
}

List *
kafka_outbox_list(void)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, read_all())
		result = lappend(result, &((KafkaOutboxSource *) lfirst(lc))->outbox);
	list_sort(result, compare_names);
	return result;
}

static KafkaOutboxSource *
find_name(const char *name)
{
	ListCell   *lc;

	foreach(lc, read_all())
	{
		KafkaOutboxSource *source = (KafkaOutboxSource *) lfirst(lc);

		if (strcmp(source->outbox.name, name) == 0)
			return source;
	}
	return NULL;
}

KafkaOutboxSource *
kafka_outbox_source(const char *name)
{
	KafkaOutboxSource *source = find_name(name);

	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("outbox \"%s\" does not exist", name),
				 errhint("The view kafka.outbox_status lists them. One of a server is made when "
						 "something is first sent with delivery \"outbox\".")));
	return source;
}

KafkaOutbox *
kafka_outbox_find(const char *name, bool missing_ok)
{
	KafkaOutboxSource *source = missing_ok ? find_name(name) : kafka_outbox_source(name);

	return source ? &source->outbox : NULL;
}

KafkaOutbox *
kafka_outbox_by_id(int32 id)
{
	ListCell   *lc;

	foreach(lc, read_all())
	{
		KafkaOutboxSource *source = (KafkaOutboxSource *) lfirst(lc);

		if (source->outbox.id == id)
			return &source->outbox;
	}
	return NULL;
}

KafkaOutboxSource *
kafka_outbox_of_table(Oid relid)
{
	ListCell   *lc;

	foreach(lc, read_all())
	{
		KafkaOutboxSource *source = (KafkaOutboxSource *) lfirst(lc);

		if (OidIsValid(relid) && source->relid == relid)
			return source;
	}
	return NULL;
}

KafkaOptions *
kafka_outbox_options(const KafkaOutbox *outbox)
{
	ForeignServer *server = GetForeignServerByName(outbox->server, true);
	Oid			userid = InvalidOid;

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of outbox \"%s\" does not exist", outbox->server,
						outbox->name)));
	if (!kafka_is_our_wrapper(server->fdwid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a kafka_fdw server", outbox->server)));
	if (outbox->username[0])
		userid = get_role_oid(outbox->username, true);
	if (outbox->username[0] && !OidIsValid(userid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" of outbox \"%s\" does not exist", outbox->username,
						outbox->name)));
	return kafka_options_of_server(server->serverid, userid);
}

/* ------------------------------------------------------------------------
 * What is remembered, and until when
 * ------------------------------------------------------------------------
 */
static void
forget(void)
{
	generation++;
	senders = NIL;
	watched = InvalidOid;
	if (cache)
		MemoryContextReset(cache);
}

static void
on_relcache(Datum arg, Oid relid)
{
	if (OidIsValid(watched) && (relid == watched || !OidIsValid(relid)))
		forget();
}

/* Servers, user mappings, roles: they decide whose outbox it is, and what may be used. */
static void
on_syscache(Datum arg, int cacheid, uint32 hashvalue)
{
	senders = NIL;
	if (cache)
		MemoryContextReset(cache);
}

static void
watch(void)
{
	if (cache == NULL)
	{
		CacheRegisterRelcacheCallback(on_relcache, (Datum) 0);
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_syscache, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, on_syscache, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, on_syscache, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_syscache, (Datum) 0);
		cache = AllocSetContextCreate(TopMemoryContext, "kafka_fdw outboxes",
									  ALLOCSET_SMALL_SIZES);
	}
	if (!OidIsValid(watched))
		watched = definition_table();
}

uint64
kafka_outbox_generation(void)
{
	watch();
	return generation;
}

bool
kafka_outbox_exists(int32 id)
{
	MemoryContext old;
	ListCell   *lc;

	watch();
	if (known_generation != generation)
	{
		uint64		read_at = generation;
		List	   *all = read_all();

		bms_free(known_ids);
		known_ids = NULL;
		known_generation = 0;
		old = MemoryContextSwitchTo(TopMemoryContext);
		foreach(lc, all)
			known_ids = bms_add_member(known_ids, ((KafkaOutboxSource *) lfirst(lc))->outbox.id);
		MemoryContextSwitchTo(old);
		known_generation = read_at;
	}
	return bms_is_member(id, known_ids);
}

void
kafka_outbox_changed(void)
{
	CacheInvalidateRelcacheByRelid(definition_table());
	changed = true;
}

void
kafka_outbox_end_transaction(bool committed)
{
	if (changed && committed)
		kafka_workers_wake_launcher(MyDatabaseId);
	changed = false;
}

/* ------------------------------------------------------------------------
 * The outbox of a sender
 * ------------------------------------------------------------------------
 */
const char *
kafka_outbox_username(Oid serverid, Oid userid)
{
	if (SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid),
							  ObjectIdGetDatum(serverid)))
		return GetUserNameFromId(userid, false);
	return "";
}

static const KafkaOutbox *
find_automatic(const char *server, const char *username)
{
	ListCell   *lc;

	foreach(lc, read_all())
	{
		const KafkaOutboxSource *source = (const KafkaOutboxSource *) lfirst(lc);

		if (!OidIsValid(source->relid) && strcmp(source->outbox.server, server) == 0 &&
			strcmp(source->outbox.username, username) == 0)
			return &source->outbox;
	}
	return NULL;
}

/* False: there is one of that name, or somebody else was quicker. */
static bool
insert_definition(const char *name, const char *server, const char *username)
{
	static KafkaQuery query = {
		.text = "INSERT INTO kafka.outbox_definition (name, server, username) "
		"VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		.nargs = 3,
		.types = {TEXTOID, NAMEOID, NAMEOID}
	};
	Datum		values[3];
	bool		inserted;

	values[0] = CStringGetTextDatum(name);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(server));
	values[2] = DirectFunctionCall1(namein, CStringGetDatum(username));
	SPI_connect();
	inserted = kafka_outbox_run_own(&query, values, NULL) > 0;
	SPI_finish();
	return inserted;
}

/* A name may be another outbox's; then a number is put behind it. */
static const KafkaOutbox *
make_automatic(const char *server, const char *username)
{
	const char *base = username[0] ? psprintf("%s/%s", server, username) : server;
	const KafkaOutbox *outbox;

	for (int i = 1; i <= MAX_NAMES; i++)
	{
		const char *name = i == 1 ? base : psprintf("%s (%d)", base, i);
		bool		inserted = insert_definition(name, server, username);

		if (inserted)
		{
			kafka_outbox_changed();
			/* so that a rollback takes it back in this session as well */
			CommandCounterIncrement();
		}
		outbox = find_automatic(server, username);
		if (outbox)
			return outbox;
		if (inserted)
			break;
	}
	elog(ERROR, "could not make an outbox for server \"%s\"", server);
}

/* Nobody publishes by himself where the library is not preloaded. */
void
kafka_outbox_warn_without_workers(void)
{
	static bool warned = false;

	if (warned || kafka_workers_are_there())
		return;
	warned = true;
	ereport(WARNING,
			(errmsg("no background worker publishes what is sent with delivery \"outbox\""),
			 errhint("Put kafka_fdw into \"shared_preload_libraries\" and restart the server, or "
					 "let a job CALL kafka.relay().")));
}

static const Sender *
find_sender(const KafkaOptions *opts)
{
	ListCell   *lc;

	foreach(lc, senders)
	{
		const Sender *sender = (const Sender *) lfirst(lc);

		if (sender->serverid == opts->serverid && sender->userid == opts->userid)
			return sender;
	}
	return NULL;
}

static void
tell_relay(void *arg)
{
	const KafkaOutbox *outbox = (const KafkaOutbox *) arg;

	if (outbox->username[0])
		errcontext("what the relay connects with: the user mapping of \"%s\" on server \"%s\"",
				   outbox->username, outbox->server);
	else
		errcontext("what the relay connects with: the user mapping for PUBLIC on server \"%s\", "
				   "or none", outbox->server);
}

KafkaOptions *
kafka_outbox_check_relay(const KafkaOutbox *outbox)
{
	ErrorContextCallback callback = {.callback = tell_relay, .arg = unconstify(KafkaOutbox *, outbox)};
	KafkaOptions *opts = kafka_outbox_options(outbox);

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	(void) kafka_property_collect(opts, KAFKA_ROLE_TRANSACTIONAL);
	error_context_stack = callback.previous;
	return opts;
}

/* The sender's options may be his own, a superuser's for one: the relay's are what counts. */
static KafkaOutboxSender
look_up(const KafkaOptions *opts)
{
	char	   *username = pstrdup(kafka_outbox_username(opts->serverid, opts->userid));
	KafkaOutbox wanted = {.name = opts->server_name, .server = opts->server_name,
	.username = username};
	const KafkaOptions *relay_opts = kafka_outbox_check_relay(&wanted);
	const KafkaOutbox *outbox = find_automatic(opts->server_name, username);
	KafkaOutboxSender sender;

	if (outbox == NULL)
		outbox = make_automatic(opts->server_name, username);
	sender.outbox = outbox->id;
	sender.partitioner = relay_opts->partitioner;
	sender.max_message = kafka_property_max_message(relay_opts);
	return sender;
}

static const Sender *
remember(const KafkaOptions *opts, const KafkaOutboxSender *outbox)
{
	MemoryContext old;
	Sender	   *sender;

	watch();					/* it may have been forgotten meanwhile */
	old = MemoryContextSwitchTo(cache);
	sender = palloc(sizeof(Sender));
	sender->serverid = opts->serverid;
	sender->userid = opts->userid;
	sender->outbox = *outbox;
	senders = lappend(senders, sender);
	MemoryContextSwitchTo(old);
	return sender;
}

KafkaOutboxSender
kafka_outbox_of_sender(const KafkaOptions *opts)
{
	const Sender *sender = find_sender(opts);
	KafkaOutboxSender outbox;

	/* options that a relay's producer cannot honour are the sender's error */
	if (sender == NULL || kafka_property_has_tables(opts))
		(void) kafka_property_collect(opts, KAFKA_ROLE_TRANSACTIONAL);
	if (sender == NULL)
	{
		watch();
		outbox = look_up(opts);
		kafka_outbox_warn_without_workers();
		sender = remember(opts, &outbox);
	}
	outbox = sender->outbox;
	outbox.partitioner = opts->partitioner == outbox.partitioner ? KAFKA_OUTBOX_PARTITIONER :
		opts->partitioner;
	return outbox;
}
