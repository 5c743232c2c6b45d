/*-------------------------------------------------------------------------
 *
 * host.h
 *	  How long work in PostgreSQL is cut into transactions, wherever it runs.
 *
 * Layer 0.  A relay and a pipeline are the same in a background worker and in a procedure, but
 * for what is here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_HOST_H
#define KAFKA_HOST_H

#include "postgres.h"

/* Between begin and commit SPI is connected. */
typedef struct KafkaHost
{
	void		(*begin) (void);
	void		(*commit) (void);
	void		(*abort) (void);	/* instead of commit; in a worker also after an error */
	bool		(*should_stop) (void);	/* looked at between transactions, and in waits */
	void		(*show) (const char *what); /* "waiting for rows" and the like, in
											 * pg_stat_activity; NULL: it is not shown */
} KafkaHost;

#endif							/* KAFKA_HOST_H */
