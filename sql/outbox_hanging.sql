-- Rows that stand in Kafka already, in a transaction that nobody has ended, are not sent a second
-- time: a broker that was killed can forget to abort what a relay had open.
\getenv brokers KAFKA_BROKERS
SET client_min_messages = error;
SELECT partitions FROM kafka.create_topic('outbox_hanging', 2, server => 'kafka') AS t(topic, partitions, created);
CREATE SERVER outbox_hanging FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_hanging', 'outbox_hanging', false);
CREATE FOREIGN TABLE outbox_hanging (v text, k text OPTIONS (meta 'key'), p int OPTIONS (meta 'partition'), o bigint OPTIONS (meta 'offset'))
  SERVER outbox_hanging OPTIONS (topic 'outbox_hanging', delivery 'outbox');
CREATE FOREIGN TABLE outbox_hanging_all (v text) SERVER kafka OPTIONS (topic 'outbox_hanging', isolation_level 'read_uncommitted');
CREATE PROCEDURE outbox_hanging_await(message text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..500 LOOP
    EXIT WHEN EXISTS (SELECT FROM outbox_hanging_all a WHERE a.v = message);
  END LOOP;
END $$;
SET kafka_fdw.commit_timeout = '300ms';
INSERT INTO outbox_hanging (v, k, p) VALUES ('0', 'k', 0);
CALL kafka.relay('outbox_hanging');
-- somebody else's open transaction is not waited for
SELECT kafka.begin_transaction('outbox_hanging', server => 'kafka') IS NOT NULL AS begun;
SELECT (kafka.send_transactional('outbox_hanging', 'of somebody else', partition => 0, headers => '{"kafka_fdw.id": "another"}', transactional_id => 'outbox_hanging', server => 'kafka')).topic;
CALL outbox_hanging_await('of somebody else');
INSERT INTO outbox_hanging (v, k, p) VALUES ('1', 'k', 0);
CALL kafka.relay('outbox_hanging');
SELECT kafka.abort_transaction('outbox_hanging', server => 'kafka');
SELECT v, p, o FROM outbox_hanging ORDER BY o;
-- one with the very row is
INSERT INTO outbox_hanging (v, k, p) VALUES ('2', 'k', 1);
SELECT d.uuid || '/' || max(r.id) AS id FROM kafka.outbox_row r JOIN kafka.outbox_definition d ON d.id = r.outbox
 WHERE d.name = 'outbox_hanging' GROUP BY d.uuid \gset
SELECT kafka.begin_transaction('outbox_hanging', server => 'kafka') IS NOT NULL AS begun;
SELECT (kafka.send_transactional('outbox_hanging', '2', partition => 1, headers => jsonb_build_object('kafka_fdw.id', :'id'), transactional_id => 'outbox_hanging', server => 'kafka')).topic;
CALL outbox_hanging_await('2');
\set VERBOSITY terse
CALL kafka.relay('outbox_hanging');
CALL kafka.relay('outbox_hanging');
SELECT kafka.abort_transaction('outbox_hanging', server => 'kafka');
CALL kafka.relay('outbox_hanging');
SELECT v, p FROM outbox_hanging ORDER BY p, o;
-- what this relay has open itself is not waited for: one topic, two partitioners, one tick
CREATE FOREIGN TABLE outbox_hanging_random (v text, k text OPTIONS (meta 'key'))
  SERVER outbox_hanging OPTIONS (topic 'outbox_hanging', delivery 'outbox', partitioner 'random');
BEGIN;
-- long enough for the first ones to be in Kafka
INSERT INTO outbox_hanging (v, k, p) SELECT i, 'k', 0 FROM generate_series(3, 30000) i;
INSERT INTO outbox_hanging_random (v, k) VALUES ('30001', 'k');
COMMIT;
CALL kafka.relay('outbox_hanging');
SELECT count(*), count(DISTINCT v) FROM outbox_hanging;
DROP FOREIGN TABLE outbox_hanging_random;
SELECT kafka.close_transaction('outbox_hanging', server => 'kafka');
DROP FOREIGN TABLE outbox_hanging, outbox_hanging_all;
DROP PROCEDURE outbox_hanging_await;
SELECT kafka.drop_outbox('outbox_hanging');
DROP SERVER outbox_hanging;
