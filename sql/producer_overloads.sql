-- kafka.produce: every declaration, named notation, null and empty.
SELECT * FROM kafka.create_topic('producer_overloads', 1);
CREATE FOREIGN TABLE producer_overloads (
  v bytea,
  k bytea OPTIONS (meta 'key'),
  h jsonb OPTIONS (meta 'headers'),
  tomb boolean OPTIONS (meta 'tombstone'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'producer_overloads', format 'bytes');

-- in the default mode, in one transaction; nothing is known of the message before COMMIT
BEGIN;
SELECT (d).* FROM (SELECT kafka.produce('producer_overloads', 'a literal') AS d) s;
SELECT (kafka.produce('producer_overloads', 'text'::text, 'key'::text)).topic;
SELECT (kafka.produce('producer_overloads', '\x00ff'::bytea)).topic;
SELECT (kafka.produce('producer_overloads', '\x00ff'::bytea, 'key')).topic;
SELECT (kafka.produce('producer_overloads', '\x00ff'::bytea, '\xfe00'::bytea)).topic;
SELECT (kafka.produce('producer_overloads', '{"b": 1,  "a": 2}'::json)).topic;
SELECT (kafka.produce('producer_overloads', '{"b": 1,  "a": 2}'::jsonb, 'key')).topic;
SELECT (kafka.produce('producer_overloads', 42::text)).topic;
SELECT (kafka.produce(topic => 'producer_overloads', value => 'named', key => 'k')).topic;
SELECT (kafka.produce('producer_overloads', server => 'kafka', delivery => 'before_commit',
                      headers => '{"h": "1"}', key => 'k2', value => to_json(now() IS NOT NULL))).topic;
SELECT (kafka.produce('producer_overloads', row_to_json(s)::jsonb, s.id::text)).topic
  FROM (VALUES (1, 'one')) AS s (id, name);
-- null: a tombstone; empty: a value
SELECT (kafka.produce('producer_overloads', NULL::text, 'gone')).topic;
SELECT (kafka.produce('producer_overloads', NULL, 'gone')).topic;
SELECT (kafka.produce('producer_overloads', NULL::jsonb, 'gone')).topic;
SELECT (kafka.produce('producer_overloads', '', 'empty')).topic;
SELECT (kafka.produce('producer_overloads', ''::bytea, ''::bytea)).topic;
SELECT (kafka.produce('producer_overloads', 'null'::jsonb, NULL)).topic;
COMMIT;
SELECT offs, encode(v, 'escape') AS v, encode(k, 'escape') AS k, h, tomb FROM producer_overloads ORDER BY offs;
SELECT offs, v = '' AS empty_value, v IS NULL AS null_value, k = '' AS empty_key, k IS NULL AS null_key
  FROM producer_overloads WHERE offs > 10 ORDER BY offs;

-- immediate: all is known
SELECT (d).topic, (d).partition, (d).offset - 18 AS place, (d).ts BETWEEN now() - interval '1 hour' AND now() + interval '1 hour' AS now
  FROM (SELECT kafka.produce('producer_overloads', 'x', delivery => 'immediate') AS d) s;

-- what is wrong
\set VERBOSITY terse
SELECT kafka.produce(NULL, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('no good', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce(repeat('x', 250), 'x');
SELECT kafka.produce('producer_overloads_missing', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads_missing', 'x', delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads', 'x', partition => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads', 'x', partition => 99, delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads', 'x', partition => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads', 'x', server => 'no_such_server');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads', 42);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_overloads', 'x', delivery => 'sometime');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT kafka.produce('producer_overloads', 'x', delivery => 'immediatly');
SELECT kafka.produce('producer_overloads_missing', 'x');
SELECT kafka.produce('producer_overloads', 'x', partition => 99);
-- none of these left anything
SELECT max(offs) - 18 AS place FROM producer_overloads;

-- the server that functions use: the setting, else the only one
CREATE SERVER producer_overloads_second FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:1');
SELECT kafka.produce('producer_overloads', 'x');
SET kafka_fdw.server = 'no_such_server';
SELECT kafka.produce('producer_overloads', 'x');
SET kafka_fdw.server = 'kafka';
SELECT (kafka.produce('producer_overloads', 'x', delivery => 'immediate')).offset - 18 AS place;
RESET kafka_fdw.server;
CREATE FOREIGN DATA WRAPPER producer_overloads_other;
CREATE SERVER producer_overloads_other FOREIGN DATA WRAPPER producer_overloads_other;
SELECT kafka.produce('producer_overloads', 'x', server => 'producer_overloads_other');
DROP SERVER producer_overloads_second;
-- a server of another wrapper does not count
SELECT (kafka.produce('producer_overloads', 'x', delivery => 'immediate')).offset - 18 AS place;
DROP SERVER producer_overloads_other;
DROP FOREIGN DATA WRAPPER producer_overloads_other;
SELECT deleted FROM kafka.delete_topic('producer_overloads');
