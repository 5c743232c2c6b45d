/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  How long ago something was.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_CLOCK_H
#define KAFKA_CLOCK_H

#include "postgres.h"

#include <limits.h>

#include "portability/instr_time.h"

/* Milliseconds since then, INT_MAX at most. */
static inline int
kafka_elapsed_ms(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return (int) Min(INSTR_TIME_GET_MILLISEC(now), (double) INT_MAX);
}

#endif							/* KAFKA_CLOCK_H */
