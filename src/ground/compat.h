/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between the supported PostgreSQL versions (15 to 19).
 *
 * Layer 0.  The only file that looks at PG_VERSION_NUM: each difference gets
 * a named macro here, and the code above reads as if there were one version.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_COMPAT_H
#define KAFKA_COMPAT_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "common/jsonapi.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "nodes/pathnodes.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parse_relation.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

/* 18 split explain.h. */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#else
#include "commands/explain.h"
#endif

/* 18 renamed PostgreSQL's own macro; both supported compilers know this one. */
#define KAFKA_NORETURN __attribute__((noreturn))

/* 19 compiles with -Wimplicit-fallthrough=5, for which a comment is not enough. */
#define KAFKA_FALLTHROUGH __attribute__((fallthrough))

/* 18 brought virtual generated columns; they are computed by the planner's expansion. */
#if PG_VERSION_NUM >= 180000
#define KAFKA_IS_VIRTUAL(attr) ((attr)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define KAFKA_IS_VIRTUAL(attr) false
#endif

/* 17 allows a subtransaction that catches an error while a parallel query runs. */
#if PG_VERSION_NUM >= 170000
#define KAFKA_ATTEMPTS_IN_PARALLEL true
#else
#define KAFKA_ATTEMPTS_IN_PARALLEL false
#endif

/* 17 numbers backend slots from 0 and calls them ProcNumber. */
#if PG_VERSION_NUM >= 170000
#define KAFKA_BACKEND_SLOT ((int) MyProcNumber)
#else
#define KAFKA_BACKEND_SLOT ((int) MyBackendId)
#endif

/* 16 replaced the per-catalog privilege checks by object_aclcheck() and object_ownercheck(). */
#if PG_VERSION_NUM >= 160000
#define KAFKA_OWNS_DATABASE(database, userid) \
	object_ownercheck(DatabaseRelationId, (database), (userid))
#define KAFKA_SERVER_ACLCHECK(serverid, userid) \
	object_aclcheck(ForeignServerRelationId, (serverid), (userid), ACL_USAGE)
#define KAFKA_OWNS_TABLE(relid, userid) \
	object_ownercheck(RelationRelationId, (relid), (userid))
#define KAFKA_FUNCTION_ACLCHECK(function, userid) \
	object_aclcheck(ProcedureRelationId, (function), (userid), ACL_EXECUTE)
#else
#define KAFKA_OWNS_DATABASE(database, userid) pg_database_ownercheck((database), (userid))
#define KAFKA_SERVER_ACLCHECK(serverid, userid) \
	pg_foreign_server_aclcheck((serverid), (userid), ACL_USAGE)
#define KAFKA_OWNS_TABLE(relid, userid) pg_class_ownercheck((relid), (userid))
#define KAFKA_FUNCTION_ACLCHECK(function, userid) \
	pg_proc_aclcheck((function), (userid), ACL_EXECUTE)
#endif

/*
 * The user whose rights and user mapping a scan or an INSERT uses: the owner of the
 * view it came through, else the current user.
 */
#if PG_VERSION_NUM >= 160000
#define KAFKA_SCAN_USER(fsplan, rte) \
	(OidIsValid((fsplan)->checkAsUser) ? (fsplan)->checkAsUser : GetUserId())
#define KAFKA_MODIFY_USER(rinfo, estate) ExecGetResultRelCheckAsUser((rinfo), (estate))
#else
#define KAFKA_SCAN_USER(fsplan, rte) \
	(OidIsValid((rte)->checkAsUser) ? (rte)->checkAsUser : GetUserId())
#define KAFKA_MODIFY_USER(rinfo, estate) kafka_modify_user((rinfo), (estate))
static inline Oid
kafka_modify_user(ResultRelInfo *rinfo, EState *estate)
{
	Index		rti = rinfo->ri_RangeTableIndex;

	/* A partition reached by tuple routing has no range table entry: its root has. */
	if (rti == 0 && rinfo->ri_RootResultRelInfo)
		rti = rinfo->ri_RootResultRelInfo->ri_RangeTableIndex;
	if (rti > 0)
	{
		RangeTblEntry *rte = exec_rt_fetch(rti, estate);

		if (OidIsValid(rte->checkAsUser))
			return rte->checkAsUser;
	}
	return GetUserId();
}
#endif

/* 16 took what a query has to be allowed to do out of its range table. */
#if PG_VERSION_NUM >= 160000
typedef RTEPermissionInfo KafkaPermissions;
#define KAFKA_PERMISSIONS_OF(rte, perminfos) addRTEPermissionInfo(&(perminfos), (rte))
#define KAFKA_CHECK_PERMISSIONS(rtable, perminfos) \
	ExecCheckPermissions((rtable), (perminfos), true)
#else
typedef RangeTblEntry KafkaPermissions;
#define KAFKA_PERMISSIONS_OF(rte, perminfos) (rte)
#define KAFKA_CHECK_PERMISSIONS(rtable, perminfos) ExecCheckRTPerms((rtable), true)
#endif

/* A range table of one entry. */
#if PG_VERSION_NUM >= 180000
#define KAFKA_INIT_RANGE_TABLE(estate, rtable, perminfos) \
	ExecInitRangeTable((estate), (rtable), (perminfos), bms_make_singleton(1))
#elif PG_VERSION_NUM >= 160000
#define KAFKA_INIT_RANGE_TABLE(estate, rtable, perminfos) \
	ExecInitRangeTable((estate), (rtable), (perminfos))
#else
#define KAFKA_INIT_RANGE_TABLE(estate, rtable, perminfos) ExecInitRangeTable((estate), (rtable))
#endif

/* Index entries of a new row that may not conflict; 16 and 19 changed the arguments. */
#if PG_VERSION_NUM >= 190000
#define KAFKA_INSERT_INDEX_TUPLES(rinfo, slot, estate) \
	ExecInsertIndexTuples((rinfo), (estate), 0, (slot), NIL, NULL)
#elif PG_VERSION_NUM >= 160000
#define KAFKA_INSERT_INDEX_TUPLES(rinfo, slot, estate) \
	ExecInsertIndexTuples((rinfo), (slot), (estate), false, false, NULL, NIL, false)
#else
#define KAFKA_INSERT_INDEX_TUPLES(rinfo, slot, estate) \
	ExecInsertIndexTuples((rinfo), (slot), (estate), false, false, NULL, NIL)
#endif

/* 19 wants to hear when a row's description is complete. */
#if PG_VERSION_NUM >= 190000
#define KAFKA_TUPLE_DESC_FINISH(desc) TupleDescFinalize(desc)
#else
#define KAFKA_TUPLE_DESC_FINISH(desc) ((void) (desc))
#endif

/* create_foreignscan_path() grew an argument in 17 and another one in 18. */
#if PG_VERSION_NUM >= 180000
#define KAFKA_CREATE_SCAN_PATH(root, rel, rows, startup, total, keys, outer) \
	create_foreignscan_path((root), (rel), NULL, (rows), 0, (startup), (total), (keys), \
							(outer), NULL, NIL, NIL)
#elif PG_VERSION_NUM >= 170000
#define KAFKA_CREATE_SCAN_PATH(root, rel, rows, startup, total, keys, outer) \
	create_foreignscan_path((root), (rel), NULL, (rows), (startup), (total), (keys), \
							(outer), NULL, NIL, NIL)
#else
#define KAFKA_CREATE_SCAN_PATH(root, rel, rows, startup, total, keys, outer) \
	create_foreignscan_path((root), (rel), NULL, (rows), (startup), (total), (keys), \
							(outer), NULL, NIL)
#endif

/* 18 describes a pathkey's direction by a comparison type instead of a B-tree strategy. */
#if PG_VERSION_NUM >= 180000
#define KAFKA_PATHKEY_FALLS(pathkey) ((pathkey)->pk_cmptype == COMPARE_GT)
#else
#define KAFKA_PATHKEY_FALLS(pathkey) ((pathkey)->pk_strategy == BTGreaterStrategyNumber)
#endif

/* 18 keeps the members of child relations apart from the others in an equivalence class. */
#if PG_VERSION_NUM >= 180000
typedef EquivalenceMemberIterator KafkaMemberIterator;
#define KAFKA_FOREACH_MEMBER(member, iterator, eclass, relids) \
	for (setup_eclass_member_iterator(&(iterator), (eclass), (relids)); \
		 ((member) = eclass_member_iterator_next(&(iterator))) != NULL;)
#else
typedef ListCell *KafkaMemberIterator;
#define KAFKA_FOREACH_MEMBER(member, iterator, eclass, relids) \
	for ((iterator) = list_head((eclass)->ec_members); \
		 (iterator) != NULL && ((member) = (EquivalenceMember *) lfirst(iterator)) != NULL; \
		 (iterator) = lnext((eclass)->ec_members, (iterator)))
#endif

/* 19 ends background workers that stand in the way of a command on their database. */
#if PG_VERSION_NUM >= 190000
#define KAFKA_WORKER_INTERRUPTIBLE BGWORKER_INTERRUPTIBLE
#else
#define KAFKA_WORKER_INTERRUPTIBLE 0
#endif

/* 19 gives signal handlers another argument, and what is no handler needs a cast. */
#if PG_VERSION_NUM >= 190000
#define KAFKA_SIG_IGN PG_SIG_IGN
#else
#define KAFKA_SIG_IGN SIG_IGN
#endif

/*
 * JSON callbacks return a code from 16 on; the lexer may live on the caller's stack
 * from 17 on (then it takes the struct as first argument).
 */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType KafkaJsonResult;
#define KAFKA_JSON_RETURN_OK return JSON_SUCCESS
#else
typedef void KafkaJsonResult;
#define KAFKA_JSON_RETURN_OK return
#endif

#if PG_VERSION_NUM >= 170000
#define KAFKA_JSON_LEXER(json, len, escapes) \
	makeJsonLexContextCstringLen(NULL, (json), (len), GetDatabaseEncoding(), (escapes))
#define KAFKA_JSON_LEXER_FREE(lex) freeJsonLexContext(lex)
#else
#define KAFKA_JSON_LEXER(json, len, escapes) \
	makeJsonLexContextCstringLen((json), (len), GetDatabaseEncoding(), (escapes))
#define KAFKA_JSON_LEXER_FREE(lex) ((void) (lex))
#endif

/* 17 lets extensions name what they wait for; `event` is a static of the caller's, 0 at first. */
#if PG_VERSION_NUM >= 170000
#define KAFKA_WAIT_EVENT(event, name) \
	((event) != 0 ? (event) : ((event) = WaitEventExtensionNew(name)))
#else
#define KAFKA_WAIT_EVENT(event, name) ((void) (event), PG_WAIT_EXTENSION)
#endif

#endif							/* KAFKA_COMPAT_H */
