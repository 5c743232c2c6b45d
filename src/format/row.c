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
 * Undecodable messages.  Where the table does not just raise (on_error, ignore_junk, junk
 * columns), a message is decoded inside a subtransaction, so that an input function's
 * error leaves nothing behind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "format/format.h"
#include "format/headers.h"
#include "format/row.h"
#include "ground/attempt.h"
#include "ground/compat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* A column with a "meta" option. */
typedef struct MetaColumn
{
	AttrNumber	attnum;
	KafkaMeta	meta;
	Oid			type;			/* base type */
	const char *name;
	bool		constrained;	/* a domain, or a length: goes through the type's input */
	int32		typmod;
	Oid			ioparam;
	FmgrInfo	input;
	FmgrInfo	output;			/* of the base type */
} MetaColumn;

/* The columns of a relation, sorted; shared by both ways. */
typedef struct RowColumns
{
	const KafkaOptions *opts;
	const char *table;
	int			natts;
	int			nmetas;
	MetaColumn *metas;
	KafkaFieldSet set;
	const KafkaFormat *format;
} RowColumns;

struct KafkaRowReader
{
	RowColumns	columns;
	void	   *decoder;
	bool		any_needed;		/* some field is: else the value is not decoded */
	bool		catches;		/* errors go into a column, or are passed over */

	/* of the message in work */
	const KafkaMessage *msg;
	const char *error;			/* why it could not be decoded */
	const char *meta_column;	/* the column with a meta that is being filled */
	Datum	   *values;			/* of the row, by attribute */
	bool	   *nulls;
	Datum	   *field_values;
	bool	   *field_nulls;
};

struct KafkaRowWriter
{
	RowColumns	columns;
	void	   *encoder;
	StringInfoData value;
	StringInfoData key;
	bool		given[KAFKA_META_JUNK_ERROR + 1];	/* by meta: the row has it */
	bool		tombstone;		/* what it says, if given */
	Datum	   *field_values;
	bool	   *field_nulls;
};

/* ------------------------------------------------------------------------
 * Types of meta columns
 * ------------------------------------------------------------------------
 */
static const struct
{
	KafkaMeta	meta;
	Oid			types[4];
	const char *expected;
}			meta_types[] = {
	{KAFKA_META_TOPIC, {TEXTOID, VARCHAROID}, "text"},
	{KAFKA_META_PARTITION, {INT4OID, INT8OID}, "integer"},
	{KAFKA_META_OFFSET, {INT8OID}, "bigint"},
	{KAFKA_META_TIMESTAMP, {TIMESTAMPTZOID}, "timestamp with time zone"},
	{KAFKA_META_TIMESTAMP_TYPE, {TEXTOID, VARCHAROID}, "text"},
	{KAFKA_META_KEY, {TEXTOID, VARCHAROID, BYTEAOID}, "text or bytea"},
	{KAFKA_META_VALUE, {TEXTOID, VARCHAROID, BYTEAOID}, "text or bytea"},
	{KAFKA_META_HEADERS, {JSONBOID}, "jsonb or kafka.header[]"},
	{KAFKA_META_LEADER_EPOCH, {INT4OID, INT8OID}, "integer"},
	{KAFKA_META_TOMBSTONE, {BOOLOID}, "boolean"},
	{KAFKA_META_JUNK, {TEXTOID, VARCHAROID, BYTEAOID}, "text or bytea"},
	{KAFKA_META_JUNK_ERROR, {TEXTOID, VARCHAROID}, "text"},
};

void
kafka_row_check_meta(int meta, Oid type, const char *column)
{
	Oid			base = getBaseType(type);

	if (meta == KAFKA_META_HEADERS && kafka_is_header_array(base))
		return;
	for (int i = 0; i < (int) lengthof(meta_types); i++)
	{
		if (meta_types[i].meta != (KafkaMeta) meta)
			continue;
		for (int j = 0; j < (int) lengthof(meta_types[i].types); j++)
			if (meta_types[i].types[j] == base)
				return;
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" with meta \"%s\" must have type %s, not %s", column,
						kafka_option_word(kafka_metas, meta), meta_types[i].expected,
						format_type_be(type))));
	}
}

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
 * Sorting the columns
 * ------------------------------------------------------------------------
 */
/* A key_format that is set must suit the column; else the column's type decides. */
static void
check_key_format(const KafkaOptions *opts, Form_pg_attribute attr)
{
	bool		is_bytes = getBaseType(attr->atttypid) == BYTEAOID;

	if (opts->key_format == KAFKA_FORMAT_UNSET ||
		is_bytes == (opts->key_format == KAFKA_FORMAT_BYTES))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" must have type %s for key_format \"%s\"",
					NameStr(attr->attname), is_bytes ? "text" : "bytea",
					kafka_option_word(kafka_formats, opts->key_format))));
}

static void
prepare_constraint(MetaColumn *column, Form_pg_attribute attr)
{
	Oid			function;
	bool		is_varlena;

	column->typmod = attr->atttypmod;
	getTypeInputInfo(attr->atttypid, &function, &column->ioparam);
	fmgr_info(function, &column->input);
	getTypeOutputInfo(column->type, &function, &is_varlena);
	fmgr_info(function, &column->output);
}

/* Lets the column's own type have its say about a value of the base type. */
static Datum
constrain(MetaColumn *column, Datum value, bool isnull)
{
	char	   *text = isnull ? NULL : OutputFunctionCall(&column->output, value);

	return InputFunctionCall(&column->input, text, column->ioparam, column->typmod);
}

static void
add_meta(RowColumns *columns, Form_pg_attribute attr, KafkaMeta meta)
{
	MetaColumn *column = &columns->metas[columns->nmetas++];

	kafka_row_check_meta(meta, attr->atttypid, NameStr(attr->attname));
	if (meta == KAFKA_META_KEY)
		check_key_format(columns->opts, attr);
	column->attnum = attr->attnum;
	column->meta = meta;
	column->type = getBaseType(attr->atttypid);
	column->name = pstrdup(NameStr(attr->attname));
	column->constrained = column->type != attr->atttypid || attr->atttypmod >= 0;
	if (column->constrained)
		prepare_constraint(column, attr);
}

static void
add_field(RowColumns *columns, Form_pg_attribute attr, KafkaColumnOptions *options, bool needed)
{
	KafkaField *field = &columns->set.fields[columns->set.nfields++];
	Oid			function;
	bool		is_varlena;

	field->attnum = attr->attnum;
	field->name = pstrdup(NameStr(attr->attname));
	field->type = attr->atttypid;
	field->typmod = attr->atttypmod;
	field->options = options;
	field->needed = needed;
	getTypeInputInfo(attr->atttypid, &function, &field->ioparam);
	fmgr_info(function, &field->input);
	getTypeOutputInfo(attr->atttypid, &function, &is_varlena);
	fmgr_info(function, &field->output);
}

static void
sort_columns(RowColumns *columns, Relation rel, const KafkaOptions *opts, Bitmapset *needed,
			 bool all)
{
	TupleDesc	desc = RelationGetDescr(rel);

	columns->opts = opts;
	columns->table = pstrdup(RelationGetRelationName(rel));
	columns->natts = desc->natts;
	columns->metas = palloc0(sizeof(MetaColumn) * Max(desc->natts, 1));
	columns->set.opts = opts;
	columns->set.fields = palloc0(sizeof(KafkaField) * Max(desc->natts, 1));
	columns->set.encoding = pg_char_to_encoding(opts->encoding);
	columns->format = kafka_format_get(opts->format);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		KafkaColumnOptions *options;
		bool		is_needed;

		if (attr->attisdropped || KAFKA_IS_VIRTUAL(attr))
			continue;
		is_needed = all ||
			bms_is_member(attr->attnum - FirstLowInvalidHeapAttributeNumber, needed);
		options = kafka_options_of_column(RelationGetRelid(rel), attr->attnum);
		if (options->meta == KAFKA_META_NONE)
			add_field(columns, attr, options, is_needed);
		else if (is_needed)
			add_meta(columns, attr, options->meta);
	}
}

AttrNumber
kafka_row_find_meta(Relation rel, int meta)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (!attr->attisdropped &&
			kafka_options_of_column(RelationGetRelid(rel), attr->attnum)->meta == meta)
			return attr->attnum;
	}
	return InvalidAttrNumber;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
/* Can a message be found undecodable without an error? */
static bool
catches_errors(Relation rel, const KafkaOptions *opts)
{
	return opts->on_error != KAFKA_ON_ERROR_ERROR || opts->ignore_junk ||
		kafka_row_find_meta(rel, KAFKA_META_JUNK) != InvalidAttrNumber ||
		kafka_row_find_meta(rel, KAFKA_META_JUNK_ERROR) != InvalidAttrNumber;
}

KafkaRowReader *
kafka_row_reader(Relation rel, const KafkaOptions *opts, Bitmapset *needed)
{
	KafkaRowReader *reader = palloc0(sizeof(KafkaRowReader));
	KafkaFieldSet *set = &reader->columns.set;
	bool		all = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, needed);

	/*
	 * Whether a message can be decoded shows when all of it is: so a query that looks at any
	 * column, or from which such messages are left out, decodes every column, and all
	 * queries agree.
	 */
	reader->catches = catches_errors(rel, opts);
	if (reader->catches)
		all |= !bms_is_empty(needed) || opts->on_error == KAFKA_ON_ERROR_SKIP;
	sort_columns(&reader->columns, rel, opts, needed, all);
	for (int i = 0; i < set->nfields; i++)
		reader->any_needed |= set->fields[i].needed;
	reader->decoder = reader->columns.format->begin_decode(set);
	reader->field_values = palloc0(sizeof(Datum) * Max(set->nfields, 1));
	reader->field_nulls = palloc(sizeof(bool) * Max(set->nfields, 1));
	return reader;
}

static void
error_context(void *arg)
{
	KafkaRowReader *reader = (KafkaRowReader *) arg;
	const KafkaField *field = reader->columns.set.current;
	const char *column = field ? field->name : reader->meta_column;

	if (column)
		errcontext("column \"%s\" of foreign table \"%s\", topic \"%s\" partition %d offset "
				   INT64_FORMAT, column, reader->columns.table, reader->msg->topic,
				   reader->msg->partition, reader->msg->offset);
	else
		errcontext("foreign table \"%s\", topic \"%s\" partition %d offset " INT64_FORMAT,
				   reader->columns.table, reader->msg->topic, reader->msg->partition,
				   reader->msg->offset);
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
meta_datum(KafkaRowReader *reader, const MetaColumn *column, bool *isnull)
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
is_junk(const MetaColumn *column)
{
	return column->meta == KAFKA_META_JUNK || column->meta == KAFKA_META_JUNK_ERROR;
}

static void
fill_meta(KafkaRowReader *reader, MetaColumn *column)
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
fill_fields(KafkaRowReader *reader)
{
	KafkaFieldSet *set = &reader->columns.set;

	for (int i = 0; i < set->nfields; i++)
	{
		int			att = set->fields[i].attnum - 1;

		reader->nulls[att] = reader->field_nulls[i];
		reader->values[att] = reader->field_values[i];
	}
}

/* Everything that an odd message can make fail. */
static void
fill_row(void *arg)
{
	KafkaRowReader *reader = (KafkaRowReader *) arg;
	int			nestlevel = kafka_text_settings_begin();

	memset(reader->field_nulls, true, sizeof(bool) * reader->columns.set.nfields);
	if (reader->any_needed && reader->msg->value.data)
		reader->columns.format->decode(reader->decoder, reader->msg->value,
									   reader->field_values, reader->field_nulls);
	fill_fields(reader);
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
	MetaColumn *column;
} MetaAttempt;

static void
fill_meta_attempt(void *arg)
{
	fill_meta(((MetaAttempt *) arg)->reader, ((MetaAttempt *) arg)->column);
}

/* Of a message that failed, each meta that can be had; the others are NULL. */
static void
fill_junk_row(KafkaRowReader *reader)
{
	memset(reader->nulls, true, sizeof(bool) * reader->columns.natts);
	for (int i = 0; i < reader->columns.nmetas; i++)
	{
		MetaAttempt attempt = {.reader = reader, .column = &reader->columns.metas[i]};

		if (!is_junk(attempt.column) &&
			kafka_attempt(fill_meta_attempt, &attempt, is_data_error))
			reader->nulls[attempt.column->attnum - 1] = true;
	}
}

static void
fill_row_or_judge(KafkaRowReader *reader)
{
	ErrorData  *error;

	if (!reader->catches || (!reader->any_needed && reader->columns.nmetas == 0))
	{
		fill_row(reader);
		return;
	}
	error = kafka_attempt(fill_row, reader, is_data_error);
	if (error == NULL)
		return;
	reader->error = error->message;
	reader->columns.set.current = NULL;
	if (reader->columns.opts->on_error != KAFKA_ON_ERROR_SKIP)
		fill_junk_row(reader);
}

bool
kafka_row_read(KafkaRowReader *reader, const KafkaMessage *msg, Datum *values, bool *nulls)
{
	ErrorContextCallback callback = {.callback = error_context, .arg = reader};

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	reader->msg = msg;
	reader->values = values;
	reader->nulls = nulls;
	reader->error = NULL;
	reader->meta_column = NULL;
	reader->columns.set.current = NULL;
	memset(nulls, true, sizeof(bool) * reader->columns.natts);
	fill_row_or_judge(reader);
	for (int i = 0; i < reader->columns.nmetas; i++)
		if (is_junk(&reader->columns.metas[i]))
			fill_meta(reader, &reader->columns.metas[i]);
	error_context_stack = callback.previous;
	return reader->error == NULL || reader->columns.opts->on_error != KAFKA_ON_ERROR_SKIP;
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

	sort_columns(&writer->columns, rel, opts, NULL, true);
	writer->encoder = writer->columns.format->begin_encode(set);
	initStringInfo(&writer->value);
	initStringInfo(&writer->key);
	writer->field_values = palloc0(sizeof(Datum) * Max(set->nfields, 1));
	writer->field_nulls = palloc0(sizeof(bool) * Max(set->nfields, 1));
	return writer;
}

static KAFKA_NORETURN void
reject_column(const MetaColumn *column, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" with meta \"%s\" %s", column->name,
					kafka_option_word(kafka_metas, column->meta), why)));
}

/* A text or bytea column as bytes, in a buffer of the writer. */
static KafkaBytes
column_bytes(KafkaRowWriter *writer, const MetaColumn *column, Datum value, StringInfo buffer)
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
write_headers(const MetaColumn *column, Datum value, KafkaMessage *msg)
{
	if (column->type == JSONBOID)
		kafka_headers_from_jsonb(value, msg);
	else
		kafka_headers_from_array(value, msg);
}

static int32
partition_of(const MetaColumn *column, Datum value)
{
	int64		partition = column->type == INT8OID ? DatumGetInt64(value) :
		DatumGetInt32(value);

	if (partition < 0 || partition > PG_INT32_MAX)
		reject_column(column, "must be a partition's number");
	return (int32) partition;
}

static void
check_topic(KafkaRowWriter *writer, const MetaColumn *column, Datum value)
{
	if (strcmp(TextDatumGetCString(value), writer->columns.opts->topic) != 0)
		reject_column(column, "must be NULL or the table's topic");
}

/* What a column with a value says about the message. */
static void
write_meta(KafkaRowWriter *writer, const MetaColumn *column, Datum value, KafkaMessage *msg)
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
		const MetaColumn *column = &writer->columns.metas[i];

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

/* False if all of them are NULL: then the message is a tombstone. */
static bool
gather_fields(KafkaRowWriter *writer, TupleTableSlot *slot)
{
	KafkaFieldSet *set = &writer->columns.set;
	bool		any = false;

	for (int i = 0; i < set->nfields; i++)
	{
		int			att = set->fields[i].attnum - 1;

		writer->field_values[i] = slot->tts_values[att];
		writer->field_nulls[i] = slot->tts_isnull[att];
		any |= !slot->tts_isnull[att];
	}
	return any;
}

void
kafka_row_write(KafkaRowWriter *writer, TupleTableSlot *slot, KafkaMessage *msg)
{
	bool		has_fields;
	int			nestlevel;

	memset(msg, 0, sizeof(*msg));
	msg->topic = writer->columns.opts->topic;
	msg->partition = KAFKA_PARTITION_ANY;
	msg->offset = KAFKA_UNKNOWN;
	msg->timestamp = KAFKA_UNKNOWN;
	slot_getallattrs(slot);
	write_metas(writer, slot, msg);
	has_fields = gather_fields(writer, slot);
	check_value(writer, has_fields);
	if (!has_fields)
		return;
	resetStringInfo(&writer->value);
	nestlevel = kafka_text_settings_begin();
	writer->columns.format->encode(writer->encoder, writer->field_values, writer->field_nulls,
								   &writer->value);
	kafka_text_settings_end(nestlevel);
	msg->value.data = writer->value.data;
	msg->value.len = writer->value.len;
}

void
kafka_row_set_receipt(const KafkaRowWriter *writer, int32 partition, int64 offset,
					  int64 timestamp, Datum *values, bool *nulls)
{
	for (int i = 0; i < writer->columns.nmetas; i++)
	{
		const MetaColumn *column = &writer->columns.metas[i];
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
