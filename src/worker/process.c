/*-------------------------------------------------------------------------
 *
 * process.c
 *	  How each worker process of an outbox begins.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ground/compat.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "worker/worker.h"

static void
set(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * ALTER DATABASE ... SET and ALTER ROLE ... SET are for sessions.  Of synchronous_commit what is
 * more than on stays.
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
	BackgroundWorkerInitializeConnectionByOid(worker.database, InvalidOid, 0);
	set("application_name", MyBgworkerEntry->bgw_name);
	override_settings(lock_timeout);
	return worker;
}
