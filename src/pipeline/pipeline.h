/*-------------------------------------------------------------------------
 *
 * pipeline.h
 *	  The pipelines of this database: kafka.pipeline_definition.
 *
 * Layer 3.  A pipeline loads the messages of a topic into a table, or hands them to a function, as
 * its owner, in transactions that also hold its offsets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_H
#define KAFKA_PIPELINE_H

#include "postgres.h"

#include "ground/options.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

typedef enum KafkaPipelineMode
{
	KAFKA_PIPELINE_INSERT,
	KAFKA_PIPELINE_UPSERT,		/* by a unique constraint; a tombstone deletes */
	KAFKA_PIPELINE_IGNORE		/* rows that conflict are left out */
} KafkaPipelineMode;

/* What becomes of a message that fails. */
typedef enum KafkaPipelineOnError
{
	KAFKA_PIPELINE_STOP,		/* all before it is loaded, and the pipeline fails */
	KAFKA_PIPELINE_SKIP,
	KAFKA_PIPELINE_DEAD_LETTER
} KafkaPipelineOnError;

extern const struct config_enum_entry kafka_pipeline_modes[];
extern const struct config_enum_entry kafka_pipeline_on_errors[];

typedef struct KafkaPipeline
{
	int32		id;
	char	   *name;
	Oid			owner;
	Oid			source;			/* foreign table; InvalidOid: the topic itself */
	char	   *topic;			/* that its offsets belong to */
	char	   *server;			/* name, if there is no foreign table */
	Oid			target;			/* InvalidOid: there is a handler */
	char	   *handler;		/* "schema.function(kafka.message[])", or NULL */
	List	   *columns;		/* of char *; NIL: by name */
	int			mode;			/* KafkaPipelineMode */
	int			on_error;		/* KafkaPipelineOnError */
	int			batch_rows;
	int			batch_interval; /* ms */
	int			parallelism;
	bool		enabled;
	int64		orders;			/* starts and stops so far */
	char	   *search_path;
	Jsonb	   *options;

	/* kafka_pipeline_resolve(): */
	KafkaOptions *opts;			/* of the source, as its owner has them */
	char	   *dead_letter_topic;	/* option; NULL: kafka.dead_letters */
	int			batch_bytes;	/* option */
} KafkaPipeline;

/* By name, palloc'd; NULL, or raises 42704 that names it, where there is none.  As committed now. */
extern KafkaPipeline *kafka_pipeline_find(const char *name, bool missing_ok);

/* By number; NULL where there is none any more, or no extension. */
extern KafkaPipeline *kafka_pipeline_by_id(int32 id);

/* All of them, as a List of KafkaPipeline in the order of their names, palloc'd. */
extern List *kafka_pipeline_list(void);

/*
 * Fills what comes from the foreign table or server and from the options, as the owner has them.
 * Raises 42501 where the owner may not read the source; 42704, HV00D, 22023 for what is gone or wrong; 55000
 * where the foreign table names another topic than the offsets belong to.  Asks no broker.
 */
extern void kafka_pipeline_resolve(KafkaPipeline *pipeline);

/*
 * pipeline_options.c, for kafka_pipeline_resolve: what options say, over pipeline->opts.  Raises
 * HV00D, 22023, 42501.
 */
extern void kafka_pipeline_apply_options(KafkaPipeline *pipeline);

/* Raises 42501 unless the current user has the privileges of its owner. */
extern void kafka_pipeline_require_owner(const KafkaPipeline *pipeline);

/*
 * The same for what runs the owner's functions and triggers in this session: 42501 unless the current
 * user is the owner, or the owner a superuser.  They can leave cursors, temporary tables and deferred triggers behind.
 */
extern void kafka_pipeline_require_self(const KafkaPipeline *pipeline);

/*
 * From here to kafka_pipeline_leave, or the end of the (sub)transaction: current user, search_path
 * and row_security are as the pipeline is to have them.  SET ROLE and SET SESSION AUTHORIZATION are refused.
 */
typedef struct KafkaPipelineUser
{
	Oid			userid;
	int			security;
	int			nest_level;		/* of settings */
	int32		loading;		/* the pipeline that was entered before, or 0 */
} KafkaPipelineUser;

extern KafkaPipelineUser kafka_pipeline_enter(const KafkaPipeline *pipeline);

/* Its handler or a trigger of its target is running, in this transaction. */
extern bool kafka_pipeline_is_entered(int32 pipeline);
extern void kafka_pipeline_leave(const KafkaPipelineUser *saved);

/*
 * The same as the last thing before the transaction is committed, and left by itself when that has
 * ended: deferred triggers and cursors WITH HOLD run at COMMIT, and what the owner has made must not
 * run as the worker or the caller of a procedure.
 */
extern void kafka_pipeline_commit_as_owner(const KafkaPipeline *pipeline);

#endif							/* KAFKA_PIPELINE_H */
