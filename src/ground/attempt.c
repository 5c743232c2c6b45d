/*-------------------------------------------------------------------------
 *
 * attempt.c
 *	  Running something that may fail without failing with it.
 *
 * Layer 0.  The way of PL/pgSQL's exception blocks (pl_exec.c, exec_stmt_block): only a
 * subtransaction gives back the locks, buffers and catalogue references of what failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ground/attempt.h"
#include "ground/compat.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Nothing can be caught here, but what ends well needs no catching. */
static void
run_without(void (*run) (void *arg), void *arg, bool (*catches) (int sqlstate))
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		run(arg);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (catches(error->sqlerrcode))
			error->hint = "Errors cannot be caught while a query runs in parallel; set "
				"max_parallel_workers_per_gather to 0.";
		ReThrowError(error);
	}
	PG_END_TRY();
}

static ErrorData *
run_in_subtransaction(void (*run) (void *arg), void *arg, bool (*catches) (int sqlstate), bool keep)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	/* only now: the subtransaction must be closed on this way, too */
	if (error && !catches(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

ErrorData *
kafka_attempt(void (*run) (void *arg), void *arg, bool (*catches) (int sqlstate))
{
	if (KAFKA_ATTEMPTS_IN_PARALLEL || !IsInParallelMode())
		return run_in_subtransaction(run, arg, catches, true);
	run_without(run, arg, catches);
	return NULL;
}

ErrorData *
kafka_rehearse(void (*run) (void *arg), void *arg, bool (*catches) (int sqlstate))
{
	return run_in_subtransaction(run, arg, catches, false);
}
