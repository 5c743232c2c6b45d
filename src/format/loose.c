/*-------------------------------------------------------------------------
 *
 * loose.c
 *	  Text in another encoding, as far as that goes.
 *
 * Layer 2.  For text that is kept for people, as the name of a header or an error: there it must
 * not be an error that a character cannot be kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "format/loose.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/*
 * These append what comes before the first byte that cannot be had, and return how many bytes of
 * the text that was.
 */
static int
append_valid(StringInfo out, const char *text, int len, int encoding)
{
	int			good = pg_encoding_verifymbstr(encoding, text, len);

	appendBinaryStringInfo(out, text, good);
	return good;
}

static int
append_ascii(StringInfo out, const char *text, int len)
{
	int			good = 0;

	while (good < len && !IS_HIGHBIT_SET(text[good]))
		good++;
	appendBinaryStringInfo(out, text, good);
	return good;
}

static int
append_converted(StringInfo out, Oid proc, const char *text, int len, int from, int to)
{
	int			good;

	enlargeStringInfo(out, len * MAX_CONVERSION_GROWTH + 1);
	good = pg_do_encoding_conversion_buf(proc, from, to,
										 (unsigned char *) unconstify(char *, text), len,
										 (unsigned char *) out->data + out->len,
										 out->maxlen - out->len, true);
	out->len += (int) strlen(out->data + out->len);
	return good;
}

char *
kafka_text_loosely(const char *text, int from, int to)
{
	bool		converts = from != to && from != PG_SQL_ASCII && to != PG_SQL_ASCII;
	Oid			proc = converts ? FindDefaultConversionProc(from, to) : InvalidOid;
	int			len = (int) strlen(text);
	StringInfoData out;

	initStringInfo(&out);
	while (len > 0)
	{
		int			good;

		if (OidIsValid(proc))
			good = append_converted(&out, proc, text, len, from, to);
		else if (converts)
			good = append_ascii(&out, text, len);
		else
			good = append_valid(&out, text, len, to);
		text += good;
		len -= good;
		if (len > 0)
		{
			appendStringInfo(&out, "\\x%02x", (unsigned char) *text++);
			len--;
		}
	}
	return out.data;
}
