/*-------------------------------------------------------------------------
 *
 * field.c
 *	  Fields: the columns that make up a value or a key.
 *
 * Layer 2.  What all formats need to know of a column, worked out once, and the checks
 * that more than one format makes.  The same checks run when a table is created or altered
 * and when it is used (row.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/format.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* In errors: what is in the format. */
static const char *
option_name(const KafkaFieldSet *set)
{
	return set->is_key ? "key_format" : "format";
}

void
kafka_field_add(KafkaFieldSet *set, Form_pg_attribute attr, KafkaColumnOptions *options,
				bool needed)
{
	KafkaField *field = &set->fields[set->nfields++];
	Oid			function;
	bool		is_varlena;

	field->attnum = attr->attnum;
	field->name = pstrdup(NameStr(attr->attname));
	field->type = attr->atttypid;
	field->base = getBaseType(attr->atttypid);
	field->typmod = attr->atttypmod;
	field->options = options;
	field->needed = needed;
	getTypeInputInfo(attr->atttypid, &function, &field->ioparam);
	fmgr_info(function, &field->input);
	field->direct = kafka_direct_input(attr->atttypid, attr->atttypmod);
	getTypeOutputInfo(attr->atttypid, &function, &is_varlena);
	fmgr_info(function, &field->output);
}

void
kafka_field_check_places(const KafkaFieldSet *set)
{
	for (int i = 0; i < set->nfields; i++)
	{
		const KafkaColumnOptions *options = set->fields[i].options;

		if (set->format == KAFKA_FORMAT_JSON || (!options->path && !options->json))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" of column \"%s\" needs %s \"json\"",
						options->path ? "path" : "json", set->fields[i].name,
						option_name(set)),
				 errhint("Set the table's option \"%s\" to \"json\", or drop the column's "
						 "option.", option_name(set))));
	}
}

void
kafka_field_check_single(const KafkaFieldSet *set)
{
	if (set->nfields <= 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s \"%s\" holds a single column", option_name(set),
					kafka_format_get(set->format)->name),
			 errdetail(set->is_key ? "Columns \"%s\" and \"%s\" both have meta \"key\"." :
					   "Columns \"%s\" and \"%s\" have no \"meta\" option.",
					   set->fields[0].name, set->fields[1].name),
			 set->is_key ? errhint("Use key_format \"json\" or \"csv\", or a single column.") :
			 errhint("Use format \"json\" or \"csv\", or give all other columns a \"meta\" "
					 "option.")));
}

void
kafka_field_reject_type(const KafkaFieldSet *set, const KafkaField *field, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" must have type %s for %s \"%s\"", field->name, expected,
					option_name(set), kafka_format_get(set->format)->name),
			 errdetail("It has type %s.", format_type_be(field->type)),
			 errhint("Change the column's type or the table's option \"%s\".",
					 option_name(set))));
}

Datum
kafka_field_checked(KafkaFieldSet *set, KafkaField *field, Datum value)
{
	if (field->base == field->type)
		return value;
	set->current = field;
	domain_check(value, false, field->type, &field->domain, field->input.fn_mcxt);
	set->current = NULL;
	return value;
}
