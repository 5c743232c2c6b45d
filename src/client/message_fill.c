/*-------------------------------------------------------------------------
 *
 * message_fill.c
 *	  librdkafka's message as a KafkaMessage.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/message_fill.h"
#include "utils/memutils.h"

static KafkaTimestampType
timestamp_type(rd_kafka_timestamp_type_t type)
{
	if (type == RD_KAFKA_TIMESTAMP_CREATE_TIME)
		return KAFKA_TIMESTAMP_CREATE;
	if (type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
		return KAFKA_TIMESTAMP_LOG_APPEND;
	return KAFKA_TIMESTAMP_NONE;
}

/*
 * The array is reused.  librdkafka builds a list for each message that it is asked about, also
 * for one without headers, and that costs as much as all else that is done for a message here.
 */
static void
fill_headers(KafkaMessageFiller *filler, const rd_kafka_message_t *rkm, KafkaMessage *msg)
{
	rd_kafka_headers_t *headers;
	int			count;

	msg->nheaders = 0;
	msg->headers = NULL;
	if (filler->skips_headers)
		return;
	if (rd_kafka_message_headers(rkm, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	count = (int) rd_kafka_header_cnt(headers);
	if (count > filler->max_headers)
	{
		filler->max_headers = Max(count, 16);
		if (filler->headers)
			pfree(filler->headers);
		filler->headers = MemoryContextAlloc(filler->context,
											   sizeof(KafkaHeader) * filler->max_headers);
	}
	for (int i = 0; i < count; i++)
	{
		const void *value;

		rd_kafka_header_get_all(headers, i, &filler->headers[i].name, &value,
								&filler->headers[i].value.len);
		filler->headers[i].value.data = value;
	}
	msg->nheaders = count;
	msg->headers = filler->headers;
}

void
kafka_message_fill(KafkaMessageFiller *filler, const rd_kafka_message_t *rkm, KafkaMessage *msg)
{
	rd_kafka_timestamp_type_t type;

	msg->partition = rkm->partition;
	msg->offset = rkm->offset;
	msg->leader_epoch = KAFKA_RD_LEADER_EPOCH(rkm);
	msg->timestamp = rd_kafka_message_timestamp(rkm, &type);
	msg->timestamp_type = timestamp_type(type);
	msg->key.data = rkm->key;
	msg->key.len = rkm->key_len;
	msg->value.data = rkm->payload;
	msg->value.len = rkm->len;
	fill_headers(filler, rkm, msg);
}
