/*-------------------------------------------------------------------------
 *
 * publish_args.c
 *	  The arguments of a trigger that calls kafka.publish.
 *
 * Layer 3.  PostgreSQL does not show a trigger's arguments to its function before it fires,
 * so what is wrong with them is an error of the first statement that fires it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/compat.h"
#include "ground/options.h"
#include "lib/stringinfo.h"
#include "sql/publish_args.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#define FIRST_OPTION 2

static const struct config_enum_entry publish_formats[] = {
	{"envelope", KAFKA_PUBLISH_ENVELOPE, false},
	{"row", KAFKA_PUBLISH_ROW, false},
	{NULL, 0, false}
};

typedef enum ArgumentType
{
	ARGUMENT_BOOL,
	ARGUMENT_COLUMNS,
	ARGUMENT_ENUM,
	ARGUMENT_NAME
} ArgumentType;

/* What may stand behind topic and key as name=value. */
typedef struct Argument
{
	const char *name;
	ArgumentType type;
	const struct config_enum_entry *values; /* ENUM */
	size_t		offset;			/* into KafkaPublishArgs */
} Argument;

static const Argument arguments[] = {
	{"columns", ARGUMENT_COLUMNS, NULL, offsetof(KafkaPublishArgs, columns)},
	{"delivery", ARGUMENT_ENUM, kafka_delivery_modes, offsetof(KafkaPublishArgs, delivery)},
	{"except", ARGUMENT_COLUMNS, NULL, offsetof(KafkaPublishArgs, except)},
	{"format", ARGUMENT_ENUM, publish_formats, offsetof(KafkaPublishArgs, format)},
	{"server", ARGUMENT_NAME, NULL, offsetof(KafkaPublishArgs, server)},
	{"tombstones", ARGUMENT_BOOL, NULL, offsetof(KafkaPublishArgs, tombstones)},
};

/* Names of columns as SQL writes them: folded to lower case unless quoted. */
static List *
parse_columns(const char *text, const char *what)
{
	List	   *names;

	if (!SplitIdentifierString(pstrdup(text), ',', &names))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for %s: \"%s\"", what, text),
				 errhint("It takes names of columns, separated by commas.")));
	return names;
}

static KAFKA_NORETURN void
reject_argument(const char *text)
{
	StringInfoData names;

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(arguments); i++)
		appendStringInfo(&names, "%s\"%s\"", i ? ", " : "", arguments[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized argument \"%s\" of trigger function kafka.publish", text),
			 errhint("Behind the topic and the key's columns, arguments are written "
					 "name=value; their names are %s.", names.data)));
}

static void
store_argument(KafkaPublishArgs *args, const Argument *argument, const char *value)
{
	char	   *field = (char *) args + argument->offset;
	const char *what = psprintf("argument \"%s\" of kafka.publish", argument->name);

	switch (argument->type)
	{
		case ARGUMENT_BOOL:
			if (!parse_bool(value, (bool *) field))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("invalid value for %s: \"%s\"", what, value),
						 errhint("It takes \"true\" or \"false\".")));
			break;
		case ARGUMENT_COLUMNS:
			*(List **) field = parse_columns(value, what);
			break;
		case ARGUMENT_ENUM:
			*(int *) field = kafka_option_enum(argument->values, value, what);
			break;
		case ARGUMENT_NAME:
			*(char **) field = pstrdup(value);
			break;
	}
}

/* name=value */
static const Argument *
parse_argument(KafkaPublishArgs *args, const char *text)
{
	const char *equals = strchr(text, '=');

	for (size_t i = 0; equals && i < lengthof(arguments); i++)
		if (strlen(arguments[i].name) == (size_t) (equals - text) &&
			strncmp(arguments[i].name, text, equals - text) == 0)
		{
			store_argument(args, &arguments[i], equals + 1);
			return &arguments[i];
		}
	reject_argument(text);
}

static void
check_combination(const KafkaPublishArgs *args, bool tombstones_given)
{
	if (args->columns && args->except)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"columns\" and \"except\" of kafka.publish exclude each "
						"other")));
	if (args->format == KAFKA_PUBLISH_ROW && tombstones_given && !args->tombstones)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("with \"format=row\", kafka.publish always sends tombstones"),
				 errhint("A deleted row has no other form there.")));
	if (args->tombstones && args->key_given && args->key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kafka.publish cannot send tombstones without a key"),
				 errhint("Name the key's columns in the second argument.")));
}

KafkaPublishArgs *
kafka_publish_args(const Trigger *trigger)
{
	KafkaPublishArgs *args = palloc0(sizeof(KafkaPublishArgs));
	const Argument *given[lengthof(arguments)];
	int			ngiven = 0;
	int			next = 1;
	bool		tombstones_given = false;

	if (trigger->tgnargs == 0 || trigger->tgargs[0][0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger function kafka.publish needs a topic"),
				 errhint("As in EXECUTE FUNCTION kafka.publish('topic', 'key_column').")));
	args->topic = pstrdup(trigger->tgargs[0]);
	args->delivery = KAFKA_DELIVERY_UNSET;
	/* a column whose name has an equals sign in it is written in double quotes */
	if (trigger->tgnargs > 1 &&
		(strchr(trigger->tgargs[1], '=') == NULL || strchr(trigger->tgargs[1], '"')))
	{
		args->key_given = true;
		args->key = parse_columns(trigger->tgargs[1], "the second argument of kafka.publish");
		next = FIRST_OPTION;
	}
	for (int i = next; i < trigger->tgnargs; i++)
	{
		const Argument *argument = parse_argument(args, trigger->tgargs[i]);

		for (int j = 0; j < ngiven; j++)
			if (given[j] == argument)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("argument \"%s\" of kafka.publish is given twice",
								argument->name)));
		given[ngiven++] = argument;
		tombstones_given = tombstones_given || strcmp(argument->name, "tombstones") == 0;
	}
	check_combination(args, tombstones_given);
	return args;
}
