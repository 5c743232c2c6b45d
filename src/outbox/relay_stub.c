/* Stands in for relay.c and outbox.c until they are there. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog/namespace.h"
#include "ground/compat.h"
#include "ground/settings.h"
#include "outbox/outbox.h"
#include "outbox/query.h"
#include "outbox/relay.h"
#include "storage/latch.h"
#include "utils/lsyscache.h"
#include "utils/wait_event.h"
#include "worker/shared.h"

static KafkaQuery query_definition = {
	"SELECT d.enabled, l.state FROM kafka.outbox_definition d LEFT JOIN kafka.outbox_lease l"
	" ON l.outbox OPERATOR(pg_catalog.=) d.id WHERE d.id OPERATOR(pg_catalog.=) $1", 1, {INT4OID}, NULL
};

/* Also for tests: lease states "unresolved" and "failing". */
static bool
look(int32 outbox, const KafkaRelayHost *host, KafkaRelayEnd *end)
{
	Datum		values[1] = {Int32GetDatum(outbox)};
	bool		go_on = false;
	bool		isnull;

	host->begin();
	*end = KAFKA_RELAY_STOPPED;
	if (!OidIsValid(get_relname_relid("outbox_definition", get_namespace_oid("kafka", true))))
		*end = KAFKA_RELAY_GONE;
	else if (kafka_query_run(&query_definition, values, NULL) == 1 &&
			 DatumGetBool(kafka_query_value(1, &isnull)))
	{
		char	   *state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

		go_on = true;
		if (state && strcmp(state, "failing") == 0)
			elog(ERROR, "failing as told");
		if (state && strcmp(state, "unresolved") == 0)
		{
			*end = KAFKA_RELAY_UNRESOLVED;
			go_on = false;
		}
	}
	host->commit();
	return go_on;
}

KafkaRelayEnd
kafka_relay_run(int32 outbox, const KafkaRelayHost *host, bool wait, int64 max_ticks)
{
	KafkaRelayEnd end = KAFKA_RELAY_STOPPED;
	KafkaRelayStatus *status;

	if (!kafka_workers_enter_relay(outbox, &status))
		return KAFKA_RELAY_REPLACED;
	while (!host->should_stop() && look(outbox, host, &end))
	{
		if (host->show)
			host->show("waiting for rows");
		if (!kafka_workers_was_woken())
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 kafka_setting_relay_naptime, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	kafka_workers_leave_relay();
	return end;
}

void
kafka_outbox_changed(void)
{
}
