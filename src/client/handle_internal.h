/*-------------------------------------------------------------------------
 *
 * handle_internal.h
 *	  What the files of src/client share about a handle.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_HANDLE_INTERNAL_H
#define KAFKA_HANDLE_INTERNAL_H

#include "postgres.h"

#include "client/core.h"
#include "client/handle.h"
#include "client/rdkafka_api.h"
#include "client/stats.h"
#include "lib/ilist.h"
#include "portability/instr_time.h"

#define KAFKA_TEXT_SIZE 512

/* Requests in helper threads that a handle has under way at a time. */
#define KAFKA_JOBS_AT_ONCE 3

struct KafkaHandle
{
	dlist_node	node;			/* in the session's list, most recently used first */
	KafkaHandleCore *core;
	rd_kafka_t *rk;				/* = core->rk */
	KafkaRole	role;
	uint32		server_hash;	/* of the catalogue rows it was made from */
	MemoryContext context;		/* of this struct and its strings */
	char	   *server_name;
	KafkaStats *stats;
	Oid			serverid;
	Oid			userid;
	TimestampTz started;
	char	   *identity;		/* all properties as one text: equal text, equal handle */
	List	   *secrets;		/* of char *: values that librdkafka's texts must not show */
	char	   *transactional_id;	/* or NULL */
	char	   *group_id;		/* of a group's member, or NULL */
	bool		in_use;
	bool		stale;			/* options have changed since */
	int			descriptors;	/* reserved with PostgreSQL */

	struct KafkaJob *left_behind[KAFKA_JOBS_AT_ONCE];	/* of a cancelled statement, or NULL */

	/* what callbacks and the log queue recorded last; read by waits */
	rd_kafka_resp_err_t error;	/* worst since the last reset */
	char		error_text[KAFKA_TEXT_SIZE];
	char		log_text[KAFKA_TEXT_SIZE];
	char		refused_text[KAFKA_TEXT_SIZE];	/* why a transaction did not take a partition */
	bool		answered;		/* a broker has, since the handle was made */

	List	   *topics;			/* names that it was introduced to */
	uint32		topics_generation;	/* in this state of the session's knowledge */
	bool		transactions_ready; /* init_transactions has succeeded, all was clean since */

	/* who uses the handle: told before it goes, so that nothing of librdkafka's is held */
	void	   *owner;
	void		(*detach) (void *owner);
	/* a group's consumer: partitions are assigned to it or taken away */
	void		(*rebalance) (void *owner, rd_kafka_resp_err_t err,
							  const rd_kafka_topic_partition_list_t *partitions);
	/* a producer's delivery reports */
	void		(*report) (void *owner, const rd_kafka_message_t *rkm);
};

/* Serves callbacks and the log queue; no wait.  Never throws. */
extern void kafka_handle_serve(KafkaHandle *handle);

/*
 * At the start of a wait: forgets recorded errors, except that brokers are down, because
 * librdkafka does not repeat that while it lasts.
 */
extern void kafka_handle_forget_errors(KafkaHandle *handle);

/* A broker has answered: whatever was recorded is over. */
extern void kafka_handle_succeeded(KafkaHandle *handle);

/*
 * Topics were made, deleted or found missing: where librdkafka could crash over that, no
 * handle that knew the old ones is used again.
 */
extern void kafka_handle_topics_changed(void);

/* No handle that exists now is taken from the cache again. */
extern void kafka_handle_mark_stale(void);

/*
 * Destroys handles that nobody uses: those of a server and user (producers only, if so
 * asked); returns how many.  And the one with that transactional id.
 */
extern int	kafka_handle_close_idle(Oid serverid, Oid userid, bool producers);
extern void kafka_handle_close_transactional(const char *transactional_id);

/* The last thing heard of the brokers is that none can be reached. */
extern bool kafka_handle_is_down(const KafkaHandle *handle);

/* The brokers refused to log us in, or could not be talked to by TLS: no waiting mends it. */
extern bool kafka_handle_is_rejected(const KafkaHandle *handle);

/*
 * topic.c: makes a consumer's or producer's handle read the topic's metadata where the
 * session knows better: when the handle meets the topic first (else the first message that
 * is sent can wait a second for it), and when topics have been made, deleted or grown since.
 */
extern void kafka_topic_introduce(KafkaHandle *handle, const char *topic);

/* The same, whatever the handle knows.  Both raise HV00R if the topic does not exist. */
extern void kafka_topic_refresh(KafkaHandle *handle, const char *topic);

#endif							/* KAFKA_HANDLE_INTERNAL_H */
