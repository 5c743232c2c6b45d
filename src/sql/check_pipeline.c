/*-------------------------------------------------------------------------
 *
 * check_pipeline.c
 *	  kafka.check: does a message get from the topic into a table, with its offset?
 *
 * Layer 3.  A pipeline of its own is made, loads the message into a temporary table as a batch of
 * a worker would, and is dropped, all in the step's transaction: nobody else ever sees it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "client/consumer.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pipeline/load.h"
#include "pipeline/offsets.h"
#include "pipeline/pipeline.h"
#include "sql/check.h"
#include "utils/builtins.h"

static void
run_sql(const char *sql, int expected)
{
	int			result = SPI_execute(sql, false, 0);

	if (result != expected)
		elog(ERROR, "SPI_execute returned %s", SPI_result_code_string(result));
}

/* Whoever may test a server may not always make pipelines. */
static bool
may_make_pipelines(void)
{
	bool		isnull;

	run_sql("SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) "
			"FROM pg_catalog.pg_proc p WHERE p.proname OPERATOR(pg_catalog.=) 'create_pipeline' "
			"AND p.pronamespace OPERATOR(pg_catalog.=) 'kafka'::pg_catalog.regnamespace",
			SPI_OK_SELECT);
	return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) &&
		!isnull;
}

static void
make_pipeline(const KafkaCheck *check)
{
	run_sql(psprintf("CREATE TEMPORARY TABLE %s_loaded (value pg_catalog.text) ON COMMIT DROP",
					 check->topic), SPI_OK_UTILITY);
	run_sql(psprintf("SELECT kafka.create_pipeline('%s', '%s', "
					 "target => 'pg_temp.%s_loaded'::pg_catalog.regclass, start => '"
					 INT64_FORMAT "', options => '{\"format\": \"string\"}', server => %s)",
					 check->topic, check->topic, check->topic, check->offset,
					 quote_literal_cstr(check->opts->server_name)), SPI_OK_SELECT);
}

static void
load_message(const KafkaCheck *check, const KafkaPipeline *pipeline)
{
	KafkaRange	range = {.partition = 0, .start = check->offset, .end = check->offset + 1};
	KafkaConsumer *consumer = kafka_consumer_open(check->opts, check->topic, &range, 1, 1);
	KafkaMessage msg;
	KafkaPipelineUser saved;
	KafkaLoader *loader;
	KafkaLoaded loaded = {0};

	if (!kafka_consumer_next(consumer, &msg))
		elog(ERROR, "the message is not there any more");
	saved = kafka_pipeline_enter(pipeline);
	loader = kafka_loader_begin(pipeline);
	kafka_loader_load(loader, &msg, 1, NULL, &loaded);
	kafka_loader_end(loader);
	kafka_pipeline_leave(&saved);
	kafka_consumer_close(consumer);
}

/* Stores the offset behind the message; who comes too late with the same one is refused. */
static void
store_offset(const KafkaCheck *check, const KafkaPipeline *pipeline)
{
	int32		partition = 0;
	int			n;
	KafkaPipelinePosition *position = kafka_pipeline_offsets_claim(pipeline->id, &partition, 1,
																   &n);

	if (n != 1 || position->next_offset != check->offset)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the pipeline does not stand where it was to begin")));
	position->target = check->offset + 1;
	position->end_offset = position->message_time = KAFKA_UNKNOWN;
	position->messages = position->rows = 1;
	if (!kafka_pipeline_offsets_store(pipeline->id, position, 1, 0))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the pipeline's offset was not stored")));
	if (kafka_pipeline_offsets_store(pipeline->id, position, 1, 0))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the pipeline's offset was stored a second time")));
}

static void
expect_row(const KafkaCheck *check)
{
	run_sql(psprintf("SELECT FROM pg_temp.%s_loaded t "
					 "WHERE t.value OPERATOR(pg_catalog.=) 'kafka.check'", check->topic),
			SPI_OK_SELECT);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the message was not loaded once, but " UINT64_FORMAT " times",
						(uint64) SPI_processed)));
}

char *
kafka_check_pipeline(KafkaCheck *check)
{
	KafkaPipeline *pipeline;

	check->skipped = true;
	if (XactReadOnly)
		return "the transaction is read-only";
	SPI_connect();
	if (!may_make_pipelines())
	{
		SPI_finish();
		return "EXECUTE on kafka.create_pipeline is not granted";
	}
	check->skipped = false;
	make_pipeline(check);
	pipeline = kafka_pipeline_find(check->topic, false);
	kafka_pipeline_resolve(pipeline);
	load_message(check, pipeline);
	store_offset(check, pipeline);
	expect_row(check);
	run_sql(psprintf("SELECT kafka.drop_pipeline('%s')", check->topic), SPI_OK_SELECT);
	run_sql(psprintf("DROP TABLE pg_temp.%s_loaded", check->topic), SPI_OK_UTILITY);
	SPI_finish();
	return "1 message loaded into a table, with its offset";
}
