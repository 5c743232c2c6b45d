/*-------------------------------------------------------------------------
 *
 * target.h
 *	  A place in a partition as users write it: 'earliest', 'latest', a number, a timestamp.
 *
 * Layer 3, private to src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SQL_TARGET_H
#define KAFKA_SQL_TARGET_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct KafkaPlaceTarget
{
	bool		is_offset;
	int64		offset;			/* if so */
	int64		time;			/* else: KAFKA_TIME_EARLIEST, KAFKA_TIME_LATEST, ms since 1970 */
} KafkaPlaceTarget;

/*
 * What the text means.  A time between two milliseconds is the later one; one before 1970 is
 * 1970.  Raises 22007, 22008, 22003 for what is none of these.
 */
extern KafkaPlaceTarget kafka_sql_parse_target(char *text);

/*
 * Milliseconds since 1970, rounded up, or a message just before would count as not earlier; 0 for
 * what is earlier.  Raises 22023 for infinity and times that Kafka cannot have.
 */
extern int64 kafka_sql_time_ms(TimestampTz time);

/* The same for a time that is there already. */
extern KafkaPlaceTarget kafka_sql_time_target(TimestampTz time);

#endif							/* KAFKA_SQL_TARGET_H */
