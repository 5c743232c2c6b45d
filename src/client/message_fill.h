/*-------------------------------------------------------------------------
 *
 * message_fill.h
 *	  librdkafka's message as a KafkaMessage.
 *
 * Layer 1, private to src/client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_MESSAGE_FILL_H
#define KAFKA_MESSAGE_FILL_H

#include "postgres.h"

#include "client/rdkafka_api.h"
#include "ground/message.h"

typedef struct KafkaMessageFiller
{
	MemoryContext context;		/* where headers are kept */
	bool		skips_headers;	/* nobody looks at them */
	KafkaHeader *headers;		/* reused from message to message */
	int			max_headers;
} KafkaMessageFiller;

/*
 * Everything but the topic, which the caller sets.  Pointers are the message's and the
 * filler's: they hold until the one is destroyed or the other used again.
 */
extern void kafka_message_fill(KafkaMessageFiller *filler, const rd_kafka_message_t *rkm,
							   KafkaMessage *msg);

#endif							/* KAFKA_MESSAGE_FILL_H */
