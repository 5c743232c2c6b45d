-- Cooperative rebalances: only the partitions whose position has changed are read anew.
SELECT count(t.created) FROM unnest(ARRAY['a', 'b', 'c']) AS n, LATERAL kafka.create_topic('consumer_cooperative_' || n, 1) AS t;
SELECT count(kafka.produce('consumer_cooperative_' || n, n || i, delivery => 'immediate')) FROM generate_series(0, 9) AS i, unnest(ARRAY['a', 'b', 'c']) AS n;
CREATE FUNCTION at() RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(right(topic, 1) || "offset", ' ' ORDER BY topic) FROM kafka.position() $$;
-- polls until it has n messages
CREATE FUNCTION take(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE got text[] := '{}'; more text[];
BEGIN
  WHILE cardinality(got) < n LOOP
    SELECT array_agg(value) INTO more FROM kafka.poll_text(n - cardinality(got), '10s');
    EXIT WHEN more IS NULL;
    got := got || more;
  END LOOP;
  RETURN (SELECT string_agg(v, ' ' ORDER BY v) FROM unnest(got) AS v);
END $$;
SELECT kafka.subscribe(ARRAY['consumer_cooperative_a', 'consumer_cooperative_b'], 'consumer_cooperative', start => 'earliest',
  options => '{"partition.assignment.strategy": "cooperative-sticky"}');
SELECT take(20);
SELECT protocol, partitions FROM kafka.consumers;
-- one of two moves, and back
BEGIN;
SELECT kafka.seek('consumer_cooperative_a', 0, 7);
SELECT take(3), at();
SAVEPOINT s;
SELECT kafka.seek('consumer_cooperative_b', 0, 8);
SELECT take(2), at();
ROLLBACK TO s;
SELECT at();
SELECT kafka.seek('consumer_cooperative_b', 0, 9);
SELECT take(1), at();
ROLLBACK;
SELECT at();
BEGIN;
SELECT kafka.seek('consumer_cooperative_a', 0, 5), kafka.seek('consumer_cooperative_b', 0, 5);
SAVEPOINT s;
SELECT take(10);
ROLLBACK TO s;
SELECT take(10);
COMMIT;
SELECT at();
SELECT right(topic, 1) AS topic, "offset" FROM kafka.committed() ORDER BY topic;
-- paused
SELECT kafka.seek('consumer_cooperative_a', 0, 8), kafka.seek('consumer_cooperative_b', 0, 8);
SELECT kafka.pause('consumer_cooperative_a');
SELECT take(2), at();
SELECT kafka.resume();
SELECT take(2), at();
-- more topics: what was there is kept
SELECT kafka.subscribe(ARRAY['consumer_cooperative_a', 'consumer_cooperative_b', 'consumer_cooperative_c'], 'consumer_cooperative', start => 'earliest',
  options => '{"partition.assignment.strategy": "cooperative-sticky"}');
SELECT take(10);
SELECT at();
-- a strategy that the group cannot have beside it
SELECT kafka.subscribe('consumer_cooperative_a', 'consumer_cooperative', consumer => 'eager', options => '{"partition.assignment.strategy": "range"}');
\set VERBOSITY terse
SELECT count(*) FROM kafka.poll(1, '10s', 'eager');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_consumer('eager');
SELECT kafka.close_consumer();
DROP FUNCTION at, take;
SELECT count(*) FROM kafka.delete_topic(ARRAY['consumer_cooperative_a', 'consumer_cooperative_b', 'consumer_cooperative_c']) WHERE deleted;
