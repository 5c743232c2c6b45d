-- Offsets in the group: what COMMIT stores, and what a consumer begins with.
SELECT created FROM kafka.create_topic('consumer_commit', 2);
SELECT count(kafka.produce('consumer_commit', i::text, partition => i % 2, delivery => 'immediate')) FROM generate_series(0, 19) AS i;
CREATE FUNCTION stored(consumer text DEFAULT 'default') RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(partition || ':' || coalesce("offset"::text, '-'), ' ' ORDER BY partition) FROM kafka.committed(consumer) $$;
-- polls until it has n messages
CREATE FUNCTION take(n int, consumer text DEFAULT 'default') RETURNS text LANGUAGE plpgsql AS $$
DECLARE got text[] := '{}'; more text[];
BEGIN
  WHILE cardinality(got) < n LOOP
    SELECT array_agg(value) INTO more FROM kafka.poll_text(n - cardinality(got), '10s', consumer);
    EXIT WHEN more IS NULL;
    got := got || more;
  END LOOP;
  RETURN (SELECT string_agg(v, ' ' ORDER BY v::int) FROM unnest(got) AS v);
END $$;

-- auto_commit: where it begins is stored too
SELECT kafka.subscribe('consumer_commit', 'consumer_commit', start => 'earliest');
SELECT count(*) FROM kafka.poll(1, '10s');
SELECT sum("offset") FROM kafka.committed();
SELECT cardinality(string_to_array(take(19), ' '));
SELECT stored();
-- another consumer of the group goes on there, whatever its start says
SELECT kafka.close_consumer();
SELECT kafka.subscribe('consumer_commit', 'consumer_commit', start => 'earliest');
SELECT count(*) FROM kafka.poll(timeout => '3s');
SELECT stored();
SELECT count(kafka.produce('consumer_commit', i::text, partition => i % 2, delivery => 'immediate')) FROM generate_series(20, 23) AS i;
SELECT take(4);
SELECT stored();
SELECT kafka.close_consumer();

-- start 'latest' is the default
SELECT kafka.subscribe('consumer_commit', 'consumer_commit_latest');
SELECT count(*) FROM kafka.poll(timeout => '4s');
SELECT stored();
SELECT count(kafka.produce('consumer_commit', '24', partition => 0, delivery => 'immediate'));
SELECT value FROM kafka.poll_text(timeout => '10s');
SELECT stored();
SELECT kafka.close_consumer();
-- start 'none': a group without offsets is an error, each time
SELECT kafka.subscribe('consumer_commit', 'consumer_commit_none', start => 'none');
\set VERBOSITY terse
SELECT count(*) FROM kafka.poll(timeout => '10s');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kafka.poll(timeout => '10s');
\set VERBOSITY default
SELECT kafka.close_consumer();

-- by hand: only what is marked, and at COMMIT
SELECT kafka.subscribe('consumer_commit', 'consumer_commit_hand', start => 'earliest', auto_commit => false);
SELECT take(25);
SELECT stored();
SELECT kafka.commit_offsets();
SELECT stored();
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 1, 5, 'half way')]::kafka.topic_partition[]);
SELECT stored();
-- a mark does not move the position
SELECT sum("offset") FROM kafka.position();
BEGIN;
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 0, 1, NULL), ('consumer_commit', 1, 2, NULL)]::kafka.topic_partition[]);
SELECT stored();
SAVEPOINT s;
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 0, 7, NULL)]::kafka.topic_partition[]);
ROLLBACK TO s;
COMMIT;
SELECT stored();
BEGIN;
SELECT kafka.commit_offsets();
ROLLBACK;
SELECT stored();
-- the later mark counts
BEGIN;
SELECT kafka.commit_offsets();
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 0, 3, NULL)]::kafka.topic_partition[]);
COMMIT;
SELECT stored();
-- messages polled after the mark are not in it
SELECT count(kafka.produce('consumer_commit', i::text, partition => 0, delivery => 'immediate')) FROM generate_series(25, 26) AS i;
BEGIN;
SELECT take(1);
SELECT kafka.commit_offsets();
SELECT take(1);
COMMIT;
SELECT stored();
SELECT "offset" FROM kafka.position() WHERE partition = 0;
-- async: nobody waits, but it comes
SELECT kafka.commit_offsets(async => true);
DO $$
BEGIN
  FOR i IN 1 .. 200 LOOP
    EXIT WHEN stored() = '0:15 1:12';
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT stored();
SELECT offset_commits > 0 AS commits, offset_commit_failures FROM kafka.client_stats;
SELECT kafka.close_consumer();
-- with auto_commit a mark counts instead of the position
SELECT kafka.subscribe('consumer_commit', 'consumer_commit_both', start => 'earliest');
BEGIN;
SELECT take(27);
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 1, 9, 'mark')]::kafka.topic_partition[]);
COMMIT;
SELECT stored();

-- errors
\set VERBOSITY terse
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 2, 0, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_offsets(ARRAY[('elsewhere', 0, 0, NULL)]::kafka.topic_partition[]);
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 0, -1, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', 0, 1, NULL), ('consumer_commit', 0, 2, NULL)]::kafka.topic_partition[]);
SELECT kafka.commit_offsets(ARRAY[NULL]::kafka.topic_partition[]);
SELECT kafka.commit_offsets(ARRAY[('consumer_commit', NULL, 0, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_offsets('{}');
SELECT stored();
SELECT kafka.close_consumer();
DROP FUNCTION stored, take;
SELECT deleted FROM kafka.delete_topic('consumer_commit');
