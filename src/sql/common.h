/*-------------------------------------------------------------------------
 *
 * common.h
 *	  What the SQL functions share: finding the server, reading arguments.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SQL_COMMON_H
#define KAFKA_SQL_COMMON_H

#include "postgres.h"

#include "fmgr.h"
#include "ground/message.h"
#include "ground/options.h"
#include "transaction/manual.h"

/*
 * Options of the server that argument `argno` (a name, or NULL) means, as the current
 * user sees it: the argument, else kafka_fdw.server, else the only kafka_fdw server of the
 * database.  Raises 42501 without USAGE, 42704 for an unknown name, 22023 where it is not
 * clear which one is meant.
 */
extern KafkaOptions *kafka_sql_server(FunctionCallInfo fcinfo, int argno);

/* The same by name; NULL: as a NULL argument. */
extern KafkaOptions *kafka_sql_server_named(const char *name);

/*
 * The delivery mode in force for argument `argno`, a text: its own, or where it is NULL
 * kafka_fdw.delivery.  Raises 22023 for another word.
 */
extern KafkaDeliveryMode kafka_sql_delivery(FunctionCallInfo fcinfo, int argno);

/* A text argument that must not be NULL; raises 22004 that names it. */
extern char *kafka_sql_text(FunctionCallInfo fcinfo, int argno, const char *name);

/* Text of the database as UTF-8; null stays null. */
extern KafkaBytes kafka_sql_utf8(KafkaBytes bytes);

/*
 * An argument of type text, json, jsonb or bytea as Kafka gets it: text and JSON in UTF-8,
 * bytea as it is, NULL as Kafka's null.  Lasts as long as the argument and the current
 * memory context.
 */
extern KafkaBytes kafka_sql_bytes(FunctionCallInfo fcinfo, int argno, Oid type);

/* An interval argument in ms; default_ms where it is NULL; 22023 unless it is positive. */
extern int	kafka_sql_interval_ms(FunctionCallInfo fcinfo, int argno, const char *name,
								  int default_ms);

/* The same, and 0 is allowed: not to wait. */
extern int	kafka_sql_wait_ms(FunctionCallInfo fcinfo, int argno, const char *name,
							  int default_ms);

/*
 * transactions.c: the Kafka transaction by hand that two arguments mean, both of them NULL
 * where they are left open; raises as kafka_manual_find().
 */
extern KafkaManual *kafka_sql_transaction(FunctionCallInfo fcinfo, int id_argno,
										  int server_argno);

#endif							/* KAFKA_SQL_COMMON_H */
