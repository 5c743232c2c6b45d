/*-------------------------------------------------------------------------
 *
 * logfmt.c
 *	  Lines of the server's log that carry facts as key=value.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "ground/logfmt.h"
#include "lib/stringinfo.h"

char *
kafka_logfmt_quote(const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '"');
	for (; *text; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfoChar(&buf, '\\');
		appendStringInfoChar(&buf, iscntrl((unsigned char) *text) ? ' ' : *text);
	}
	appendStringInfoChar(&buf, '"');
	return buf.data;
}
