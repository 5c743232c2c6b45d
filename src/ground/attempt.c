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
#include "utils/memutils.h"
#include "utils/resowner.h"

ErrorData *
kafka_attempt(void (*run) (void *arg), void *arg, bool (*catches) (int sqlstate))
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run(arg);
		ReleaseCurrentSubTransaction();
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
