-- Messages that are too large (54000), by the client's limit and by the topic's.
SELECT * FROM kafka.create_topic('producer_large', 1);
SELECT * FROM kafka.create_topic('producer_large_topic', 1, config => '{"max.message.bytes": 10000}');
CREATE FOREIGN TABLE producer_large (v text, part int OPTIONS (meta 'partition'))
  SERVER kafka OPTIONS (topic 'producer_large', delivery 'immediate');
-- as large as it may be
INSERT INTO producer_large (v) VALUES (repeat('x', 990000));
SELECT length(v) FROM producer_large;
\set VERBOSITY terse
INSERT INTO producer_large (v) VALUES (repeat('x', 1000001));
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_large', repeat('x', 1000001), delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_large', 'x', repeat('k', 1000001), delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
-- in a transaction it is the statement's error, not COMMIT's
BEGIN;
SELECT (kafka.produce('producer_large', 'small')).topic;
SAVEPOINT s;
SELECT kafka.produce('producer_large', repeat('x', 1000001));
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
COMMIT;
-- just below the limit, where the record's own overhead counts
SELECT kafka.produce('producer_large', repeat('x', 1000000), delivery => 'immediate') IS NOT NULL AS sent;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT (kafka.produce('producer_large', repeat('x', 1000000))).topic;
\echo :LAST_ERROR_SQLSTATE
COMMIT;
\echo :LAST_ERROR_SQLSTATE
-- headers count too
SELECT kafka.produce('producer_large', repeat('x', 500000), headers => jsonb_build_object('h', repeat('h', 600000)), delivery => 'immediate') IS NOT NULL AS sent;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*), sum(length(v)) FROM producer_large WHERE length(v) < 999999;
\set VERBOSITY default
SELECT kafka.produce('producer_large', repeat('x', 1000001), delivery => 'immediate');

-- the topic's own limit: the broker refuses
\set VERBOSITY terse
SELECT kafka.produce('producer_large_topic', repeat('x', 20000), delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT (kafka.produce('producer_large_topic', 'small')).topic;
SELECT (kafka.produce('producer_large_topic', repeat('x', 20000))).topic;
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_large_topic', 'fits', delivery => 'immediate') IS NOT NULL AS sent;
CREATE FOREIGN TABLE producer_large_topic (v text) SERVER kafka OPTIONS (topic 'producer_large_topic');
SELECT v FROM producer_large_topic ORDER BY v;
-- one of many: nobody is told that all went well, and the session goes on
ALTER FOREIGN TABLE producer_large_topic OPTIONS (ADD delivery 'immediate');
INSERT INTO producer_large_topic SELECT repeat('y', CASE WHEN i = 50 THEN 20000 ELSE 10 END) FROM generate_series(1, 100) AS i;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_large_topic VALUES ('after');
SELECT count(*) FROM producer_large_topic WHERE v = 'after';
SELECT count(*) FROM producer_large_topic WHERE length(v) > 100;

-- a larger limit on the server and the topic
\getenv brokers KAFKA_BROKERS
CREATE SERVER producer_large FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers', message_max_bytes '5000000');
SELECT * FROM kafka.create_topic('producer_large_more', 1, config => '{"max.message.bytes": "6000000"}', server => 'producer_large');
CREATE FOREIGN TABLE producer_large_more (v text) SERVER producer_large OPTIONS (topic 'producer_large_more');
INSERT INTO producer_large_more VALUES (repeat('x', 4000000));
SELECT length(v) FROM producer_large_more;
INSERT INTO producer_large_more VALUES (repeat('x', 5000001));
\echo :LAST_ERROR_SQLSTATE
DROP FOREIGN TABLE producer_large_more;
DROP SERVER producer_large;
SELECT deleted FROM kafka.delete_topic(ARRAY['producer_large', 'producer_large_topic', 'producer_large_more']);
