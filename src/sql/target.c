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

static int64
parse_time(char *text)
{
	TimestampTz time = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
															   CStringGetDatum(text),
															   ObjectIdGetDatum(InvalidOid),
															   Int32GetDatum(-1)));
	int64		micros;

	if (TIMESTAMP_IS_NOBEGIN(time))
		return KAFKA_TIME_EARLIEST;
	if (TIMESTAMP_IS_NOEND(time))
		return KAFKA_TIME_LATEST;
	micros = time + EPOCH_DIFFERENCE;
	return micros <= 0 ? 0 : (micros + 999) / 1000;
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
		target.time = parse_time(text);
	return target;
}
