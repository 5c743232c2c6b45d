-- From the row to the topic: by a worker where there is one, else by CALL.
SET client_min_messages = error;
SELECT current_setting('shared_preload_libraries') NOT LIKE '%kafka_fdw%' AS alone \gset
SELECT created FROM kafka.create_topic('outbox_published', 2);
SELECT created FROM kafka.create_topic('outbox.event.published', 1);
CREATE FOREIGN TABLE outbox_published (key text OPTIONS (meta 'key'), p integer OPTIONS (meta 'partition'), ts timestamptz OPTIONS (meta 'timestamp'),
  headers kafka.header[] OPTIONS (meta 'headers'), v text) SERVER kafka OPTIONS (topic 'outbox_published', delivery 'outbox');
CREATE FOREIGN TABLE outbox_published_events (key text OPTIONS (meta 'key'), headers kafka.header[] OPTIONS (meta 'headers'), v text)
  SERVER kafka OPTIONS (topic 'outbox.event.published');
CREATE TABLE outbox_published_table (id integer, aggregatetype text, aggregateid text, type text, payload jsonb);
SELECT kafka.create_outbox('outbox_published_table', server => 'kafka');
BEGIN;
INSERT INTO outbox_published (key, p, ts, headers, v) VALUES ('k', 1, '2026-01-01 00:00:00.5+00', ARRAY[('h', '\x00ff'), ('h', NULL)]::kafka.header[], 'one');
SAVEPOINT s;
INSERT INTO outbox_published (v) VALUES ('lost');
ROLLBACK TO s;
SELECT (kafka.produce('outbox_published', NULL::text, key => 'k', partition => 1, delivery => 'outbox')).topic;
INSERT INTO outbox_published_table VALUES (1, 'published', 'a', 'x', '{"n": 1}'), (2, 'published', 'b', 'x', NULL);
DELETE FROM outbox_published_table;
COMMIT;
\if :alone
CALL kafka.relay('kafka');
CALL kafka.relay('public.outbox_published_table');
\endif
SELECT kafka.wait_for_relay('60s');
SELECT key, p, CASE WHEN v IS NOT NULL THEN ts END AS ts, (SELECT array_agg(h) FROM unnest(headers) h WHERE h.name = 'h') AS headers, v FROM outbox_published WHERE p = 1 ORDER BY v;
SELECT count(*) FROM outbox_published WHERE v = 'lost';
SELECT key, (SELECT array_agg(h) FROM unnest(headers) h WHERE h.name = 'id') AS headers, v FROM outbox_published_events ORDER BY key;
SELECT outbox, state IN ('running', 'stopped') AS well, backlog_rows, backlog_bytes, oldest, last_tick > 0 AS tick, last_published IS NOT NULL AS published
  FROM kafka.outbox_status WHERE outbox IN ('kafka', 'public.outbox_published_table') ORDER BY outbox;
SELECT convert_from(value, 'UTF8') AS value, published FROM kafka.outbox WHERE topic IN ('outbox_published', 'outbox.event.published') ORDER BY id;
-- all is published: it may go without force
SELECT kafka.drop_outbox('public.outbox_published_table');
DROP TABLE outbox_published_table;
DROP FOREIGN TABLE outbox_published, outbox_published_events;
SELECT deleted FROM kafka.delete_topic(ARRAY['outbox_published', 'outbox.event.published']);
