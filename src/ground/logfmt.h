/*-------------------------------------------------------------------------
 *
 * logfmt.h
 *	  Lines of the server's log that carry facts as key=value.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_LOGFMT_H
#define KAFKA_LOGFMT_H

/*
 * A text as a value, palloc'd: in quotes, with quotes and backslashes escaped; control characters
 * are blanks.
 */
extern char *kafka_logfmt_quote(const char *text);

#endif							/* KAFKA_LOGFMT_H */
