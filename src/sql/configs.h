/*-------------------------------------------------------------------------
 *
 * configs.h
 *	  Properties that are to be changed.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SQL_CONFIGS_H
#define KAFKA_SQL_CONFIGS_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* A List of KafkaProperty as one of KafkaConfigChange (client/config.h), in UTF-8. */
extern List *kafka_sql_config_changes(List *properties);

#endif							/* KAFKA_SQL_CONFIGS_H */
