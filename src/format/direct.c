/*-------------------------------------------------------------------------
 *
 * direct.c
 *	  Values of common types straight from their text.
 *
 * Layer 2.  On the way from a message to a row the type's input function is most of the
 * cost: it wants a terminated copy, and reads far more forms than messages have.  The
 * functions here read the usual form of a type in place.  Each says no to anything it is
 * not sure of, and then the input function decides, so values and errors are always its
 * own.  Domains, lengths and precisions never come here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <float.h>

#include "catalog/pg_type.h"
#include "format/format.h"
#include "ground/compat.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Digits that fit into an int64 with room to spare, also times 10,000 (for numeric). */
#define SAFE_DIGITS 14

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */

/* -?[0-9]{1,max_digits} and nothing else. */
static bool
read_integer(const char *text, int len, int max_digits, int64 *value)
{
	bool		negative = len > 0 && text[0] == '-';
	int64		result = 0;

	if (len - negative < 1 || len - negative > max_digits)
		return false;
	for (int i = negative; i < len; i++)
	{
		unsigned int digit = (unsigned char) text[i] - '0';

		if (digit > 9)
			return false;
		result = result * 10 + digit;
	}
	*value = negative ? -result : result;
	return true;
}

static bool
direct_int2(const char *text, int len, Datum *value)
{
	int64		number;

	if (!read_integer(text, len, 4, &number))
		return false;
	*value = Int16GetDatum((int16) number);
	return true;
}

static bool
direct_int4(const char *text, int len, Datum *value)
{
	int64		number;

	if (!read_integer(text, len, 9, &number))
		return false;
	*value = Int32GetDatum((int32) number);
	return true;
}

static bool
direct_int8(const char *text, int len, Datum *value)
{
	int64		number;

	if (!read_integer(text, len, 18, &number))
		return false;
	*value = Int64GetDatum(number);
	return true;
}

/* -?[0-9]+(\.[0-9]+)? with few digits: the number times 10^scale; the sign comes apart. */
static bool
read_decimal(const char *text, int len, int64 *number, int *scale, bool *negative)
{
	int			point = -1;
	int			i = 0;

	*negative = len > 0 && text[0] == '-';
	*number = 0;
	if (len - *negative > SAFE_DIGITS + 1)
		return false;
	for (i = *negative; i < len; i++)
	{
		unsigned int digit = (unsigned char) text[i] - '0';

		if (text[i] == '.' && point < 0 && i > *negative)
			point = i;
		else if (digit > 9)
			return false;
		else
			*number = *number * 10 + digit;
	}
	*scale = point < 0 ? 0 : len - point - 1;
	/* no digit at all, or none behind the point; without a point one digit too many */
	return len > *negative && point != len - 1 && (point >= 0 || len - *negative <= SAFE_DIGITS);
}

static bool
direct_numeric(const char *text, int len, Datum *value)
{
	int64		number;
	int			scale;
	bool		negative;

	if (!read_decimal(text, len, &number, &scale, &negative))
		return false;
	*value = NumericGetDatum(int64_div_fast_to_numeric(negative ? -number : number, scale));
	return true;
}

#if FLT_EVAL_METHOD == 0
/* Both numbers are exact in a double, so that the division rounds once, as strtod does. */
static bool
direct_float8(const char *text, int len, Datum *value)
{
	static const double powers[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14
	};
	int64		number;
	int			scale;
	bool		negative;
	double		result;

	if (!read_decimal(text, len, &number, &scale, &negative))
		return false;
	result = (double) number / powers[scale];
	*value = Float8GetDatum(negative ? -result : result);
	return true;
}
#else
#define direct_float8 NULL
#endif

/* ------------------------------------------------------------------------
 * Text and boolean
 * ------------------------------------------------------------------------
 */
static bool
direct_text(const char *text, int len, Datum *value)
{
	*value = PointerGetDatum(cstring_to_text_with_len(text, len));
	return true;
}

static bool
direct_bool(const char *text, int len, Datum *value)
{
	bool		is_true = (len == 4 && memcmp(text, "true", 4) == 0) || (len == 1 && *text == 't');

	if (!is_true && !(len == 5 && memcmp(text, "false", 5) == 0) && !(len == 1 && *text == 'f'))
		return false;
	*value = BoolGetDatum(is_true);
	return true;
}

/* ------------------------------------------------------------------------
 * Dates and times, in ISO form with a year of four digits
 * ------------------------------------------------------------------------
 */

/* Two digits of at most max; -1 for anything else. */
static int
read_pair(const char *text, int max)
{
	int			value;

	if (!isdigit((unsigned char) text[0]) || !isdigit((unsigned char) text[1]))
		return -1;
	value = (text[0] - '0') * 10 + text[1] - '0';
	return value <= max ? value : -1;
}

/* YYYY-MM-DD, from the year 1000 on, as days since PostgreSQL's epoch. */
static bool
read_date(const char *text, int len, int32 *days)
{
	int			century;
	int			year;
	int			month;
	int			day;

	if (len < 10 || text[4] != '-' || text[7] != '-')
		return false;
	century = read_pair(text, 99);
	year = read_pair(text + 2, 99);
	month = read_pair(text + 5, 12);
	day = read_pair(text + 8, 31);
	if (century < 10 || year < 0 || month < 1 || day < 1)
		return false;
	year += century * 100;
	if (day > day_tab[isleap(year)][month - 1])
		return false;
	*days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* A point and one to six digits, as microseconds; returns what is used, -1 if wrong. */
static int
read_fraction(const char *text, int len, int64 *micros)
{
	int			scale = 100000;
	int			used = 1;

	if (len == 0 || text[0] != '.')
		return 0;
	for (; used < len && isdigit((unsigned char) text[used]); used++)
	{
		if (scale == 0)
			return -1;
		*micros += (text[used] - '0') * scale;
		scale /= 10;
	}
	return used > 1 ? used : -1;
}

/* YYYY-MM-DD HH:MM:SS[.ffffff], with a T as well; returns what is used, 0 if wrong. */
static int
read_timestamp(const char *text, int len, int64 *micros)
{
	int32		days;
	int			hour;
	int			minute;
	int			second;
	int			fraction;

	if (len < 19 || !read_date(text, len, &days) || (text[10] != ' ' && text[10] != 'T') ||
		text[13] != ':' || text[16] != ':')
		return 0;
	hour = read_pair(text + 11, 23);
	minute = read_pair(text + 14, 59);
	second = read_pair(text + 17, 59);
	if (hour < 0 || minute < 0 || second < 0)
		return 0;
	*micros = days * USECS_PER_DAY +
		((hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second) * USECS_PER_SEC;
	fraction = read_fraction(text + 19, len - 19, micros);
	return fraction < 0 ? 0 : 19 + fraction;
}

/* Z, +HH or +HH:MM, as microseconds east of Greenwich. */
static bool
read_offset(const char *text, int len, int64 *micros)
{
	int			hour;
	int			minute = 0;

	*micros = 0;
	if (len == 1)
		return text[0] == 'Z';
	if ((len != 3 && len != 6) || (text[0] != '+' && text[0] != '-'))
		return false;
	hour = read_pair(text + 1, 14);
	if (len == 6)
		minute = text[3] == ':' ? read_pair(text + 4, 59) : -1;
	if (hour < 0 || minute < 0)
		return false;
	*micros = (hour * MINS_PER_HOUR + minute) * USECS_PER_MINUTE;
	if (text[0] == '-')
		*micros = -*micros;
	return true;
}

static bool
direct_date(const char *text, int len, Datum *value)
{
	int32		days;

	if (len != 10 || !read_date(text, len, &days))
		return false;
	*value = DateADTGetDatum(days);
	return true;
}

static bool
direct_timestamp(const char *text, int len, Datum *value)
{
	int64		micros;

	if (read_timestamp(text, len, &micros) != len || len == 0)
		return false;
	*value = TimestampGetDatum(micros);
	return true;
}

/* Without an offset the session's time zone counts: the input function knows it. */
static bool
direct_timestamptz(const char *text, int len, Datum *value)
{
	int64		micros;
	int64		offset;
	int			used = read_timestamp(text, len, &micros);

	if (used == 0 || !read_offset(text + used, len - used, &offset))
		return false;
	*value = TimestampTzGetDatum(micros - offset);
	return true;
}

/* ------------------------------------------------------------------------
 * Choosing
 * ------------------------------------------------------------------------
 */
KafkaDirectInput
kafka_direct_input(Oid type, int32 typmod)
{
	if (typmod >= 0)
		return NULL;
	switch (type)
	{
		case INT2OID:
			return direct_int2;
		case INT4OID:
			return direct_int4;
		case INT8OID:
			return direct_int8;
		case NUMERICOID:
			return direct_numeric;
		case FLOAT8OID:
			return direct_float8;
		case TEXTOID:
		case VARCHAROID:
			return direct_text;
		case BOOLOID:
			return direct_bool;
		case DATEOID:
			return direct_date;
		case TIMESTAMPOID:
			return direct_timestamp;
		case TIMESTAMPTZOID:
			return direct_timestamptz;
		default:
			return NULL;
	}
}

Datum
kafka_field_input_bytes(KafkaFieldSet *set, KafkaField *field, const char *text, int len)
{
	Datum		value;

	if (field->direct && field->direct(text, len, &value))
		return value;
	return kafka_field_input(set, field, pnstrdup(text, len));
}
