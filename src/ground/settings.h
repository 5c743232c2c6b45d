/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The settings kafka_fdw.* (contract, part 5).
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_SETTINGS_H
#define KAFKA_SETTINGS_H

#include "postgres.h"

/* What COMMIT waits for, once the messages are confirmed. */
typedef enum KafkaCommitWait
{
	KAFKA_WAIT_ACKNOWLEDGED,	/* Kafka's transaction is committed */
	KAFKA_WAIT_VISIBLE			/* and every read_committed reader sees it */
} KafkaCommitWait;

/* When a relay takes an outbox over that another instance has claimed. */
typedef enum KafkaRelayTakeover
{
	KAFKA_TAKEOVER_NEVER,
	KAFKA_TAKEOVER_NEWER_TIMELINE
} KafkaRelayTakeover;

extern char *kafka_setting_server;		/* name, "" = the only one of the database */
extern int	kafka_setting_delivery;		/* a KafkaDeliveryMode */
extern int	kafka_setting_connect_timeout;	/* ms */
extern int	kafka_setting_commit_timeout;	/* ms */
extern int	kafka_setting_after_commit_timeout;	/* ms */
extern int	kafka_setting_commit_wait;	/* a KafkaCommitWait */
extern int	kafka_setting_send_buffer;	/* kB */
extern char *kafka_setting_instance_name;	/* "" = made of host, port, data directory */
extern int	kafka_setting_log_broker_messages;	/* highest syslog level that is logged */
extern int	kafka_setting_statistics_interval;	/* ms, 0 = none */
extern int	kafka_setting_outbox_retention; /* s */
extern char *kafka_setting_relay_databases; /* "" = all */
extern int	kafka_setting_relay_naptime;	/* ms */
extern int	kafka_setting_relay_takeover;	/* a KafkaRelayTakeover */
extern int	kafka_setting_relay_batch_rows;
extern int	kafka_setting_relay_batch_bytes;	/* kB */
extern int	kafka_setting_max_workers;

/* Defines the settings; called once, from _PG_init. */
extern void kafka_settings_define(void);

#endif							/* KAFKA_SETTINGS_H */
