/*-------------------------------------------------------------------------
 *
 * poison.c
 *	  A batch is loaded, whatever some of its messages are like.
 *
 * Layer 3.  A batch is loaded in one subtransaction, and that is all if it ends well.  Where it
 * fails, it is cut: before and behind the message that is to blame, if the loader knows it, else
 * into halves.  The parts are loaded in their order, each in a subtransaction, and cut again if
 * need be, so that a message is only ever judged alone and with all before it loaded: one that
 * fails in company but not alone is loaded.  k messages that fail cost O(k log n) subtransactions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/attempt.h"
#include "ground/logfmt.h"
#include "miscadmin.h"
#include "pipeline/poison.h"
#include "utils/memutils.h"

/* Failures of a batch that are logged one by one. */
#define LOGGED_FAILURES 10

/* Messages that are tried together right behind one that has failed. */
#define FIRST_PART 16

/* ------------------------------------------------------------------------
 * Whose error it is
 * ------------------------------------------------------------------------
 */

/*
 * Classes of PostgreSQL's errors that are not a message's, though they can have a message for their
 * occasion: because there can be another cause, which goes away, or which every message meets.  A
 * pipeline that waits with an error loses nothing; messages that are thrown out for it do.
 *
 * All others are a message's: 20 (CASE without a branch for the value), 21, 22 (data), 23
 * (constraints, also a row that no partition takes), 2F (a function that ends without RETURN: a way
 * through it that only some values take), 38 and 39 (functions in PL/Perl, PL/Python and the
 * like), 44 (WITH CHECK OPTION), 54 (nested too deeply, too large for an index), P0 (RAISE,
 * ASSERT, INTO STRICT), and classes that PostgreSQL does not know: functions have raised them.
 */
static const int others_classes[] = {
	ERRCODE_SUCCESSFUL_COMPLETION,
	ERRCODE_CONNECTION_EXCEPTION,
	ERRCODE_FEATURE_NOT_SUPPORTED,	/* also a plan whose table was altered meanwhile */
	ERRCODE_INVALID_TRANSACTION_INITIATION,
	ERRCODE_INVALID_GRANTOR,
	ERRCODE_INVALID_ROLE_SPECIFICATION,
	ERRCODE_INVALID_CURSOR_STATE,	/* from here to 3F: a function that is wrong whatever it is given */
	ERRCODE_INVALID_TRANSACTION_STATE,
	ERRCODE_INVALID_SQL_STATEMENT_NAME,
	ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION,
	ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	ERRCODE_DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST,
	ERRCODE_INVALID_TRANSACTION_TERMINATION,
	ERRCODE_INVALID_CURSOR_NAME,
	ERRCODE_SAVEPOINT_EXCEPTION,
	ERRCODE_INVALID_CATALOG_NAME,
	ERRCODE_INVALID_SCHEMA_NAME,
	ERRCODE_TRANSACTION_ROLLBACK,
	ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,	/* a right that is missing, a table that has
													 * changed */
	ERRCODE_INSUFFICIENT_RESOURCES,
	ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
	ERRCODE_OPERATOR_INTERVENTION,
	MAKE_SQLSTATE('5', '8', '0', '0', '0'), /* the operating system */
	MAKE_SQLSTATE('7', '2', '0', '0', '0'), /* a snapshot that is too old, until 16 */
	ERRCODE_CONFIG_FILE_ERROR,
	ERRCODE_FDW_ERROR,
	ERRCODE_INTERNAL_ERROR
};

/* A message's although its SQLSTATE is not: what PostgreSQL raises in these functions. */
static const struct
{
	int			sqlstate;
	const char *function;
}			poison_functions[] = {
	/* a row that a policy of row-level security refuses; 42501 otherwise is a missing right */
	{ERRCODE_INSUFFICIENT_PRIVILEGE, "ExecWithCheckOptions"},
	/* an escape in JSON for a character that the database's encoding does not have */
	{ERRCODE_FEATURE_NOT_SUPPORTED, "pg_unicode_to_server"},
	/* a value that is too large to be decoded: "invalid memory alloc request size" */
	{ERRCODE_INTERNAL_ERROR, "MemoryContextAlloc"},
	{ERRCODE_INTERNAL_ERROR, "MemoryContextAllocExtended"},
	{ERRCODE_INTERNAL_ERROR, "MemoryContextSizeFailure"},
	{ERRCODE_INTERNAL_ERROR, "palloc"},
	{ERRCODE_INTERNAL_ERROR, "repalloc"}
};

bool
kafka_error_is_poison(int sqlstate)
{
	/* a sequence is at its end for the next message, too */
	if (sqlstate == ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED)
		return false;
	for (int i = 0; i < (int) lengthof(others_classes); i++)
		if (ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(others_classes[i]))
			return false;
	return true;
}

bool
kafka_error_may_be_poison(int sqlstate)
{
	for (int i = 0; i < (int) lengthof(poison_functions); i++)
		if (sqlstate == poison_functions[i].sqlstate)
			return true;
	return kafka_error_is_poison(sqlstate);
}

void
kafka_error_require_poison(ErrorData *error)
{
	for (int i = 0; i < (int) lengthof(poison_functions); i++)
		if (error->sqlerrcode == poison_functions[i].sqlstate && error->funcname &&
			strcmp(error->funcname, poison_functions[i].function) == 0)
			return;
	if (!kafka_error_is_poison(error->sqlerrcode))
		ReThrowError(error);
}

/* ------------------------------------------------------------------------
 * Finding it
 * ------------------------------------------------------------------------
 */
typedef struct Attempt
{
	KafkaLoader *loader;
	const KafkaMessage *messages;
	int			n;
	bool	   *skipped;
	KafkaLoaded loaded;
} Attempt;

static void
run_attempt(void *arg)
{
	Attempt    *attempt = arg;

	kafka_loader_load(attempt->loader, attempt->messages, attempt->n, attempt->skipped,
					  &attempt->loaded);
}

/* The parts that are still to load, as their ends, the next one last. */
typedef struct Parts
{
	int		   *ends;
	int			n;
} Parts;

static void
add_part(Parts *parts, int end)
{
	if (end < parts->ends[parts->n - 1])
		parts->ends[parts->n++] = end;
}

/*
 * What comes behind a message that is to blame: parts that grow, for where one message fails the
 * next ones often do, and an attempt can cost as much as if it succeeded.
 */
static void
add_growing_parts(Parts *parts, int begin)
{
	int			end = parts->ends[parts->n - 1];
	int			size = FIRST_PART;

	while (size < end - begin)
		size *= 2;
	for (; size >= FIRST_PART; size /= 2)
		add_part(parts, begin + size);
}

/* Cuts the next part, which begins at `begin` and has failed. */
static void
cut_part(Parts *parts, int begin, int culprit)
{
	int			n = parts->ends[parts->n - 1] - begin;

	if (culprit < 0 || culprit >= n)
		add_part(parts, begin + n / 2);
	else
	{
		add_growing_parts(parts, begin + culprit + 1);
		add_part(parts, begin + culprit + 1);
		if (culprit > 0)
			add_part(parts, begin + culprit);
	}
}

/*
 * Of rows that mode ignore leaves out only the number is known: so many messages from the end stand
 * for them.
 */
static void
note_fates(const Attempt *attempt, KafkaFate *fates)
{
	int64		nameless = attempt->loaded.skipped;

	for (int i = 0; i < attempt->n; i++)
	{
		fates[i] = attempt->skipped[i] ? KAFKA_FATE_SKIPPED : KAFKA_FATE_LOADED;
		nameless -= attempt->skipped[i];
	}
	for (int i = attempt->n - 1; i >= 0 && nameless > 0; i--)
		if (fates[i] == KAFKA_FATE_LOADED)
		{
			fates[i] = KAFKA_FATE_SKIPPED;
			nameless--;
		}
}

/* Loads some in a subtransaction; NULL, or the error of one of them. */
static ErrorData *
try_part(KafkaLoader *loader, const KafkaMessage *messages, int n, KafkaFate *fates,
		 KafkaLoaded *loaded)
{
	Attempt		attempt = {.loader = loader, .messages = messages, .n = n};
	ErrorData  *error;

	attempt.skipped = palloc0(sizeof(bool) * n);
	error = kafka_attempt(run_attempt, &attempt, kafka_error_may_be_poison);
	if (error)
	{
		kafka_error_require_poison(error);
		return error;
	}
	note_fates(&attempt, fates);
	loaded->rows += attempt.loaded.rows;
	loaded->skipped += attempt.loaded.skipped;
	return NULL;
}

void
kafka_batch_sift(KafkaLoader *loader, const KafkaMessage *messages, int n, KafkaBatchLoad *load,
				 KafkaOnFailure failed, void *arg)
{
	Parts		parts = {.ends = palloc(sizeof(int) * (n + 1))};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	memset(load->fates, 0, sizeof(KafkaFate) * n);
	memset(&load->loaded, 0, sizeof(load->loaded));
	load->error = NULL;
	load->done = 0;
	parts.ends[parts.n++] = n;
	while (load->done < n)
	{
		int			begin = load->done;
		int			end = parts.ends[parts.n - 1];
		ErrorData  *error = try_part(loader, messages + begin, end - begin, load->fates + begin,
									 &load->loaded);

		if (error && end - begin > 1)
			cut_part(&parts, begin, kafka_loader_culprit(loader));
		else
		{
			if (error)
				load->fates[begin] = failed(arg, begin, error);
			if (load->fates[begin] == KAFKA_FATE_NONE)
			{
				load->error = error;	/* its context goes with the caller's */
				break;
			}
			load->done = end;
			parts.n--;
		}
		MemoryContextReset(scratch);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	if (load->error == NULL)
		MemoryContextDelete(scratch);
	pfree(parts.ends);
}

/* ------------------------------------------------------------------------
 * What the pipeline's on_error says
 * ------------------------------------------------------------------------
 */
typedef struct Judge
{
	const KafkaPipeline *pipeline;
	const KafkaMessage *messages;
	const KafkaBatchLoad *load;
	int			failures;
} Judge;

static bool
skips(const Judge *judge)
{
	return judge->pipeline->on_error == KAFKA_PIPELINE_SKIP;
}

static void
log_failure(Judge *judge, const KafkaMessage *message, const ErrorData *error)
{
	if (judge->failures++ >= LOGGED_FAILURES)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg_internal("event=%s pipeline=%s topic=%s partition=%d offset=" INT64_FORMAT
							 " sqlstate=%s error=%s", skips(judge) ? "message_skipped" : "dead_letter",
							 kafka_logfmt_quote(judge->pipeline->name), message->topic,
							 message->partition, message->offset,
							 unpack_sql_state(error->sqlerrcode),
							 kafka_logfmt_quote(error->message ? error->message : "")),
			 errhidestmt(true), errhidecontext(true)));
}

static void
log_rest(const Judge *judge)
{
	if (judge->failures > LOGGED_FAILURES)
		ereport(LOG,
				(errmsg_internal("event=%s pipeline=%s messages=%d",
								 skips(judge) ? "messages_skipped" : "dead_letters",
								 kafka_logfmt_quote(judge->pipeline->name), judge->failures),
				 errhidestmt(true), errhidecontext(true)));
}

/* All of it, its headers too. */
static void
keep(const Judge *judge, int i, const ErrorData *error)
{
	KafkaMessage message = judge->messages[i];

	if (judge->load->fill_headers)
		judge->load->fill_headers(judge->load->arg, i, &message);
	kafka_dead_letter_keep(judge->pipeline, &message, error);
}

static KafkaFate
judge_failure(void *arg, int i, const ErrorData *error)
{
	Judge	   *judge = arg;
	const KafkaMessage *message = &judge->messages[i];

	switch ((KafkaPipelineOnError) judge->pipeline->on_error)
	{
		case KAFKA_PIPELINE_STOP:
			break;
		case KAFKA_PIPELINE_SKIP:
			log_failure(judge, message, error);
			return KAFKA_FATE_SKIPPED;
		case KAFKA_PIPELINE_DEAD_LETTER:
			keep(judge, i, error);
			log_failure(judge, message, error);
			return KAFKA_FATE_DEAD_LETTER;
	}
	return KAFKA_FATE_NONE;
}

void
kafka_batch_load(const KafkaPipeline *pipeline, KafkaLoader *loader, const KafkaMessage *messages,
				 int n, KafkaBatchLoad *load)
{
	Judge		judge = {.pipeline = pipeline, .messages = messages, .load = load};

	kafka_batch_sift(loader, messages, n, load, judge_failure, &judge);
	log_rest(&judge);
}
