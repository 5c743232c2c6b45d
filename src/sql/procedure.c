/*-------------------------------------------------------------------------
 *
 * procedure.c
 *	  Procedures that commit as they go.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "sql/procedure.h"

void
kafka_sql_require_nonatomic(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("%s cannot run inside a transaction block", name),
				 errhint("CALL it as a statement of its own.")));
}

static void
host_begin(void)
{
}

static void
host_commit(void)
{
	SPI_commit();
}

static void
host_abort(void)
{
	SPI_rollback();
}

static bool
host_should_stop(void)
{
	CHECK_FOR_INTERRUPTS();
	return false;
}

const KafkaHost kafka_procedure_host = {.begin = host_begin, .commit = host_commit,
.abort = host_abort, .should_stop = host_should_stop};
