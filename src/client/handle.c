/*-------------------------------------------------------------------------
 *
 * handle.c
 *	  Handles of librdkafka: making, caching, logging, destroying.
 *
 * Layer 1.  A handle (rd_kafka_t) is a set of threads and connections.  Rules that hold
 * for all of them:
 *
 * Threads.  librdkafka's threads never see a signal (all are blocked while they are
 * started, and they block them again themselves) and never run PostgreSQL's code: logs go
 * to a queue, errors and delivery reports to callbacks that librdkafka calls inside
 * rd_kafka_poll() or rd_kafka_flush(): in the backend's own thread, or in a helper thread
 * that commits or aborts a transaction.  The callbacks only record, and in a helper thread not
 * even that; whoever waits raises afterwards.
 *
 * Life.  Handles live in a list of the session, found again by an identity made of all
 * their properties, so that a changed option makes a new handle.  A handle is used by one
 * consumer or producer at a time, except the metadata handle, which is used within single
 * calls only.  Unused ones beyond MAX_IDLE go, oldest first.  Handles are never made in
 * the postmaster, and a forked child never destroys one.
 *
 * Destruction can't fail but could wait for ever, so a thread of its own does it (core.c), and
 * consumers free their messages before they release a handle.  At exit (before_shmem_exit, when
 * PostgreSQL still works) all handles are destroyed; helper threads that still hold one
 * get half a second, then the process goes without them (core.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "client/collector.h"
#include "client/error.h"
#include "client/handle_internal.h"
#include "client/login.h"
#include "client/redact.h"
#include "client/rules.h"
#include "client/token.h"
#include "client/topic.h"
#include "client/wait.h"
#include "ground/compat.h"
#include "ground/logfmt.h"
#include "ground/settings.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Unused handles that the session keeps. */
#define MAX_IDLE 8
/* Longest wait for helper threads when the backend exits. */
#define EXIT_WAIT_MS 500
/* The least severe of librdkafka's messages that may be told in an error: syslog's notice. */
#define TOLD_LEVEL 5
/* What of one of them is kept. */
#define LOG_SIZE 2048
/* Descriptors that a handle needs for itself: wake-up pipes, one connection, a spare. */
#define DESCRIPTORS_PER_HANDLE 8
#define UNSECURED_TOKENS "enable.sasl.oauthbearer.unsecure.jwt"

static dlist_head handles = DLIST_STATIC_INIT(handles);
static pid_t handles_pid;		/* the process that owns the list */
static pthread_t backend_thread;
static bool exit_callback_set;

static bool
is_producer(KafkaRole role)
{
	return role == KAFKA_ROLE_PRODUCER || role == KAFKA_ROLE_TRANSACTIONAL;
}

/* ------------------------------------------------------------------------
 * What is known of the brokers
 * ------------------------------------------------------------------------
 */
bool
kafka_handle_is_down(const KafkaHandle *handle)
{
	return handle->error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
		handle->error == RD_KAFKA_RESP_ERR__TRANSPORT ||
		handle->error == RD_KAFKA_RESP_ERR__RESOLVE;
}

bool
kafka_handle_is_rejected(const KafkaHandle *handle)
{
	return handle->error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
		handle->error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
		handle->error == RD_KAFKA_RESP_ERR__SSL;
}

/* ------------------------------------------------------------------------
 * Callbacks: called by librdkafka in the backend's thread; they record and return.  A helper
 * thread that outlives the backend's interest gets here too, and finds no handle.
 * ------------------------------------------------------------------------
 */
/* NULL in a helper thread, also when the backend has let go of the handle. */
static KafkaHandle *
backends_handle(void *opaque)
{
	KafkaHandleCore *core = (KafkaHandleCore *) opaque;
	KafkaHandle *handle;

	if (!pthread_equal(pthread_self(), backend_thread))
		return NULL;
	pthread_mutex_lock(&core->mutex);
	handle = core->handle;
	pthread_mutex_unlock(&core->mutex);
	return handle;
}

static void
note_error(KafkaHandle *handle, rd_kafka_resp_err_t err, const char *reason)
{
	if (kafka_handle_is_rejected(handle))
		return;					/* the outage that follows a refused log-in is no news */
	/* "1/1 brokers are down" comes last and says least */
	if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || handle->error_text[0] == '\0')
	{
		strlcpy(handle->error_text, reason, sizeof(handle->error_text));
		kafka_redact(handle->error_text, handle->secrets);
	}
	handle->error = kafka_login_judge(err, reason);
}

static void
on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	KafkaHandleCore *core = (KafkaHandleCore *) opaque;
	KafkaHandle *handle = backends_handle(opaque);

	(void) rk;
	pthread_mutex_lock(&core->mutex);
	core->troubles++;
	pthread_mutex_unlock(&core->mutex);
	if (handle)
		note_error(handle, (rd_kafka_resp_err_t) err, reason);
	else
		kafka_collector_hear(core, (rd_kafka_resp_err_t) err, reason);
}

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *rkm, void *opaque)
{
	KafkaHandle *handle = backends_handle(opaque);

	(void) rk;
	kafka_collector_reported((KafkaHandleCore *) opaque);
	if (handle && handle->report)
		handle->report(handle->owner, rkm);
}

/* The owner acts on it after the call that got here; nobody does once the handle is given up. */
static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions,
			 void *opaque)
{
	KafkaHandle *handle = backends_handle(opaque);

	if (handle && handle->rebalance)
		handle->rebalance(handle->owner, err, partitions);
	else
		kafka_core_accept_rebalance(rk, err, partitions);
}

/* ------------------------------------------------------------------------
 * The log queue
 * ------------------------------------------------------------------------
 */

static void
log_broker_message(KafkaHandle *handle, int level, const char *facility, const char *text)
{
	char	   *server;
	char	   *message;

	if (level > kafka_setting_log_broker_messages)
		return;
	server = kafka_logfmt_quote(handle->server_name);
	message = kafka_logfmt_quote(text);
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("event=broker_message server=%s level=%d facility=%s message=%s",
							 server, level, facility, message),
			 errhidestmt(true), errhidecontext(true)));
	pfree(server);
	pfree(message);
}

/*
 * A failed log-in, and why a transaction did not take a partition, can be in the log only.  Of
 * several partitions the one that was refused comes first or says more.
 */
static void
judge_log(KafkaHandle *handle, const char *facility, const char *text)
{
	rd_kafka_resp_err_t err = kafka_login_judge(RD_KAFKA_RESP_ERR_NO_ERROR, text);

	if (err && !kafka_handle_is_rejected(handle))
	{
		handle->error = err;
		strlcpy(handle->error_text, text, sizeof(handle->error_text));
	}
	if (strcmp(facility, "ADDPARTS") == 0 && strstr(text, "Failed to add partition") &&
		(handle->refused_text[0] == '\0' ||
		 strstr(handle->refused_text, rd_kafka_err2str(RD_KAFKA_RESP_ERR_OPERATION_NOT_ATTEMPTED))))
		strlcpy(handle->refused_text, text, sizeof(handle->refused_text));
}

/* What is said to superusers in the log is not all for everybody's errors. */
static void
take_log(KafkaHandle *handle, int level, const char *facility, const char *text)
{
	char		shown[LOG_SIZE];

	strlcpy(shown, text, sizeof(shown));
	kafka_redact(shown, handle->secrets);
	if (level <= TOLD_LEVEL)
		strlcpy(handle->log_text, shown, sizeof(handle->log_text));
	judge_log(handle, facility, shown);
	log_broker_message(handle, level, facility, shown);
}

void
kafka_handle_serve(KafkaHandle *handle)
{
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t err;
	char		heard[KAFKA_TEXT_SIZE];

	err = kafka_collector_heard(handle->core, heard, sizeof(heard));
	if (err)
		note_error(handle, err, heard);
	rd_kafka_poll(handle->rk, 0);
	while ((event = rd_kafka_queue_poll(handle->core->logs, 0)) != NULL)
	{
		const char *facility;
		const char *text;
		int			level;

		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LOG &&
			rd_kafka_event_log(event, &facility, &text, &level) == 0)
			take_log(handle, level, facility, kafka_login_text(text));
		rd_kafka_event_destroy(event);
	}
}

void
kafka_handle_succeeded(KafkaHandle *handle)
{
	char		heard[KAFKA_TEXT_SIZE];

	/* what the collector heard before is over too */
	(void) kafka_collector_heard(handle->core, heard, sizeof(heard));
	handle->error = RD_KAFKA_RESP_ERR_NO_ERROR;
	handle->error_text[0] = '\0';
	handle->log_text[0] = '\0';
	handle->answered = true;
}

void
kafka_handle_forget_errors(KafkaHandle *handle)
{
	bool		answered = handle->answered;

	kafka_handle_serve(handle);
	if (kafka_handle_is_down(handle) || kafka_handle_is_rejected(handle))
		return;
	kafka_handle_succeeded(handle);
	handle->answered = answered;
}

/* ------------------------------------------------------------------------
 * Destroying
 * ------------------------------------------------------------------------
 */
static void
forget_owner(KafkaHandle *handle)
{
	handle->owner = NULL;
	handle->detach = NULL;
	handle->rebalance = NULL;
	handle->report = NULL;
}

static void
destroy_handle(KafkaHandle *handle)
{
	dlist_delete(&handle->node);
	/* before detach, which may start a helper thread that calls the callbacks */
	pthread_mutex_lock(&handle->core->mutex);
	handle->core->handle = NULL;
	pthread_mutex_unlock(&handle->core->mutex);
	kafka_collector_stop(handle->core);
	if (handle->detach)
		handle->detach(handle->owner);
	forget_owner(handle);
	kafka_job_forget_left(handle);
	for (int i = 0; i < handle->descriptors; i++)
		ReleaseExternalFD();
	if (is_producer(handle->role))
		rd_kafka_purge(handle->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
					   RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_poll(handle->rk, 0);
	kafka_core_drop(handle->core);
	MemoryContextDelete(handle->context);
}

/* What is under way in helper threads gets a moment; then the process goes without it. */
static void
destroy_all(int code, Datum arg)
{
	if (handles_pid != MyProcPid)
		return;
	while (!dlist_is_empty(&handles))
		destroy_handle(dlist_head_element(KafkaHandle, node, &handles));
	for (int i = 0; i < EXIT_WAIT_MS / 10 && kafka_jobs_running() > 0; i++)
		pg_usleep(10 * 1000);
	(void) kafka_core_guard_exit(code);
}

void
kafka_handle_release(KafkaHandle *handle)
{
	if (handles_pid != MyProcPid)
		return;
	handle->in_use = false;
	forget_owner(handle);
}

void
kafka_handle_discard(KafkaHandle *handle)
{
	if (handles_pid != MyProcPid)
		return;
	destroy_handle(handle);
}

/* Stale handles go first, then the least recently used ones beyond `keep`. */
static void
destroy_idle(int keep)
{
	dlist_mutable_iter iter;
	int			idle = 0;

	dlist_foreach_modify(iter, &handles)
	{
		KafkaHandle *handle = dlist_container(KafkaHandle, node, iter.cur);

		if (handle->in_use)
			continue;
		if (handle->stale || ++idle > keep)
			destroy_handle(handle);
	}
}

int
kafka_handle_close_idle(Oid serverid, Oid userid, bool producers)
{
	dlist_mutable_iter iter;
	int			closed = 0;

	dlist_foreach_modify(iter, &handles)
	{
		KafkaHandle *handle = dlist_container(KafkaHandle, node, iter.cur);

		if (handle->in_use || handle->serverid != serverid || handle->userid != userid ||
			(producers && !is_producer(handle->role)))
			continue;
		destroy_handle(handle);
		closed++;
	}
	return closed;
}

void
kafka_handle_close_all_idle(void)
{
	destroy_idle(0);
}

List *
kafka_handle_list(void)
{
	List	   *result = NIL;
	dlist_iter	iter;

	dlist_foreach(iter, &handles)
	{
		KafkaHandle *handle = dlist_container(KafkaHandle, node, iter.cur);
		KafkaClient *client = palloc(sizeof(KafkaClient));

		/* with librdkafka 2.0.2 a member would count as polling */
		if (handle->role != KAFKA_ROLE_MEMBER)
			kafka_handle_serve(handle);
		client->serverid = handle->serverid;
		client->userid = handle->userid;
		client->role = handle->role;
		client->transactional_id = handle->transactional_id;
		client->in_use = handle->in_use;
		client->stale = handle->stale;
		client->reachable = !kafka_handle_is_down(handle);
		client->started = handle->started;
		client->name = rd_kafka_name(handle->rk);
		client->handle = handle;
		result = lappend(result, client);
	}
	return result;
}

/* ------------------------------------------------------------------------
 * Making
 * ------------------------------------------------------------------------
 */

/* The identity holds secrets: it never leaves this file. */
static char *
make_identity(const KafkaOptions *opts, KafkaRole role, List *settings,
			  const char *transactional_id)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%u/%u/%d/%s", opts->serverid, opts->userid, (int) role,
					 transactional_id ? transactional_id : "");
	foreach(lc, settings)
	{
		KafkaSetting *setting = (KafkaSetting *) lfirst(lc);

		appendStringInfo(&buf, "\n%s=%s", setting->name, setting->value);
	}
	return buf.data;
}

static KafkaHandle *
find_idle(const char *identity)
{
	dlist_iter	iter;

	dlist_foreach(iter, &handles)
	{
		KafkaHandle *handle = dlist_container(KafkaHandle, node, iter.cur);

		if (handle->in_use || handle->stale || strcmp(handle->identity, identity) != 0)
			continue;
		kafka_handle_serve(handle);
		if (!kafka_handle_is_rejected(handle))
			return handle;
		handle->stale = true;	/* that was some time ago: a new one asks again */
	}
	return NULL;
}

/* Of two handles with one transactional id the newer fences the older: that one must go. */
void
kafka_handle_close_transactional(const char *transactional_id)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &handles)
	{
		KafkaHandle *handle = dlist_container(KafkaHandle, node, iter.cur);

		if (!handle->in_use && handle->transactional_id &&
			strcmp(handle->transactional_id, transactional_id) == 0)
			destroy_handle(handle);
	}
}

/* As many descriptors as asked for, or none. */
static bool
reserve_descriptors(int wanted)
{
	for (int i = 0; i < wanted; i++)
	{
		if (AcquireExternalFD())
			continue;
		while (i-- > 0)
			ReleaseExternalFD();
		return false;
	}
	return true;
}

/* The configuration is freed before the error leaves. */
static void
require_descriptors(rd_kafka_conf_t *conf)
{
	if (reserve_descriptors(DESCRIPTORS_PER_HANDLE))
		return;
	destroy_idle(0);
	if (reserve_descriptors(DESCRIPTORS_PER_HANDLE))
		return;
	rd_kafka_conf_destroy(conf);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("too many Kafka connections in this session"),
			 errhint("Raise \"max_files_per_process\", or use fewer servers at once.")));
}

/* Raises where there is nothing to make a token of: librdkafka would wait for one for ever. */
static bool
wants_unsecured_tokens(List *settings)
{
	const char *mechanism = kafka_property_get(settings, "sasl.mechanisms");
	const char *protocol = kafka_property_get(settings, "security.protocol");
	const char *method = kafka_property_get(settings, "sasl.oauthbearer.method");
	const char *unsecured = kafka_property_get(settings, UNSECURED_TOKENS);
	bool		yes = false;

	if (mechanism == NULL)
		mechanism = kafka_property_get(settings, "sasl.mechanism");
	if (mechanism == NULL || pg_strcasecmp(mechanism, "OAUTHBEARER") != 0 || protocol == NULL ||
		pg_strncasecmp(protocol, "sasl", 4) != 0)
		return false;
	if (unsecured)
		(void) parse_bool(unsecured, &yes);
	if (!yes && (method == NULL || pg_strcasecmp(method, "oidc") != 0))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("OAUTHBEARER needs a source of tokens"),
				 errhint("Set \"sasl_oauthbearer_method\" to \"oidc\" on the server or, for "
						 "unsecured tokens, \"enable_sasl_oauthbearer_unsecure_jwt\" to \"true\".")));
	return yes;
}

static rd_kafka_conf_t *
make_conf(List *settings, const char *transactional_id, KafkaRole role)
{
	rd_kafka_conf_t *conf;
	bool		unsecured = wants_unsecured_tokens(settings);
	ListCell   *lc;
	char		text[KAFKA_TEXT_SIZE];

	conf = rd_kafka_conf_new();
	if (unsecured)
		rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, kafka_token_refresh);
	foreach(lc, settings)
	{
		KafkaSetting *setting = (KafkaSetting *) lfirst(lc);

		if (unsecured && strcmp(setting->name, UNSECURED_TOKENS) == 0)
			continue;			/* librdkafka takes it or the callback */
		if (rd_kafka_conf_set(conf, setting->name, setting->value, text, sizeof(text)) ==
			RD_KAFKA_CONF_OK)
			continue;
		rd_kafka_conf_destroy(conf);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\"", setting->name),
				 kafka_rules_is_secret(setting->name) ? 0 :
				 errdetail("librdkafka says: %s", text)));
	}
	if (transactional_id)
		rd_kafka_conf_set(conf, "transactional.id", transactional_id, NULL, 0);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (is_producer(role))
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	if (role == KAFKA_ROLE_MEMBER)
		rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	return conf;
}

/*
 * All signals are blocked while librdkafka starts its threads, so that none of them can
 * ever run one of PostgreSQL's handlers.
 */
static rd_kafka_t *
start_client(KafkaRole role, rd_kafka_conf_t *conf, char *text, size_t size)
{
	sigset_t	all;
	sigset_t	before;
	rd_kafka_t *rk;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rk = rd_kafka_new(is_producer(role) ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, size);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rk;
}

static KafkaHandleCore *
start_core(KafkaHandle *handle, rd_kafka_conf_t *conf)
{
	KafkaHandleCore *core = calloc(1, sizeof(KafkaHandleCore));
	char		text[KAFKA_TEXT_SIZE] = "out of memory";

	if (core)
	{
		pthread_mutex_init(&core->mutex, NULL);
		core->handle = handle;
		rd_kafka_conf_set_opaque(conf, core);
		if (kafka_collector_prepare(core, conf))
			core->rk = start_client(handle->role, conf, text, sizeof(text));
	}
	if (core == NULL || core->rk == NULL)
	{
		if (core)
			kafka_collector_free(core);
		free(core);
		rd_kafka_conf_destroy(conf);
		kafka_redact(text, handle->secrets);
		for (int i = 0; i < DESCRIPTORS_PER_HANDLE; i++)
			ReleaseExternalFD();
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("could not start a Kafka client with these options"),
				 errdetail("librdkafka says: %s", text),
				 strstr(text, "sasl.") || strstr(text, "ssl.") ?
				 errhint("Credentials are options of the user mapping, the rest of the "
						 "\"sasl_\" and \"ssl_\" options of the server.") : 0));
	}
	kafka_core_count_client();
	core->refs = 1;
	core->leaves_group = handle->role == KAFKA_ROLE_MEMBER;
	core->logs = rd_kafka_queue_new(core->rk);
	rd_kafka_set_log_queue(core->rk, core->logs);
	return core;
}

static void
set_exit_callback(void)
{
	if (!IsUnderPostmaster && IsPostmasterEnvironment)
		elog(ERROR, "kafka_fdw cannot connect from the postmaster");
	handles_pid = MyProcPid;
	backend_thread = pthread_self();
	if (exit_callback_set)
		return;
	before_shmem_exit(destroy_all, (Datum) 0);
	exit_callback_set = true;
}

/* What must not be shown when librdkafka says it. */
static List *
copy_secrets(List *settings, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *secrets = NIL;
	ListCell   *lc;

	foreach(lc, settings)
	{
		const KafkaSetting *setting = (KafkaSetting *) lfirst(lc);

		if (kafka_rules_of(setting->name) == KAFKA_RULE_SECRET)
			secrets = lappend(secrets, pstrdup(setting->value));
	}
	MemoryContextSwitchTo(old);
	return secrets;
}

static KafkaHandle *
make_handle(const KafkaOptions *opts, KafkaRole role, List *settings,
			const char *transactional_id, const char *identity)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kafka_fdw handle",
												  ALLOCSET_SMALL_SIZES);
	KafkaHandle *handle = MemoryContextAllocZero(context, sizeof(KafkaHandle));
	rd_kafka_conf_t *conf;

	set_exit_callback();
	handle->context = context;
	handle->role = role;
	handle->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID,
												ObjectIdGetDatum(opts->serverid));
	handle->stats = kafka_stats_of(opts);
	handle->stats->counters[KAFKA_COUNT_CLIENTS_STARTED]++;
	handle->serverid = opts->serverid;
	handle->userid = opts->userid;
	handle->started = GetCurrentTimestamp();
	handle->server_name = MemoryContextStrdup(context, opts->server_name);
	handle->identity = MemoryContextStrdup(context, identity);
	handle->secrets = copy_secrets(settings, context);
	if (transactional_id)
		handle->transactional_id = MemoryContextStrdup(context, transactional_id);
	if (opts->group_id && role == KAFKA_ROLE_MEMBER)
		handle->group_id = MemoryContextStrdup(context, opts->group_id);
	conf = make_conf(settings, transactional_id, role);
	require_descriptors(conf);
	handle->descriptors = DESCRIPTORS_PER_HANDLE;
	handle->core = start_core(handle, conf);
	handle->rk = handle->core->rk;
	MemoryContextSetParent(context, TopMemoryContext);	/* from here on it stays */
	dlist_push_head(&handles, &handle->node);
	if (kafka_collector_start(handle->core))
		return handle;
	destroy_handle(handle);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not start a thread for statistics")));
}

/*
 * Without a first token there is nothing to wait for, and librdkafka must not come to try again:
 * see settle_unsecured_token() in property.c.
 */
static void
check_token(KafkaHandle *handle)
{
	const KafkaPlace place = {.doing = "could not log in to the Kafka cluster"};
	char		text[KAFKA_TEXT_SIZE];

	kafka_handle_serve(handle);
	if (handle->error != RD_KAFKA_RESP_ERR__AUTHENTICATION)
		return;
	strlcpy(text, handle->error_text, sizeof(text));
	destroy_handle(handle);
	kafka_error_throw(NULL, RD_KAFKA_RESP_ERR__AUTHENTICATION, text, &place);
}

static KafkaHandle *
find_or_make(const KafkaOptions *opts, KafkaRole role, const char *transactional_id)
{
	List	   *settings = kafka_property_collect(opts, role);
	char	   *identity = make_identity(opts, role, settings, transactional_id);
	KafkaHandle *handle = find_idle(identity);

	if (kafka_property_get(settings, "bootstrap.servers") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"bootstrap_servers\" is required for server \"%s\"",
						opts->server_name)));
	if (handle)
		dlist_move_head(&handles, &handle->node);
	else
	{
		destroy_idle(MAX_IDLE);
		if (transactional_id)
			kafka_handle_close_transactional(transactional_id);
		handle = make_handle(opts, role, settings, transactional_id, identity);
		if (kafka_property_get(settings, "enable.sasl.oauthbearer.unsecure.jwt"))
			check_token(handle);
	}
	pfree(identity);
	handle->stats->counters[KAFKA_COUNT_CLIENT_USES]++;
	return handle;
}

KafkaHandle *
kafka_handle_acquire(const KafkaOptions *opts, KafkaRole role, const char *transactional_id)
{
	KafkaHandle *handle = find_or_make(opts, role, transactional_id);

	handle->in_use = true;
	return handle;
}

KafkaHandle *
kafka_handle_admin(const KafkaOptions *opts)
{
	return find_or_make(opts, KAFKA_ROLE_ADMIN, NULL);
}

KafkaHandle *
kafka_handle_groups(const KafkaOptions *opts)
{
	return find_or_make(opts, KAFKA_ROLE_GROUPS, NULL);
}

/* ------------------------------------------------------------------------
 * Invalidation
 * ------------------------------------------------------------------------
 */
static void
mark_stale(Datum arg, int cacheid, uint32 hashvalue)
{
	dlist_iter	iter;

	kafka_topic_forget();		/* it may be another cluster now */
	dlist_foreach(iter, &handles)
	{
		KafkaHandle *handle = dlist_container(KafkaHandle, node, iter.cur);

		if (hashvalue == 0 || cacheid == USERMAPPINGOID || handle->server_hash == hashvalue)
			handle->stale = true;
	}
}

void
kafka_handle_mark_stale(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &handles)
		dlist_container(KafkaHandle, node, iter.cur)->stale = true;
}

void
kafka_handle_topics_changed(void)
{
	if (KAFKA_RD_FRAGILE_TOPIC_CACHE())
		kafka_handle_mark_stale();
}

void
kafka_handle_init(void)
{
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, mark_stale, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, mark_stale, (Datum) 0);
}
