/*-------------------------------------------------------------------------
 *
 * utility.h
 *	  What the extension does around utility commands.
 *
 * Layer 0.  One ProcessUtility hook for all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_UTILITY_H
#define KAFKA_UTILITY_H

#include "postgres.h"

#include "nodes/nodes.h"

typedef struct KafkaUtility
{
	/*
	 * Looks at a command before it runs: a procedure's ROLLBACK may free the statement while it runs.
	 * What it returns is given to `after`; NULL: that is not called.
	 */
	void	   *(*before) (Node *command);

	/* When the command has ended well. */
	void		(*after) (void *note);
} KafkaUtility;

/* Kept, not copied; called from _PG_init. */
extern void kafka_utility_add(const KafkaUtility *utility);

#endif							/* KAFKA_UTILITY_H */
