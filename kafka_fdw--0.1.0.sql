/* kafka_fdw--0.1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION kafka_fdw" to load this file. \quit

GRANT USAGE ON SCHEMA kafka TO PUBLIC;

-- ---------------------------------------------------------------------------
-- The foreign-data wrapper
-- ---------------------------------------------------------------------------

CREATE FUNCTION kafka_fdw_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION kafka_fdw_handler() IS 'handler of the foreign-data wrapper kafka_fdw';

CREATE FUNCTION kafka_fdw_validator(text[], oid) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION kafka_fdw_validator(text[], oid) IS
'checks the options of servers, user mappings, foreign tables and columns';

CREATE FOREIGN DATA WRAPPER kafka_fdw
  HANDLER kafka_fdw_handler
  VALIDATOR kafka_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER kafka_fdw IS 'Apache Kafka topics as tables';

-- The validator sees options only; whether columns and options suit each other shows when
-- the command is done.
CREATE FUNCTION check_foreign_tables() RETURNS event_trigger
AS 'MODULE_PATHNAME', 'kafka_check_foreign_tables' LANGUAGE C;
COMMENT ON FUNCTION check_foreign_tables() IS
'checks whether columns and options of a foreign table suit each other, after it was created or altered';

CREATE EVENT TRIGGER kafka_fdw_check ON ddl_command_end
  WHEN TAG IN ('CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'ALTER TABLE', 'IMPORT FOREIGN SCHEMA')
  EXECUTE FUNCTION check_foreign_tables();
COMMENT ON EVENT TRIGGER kafka_fdw_check IS
'checks columns and options of foreign tables of kafka_fdw when they are created or altered';

-- ---------------------------------------------------------------------------
-- Types
-- ---------------------------------------------------------------------------

CREATE TYPE header AS (name text, value bytea);
COMMENT ON TYPE header IS
'a message header; names may repeat, a NULL value is Kafka''s null';
COMMENT ON COLUMN header.name IS 'name';
COMMENT ON COLUMN header.value IS 'value, any bytes';

CREATE TYPE delivery AS (topic text, partition integer, "offset" bigint, ts timestamptz);
COMMENT ON TYPE delivery IS
'where a message went; partition, offset and ts are NULL until they are known';
COMMENT ON COLUMN delivery.topic IS 'topic';
COMMENT ON COLUMN delivery.partition IS 'partition, NULL until the message is sent';
COMMENT ON COLUMN delivery."offset" IS 'offset, NULL until the message is acknowledged';
COMMENT ON COLUMN delivery.ts IS 'timestamp, NULL until the message is sent';

CREATE TYPE topic_partition AS (topic text, partition integer, "offset" bigint, metadata text);
COMMENT ON TYPE topic_partition IS 'an offset of a partition, as consumer groups keep it';
COMMENT ON COLUMN topic_partition.topic IS 'topic';
COMMENT ON COLUMN topic_partition.partition IS 'partition';
COMMENT ON COLUMN topic_partition."offset" IS 'offset of the next message to read';
COMMENT ON COLUMN topic_partition.metadata IS 'any text that is kept beside it, or NULL';

CREATE FUNCTION headers_to_jsonb(header[]) RETURNS jsonb
AS 'MODULE_PATHNAME', 'kafka_headers_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION headers_to_jsonb(header[]) IS
'headers as a JSON list of objects with name and value, in their order; bytes that are no text as {"hex": ...}';

CREATE CAST (header[] AS jsonb) WITH FUNCTION headers_to_jsonb(header[]) AS IMPLICIT;
COMMENT ON CAST (header[] AS jsonb) IS 'message headers as a JSON list; nothing is lost';

-- ---------------------------------------------------------------------------
-- Sending.  One C function, five declarations: they differ in the types of value and key.
-- ---------------------------------------------------------------------------

CREATE FUNCTION produce(
  topic text, value text, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  delivery text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_produce' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION produce(text, text, text, jsonb, integer, timestamptz, text, name) IS
'sends a message; a NULL value is a tombstone; part of the transaction unless delivery is immediate';

CREATE FUNCTION produce(
  topic text, value bytea, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  delivery text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_produce' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION produce(text, bytea, text, jsonb, integer, timestamptz, text, name) IS
'sends a message; a NULL value is a tombstone; part of the transaction unless delivery is immediate';

CREATE FUNCTION produce(
  topic text, value json, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  delivery text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_produce' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION produce(text, json, text, jsonb, integer, timestamptz, text, name) IS
'sends a message; a NULL value is a tombstone; part of the transaction unless delivery is immediate';

CREATE FUNCTION produce(
  topic text, value jsonb, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  delivery text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_produce' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION produce(text, jsonb, text, jsonb, integer, timestamptz, text, name) IS
'sends a message; a NULL value is a tombstone; part of the transaction unless delivery is immediate';

-- no default for the key: with one, a call with a bytea value alone would fit twice
CREATE FUNCTION produce(
  topic text, value bytea, key bytea, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  delivery text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_produce' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION produce(text, bytea, bytea, jsonb, integer, timestamptz, text, name) IS
'sends a message with a binary key; a NULL value is a tombstone; part of the transaction unless delivery is immediate';

-- ---------------------------------------------------------------------------
-- Sending many messages at once
-- ---------------------------------------------------------------------------

CREATE TYPE kafka.record AS (
  topic text, value bytea, key bytea, headers kafka.header[], partition integer, ts timestamptz);
COMMENT ON TYPE kafka.record IS 'a message to be sent, made by kafka.make_record';
COMMENT ON COLUMN kafka.record.topic IS 'topic, not NULL';
COMMENT ON COLUMN kafka.record.value IS 'value, any bytes; NULL is a tombstone';
COMMENT ON COLUMN kafka.record.key IS 'key, any bytes; NULL is no key';
COMMENT ON COLUMN kafka.record.headers IS 'headers';
COMMENT ON COLUMN kafka.record.partition IS 'partition; NULL: the partitioner chooses';
COMMENT ON COLUMN kafka.record.ts IS 'timestamp; NULL: the time of sending';

CREATE FUNCTION make_record(
  topic text, value text, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL)
RETURNS kafka.record
AS 'MODULE_PATHNAME', 'kafka_make_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION make_record(text, text, text, jsonb, integer, timestamptz) IS
'a record for kafka.produce_batch from the arguments of kafka.produce';

CREATE FUNCTION make_record(
  topic text, value bytea, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL)
RETURNS kafka.record
AS 'MODULE_PATHNAME', 'kafka_make_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION make_record(text, bytea, text, jsonb, integer, timestamptz) IS
'a record for kafka.produce_batch from the arguments of kafka.produce';

CREATE FUNCTION make_record(
  topic text, value json, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL)
RETURNS kafka.record
AS 'MODULE_PATHNAME', 'kafka_make_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION make_record(text, json, text, jsonb, integer, timestamptz) IS
'a record for kafka.produce_batch from the arguments of kafka.produce';

CREATE FUNCTION make_record(
  topic text, value jsonb, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL)
RETURNS kafka.record
AS 'MODULE_PATHNAME', 'kafka_make_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION make_record(text, jsonb, text, jsonb, integer, timestamptz) IS
'a record for kafka.produce_batch from the arguments of kafka.produce';

-- no default for the key, as in produce
CREATE FUNCTION make_record(
  topic text, value bytea, key bytea, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL)
RETURNS kafka.record
AS 'MODULE_PATHNAME', 'kafka_make_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION make_record(text, bytea, bytea, jsonb, integer, timestamptz) IS
'a record for kafka.produce_batch from the arguments of kafka.produce';

CREATE FUNCTION produce_batch(
  records kafka.record[], delivery text DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (ordinality bigint, partition integer, "offset" bigint, ts timestamptz, error text)
AS 'MODULE_PATHNAME', 'kafka_produce_records' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION produce_batch(kafka.record[], text, name) IS
'sends many messages; a row for each: where it went, or why the broker refused it (delivery immediate)';

CREATE FUNCTION produce_batch(
  topic text, "values" text[], keys text[] DEFAULT NULL, delivery text DEFAULT NULL,
  server name DEFAULT NULL)
RETURNS TABLE (ordinality bigint, partition integer, "offset" bigint, ts timestamptz, error text)
AS 'MODULE_PATHNAME', 'kafka_produce_values' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION produce_batch(text, text[], text[], text, name) IS
'sends many messages to a topic; a row for each: where it went, or why the broker refused it (delivery immediate)';

CREATE FUNCTION flush(timeout interval DEFAULT NULL, server name DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'kafka_flush' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION flush(interval, name) IS
'waits for messages of immediate statements that are under way; returns how many are still unconfirmed';

CREATE FUNCTION close_producer(server name DEFAULT NULL)
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_close_producer' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION close_producer(name) IS
'closes the session''s producers of a server that nothing uses now; returns how many';

-- ---------------------------------------------------------------------------
-- Consumers of the session
-- ---------------------------------------------------------------------------

CREATE TYPE message AS (
  topic text, partition integer, "offset" bigint, "timestamp" timestamptz, timestamp_type text,
  key bytea, value bytea, headers header[], leader_epoch integer);
COMMENT ON TYPE message IS 'a message that was read from Kafka';
COMMENT ON COLUMN message.topic IS 'topic';
COMMENT ON COLUMN message.partition IS 'partition';
COMMENT ON COLUMN message."offset" IS 'offset in the partition';
COMMENT ON COLUMN message."timestamp" IS 'timestamp, to the millisecond';
COMMENT ON COLUMN message.timestamp_type IS
'create: the sender set the timestamp; log_append: the broker did';
COMMENT ON COLUMN message.key IS 'key, any bytes, or NULL';
COMMENT ON COLUMN message.value IS 'value, any bytes; NULL is a tombstone';
COMMENT ON COLUMN message.headers IS 'headers, NULL if there are none';
COMMENT ON COLUMN message.leader_epoch IS
'epoch of the partition''s leader; NULL with librdkafka before 2.1';

-- Offsets of consumers with offsets => 'postgres'.  Written by the functions as the table's
-- owner; users need no right on it.
CREATE TABLE consumer_offset (
  server name NOT NULL,
  group_id text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  metadata text,
  owner_epoch bigint NOT NULL,
  owner_pid integer NOT NULL,
  claimed timestamptz NOT NULL,
  updated timestamptz NOT NULL,
  PRIMARY KEY (server, group_id, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE consumer_offset IS
'offsets of consumers that keep them in the transaction (offsets => ''postgres'')';
COMMENT ON COLUMN consumer_offset.server IS 'name of the foreign server';
COMMENT ON COLUMN consumer_offset.group_id IS 'consumer group';
COMMENT ON COLUMN consumer_offset.topic IS 'topic';
COMMENT ON COLUMN consumer_offset.partition IS 'partition';
COMMENT ON COLUMN consumer_offset.next_offset IS 'offset of the next message to read';
COMMENT ON COLUMN consumer_offset.metadata IS 'text that was given with the offset, or NULL';
COMMENT ON COLUMN consumer_offset.owner_epoch IS
'raised by each consumer that takes the partition: the one before can store nothing more';
COMMENT ON COLUMN consumer_offset.owner_pid IS 'process that has taken the partition last';
COMMENT ON COLUMN consumer_offset.claimed IS 'when it did';
COMMENT ON COLUMN consumer_offset.updated IS 'when the offset moved last';
SELECT pg_catalog.pg_extension_config_dump('consumer_offset', '');

CREATE FUNCTION subscribe(
  topics text[], group_id text, offsets text DEFAULT 'kafka', start text DEFAULT 'latest',
  auto_commit boolean DEFAULT true, options jsonb DEFAULT '{}', consumer text DEFAULT 'default',
  server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_subscribe_topics' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION subscribe(text[], text, text, text, boolean, jsonb, text, name) IS
'makes a consumer of this session a member of a consumer group';

CREATE FUNCTION subscribe(
  topic text, group_id text, offsets text DEFAULT 'kafka', start text DEFAULT 'latest',
  auto_commit boolean DEFAULT true, options jsonb DEFAULT '{}', consumer text DEFAULT 'default',
  server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_subscribe_topic' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION subscribe(text, text, text, text, boolean, jsonb, text, name) IS
'makes a consumer of this session a member of a consumer group; a topic that begins with ^ is a pattern';

CREATE FUNCTION assign(
  topic text, partitions integer[] DEFAULT NULL, target text DEFAULT 'earliest',
  options jsonb DEFAULT '{}', consumer text DEFAULT 'default', server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_assign' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assign(text, integer[], text, jsonb, text, name) IS
'makes a consumer of this session read given partitions (NULL: all) from a target on, without a group''s assignment';

CREATE FUNCTION poll(
  max_messages integer DEFAULT 500, timeout interval DEFAULT '1s', consumer text DEFAULT 'default')
RETURNS SETOF message
AS 'MODULE_PATHNAME', 'kafka_poll' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 500;
COMMENT ON FUNCTION poll(integer, interval, text) IS
'the next messages of a consumer; positions move with COMMIT and back with ROLLBACK';

CREATE FUNCTION poll_text(
  max_messages integer DEFAULT 500, timeout interval DEFAULT '1s', consumer text DEFAULT 'default')
RETURNS TABLE (topic text, partition integer, "offset" bigint, "timestamp" timestamptz,
  timestamp_type text, key text, value text, headers jsonb, leader_epoch integer)
AS 'MODULE_PATHNAME', 'kafka_poll_text' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 500;
COMMENT ON FUNCTION poll_text(integer, interval, text) IS
'as kafka.poll, with key and value as text (they must be UTF-8) and headers as jsonb';

CREATE FUNCTION commit_offsets(
  offsets topic_partition[] DEFAULT NULL, async boolean DEFAULT false,
  consumer text DEFAULT 'default')
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_commit_offsets' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commit_offsets(topic_partition[], boolean, text) IS
'marks offsets (NULL: the positions) that COMMIT stores for the group; returns how many';

CREATE FUNCTION seek(topic text, partition integer, target text, consumer text DEFAULT 'default')
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_seek_text' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seek(text, integer, text, text) IS
'moves a consumer in a partition (NULL: all of the topic) to ''earliest'', ''latest'', an offset or a timestamp';

CREATE FUNCTION seek(topic text, partition integer, target bigint, consumer text DEFAULT 'default')
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_seek_offset' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seek(text, integer, bigint, text) IS
'moves a consumer in a partition (NULL: all of the topic) to an offset';

CREATE FUNCTION seek(topic text, partition integer, target timestamptz, consumer text DEFAULT 'default')
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_seek_time' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seek(text, integer, timestamptz, text) IS
'moves a consumer in a partition (NULL: all of the topic) to the first message of a time or later';

CREATE FUNCTION pause(
  topic text DEFAULT NULL, partition integer DEFAULT NULL, consumer text DEFAULT 'default')
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_pause' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION pause(text, integer, text) IS
'polls of a consumer leave these partitions alone (NULL: all); returns how many';

CREATE FUNCTION resume(
  topic text DEFAULT NULL, partition integer DEFAULT NULL, consumer text DEFAULT 'default')
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_resume' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION resume(text, integer, text) IS
'ends kafka.pause for these partitions (NULL: all); returns how many';

CREATE FUNCTION assignment(consumer text DEFAULT 'default')
RETURNS TABLE (topic text, partition integer, "position" bigint, paused boolean)
AS 'MODULE_PATHNAME', 'kafka_assignment' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION assignment(text) IS 'the partitions that a consumer of this session has';

CREATE FUNCTION "position"(consumer text DEFAULT 'default')
RETURNS TABLE (topic text, partition integer, "offset" bigint)
AS 'MODULE_PATHNAME', 'kafka_position' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION "position"(text) IS
'offset of the next message that a consumer of this session gets from each partition';

CREATE FUNCTION committed(consumer text DEFAULT 'default')
RETURNS TABLE (topic text, partition integer, "offset" bigint)
AS 'MODULE_PATHNAME', 'kafka_committed' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION committed(text) IS
'what is stored for a consumer''s partitions: in its group, or in kafka.consumer_offset';

CREATE FUNCTION unsubscribe(consumer text DEFAULT 'default')
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_unsubscribe' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION unsubscribe(text) IS
'a consumer of this session leaves its group; it has no partitions until it subscribes again';

CREATE FUNCTION close_consumer(consumer text DEFAULT 'default')
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_close_consumer' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION close_consumer(text) IS 'ends a consumer of this session';

CREATE FUNCTION get_consumers(
  OUT consumer text, OUT server name, OUT username name, OUT group_id text, OUT topics text[],
  OUT offsets text, OUT auto_commit boolean, OUT state text, OUT member_id text,
  OUT protocol text, OUT partitions integer, OUT pending boolean, OUT created timestamptz,
  OUT last_poll timestamptz, OUT poll_deadline timestamptz, OUT messages bigint,
  OUT rebalances bigint, OUT commit_failures bigint, OUT assigned_by_hand boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_consumers' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION get_consumers() IS 'the consumers of this session';

CREATE VIEW consumers AS SELECT * FROM get_consumers();
COMMENT ON VIEW consumers IS
'the consumers of this session; each has to poll before its poll_deadline, or its group goes on without it';
COMMENT ON COLUMN consumers.consumer IS 'its name in this session';
COMMENT ON COLUMN consumers.server IS 'foreign server';
COMMENT ON COLUMN consumers.username IS 'user who made it, and alone may use it';
COMMENT ON COLUMN consumers.group_id IS 'consumer group, or NULL';
COMMENT ON COLUMN consumers.topics IS 'topics and patterns';
COMMENT ON COLUMN consumers.offsets IS 'where offsets are stored: kafka, postgres or transaction; NULL: nowhere';
COMMENT ON COLUMN consumers.auto_commit IS 'COMMIT stores positions; otherwise only what kafka.commit_offsets marks';
COMMENT ON COLUMN consumers.state IS
'joining, assigned, rebalancing (the group waits for a poll), overdue (it has not polled in time), unsubscribed';
COMMENT ON COLUMN consumers.member_id IS 'name that the group has given it, or NULL';
COMMENT ON COLUMN consumers.protocol IS 'how the group rebalances: eager or cooperative';
COMMENT ON COLUMN consumers.partitions IS 'number of partitions that it has';
COMMENT ON COLUMN consumers.pending IS 'this transaction has moved positions';
COMMENT ON COLUMN consumers.created IS 'when it was made';
COMMENT ON COLUMN consumers.last_poll IS 'when it polled last, or NULL';
COMMENT ON COLUMN consumers.poll_deadline IS 'when the group goes on without it unless it polls';
COMMENT ON COLUMN consumers.messages IS 'messages that polls have returned, also in transactions that were rolled back';
COMMENT ON COLUMN consumers.rebalances IS 'how often partitions were given to it or taken away';
COMMENT ON COLUMN consumers.commit_failures IS 'commits of offsets to the group that failed, or were not answered in time';
COMMENT ON COLUMN consumers.assigned_by_hand IS 'made by kafka.assign';
GRANT SELECT ON consumers TO PUBLIC;

-- ---------------------------------------------------------------------------
-- Publishing row changes
-- ---------------------------------------------------------------------------

CREATE FUNCTION publish() RETURNS trigger
AS 'MODULE_PATHNAME', 'kafka_publish' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION publish() IS
'trigger function: sends row changes as JSON to the topic of its first argument, with the columns of the second as key';

-- ---------------------------------------------------------------------------
-- Serializers.  What each writes depends on its argument only (text: on the database's
-- encoding, which does not change).
-- ---------------------------------------------------------------------------

CREATE FUNCTION serialize_string(value text) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_string' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_string(text) IS
'text as Kafka''s StringSerializer writes it: in UTF-8';

CREATE FUNCTION serialize_json(value text) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_json_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_json(text) IS
'a JSON document as its text in UTF-8; text that is not JSON is an error';

CREATE FUNCTION serialize_json(value json) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_string' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_json(json) IS
'a JSON document as its text in UTF-8';

CREATE FUNCTION serialize_json(value jsonb) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_json(jsonb) IS
'a JSON document as its text in UTF-8';

CREATE FUNCTION serialize_bytes(value bytea) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_bytes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_bytes(bytea) IS
'bytes as Kafka''s ByteArraySerializer writes them: as they are';

CREATE FUNCTION serialize_short(value integer) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_short' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_short(integer) IS
'a value as Kafka''s ShortSerializer writes it: 2 bytes, big-endian; out of smallint''s range is an error';

CREATE FUNCTION serialize_integer(value integer) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_integer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_integer(integer) IS
'a value as Kafka''s IntegerSerializer writes it: 4 bytes, big-endian';

CREATE FUNCTION serialize_long(value bigint) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_long' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_long(bigint) IS
'a value as Kafka''s LongSerializer writes it: 8 bytes, big-endian';

CREATE FUNCTION serialize_float(value real) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_float' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_float(real) IS
'a value as Kafka''s FloatSerializer writes it: 4 bytes, IEEE 754, big-endian';

CREATE FUNCTION serialize_double(value double precision) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_double' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_double(double precision) IS
'a value as Kafka''s DoubleSerializer writes it: 8 bytes, IEEE 754, big-endian';

CREATE FUNCTION serialize_uuid(value uuid) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serialize_uuid(uuid) IS
'a value as Kafka''s UUIDSerializer writes it: its text of 36 characters';

CREATE FUNCTION deserialize_string(data bytea) RETURNS text
AS 'MODULE_PATHNAME', 'kafka_deserialize_string' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_string(bytea) IS
'text from what Kafka''s StringSerializer wrote; must be valid UTF-8';

CREATE FUNCTION deserialize_json(data bytea) RETURNS json
AS 'MODULE_PATHNAME', 'kafka_deserialize_json' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_json(bytea) IS
'a JSON document from its text in UTF-8';

CREATE FUNCTION deserialize_bytes(data bytea) RETURNS bytea
AS 'MODULE_PATHNAME', 'kafka_serialize_bytes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_bytes(bytea) IS
'bytes from what Kafka''s ByteArraySerializer wrote: as they are';

CREATE FUNCTION deserialize_short(data bytea) RETURNS smallint
AS 'MODULE_PATHNAME', 'kafka_deserialize_short' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_short(bytea) IS
'a value from what Kafka''s ShortSerializer wrote; another length is an error';

CREATE FUNCTION deserialize_integer(data bytea) RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_deserialize_integer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_integer(bytea) IS
'a value from what Kafka''s IntegerSerializer wrote; another length is an error';

CREATE FUNCTION deserialize_long(data bytea) RETURNS bigint
AS 'MODULE_PATHNAME', 'kafka_deserialize_long' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_long(bytea) IS
'a value from what Kafka''s LongSerializer wrote; another length is an error';

CREATE FUNCTION deserialize_float(data bytea) RETURNS real
AS 'MODULE_PATHNAME', 'kafka_deserialize_float' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_float(bytea) IS
'a value from what Kafka''s FloatSerializer wrote; another length is an error';

CREATE FUNCTION deserialize_double(data bytea) RETURNS double precision
AS 'MODULE_PATHNAME', 'kafka_deserialize_double' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_double(bytea) IS
'a value from what Kafka''s DoubleSerializer wrote; another length is an error';

CREATE FUNCTION deserialize_uuid(data bytea) RETURNS uuid
AS 'MODULE_PATHNAME', 'kafka_deserialize_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION deserialize_uuid(bytea) IS
'a value from what Kafka''s UUIDSerializer wrote; another length is an error';

-- ---------------------------------------------------------------------------
-- Where a key goes.  An untyped literal is a topic; a number is a number of partitions.
-- ---------------------------------------------------------------------------

CREATE FUNCTION partition_for_key(
  topic text, key text, partitioner text DEFAULT NULL, server name DEFAULT NULL)
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_partition_of_topic_text' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION partition_for_key(text, text, text, name) IS
'the partition of a topic to which the server''s partitioner, or another one, sends a key; NULL if it can be any';

CREATE FUNCTION partition_for_key(
  topic text, key bytea, partitioner text DEFAULT NULL, server name DEFAULT NULL)
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_partition_of_topic_bytea' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION partition_for_key(text, bytea, text, name) IS
'the partition of a topic to which the server''s partitioner, or another one, sends a key; NULL if it can be any';

CREATE FUNCTION partition_for_key(
  partitions integer, key text, partitioner text DEFAULT 'murmur2_random')
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_partition_of_count_text' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION partition_for_key(integer, text, text) IS
'the partition out of so many to which a partitioner sends a key, without a broker; NULL if it can be any';

CREATE FUNCTION partition_for_key(
  partitions integer, key bytea, partitioner text DEFAULT 'murmur2_random')
RETURNS integer
AS 'MODULE_PATHNAME', 'kafka_partition_of_count_bytea' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION partition_for_key(integer, bytea, text) IS
'the partition out of so many to which a partitioner sends a key, without a broker; NULL if it can be any';

-- ---------------------------------------------------------------------------
-- Kafka transactions by hand
-- ---------------------------------------------------------------------------

CREATE FUNCTION begin_transaction(transactional_id text, server name DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_begin_transaction' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION begin_transaction(text, name) IS
'begins a Kafka transaction that ends when the caller says so, whatever PostgreSQL''s transactions do; fences other producers with that id';

CREATE FUNCTION send_transactional(
  topic text, value text, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_send_transactional' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION send_transactional(text, text, text, jsonb, integer, timestamptz, text, name) IS
'sends a message in a Kafka transaction by hand; a NULL value is a tombstone';

CREATE FUNCTION send_transactional(
  topic text, value bytea, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_send_transactional' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION send_transactional(text, bytea, text, jsonb, integer, timestamptz, text, name) IS
'sends a message in a Kafka transaction by hand; a NULL value is a tombstone';

CREATE FUNCTION send_transactional(
  topic text, value json, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_send_transactional' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION send_transactional(text, json, text, jsonb, integer, timestamptz, text, name) IS
'sends a message in a Kafka transaction by hand; a NULL value is a tombstone';

CREATE FUNCTION send_transactional(
  topic text, value jsonb, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_send_transactional' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION send_transactional(text, jsonb, text, jsonb, integer, timestamptz, text, name) IS
'sends a message in a Kafka transaction by hand; a NULL value is a tombstone';

-- no default for the key, as with produce
CREATE FUNCTION send_transactional(
  topic text, value bytea, key bytea, headers jsonb DEFAULT NULL,
  partition integer DEFAULT NULL, ts timestamptz DEFAULT NULL,
  transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS delivery
AS 'MODULE_PATHNAME', 'kafka_send_transactional' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION send_transactional(text, bytea, bytea, jsonb, integer, timestamptz, text, name) IS
'sends a message with a binary key in a Kafka transaction by hand; a NULL value is a tombstone';

CREATE FUNCTION send_offsets_to_transaction(
  group_id text, offsets topic_partition[],
  transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_send_offsets_to_transaction' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION send_offsets_to_transaction(text, topic_partition[], text, name) IS
'offsets that become the consumer group''s when the Kafka transaction by hand commits';

CREATE FUNCTION commit_transaction(transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_commit_transaction' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commit_transaction(text, name) IS
'sees every message of the Kafka transaction by hand confirmed, and commits it';

CREATE FUNCTION abort_transaction(transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_abort_transaction' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION abort_transaction(text, name) IS
'aborts the Kafka transaction by hand: nothing of it becomes visible';

CREATE FUNCTION transaction_state(transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'kafka_transaction_state' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION transaction_state(text, name) IS
'READY, IN_TRANSACTION, COMMITTING, ABORTING, COMMITTED, ABORTED or FENCED';

CREATE FUNCTION close_transaction(transactional_id text DEFAULT NULL, server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'kafka_close_transaction' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION close_transaction(text, name) IS
'closes the connection of a Kafka transaction by hand, which aborts it in the background if it is open, and forgets its id';

CREATE FUNCTION get_transactions(
  OUT transactional_id text, OUT server name, OUT username name, OUT state text,
  OUT since timestamptz, OUT messages bigint, OUT group_ids text[], OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_transactions' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 2;
COMMENT ON FUNCTION get_transactions() IS 'rows of the view kafka.transactions';

CREATE VIEW transactions AS SELECT * FROM get_transactions();
COMMENT ON VIEW transactions IS 'the Kafka transactions by hand of this session';
COMMENT ON COLUMN transactions.transactional_id IS 'Kafka''s transactional id';
COMMENT ON COLUMN transactions.server IS 'foreign server, by its name when it first began';
COMMENT ON COLUMN transactions.username IS 'user who has begun it, and alone may go on with it';
COMMENT ON COLUMN transactions.state IS
'READY, IN_TRANSACTION, COMMITTING (the outcome is not known yet), ABORTING, COMMITTED, ABORTED or FENCED';
COMMENT ON COLUMN transactions.since IS 'when it came into this state';
COMMENT ON COLUMN transactions.messages IS 'messages sent since it last began';
COMMENT ON COLUMN transactions.group_ids IS 'consumer groups whose offsets belong to it';
COMMENT ON COLUMN transactions.error IS
'IN_TRANSACTION: why it can only be aborted; other states: what went wrong';
GRANT SELECT ON transactions TO PUBLIC;

-- ---------------------------------------------------------------------------
-- Topics
-- ---------------------------------------------------------------------------

CREATE FUNCTION create_topic(
  topic text, partitions integer DEFAULT NULL, replication_factor integer DEFAULT NULL,
  config jsonb DEFAULT '{}', if_not_exists boolean DEFAULT false,
  validate_only boolean DEFAULT false, replica_assignment jsonb DEFAULT NULL,
  timeout interval DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (topic text, partitions integer, created boolean)
AS 'MODULE_PATHNAME', 'kafka_create_topic' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION create_topic(text, integer, integer, jsonb, boolean, boolean, jsonb, interval, name) IS
'creates a topic and waits until the cluster knows it; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION create_topic(text, integer, integer, jsonb, boolean, boolean, jsonb, interval, name) FROM PUBLIC;

CREATE FUNCTION delete_topic(topic text, if_exists boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (topic text, deleted boolean, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_topic' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION delete_topic(text, boolean, name) IS
'deletes a topic with all its messages; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_topic(text, boolean, name) FROM PUBLIC;

CREATE FUNCTION delete_topic(topics text[], if_exists boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (topic text, deleted boolean, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_topics' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION delete_topic(text[], boolean, name) IS
'deletes topics, a row for each: what fails for one is in its row; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_topic(text[], boolean, name) FROM PUBLIC;

CREATE FUNCTION list_topics(internal boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (topic text, partitions integer, replication_factor integer)
AS 'MODULE_PATHNAME', 'kafka_list_topics' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION list_topics(boolean, name) IS
'topics of the cluster, sorted by name; internal ones (__...) where asked for';

CREATE FUNCTION watermarks(topic text, server name DEFAULT NULL)
RETURNS TABLE (partition integer, low bigint, high bigint, last_stable bigint)
AS 'MODULE_PATHNAME', 'kafka_watermarks' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION watermarks(text, name) IS
'for each partition the first offset that is there, and the ends that read_uncommitted (high) and read_committed (last_stable) readers see; ends are exclusive';

CREATE FUNCTION infer_columns(
  topic text, format text DEFAULT 'auto', sample integer DEFAULT 100, server name DEFAULT NULL)
RETURNS TABLE (attnum integer, column_name text, type text, options text, format text,
               samples bigint, nulls bigint)
AS 'MODULE_PATHNAME', 'kafka_infer_columns' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION infer_columns(text, text, integer, name) IS
'the columns that IMPORT FOREIGN SCHEMA would give a table for the topic, inferred from its last messages';

-- ---------------------------------------------------------------------------
-- Consumer groups
-- ---------------------------------------------------------------------------

CREATE FUNCTION list_groups(state text DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (group_id text, state text, protocol_type text, type text, simple boolean)
AS 'MODULE_PATHNAME', 'kafka_list_groups' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION list_groups(text, name) IS
'consumer groups of the cluster, sorted by id; those in one state where asked for';

CREATE FUNCTION describe_group(group_id text, server name DEFAULT NULL)
RETURNS TABLE (group_id text, state text, protocol text, simple boolean, coordinator_id integer,
               coordinator_host text, coordinator_port integer, member_id text, client_id text,
               group_instance_id text, host text, assignment topic_partition[])
AS 'MODULE_PATHNAME', 'kafka_describe_group' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION describe_group(text, name) IS
'a row for each member of a consumer group, with the partitions it has; one row where it has none';

CREATE FUNCTION group_offsets(group_id text, topics text[] DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, "offset" bigint, metadata text, error text)
AS 'MODULE_PATHNAME', 'kafka_group_offsets_rows' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION group_offsets(text, text[], name) IS
'the offsets that a consumer group has committed, of these topics or of all';

CREATE FUNCTION alter_group_offsets(
  group_id text, topic text, partition integer DEFAULT NULL, target text DEFAULT NULL,
  shift bigint DEFAULT NULL, dry_run boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, old_offset bigint, new_offset bigint, error text)
AS 'MODULE_PATHNAME', 'kafka_alter_group_offsets' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION alter_group_offsets(text, text, integer, text, bigint, boolean, name) IS
'moves a consumer group without members to earliest, latest, an offset or a time, or by so many offsets; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION alter_group_offsets(text, text, integer, text, bigint, boolean, name) FROM PUBLIC;

CREATE FUNCTION alter_group_offsets(
  group_id text, offsets topic_partition[], dry_run boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, old_offset bigint, new_offset bigint, error text)
AS 'MODULE_PATHNAME', 'kafka_alter_group_offsets_list' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION alter_group_offsets(text, topic_partition[], boolean, name) IS
'gives a consumer group without members these offsets; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION alter_group_offsets(text, topic_partition[], boolean, name) FROM PUBLIC;

CREATE FUNCTION delete_group_offsets(
  group_id text, topic text, partitions integer[] DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, old_offset bigint, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_group_offsets' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION delete_group_offsets(text, text, integer[], name) IS
'deletes a consumer group''s offsets in a topic; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_group_offsets(text, text, integer[], name) FROM PUBLIC;

CREATE FUNCTION delete_group(group_id text, if_exists boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (group_id text, deleted boolean, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_group' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION delete_group(text, boolean, name) IS
'deletes a consumer group without members, with its offsets; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_group(text, boolean, name) FROM PUBLIC;

CREATE FUNCTION delete_group(group_ids text[], if_exists boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (group_id text, deleted boolean, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_groups' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION delete_group(text[], boolean, name) IS
'deletes consumer groups, a row for each: what fails for one is in its row; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_group(text[], boolean, name) FROM PUBLIC;

CREATE FUNCTION consumer_lag(group_id text, server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, committed bigint, end_offset bigint, lag bigint,
               member_id text, client_id text, host text, error text)
AS 'MODULE_PATHNAME', 'kafka_consumer_lag' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION consumer_lag(text, name) IS
'how far a consumer group is behind the last stable offset, a row for each partition it has an offset in or a member for';

CREATE FUNCTION get_group_lag(
  OUT group_id text, OUT topic text, OUT partition integer, OUT committed bigint,
  OUT end_offset bigint, OUT lag bigint, OUT member_id text, OUT client_id text, OUT host text,
  OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_group_lag' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_group_lag() IS 'rows of the view kafka.group_lag';

CREATE VIEW group_lag AS SELECT * FROM get_group_lag();
COMMENT ON VIEW group_lag IS
'how far every consumer group of the default server is behind';
COMMENT ON COLUMN group_lag.group_id IS 'group; NULL: a broker could not list its groups, see error';
COMMENT ON COLUMN group_lag.topic IS 'topic; NULL: the row is about the group as a whole, see error';
COMMENT ON COLUMN group_lag.partition IS 'partition';
COMMENT ON COLUMN group_lag.committed IS 'the group''s offset; NULL: it has none';
COMMENT ON COLUMN group_lag.end_offset IS 'the partition''s last stable offset; NULL: see error';
COMMENT ON COLUMN group_lag.lag IS 'end_offset - committed; NULL where one of them is';
COMMENT ON COLUMN group_lag.member_id IS 'member that has the partition; NULL: none';
COMMENT ON COLUMN group_lag.client_id IS 'its client.id';
COMMENT ON COLUMN group_lag.host IS 'its address, as the broker sees it';
COMMENT ON COLUMN group_lag.error IS 'what is wrong with the partition, the group or a broker';
GRANT SELECT ON group_lag TO PUBLIC;

-- ---------------------------------------------------------------------------
-- ACLs of the cluster
-- ---------------------------------------------------------------------------

CREATE FUNCTION create_acl(
  principal text, operation text, resource_type text, resource_name text,
  pattern_type text DEFAULT 'literal', permission text DEFAULT 'allow', host text DEFAULT '*',
  server name DEFAULT NULL)
RETURNS TABLE (principal text, operation text, resource_type text, resource_name text,
               pattern_type text, permission text, host text)
AS 'MODULE_PATHNAME', 'kafka_create_acl' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION create_acl(text, text, text, text, text, text, text, name) IS
'adds an entry to the cluster''s ACLs; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION create_acl(text, text, text, text, text, text, text, name) FROM PUBLIC;

CREATE FUNCTION list_acls(
  principal text DEFAULT NULL, operation text DEFAULT NULL, resource_type text DEFAULT NULL,
  resource_name text DEFAULT NULL, pattern_type text DEFAULT NULL, permission text DEFAULT NULL,
  host text DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (principal text, operation text, resource_type text, resource_name text,
               pattern_type text, permission text, host text)
AS 'MODULE_PATHNAME', 'kafka_list_acls' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION list_acls(text, text, text, text, text, text, text, name) IS
'entries of the cluster''s ACLs that match; NULL matches any';
REVOKE EXECUTE ON FUNCTION list_acls(text, text, text, text, text, text, text, name) FROM PUBLIC;

CREATE FUNCTION delete_acl(
  principal text DEFAULT NULL, operation text DEFAULT NULL, resource_type text DEFAULT NULL,
  resource_name text DEFAULT NULL, pattern_type text DEFAULT NULL, permission text DEFAULT NULL,
  host text DEFAULT NULL, delete_all boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (principal text, operation text, resource_type text, resource_name text,
               pattern_type text, permission text, host text, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_acl' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION delete_acl(text, text, text, text, text, text, text, boolean, name) IS
'deletes the entries of the cluster''s ACLs that match, and returns them; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_acl(text, text, text, text, text, text, text, boolean, name) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- Topics in detail, configurations, the cluster
-- ---------------------------------------------------------------------------

CREATE FUNCTION describe_topic(topic text, server name DEFAULT NULL)
RETURNS TABLE (partition integer, leader integer, replicas integer[], isr integer[], offline integer[],
               leader_epoch integer, low bigint, high bigint, last_stable bigint, messages bigint)
AS 'MODULE_PATHNAME', 'kafka_describe_topic' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION describe_topic(text, name) IS
'for each partition of a topic its leader, its replicas, those in sync and those on brokers that are not alive, its offsets, and an upper bound of its messages';

CREATE FUNCTION list_offsets(topic text, target text DEFAULT 'latest', server name DEFAULT NULL)
RETURNS TABLE (partition integer, "offset" bigint, "timestamp" timestamptz)
AS 'MODULE_PATHNAME', 'kafka_list_offsets' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION list_offsets(text, text, name) IS
'for each partition the offset that earliest, latest, max_timestamp or a timestamp means; NULL where there is no such message';

CREATE FUNCTION list_offsets(topic text, target timestamptz, server name DEFAULT NULL)
RETURNS TABLE (partition integer, "offset" bigint, "timestamp" timestamptz)
AS 'MODULE_PATHNAME', 'kafka_list_offsets_at' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION list_offsets(text, timestamptz, name) IS
'for each partition the offset of the first message with that timestamp or a later one; NULL where there is none';

CREATE FUNCTION create_partitions(
  topic text, total integer, replica_assignment jsonb DEFAULT NULL,
  validate_only boolean DEFAULT false, timeout interval DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (topic text, partitions integer, added integer)
AS 'MODULE_PATHNAME', 'kafka_create_partitions' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION create_partitions(text, integer, jsonb, boolean, interval, name) IS
'gives a topic more partitions, so that it has a total of so many; keys may go elsewhere from then on; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION create_partitions(text, integer, jsonb, boolean, interval, name) FROM PUBLIC;

CREATE FUNCTION delete_records(offsets topic_partition[], server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, low bigint, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_records' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION delete_records(topic_partition[], name) IS
'deletes the messages before offsets (-1: all), a row for each: what fails for one is in its row; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_records(topic_partition[], name) FROM PUBLIC;

CREATE FUNCTION delete_records(topic text, partition integer, before bigint, server name DEFAULT NULL)
RETURNS TABLE (topic text, partition integer, low bigint, error text)
AS 'MODULE_PATHNAME', 'kafka_delete_records_before' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION delete_records(text, integer, bigint, name) IS
'deletes the messages of a partition before an offset (-1: all); acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION delete_records(text, integer, bigint, name) FROM PUBLIC;

CREATE FUNCTION ensure_topic(
  topic text, partitions integer DEFAULT NULL, replication_factor integer DEFAULT NULL,
  config jsonb DEFAULT '{}', timeout interval DEFAULT NULL, server name DEFAULT NULL)
RETURNS TABLE (item text, old_value text, new_value text)
AS 'MODULE_PATHNAME', 'kafka_ensure_topic' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 2;
COMMENT ON FUNCTION ensure_topic(text, integer, integer, jsonb, interval, name) IS
'creates a topic, or gives it more partitions and other properties, until it is as asked for and every broker knows it; a row for each change; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION ensure_topic(text, integer, integer, jsonb, interval, name) FROM PUBLIC;

CREATE FUNCTION describe_config(
  type text, name text, only_changed boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (name text, value text, source text, is_default boolean, read_only boolean,
               sensitive boolean, synonyms jsonb)
AS 'MODULE_PATHNAME', 'kafka_describe_config' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION describe_config(text, text, boolean, name) IS
'properties of a topic, broker or group and where their values come from; sensitive ones have no value; with only_changed those that are set on it';

CREATE FUNCTION alter_config(
  type text, name text, "set" jsonb DEFAULT '{}', "reset" text[] DEFAULT '{}',
  validate_only boolean DEFAULT false, server name DEFAULT NULL)
RETURNS TABLE (name text, old_value text, new_value text)
AS 'MODULE_PATHNAME', 'kafka_alter_config' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 2;
COMMENT ON FUNCTION alter_config(text, text, jsonb, text[], boolean, name) IS
'sets and resets properties of a topic, broker or group and no others, a row for each; acts at once, not undone by ROLLBACK';
REVOKE EXECUTE ON FUNCTION alter_config(text, text, jsonb, text[], boolean, name) FROM PUBLIC;

CREATE FUNCTION describe_cluster(server name DEFAULT NULL)
RETURNS TABLE (broker_id integer, host text, port integer, rack text, is_controller boolean, cluster_id text)
AS 'MODULE_PATHNAME', 'kafka_describe_cluster' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 3;
COMMENT ON FUNCTION describe_cluster(name) IS
'the brokers of the cluster that are alive, the one it names as its controller, and its id';

-- ---------------------------------------------------------------------------
-- The outbox: its tables.  All are written by the extension as their owner; users need no right.
-- ---------------------------------------------------------------------------

-- username '': the server's PUBLIC user mapping, or none.
CREATE TABLE outbox_definition (
  id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  uuid uuid NOT NULL UNIQUE DEFAULT pg_catalog.gen_random_uuid(),
  server name NOT NULL,
  username name NOT NULL DEFAULT '',
  enabled boolean NOT NULL DEFAULT true,
  created timestamptz NOT NULL DEFAULT pg_catalog.now(),
  source regclass UNIQUE,
  topic text,
  topic_column name,
  key_column name,
  value_column name,
  headers_column name,
  id_column name,
  owner name
);
CREATE UNIQUE INDEX outbox_definition_of_server ON outbox_definition (server, username)
  WHERE source IS NULL;
COMMENT ON TABLE outbox_definition IS
'the outboxes: one for each server and user mapping that was sent through with delivery outbox, and those of kafka.create_outbox';
COMMENT ON SEQUENCE outbox_definition_id_seq IS 'numbers of outboxes';
COMMENT ON COLUMN outbox_definition.id IS 'number, as in kafka.outbox_row';
COMMENT ON COLUMN outbox_definition.name IS 'name for functions';
COMMENT ON COLUMN outbox_definition.uuid IS
'what Kafka knows it by: its topic of positions and its transactional ids';
COMMENT ON COLUMN outbox_definition.server IS 'foreign server that its rows go through';
COMMENT ON COLUMN outbox_definition.username IS
'user whose user mapping the relay connects with; empty: the one for PUBLIC, or none';
COMMENT ON COLUMN outbox_definition.enabled IS 'a worker relays it (kafka.start_relay, kafka.stop_relay)';
COMMENT ON COLUMN outbox_definition.created IS 'when it was made';
COMMENT ON COLUMN outbox_definition.source IS 'table whose new rows a trigger copies, or NULL';
COMMENT ON COLUMN outbox_definition.topic IS
'of a source table: topic of all rows, or with a topic_column what stands before its value';
COMMENT ON COLUMN outbox_definition.topic_column IS 'of a source table: column with the topic';
COMMENT ON COLUMN outbox_definition.key_column IS 'of a source table: column with the key';
COMMENT ON COLUMN outbox_definition.value_column IS 'of a source table: column with the value';
COMMENT ON COLUMN outbox_definition.headers_column IS 'of a source table: column with the headers';
COMMENT ON COLUMN outbox_definition.id_column IS
'of a source table: column that becomes the header "id"';
COMMENT ON COLUMN outbox_definition.owner IS
'of a source table: its owner when the outbox was made, who may drop that when the table is gone';

CREATE SEQUENCE outbox_row_id CACHE 1;
COMMENT ON SEQUENCE outbox_row_id IS 'ids of rows in kafka.outbox_row: the order of messages';

-- Rows stand in one of the four tables below, which take turns and are truncated.
CREATE TABLE outbox_row (
  outbox integer NOT NULL,
  partition integer,
  xid xid8 NOT NULL,
  id bigint NOT NULL,
  created timestamptz NOT NULL,
  ts timestamptz,
  restored_xid xid8,
  partitioner smallint,
  topic text NOT NULL,
  key bytea,
  value bytea,
  headers bytea
);
COMMENT ON TABLE outbox_row IS
'messages that wait for their relay, or were published and are kept for kafka_fdw.outbox_retention; kafka.outbox shows them';
COMMENT ON COLUMN outbox_row.outbox IS 'outbox, kafka.outbox_definition.id';
COMMENT ON COLUMN outbox_row.partition IS 'partition; NULL: the partitioner chooses';
COMMENT ON COLUMN outbox_row.xid IS
'the (top-level) transaction that wrote it; 0: it was restored from a dump';
COMMENT ON COLUMN outbox_row.id IS 'order among rows of transactions that saw each other';
COMMENT ON COLUMN outbox_row.created IS 'when the row was written';
COMMENT ON COLUMN outbox_row.ts IS 'timestamp of the message; NULL: when it is published';
COMMENT ON COLUMN outbox_row.restored_xid IS 'of a restored row: xid where it was dumped';
COMMENT ON COLUMN outbox_row.partitioner IS
'number of the foreign table''s own partitioner; NULL: the server''s';
COMMENT ON COLUMN outbox_row.topic IS 'topic';
COMMENT ON COLUMN outbox_row.key IS 'key, or NULL';
COMMENT ON COLUMN outbox_row.value IS 'value; NULL is a tombstone';
COMMENT ON COLUMN outbox_row.headers IS 'headers as the extension packs them; kafka.outbox shows them';

CREATE TABLE outbox_row_0 () INHERITS (outbox_row) WITH (autovacuum_enabled = false);
CREATE TABLE outbox_row_1 () INHERITS (outbox_row) WITH (autovacuum_enabled = false);
CREATE TABLE outbox_row_2 () INHERITS (outbox_row) WITH (autovacuum_enabled = false);
CREATE TABLE outbox_row_3 () INHERITS (outbox_row) WITH (autovacuum_enabled = false);
COMMENT ON TABLE outbox_row_0 IS 'part of kafka.outbox_row';
COMMENT ON TABLE outbox_row_1 IS 'part of kafka.outbox_row';
COMMENT ON TABLE outbox_row_2 IS 'part of kafka.outbox_row';
COMMENT ON TABLE outbox_row_3 IS 'part of kafka.outbox_row';
DO $$
DECLARE
  described record;
BEGIN
  FOR described IN
    SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS comment, n.n
    FROM pg_catalog.pg_attribute a, pg_catalog.generate_series(0, 3) n
    WHERE a.attrelid = 'outbox_row'::pg_catalog.regclass AND a.attnum > 0
  LOOP
    EXECUTE pg_catalog.format('COMMENT ON COLUMN outbox_row_%s.%I IS %L', described.n,
      described.attname, described.comment);
  END LOOP;
END $$;
-- a publication FOR ALL TABLES must not stand in the way of updates and deletes
ALTER TABLE outbox_row REPLICA IDENTITY FULL;
ALTER TABLE outbox_row_0 REPLICA IDENTITY FULL;
ALTER TABLE outbox_row_1 REPLICA IDENTITY FULL;
ALTER TABLE outbox_row_2 REPLICA IDENTITY FULL;
ALTER TABLE outbox_row_3 REPLICA IDENTITY FULL;
CREATE INDEX outbox_row_0_xid ON outbox_row_0 (outbox, xid);
CREATE INDEX outbox_row_1_xid ON outbox_row_1 (outbox, xid);
CREATE INDEX outbox_row_2_xid ON outbox_row_2 (outbox, xid);
CREATE INDEX outbox_row_3_xid ON outbox_row_3 (outbox, xid);

CREATE TABLE outbox_ring (
  slot smallint NOT NULL,
  opened timestamptz NOT NULL DEFAULT pg_catalog.now(),
  closed timestamptz[] NOT NULL DEFAULT '{NULL,NULL,NULL,NULL}'
);
INSERT INTO outbox_ring (slot) VALUES (0);
ALTER TABLE outbox_ring REPLICA IDENTITY FULL;
COMMENT ON TABLE outbox_ring IS 'one row: which part of kafka.outbox_row new rows go to';
COMMENT ON COLUMN outbox_ring.slot IS 'number of the part, 0 to 3';
COMMENT ON COLUMN outbox_ring.opened IS 'since when';
COMMENT ON COLUMN outbox_ring.closed IS 'of each part, when it was that last';

-- Who relays an outbox, and how that is: one row each, changed only when that changes.
CREATE TABLE outbox_lease (
  outbox integer PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 0,
  pid integer,
  incarnation text,
  claim uuid,
  previous_claim uuid,
  confirmed boolean NOT NULL DEFAULT false,
  resolution text,
  resolved pg_snapshot,
  state text NOT NULL DEFAULT 'new',
  since timestamptz NOT NULL DEFAULT pg_catalog.now(),
  reason text,
  last_error text,
  last_error_at timestamptz
);
COMMENT ON TABLE outbox_lease IS 'who relays each outbox, and in which state that is';
COMMENT ON COLUMN outbox_lease.outbox IS 'outbox, kafka.outbox_definition.id';
COMMENT ON COLUMN outbox_lease.epoch IS 'raised by each relay that takes the outbox: the one before can make no more ticks';
COMMENT ON COLUMN outbox_lease.pid IS 'process of that relay';
COMMENT ON COLUMN outbox_lease.incarnation IS
'system identifier, timeline, database and instance of that relay';
COMMENT ON COLUMN outbox_lease.claim IS 'what that relay has written into Kafka as its own, or is about to';
COMMENT ON COLUMN outbox_lease.previous_claim IS 'what it found there';
COMMENT ON COLUMN outbox_lease.confirmed IS 'Kafka has had a position of this outbox: it must have one from then on';
COMMENT ON COLUMN outbox_lease.resolution IS 'what kafka.outbox_resolve has told the next relay to do';
COMMENT ON COLUMN outbox_lease.resolved IS 'what was committed when it did';
COMMENT ON COLUMN outbox_lease.state IS
'new, starting, running, waiting (for Kafka, or a broken row), stopped, unresolved';
COMMENT ON COLUMN outbox_lease.since IS 'since when';
COMMENT ON COLUMN outbox_lease.reason IS 'why it is unresolved or waiting';
COMMENT ON COLUMN outbox_lease.last_error IS 'the last error';
COMMENT ON COLUMN outbox_lease.last_error_at IS 'when that was';

CREATE TABLE outbox_tick (
  outbox integer NOT NULL,
  tick bigint NOT NULL,
  token uuid NOT NULL,
  snapshot pg_snapshot NOT NULL,
  acknowledged bigint NOT NULL,
  messages bigint NOT NULL,
  transactions bigint NOT NULL,
  made timestamptz NOT NULL,
  restored boolean NOT NULL DEFAULT false,
  PRIMARY KEY (outbox, tick)
);
COMMENT ON TABLE outbox_tick IS
'ticks: the rows that one snapshot sees and that of the tick before did not are published together';
COMMENT ON COLUMN outbox_tick.outbox IS 'outbox, kafka.outbox_definition.id';
COMMENT ON COLUMN outbox_tick.tick IS 'number';
COMMENT ON COLUMN outbox_tick.token IS 'random: two databases with one past are told apart by it';
COMMENT ON COLUMN outbox_tick.snapshot IS 'what is visible';
COMMENT ON COLUMN outbox_tick.acknowledged IS 'last tick that is known to be published';
COMMENT ON COLUMN outbox_tick.messages IS 'messages published by then';
COMMENT ON COLUMN outbox_tick.transactions IS 'Kafka transactions of those';
COMMENT ON COLUMN outbox_tick.made IS 'when it was made';
COMMENT ON COLUMN outbox_tick.restored IS 'it came from a dump: its snapshot means nothing here';

SELECT pg_catalog.pg_extension_config_dump('outbox_definition', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_definition_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_row_id', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_row_0', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_row_1', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_row_2', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_row_3', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_lease', '');
SELECT pg_catalog.pg_extension_config_dump('outbox_tick', '');

-- ---------------------------------------------------------------------------
-- The outbox: writing rows, outboxes of own tables
-- ---------------------------------------------------------------------------

-- What a dump brings back is marked: its transaction ids mean nothing here.
CREATE FUNCTION note_restored() RETURNS trigger
AS 'MODULE_PATHNAME', 'kafka_note_restored' LANGUAGE C;
COMMENT ON FUNCTION note_restored() IS
'marks rows of kafka.outbox_row and kafka.outbox_tick that a restore inserts, and disables outboxes';
REVOKE EXECUTE ON FUNCTION note_restored() FROM PUBLIC;

CREATE TRIGGER note_restored BEFORE INSERT ON outbox_row_0
  FOR EACH ROW EXECUTE FUNCTION note_restored();
CREATE TRIGGER note_restored BEFORE INSERT ON outbox_row_1
  FOR EACH ROW EXECUTE FUNCTION note_restored();
CREATE TRIGGER note_restored BEFORE INSERT ON outbox_row_2
  FOR EACH ROW EXECUTE FUNCTION note_restored();
CREATE TRIGGER note_restored BEFORE INSERT ON outbox_row_3
  FOR EACH ROW EXECUTE FUNCTION note_restored();
CREATE TRIGGER note_restored BEFORE INSERT ON outbox_tick
  FOR EACH ROW EXECUTE FUNCTION note_restored();
CREATE TRIGGER note_restored BEFORE INSERT ON outbox_definition
  FOR EACH ROW EXECUTE FUNCTION note_restored();
ALTER TABLE outbox_row_0 ENABLE ALWAYS TRIGGER note_restored;
ALTER TABLE outbox_row_1 ENABLE ALWAYS TRIGGER note_restored;
ALTER TABLE outbox_row_2 ENABLE ALWAYS TRIGGER note_restored;
ALTER TABLE outbox_row_3 ENABLE ALWAYS TRIGGER note_restored;
ALTER TABLE outbox_tick ENABLE ALWAYS TRIGGER note_restored;
ALTER TABLE outbox_definition ENABLE ALWAYS TRIGGER note_restored;
COMMENT ON TRIGGER note_restored ON outbox_row_0 IS 'marks rows that a restore inserts';
COMMENT ON TRIGGER note_restored ON outbox_row_1 IS 'marks rows that a restore inserts';
COMMENT ON TRIGGER note_restored ON outbox_row_2 IS 'marks rows that a restore inserts';
COMMENT ON TRIGGER note_restored ON outbox_row_3 IS 'marks rows that a restore inserts';
COMMENT ON TRIGGER note_restored ON outbox_tick IS 'marks ticks that a restore inserts';
COMMENT ON TRIGGER note_restored ON outbox_definition IS 'disables outboxes that a restore inserts';

CREATE FUNCTION copy_to_outbox() RETURNS trigger
AS 'MODULE_PATHNAME', 'kafka_copy_to_outbox' LANGUAGE C;
COMMENT ON FUNCTION copy_to_outbox() IS
'copies new rows of a table into its outbox, as kafka.create_outbox has said';

CREATE FUNCTION create_outbox(
  source regclass DEFAULT NULL, server name DEFAULT NULL, topic_column name DEFAULT NULL,
  key_column name DEFAULT NULL, value_column name DEFAULT NULL, headers_column name DEFAULT NULL,
  topic text DEFAULT NULL, id_column name DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'kafka_create_outbox' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION create_outbox(regclass, name, name, name, name, name, text, name) IS
'makes a table an outbox: its new rows are published; without columns those of Debezium''s outbox table. Without a table: makes the outbox of a server beforehand';

CREATE FUNCTION drop_outbox(outbox text, force boolean DEFAULT false) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_drop_outbox' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION drop_outbox(text, boolean) IS
'removes an outbox; force: with messages that are not published';

CREATE FUNCTION outbox_discard(outbox text, id bigint) RETURNS boolean
AS 'MODULE_PATHNAME', 'kafka_outbox_discard' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION outbox_discard(text, bigint) IS
'deletes a message that is not published, as one that cannot be; false: there is none of that number';
REVOKE EXECUTE ON FUNCTION outbox_discard(text, bigint) FROM PUBLIC;

CREATE FUNCTION outbox_headers(packed bytea) RETURNS header[]
AS 'MODULE_PATHNAME', 'kafka_outbox_headers' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION outbox_headers(bytea) IS 'headers as kafka.outbox_row holds them';

CREATE FUNCTION get_relays(
  OUT outbox integer, OUT pid integer, OUT messages bigint, OUT bytes bigint,
  OUT transactions bigint, OUT tick bigint, OUT published timestamptz, OUT started timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_relays' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 5;
COMMENT ON FUNCTION get_relays() IS
'relays of this database that run in background workers, and what they have done since they were started';
REVOKE EXECUTE ON FUNCTION get_relays() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_relays() TO pg_monitor;

-- The last tick that is known to be published: its snapshot sees what is in Kafka.
CREATE FUNCTION outbox_acknowledged(outbox integer, OUT tick bigint, OUT snapshot pg_snapshot)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.tick, a.snapshot
  FROM kafka.outbox_tick a
  WHERE a.outbox = $1 AND NOT a.restored AND a.tick <= greatest(
    (SELECT l.acknowledged FROM kafka.outbox_tick l WHERE l.outbox = $1
     ORDER BY l.tick DESC LIMIT 1),
    (SELECT r.tick FROM kafka.get_relays() r WHERE r.outbox = $1))
  ORDER BY a.tick DESC LIMIT 1
$$;
COMMENT ON FUNCTION outbox_acknowledged(integer) IS
'the last tick of an outbox that is known to be published';

-- By the index only: the tables have no statistics, and there may be many published rows.
CREATE FUNCTION outbox_backlog(
  outbox integer, OUT messages bigint, OUT bytes bigint, OUT oldest timestamptz)
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
  WITH a AS MATERIALIZED (SELECT o.snapshot FROM kafka.outbox_acknowledged($1) o),
  waiting AS (
    SELECT r.key, r.value, r.created FROM kafka.outbox_row r
    WHERE r.outbox = $1
      AND r.xid >= coalesce((SELECT pg_snapshot_xmax(a.snapshot) FROM a), '1'::xid8)
    UNION ALL
    SELECT r.key, r.value, r.created FROM kafka.outbox_row r
    WHERE r.outbox = $1
      AND r.xid = ANY (ARRAY(SELECT pg_snapshot_xip(a.snapshot) FROM a))
    UNION ALL
    SELECT r.key, r.value, r.created FROM kafka.outbox_row r
    WHERE r.outbox = $1 AND r.xid = '0'::xid8)
  SELECT count(*),
    coalesce(sum(coalesce(octet_length(w.key), 0) + coalesce(octet_length(w.value), 0)), 0)::bigint,
    min(w.created)
  FROM waiting w
$$;
COMMENT ON FUNCTION outbox_backlog(integer) IS
'committed messages of an outbox that are not known to be published';
REVOKE EXECUTE ON FUNCTION outbox_backlog(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_backlog(integer) TO pg_monitor;

CREATE VIEW outbox AS
SELECT r.id, d.name AS outbox, d.server, r.topic, r.partition, r.key, r.value,
  outbox_headers(r.headers) AS headers, r.ts, r.created, r.xid,
  r.xid <> '0'::xid8 AND coalesce(pg_visible_in_snapshot(r.xid, a.snapshot), false) AS published
FROM outbox_definition d
LEFT JOIN LATERAL outbox_acknowledged(d.id) a ON true
JOIN outbox_row r ON r.outbox = d.id;
COMMENT ON VIEW outbox IS
'messages that were sent with delivery outbox: those that wait, and those that are kept for kafka_fdw.outbox_retention';
COMMENT ON COLUMN outbox.id IS 'number: order of messages whose transactions saw each other';
COMMENT ON COLUMN outbox.outbox IS 'outbox';
COMMENT ON COLUMN outbox.server IS 'foreign server';
COMMENT ON COLUMN outbox.topic IS 'topic';
COMMENT ON COLUMN outbox.partition IS 'partition; NULL: the partitioner chooses';
COMMENT ON COLUMN outbox.key IS 'key, or NULL';
COMMENT ON COLUMN outbox.value IS 'value; NULL is a tombstone';
COMMENT ON COLUMN outbox.headers IS 'headers; NULL: none';
COMMENT ON COLUMN outbox.ts IS 'timestamp of the message; NULL: when it is published';
COMMENT ON COLUMN outbox.created IS 'when it was sent';
COMMENT ON COLUMN outbox.xid IS 'transaction that sent it; 0: restored from a dump';
COMMENT ON COLUMN outbox.published IS 'it is known to be in Kafka';

CREATE VIEW outbox_status AS
SELECT d.name AS outbox, d.server, d.username, d.enabled,
  CASE WHEN l.state IN ('starting', 'running', 'waiting') AND p.pid IS NULL
      AND NOT pg_is_in_recovery() THEN 'stopped'
    ELSE coalesce(l.state, 'new') END AS state,
  coalesce(l.since, d.created) AS since, l.reason, l.last_error, l.last_error_at, p.pid,
  b.messages AS backlog_rows, b.bytes AS backlog_bytes, b.oldest,
  clock_timestamp() - b.oldest AS oldest_age,
  a.tick AS last_tick, coalesce(r.published, m.made) AS last_published,
  coalesce(t.messages, 0) AS messages, coalesce(r.bytes, 0) AS bytes,
  coalesce(t.transactions, 0) AS transactions, coalesce(s.rate, 0) AS rate,
  l.incarnation AS relayed_by
FROM outbox_definition d
LEFT JOIN outbox_lease l ON l.outbox = d.id
LEFT JOIN get_relays() r ON r.outbox = d.id
LEFT JOIN LATERAL (
  SELECT g.pid FROM pg_stat_get_activity(coalesce(r.pid, l.pid, 0)) g) p ON true
LEFT JOIN LATERAL outbox_acknowledged(d.id) a ON true
LEFT JOIN outbox_tick m ON m.outbox = d.id AND m.tick = a.tick
LEFT JOIN LATERAL (
  SELECT k.messages, k.transactions FROM outbox_tick k WHERE k.outbox = d.id
  ORDER BY k.tick DESC LIMIT 1) t ON true
LEFT JOIN LATERAL (
  SELECT (max(k.messages) - min(k.messages))::double precision
    / greatest(extract(epoch FROM clock_timestamp() - min(k.made)), 1)::double precision AS rate
  FROM (
    SELECT q.messages, q.made FROM outbox_tick q WHERE q.outbox = d.id
    ORDER BY q.tick DESC LIMIT 1000) k
  WHERE k.made > clock_timestamp() - interval '1 minute') s ON true
LEFT JOIN LATERAL outbox_backlog(d.id) b ON true;
COMMENT ON VIEW outbox_status IS 'outboxes, their relays, and what waits in them';
COMMENT ON COLUMN outbox_status.outbox IS 'name';
COMMENT ON COLUMN outbox_status.server IS 'foreign server that its messages go through';
COMMENT ON COLUMN outbox_status.username IS
'user whose user mapping the relay connects with; empty: the one for PUBLIC, or none';
COMMENT ON COLUMN outbox_status.enabled IS 'a worker relays it (kafka.start_relay, kafka.stop_relay)';
COMMENT ON COLUMN outbox_status.state IS
'new (there was no relay yet), starting, running, waiting (for Kafka, or a broken row), stopped, unresolved (see kafka.outbox_resolve)';
COMMENT ON COLUMN outbox_status.since IS 'since when';
COMMENT ON COLUMN outbox_status.reason IS 'why it is unresolved or waiting';
COMMENT ON COLUMN outbox_status.last_error IS 'the last error of a relay';
COMMENT ON COLUMN outbox_status.last_error_at IS 'when that was';
COMMENT ON COLUMN outbox_status.pid IS 'process of the relay; NULL: there is none now';
COMMENT ON COLUMN outbox_status.backlog_rows IS
'committed messages that are not known to be published';
COMMENT ON COLUMN outbox_status.backlog_bytes IS 'bytes of their keys and values';
COMMENT ON COLUMN outbox_status.oldest IS 'when the oldest of them was sent; NULL: there is none';
COMMENT ON COLUMN outbox_status.oldest_age IS 'how long that is ago';
COMMENT ON COLUMN outbox_status.last_tick IS 'the last tick that is known to be published';
COMMENT ON COLUMN outbox_status.last_published IS 'when that was';
COMMENT ON COLUMN outbox_status.messages IS 'messages published up to the last tick';
COMMENT ON COLUMN outbox_status.bytes IS
'bytes of keys and values that the relay''s process has published since it was started';
COMMENT ON COLUMN outbox_status.transactions IS 'Kafka transactions of those messages';
COMMENT ON COLUMN outbox_status.rate IS 'messages per second, over the last minute or the last 1000 ticks';
COMMENT ON COLUMN outbox_status.relayed_by IS
'system identifier, timeline, database and instance that relays it, or did so last';
GRANT SELECT ON outbox_status TO pg_monitor;

CREATE FUNCTION wait_for_relay(timeout interval DEFAULT NULL, xid xid8 DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_wait_for_relay' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION wait_for_relay(interval, xid8) IS
'waits until the messages that a transaction sent with delivery outbox are in Kafka; by default this session''s last one';

-- ---------------------------------------------------------------------------
-- The outbox: its relay
-- ---------------------------------------------------------------------------

CREATE PROCEDURE relay(outbox text DEFAULT NULL, max_ticks integer DEFAULT NULL)
AS 'MODULE_PATHNAME', 'kafka_relay_procedure' LANGUAGE C;
COMMENT ON PROCEDURE relay(text, integer) IS
'publishes the committed rows of an outbox (NULL: of all), until none is left or so many ticks are made';
REVOKE EXECUTE ON PROCEDURE relay(text, integer) FROM PUBLIC;

CREATE FUNCTION outbox_resolve(outbox text, action text) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_outbox_resolve' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION outbox_resolve(text, text) IS
'says how an outbox whose position in Kafka is in doubt goes on: ''take_over'', ''republish'' or ''skip''';
REVOKE EXECUTE ON FUNCTION outbox_resolve(text, text) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- Pipelines: their tables.  All are written by the extension as their owner; users need no right.
-- ---------------------------------------------------------------------------

-- The handler is text, not regprocedure, which pg_upgrade would refuse.
CREATE TABLE pipeline_definition (
  id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  owner regrole NOT NULL,
  source regclass,
  topic text NOT NULL,
  server name NOT NULL,
  target regclass,
  handler text,
  columns text[],
  mode text NOT NULL,
  on_error text NOT NULL,
  batch_rows integer NOT NULL,
  batch_interval interval NOT NULL,
  parallelism integer NOT NULL,
  options jsonb NOT NULL DEFAULT '{}',
  search_path text NOT NULL,
  enabled boolean NOT NULL DEFAULT false,
  created timestamptz NOT NULL DEFAULT pg_catalog.now(),
  orders bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE pipeline_definition IS 'the pipelines, as kafka.create_pipeline and kafka.alter_pipeline have made them';
COMMENT ON SEQUENCE pipeline_definition_id_seq IS 'numbers of pipelines';
COMMENT ON COLUMN pipeline_definition.id IS 'number, as in kafka.pipeline_offset';
COMMENT ON COLUMN pipeline_definition.name IS 'name for functions';
COMMENT ON COLUMN pipeline_definition.owner IS 'role that it runs as';
COMMENT ON COLUMN pipeline_definition.source IS 'foreign table that it reads, or NULL: the topic itself';
COMMENT ON COLUMN pipeline_definition.topic IS 'topic that its offsets belong to';
COMMENT ON COLUMN pipeline_definition.server IS 'foreign server, if there is no foreign table';
COMMENT ON COLUMN pipeline_definition.target IS 'table or view that it fills, or NULL: there is a handler';
COMMENT ON COLUMN pipeline_definition.handler IS 'function that is given each batch, with schema and argument types, or NULL';
COMMENT ON COLUMN pipeline_definition.columns IS 'columns of the target that it fills; NULL: those that the source has too';
COMMENT ON COLUMN pipeline_definition.mode IS 'insert, upsert or ignore';
COMMENT ON COLUMN pipeline_definition.on_error IS 'stop, skip or dead_letter: what becomes of a message that fails';
COMMENT ON COLUMN pipeline_definition.batch_rows IS 'most messages of a transaction';
COMMENT ON COLUMN pipeline_definition.batch_interval IS 'how long a batch waits for more messages';
COMMENT ON COLUMN pipeline_definition.parallelism IS 'workers';
COMMENT ON COLUMN pipeline_definition.options IS 'options of kafka.create_pipeline';
COMMENT ON COLUMN pipeline_definition.search_path IS 'search_path that it runs with';
COMMENT ON COLUMN pipeline_definition.enabled IS 'workers run it (kafka.start_pipeline, kafka.stop_pipeline)';
COMMENT ON COLUMN pipeline_definition.created IS 'when it was made';
COMMENT ON COLUMN pipeline_definition.orders IS
'how often it was started or stopped: a session that runs it gives way';

CREATE TABLE pipeline_state (
  pipeline integer PRIMARY KEY REFERENCES pipeline_definition ON DELETE CASCADE,
  state text NOT NULL DEFAULT 'new',
  since timestamptz NOT NULL DEFAULT pg_catalog.now(),
  sqlstate text,
  error text,
  detail text,
  context text,
  partition integer,
  "offset" bigint
) WITH (fillfactor = 50);
COMMENT ON TABLE pipeline_state IS 'how each pipeline is, changed only when that changes';
COMMENT ON COLUMN pipeline_state.pipeline IS 'pipeline, kafka.pipeline_definition.id';
COMMENT ON COLUMN pipeline_state.state IS
'new, running, waiting (it tries again what has failed, as Kafka that is away), failed (until kafka.start_pipeline)';
COMMENT ON COLUMN pipeline_state.since IS 'since when';
COMMENT ON COLUMN pipeline_state.sqlstate IS 'of the error that it waits for, or failed with: SQLSTATE';
COMMENT ON COLUMN pipeline_state.error IS 'its message';
COMMENT ON COLUMN pipeline_state.detail IS 'its detail';
COMMENT ON COLUMN pipeline_state.context IS 'its context';
COMMENT ON COLUMN pipeline_state.partition IS 'partition of the message that failed';
COMMENT ON COLUMN pipeline_state."offset" IS 'offset of the message that failed';

-- Changed in the transaction of each batch; only HOT updates.
CREATE TABLE pipeline_offset (
  pipeline integer NOT NULL REFERENCES pipeline_definition ON DELETE CASCADE,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  owner_epoch bigint NOT NULL DEFAULT 0,
  owner_pid integer,
  claimed timestamptz,
  untouched boolean NOT NULL DEFAULT true,
  end_offset bigint,
  message_time timestamptz,
  messages bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  dead_letters bigint NOT NULL DEFAULT 0,
  batches bigint NOT NULL DEFAULT 0,
  batch_ms double precision,
  rate double precision NOT NULL DEFAULT 0,
  updated timestamptz,
  PRIMARY KEY (pipeline, partition)
) WITH (fillfactor = 30);
COMMENT ON TABLE pipeline_offset IS
'where each pipeline stands in each partition, changed in the transaction of its rows; and what it has done';
COMMENT ON COLUMN pipeline_offset.pipeline IS 'pipeline, kafka.pipeline_definition.id';
COMMENT ON COLUMN pipeline_offset.partition IS 'partition';
COMMENT ON COLUMN pipeline_offset.next_offset IS 'offset of the next message to load';
COMMENT ON COLUMN pipeline_offset.owner_epoch IS
'raised whenever a worker takes the partition, or the pipeline is changed: who had it before can store nothing more';
COMMENT ON COLUMN pipeline_offset.owner_pid IS 'process that has taken the partition last';
COMMENT ON COLUMN pipeline_offset.claimed IS 'when it did';
COMMENT ON COLUMN pipeline_offset.untouched IS
'nothing was loaded since it was to begin with the earliest message: that may move on';
COMMENT ON COLUMN pipeline_offset.end_offset IS 'end of the partition, when the worker last heard of it';
COMMENT ON COLUMN pipeline_offset.message_time IS 'timestamp of the last message that was loaded';
COMMENT ON COLUMN pipeline_offset.messages IS 'messages read';
COMMENT ON COLUMN pipeline_offset.bytes IS 'bytes of their keys and values';
COMMENT ON COLUMN pipeline_offset.rows IS 'messages that were loaded';
COMMENT ON COLUMN pipeline_offset.skipped IS 'messages left out: by on_error, by the foreign table''s, or by mode ignore';
COMMENT ON COLUMN pipeline_offset.dead_letters IS 'messages that became dead letters';
COMMENT ON COLUMN pipeline_offset.batches IS 'transactions';
COMMENT ON COLUMN pipeline_offset.batch_ms IS 'how long the last one took, ms';
COMMENT ON COLUMN pipeline_offset.rate IS 'messages per second of late';
COMMENT ON COLUMN pipeline_offset.updated IS 'when the offset moved last';

CREATE TABLE dead_letter (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  pipeline integer NOT NULL REFERENCES pipeline_definition ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  ts timestamptz,
  key bytea,
  value bytea,
  headers header[],
  sqlstate text NOT NULL,
  error text NOT NULL,
  detail text,
  context text,
  failed timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 1
);
CREATE INDEX dead_letter_of_pipeline ON dead_letter (pipeline, id);
COMMENT ON TABLE dead_letter IS 'messages that a pipeline could not load';
COMMENT ON SEQUENCE dead_letter_id_seq IS 'numbers of dead letters';
COMMENT ON COLUMN dead_letter.id IS 'number';
COMMENT ON COLUMN dead_letter.pipeline IS 'pipeline, kafka.pipeline_definition.id';
COMMENT ON COLUMN dead_letter.topic IS 'topic';
COMMENT ON COLUMN dead_letter.partition IS 'partition';
COMMENT ON COLUMN dead_letter."offset" IS 'offset';
COMMENT ON COLUMN dead_letter.ts IS 'timestamp of the message; NULL: it has none';
COMMENT ON COLUMN dead_letter.key IS 'key, or NULL';
COMMENT ON COLUMN dead_letter.value IS 'value, or NULL';
COMMENT ON COLUMN dead_letter.headers IS 'headers; NULL: none';
COMMENT ON COLUMN dead_letter.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN dead_letter.error IS 'its message';
COMMENT ON COLUMN dead_letter.detail IS 'its detail';
COMMENT ON COLUMN dead_letter.context IS 'its context';
COMMENT ON COLUMN dead_letter.failed IS 'when it failed last';
COMMENT ON COLUMN dead_letter.attempts IS 'how often it was tried';

-- it comes from a dump without workers
CREATE TRIGGER note_restored BEFORE INSERT ON pipeline_definition
  FOR EACH ROW EXECUTE FUNCTION note_restored();
ALTER TABLE pipeline_definition ENABLE ALWAYS TRIGGER note_restored;
COMMENT ON TRIGGER note_restored ON pipeline_definition IS 'disables pipelines that a restore inserts';

SELECT pg_catalog.pg_extension_config_dump('pipeline_definition', '');
SELECT pg_catalog.pg_extension_config_dump('pipeline_definition_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pipeline_state', '');
SELECT pg_catalog.pg_extension_config_dump('pipeline_offset', '');
SELECT pg_catalog.pg_extension_config_dump('dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('dead_letter_id_seq', '');

-- ---------------------------------------------------------------------------
-- Pipelines: making and changing them
-- ---------------------------------------------------------------------------

CREATE FUNCTION create_pipeline(
  name text, source text, target regclass DEFAULT NULL, handler regprocedure DEFAULT NULL,
  columns text[] DEFAULT NULL, mode text DEFAULT 'insert', on_error text DEFAULT 'stop',
  start text DEFAULT 'earliest', batch_rows integer DEFAULT 20000,
  batch_interval interval DEFAULT '200ms', parallelism integer DEFAULT 1,
  options jsonb DEFAULT '{}', server name DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_create_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION create_pipeline(
  text, text, regclass, regprocedure, text[], text, text, text, integer, interval, integer, jsonb, name) IS
'makes a pipeline, which loads the messages of a foreign table or topic into a table, or hands them to a function; it is not started yet';
REVOKE EXECUTE ON FUNCTION create_pipeline(
  text, text, regclass, regprocedure, text[], text, text, text, integer, interval, integer, jsonb, name) FROM PUBLIC;

CREATE FUNCTION alter_pipeline(
  name text, source text DEFAULT NULL, target regclass DEFAULT NULL,
  handler regprocedure DEFAULT NULL, columns text[] DEFAULT NULL, mode text DEFAULT NULL,
  on_error text DEFAULT NULL, batch_rows integer DEFAULT NULL,
  batch_interval interval DEFAULT NULL, parallelism integer DEFAULT NULL,
  options jsonb DEFAULT NULL, server name DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_alter_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION alter_pipeline(
  text, text, regclass, regprocedure, text[], text, text, integer, interval, integer, jsonb, name) IS
'changes a pipeline, also while it runs: from COMMIT on it works with what is given, and what is NULL stays as it is';

CREATE FUNCTION drop_pipeline(name text, force boolean DEFAULT false) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_drop_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION drop_pipeline(text, boolean) IS
'drops a pipeline; one that has dead letters only with force, and they with it';

CREATE FUNCTION start_pipeline(name text) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_start_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION start_pipeline(text) IS
'lets background workers run a pipeline from COMMIT on; one that has failed tries again';
REVOKE EXECUTE ON FUNCTION start_pipeline(text) FROM PUBLIC;

CREATE FUNCTION stop_pipeline(name text) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_stop_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION stop_pipeline(text) IS
'stops a pipeline, which keeps its position: from COMMIT on it loads nothing';

CREATE FUNCTION seek_pipeline(name text, target text, partition integer DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_seek_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seek_pipeline(text, text, integer) IS
'moves a pipeline, also while it runs, to ''earliest'', ''latest'', an offset or a timestamp, in one partition or all; or by a JSON object of partitions and these';

-- ---------------------------------------------------------------------------
-- Pipelines: running and trying them
-- ---------------------------------------------------------------------------

CREATE PROCEDURE run_pipeline(name text, until text DEFAULT 'end')
AS 'MODULE_PATHNAME', 'kafka_run_pipeline' LANGUAGE C;
COMMENT ON PROCEDURE run_pipeline(text, text) IS
'runs a pipeline in this session, until all is loaded that was in the topic when it began (''end''), or for an interval';
REVOKE EXECUTE ON PROCEDURE run_pipeline(text, text) FROM PUBLIC;

CREATE FUNCTION wait_for_pipeline(name text, timeout interval DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_wait_for_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION wait_for_pipeline(text, interval) IS
'waits until a pipeline has loaded what is in its topic now';

CREATE FUNCTION test_pipeline(name text, max_messages integer DEFAULT 10)
RETURNS TABLE (partition integer, "offset" bigint, outcome text, result jsonb, sqlstate text, error text)
AS 'MODULE_PATHNAME', 'kafka_test_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION test_pipeline(text, integer) IS
'loads a pipeline''s next messages, tells of each what became of it, and rolls all of it back';

-- ---------------------------------------------------------------------------
-- Pipelines: messages that fail
-- ---------------------------------------------------------------------------

CREATE FUNCTION retry_dead_letters(pipeline text, ids bigint[] DEFAULT NULL) RETURNS bigint
AS 'MODULE_PATHNAME', 'kafka_retry_dead_letters' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION retry_dead_letters(text, bigint[]) IS
'loads a pipeline''s dead letters, or those with these ids, as it loads messages now; returns how many are none any longer';

CREATE FUNCTION discard_dead_letters(pipeline text, ids bigint[] DEFAULT NULL) RETURNS bigint
AS 'MODULE_PATHNAME', 'kafka_discard_dead_letters' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION discard_dead_letters(text, bigint[]) IS
'deletes a pipeline''s dead letters, or those with these ids; returns how many';

-- They hold data: only for who may act as the pipeline's owner.
CREATE VIEW dead_letters WITH (security_barrier) AS
SELECT l.id, d.name AS pipeline, l.topic, l.partition, l."offset", l.ts, l.key, l.value, l.headers,
  l.sqlstate, l.error, l.detail, l.context, l.failed, l.attempts
FROM dead_letter l JOIN pipeline_definition d ON d.id OPERATOR(pg_catalog.=) l.pipeline
WHERE pg_catalog.pg_has_role(d.owner::oid, 'USAGE');
COMMENT ON VIEW dead_letters IS
'messages that a pipeline could not load, of pipelines whose owner''s privileges the current user has';
COMMENT ON COLUMN dead_letters.id IS 'number, in the order they failed';
COMMENT ON COLUMN dead_letters.pipeline IS 'pipeline';
COMMENT ON COLUMN dead_letters.topic IS 'topic';
COMMENT ON COLUMN dead_letters.partition IS 'partition';
COMMENT ON COLUMN dead_letters."offset" IS 'offset';
COMMENT ON COLUMN dead_letters.ts IS 'timestamp of the message; NULL: it has none';
COMMENT ON COLUMN dead_letters.key IS 'key, or NULL';
COMMENT ON COLUMN dead_letters.value IS 'value; NULL is a tombstone';
COMMENT ON COLUMN dead_letters.headers IS 'headers; NULL: none';
COMMENT ON COLUMN dead_letters.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN dead_letters.error IS 'its message';
COMMENT ON COLUMN dead_letters.detail IS 'its detail';
COMMENT ON COLUMN dead_letters.context IS 'its context';
COMMENT ON COLUMN dead_letters.failed IS 'when it failed last';
COMMENT ON COLUMN dead_letters.attempts IS 'how often it was tried';
GRANT SELECT ON dead_letters TO PUBLIC;

-- ---------------------------------------------------------------------------
-- Pipelines: what they are doing
-- ---------------------------------------------------------------------------

-- Who runs a pipeline holds a lock of class 27504 on it (src/pipeline/run.c).
CREATE FUNCTION pipeline_runners(OUT pipeline integer, OUT pids integer[])
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.objid::integer, array_agg(l.pid ORDER BY l.pid)
  FROM pg_locks l
  WHERE l.locktype = 'advisory' AND l.classid = '27504'::oid AND l.objsubid = 3 AND l.granted
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  GROUP BY l.objid
$$;
COMMENT ON FUNCTION pipeline_runners() IS
'for the views kafka.pipelines and kafka.pipeline_offsets: the processes that run pipelines of this database';

-- Users see the pipelines of roles whose privileges they have; pg_monitor sees all.
CREATE VIEW pipeline_offsets WITH (security_barrier) AS
SELECT d.name AS pipeline, d.topic, o.partition, o.next_offset, o.end_offset,
  CASE WHEN o.end_offset IS NOT NULL
    THEN greatest(o.end_offset - o.next_offset, 0) END AS lag,
  CASE WHEN o.end_offset <= o.next_offset THEN interval '0'
    WHEN o.end_offset IS NOT NULL
      THEN greatest(clock_timestamp() - o.message_time, interval '0') END AS lag_time,
  o.message_time, o.messages, o.bytes, o.rows, o.skipped, o.dead_letters, o.batches, o.batch_ms,
  CASE WHEN o.updated > clock_timestamp() - interval '10 seconds' THEN o.rate ELSE 0 END AS rate,
  CASE WHEN o.owner_pid = ANY (r.pids) THEN o.owner_pid END AS pid, o.claimed,
  o.updated AS last_batch
FROM pipeline_definition d
JOIN pipeline_offset o ON o.pipeline = d.id
LEFT JOIN pipeline_runners() r ON r.pipeline = d.id
WHERE pg_has_role(d.owner, 'USAGE') OR pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW pipeline_offsets IS 'where each pipeline stands in each partition, and what it has done there';
COMMENT ON COLUMN pipeline_offsets.pipeline IS 'pipeline';
COMMENT ON COLUMN pipeline_offsets.topic IS 'topic';
COMMENT ON COLUMN pipeline_offsets.partition IS 'partition';
COMMENT ON COLUMN pipeline_offsets.next_offset IS 'offset of the next message to load';
COMMENT ON COLUMN pipeline_offsets.end_offset IS
'end of the partition, when the pipeline last loaded something of it; NULL: not known yet';
COMMENT ON COLUMN pipeline_offsets.lag IS 'offsets between the two';
COMMENT ON COLUMN pipeline_offsets.lag_time IS
'age of the last message that was loaded, where there are more; else 0';
COMMENT ON COLUMN pipeline_offsets.message_time IS 'timestamp of the last message that was loaded';
COMMENT ON COLUMN pipeline_offsets.messages IS 'messages read';
COMMENT ON COLUMN pipeline_offsets.bytes IS 'bytes of their keys and values';
COMMENT ON COLUMN pipeline_offsets.rows IS
'messages that were loaded; with a handler: that it was given';
COMMENT ON COLUMN pipeline_offsets.skipped IS
'messages left out: by on_error, by the foreign table''s, or by mode ignore';
COMMENT ON COLUMN pipeline_offsets.dead_letters IS 'messages that became dead letters';
COMMENT ON COLUMN pipeline_offsets.batches IS
'transactions; one that loads several partitions is counted in the first of them';
COMMENT ON COLUMN pipeline_offsets.batch_ms IS 'how long the last one took, ms';
COMMENT ON COLUMN pipeline_offsets.rate IS
'messages per second of late; 0 where none was read for 10 s';
COMMENT ON COLUMN pipeline_offsets.pid IS 'process that reads the partition; NULL: none does';
COMMENT ON COLUMN pipeline_offsets.claimed IS 'when the partition was taken last';
COMMENT ON COLUMN pipeline_offsets.last_batch IS 'when the last transaction was';
GRANT SELECT ON pipeline_offsets TO PUBLIC;

CREATE VIEW pipelines WITH (security_barrier) AS
SELECT d.name, d.owner, d.source, d.topic, d.server, d.target, d.handler, d.mode, d.on_error,
  d.enabled,
  CASE WHEN s.state = 'failed' THEN s.state
    WHEN r.pids IS NOT NULL THEN
      CASE WHEN s.state IN ('new', 'waiting') THEN s.state ELSE 'running' END
    WHEN pg_is_in_recovery() AND s.state <> 'new' THEN s.state
    WHEN o.batches > 0 OR s.state <> 'new' THEN 'stopped'
    ELSE 'new' END AS state,
  s.since, s.sqlstate,
  CASE WHEN pg_has_role(d.owner, 'USAGE') THEN s.error END AS error,
  CASE WHEN pg_has_role(d.owner, 'USAGE') THEN s.detail END AS detail,
  CASE WHEN pg_has_role(d.owner, 'USAGE') THEN s.context END AS context,
  s.partition, s."offset",
  d.parallelism, r.pids AS workers,
  coalesce(o.messages, 0) AS messages, coalesce(o.bytes, 0) AS bytes,
  coalesce(o.rows, 0) AS rows, coalesce(o.skipped, 0) AS skipped,
  (SELECT count(*) FROM dead_letter l WHERE l.pipeline = d.id) AS dead_letters,
  coalesce(o.batches, 0) AS batches, o.batch_ms, coalesce(o.rate, 0) AS rate, o.lag,
  CASE WHEN o.lag = 0 THEN interval '0'
    WHEN o.lag > 0 THEN greatest(clock_timestamp() - o.message_time, interval '0') END AS lag_time,
  CASE WHEN o.lag = 0 THEN 1
    WHEN o.lag > 0 THEN o.messages / (o.messages + o.lag)::double precision END AS progress,
  o.last_batch
FROM pipeline_definition d
LEFT JOIN pipeline_state s ON s.pipeline = d.id
LEFT JOIN pipeline_runners() r ON r.pipeline = d.id
LEFT JOIN LATERAL (
  SELECT sum(p.messages)::bigint AS messages, sum(p.bytes)::bigint AS bytes,
    sum(p.rows)::bigint AS rows, sum(p.skipped)::bigint AS skipped,
    sum(p.batches)::bigint AS batches,
    (array_agg(p.batch_ms ORDER BY p.updated DESC NULLS LAST))[1] AS batch_ms,
    sum(p.rate) FILTER (WHERE p.updated > clock_timestamp() - interval '10 seconds') AS rate,
    sum(greatest(p.end_offset - p.next_offset, 0)) FILTER (WHERE p.end_offset IS NOT NULL)::bigint
      AS lag,
    min(p.message_time) FILTER (WHERE p.end_offset > p.next_offset) AS message_time,
    max(p.updated) AS last_batch
  FROM pipeline_offset p WHERE p.pipeline = d.id) o ON true
WHERE pg_has_role(d.owner, 'USAGE') OR pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW pipelines IS 'pipelines, how they are, and what they have done';
COMMENT ON COLUMN pipelines.name IS 'name';
COMMENT ON COLUMN pipelines.owner IS 'role that it runs as';
COMMENT ON COLUMN pipelines.source IS 'foreign table that it reads, or NULL: the topic itself';
COMMENT ON COLUMN pipelines.topic IS 'topic';
COMMENT ON COLUMN pipelines.server IS 'foreign server';
COMMENT ON COLUMN pipelines.target IS 'table or view that it fills, or NULL: there is a handler';
COMMENT ON COLUMN pipelines.handler IS 'function that is given each batch, or NULL';
COMMENT ON COLUMN pipelines.mode IS 'insert, upsert or ignore';
COMMENT ON COLUMN pipelines.on_error IS
'stop, skip or dead_letter: what becomes of a message that fails';
COMMENT ON COLUMN pipelines.enabled IS
'workers run it (kafka.start_pipeline, kafka.stop_pipeline)';
COMMENT ON COLUMN pipelines.state IS
'new, running, waiting (it tries again what has failed, as Kafka that is away), failed (until kafka.start_pipeline), stopped';
COMMENT ON COLUMN pipelines.since IS 'when the state that is kept changed last';
COMMENT ON COLUMN pipelines.sqlstate IS 'of the error that it waits for, or failed with: SQLSTATE';
COMMENT ON COLUMN pipelines.error IS
'its message, which may hold values of rows; NULL, as detail and context, without the owner''s privileges';
COMMENT ON COLUMN pipelines.detail IS 'its detail';
COMMENT ON COLUMN pipelines.context IS 'its context';
COMMENT ON COLUMN pipelines.partition IS 'partition of the message that failed';
COMMENT ON COLUMN pipelines."offset" IS 'offset of the message that failed';
COMMENT ON COLUMN pipelines.parallelism IS 'workers that it may have';
COMMENT ON COLUMN pipelines.workers IS
'processes that run it now, workers or a session with kafka.run_pipeline; NULL: none does';
COMMENT ON COLUMN pipelines.messages IS 'messages read';
COMMENT ON COLUMN pipelines.bytes IS 'bytes of their keys and values';
COMMENT ON COLUMN pipelines.rows IS 'messages that were loaded; with a handler: that it was given';
COMMENT ON COLUMN pipelines.skipped IS
'messages left out: by on_error, by the foreign table''s, or by mode ignore';
COMMENT ON COLUMN pipelines.dead_letters IS
'dead letters that wait in kafka.dead_letters';
COMMENT ON COLUMN pipelines.batches IS 'transactions';
COMMENT ON COLUMN pipelines.batch_ms IS 'how long the last one took, ms';
COMMENT ON COLUMN pipelines.rate IS 'messages per second of late';
COMMENT ON COLUMN pipelines.lag IS
'offsets between what is loaded and the ends of the partitions, as far as these are known';
COMMENT ON COLUMN pipelines.lag_time IS
'age of the last message that was loaded of the partition that is furthest behind; 0 where nothing waits';
COMMENT ON COLUMN pipelines.progress IS
'how much is loaded of what was to be loaded: messages, by messages and lag; 0 to 1';
COMMENT ON COLUMN pipelines.last_batch IS 'when the last transaction was';
GRANT SELECT ON pipelines TO PUBLIC;

-- ---------------------------------------------------------------------------
-- Workers
-- ---------------------------------------------------------------------------

CREATE FUNCTION start_relay(outbox text DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_start_relay' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION start_relay(text) IS
'lets a background worker relay an outbox, or all of the database, from COMMIT on; also one that has stopped unresolved, which then looks again';
REVOKE EXECUTE ON FUNCTION start_relay(text) FROM PUBLIC;

CREATE FUNCTION stop_relay(outbox text DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'kafka_stop_relay' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION stop_relay(text) IS
'lets no background worker relay an outbox, or any of the database, from COMMIT on; rows are still written, and wait';
REVOKE EXECUTE ON FUNCTION stop_relay(text) FROM PUBLIC;

CREATE FUNCTION get_workers(
  OUT pid integer, OUT type text, OUT database name, OUT outbox_id integer, OUT outbox text,
  OUT pipeline_id integer, OUT pipeline text, OUT slot integer, OUT state text,
  OUT started timestamptz, OUT restarts integer, OUT last_exit text, OUT next_start timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_workers' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION get_workers() IS 'for the view kafka.workers';
REVOKE EXECUTE ON FUNCTION get_workers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_workers() TO pg_monitor;

CREATE VIEW workers AS SELECT * FROM get_workers();
COMMENT ON VIEW workers IS
'the extension''s background workers in the whole server, also those that are to be started again';
COMMENT ON COLUMN workers.pid IS 'process, or NULL';
COMMENT ON COLUMN workers.type IS
'launcher; scout (looks for outboxes and pipelines in a database, and ends); relay; pipeline';
COMMENT ON COLUMN workers.database IS 'database';
COMMENT ON COLUMN workers.outbox_id IS 'outbox, kafka.outbox_definition.id in that database';
COMMENT ON COLUMN workers.outbox IS 'its name, the first 63 bytes';
COMMENT ON COLUMN workers.pipeline_id IS 'pipeline, kafka.pipeline_definition.id in that database';
COMMENT ON COLUMN workers.pipeline IS 'its name, the first 63 bytes';
COMMENT ON COLUMN workers.slot IS 'of a pipeline: 0 to parallelism - 1';
COMMENT ON COLUMN workers.state IS
'starting, running, pending (is started at next_start, or when another one ends), stopped, unresolved; of a pipeline also failed';
COMMENT ON COLUMN workers.started IS 'when the process started, or the last one did';
COMMENT ON COLUMN workers.restarts IS 'processes after the first, since the server was started';
COMMENT ON COLUMN workers.last_exit IS
'how the last process ended: died (an error, or it was terminated), stopped, unresolved, failed (a pipeline), replaced (another process works for the same), left (a command wanted the database for itself); NULL: none has';
COMMENT ON COLUMN workers.next_start IS 'pending: when it is started';
GRANT SELECT ON workers TO pg_monitor;

-- ---------------------------------------------------------------------------
-- Care
-- ---------------------------------------------------------------------------

CREATE FUNCTION "check"(server name DEFAULT NULL, write boolean DEFAULT true, fail boolean DEFAULT false)
RETURNS TABLE (step text, ok boolean, milliseconds double precision, detail text)
AS 'MODULE_PATHNAME', 'kafka_check' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION "check"(name, boolean, boolean) IS
'tests a server end to end on a temporary topic: connection, topic, produce, fetch, transactions, consumer group, pipeline; with write => false connection and workers only; with fail => true a step that fails is an error';
REVOKE EXECUTE ON FUNCTION "check"(name, boolean, boolean) FROM PUBLIC;

CREATE PROCEDURE check_server(server name DEFAULT NULL, timeout interval DEFAULT NULL)
AS 'MODULE_PATHNAME', 'kafka_check_server' LANGUAGE C;
COMMENT ON PROCEDURE check_server(name, interval) IS
'the same test with messages instead of rows, also of the outbox and its relay; a step that fails is an error at the end';
REVOKE EXECUTE ON PROCEDURE check_server(name, interval) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- This session's clients, and what they have done
-- ---------------------------------------------------------------------------

CREATE FUNCTION get_clients(
  OUT server name, OUT username name, OUT purpose text, OUT transactional_id text,
  OUT in_use boolean, OUT stale boolean, OUT reachable boolean, OUT started timestamptz,
  OUT client text, OUT as_of timestamptz, OUT replies_waiting bigint, OUT messages_queued bigint,
  OUT bytes_queued bigint, OUT idempotence_state text, OUT transaction_state text,
  OUT producer_id bigint, OUT producer_epoch int)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_clients' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 5;
COMMENT ON FUNCTION get_clients() IS 'rows of the view kafka.clients';

CREATE VIEW clients AS SELECT * FROM get_clients();
COMMENT ON VIEW clients IS
'the connections to Kafka that this session keeps: each costs some threads and descriptors';
COMMENT ON COLUMN clients.server IS 'foreign server; NULL: it was dropped';
COMMENT ON COLUMN clients.username IS 'user whose mapping it was made with';
COMMENT ON COLUMN clients.purpose IS
'metadata, group offsets, scan, lookup (scans of a few messages), producer, transactional producer';
COMMENT ON COLUMN clients.transactional_id IS 'Kafka''s transactional id, of a transactional producer';
COMMENT ON COLUMN clients.in_use IS 'something is using it now';
COMMENT ON COLUMN clients.stale IS 'options have changed since: it is not used again';
COMMENT ON COLUMN clients.reachable IS 'false: when last heard of, no broker could be reached';
COMMENT ON COLUMN clients.started IS 'when it was started';
COMMENT ON COLUMN clients.client IS 'librdkafka''s name for it, unique in the session';
COMMENT ON COLUMN clients.as_of IS
'when the columns after this were true; NULL, as they are: no statistics (kafka_fdw.statistics_interval)';
COMMENT ON COLUMN clients.replies_waiting IS
'delivery reports, errors and statistics that the session has not fetched yet';
COMMENT ON COLUMN clients.messages_queued IS 'producer: messages that are not confirmed yet';
COMMENT ON COLUMN clients.bytes_queued IS 'bytes of those';
COMMENT ON COLUMN clients.idempotence_state IS 'producer: librdkafka''s state of its producer id';
COMMENT ON COLUMN clients.transaction_state IS
'transactional producer: librdkafka''s state of its transaction';
COMMENT ON COLUMN clients.producer_id IS 'producer: its id with the brokers';
COMMENT ON COLUMN clients.producer_epoch IS 'and the epoch of that';

CREATE FUNCTION get_client_brokers(
  OUT server name, OUT username name, OUT purpose text, OUT client text, OUT as_of timestamptz,
  OUT broker text, OUT broker_id int, OUT source text, OUT state text, OUT state_age interval,
  OUT rtt_avg_ms double precision, OUT rtt_p99_ms double precision,
  OUT rtt_max_ms double precision, OUT throttle_avg_ms double precision,
  OUT throttle_max_ms double precision, OUT queue_avg_ms double precision,
  OUT requests_queued bigint, OUT requests_unanswered bigint, OUT requests_sent bigint,
  OUT bytes_sent bigint, OUT send_errors bigint, OUT retries bigint, OUT timeouts bigint,
  OUT responses bigint, OUT bytes_received bigint, OUT receive_errors bigint,
  OUT connects bigint, OUT disconnects bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_client_brokers' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION get_client_brokers() IS 'rows of the view kafka.client_brokers';

CREATE VIEW client_brokers AS SELECT * FROM get_client_brokers();
COMMENT ON VIEW client_brokers IS
'librdkafka''s statistics: the brokers that each connection of this session knows';
COMMENT ON COLUMN client_brokers.server IS 'foreign server; NULL: it was dropped';
COMMENT ON COLUMN client_brokers.username IS 'user whose mapping was used';
COMMENT ON COLUMN client_brokers.purpose IS 'as in clients';
COMMENT ON COLUMN client_brokers.client IS 'as in clients';
COMMENT ON COLUMN client_brokers.as_of IS 'when all this was true';
COMMENT ON COLUMN client_brokers.broker IS
'host and port; empty: a coordinator that is not known yet';
COMMENT ON COLUMN client_brokers.broker_id IS 'NULL: not known, as of a bootstrap server';
COMMENT ON COLUMN client_brokers.source IS
'configured (a bootstrap server), learned (from the cluster), logical (a coordinator)';
COMMENT ON COLUMN client_brokers.state IS 'librdkafka''s: INIT, DOWN, CONNECT, ..., UP';
COMMENT ON COLUMN client_brokers.state_age IS 'how long it is in that state';
COMMENT ON COLUMN client_brokers.rtt_avg_ms IS
'round trip in the last interval: average, in milliseconds; NULL: no answer came in it';
COMMENT ON COLUMN client_brokers.rtt_p99_ms IS '99th percentile of that';
COMMENT ON COLUMN client_brokers.rtt_max_ms IS 'longest of that';
COMMENT ON COLUMN client_brokers.throttle_avg_ms IS
'throttling by the broker in the last interval: average, in milliseconds';
COMMENT ON COLUMN client_brokers.throttle_max_ms IS 'longest of that';
COMMENT ON COLUMN client_brokers.queue_avg_ms IS
'wait of sent messages in librdkafka''s queue in the last interval: average, in milliseconds';
COMMENT ON COLUMN client_brokers.requests_queued IS 'requests that wait to be sent';
COMMENT ON COLUMN client_brokers.requests_unanswered IS 'requests that wait for their answer';
COMMENT ON COLUMN client_brokers.requests_sent IS 'requests since the start, as all that follows';
COMMENT ON COLUMN client_brokers.bytes_sent IS 'bytes of those';
COMMENT ON COLUMN client_brokers.send_errors IS 'requests that could not be sent';
COMMENT ON COLUMN client_brokers.retries IS 'requests that were sent again';
COMMENT ON COLUMN client_brokers.timeouts IS 'requests without an answer in time';
COMMENT ON COLUMN client_brokers.responses IS 'answers';
COMMENT ON COLUMN client_brokers.bytes_received IS 'bytes of those';
COMMENT ON COLUMN client_brokers.receive_errors IS 'answers that could not be received';
COMMENT ON COLUMN client_brokers.connects IS 'attempts to connect';
COMMENT ON COLUMN client_brokers.disconnects IS 'connections that ended';

CREATE FUNCTION get_client_topics(
  OUT server name, OUT username name, OUT purpose text, OUT client text, OUT as_of timestamptz,
  OUT topic text, OUT partition int, OUT leader int, OUT messages_queued bigint,
  OUT bytes_queued bigint, OUT messages_in_flight bigint, OUT messages_sent bigint,
  OUT bytes_sent bigint, OUT fetch_state text, OUT messages_fetched bigint,
  OUT bytes_fetched bigint, OUT messages_received bigint, OUT bytes_received bigint,
  OUT low bigint, OUT high bigint, OUT last_stable bigint, OUT next_offset bigint,
  OUT committed_offset bigint, OUT lag bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_client_topics' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_client_topics() IS 'rows of the view kafka.client_topics';

CREATE VIEW client_topics AS SELECT * FROM get_client_topics();
COMMENT ON VIEW client_topics IS
'librdkafka''s statistics: the partitions of the topics that each connection of this session knows';
COMMENT ON COLUMN client_topics.server IS 'foreign server; NULL: it was dropped';
COMMENT ON COLUMN client_topics.username IS 'user whose mapping was used';
COMMENT ON COLUMN client_topics.purpose IS 'as in clients';
COMMENT ON COLUMN client_topics.client IS 'as in clients';
COMMENT ON COLUMN client_topics.as_of IS 'when all this was true';
COMMENT ON COLUMN client_topics.topic IS 'topic';
COMMENT ON COLUMN client_topics.partition IS 'NULL: messages that have no partition yet';
COMMENT ON COLUMN client_topics.leader IS 'broker id of the leader; NULL: not known';
COMMENT ON COLUMN client_topics.messages_queued IS 'producer: messages that wait to be sent';
COMMENT ON COLUMN client_topics.bytes_queued IS 'bytes of those';
COMMENT ON COLUMN client_topics.messages_in_flight IS 'producer: messages sent and not confirmed';
COMMENT ON COLUMN client_topics.messages_sent IS 'producer: messages sent since the start';
COMMENT ON COLUMN client_topics.bytes_sent IS 'bytes of those';
COMMENT ON COLUMN client_topics.fetch_state IS
'librdkafka''s state of fetching: none, stopped, offset-query, active, ...';
COMMENT ON COLUMN client_topics.messages_fetched IS
'messages that were fetched and that the session has not taken yet';
COMMENT ON COLUMN client_topics.bytes_fetched IS 'bytes of those';
COMMENT ON COLUMN client_topics.messages_received IS
'messages received since the start, without those that were thrown away';
COMMENT ON COLUMN client_topics.bytes_received IS 'bytes of those';
COMMENT ON COLUMN client_topics.low IS 'low watermark, as last heard';
COMMENT ON COLUMN client_topics.high IS 'high watermark, as last heard';
COMMENT ON COLUMN client_topics.last_stable IS 'last stable offset, as last heard';
COMMENT ON COLUMN client_topics.next_offset IS 'offset behind the last message that was taken';
COMMENT ON COLUMN client_topics.committed_offset IS 'offset that the group has committed';
COMMENT ON COLUMN client_topics.lag IS
'messages between that and the end; NULL where nothing is committed, as by scans';

CREATE FUNCTION get_client_stats(
  OUT server name, OUT username name, OUT client_uses bigint, OUT clients_started bigint,
  OUT requests bigint, OUT messages_sent bigint, OUT bytes_sent bigint,
  OUT messages_confirmed bigint, OUT messages_failed bigint,
  OUT transactions_committed bigint, OUT transactions_aborted bigint,
  OUT transactions_unknown bigint, OUT after_commit_failures bigint,
  OUT after_commit_messages bigint, OUT visible_timeouts bigint, OUT messages_polled bigint,
  OUT offset_commits bigint, OUT offset_commit_failures bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'kafka_get_client_stats' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 2;
COMMENT ON FUNCTION get_client_stats() IS 'rows of the view kafka.client_stats';

CREATE VIEW client_stats AS SELECT * FROM get_client_stats();
COMMENT ON VIEW client_stats IS
'what this session has done with each server, in numbers, since it began or DISCARD ALL';
COMMENT ON COLUMN client_stats.server IS 'foreign server; NULL: it was dropped';
COMMENT ON COLUMN client_stats.username IS 'user whose mapping was used';
COMMENT ON COLUMN client_stats.client_uses IS
'how often a connection was taken; without that nothing goes to Kafka';
COMMENT ON COLUMN client_stats.clients_started IS 'connections that were started';
COMMENT ON COLUMN client_stats.requests IS 'requests for metadata, offsets and administration';
COMMENT ON COLUMN client_stats.messages_sent IS 'messages handed to librdkafka';
COMMENT ON COLUMN client_stats.bytes_sent IS 'bytes of their keys and values';
COMMENT ON COLUMN client_stats.messages_confirmed IS 'messages that the brokers have confirmed';
COMMENT ON COLUMN client_stats.messages_failed IS
'messages that were refused, not confirmed in time, or given up';
COMMENT ON COLUMN client_stats.transactions_committed IS 'Kafka transactions committed';
COMMENT ON COLUMN client_stats.transactions_aborted IS
'Kafka transactions given up: nothing of them is visible';
COMMENT ON COLUMN client_stats.transactions_unknown IS
'Kafka transactions whose commit was not answered: visible or not';
COMMENT ON COLUMN client_stats.after_commit_failures IS
'delivery after_commit: transactions that PostgreSQL has committed and Kafka has not, or perhaps';
COMMENT ON COLUMN client_stats.after_commit_messages IS 'messages of those, lost or perhaps lost';
COMMENT ON COLUMN client_stats.visible_timeouts IS
'commits after which readers were not seen to see the messages in time (commit_wait visible)';
COMMENT ON COLUMN client_stats.messages_polled IS
'messages that kafka.poll and kafka.poll_text have returned';
COMMENT ON COLUMN client_stats.offset_commits IS 'commits of consumers'' offsets to their groups';
COMMENT ON COLUMN client_stats.offset_commit_failures IS
'those that failed, or were not answered in time: messages may come again';
GRANT SELECT ON clients, client_stats, client_brokers, client_topics TO PUBLIC;
