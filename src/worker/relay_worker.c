/*-------------------------------------------------------------------------
 *
 * relay_worker.c
 *	  The background worker that relays an outbox.
 *
 * Layer 3.  What it does is src/outbox/relay.c; here are the process and its transactions.
 *
 * It ends by itself when its outbox is disabled or gone, when somebody has to decide something,
 * or when a session has its database to itself for a command; the launcher looks how it ended.
 * SIGTERM ends it as it ends a session: at the next look at interrupts, with what Kafka has begun
 * left to be aborted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "ground/logfmt.h"
#include "miscadmin.h"
#include "outbox/relay.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

static const char *const ends[] = {
	[KAFKA_RELAY_DONE] = "done",
	[KAFKA_RELAY_STOPPED] = "stopped",
	[KAFKA_RELAY_UNRESOLVED] = "unresolved",
	[KAFKA_RELAY_REPLACED] = "replaced",
	[KAFKA_RELAY_GONE] = "gone",
};

static char *database_name;
static bool is_excluded;		/* by kafka_fdw.relay_databases */
static MemoryContext outside;	/* what the relay was in when it began a transaction */

/* Outside of transactions only. */
static void
reload_settings(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	is_excluded = !kafka_workers_allow_database(database_name);
}

/* ------------------------------------------------------------------------
 * The relay's host
 * ------------------------------------------------------------------------
 */
static void
begin_transaction(void)
{
	outside = CurrentMemoryContext;
	reload_settings();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
}

static void
commit_transaction(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	MemoryContextSwitchTo(outside);
}

static void
abort_transaction(void)
{
	AbortCurrentTransaction();
	pgstat_report_stat(false);
	MemoryContextSwitchTo(outside);
}

static bool
should_stop(void)
{
	if (!IsTransactionState())
		reload_settings();
	return is_excluded || kafka_registry_is_left(MyDatabaseId);
}

static void
show(const char *what)
{
	pgstat_report_activity(strncmp(what, "waiting", 7) == 0 ? STATE_IDLE : STATE_RUNNING, what);
}

static const KafkaHost host = {
	.begin = begin_transaction,
	.commit = commit_transaction,
	.abort = abort_transaction,
	.should_stop = should_stop,
	.show = show,
};

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */
static KafkaWorkerEnd
end_of(KafkaRelayEnd end)
{
	switch (end)
	{
		case KAFKA_RELAY_STOPPED:
			return should_stop() ? KAFKA_END_LEFT : KAFKA_END_STOPPED;
		case KAFKA_RELAY_GONE:
			return KAFKA_END_STOPPED;
		case KAFKA_RELAY_UNRESOLVED:
			return KAFKA_END_UNRESOLVED;
		case KAFKA_RELAY_REPLACED:
			return KAFKA_END_REPLACED;
		default:
			return KAFKA_END_DONE;
	}
}

static void
find_database_name(void)
{
	StartTransactionCommand();
	database_name = MemoryContextStrdup(TopMemoryContext, get_database_name(MyDatabaseId));
	CommitTransactionCommand();
	is_excluded = !kafka_workers_allow_database(database_name);
}

void
kafka_relay_worker_main(Datum arg)
{
	KafkaWorker worker = kafka_worker_connect(arg, 0);
	KafkaRelayEnd end;
	char	   *name;
	char	   *database;

	/* whatever the database's default is: a snapshot for each step, and ticks are written */
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
	find_database_name();
	MemoryContextSwitchTo(TopMemoryContext);
	name = kafka_logfmt_quote(worker.name);
	database = kafka_logfmt_quote(database_name);
	ereport(LOG,
			(errmsg_internal("event=relay_start database=%s outbox=%s", database, name)));
	end = kafka_relay_run(worker.outbox, &host, true, 0);
	ereport(LOG,
			(errmsg_internal("event=relay_end database=%s outbox=%s reason=%s", database, name,
							 ends[end])));
	kafka_registry_set_end(end_of(end));
	proc_exit(0);
}
