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
#include "common/int.h"
#include "fmgr.h"
#include "sql/target.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Microseconds between 1970 and PostgreSQL's epoch. */
#define EPOCH_DIFFERENCE \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

int64
kafka_sql_time_ms(TimestampTz time)
{
	int64		micros;

	if (TIMESTAMP_NOT_FINITE(time) || pg_add_s64_overflow(time, EPOCH_DIFFERENCE, &micros))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"target\" is out of range"),
				 errhint("For the ends of a topic there are 'earliest' and 'latest'.")));
	return micros <= 0 ? 0 : (micros + 999) / 1000;
}

KafkaPlaceTarget
kafka_sql_time_target(TimestampTz time)
{
	KafkaPlaceTarget target = {false};

	if (TIMESTAMP_IS_NOBEGIN(time))
		target.time = KAFKA_TIME_EARLIEST;
	else if (TIMESTAMP_IS_NOEND(time))
		target.time = KAFKA_TIME_LATEST;
	else
		target.time = kafka_sql_time_ms(time);
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
