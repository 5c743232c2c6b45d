/*-------------------------------------------------------------------------
 *
 * rdkafka_api.h
 *	  The one way to librdkafka's header, and its versions' differences.
 *
 * Layer 1, private to src/client: no other folder includes it, and no other header of
 * this folder except handle_internal.h, which is private too.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_RDKAFKA_API_H
#define KAFKA_RDKAFKA_API_H

#include <librdkafka/rdkafka.h>

#if RD_KAFKA_VERSION < 0x020002ff
#error "kafka_fdw needs librdkafka 2.0.2 or later"
#endif

/*
 * Before 2.6.1 the client's nonce goes out twice in a log-in by SCRAM, which brokers from 4.0
 * on refuse.  Asked at run time, because the library may be newer than the header.
 */
#define KAFKA_RD_SCRAM_NONCE_TWICE() (rd_kafka_version() < 0x020601ff)

/* Leader epochs of messages came with 2.1. */
#if RD_KAFKA_VERSION >= 0x020100ff
#define KAFKA_RD_LEADER_EPOCH(rkm) rd_kafka_message_leader_epoch(rkm)
#else
#define KAFKA_RD_LEADER_EPOCH(rkm) ((void) (rkm), -1)
#endif

/* Types of groups in the list of them came with 2.6: Classic, Consumer; else NULL. */
#if RD_KAFKA_VERSION >= 0x020600ff
#define KAFKA_RD_LISTING_TYPE(listing) \
	rd_kafka_consumer_group_type_name(rd_kafka_ConsumerGroupListing_type(listing))
#else
#define KAFKA_RD_LISTING_TYPE(listing) ((void) (listing), (const char *) NULL)
#endif

/* ACLs of transactional ids came with 2.6; the number is Kafka's. */
#if RD_KAFKA_VERSION >= 0x020600ff
#define KAFKA_RD_ACL_TRANSACTIONAL_ID true
#else
#define KAFKA_RD_ACL_TRANSACTIONAL_ID false
#endif
#define KAFKA_RD_RESOURCE_TRANSACTIONAL_ID ((rd_kafka_ResourceType_t) 5)

/* Configurations can be altered in part since 2.2: before, an alteration replaces them whole. */
#if RD_KAFKA_VERSION >= 0x020200ff
#define KAFKA_RD_INCREMENTAL_CONFIG 1
#endif

/* Offsets with their timestamps, and racks of brokers, can be asked for since 2.3. */
#if RD_KAFKA_VERSION >= 0x020300ff
#define KAFKA_RD_LIST_OFFSETS 1
#define KAFKA_RD_DESCRIBE_CLUSTER 1
#endif

/* Configurations of groups since 2.10; the header before has the word, but sends another type. */
#if RD_KAFKA_VERSION >= 0x020a00ff
#define KAFKA_RD_GROUP_CONFIG 1
#endif

/*
 * From 2.4 to before 2.10 a handle that learns of a topic of the same name with another id
 * corrupts its metadata cache and crashes the process (librdkafka issue 4964).  Asked at run
 * time, because the library may be newer than the header.
 */
#define KAFKA_RD_FRAGILE_TOPIC_CACHE() \
	(rd_kafka_version() >= 0x020400ff && rd_kafka_version() < 0x020a00ff)

/*
 * Before 2.3 rd_kafka_poll() counts as the application's poll, so that a member of a group
 * never exceeds max.poll.interval.ms while somebody else calls it.  Asked at run time.
 */
#define KAFKA_RD_POLL_KEEPS_MEMBER() (rd_kafka_version() < 0x020300ff)

/*
 * Before 2.3 a consumer of the strategy "cooperative-sticky" that is destroyed between joining
 * and its first assignment aborts the process (librdkafka pull request 4381).
 */
#define KAFKA_RD_FRAGILE_STICKY() (rd_kafka_version() < 0x020300ff)

#endif							/* KAFKA_RDKAFKA_API_H */
