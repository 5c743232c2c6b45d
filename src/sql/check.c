/*-------------------------------------------------------------------------
 *
 * check.c
 *	  kafka.check and kafka.check_server: does everything work with this server, end to end?
 *
 * Layer 3.  Each step runs in a subtransaction and becomes a row, also when it fails; the
 * steps behind a failed one are reported as not run.  The temporary topic is deleted at
 * the end, whatever happened.  The procedure does the same and commits in between, so that a relay
 * sees its row; it tells by messages, and ends in an error if a step has failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/admin.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/attempt.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "sql/check.h"
#include "sql/common.h"
#include "sql/procedure.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

typedef struct Report
{
	KafkaCheck	check;
	ReturnSetInfo *rsinfo;		/* NULL: the procedure's messages */
	MemoryContext context;		/* lasts over transactions */
	int			steps;
	int			nfailed;
	int			sqlstate;		/* of the first one */
	StringInfoData failures;	/* a line each */
} Report;

/* ------------------------------------------------------------------------
 * Reporting
 * ------------------------------------------------------------------------
 */
typedef enum Outcome
{
	STEP_OK,
	STEP_FAILED,
	STEP_NOT_RUN				/* or skipped */
} Outcome;

static void
put_row(Report *report, const char *step, Outcome outcome, double ms, const char *detail)
{
	bool		run = outcome != STEP_NOT_RUN;
	Datum		values[4] = {0};
	bool		nulls[4] = {false, !run, !run, false};

	values[0] = CStringGetTextDatum(step);
	values[1] = BoolGetDatum(outcome == STEP_OK);
	values[2] = Float8GetDatum(((int64) (ms * 1000)) / 1000.0);
	values[3] = CStringGetTextDatum(detail);
	tuplestore_putvalues(report->rsinfo->setResult, report->rsinfo->setDesc, values, nulls);
}

static void
put_message(const char *step, Outcome outcome, double ms, const char *detail)
{
	if (outcome == STEP_NOT_RUN)
		ereport(INFO, (errmsg_internal("%s: not run", step), errdetail_internal("%s", detail)));
	else
		ereport(INFO,
				(errmsg_internal("%s: %s", step, outcome == STEP_OK ? "ok" : "FAILED"),
				 errdetail_internal("%s (%.1f ms)", detail, ms)));
}

static void
put_step(Report *report, const char *step, Outcome outcome, double ms, const char *detail)
{
	report->steps++;
	if (outcome == STEP_FAILED)
		appendStringInfo(&report->failures, "%s%s: %s", report->nfailed++ > 0 ? "\n" : "", step,
						 detail);
	if (report->rsinfo)
		put_row(report, step, outcome, ms, detail);
	else
		put_message(step, outcome, ms, detail);
}

/* What a failed step says: the error's text, with its detail. */
static char *
failure_text(const ErrorData *error)
{
	return error->detail ? psprintf("%s (%s): %s", error->message,
									unpack_sql_state(error->sqlerrcode), error->detail) :
		psprintf("%s (%s)", error->message, unpack_sql_state(error->sqlerrcode));
}

/* For a script: what was found is an error of its statement, too. */
static void
raise_failures(const Report *report)
{
	if (report->nfailed == 0)
		return;
	ereport(ERROR,
			(errcode(report->sqlstate),
			 errmsg_plural("%d step of the check of server \"%s\" has failed",
						   "%d steps of the check of server \"%s\" have failed",
						   report->nfailed, report->nfailed, report->check.opts->server_name),
			 errdetail_internal("%s", report->failures.data)));
}

/* ------------------------------------------------------------------------
 * Running
 * ------------------------------------------------------------------------
 */

/* A cancel is not a finding about the server. */
static bool
is_finding(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) !=
		ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION);
}

typedef struct StepCall
{
	KafkaCheckStep run;
	KafkaCheck *check;
	char	   *detail;
} StepCall;

static void
call_step(void *arg)
{
	StepCall   *call = (StepCall *) arg;

	call->detail = call->run(call->check);
}

static void
note_failure(Report *report, const ErrorData *error)
{
	if (report->nfailed == 0)
		report->sqlstate = error->sqlerrcode;
	report->check.failed = true;
}

static void
run_step(Report *report, const char *name, KafkaCheckStep run)
{
	KafkaCheck *check = &report->check;
	StepCall	call = {.run = run, .check = check};
	instr_time	begin;
	instr_time	end;
	ErrorData  *error;
	MemoryContext context;
	MemoryContext old;

	if (check->failed)
	{
		put_step(report, name, STEP_NOT_RUN, 0, "not run");
		return;
	}
	INSTR_TIME_SET_CURRENT(begin);
	context = AllocSetContextCreate(report->context, "kafka.check step", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	check->skipped = false;
	error = kafka_attempt(call_step, &call, is_finding);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, begin);
	if (error)
		note_failure(report, error);
	put_step(report, name, error ? STEP_FAILED : check->skipped ? STEP_NOT_RUN : STEP_OK,
			 INSTR_TIME_GET_MILLISEC(end), error ? failure_text(error) :
			 check->skipped ? psprintf("skipped: %s", call.detail) : call.detail);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);	/* closes what a failed step has left open */
}

/* The topic goes, whatever happened before. */
static void
delete_topic(Report *report)
{
	bool		failed = report->check.failed;

	report->check.failed = !report->check.topic_made;
	run_step(report, "delete_topic", kafka_check_delete_topic);
	report->check.failed |= failed;
}

/* Rows that are to be relayed, pipelines that are to run: whoever does not is a failed step. */
static void
look_at_workers(Report *report)
{
	MemoryContext old = MemoryContextSwitchTo(report->context);
	int64		total = 0;
	List	   *troubles = kafka_check_unhealthy(&report->check, &total);
	ListCell   *lc;

	if (total == 0)
		put_step(report, "workers", STEP_NOT_RUN, 0,
				 "skipped: the server has no outbox and no pipeline that is started");
	else if (troubles == NIL)
		put_step(report, "workers", STEP_OK, 0,
				 psprintf("outboxes and pipelines that are started and well: " INT64_FORMAT, total));
	foreach(lc, troubles)
	{
		if (report->nfailed == 0)
			report->sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		put_step(report, "workers", STEP_FAILED, 0, (const char *) lfirst(lc));
	}
	MemoryContextSwitchTo(old);
}

static void
begin_report(Report *report, const KafkaOptions *opts, int limit_ms)
{
	report->context = CurrentMemoryContext;
	report->check.opts = opts;
	report->check.limit_ms = limit_ms;
	report->check.topic = psprintf("kafka_fdw_check_%d_%08x", MyProcPid,
								   (unsigned) (GetCurrentTimestamp() & 0xffffffff));
	initStringInfo(&report->failures);
	run_step(report, "connect", kafka_check_connect);
}

/* All that a single transaction can do, without the end. */
static void
run_steps(Report *report)
{
	run_step(report, "create_topic", kafka_check_create_topic);
	run_step(report, "produce", kafka_check_produce);
	run_step(report, "fetch", kafka_check_fetch);
	run_step(report, "transaction", kafka_check_transaction);
	run_step(report, "abort", kafka_check_abort);
	run_step(report, "group", kafka_check_group);
	run_step(report, "pipeline", kafka_check_pipeline);
}

PG_FUNCTION_INFO_V1(kafka_check);

/* (server, write, fail): a row (step, ok, milliseconds, detail) for each step. */
Datum
kafka_check(PG_FUNCTION_ARGS)
{
	Report		report = {.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo};
	const KafkaOptions *opts = kafka_sql_server(fcinfo, 0);
	bool		write = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);

	InitMaterializedSRF(fcinfo, 0);
	begin_report(&report, opts, kafka_setting_connect_timeout);
	if (write)
	{
		PG_TRY();
		{
			run_steps(&report);
			delete_topic(&report);
		}
		PG_CATCH();
		{
			if (report.check.topic_made)
				kafka_admin_delete_unwatched(report.check.opts, report.check.topic);
			PG_RE_THROW();
		}
		PG_END_TRY();
	}
	look_at_workers(&report);
	if (!PG_ARGISNULL(2) && PG_GETARG_BOOL(2))
		raise_failures(&report);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * The procedure
 * ------------------------------------------------------------------------
 */

/* The end of a transaction takes the snapshot with it that steps rely on. */
static void
commit(void)
{
	SPI_commit();
	EnsurePortalSnapshotExists();
}

static void
run_relay(Report *report)
{
	run_step(report, "outbox", kafka_check_outbox);
	commit();
	run_step(report, "relay", kafka_check_relay);
	if (report->check.failed)
		kafka_check_discard(&report->check);
	report->check.outbox = NULL;
	commit();
}

/* After an error that is no finding: the row goes, and then the topic. */
static void
give_up(Report *report)
{
	ErrorData  *error;

	MemoryContextSwitchTo(report->context);
	error = CopyErrorData();
	FlushErrorState();
	SPI_rollback();
	EnsurePortalSnapshotExists();
	kafka_check_discard(&report->check);
	commit();
	if (report->check.topic_made)
		kafka_admin_delete_unwatched(report->check.opts, report->check.topic);
	ReThrowError(error);
}

PG_FUNCTION_INFO_V1(kafka_check_server);

/* CALL kafka.check_server(server, timeout) */
Datum
kafka_check_server(PG_FUNCTION_ARGS)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	Report		report = {0};
	int			limit_ms = kafka_sql_interval_ms(fcinfo, 1, "timeout",
												 kafka_setting_connect_timeout);

	kafka_sql_require_nonatomic(fcinfo, "kafka.check_server");
	PreventCommandIfReadOnly("kafka.check_server");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	EnsurePortalSnapshotExists();
	begin_report(&report, kafka_sql_server(fcinfo, 0), limit_ms);
	PG_TRY();
	{
		run_steps(&report);
		run_relay(&report);
		delete_topic(&report);
	}
	PG_CATCH();
	{
		give_up(&report);
	}
	PG_END_TRY();
	look_at_workers(&report);
	raise_failures(&report);
	SPI_finish();
	PG_RETURN_VOID();
}
