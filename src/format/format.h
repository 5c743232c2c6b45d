/*-------------------------------------------------------------------------
 *
 * format.h
 *	  Formats of a message's value and key: bytes to columns and back.
 *
 * Layer 2.  One file a format, all behind this vtable.  A format sees fields (the
 * columns of the foreign table that are parts of the value or the key), never tuples or messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_FORMAT_H
#define KAFKA_FORMAT_H

#include "postgres.h"

#include "fmgr.h"
#include "ground/compat.h"
#include "ground/message.h"
#include "ground/options.h"
#include "lib/stringinfo.h"

/*
 * Reads a value from text that need not be terminated; false if the type's input function
 * has to decide.  Never raises but for want of memory.
 */
typedef bool (*KafkaDirectInput) (const char *text, int len, Datum *value);

/* A column that is a part of the value or the key. */
typedef struct KafkaField
{
	AttrNumber	attnum;
	const char *name;			/* the column's */
	Oid			type;
	Oid			base;			/* below a domain; else the same */
	int32		typmod;
	KafkaColumnOptions *options;
	bool		needed;			/* decode it; else leave it alone */
	FmgrInfo	input;
	Oid			ioparam;
	FmgrInfo	output;
	void	   *domain;			/* domain_check()'s cache */
	KafkaDirectInput direct;	/* NULL: always through input */
} KafkaField;

typedef struct KafkaFieldSet
{
	const KafkaOptions *opts;
	KafkaField *fields;			/* in column order */
	int			nfields;
	int			encoding;		/* of the messages */
	const KafkaField *current;	/* in work, for the error context; may be NULL */
	int			format;			/* KafkaFormatId */
	bool		is_key;			/* of the key, not of the value */
} KafkaFieldSet;

typedef struct KafkaFormat
{
	const char *name;

	/*
	 * State for decoding, palloc'd.  Raises 22023 if the columns do not suit the format,
	 * 42804 if their types do not.
	 */
	void	   *(*begin_decode) (KafkaFieldSet *set);

	/*
	 * Sets values[i] and nulls[i] for each needed field i.  All nulls are true on entry.
	 * The bytes are not null (a tombstone never gets here).  Allocates in the current
	 * context; raises the type input's own error, or 22P02.
	 */
	void		(*decode) (void *state, KafkaBytes bytes, Datum *values, bool *nulls);

	void	   *(*begin_encode) (KafkaFieldSet *set);

	/* Appends the bytes to out; at least one of the fields is not null. */
	void		(*encode) (void *state, Datum *values, bool *nulls, StringInfo out);
} KafkaFormat;

extern const KafkaFormat kafka_format_string;
extern const KafkaFormat kafka_format_bytes;
extern const KafkaFormat kafka_format_json;
extern const KafkaFormat kafka_format_csv;
extern const KafkaFormat kafka_format_integer;
extern const KafkaFormat kafka_format_short;
extern const KafkaFormat kafka_format_long;
extern const KafkaFormat kafka_format_float;
extern const KafkaFormat kafka_format_double;
extern const KafkaFormat kafka_format_uuid;

/* The format with that number. */
extern const KafkaFormat *kafka_format_get(int id);

/* True for json and jsonb. */
extern bool kafka_is_json_type(Oid type);

/*
 * Text between a message's encoding and the database's.  decode: NUL-terminated, palloc'd,
 * verified (22021 for bytes that are not valid, also for NUL).  encode: appends.
 */
extern char *kafka_text_decode(KafkaBytes bytes, int encoding);
extern void kafka_text_encode(const char *text, int len, int encoding, StringInfo out);

/*
 * Values go through text that does not depend on the session: ISO dates, PostgreSQL's
 * intervals, exact floating-point numbers (as postgres_fdw's set_transmission_modes).
 * begin returns what end needs; costs nothing where the session has these settings anyway.
 */
extern int	kafka_text_settings_begin(void);
extern void kafka_text_settings_end(int nestlevel);

/* A field's value from its text, by the type's input function. */
extern Datum kafka_field_input(KafkaFieldSet *set, KafkaField *field, char *text);

/* Adds a column to a set, whose array of fields has room for it. */
extern void kafka_field_add(KafkaFieldSet *set, Form_pg_attribute attr,
							KafkaColumnOptions *options, bool needed);

/* Raises 22023 if a column has a place in a JSON document, but the format is another. */
extern void kafka_field_check_places(const KafkaFieldSet *set);

/* A value of the field's base type as one of its type: a domain has its say. */
extern Datum kafka_field_checked(KafkaFieldSet *set, KafkaField *field, Datum value);

/* Raises 22023 if a format for one column has several. */
extern void kafka_field_check_single(const KafkaFieldSet *set);

/* Raises 42804: the field's type is none that the format can hold; expected names those. */
extern KAFKA_NORETURN void kafka_field_reject_type(const KafkaFieldSet *set,
												   const KafkaField *field,
												   const char *expected);

/*
 * The same from text that need not be terminated, but must be valid in the database's
 * encoding and hold no NUL.  Common types are read in place (direct.c).
 */
extern Datum kafka_field_input_bytes(KafkaFieldSet *set, KafkaField *field, const char *text,
									 int len);

/* The short way into a type with that typmod, or NULL. */
extern KafkaDirectInput kafka_direct_input(Oid type, int32 typmod);

#endif							/* KAFKA_FORMAT_H */
