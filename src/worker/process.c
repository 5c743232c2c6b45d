/*-------------------------------------------------------------------------
 *
 * process.c
 *	  How each worker process of a database begins, and how it cuts its work into transactions.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

static char *database_name;
static bool is_excluded;		/* by kafka_fdw.relay_databases */
static MemoryContext outside;	/* what the work was in when it began a transaction */

/* ------------------------------------------------------------------------
 * Settings
 * ------------------------------------------------------------------------
 */
static void
set(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * ALTER DATABASE ... SET and ALTER ROLE ... SET are for sessions: a snapshot for each statement, and
 * transactions that write, whatever the defaults are.  Of synchronous_commit what is more than on
 * stays.  row_security is for the extension's own tables: a pipeline turns it on for what it runs
 * as its owner.
 */
static void
override_settings(int lock_timeout)
{
	char		ms[16];

	snprintf(ms, sizeof(ms), "%d", lock_timeout);
	set("lock_timeout", ms);
	set("statement_timeout", "0");
	set("idle_in_transaction_session_timeout", "0");
	if (GetConfigOption("transaction_timeout", true, false))
		set("transaction_timeout", "0");	/* since 17 */
	set("search_path", "");
	set("default_transaction_read_only", "off");
	set("default_transaction_isolation", "read committed");
	set("default_transaction_deferrable", "off");
	set("row_security", "off");
	set("session_replication_role", "origin");
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		set("synchronous_commit", "on");
}

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
 * Transactions: the host of what it runs
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
	return is_excluded || kafka_registry_is_unwanted() || kafka_registry_is_left(MyDatabaseId);
}

KafkaWorkerEnd
kafka_worker_stopped(void)
{
	return is_excluded || kafka_registry_is_left(MyDatabaseId) ?
		KAFKA_END_LEFT : KAFKA_END_STOPPED;
}

static void
show(const char *what)
{
	pgstat_report_activity(strncmp(what, "waiting", 7) == 0 ? STATE_IDLE : STATE_RUNNING, what);
}

const KafkaHost kafka_worker_host = {
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
static void
find_database_name(void)
{
	StartTransactionCommand();
	database_name = MemoryContextStrdup(TopMemoryContext, get_database_name(MyDatabaseId));
	CommitTransactionCommand();
	is_excluded = !kafka_workers_allow_database(database_name);
}

KafkaWorker
kafka_worker_connect(Datum arg, int lock_timeout)
{
	KafkaWorker worker;
	uint32		generation;

	/*
	 * A cancelled wait for synchronous replication would be taken for a commit that is replicated:
	 * what is to end a worker is SIGTERM.
	 */
	pqsignal(SIGINT, KAFKA_SIG_IGN);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	worker = kafka_registry_attach(DatumGetInt32(arg), generation);
	BackgroundWorkerInitializeConnectionByOid(worker.job.database, InvalidOid, 0);
	set("application_name", MyBgworkerEntry->bgw_name);
	override_settings(lock_timeout);
	find_database_name();
	MemoryContextSwitchTo(TopMemoryContext);
	return worker;
}

const char *
kafka_worker_database(void)
{
	return database_name;
}
