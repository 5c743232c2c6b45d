/*-------------------------------------------------------------------------
 *
 * loose.h
 *	  Text in another encoding, as far as that goes.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_LOOSE_H
#define KAFKA_LOOSE_H

#include "postgres.h"

/*
 * Text as one in another encoding (pg_enc), palloc'd and terminated.  What is not valid, or not to
 * be had there, is written as \x and two hexadecimal digits for each of its bytes.  Raises nothing
 * about the text.
 */
extern char *kafka_text_loosely(const char *text, int from, int to);

#endif							/* KAFKA_LOOSE_H */
