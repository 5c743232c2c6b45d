/*-------------------------------------------------------------------------
 *
 * pending.h
 *	  Messages that wait for the end of the transaction, in the order they were sent.
 *
 * Layer 3, private to src/transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PENDING_H
#define KAFKA_PENDING_H

#include "postgres.h"

#include "ground/message.h"

/*
 * One append-only log for the whole transaction: memory up to kafka_fdw.send_buffer, then
 * a temporary file.  All of it belongs to the transaction and goes with it.
 */

/* Appends a copy of the message; destination is the caller's number for where it goes. */
extern void kafka_pending_add(int destination, const KafkaMessage *msg);

/* Messages that wait. */
extern int64 kafka_pending_count(void);

/* A subtransaction of this nesting level has ended; the log forgets or keeps its messages. */
extern void kafka_pending_subabort(int level);
extern void kafka_pending_subcommit(int level);

/*
 * Reading from the beginning, once: memory is freed as it is read.  msg's pointers hold until
 * the next call.  Nothing may be added any more.
 */
extern void kafka_pending_rewind(void);
extern bool kafka_pending_next(int *destination, KafkaMessage *msg);

/*
 * close frees everything at once; forget only drops the pointers, for the end of the
 * transaction, which frees the memory and the file itself.
 */
extern void kafka_pending_close(void);
extern void kafka_pending_forget(void);

#endif							/* KAFKA_PENDING_H */
