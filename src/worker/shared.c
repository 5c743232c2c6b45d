/* To be replaced by the real one: nobody is woken, nothing is shown. */
#include "postgres.h"

#include "worker/shared.h"

bool
kafka_workers_are_there(void)
{
	return false;
}

void
kafka_workers_wake_relay(Oid database, int32 outbox)
{
}

void
kafka_workers_wake_launcher(Oid database)
{
}

bool
kafka_workers_enter_relay(int32 outbox, KafkaRelayStatus **status)
{
	static KafkaRelayStatus own;

	*status = &own;
	return true;
}

void
kafka_workers_leave_relay(void)
{
}

bool
kafka_workers_was_woken(void)
{
	return true;
}

int
kafka_workers_relay_of(int32 outbox, KafkaRelayStatus *status)
{
	return 0;
}
