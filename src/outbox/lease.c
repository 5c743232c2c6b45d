/*-------------------------------------------------------------------------
 *
 * lease.c
 *	  Who relays an outbox, and how that is: kafka.outbox_lease.
 *
 * Layer 3.  Taking an outbox raises its epoch.  Who makes a tick locks the row and compares the
 * epoch in the same transaction; so a process that was stopped and wakes up can do no harm, and
 * nobody has to wait for a dead one's lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "outbox/lease.h"
#include "ground/query.h"
#include "utils/builtins.h"
#include "utils/guc.h"

static const struct config_enum_entry resolutions[] = {
	{"take_over", KAFKA_RESOLUTION_TAKE_OVER, false},
	{"republish", KAFKA_RESOLUTION_REPUBLISH, false},
	{"skip", KAFKA_RESOLUTION_SKIP, false},
	{NULL, 0, false}
};

#define SAME_PROCESS "l.pid OPERATOR(pg_catalog.=) excluded.pid"

static KafkaQuery take_query = {
	.text = "INSERT INTO kafka.outbox_lease AS l (outbox, epoch, pid, incarnation, state) "
	"VALUES ($1, 1, $2, $3, 'starting') ON CONFLICT (outbox) DO UPDATE SET "
	"epoch = l.epoch OPERATOR(pg_catalog.+) 1, pid = excluded.pid, "
	"incarnation = excluded.incarnation, "
	"state = CASE WHEN " SAME_PROCESS " THEN l.state ELSE excluded.state END, "
	"since = CASE WHEN " SAME_PROCESS " THEN l.since ELSE excluded.since END, "
	"reason = CASE WHEN " SAME_PROCESS " THEN l.reason END "
	"RETURNING epoch, claim, previous_claim, confirmed, resolution, "
	"resolved::pg_catalog.text",
	.nargs = 3, .types = {INT4OID, INT4OID, TEXTOID}
};

static KafkaQuery hold_query = {
	.text = "SELECT FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1 "
	"AND l.epoch OPERATOR(pg_catalog.=) $2 FOR SHARE",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

static KafkaQuery is_ours_query = {
	.text = "SELECT FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1 "
	"AND l.epoch OPERATOR(pg_catalog.=) $2",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

static KafkaQuery claim_query = {
	.text = "UPDATE kafka.outbox_lease l SET claim = $3, previous_claim = $4 "
	"WHERE l.outbox OPERATOR(pg_catalog.=) $1 AND l.epoch OPERATOR(pg_catalog.=) $2",
	.nargs = 4, .types = {INT4OID, INT8OID, UUIDOID, UUIDOID}
};

static KafkaQuery confirm_query = {
	.text = "UPDATE kafka.outbox_lease l SET confirmed = true, resolution = NULL, "
	"resolved = NULL "
	"WHERE l.outbox OPERATOR(pg_catalog.=) $1 AND l.epoch OPERATOR(pg_catalog.=) $2",
	.nargs = 2, .types = {INT4OID, INT8OID}
};

static KafkaQuery state_query = {
	.text = "UPDATE kafka.outbox_lease l SET state = $3, reason = $4, "
	"since = CASE WHEN l.state OPERATOR(pg_catalog.=) $3 THEN l.since "
	"ELSE pg_catalog.clock_timestamp() END, "
	"last_error = COALESCE($5, l.last_error), "
	"last_error_at = CASE WHEN $5 IS NULL THEN l.last_error_at "
	"ELSE pg_catalog.clock_timestamp() END, "
	"pid = CASE WHEN $6 THEN NULL ELSE l.pid END, "
	"resolution = CASE WHEN $3 OPERATOR(pg_catalog.=) 'unresolved' THEN NULL ELSE l.resolution END "
	"WHERE l.outbox OPERATOR(pg_catalog.=) $1 AND l.epoch OPERATOR(pg_catalog.=) $2",
	.nargs = 6, .types = {INT4OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, BOOLOID}
};

static KafkaQuery resolve_query = {
	.text = "INSERT INTO kafka.outbox_lease AS l (outbox, epoch, resolution, resolved, state) "
	"VALUES ($1, 1, $2, pg_catalog.pg_current_snapshot(), 'stopped') "
	"ON CONFLICT (outbox) DO UPDATE SET epoch = l.epoch OPERATOR(pg_catalog.+) 1, "
	"resolution = excluded.resolution, resolved = excluded.resolved, "
	"state = excluded.state, since = excluded.since, reason = NULL",
	.nargs = 2, .types = {INT4OID, TEXTOID}
};

static KafkaQuery resolution_query = {
	.text = "SELECT FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1 "
	"AND l.resolution IS NOT NULL",
	.nargs = 1, .types = {INT4OID}
};

static KafkaQuery settled_query = {
	.text = "SELECT FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1 "
	"AND l.state OPERATOR(pg_catalog.<>) 'unresolved' "
	"AND l.incarnation OPERATOR(pg_catalog.=) $2 AND l.resolution IS NULL",
	.nargs = 2, .types = {INT4OID, TEXTOID}
};

static KafkaQuery reason_query = {
	.text = "SELECT l.reason FROM kafka.outbox_lease l WHERE l.outbox OPERATOR(pg_catalog.=) $1",
	.nargs = 1, .types = {INT4OID}
};

KafkaResolution
kafka_resolution_of(const char *word)
{
	StringInfoData words;

	initStringInfo(&words);
	for (const struct config_enum_entry *entry = resolutions; entry->name; entry++)
	{
		if (strcmp(entry->name, word) == 0)
			return (KafkaResolution) entry->val;
		appendStringInfo(&words, "%s\"%s\"", words.len ? ", " : "", entry->name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"action\": \"%s\"", word),
			 errhint("Valid values are %s.", words.data)));
}

/* A uuid of the query's row; all zero where it is NULL, as random ones are not. */
static pg_uuid_t
uuid_column(int column)
{
	static const pg_uuid_t none;
	bool		isnull;
	Datum		value = kafka_query_value(column, &isnull);

	return isnull ? none : *DatumGetUUIDP(value);
}

void
kafka_lease_take(int32 outbox, const char *incarnation, KafkaLease *lease)
{
	Datum		values[] = {Int32GetDatum(outbox), Int32GetDatum(MyProcPid),
	CStringGetTextDatum(incarnation)};
	bool		isnull;
	Datum		resolution;

	(void) kafka_query_run(&take_query, values, NULL);
	lease->epoch = DatumGetInt64(kafka_query_value(1, &isnull));
	lease->claim = uuid_column(2);
	lease->previous_claim = uuid_column(3);
	lease->confirmed = DatumGetBool(kafka_query_value(4, &isnull));
	resolution = kafka_query_value(5, &isnull);
	lease->resolution = isnull ? KAFKA_RESOLUTION_NONE :
		kafka_resolution_of(TextDatumGetCString(resolution));
	resolution = kafka_query_value(6, &isnull);
	lease->resolved = isnull ? NULL : TextDatumGetCString(resolution);
}

bool
kafka_lease_is_ours(int32 outbox, int64 epoch)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(epoch)};

	return kafka_query_run(&is_ours_query, values, NULL) > 0;
}

bool
kafka_lease_hold(int32 outbox, int64 epoch)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(epoch)};

	return kafka_query_run(&hold_query, values, NULL) > 0;
}

bool
kafka_lease_claim(int32 outbox, int64 epoch, const pg_uuid_t *claim, const pg_uuid_t *found)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(epoch), UUIDPGetDatum(claim),
	UUIDPGetDatum(found)};

	return kafka_query_run(&claim_query, values, NULL) > 0;
}

bool
kafka_lease_confirm(int32 outbox, int64 epoch)
{
	Datum		values[] = {Int32GetDatum(outbox), Int64GetDatum(epoch)};

	return kafka_query_run(&confirm_query, values, NULL) > 0;
}

static void
set_text(Datum *values, char *nulls, int number, const char *text)
{
	nulls[number] = text ? ' ' : 'n';
	values[number] = text ? CStringGetTextDatum(text) : (Datum) 0;
}

void
kafka_lease_set_state(int32 outbox, int64 epoch, const KafkaLeaseState *state)
{
	Datum		values[6] = {Int32GetDatum(outbox), Int64GetDatum(epoch)};
	char		nulls[7] = "      ";

	set_text(values, nulls, 2, state->state);
	set_text(values, nulls, 3, state->reason);
	set_text(values, nulls, 4, state->error);
	values[5] = BoolGetDatum(state->gone);
	(void) kafka_query_run(&state_query, values, nulls);
}

void
kafka_lease_resolve(int32 outbox, const char *word)
{
	Datum		values[] = {Int32GetDatum(outbox), CStringGetTextDatum(word)};

	(void) kafka_resolution_of(word);
	(void) kafka_query_run(&resolve_query, values, NULL);
}

bool
kafka_lease_has_resolution(int32 outbox)
{
	Datum		values[] = {Int32GetDatum(outbox)};

	return kafka_query_run(&resolution_query, values, NULL) > 0;
}

char *
kafka_lease_reason(int32 outbox)
{
	Datum		values[] = {Int32GetDatum(outbox)};
	bool		isnull = true;
	Datum		reason = (Datum) 0;

	if (kafka_query_run(&reason_query, values, NULL) > 0)
		reason = kafka_query_value(1, &isnull);
	return isnull ? NULL : TextDatumGetCString(reason);
}

bool
kafka_lease_is_settled(int32 outbox, const char *incarnation)
{
	Datum		values[] = {Int32GetDatum(outbox), CStringGetTextDatum(incarnation)};

	return kafka_query_run(&settled_query, values, NULL) > 0;
}
