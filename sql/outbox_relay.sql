-- CALL kafka.relay: committed rows become messages, each once, in ticks and in order.
\set VERBOSITY terse
\getenv brokers KAFKA_BROKERS
SELECT partitions FROM kafka.create_topic('outbox_relay', 2) AS t(topic, partitions, created);
CREATE SERVER outbox_relay FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
-- relayed by this test alone
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_relay', 'outbox_relay', false);
CREATE FOREIGN TABLE outbox_relay (v text, k text OPTIONS (meta 'key'),
  p int OPTIONS (meta 'partition'), o bigint OPTIONS (meta 'offset'),
  t timestamptz OPTIONS (meta 'timestamp'), h kafka.header[] OPTIONS (meta 'headers'))
  SERVER outbox_relay OPTIONS (topic 'outbox_relay', delivery 'outbox');
-- what a reader sees, in the order of each key, with the id that each message has
CREATE VIEW outbox_relay_read AS
SELECT k, v, (SELECT array_agg(x.name || CASE WHEN x.name = 'kafka_fdw.id' THEN '' ELSE '=' || convert_from(x.value, 'UTF8') END)
              FROM unnest(h) x) AS headers
  FROM outbox_relay ORDER BY k, o;

-- nothing there
CALL kafka.relay('outbox_relay');
INSERT INTO outbox_relay (k, v) VALUES ('a', '1'), ('b', NULL), (NULL, '3');
INSERT INTO outbox_relay (k, v, p, t, h) VALUES ('c', '4', 1, '2026-01-02 03:04:05.678+00', ARRAY[('n', 'x')::kafka.header, ('n', 'y')::kafka.header]);
BEGIN;
INSERT INTO outbox_relay (k, v) VALUES ('a', 'rolled back');
ROLLBACK;
BEGIN;
INSERT INTO outbox_relay (k, v) VALUES ('a', '5');
SAVEPOINT s;
INSERT INTO outbox_relay (k, v) VALUES ('a', 'rolled back to a savepoint');
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO outbox_relay (k, v) VALUES ('a', '6');
RELEASE s;
COMMIT;
BEGIN;
INSERT INTO outbox_relay (k, v) VALUES ('a', '7');
PREPARE TRANSACTION 'outbox_relay';
INSERT INTO outbox_relay (k, v) VALUES ('a', '8');
CALL kafka.relay('outbox_relay');
SELECT * FROM outbox_relay_read;
SELECT p, t FROM outbox_relay WHERE k = 'c';
SELECT count(DISTINCT x.value) AS ids, count(*) AS messages
  FROM outbox_relay, unnest(h) x WHERE x.name = 'kafka_fdw.id';
-- a transaction that was prepared before is late, and not lost
COMMIT PREPARED 'outbox_relay';
CALL kafka.relay('outbox_relay');
SELECT v FROM outbox_relay WHERE k = 'a' ORDER BY p, o;
-- what is published is published once
CALL kafka.relay('outbox_relay');
SELECT count(*) FROM outbox_relay;
SELECT messages, tick, tick = acknowledged AS acknowledged FROM kafka.outbox_tick t JOIN kafka.outbox_definition d ON d.id = t.outbox
 WHERE name = 'outbox_relay' ORDER BY tick;
SELECT state, enabled, backlog_rows, last_tick, messages, reason, last_error FROM kafka.outbox_status WHERE outbox = 'outbox_relay';
SELECT bool_and(published) FROM kafka.outbox WHERE outbox = 'outbox_relay';
SELECT kafka.wait_for_relay();
-- one tick at a time
INSERT INTO outbox_relay (k, v) VALUES ('a', '9');
CALL kafka.relay('outbox_relay', max_ticks => 1);
CALL kafka.relay('outbox_relay', max_ticks => 1);
SELECT v FROM outbox_relay WHERE k = 'a' ORDER BY p, o;
-- a row that Kafka does not take stops its outbox, and says which it is; nothing behind it overtakes it
SELECT setval('kafka.outbox_row_id', 1000000);
SELECT (kafka.produce('outbox_relay_missing', 'x', delivery => 'outbox', server => 'outbox_relay')).topic;
INSERT INTO outbox_relay (k, v) VALUES ('a', '10');
\set VERBOSITY default
DO $$ BEGIN
  PERFORM set_config('kafka_fdw.connect_timeout', '2s', false);
END $$;
CALL kafka.relay('outbox_relay');
SELECT v FROM outbox_relay WHERE k = 'a' AND v = '10';
-- it may be discarded: only that, and nothing that is published
SELECT kafka.outbox_discard('outbox_relay', 0), kafka.outbox_discard('outbox_relay', min(id)) AS published FROM kafka.outbox WHERE outbox = 'outbox_relay';
SELECT kafka.outbox_discard('outbox_relay', id) FROM kafka.outbox WHERE topic = 'outbox_relay_missing';
SELECT count(*) FROM kafka.outbox WHERE topic = 'outbox_relay_missing';
CALL kafka.relay('outbox_relay');
SELECT v FROM outbox_relay WHERE k = 'a' AND v = '10';
SELECT (kafka.produce('outbox_relay', 'x', partition => 2, delivery => 'outbox', server => 'outbox_relay')).topic;
CALL kafka.relay('outbox_relay');
DELETE FROM kafka.outbox_row WHERE topic = 'outbox_relay' AND partition = 2;
-- refused
BEGIN;
CALL kafka.relay('outbox_relay');
ROLLBACK;
DO $$ BEGIN CALL kafka.relay('outbox_relay'); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END $$;
CALL kafka.relay('no such outbox');
CALL kafka.relay('outbox_relay', 0);
SELECT kafka.outbox_resolve('outbox_relay', 'forget');
SELECT kafka.outbox_resolve('no such outbox', 'skip');
SELECT kafka.outbox_discard('no such outbox', 1);
SELECT kafka.outbox_discard('outbox_relay', NULL);
-- nobody but the relay writes positions, whatever the mode
SELECT kafka.produce('kafka_fdw.outbox.x', 'x', delivery => d, server => 'outbox_relay') FROM unnest(ARRAY['outbox']) d;
SELECT kafka.produce('kafka_fdw.outbox.x', 'x', delivery => 'immediate', server => 'outbox_relay');
SELECT kafka.produce('kafka_fdw.outbox.x', 'x', server => 'outbox_relay');
DROP VIEW outbox_relay_read;
DROP FOREIGN TABLE outbox_relay;
SELECT kafka.drop_outbox('outbox_relay');
DROP SERVER outbox_relay;
