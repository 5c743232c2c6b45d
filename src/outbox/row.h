/*-------------------------------------------------------------------------
 *
 * row.h
 *	  Rows of an outbox: kafka.outbox_row.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_OUTBOX_ROW_H
#define KAFKA_OUTBOX_ROW_H

#include "postgres.h"

#include "ground/message.h"

/*
 * What the relay's own header, kafka_fdw.id, adds to a message at most: two lengths, its name, and
 * the outbox's UUID with a number behind it; bytes.
 */
#define KAFKA_OUTBOX_ID_SIZE (1 + 12 + 1 + 36 + 1 + 19)

/* The server's partitioner. */
#define KAFKA_OUTBOX_PARTITIONER (-1)

/*
 * Writes a message as a row of this transaction.  partitioner: a KafkaPartitioner of the foreign
 * table's own, or KAFKA_OUTBOX_PARTITIONER.  Raises 25006 where the transaction is read-only.
 */
extern void kafka_outbox_write(int32 outbox, const KafkaMessage *msg, int partitioner);

/* Raises 25006 where this transaction can write no row: it is read-only, or this is a standby. */
extern void kafka_outbox_check_writable(void);

/* A message's headers as the column holds them; NULL Datum (isnull) for none. */
extern Datum kafka_outbox_pack_headers(const KafkaMessage *msg, bool *isnull);

/*
 * And back: at most max of them into headers, whose pointers are into `packed`, which must live as
 * long; returns how many there are.  Raises XX001 for what was not packed.
 */
extern int	kafka_outbox_unpack_headers(const char *packed, size_t len, KafkaHeader *headers,
										int max);

/* The last transaction of this session that has committed rows, or was prepared with them; 0: none. */
extern uint64 kafka_outbox_last_xid(void);

/* The running transaction, if it has written rows; 0: it has not. */
extern uint64 kafka_outbox_writing_xid(void);

/* Registers the transaction callback that wakes relays; called once, from _PG_init. */
extern void kafka_outbox_row_init(void);

/* prepared.c: watches for COMMIT PREPARED; called once, from _PG_init. */
extern void kafka_outbox_prepared_init(void);

#endif							/* KAFKA_OUTBOX_ROW_H */
