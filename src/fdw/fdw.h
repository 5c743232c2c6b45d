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

#include "foreign/fdwapi.h"

/* scan.c */
extern void kafkaGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void kafkaGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *kafkaGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel,
										Oid foreigntableid, ForeignPath *best_path, List *tlist,
										List *scan_clauses, Plan *outer_plan);
extern void kafkaBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *kafkaIterateForeignScan(ForeignScanState *node);
extern void kafkaReScanForeignScan(ForeignScanState *node);
extern void kafkaEndForeignScan(ForeignScanState *node);
extern void kafkaExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

/* modify.c */
extern List *kafkaPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index resultRelation,
									int subplan_index);
extern void kafkaBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo,
									List *fdw_private, int subplan_index, int eflags);
extern TupleTableSlot *kafkaExecForeignInsert(EState *estate, ResultRelInfo *rinfo,
											  TupleTableSlot *slot, TupleTableSlot *planSlot);
extern void kafkaEndForeignModify(EState *estate, ResultRelInfo *rinfo);
extern void kafkaBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *rinfo);
extern void kafkaEndForeignInsert(EState *estate, ResultRelInfo *rinfo);
extern int	kafkaIsForeignRelUpdatable(Relation rel);
extern void kafkaExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo,
									  List *fdw_private, int subplan_index,
									  struct ExplainState *es);

/* validator.c: checks column types when they are made */
extern void kafka_validator_init(void);

#endif							/* KAFKA_FDW_H */
