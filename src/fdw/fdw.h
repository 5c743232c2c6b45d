/*-------------------------------------------------------------------------
 *
 * fdw.h
 *	  The foreign-data wrapper's callbacks, named as in PostgreSQL's manual.
 *
 * Layer 3, private to src/fdw.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_FDW_H
#define KAFKA_FDW_H

#include "postgres.h"

#include "access/parallel.h"
#include "foreign/fdwapi.h"

/* plan.c */
extern void kafkaGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void kafkaGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *kafkaGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel,
										Oid foreigntableid, ForeignPath *best_path, List *tlist,
										List *scan_clauses, Plan *outer_plan);

/* scan.c */
extern void kafkaBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *kafkaIterateForeignScan(ForeignScanState *node);
extern void kafkaReScanForeignScan(ForeignScanState *node);
extern void kafkaEndForeignScan(ForeignScanState *node);

/* parallel.c */
extern bool kafkaIsForeignScanParallelSafe(PlannerInfo *root, RelOptInfo *rel,
										   RangeTblEntry *rte);
extern Size kafkaEstimateDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt);
extern void kafkaInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt,
										  void *coordinate);
extern void kafkaReInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt,
											void *coordinate);
extern void kafkaInitializeWorkerForeignScan(ForeignScanState *node, shm_toc *toc,
											 void *coordinate);
extern void kafkaShutdownForeignScan(ForeignScanState *node);

/* explain.c */
extern void kafkaExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

/* modify.c */
extern List *kafkaPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index resultRelation,
									int subplan_index);
extern void kafkaBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo,
									List *fdw_private, int subplan_index, int eflags);
extern TupleTableSlot *kafkaExecForeignInsert(EState *estate, ResultRelInfo *rinfo,
											  TupleTableSlot *slot, TupleTableSlot *planSlot);
extern TupleTableSlot **kafkaExecForeignBatchInsert(EState *estate, ResultRelInfo *rinfo,
													TupleTableSlot **slots,
													TupleTableSlot **planSlots, int *numSlots);
extern int	kafkaGetForeignModifyBatchSize(ResultRelInfo *rinfo);
extern void kafkaEndForeignModify(EState *estate, ResultRelInfo *rinfo);
extern void kafkaBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *rinfo);
extern void kafkaEndForeignInsert(EState *estate, ResultRelInfo *rinfo);
extern int	kafkaIsForeignRelUpdatable(Relation rel);
extern void kafkaExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs);
extern void kafkaExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo,
									  List *fdw_private, int subplan_index,
									  struct ExplainState *es);

/* import.c */
extern List *kafkaImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

/* analyze.c */
extern bool kafkaAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func,
									 BlockNumber *totalpages);

#endif							/* KAFKA_FDW_H */
