-- kafka.seek, pause and resume.
SELECT created FROM kafka.create_topic('consumer_seek', 2);
SELECT count(kafka.produce('consumer_seek', i::text, partition => i % 2, ts => '2026-03-01 00:00Z'::timestamptz + i * interval '1 minute', delivery => 'immediate'))
  FROM generate_series(0, 19) AS i;
CREATE FUNCTION at() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(partition || ':' || "offset", ' ' ORDER BY partition) FROM kafka.position() $$;
CREATE FUNCTION take(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE got text[] := '{}'; more text[];
BEGIN
  WHILE cardinality(got) < n LOOP
    SELECT array_agg(value) INTO more FROM kafka.poll_text(n - cardinality(got), '10s');
    EXIT WHEN more IS NULL;
    got := got || more;
  END LOOP;
  RETURN (SELECT string_agg(v, ' ' ORDER BY v::int) FROM unnest(got) AS v);
END $$;
SELECT kafka.subscribe('consumer_seek', 'consumer_seek', start => 'earliest');
-- not before it has partitions
\set VERBOSITY terse
SELECT kafka.seek('consumer_seek', 0, 'earliest');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT take(20);
SELECT at();
-- text
SELECT kafka.seek('consumer_seek', NULL, 'earliest');
SELECT at();
SELECT kafka.seek('consumer_seek', 1, 'LATEST');
SELECT at();
SELECT take(3);
SELECT kafka.seek('consumer_seek', 0, '8');
SELECT at(), take(2);
-- a number
SELECT kafka.seek('consumer_seek', 1, 5);
SELECT at(), take(5);
SELECT kafka.seek('consumer_seek', NULL, 9::bigint);
SELECT at(), take(2);
-- times: the first message of then or later, in each partition; behind the last one: the end
SELECT kafka.seek('consumer_seek', NULL, '2026-03-01 00:15Z'::timestamptz);
SELECT at(), take(5);
SELECT kafka.seek('consumer_seek', 0, '2026-03-01 00:16Z');
SELECT at(), take(2);
SELECT kafka.seek('consumer_seek', 0, '2026-03-01 00:15:59.9999Z'::timestamptz);
SELECT at();
SELECT kafka.seek('consumer_seek', 0, '2026-03-01 00:16:00.000001Z'::timestamptz);
SELECT at();
SELECT kafka.seek('consumer_seek', NULL, '2030-01-01'::timestamptz);
SELECT at();
SELECT kafka.seek('consumer_seek', NULL, '-infinity'::timestamptz);
SELECT at();
SELECT kafka.seek('consumer_seek', NULL, 'infinity'::timestamptz);
SELECT at();
SELECT kafka.seek('consumer_seek', NULL, '1969-01-01'::timestamptz);
SELECT at();
-- arguments may be given by name
SELECT kafka.seek(topic => 'consumer_seek', partition => NULL, target => 'latest', consumer => 'default');
SELECT at();

-- it belongs to the transaction; COMMIT stores it
SELECT string_agg(partition || ':' || "offset", ' ' ORDER BY partition) FROM kafka.committed();
BEGIN;
SELECT kafka.seek('consumer_seek', NULL, 2);
SELECT take(1) IS NOT NULL;
SAVEPOINT s;
SELECT kafka.seek('consumer_seek', NULL, 0);
ROLLBACK TO s;
SELECT sum("offset") FROM kafka.position();
ROLLBACK;
SELECT at();
SELECT kafka.seek('consumer_seek', NULL, 7);
SELECT string_agg(partition || ':' || "offset", ' ' ORDER BY partition) FROM kafka.committed();
SELECT take(6);

-- pause: not part of the transaction
SELECT kafka.seek('consumer_seek', NULL, 5);
BEGIN;
SELECT kafka.pause('consumer_seek', 0);
ROLLBACK;
SELECT partition, paused, "position" FROM kafka.assignment() ORDER BY partition;
SELECT take(5);
SELECT count(*) FROM kafka.poll(timeout => '300ms');
SELECT at();
-- a seek of a paused one holds when it is resumed
SELECT kafka.seek('consumer_seek', 0, 8);
SELECT kafka.resume('consumer_seek', 0);
SELECT take(2);
SELECT kafka.pause();
SELECT count(*) FILTER (WHERE paused) FROM kafka.assignment();
SELECT kafka.seek('consumer_seek', NULL, 9);
SELECT count(*) FROM kafka.poll(timeout => '300ms');
SELECT kafka.resume('consumer_seek');
SELECT take(2);
SELECT kafka.resume();
-- paused while messages are fetched ahead, in mid-transaction
SELECT kafka.seek('consumer_seek', NULL, 0);
BEGIN;
SELECT count(*) FROM kafka.poll(1, '10s');
SELECT kafka.pause('consumer_seek');
SELECT count(*) FROM kafka.poll(timeout => '300ms');
ROLLBACK;
SELECT kafka.resume();
SELECT take(20);

-- beyond the end: an error at the poll, and on with a seek
SELECT kafka.seek('consumer_seek', 1, 1000);
SELECT count(*) FROM kafka.poll(timeout => '10s');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT count(*) FROM kafka.poll(timeout => '10s');
SELECT kafka.seek('consumer_seek', 1, 'latest');
SELECT count(*) FROM kafka.poll(timeout => '300ms');
SELECT at();
-- the end itself is a place
SELECT kafka.seek('consumer_seek', 1, 10);
SELECT count(*) FROM kafka.poll(timeout => '300ms');

-- errors
SELECT kafka.seek('consumer_seek', 2, 'earliest');
SELECT kafka.seek('elsewhere', NULL, 'earliest');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.seek('consumer_seek', -1, 'earliest');
SELECT kafka.seek('consumer_seek', 0, -1);
SELECT kafka.seek('consumer_seek', 0, 'soon');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.seek('consumer_seek', 0, NULL::bigint);
SELECT kafka.seek('consumer_seek', 0, NULL::timestamptz);
SELECT kafka.seek('consumer_seek', 0, NULL::text);
SELECT kafka.seek(NULL, 0, 'earliest');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.pause('consumer_seek', 5);
SELECT kafka.resume('elsewhere');
SELECT kafka.seek('consumer_seek', 0, 'earliest', 'nobody');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_consumer();
DROP FUNCTION at, take;
SELECT deleted FROM kafka.delete_topic('consumer_seek');
