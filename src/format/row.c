/*-------------------------------------------------------------------------
 *
 * row.c
 *	  A message as a row of a foreign table, and back.
 *
 * Layer 2.  On both ways the columns are sorted once, when the scan or the INSERT starts:
 * those with a "meta" option are served here, all others are fields of the value and go
 * through the table's format.  Dropped columns are NULL and never fields.  Stored generated
 * columns are fields: PostgreSQL computes them when a row is written, and they are read back
 * as they were stored.
 *
 * The key's columns are fields, too, of a set of their own, where the table has a
 * key_format; else the key is a column with a meta like others, and its type decides.
 *
 * Undecodable messages.  Where the table does not just raise (on_error, ignore_junk, junk
 * columns), a message is decoded inside a subtransaction, so that an input function's
 * error leaves nothing behind.  If that fails and what can be had shall be kept, each column
 * is tried by itself (salvage.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "format/columns.h"
#include "format/format.h"
#include "format/headers.h"
#include "format/row.h"
#include "format/salvage.h"
#include "ground/attempt.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

struct KafkaRowReader
{
	KafkaRowColumns	columns;
	void	   *decoder;
	void	   *key_decoder;
	bool		any_needed;		/* some field is: else the value is not decoded */
	bool		key_needed;
	bool		catches;		/* errors go into a column, or are passed over */
	bool		ignores;		/* columns that cannot be decoded are NULL, the others stay */
	bool		some_ignore;	/* these columns do so by their own option */
	KafkaSalvage *salvage;		/* made with the first message that needs it */
	KafkaSalvage *key_salvage;
	MemoryContext context;		/* of the reader */

	/* of the message in work */
	const KafkaMessage *msg;
	const char *error;			/* why it could not be decoded */
	const char *meta_column;	/* the column with a meta that is being filled */
	bool		in_key;			/* the key is being decoded */
	Datum	   *values;			/* of the row, by attribute */
	bool	   *nulls;
	Datum	   *field_values;
	bool	   *field_nulls;
	Datum	   *key_values;
	bool	   *key_nulls;
};

struct KafkaRowWriter
{
	KafkaRowColumns	columns;
	void	   *encoder;
	void	   *key_encoder;
	StringInfoData value;
	StringInfoData key;
	bool		given[KAFKA_META_JUNK_ERROR + 1];	/* by meta: the row has it */
	bool		tombstone;		/* what it says, if given */
	Datum	   *field_values;
	bool	   *field_nulls;
	Datum	   *key_values;
	bool	   *key_nulls;
};

/* ------------------------------------------------------------------------
 * Timestamps
 * ------------------------------------------------------------------------
 */
Datum
kafka_timestamp_datum(int64 ms)
{
	int64		epoch_ms = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
	TimestampTz result;

	if (ms > PG_INT64_MAX / 1000 + epoch_ms || ms < PG_INT64_MIN / 1000 + epoch_ms ||
		!IS_VALID_TIMESTAMP((result = (ms - epoch_ms) * 1000)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp of the message is out of range"),
				 errdetail("It is " INT64_FORMAT " ms since 1970.", ms)));
	return TimestampTzGetDatum(result);
}

int64
kafka_timestamp_ms(Datum timestamptz)
{
	TimestampTz value = DatumGetTimestampTz(timestamptz);
	int64		epoch_ms = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
	int64		ms;

	if (TIMESTAMP_NOT_FINITE(value))
		ms = -1;
	else
		ms = (value >= 0 ? value / 1000 : -((-value + 999) / 1000)) + epoch_ms;
	/* librdkafka takes 0 for "now" */
	if (ms <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp for a message is out of range"),
				 errdetail("Timestamps that can be sent are finite and after the beginning of "
						   "1970.")));
	return ms;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
/* Lets the column's own type have its say about a value of the base type. */
static Datum
constrain(KafkaMetaColumn *column, Datum value, bool isnull)
{
	char	   *text = isnull ? NULL : OutputFunctionCall(&column->output, value);

	return InputFunctionCall(&column->input, text, column->ioparam, column->typmod);
}

static bool
has_junk_column(Relation rel)
{
	return kafka_row_find_meta(rel, KAFKA_META_JUNK) != InvalidAttrNumber ||
		kafka_row_find_meta(rel, KAFKA_META_JUNK_ERROR) != InvalidAttrNumber;
}

/*
 * on_error says what becomes of a message that cannot be decoded; where it is left at
 * "error", ignore_junk and columns for junk keep of the message what can be had.
 */
static void
decide_errors(KafkaRowReader *reader, Relation rel, const KafkaOptions *opts)
{
	reader->ignores = opts->on_error == KAFKA_ON_ERROR_ERROR &&
		(opts->ignore_junk || has_junk_column(rel));
	reader->catches = reader->ignores || opts->on_error != KAFKA_ON_ERROR_ERROR;
}

bool
kafka_row_catches(Relation rel, const KafkaOptions *opts)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (opts->on_error != KAFKA_ON_ERROR_ERROR || opts->ignore_junk || has_junk_column(rel))
		return true;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (!attr->attisdropped &&
			kafka_options_of_column(RelationGetRelid(rel), attr->attnum)->ignore_junk)
			return true;
	}
	return false;
}

static bool
any_is_needed(const KafkaFieldSet *set)
{
	for (int i = 0; i < set->nfields; i++)
		if (set->fields[i].needed)
			return true;
	return false;
}

/* Does a column that is needed have the option ignore_junk? */
static bool
find_ignoring(const KafkaRowColumns *columns)
{
	for (int i = 0; i < columns->nmetas; i++)
		if (columns->metas[i].ignores)
			return true;
	for (int i = 0; i < columns->set.nfields; i++)
		if (columns->set.fields[i].needed && columns->set.fields[i].options->ignore_junk)
			return true;
	for (int i = 0; i < columns->key.nfields; i++)
		if (columns->key.fields[i].needed && columns->key.fields[i].options->ignore_junk)
			return true;
	return false;
}

static void
begin_decode(KafkaRowReader *reader)
{
	KafkaRowColumns *columns = &reader->columns;

	reader->any_needed = any_is_needed(&columns->set);
	reader->decoder = columns->format->begin_decode(&columns->set);
	reader->field_values = palloc0(sizeof(Datum) * Max(columns->set.nfields, 1));
	reader->field_nulls = palloc(sizeof(bool) * Max(columns->set.nfields, 1));
	reader->key_needed = any_is_needed(&columns->key);
	if (columns->key_format)
		reader->key_decoder = columns->key_format->begin_decode(&columns->key);
	reader->key_values = palloc0(sizeof(Datum) * Max(columns->key.nfields, 1));
	reader->key_nulls = palloc(sizeof(bool) * Max(columns->key.nfields, 1));
}

KafkaRowReader *
kafka_row_reader(Relation rel, const KafkaOptions *opts, Bitmapset *needed)
{
	KafkaRowReader *reader = palloc0(sizeof(KafkaRowReader));
	bool		all = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, needed);

	/*
	 * Whether a message can be decoded shows when all of it is: so a query that looks at any
	 * column, or from which such messages are left out, decodes every column, and all
	 * queries agree.
	 */
	reader->context = CurrentMemoryContext;
	decide_errors(reader, rel, opts);
	if (reader->catches)
		all |= !bms_is_empty(needed) || opts->on_error == KAFKA_ON_ERROR_SKIP;
	kafka_columns_sort(&reader->columns, rel, opts, needed, all);
	reader->some_ignore = find_ignoring(&reader->columns);
	begin_decode(reader);
	return reader;
}

bool
kafka_row_needs_headers(const KafkaRowReader *reader)
{
	for (int i = 0; i < reader->columns.nmetas; i++)
		if (reader->columns.metas[i].meta == KAFKA_META_HEADERS)
			return true;
	return false;
}

static void
error_context(void *arg)
{
	KafkaRowReader *reader = (KafkaRowReader *) arg;
	const KafkaRowColumns *columns = &reader->columns;
	const KafkaField *field = columns->set.current ? columns->set.current : columns->key.current;
	const char *column = field ? field->name : reader->meta_column;

	if (column)
		errcontext("column \"%s\" of %s \"%s\", topic \"%s\" partition %d offset " INT64_FORMAT,
				   column, columns->kind, columns->table, reader->msg->topic,
				   reader->msg->partition, reader->msg->offset);
	else
		errcontext("%s%s \"%s\", topic \"%s\" partition %d offset " INT64_FORMAT,
				   reader->in_key ? "key of " : "", columns->kind, columns->table,
				   reader->msg->topic, reader->msg->partition, reader->msg->offset);
}

/* Bytes as text or bytea; NULL for Kafka's null. */
static Datum
bytes_datum(KafkaBytes bytes, Oid type, int encoding, bool *isnull)
{
	*isnull = bytes.data == NULL;
	if (*isnull)
		return (Datum) 0;
	if (type == BYTEAOID)
		return PointerGetDatum(cstring_to_text_with_len(bytes.data, (int) bytes.len));
	return CStringGetTextDatum(kafka_text_decode(bytes, encoding));
}

/* Junk in a text column may be anything: what is not text is shown as bytea's hex. */
static Datum
junk_datum(KafkaBytes bytes, Oid type, int encoding, bool *isnull)
{
	if (type == BYTEAOID || bytes.data == NULL ||
		pg_verify_mbstr(encoding, bytes.data, (int) bytes.len, true))
		return bytes_datum(bytes, type, encoding, isnull);
	else
	{
		char	   *hex = palloc(bytes.len * 2 + 3);

		strcpy(hex, "\\x");
		hex_encode(bytes.data, bytes.len, hex + 2);
		hex[bytes.len * 2 + 2] = '\0';
		*isnull = false;
		return CStringGetTextDatum(hex);
	}
}

static Datum
integer_datum(int64 value, Oid type)
{
	return type == INT8OID ? Int64GetDatum(value) : Int32GetDatum((int32) value);
}

static Datum
timestamp_type_datum(KafkaTimestampType type, bool *isnull)
{
	*isnull = type == KAFKA_TIMESTAMP_NONE;
	return CStringGetTextDatum(type == KAFKA_TIMESTAMP_CREATE ? "create" : "log_append");
}

static Datum
headers_datum(const KafkaMessage *msg, Oid type, bool *isnull)
{
	*isnull = msg->nheaders == 0;
	if (*isnull)
		return (Datum) 0;
	return type == JSONBOID ? kafka_headers_to_object(msg) : kafka_headers_to_array(msg, type);
}

static Datum
meta_datum(KafkaRowReader *reader, const KafkaMetaColumn *column, bool *isnull)
{
	const KafkaMessage *msg = reader->msg;
	int			encoding = reader->columns.set.encoding;

	*isnull = false;
	switch (column->meta)
	{
		case KAFKA_META_TOPIC:
			return CStringGetTextDatum(msg->topic);
		case KAFKA_META_PARTITION:
			return integer_datum(msg->partition, column->type);
		case KAFKA_META_OFFSET:
			return Int64GetDatum(msg->offset);
		case KAFKA_META_TIMESTAMP:
			*isnull = msg->timestamp_type == KAFKA_TIMESTAMP_NONE;
			return *isnull ? (Datum) 0 : kafka_timestamp_datum(msg->timestamp);
		case KAFKA_META_TIMESTAMP_TYPE:
			return timestamp_type_datum(msg->timestamp_type, isnull);
		case KAFKA_META_KEY:
			return bytes_datum(msg->key, column->type, encoding, isnull);
		case KAFKA_META_VALUE:
			return bytes_datum(msg->value, column->type, encoding, isnull);
		case KAFKA_META_HEADERS:
			return headers_datum(msg, column->type, isnull);
		case KAFKA_META_LEADER_EPOCH:
			*isnull = msg->leader_epoch < 0;
			return integer_datum(msg->leader_epoch, column->type);
		case KAFKA_META_TOMBSTONE:
			return BoolGetDatum(msg->value.data == NULL);
		case KAFKA_META_JUNK:
			if (reader->error)
				return junk_datum(msg->value, column->type, encoding, isnull);
			break;
		case KAFKA_META_JUNK_ERROR:
			if (reader->error)
				return CStringGetTextDatum(reader->error);
			break;
		case KAFKA_META_NONE:
			break;
	}
	*isnull = true;
	return (Datum) 0;
}

static bool
is_junk(const KafkaMetaColumn *column)
{
	return column->meta == KAFKA_META_JUNK || column->meta == KAFKA_META_JUNK_ERROR;
}

static void
fill_meta(KafkaRowReader *reader, KafkaMetaColumn *column)
{
	int			att = column->attnum - 1;

	reader->meta_column = column->name;
	reader->values[att] = meta_datum(reader, column, &reader->nulls[att]);
	if (column->constrained)
		reader->values[att] = constrain(column, reader->values[att], reader->nulls[att]);
	reader->meta_column = NULL;
}

/* Scatters the fields' values over the row. */
static void
fill_fields(KafkaRowReader *reader, const KafkaFieldSet *set, const Datum *values,
			const bool *nulls)
{
	for (int i = 0; i < set->nfields; i++)
	{
		int			att = set->fields[i].attnum - 1;

		reader->nulls[att] = nulls[i];
		reader->values[att] = values[i];
	}
}

static void
fill_value(KafkaRowReader *reader)
{
	memset(reader->field_nulls, true, sizeof(bool) * reader->columns.set.nfields);
	if (reader->any_needed && reader->msg->value.data)
		reader->columns.format->decode(reader->decoder, reader->msg->value,
									   reader->field_values, reader->field_nulls);
	fill_fields(reader, &reader->columns.set, reader->field_values, reader->field_nulls);
}

static void
fill_key(KafkaRowReader *reader)
{
	memset(reader->key_nulls, true, sizeof(bool) * reader->columns.key.nfields);
	reader->in_key = true;
	if (reader->msg->key.data)
		reader->columns.key_format->decode(reader->key_decoder, reader->msg->key,
										   reader->key_values, reader->key_nulls);
	reader->in_key = false;
	fill_fields(reader, &reader->columns.key, reader->key_values, reader->key_nulls);
}

/* Everything that an odd message can make fail. */
static void
fill_row(void *arg)
{
	KafkaRowReader *reader = (KafkaRowReader *) arg;
	int			nestlevel = kafka_text_settings_begin();

	fill_value(reader);
	if (reader->key_needed)
		fill_key(reader);
	for (int i = 0; i < reader->columns.nmetas; i++)
		if (!is_junk(&reader->columns.metas[i]))
			fill_meta(reader, &reader->columns.metas[i]);
	kafka_text_settings_end(nestlevel);
}

/*
 * Only data errors belong to the message, and what it makes of the parser: too deep a nesting,
 * a character that the database's encoding has no place for.  A cancel or a full disk does not.
 */
static bool
is_data_error(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION) ||
		sqlstate == ERRCODE_STATEMENT_TOO_COMPLEX || sqlstate == ERRCODE_FEATURE_NOT_SUPPORTED;
}

typedef struct MetaAttempt
{
	KafkaRowReader *reader;
	KafkaMetaColumn *column;
} MetaAttempt;

static void
fill_meta_attempt(void *arg)
{
	fill_meta(((MetaAttempt *) arg)->reader, ((MetaAttempt *) arg)->column);
}

/* ------------------------------------------------------------------------
 * Messages that cannot be decoded
 * ------------------------------------------------------------------------
 */

/* The errors of a message's columns. */
typedef struct Verdict
{
	StringInfoData messages;	/* each once, a line each */
	ErrorData  *fatal;			/* the first of a column that does not ignore its errors */
} Verdict;

static void
note_error(KafkaRowReader *reader, Verdict *verdict, ErrorData *error, bool ignored)
{
	if (error == NULL)
		return;
	if (verdict->fatal == NULL && !ignored && !reader->ignores)
		verdict->fatal = error;
	if (strstr(verdict->messages.data, error->message))
		return;
	if (verdict->messages.len > 0)
		appendStringInfoChar(&verdict->messages, '\n');
	appendStringInfoString(&verdict->messages, error->message);
}

static void
salvage_meta(KafkaRowReader *reader, KafkaMetaColumn *column, Verdict *verdict)
{
	MetaAttempt attempt = {.reader = reader, .column = column};
	ErrorData  *error = kafka_attempt(fill_meta_attempt, &attempt, is_data_error);

	reader->meta_column = NULL;
	if (error)
		reader->nulls[column->attnum - 1] = true;
	note_error(reader, verdict, error, column->ignores);
}

/* Each column of a value or key by itself. */
static void
salvage_fields(KafkaRowReader *reader, KafkaSalvage *salvage, KafkaFieldSet *set,
			   KafkaBytes bytes, Verdict *verdict)
{
	for (int i = 0; i < set->nfields; i++)
	{
		const KafkaField *field = &set->fields[i];
		int			att = field->attnum - 1;
		ErrorData  *error;

		if (!field->needed || bytes.data == NULL)
			continue;
		set->current = field;
		error = kafka_salvage_field(salvage, i, bytes, &reader->values[att],
									&reader->nulls[att], is_data_error);
		set->current = NULL;
		note_error(reader, verdict, error, field->options->ignore_junk);
	}
}

static void
make_salvage(KafkaRowReader *reader)
{
	KafkaRowColumns *columns = &reader->columns;
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	reader->salvage = kafka_salvage_make(&columns->set, columns->format);
	reader->key_salvage = kafka_salvage_make(&columns->key, columns->key_format);
	MemoryContextSwitchTo(old);
}

/* What can be had of a message that failed as a whole.  Returns the error that counts, if any. */
static ErrorData *
salvage_row(KafkaRowReader *reader)
{
	KafkaRowColumns *columns = &reader->columns;
	int			nestlevel = kafka_text_settings_begin();
	Verdict		verdict = {.fatal = NULL};

	initStringInfo(&verdict.messages);
	if (reader->salvage == NULL)
		make_salvage(reader);
	memset(reader->nulls, true, sizeof(bool) * columns->natts);
	salvage_fields(reader, reader->salvage, &columns->set, reader->msg->value, &verdict);
	salvage_fields(reader, reader->key_salvage, &columns->key, reader->msg->key, &verdict);
	for (int i = 0; i < columns->nmetas; i++)
		if (!is_junk(&columns->metas[i]))
			salvage_meta(reader, &columns->metas[i], &verdict);
	kafka_text_settings_end(nestlevel);
	reader->error = verdict.messages.data;
	return verdict.fatal;
}

/* Under on_error 'null' the value is NULL, and so is each meta that cannot be had. */
static void
fill_junk_row(KafkaRowReader *reader)
{
	Verdict		verdict = {.fatal = NULL};

	initStringInfo(&verdict.messages);
	memset(reader->nulls, true, sizeof(bool) * reader->columns.natts);
	salvage_fields(reader, reader->key_salvage, &reader->columns.key, reader->msg->key,
				   &verdict);
	for (int i = 0; i < reader->columns.nmetas; i++)
		if (!is_junk(&reader->columns.metas[i]))
			salvage_meta(reader, &reader->columns.metas[i], &verdict);
}

/* A message that could not be decoded as a whole: false, if it is to be skipped. */
static bool
judge(KafkaRowReader *reader, ErrorData *error)
{
	reader->columns.set.current = NULL;
	reader->columns.key.current = NULL;
	reader->meta_column = NULL;
	reader->in_key = false;
	reader->error = error->message;
	if (reader->ignores || reader->some_ignore)
	{
		error = salvage_row(reader);
		if (error == NULL)
			return true;
		reader->error = error->message;
	}
	switch ((KafkaOnError) reader->columns.opts->on_error)
	{
		case KAFKA_ON_ERROR_SKIP:
			return false;
		case KAFKA_ON_ERROR_NULL:
			if (reader->salvage == NULL)
				make_salvage(reader);
			fill_junk_row(reader);
			return true;
		case KAFKA_ON_ERROR_ERROR:
			break;
	}
	ReThrowError(error);
}

/* False: the message is to be skipped. */
static bool
fill_row_or_judge(KafkaRowReader *reader)
{
	ErrorData  *error;

	if (!reader->catches && !reader->some_ignore)
	{
		fill_row(reader);
		return true;
	}
	error = kafka_attempt(fill_row, reader, is_data_error);
	return error == NULL || judge(reader, error);
}

bool
kafka_row_read(KafkaRowReader *reader, const KafkaMessage *msg, Datum *values, bool *nulls)
{
	ErrorContextCallback callback = {.callback = error_context, .arg = reader};
	bool		kept;

	memset(nulls, true, sizeof(bool) * reader->columns.natts);
	/* a count(*): nothing to be decoded, so nothing that can fail */
	if (!reader->any_needed && !reader->key_needed && reader->columns.nmetas == 0)
		return true;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	reader->msg = msg;
	reader->values = values;
	reader->nulls = nulls;
	reader->error = NULL;
	reader->meta_column = NULL;
	reader->in_key = false;
	reader->columns.set.current = NULL;
	reader->columns.key.current = NULL;
	kept = fill_row_or_judge(reader);
	for (int i = 0; kept && i < reader->columns.nmetas; i++)
		if (is_junk(&reader->columns.metas[i]))
			fill_meta(reader, &reader->columns.metas[i]);
	error_context_stack = callback.previous;
	return kept;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */
KafkaRowWriter *
kafka_row_writer(Relation rel, const KafkaOptions *opts)
{
	KafkaRowWriter *writer = palloc0(sizeof(KafkaRowWriter));
	KafkaFieldSet *set = &writer->columns.set;
	KafkaFieldSet *key = &writer->columns.key;

	kafka_columns_sort(&writer->columns, rel, opts, NULL, true);
	writer->encoder = writer->columns.format->begin_encode(set);
	if (writer->columns.key_format)
		writer->key_encoder = writer->columns.key_format->begin_encode(key);
	initStringInfo(&writer->value);
	initStringInfo(&writer->key);
	writer->field_values = palloc0(sizeof(Datum) * Max(set->nfields, 1));
	writer->field_nulls = palloc0(sizeof(bool) * Max(set->nfields, 1));
	writer->key_values = palloc0(sizeof(Datum) * Max(key->nfields, 1));
	writer->key_nulls = palloc0(sizeof(bool) * Max(key->nfields, 1));
	return writer;
}

static KAFKA_NORETURN void
reject_column(const KafkaMetaColumn *column, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" with meta \"%s\" %s", column->name,
					kafka_option_word(kafka_metas, column->meta), why)));
}

/* A text or bytea column as bytes, in a buffer of the writer. */
static KafkaBytes
column_bytes(KafkaRowWriter *writer, const KafkaMetaColumn *column, Datum value, StringInfo buffer)
{
	KafkaBytes	bytes;

	resetStringInfo(buffer);
	if (column->type == BYTEAOID)
	{
		bytea	   *data = DatumGetByteaPP(value);

		appendBinaryStringInfo(buffer, VARDATA_ANY(data), (int) VARSIZE_ANY_EXHDR(data));
	}
	else
	{
		text	   *data = DatumGetTextPP(value);

		kafka_text_encode(VARDATA_ANY(data), (int) VARSIZE_ANY_EXHDR(data),
						  writer->columns.set.encoding, buffer);
	}
	bytes.data = buffer->data;
	bytes.len = buffer->len;
	return bytes;
}

static void
write_headers(const KafkaMetaColumn *column, Datum value, KafkaMessage *msg)
{
	if (column->type == JSONBOID)
		kafka_headers_from_jsonb(value, msg);
	else
		kafka_headers_from_array(value, msg);
}

static int32
partition_of(const KafkaMetaColumn *column, Datum value)
{
	int64		partition = column->type == INT8OID ? DatumGetInt64(value) :
		DatumGetInt32(value);

	if (partition < 0 || partition > PG_INT32_MAX)
		reject_column(column, "must be a partition's number");
	return (int32) partition;
}

static void
check_topic(KafkaRowWriter *writer, const KafkaMetaColumn *column, Datum value)
{
	if (strcmp(TextDatumGetCString(value), writer->columns.opts->topic) != 0)
		reject_column(column, "must be NULL or the table's topic");
}

/* What a column with a value says about the message. */
static void
write_meta(KafkaRowWriter *writer, const KafkaMetaColumn *column, Datum value, KafkaMessage *msg)
{
	switch (column->meta)
	{
		case KAFKA_META_TOPIC:
			check_topic(writer, column, value);
			return;
		case KAFKA_META_PARTITION:
			msg->partition = partition_of(column, value);
			return;
		case KAFKA_META_TIMESTAMP:
			msg->timestamp = kafka_timestamp_ms(value);
			return;
		case KAFKA_META_KEY:
			msg->key = column_bytes(writer, column, value, &writer->key);
			return;
		case KAFKA_META_VALUE:
			msg->value = column_bytes(writer, column, value, &writer->value);
			return;
		case KAFKA_META_HEADERS:
			write_headers(column, value, msg);
			return;
		case KAFKA_META_TOMBSTONE:
			writer->tombstone = DatumGetBool(value);
			return;
		case KAFKA_META_OFFSET:
		case KAFKA_META_TIMESTAMP_TYPE:
		case KAFKA_META_LEADER_EPOCH:
		case KAFKA_META_JUNK:
		case KAFKA_META_JUNK_ERROR:
			reject_column(column, "cannot be written");
		case KAFKA_META_NONE:
			return;
	}
}

/* Every column with a meta; two of them must not say the same thing. */
static void
write_metas(KafkaRowWriter *writer, TupleTableSlot *slot, KafkaMessage *msg)
{
	memset(writer->given, 0, sizeof(writer->given));
	for (int i = 0; i < writer->columns.nmetas; i++)
	{
		const KafkaMetaColumn *column = &writer->columns.metas[i];

		if (slot->tts_isnull[column->attnum - 1])
			continue;
		if (writer->given[column->meta])
			reject_column(column, "is given twice in the row");
		writer->given[column->meta] = true;
		write_meta(writer, column, slot->tts_values[column->attnum - 1], msg);
	}
}

/* The value comes from one place: the format's columns, a raw value, or it is a tombstone. */
static void
check_value(const KafkaRowWriter *writer, bool has_fields)
{
	bool		given = writer->given[KAFKA_META_TOMBSTONE];
	int			sources = has_fields + writer->given[KAFKA_META_VALUE] +
		(given && writer->tombstone);

	if (sources > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the row gives the message's value twice"),
				 errdetail("It may come from the columns of the format, or from a column with "
						   "meta \"value\", or be a tombstone.")));
	if (sources == 0 && given)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the row says that it is no tombstone, but has no value"),
				 errhint("The column with meta \"tombstone\" may be NULL.")));
}

/* False if all of them are NULL: then there is no value, or no key. */
static bool
gather_fields(const KafkaFieldSet *set, TupleTableSlot *slot, Datum *values, bool *nulls)
{
	bool		any = false;

	for (int i = 0; i < set->nfields; i++)
	{
		int			att = set->fields[i].attnum - 1;

		values[i] = slot->tts_values[att];
		nulls[i] = slot->tts_isnull[att];
		any |= !slot->tts_isnull[att];
	}
	return any;
}

static KafkaBytes
encode(const KafkaFormat *format, void *encoder, Datum *values, bool *nulls, StringInfo buffer)
{
	int			nestlevel = kafka_text_settings_begin();
	KafkaBytes	bytes;

	resetStringInfo(buffer);
	format->encode(encoder, values, nulls, buffer);
	kafka_text_settings_end(nestlevel);
	bytes.data = buffer->data;
	bytes.len = buffer->len;
	return bytes;
}

static void
write_fields(KafkaRowWriter *writer, TupleTableSlot *slot, KafkaMessage *msg)
{
	KafkaRowColumns *columns = &writer->columns;
	bool		has_value = gather_fields(&columns->set, slot, writer->field_values,
										  writer->field_nulls);

	check_value(writer, has_value);
	if (has_value)
		msg->value = encode(columns->format, writer->encoder, writer->field_values,
							writer->field_nulls, &writer->value);
	if (gather_fields(&columns->key, slot, writer->key_values, writer->key_nulls))
		msg->key = encode(columns->key_format, writer->key_encoder, writer->key_values,
						  writer->key_nulls, &writer->key);
}

void
kafka_row_write(KafkaRowWriter *writer, TupleTableSlot *slot, KafkaMessage *msg)
{
	memset(msg, 0, sizeof(*msg));
	msg->topic = writer->columns.opts->topic;
	msg->partition = KAFKA_PARTITION_ANY;
	msg->offset = KAFKA_UNKNOWN;
	msg->timestamp = KAFKA_UNKNOWN;
	slot_getallattrs(slot);
	write_metas(writer, slot, msg);
	write_fields(writer, slot, msg);
}

void
kafka_row_set_receipt(const KafkaRowWriter *writer, int32 partition, int64 offset,
					  int64 timestamp, Datum *values, bool *nulls)
{
	for (int i = 0; i < writer->columns.nmetas; i++)
	{
		const KafkaMetaColumn *column = &writer->columns.metas[i];
		int			att = column->attnum - 1;

		if (column->meta == KAFKA_META_PARTITION)
		{
			values[att] = integer_datum(partition, column->type);
			nulls[att] = false;
		}
		else if (column->meta == KAFKA_META_OFFSET)
		{
			values[att] = Int64GetDatum(offset);
			nulls[att] = offset == KAFKA_UNKNOWN;
		}
		else if (column->meta == KAFKA_META_TIMESTAMP)
		{
			nulls[att] = timestamp == KAFKA_UNKNOWN;
			values[att] = nulls[att] ? (Datum) 0 : kafka_timestamp_datum(timestamp);
		}
	}
}
