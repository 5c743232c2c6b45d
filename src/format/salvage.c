/*-------------------------------------------------------------------------
 *
 * salvage.c
 *	  What can be had of a value or key that could not be decoded as a whole.
 *
 * Layer 2.  A format decodes all fields in one pass and stops at the first that is wrong.
 * Where only that one shall be NULL (ignore_junk, junk columns), the message is decoded
 * again for each field, by a decoder that needs no other.  That costs a pass for each
 * column, but only for messages that are wrong, and the formats need not know of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/salvage.h"
#include "ground/attempt.h"

/* A field set of which one field is needed. */
typedef struct Single
{
	KafkaFieldSet set;
	void	   *decoder;		/* NULL: not made yet */
} Single;

struct KafkaSalvage
{
	const KafkaFieldSet *set;
	const KafkaFormat *format;
	MemoryContext context;		/* of the decoders */
	Single	   *singles;		/* by field */
	Datum	   *values;
	bool	   *nulls;
};

typedef struct SalvageAttempt
{
	KafkaSalvage *salvage;
	Single	   *single;
	KafkaBytes	bytes;
} SalvageAttempt;

KafkaSalvage *
kafka_salvage_make(const KafkaFieldSet *set, const KafkaFormat *format)
{
	KafkaSalvage *salvage = palloc0(sizeof(KafkaSalvage));

	salvage->set = set;
	salvage->format = format;
	salvage->context = CurrentMemoryContext;
	salvage->singles = palloc0(sizeof(Single) * Max(set->nfields, 1));
	salvage->values = palloc0(sizeof(Datum) * Max(set->nfields, 1));
	salvage->nulls = palloc0(sizeof(bool) * Max(set->nfields, 1));
	return salvage;
}

static Single *
single_of(KafkaSalvage *salvage, int i)
{
	Single	   *single = &salvage->singles[i];
	const KafkaFieldSet *set = salvage->set;
	MemoryContext old;

	if (single->decoder)
		return single;
	old = MemoryContextSwitchTo(salvage->context);
	single->set = *set;
	single->set.current = NULL;
	single->set.fields = palloc(sizeof(KafkaField) * set->nfields);
	memcpy(single->set.fields, set->fields, sizeof(KafkaField) * set->nfields);
	for (int j = 0; j < set->nfields; j++)
		single->set.fields[j].needed = j == i;
	single->decoder = salvage->format->begin_decode(&single->set);
	MemoryContextSwitchTo(old);
	return single;
}

static void
decode_single(void *arg)
{
	SalvageAttempt *attempt = (SalvageAttempt *) arg;
	KafkaSalvage *salvage = attempt->salvage;

	memset(salvage->nulls, true, sizeof(bool) * salvage->set->nfields);
	salvage->format->decode(attempt->single->decoder, attempt->bytes, salvage->values,
							salvage->nulls);
}

ErrorData *
kafka_salvage_field(KafkaSalvage *salvage, int i, KafkaBytes bytes, Datum *value, bool *isnull,
					bool (*catches) (int))
{
	SalvageAttempt attempt = {.salvage = salvage, .single = single_of(salvage, i), .bytes = bytes};
	ErrorData  *error = kafka_attempt(decode_single, &attempt, catches);

	attempt.single->set.current = NULL;
	*isnull = error != NULL || salvage->nulls[i];
	*value = *isnull ? (Datum) 0 : salvage->values[i];
	return error;
}
