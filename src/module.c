/*-------------------------------------------------------------------------
 *
 * module.c
 *	  The extension's library: what happens when it is loaded.
 *
 * Layer 3.  Nothing here talks to Kafka or starts a thread.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/handle.h"
#include "fdw/ends.h"
#include "fmgr.h"
#include "ground/settings.h"
#include "outbox/outbox.h"
#include "outbox/row.h"
#include "sql/discard.h"
#include "transaction/send.h"
#include "worker/requests.h"
#include "worker/shared.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	kafka_settings_define();
	kafka_shared_init();
	kafka_handle_init();
	kafka_ends_init();
	kafka_commit_init();
	kafka_outbox_row_init();
	kafka_outbox_renamed_init();
	kafka_outbox_prepared_init();
	kafka_discard_init();
	kafka_leave_init();
	kafka_workers_init();
	kafka_launcher_init();
}
