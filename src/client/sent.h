/*-------------------------------------------------------------------------
 *
 * sent.h
 *	  What this session has sent: so that it reads its own writes.
 *
 * Layer 1.  After a commit the broker's last stable offset lags for some milliseconds;
 * the session remembers the last offset of each partition that it was told, and a scan
 * that is about to pin its end waits for the broker to catch up with that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SENT_H
#define KAFKA_SENT_H

#include "postgres.h"

#include "ground/options.h"

/* A confirmed and, where there is a transaction, committed message. */
extern void kafka_sent_note(Oid serverid, const char *topic, int32 partition, int64 offset);

/* The last such offset, or KAFKA_UNKNOWN. */
extern int64 kafka_sent_offset(Oid serverid, const char *topic, int32 partition);

/* Nothing to wait for any longer: it was seen. */
extern void kafka_sent_forget(Oid serverid, const char *topic, int32 partition);

/* The same for all partitions: waiting was in vain, or the topic is gone. */
extern void kafka_sent_forget_topic(Oid serverid, const char *topic);

/* The same for everything. */
extern void kafka_sent_forget_all(void);

/* True if the session has sent nothing since it was last forgotten. */
extern bool kafka_sent_is_empty(void);

/*
 * Ends of the partitions 0 to npartitions - 1 of a topic, as KAFKA_OFFSET_END: they are asked for again until
 * they are behind what the session has sent, for a second at most.
 */
extern void kafka_sent_await(const KafkaOptions *opts, const char *topic, int32 npartitions,
							 int64 *ends);

#endif							/* KAFKA_SENT_H */
