/*-------------------------------------------------------------------------
 *
 * warning.c
 *	  Warnings where nothing may be raised.
 *
 * Layer 3.  A WARNING is converted to the client's encoding, and that can fail.  In the COMMIT
 * event such an error would be a PANIC, in PRE_COMMIT it would roll back what Kafka has
 * committed.  Whoever caused the message has no say in its context, either.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "transaction/warning.h"
#include "utils/memutils.h"

static void
try_warning(const KafkaWarning *warning, int elevel)
{
	ereport(elevel,
			(errcode(warning->sqlstate), errmsg_internal("%s", warning->message),
			 errdetail_internal("%s", warning->detail)));
}

void
kafka_warn_quietly(const KafkaWarning *warning)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorContextCallback *stack = error_context_stack;
	uint32		interrupts = InterruptHoldoffCount;
	uint32		cancels = QueryCancelHoldoffCount;
	volatile bool failed = false;

	error_context_stack = NULL;
	PG_TRY();
	{
		try_warning(warning, WARNING);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		failed = true;
	}
	PG_END_TRY();
	/* an error resets them */
	InterruptHoldoffCount = interrupts;
	QueryCancelHoldoffCount = cancels;
	/* the server's log needs no conversion */
	error_context_stack = NULL;
	if (failed)
		try_warning(warning, LOG_SERVER_ONLY);
	error_context_stack = stack;
}
