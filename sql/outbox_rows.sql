-- Delivery "outbox": what is sent becomes a row, and no Kafka is asked. There is none behind this server.
SET client_min_messages = error;
CREATE SERVER outbox_rows FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.server = 'outbox_rows';
SET kafka_fdw.delivery = 'outbox';
-- no worker is to try
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_rows', 'outbox_rows', false);
CREATE VIEW outbox_rows AS
SELECT topic, partition, convert_from(key, 'UTF8') AS key, convert_from(value, 'UTF8') AS value,
  headers::jsonb AS headers, ts, published
FROM kafka.outbox WHERE outbox = 'outbox_rows' ORDER BY id;
-- by function
SELECT * FROM kafka.produce('outbox_rows', 'text', key => 'k1');
SELECT kafka.produce('outbox_rows', NULL::text, key => 'k1', delivery => 'outbox');
SELECT kafka.produce('outbox_rows', '{"a":  1}'::json, headers => '{"h": "v", "n": null, "x": {"hex": "00ff"}, "r": ["1", "2"]}');
SELECT kafka.produce('outbox_rows', '{"a":  1}'::jsonb, partition => 7, ts => '2026-01-01 00:00:00.123+00');
SELECT kafka.produce('outbox_rows', ''::text, key => '', headers => '{"": ""}');
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('outbox_rows', 'b1', key => 'k'), kafka.make_record('outbox_rows2', 'b2'::text)]);
SELECT ordinality FROM kafka.produce_batch('outbox_rows', ARRAY['b3', 'b4'], ARRAY['3', '4']);
SELECT * FROM outbox_rows;
-- bytes are bytes
SELECT (kafka.produce('outbox_rows', '\x00ff'::bytea, '\xff00'::bytea)).topic;
SELECT key, value, headers FROM kafka.outbox WHERE outbox = 'outbox_rows' ORDER BY id DESC LIMIT 1;
-- what is in the row is exact: lists of headers, null values
SELECT headers FROM kafka.outbox WHERE outbox = 'outbox_rows' AND headers IS NOT NULL ORDER BY id;
-- by foreign table
CREATE FOREIGN TABLE outbox_rows_table (k text OPTIONS (meta 'key'), p integer OPTIONS (meta 'partition'), o bigint OPTIONS (meta 'offset'),
  t timestamptz OPTIONS (meta 'timestamp'), v text)
  SERVER outbox_rows OPTIONS (topic 'outbox_rows_table', delivery 'outbox', partitioner 'random', batch_size '10');
INSERT INTO outbox_rows_table (k, p, v) VALUES ('a', 1, 'one'), ('b', NULL, 'two') RETURNING k, p, o, t, v;
INSERT INTO outbox_rows_table (k, v) SELECT i::text, 'many' FROM generate_series(1, 1000) i;
COPY outbox_rows_table (k, v) FROM stdin;
c	three
d	four
\.
EXPLAIN (COSTS OFF) INSERT INTO outbox_rows_table (k, v) VALUES ('x', 'y');
SELECT topic, partition, key, value FROM outbox_rows WHERE topic = 'outbox_rows_table' AND value <> 'many';
SELECT count(*), count(DISTINCT r.xid) AS transactions, min(r.partitioner) AS partitioner, bool_and(r.in_order) AS in_order
  FROM (SELECT *, id > lag(id, 1, 0::bigint) OVER (ORDER BY convert_from(key, 'UTF8')::integer) AS in_order
          FROM kafka.outbox_row WHERE topic = 'outbox_rows_table' AND value = 'many') r;
-- the server's partitioner is the relay's matter
ALTER FOREIGN TABLE outbox_rows_table OPTIONS (SET partitioner 'murmur2_random');
INSERT INTO outbox_rows_table (k, v) VALUES ('e', 'five');
SELECT partitioner FROM kafka.outbox_row WHERE topic = 'outbox_rows_table' ORDER BY id DESC LIMIT 1;
-- the row is in its index
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM kafka.outbox_row r JOIN kafka.outbox_definition d ON d.id = r.outbox WHERE d.name = 'outbox_rows' AND r.xid > '0';
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
RESET enable_seqscan;
SELECT count(*) FROM kafka.outbox_row r JOIN kafka.outbox_definition d ON d.id = r.outbox WHERE d.name = 'outbox_rows' AND r.xid > '0';
RESET enable_indexscan;
RESET enable_indexonlyscan;
RESET enable_bitmapscan;
-- large values are compressed or stored out of line
SELECT (kafka.produce('outbox_rows', string_agg(md5(i::text), ''), key => 'large')).topic FROM generate_series(1, 20000) i;
SELECT octet_length(r.value), md5(r.value) = (SELECT md5(string_agg(md5(i::text), '')) FROM generate_series(1, 20000) i) AS same
  FROM kafka.outbox_row r WHERE r.key = 'large';

-- what is refused when it is sent
\set VERBOSITY sqlstate
SELECT kafka.produce('not a topic', 'x');
SELECT kafka.produce('outbox_rows', 'x', partition => -1);
SELECT kafka.produce('outbox_rows', 'x', ts => 'infinity');
SELECT kafka.produce(NULL, 'x'::text);
\set VERBOSITY default
INSERT INTO outbox_rows_table (p, v) VALUES (-2, 'x');
ALTER SERVER outbox_rows OPTIONS (message_max_bytes '1000');
SELECT kafka.produce('outbox_rows', repeat('x', 1000));
SELECT (kafka.produce('outbox_rows', repeat('x', 800))).topic;
ALTER FOREIGN TABLE outbox_rows_table OPTIONS (linger_ms '5');
ALTER FOREIGN TABLE outbox_rows_table OPTIONS (DROP delivery, linger_ms '5');
INSERT INTO outbox_rows_table (v) VALUES ('x');
INSERT INTO outbox_rows_table (v) VALUES ('x');
ALTER SERVER outbox_rows OPTIONS (acks '1');
SELECT kafka.produce('outbox_rows', 'x');
ALTER SERVER outbox_rows OPTIONS (DROP acks);
-- an index that is not the extension's would miss rows
BEGIN;
CREATE INDEX outbox_rows_lower ON kafka.outbox_row_0 (lower(topic));
CREATE INDEX outbox_rows_lower1 ON kafka.outbox_row_1 (lower(topic));
CREATE INDEX outbox_rows_lower2 ON kafka.outbox_row_2 (lower(topic));
CREATE INDEX outbox_rows_lower3 ON kafka.outbox_row_3 (lower(topic));
\set VERBOSITY sqlstate
SELECT kafka.produce('outbox_rows', 'x');
\set VERBOSITY default
ROLLBACK;
REINDEX TABLE kafka.outbox_row_0;
SELECT kafka.produce('outbox_rows', 'after REINDEX');

-- an outbox with messages is not dropped by mistake
\set VERBOSITY sqlstate
SELECT kafka.drop_outbox('outbox_rows');
\set VERBOSITY default
SELECT kafka.drop_outbox('outbox_rows', force => true);
SELECT count(*) FROM kafka.outbox_row WHERE topic LIKE 'outbox_rows%';
-- and made anew by who sends
SELECT (kafka.produce('outbox_rows', 'again')).topic;
SELECT key, value FROM outbox_rows;
SELECT kafka.drop_outbox('outbox_rows', true);
DROP VIEW outbox_rows;
DROP SERVER outbox_rows CASCADE;
