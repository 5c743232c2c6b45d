/*-------------------------------------------------------------------------
 *
 * query.h
 *	  Queries on the extension's own tables, run as their owner.
 *
 * Layer 0.  Whatever search_path says, operators and functions are pg_catalog's: they are written
 * with their schema, and search_path is guarded for what the grammar hides.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_QUERY_H
#define KAFKA_QUERY_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/relcache.h"

#define KAFKA_QUERY_ARGUMENTS 20

/* One query of the source; its plan is made when it is first run, and kept. */
typedef struct KafkaQuery
{
	const char *text;
	int			nargs;
	Oid			types[KAFKA_QUERY_ARGUMENTS];
	SPIPlanPtr	plan;			/* NULL at first */
} KafkaQuery;

/*
 * Runs it between SPI_connect and SPI_finish of the caller's; nulls as for SPI_execute_plan, or
 * NULL.  Rows are in SPI_tuptable; returns how many it gave or touched.  The current memory
 * context is the caller's afterwards, not SPI's.  Raises what goes wrong.
 */
extern uint64 kafka_query_run(KafkaQuery *query, Datum *values, const char *nulls);

/* The same of a SELECT, which sees what is committed now, under REPEATABLE READ too. */
extern uint64 kafka_query_look(KafkaQuery *query, Datum *values, const char *nulls);

/* Column (from 1) of the first row of SPI_tuptable. */
extern Datum kafka_query_value(int column, bool *isnull);

/*
 * Raises 55000 unless a table has as many columns as this library knows: another version's script
 * has made it.
 */
extern void kafka_query_check_columns(Relation rel, int columns);

/* The owner of the extension's tables; raises 42P01 where they are gone. */
extern Oid	kafka_query_owner(void);

#endif							/* KAFKA_QUERY_H */
