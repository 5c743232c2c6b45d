-- peer_W7: Timestamps of messages: milliseconds, what Kafka can hold, what the topic accepts.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT * FROM kafka.create_topic('producer_timestamps', 1);
CREATE FOREIGN TABLE producer_timestamps (v text, ts timestamptz OPTIONS (meta 'timestamp'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'producer_timestamps', delivery 'immediate');
INSERT INTO producer_timestamps VALUES ('1 ms', '1970-01-01 00:00:00.001+00'), ('before 2000', '1999-12-31 23:59:59.9995+00'),
  ('2000', '2000-01-01 00:00:00+00'), ('micro', '2024-05-06 07:08:09.123999+00'), ('zone', '2024-05-06 07:08:09+05:30');
SELECT v, ts FROM producer_timestamps ORDER BY offs;
-- none given: now
INSERT INTO producer_timestamps VALUES ('now', NULL);
SELECT v, ts BETWEEN now() - interval '5 minutes' AND now() + interval '5 minutes' AS now FROM producer_timestamps WHERE v = 'now';
-- in a transaction: when it was sent, or what was given
BEGIN;
SELECT (kafka.produce('producer_timestamps', 'given', ts => '2001-02-03 04:05:06+00')).ts;
SELECT (kafka.produce('producer_timestamps', 'not given')).ts;
COMMIT;
SELECT v, CASE WHEN v = 'given' THEN ts END AS ts, ts > now() - interval '5 minutes' AS now
  FROM producer_timestamps WHERE v LIKE '%given' ORDER BY v;
-- what cannot be: an error, never another timestamp
\set VERBOSITY terse
SELECT kafka.produce('producer_timestamps', 'zero', ts => '1970-01-01 00:00:00+00', delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_timestamps', 'before', ts => '1969-12-31 23:59:59.999+00', delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_timestamps', 'infinity', ts => 'infinity', delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('producer_timestamps', '-infinity', ts => '-infinity');
\echo :LAST_ERROR_SQLSTATE
-- the broker refuses what is far in the future (message.timestamp.after.max.ms)
SELECT kafka.produce('producer_timestamps', 'future', ts => '2999-01-01', delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
-- DETAIL says why, in librdkafka's words, not in the message's bytes
DO $$
DECLARE
  d text;
BEGIN
  PERFORM kafka.produce('producer_timestamps', 'the value of the message', ts => '2999-01-01', delivery => 'immediate');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
  RAISE NOTICE '% shows the value: %, says timestamp: %', SQLSTATE, d LIKE '%the value of%', d ILIKE '%timestamp%';
END $$;
SELECT v FROM producer_timestamps WHERE v IN ('zero', 'before', 'infinity', '-infinity', 'future') OR v LIKE 'the value%' ORDER BY v;
SELECT deleted FROM kafka.delete_topic('producer_timestamps');
