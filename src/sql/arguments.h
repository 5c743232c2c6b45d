/*-------------------------------------------------------------------------
 *
 * arguments.h
 *	  Arguments of several values: lists of names, properties, offsets of partitions.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SQL_ARGUMENTS_H
#define KAFKA_SQL_ARGUMENTS_H

#include "postgres.h"

#include "client/transaction.h"
#include "fmgr.h"
#include "ground/options.h"
#include "utils/jsonb.h"

/* A row of the result, after InitMaterializedSRF. */
extern void kafka_sql_put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

/*
 * Text that comes from the cluster, UTF-8 as a rule, as a text datum; bytes that are no UTF-8
 * are written as \\x and two hexadecimal digits.
 */
extern Datum kafka_sql_foreign_text(const char *text);

/* The same in a row of the result: NULL where there is none. */
extern void kafka_sql_set_text(Datum *values, bool *nulls, int column, const char *text);

/*
 * A text[] as C strings, each once, in their order.  Raises 22004 that names the argument for
 * NULL and for NULL elements.
 */
extern char **kafka_sql_names(FunctionCallInfo fcinfo, int argno, const char *argument,
							  int *count);

/* A group id, in UTF-8: not NULL (22004), not empty (22023). */
extern char *kafka_sql_group(FunctionCallInfo fcinfo, int argno);

/* Group ids as a text[]: as kafka_sql_names and kafka_sql_group. */
extern char **kafka_sql_group_array(FunctionCallInfo fcinfo, int argno, int *count);

/*
 * A JSON object as a List of KafkaProperty (place unused): {"retention.ms": 1000, ...}.
 * Values are text, number or boolean (22023 that names the argument).
 */
extern List *kafka_sql_properties(Jsonb *config, const char *argument);

/* A number of 1 or more (22023 that names the argument); -1 for NULL, which leaves it to the broker. */
extern int	kafka_sql_count(FunctionCallInfo fcinfo, int argno, const char *name);

/*
 * [[1,2],[2,3]]: broker ids of the first partition, of the second, ..., as many lists as there are
 * partitions.  Raises 22023 for anything else.
 */
extern List **kafka_sql_assignment(Jsonb *assignment, int *partitions);

/*
 * A kafka.topic_partition[], palloc'd, sorted by topic and partition; metadata in UTF-8.  Raises
 * 22004 for NULLs, 22023 for a partition that is given twice.
 */
extern KafkaGroupOffset *kafka_sql_offsets(FunctionCallInfo fcinfo, int argno, int *n);

#endif							/* KAFKA_SQL_ARGUMENTS_H */
