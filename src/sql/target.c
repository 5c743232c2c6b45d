/*-------------------------------------------------------------------------
 *
 * target.c
 *	  A place in a partition as users write it: 'earliest', 'latest', a number, a timestamp.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/partition_offsets.h"
#include "fmgr.h"
#include "sql/target.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Microseconds between 1970 and PostgreSQL's epoch. */
#define EPOCH_DIFFERENCE \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

KafkaPlaceTarget
kafka_sql_time_target(TimestampTz time)
{
	KafkaPlaceTarget target = {false};
	int64		micros;

	if (TIMESTAMP_IS_NOBEGIN(time))
		target.time = KAFKA_TIME_EARLIEST;
	else if (TIMESTAMP_IS_NOEND(time))
		target.time = KAFKA_TIME_LATEST;
	else
	{
		micros = time + EPOCH_DIFFERENCE;
		target.time = micros <= 0 ? 0 : (micros + 999) / 1000;
	}
	return target;
}

KafkaPlaceTarget
kafka_sql_parse_target(char *text)
{
	KafkaPlaceTarget target = {false};

	if (pg_strcasecmp(text, "earliest") == 0)
		target.time = KAFKA_TIME_EARLIEST;
	else if (pg_strcasecmp(text, "latest") == 0)
		target.time = KAFKA_TIME_LATEST;
	else if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text))
	{
		target.is_offset = true;
		target.offset = DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(text)));
	}
	else
		target = kafka_sql_time_target(DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
																			   CStringGetDatum(text),
																			   ObjectIdGetDatum(InvalidOid),
																			   Int32GetDatum(-1))));
	return target;
}
