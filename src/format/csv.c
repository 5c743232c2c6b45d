/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  The format "csv": one record in COPY's CSV form per message.
 *
 * Layer 2.  The rules are those of COPY (FORMAT csv), see "CSV Format" in its manual
 * page: an unquoted field equal to the null string is NULL, so that the empty string and
 * NULL stay apart; quoted fields may hold line ends.  COPY's own reader is not used: it
 * reads a stream, and a message is a whole record by itself that must not be able to
 * swallow the next one.  A single line end at the message's end is allowed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/csv.h"
#include "format/format.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"

typedef struct CsvState
{
	KafkaFieldSet *set;
	char		delimiter;
	char		quote;
	char		escape;
	const char *null;
	int			null_len;
	int			last_needed;	/* fields behind it are not looked at, unless strict */
	bool		special[256];	/* by byte: ends an unquoted field, or begins quotes */
	StringInfoData field;		/* reused */
	const char *fault;			/* why the field could not be read, or NULL */
} CsvState;

/* A field's text: in the message itself, or in CsvState.field if it has quotes. */
typedef struct CsvField
{
	const char *data;
	int			len;
	bool		quoted;			/* anywhere */
} CsvField;

static void
init_state(CsvState *csv, const KafkaOptions *opts)
{
	csv->delimiter = opts->delimiter[0];
	csv->quote = opts->quote[0];
	csv->escape = opts->escape ? opts->escape[0] : csv->quote;
	csv->null = opts->null;
	csv->null_len = (int) strlen(csv->null);
	csv->special[(unsigned char) csv->delimiter] = true;
	csv->special[(unsigned char) csv->quote] = true;
	csv->special['\n'] = csv->special['\r'] = true;
	initStringInfo(&csv->field);
}

static void *
begin_csv(KafkaFieldSet *set)
{
	CsvState   *csv = palloc0(sizeof(CsvState));

	init_state(csv, set->opts);
	csv->set = set;
	csv->last_needed = -1;
	for (int i = 0; i < set->nfields; i++)
		if (set->fields[i].needed)
			csv->last_needed = i;
	if (csv->delimiter == csv->quote || strchr(csv->null, csv->delimiter) ||
		strchr(csv->null, csv->quote) || strpbrk(csv->null, "\r\n"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"delimiter\", \"quote\" and \"null\" of format \"csv\" "
						"contradict each other"),
				 errhint("They must differ, and the null string can hold neither of the "
						 "characters, and no line end.")));
	return csv;
}

/* ------------------------------------------------------------------------
 * Decoding
 * ------------------------------------------------------------------------
 */
static KAFKA_NORETURN void
throw_shape(const char *what, int fields, int expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
			 errmsg("%s", what),
			 expected > 0 ? errdetail("The record has %d fields, the table %d columns for them.",
									  fields, expected) : 0));
}

/*
 * Reads a field that has quotes; field is what was read of it before the first one.  What is
 * wrong is in csv->fault.
 */
static void
read_quoted_field(CsvState *csv, const char **p, const char *end, CsvField *field)
{
	bool		in_quote = false;
	const char *c = *p;

	resetStringInfo(&csv->field);
	appendBinaryStringInfo(&csv->field, field->data, field->len);
	for (; c < end; c++)
	{
		if (in_quote && *c == csv->escape && c + 1 < end &&
			(c[1] == csv->quote || c[1] == csv->escape))
			appendStringInfoCharMacro(&csv->field, *++c);
		else if (*c == csv->quote)
			in_quote = !in_quote;
		else if (!in_quote && *c == csv->delimiter)
			break;
		else if (!in_quote && (*c == '\n' || *c == '\r'))
		{
			csv->fault = "message has more than one CSV record";
			break;
		}
		else
			appendStringInfoCharMacro(&csv->field, *c);
	}
	if (in_quote)
		csv->fault = "unterminated CSV quoted field";
	*p = c;
	field->data = csv->field.data;
	field->len = csv->field.len;
	field->quoted = true;
}

/* Reads the field that starts at *p; afterwards *p is at the delimiter or the end. */
static void
read_field(CsvState *csv, const char **p, const char *end, CsvField *field)
{
	const char *c = *p;

	csv->fault = NULL;
	while (c < end && !csv->special[(unsigned char) *c])
		c++;
	field->data = *p;
	field->len = (int) (c - *p);
	field->quoted = false;
	*p = c;
	if (c == end || *c == csv->delimiter)
		return;
	read_quoted_field(csv, p, end, field);
}

/* The record without the one line end that may follow it. */
static const char *
record_end(const char *text, const char *end)
{
	if (end > text && end[-1] == '\n')
		end--;
	if (end > text && end[-1] == '\r')
		end--;
	return end;
}

static bool
is_null_string(const CsvState *csv, const CsvField *text)
{
	return text->len == csv->null_len && memcmp(text->data, csv->null, text->len) == 0;
}

static void
store_field(CsvState *csv, int i, const CsvField *text, Datum *values, bool *nulls)
{
	KafkaField *field = &csv->set->fields[i];
	bool		is_null = is_null_string(csv, text);

	if (field->options->force_null)
		;						/* also a quoted null string is NULL */
	else if (text->quoted || field->options->force_not_null)
		is_null = false;
	if (is_null)
		return;
	values[i] = kafka_field_input_bytes(csv->set, field, text->data, text->len);
	nulls[i] = false;
}

static void
decode_csv(void *state, KafkaBytes bytes, Datum *values, bool *nulls)
{
	CsvState   *csv = (CsvState *) state;
	const char *text = pg_any_to_server(bytes.data, (int) bytes.len, csv->set->encoding);
	const char *end = text + (text == bytes.data ? bytes.len : strlen(text));
	const char *p = text;
	bool		strict = csv->set->opts->strict;
	int			count = 0;

	end = record_end(text, end);
	for (;;)
	{
		CsvField	field;

		read_field(csv, &p, end, &field);
		if (csv->fault)
			throw_shape(csv->fault, 0, 0);
		if (count < csv->set->nfields && csv->set->fields[count].needed)
			store_field(csv, count, &field, values, nulls);
		count++;
		if (p >= end)
			break;
		p++;					/* the delimiter */
		if (!strict && count > csv->last_needed)
			return;
	}
	if (strict && count != csv->set->nfields)
		throw_shape("CSV record does not have as many fields as the table has columns",
					count, csv->set->nfields);
}

int
kafka_csv_split(const KafkaOptions *opts, const char *text, KafkaCsvField field, void *arg)
{
	CsvState	csv = {0};
	const char *end = record_end(text, text + strlen(text));
	const char *p = text;
	int			count = 0;

	init_state(&csv, opts);
	for (;; p++)
	{
		CsvField	found;

		read_field(&csv, &p, end, &found);
		if (csv.fault)
			return -1;
		if (field)
			field(arg, count, !found.quoted && is_null_string(&csv, &found) ? NULL :
				  pnstrdup(found.data, found.len));
		count++;
		if (p >= end)
			return count;
	}
}

/* ------------------------------------------------------------------------
 * Encoding
 * ------------------------------------------------------------------------
 */

/* As COPY: what could be read differently is quoted; so is text that looks like NULL. */
static bool
needs_quotes(const CsvState *csv, const char *text, bool single)
{
	if (strcmp(text, csv->null) == 0 || (single && strcmp(text, "\\.") == 0))
		return true;
	for (; *text; text++)
		if (*text == csv->delimiter || *text == csv->quote || *text == csv->escape ||
			*text == '\n' || *text == '\r')
			return true;
	return false;
}

static void
append_field(CsvState *csv, const KafkaField *field, const char *text, StringInfo out)
{
	if (!field->options->force_quote && !needs_quotes(csv, text, csv->set->nfields == 1))
	{
		appendStringInfoString(out, text);
		return;
	}
	appendStringInfoCharMacro(out, csv->quote);
	for (; *text; text++)
	{
		if (*text == csv->quote || *text == csv->escape)
			appendStringInfoCharMacro(out, csv->escape);
		appendStringInfoCharMacro(out, *text);
	}
	appendStringInfoCharMacro(out, csv->quote);
}

static void
encode_csv(void *state, Datum *values, bool *nulls, StringInfo out)
{
	CsvState   *csv = (CsvState *) state;

	resetStringInfo(&csv->field);
	for (int i = 0; i < csv->set->nfields; i++)
	{
		if (i > 0)
			appendStringInfoCharMacro(&csv->field, csv->delimiter);
		if (nulls[i])
			appendStringInfoString(&csv->field, csv->null);
		else
			append_field(csv, &csv->set->fields[i],
						 OutputFunctionCall(&csv->set->fields[i].output, values[i]),
						 &csv->field);
	}
	kafka_text_encode(csv->field.data, csv->field.len, csv->set->encoding, out);
}

const KafkaFormat kafka_format_csv = {
	"csv", begin_csv, decode_csv, begin_csv, encode_csv
};
