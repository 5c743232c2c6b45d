/*-------------------------------------------------------------------------
 *
 * fdw.c
 *	  The foreign-data wrapper's handler.
 *
 * Layer 3.  Reading is planned in plan.c and executed in scan.c, writing is in modify.c,
 * options are in validator.c and table_check.c, IMPORT FOREIGN SCHEMA is in import.c, ANALYZE
 * in analyze.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/fdw.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(kafka_fdw_handler);

Datum
kafka_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = kafkaGetForeignRelSize;
	routine->GetForeignPaths = kafkaGetForeignPaths;
	routine->GetForeignPlan = kafkaGetForeignPlan;
	routine->BeginForeignScan = kafkaBeginForeignScan;
	routine->IterateForeignScan = kafkaIterateForeignScan;
	routine->ReScanForeignScan = kafkaReScanForeignScan;
	routine->EndForeignScan = kafkaEndForeignScan;
	routine->ExplainForeignScan = kafkaExplainForeignScan;

	routine->IsForeignScanParallelSafe = kafkaIsForeignScanParallelSafe;
	routine->EstimateDSMForeignScan = kafkaEstimateDSMForeignScan;
	routine->InitializeDSMForeignScan = kafkaInitializeDSMForeignScan;
	routine->ReInitializeDSMForeignScan = kafkaReInitializeDSMForeignScan;
	routine->InitializeWorkerForeignScan = kafkaInitializeWorkerForeignScan;
	routine->ShutdownForeignScan = kafkaShutdownForeignScan;

	routine->PlanForeignModify = kafkaPlanForeignModify;
	routine->BeginForeignModify = kafkaBeginForeignModify;
	routine->ExecForeignInsert = kafkaExecForeignInsert;
	routine->ExecForeignBatchInsert = kafkaExecForeignBatchInsert;
	routine->GetForeignModifyBatchSize = kafkaGetForeignModifyBatchSize;
	routine->EndForeignModify = kafkaEndForeignModify;
	routine->BeginForeignInsert = kafkaBeginForeignInsert;
	routine->EndForeignInsert = kafkaEndForeignInsert;
	routine->IsForeignRelUpdatable = kafkaIsForeignRelUpdatable;
	routine->ExecForeignTruncate = kafkaExecForeignTruncate;
	routine->ExplainForeignModify = kafkaExplainForeignModify;

	routine->ImportForeignSchema = kafkaImportForeignSchema;
	routine->AnalyzeForeignTable = kafkaAnalyzeForeignTable;
	PG_RETURN_POINTER(routine);
}
