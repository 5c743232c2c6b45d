-- kafka.poll and kafka.poll_text: what comes out of them, and when they end.
SELECT created FROM kafka.create_topic('consumer_poll', 2);
SELECT count(kafka.produce('consumer_poll', v, k, h, p, ts, 'immediate')) FROM (VALUES
  ('one', 'k1', '{"a": "1", "b": null}'::jsonb, 0, '2026-01-02 03:04:05.678901+00'::timestamptz),
  ('two', NULL, NULL, 0, NULL),
  (NULL, 'k3', '[{"name": "a", "value": "x"}, {"name": "a", "value": "y"}]', 1, '1970-01-01 00:00:00.001+00'),
  ('', '', NULL, 1, NULL)) AS m(v, k, h, p, ts);
SET timezone = 'UTC';
SELECT kafka.subscribe('consumer_poll', 'consumer_poll', start => 'earliest');
-- partitions come with the first poll
SELECT * FROM kafka.assignment();
CREATE TEMP TABLE polled AS SELECT * FROM kafka.poll(1, '10s');
DO $$
BEGIN
  WHILE (SELECT count(*) FROM polled) < 4 LOOP
    INSERT INTO polled SELECT * FROM kafka.poll(timeout => '10s');
  END LOOP;
END $$;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'polled'::regclass AND attnum > 0 ORDER BY attnum;
SELECT topic, partition, "offset", timestamp_type, key, value, headers,
       CASE WHEN "timestamp" < '2026-02-01' THEN "timestamp" END AS given, "timestamp" > now() - interval '1 hour' AS recent
  FROM polled ORDER BY partition, "offset";
SELECT * FROM kafka.assignment() ORDER BY topic, partition;
SELECT * FROM kafka.position() ORDER BY topic, partition;
-- the value of a tombstone is NULL, that of an empty message is not
SELECT key, value IS NULL AS tombstone FROM polled WHERE partition = 1 ORDER BY "offset";
SELECT pg_typeof(m), (m).topic FROM kafka.poll(1, '0') AS m;
-- a poll of nothing ends with the timeout
SELECT count(*) FROM kafka.poll(timeout => '0');
SELECT count(*) FROM kafka.poll(timeout => '10ms');
DO $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
  PERFORM kafka.poll(timeout => '400ms');
  RAISE NOTICE 'waited: %', clock_timestamp() - began BETWEEN '390ms' AND '20s';
END $$;

-- as text
SELECT kafka.seek('consumer_poll', NULL, 'earliest');
CREATE TEMP TABLE polled_text AS SELECT * FROM kafka.poll_text(1, '10s');
DO $$
BEGIN
  WHILE (SELECT count(*) FROM polled_text) < 4 LOOP
    INSERT INTO polled_text SELECT * FROM kafka.poll_text(timeout => '10s');
  END LOOP;
END $$;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'polled_text'::regclass AND attnum > 0 ORDER BY attnum;
SELECT partition, "offset", key, value, headers FROM polled_text ORDER BY partition, "offset";

-- not to be fetched by halves
CREATE FUNCTION send(a int, b int) RETURNS int LANGUAGE sql AS $$
  SELECT kafka.pause();
  SELECT count(kafka.produce('consumer_poll', i::text, partition => 0, delivery => 'immediate')) FROM generate_series(a, b) AS i;
  SELECT kafka.resume();
$$;
-- no more than max_messages; the next poll goes on behind them
SELECT send(1, 10);
SELECT value FROM kafka.poll_text(3, '10s');
SELECT value FROM kafka.poll_text(1, '10s');
SELECT "offset" FROM kafka.position() WHERE partition = 0;
-- NULL is the default
SELECT count(*), min(value::int), max(value::int) FROM kafka.poll_text(NULL, '10s');
-- a LIMIT or WHERE throws away what was polled
SELECT send(11, 20);
SELECT value FROM kafka.poll_text(5, '10s') LIMIT 1;
SELECT value FROM kafka.poll_text(3, '10s') WHERE value = '17';
SELECT value FROM kafka.poll_text(3, '10s');

-- two polls in one statement go on behind each other
SELECT send(21, 24);
SELECT (SELECT array_agg(value ORDER BY "offset") FROM kafka.poll_text(2, '10s')),
       (SELECT array_agg(value ORDER BY "offset") FROM kafka.poll_text(2, '10s'));
-- in the select list; in a cursor
SELECT send(25, 28);
SELECT (m).value FROM (SELECT kafka.poll(2, '10s') AS m) AS s;
BEGIN;
DECLARE c CURSOR FOR SELECT value FROM kafka.poll_text(2, '10s');
FETCH 1 FROM c;
FETCH 2 FROM c;
COMMIT;

-- bytes that are not UTF-8: an error of poll_text with the place; nothing is lost
SELECT kafka.pause();
SELECT count(kafka.produce('consumer_poll', v, partition => 1, delivery => 'immediate'))
  FROM (VALUES ('\x6f6b'::bytea), ('\xff'), ('\x616674657200')) AS m(v);
SELECT kafka.resume();
SELECT value FROM kafka.poll_text(timeout => '10s');
\echo :LAST_ERROR_SQLSTATE
SELECT value FROM kafka.poll_text(1, timeout => '10s');
SELECT value FROM kafka.poll_text(1, timeout => '10s');
SELECT value FROM kafka.poll(1, timeout => '10s');
-- PostgreSQL's text cannot hold a zero byte
SELECT value FROM kafka.poll_text(1, timeout => '10s');
\echo :LAST_ERROR_SQLSTATE
SELECT value FROM kafka.poll(1, timeout => '10s');
SELECT count(kafka.produce('consumer_poll', 'v', '\xfe'::bytea, partition => 1, delivery => 'immediate'));
SELECT convert_from(value, 'UTF8'), key FROM kafka.poll(1, timeout => '10s');

-- arguments
\set VERBOSITY terse
SELECT * FROM kafka.poll(0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.poll(-1);
SELECT * FROM kafka.poll(timeout => '-1s');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.poll(consumer => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.poll(consumer => '');
SELECT count(*) FROM kafka.poll(timeout => NULL);
SELECT kafka.close_consumer();
DROP FUNCTION send;
SELECT deleted FROM kafka.delete_topic('consumer_poll');
