/*-------------------------------------------------------------------------
 *
 * procedure.h
 *	  Procedures that commit as they go.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SQL_PROCEDURE_H
#define KAFKA_SQL_PROCEDURE_H

#include "postgres.h"

#include "fmgr.h"
#include "ground/host.h"

/* Raises 2D000 unless the procedure may commit: it was called as a statement of its own. */
extern void kafka_sql_require_nonatomic(FunctionCallInfo fcinfo, const char *name);

/* The procedure as a host.  SPI stays connected; what runs takes its own snapshots. */
extern const KafkaHost kafka_procedure_host;

#endif							/* KAFKA_SQL_PROCEDURE_H */
