-- kafka.create_outbox: a table of one's own as an outbox.
SET client_min_messages = error;
CREATE SERVER outbox_tables FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.server = 'outbox_tables';
CREATE SCHEMA outbox_tables;
SET search_path = outbox_tables, public;
CREATE VIEW sent AS
SELECT outbox, topic, convert_from(key, 'UTF8') AS key, convert_from(value, 'UTF8') AS value, headers::jsonb AS headers
FROM kafka.outbox WHERE server = 'outbox_tables' ORDER BY id;
-- columns of any type, as text; headers in three types
CREATE DOMAIN document AS jsonb;
CREATE TABLE events (n numeric, doc document, h kafka.header[], topic varchar(50));
SELECT kafka.create_outbox('events', topic_column => 'topic', key_column => 'n', value_column => 'doc', headers_column => 'h');
INSERT INTO events VALUES (1.50, '{"a":1}', ARRAY[('x', 'y'), ('x', NULL)]::kafka.header[], 'outbox_a'), (NULL, NULL, NULL, 'outbox_b');
CREATE TABLE stamps (at timestamptz PRIMARY KEY, value json, headers jsonb, "Topic" text);
SELECT kafka.create_outbox('stamps', 'outbox_tables', 'Topic', 'at', 'value', 'headers', 'prefix.');
INSERT INTO stamps VALUES ('2026-01-01 00:00:00+00', '{"b":  2}', '{"one": "1"}', 't');
CREATE TABLE points (id integer, p point, h json);
SELECT kafka.create_outbox('points', topic => 'outbox_points', value_column => 'p', headers_column => 'h', id_column => 'id');
INSERT INTO points VALUES (3, '(1,2)', '{"a": "b", "id": "second"}');
SELECT * FROM sent;
CREATE TABLE images (b bytea);
SELECT kafka.create_outbox('images', topic => 'outbox_images', value_column => 'b', key_column => 'b');
INSERT INTO images VALUES ('\x00ff');
SELECT key, value FROM kafka.outbox WHERE topic = 'outbox_images';
-- inserted and deleted in one transaction; COPY; UPDATE and DELETE send nothing
BEGIN;
INSERT INTO stamps VALUES ('2026-01-02 00:00:00+00', '1', NULL, 't2');
DELETE FROM stamps;
COMMIT;
COPY stamps FROM stdin;
2026-01-03 00:00:00+00	2	\N	t3
\.
UPDATE stamps SET value = '3';
BEGIN;
INSERT INTO stamps VALUES ('2026-01-04 00:00:00+00', '4', NULL, 't4');
ROLLBACK;
SELECT topic, value FROM sent WHERE topic LIKE 'prefix.t_';
-- a row that cannot be sent is not inserted
INSERT INTO stamps VALUES (now(), '5', NULL, NULL);
INSERT INTO stamps VALUES (now(), '5', NULL, 'not a topic');
INSERT INTO stamps VALUES (now(), '5', '[1]', 't5');
SELECT count(*) FROM stamps;
-- partitions, whose columns stand in another order; the outbox is the parent's
CREATE TABLE parts (id integer, v text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 (v text, id integer);
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (1) TO (10);
SELECT kafka.create_outbox('parts', topic => 'outbox_parts', key_column => 'id', value_column => 'v');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts VALUES (1, 'one'), (11, 'eleven');
INSERT INTO parts_1 VALUES ('two', 2);
SELECT outbox, key, value FROM sent WHERE topic = 'outbox_parts';
ALTER TABLE parts DETACH PARTITION parts_2;
INSERT INTO parts_2 VALUES (12, 'twelve');
SELECT count(*) FROM sent WHERE topic = 'outbox_parts';
-- a column that the outbox names is renamed, or dropped
ALTER TABLE parts RENAME v TO w;
INSERT INTO parts VALUES (3, 'three');
ALTER TABLE events DROP h;
\set VERBOSITY sqlstate
INSERT INTO events VALUES (2, '{}', 'outbox_a');
\set VERBOSITY default
-- a renamed table keeps its outbox
ALTER TABLE points RENAME TO places;
INSERT INTO places VALUES (4, '(3,4)', NULL);
SELECT outbox, value, headers FROM sent WHERE topic = 'outbox_points' ORDER BY value;
-- what cannot be
CREATE TABLE wrong (a text, b text);
SELECT kafka.create_outbox('wrong');
SELECT kafka.create_outbox('wrong', value_column => 'a');
\set VERBOSITY sqlstate
SELECT kafka.create_outbox('wrong', topic => 't');
SELECT kafka.create_outbox('wrong', topic => 't', value_column => 'no_such');
SELECT kafka.create_outbox('wrong', topic => 't', value_column => 'a', headers_column => 'b');
SELECT kafka.create_outbox('wrong', topic => 'not a topic', value_column => 'a');
SELECT kafka.create_outbox('wrong', topic => 't', value_column => 'a', server => 'no_such');
SELECT kafka.create_outbox('places', topic => 't', value_column => 'p');
SELECT kafka.create_outbox('sent', topic => 't', value_column => 'value');
SELECT kafka.create_outbox(NULL, topic => 't', value_column => 'value');
CREATE TEMPORARY TABLE passing (a text);
SELECT kafka.create_outbox('passing', topic => 't', value_column => 'a');
-- the trigger function elsewhere
CREATE TRIGGER t AFTER INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION kafka.copy_to_outbox('outbox_tables.events');
INSERT INTO wrong VALUES ('x');
DROP TRIGGER t ON wrong;
CREATE TRIGGER t BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION kafka.copy_to_outbox();
INSERT INTO wrong VALUES ('x');
SELECT kafka.drop_outbox('outbox_tables.wrong');
SELECT kafka.drop_outbox('outbox_tables.events');
\set VERBOSITY default
-- dropped: the trigger goes, the table stays
SELECT kafka.drop_outbox('outbox_tables.events', true), kafka.drop_outbox('outbox_tables.parts', true);
INSERT INTO events VALUES (2, '{}', 'outbox_a');
SELECT outbox FROM sent GROUP BY outbox ORDER BY outbox;
-- the table goes, its messages stay
DROP TABLE places;
SELECT outbox FROM kafka.outbox_status WHERE server = 'outbox_tables' ORDER BY outbox;
SELECT kafka.drop_outbox(name, true) FROM kafka.outbox_definition WHERE server = 'outbox_tables' ORDER BY name;
RESET search_path;
DROP SCHEMA outbox_tables CASCADE;
DROP SERVER outbox_tables;
