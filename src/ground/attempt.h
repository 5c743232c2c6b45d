/*-------------------------------------------------------------------------
 *
 * attempt.h
 *	  Running something that may fail without failing with it.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_ATTEMPT_H
#define KAFKA_ATTEMPT_H

#include "postgres.h"

/*
 * Calls run(arg) in a subtransaction, with the caller's memory context.  NULL if it ended
 * well; else the error, palloc'd in that context, and everything it did is rolled back.
 * An error whose SQLSTATE catches() does not want is raised as ever.  Where PostgreSQL allows no
 * subtransaction (before 17, in a parallel query), every error is raised, with a HINT.
 */
extern ErrorData *kafka_attempt(void (*run) (void *arg), void *arg,
								bool (*catches) (int sqlstate));

/* The same, and what it did is rolled back where it ended well, too.  Not in a parallel query. */
extern ErrorData *kafka_rehearse(void (*run) (void *arg), void *arg,
								 bool (*catches) (int sqlstate));

#endif							/* KAFKA_ATTEMPT_H */
