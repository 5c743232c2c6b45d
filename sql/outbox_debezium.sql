-- The table of Debezium's outbox event router is an outbox as it is: the same topic, key, value and header.
SET client_min_messages = error;
CREATE SERVER outbox_debezium FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.server = 'outbox_debezium';
CREATE VIEW outbox_debezium_sent AS
SELECT topic, convert_from(key, 'UTF8') AS key, convert_from(value, 'UTF8') AS value, headers::jsonb AS headers
FROM kafka.outbox WHERE server = 'outbox_debezium' ORDER BY id;
CREATE TABLE outbox_debezium (
  id uuid NOT NULL PRIMARY KEY,
  aggregatetype varchar(255) NOT NULL,
  aggregateid varchar(255) NOT NULL,
  type varchar(255) NOT NULL,
  payload jsonb);
SELECT kafka.create_outbox('outbox_debezium');
SELECT name, topic, topic_column, key_column, value_column, headers_column, id_column FROM kafka.outbox_definition
 WHERE server = 'outbox_debezium';
INSERT INTO outbox_debezium VALUES
  ('406c07f3-26f0-4eea-a50c-109940064b8f', 'Order', '1', 'OrderCreated', '{"id": 1, "lineItems": [{"id": 1}]}'),
  ('406c07f3-26f0-4eea-a50c-109940064b90', 'customer', 'ä', 'Gone', NULL);
-- the habit of those who never want to see a row in it
BEGIN;
INSERT INTO outbox_debezium VALUES ('406c07f3-26f0-4eea-a50c-109940064b91', 'Order', '2', 'OrderCreated', '{}');
DELETE FROM outbox_debezium WHERE id = '406c07f3-26f0-4eea-a50c-109940064b91';
COMMIT;
SELECT * FROM outbox_debezium_sent;
-- an aggregatetype that is no topic's name
INSERT INTO outbox_debezium VALUES (gen_random_uuid(), 'a b', '2', 'OrderCreated', '{}');
-- other columns: named as they are
CREATE TABLE outbox_debezium_other (id bigint, aggregate_type text, aggregate_id text, event_type text, payload bytea);
SELECT kafka.create_outbox('outbox_debezium_other');
SELECT kafka.create_outbox('outbox_debezium_other', topic => 'outbox.event.', topic_column => 'aggregate_type',
  key_column => 'aggregate_id', value_column => 'payload', id_column => 'id');
INSERT INTO outbox_debezium_other VALUES (5, 'Order', '3', 'x', 'bytes');
SELECT * FROM outbox_debezium_sent WHERE key = '3';
SELECT kafka.drop_outbox(name, true) FROM kafka.outbox_definition WHERE server = 'outbox_debezium' ORDER BY name;
DROP VIEW outbox_debezium_sent;
DROP TABLE outbox_debezium, outbox_debezium_other;
DROP SERVER outbox_debezium;
