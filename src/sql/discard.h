/*-------------------------------------------------------------------------
 *
 * discard.h
 *	  DISCARD ALL: nothing of Kafka is left in the session.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_DISCARD_H
#define KAFKA_DISCARD_H

/* Hooks into utility commands; called once, from _PG_init. */
extern void kafka_discard_init(void);

#endif							/* KAFKA_DISCARD_H */
