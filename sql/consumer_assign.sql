-- kafka.assign: partitions of one's own choice, without a group or beside it.
SELECT created FROM kafka.create_topic('consumer_assign', 3);
SELECT count(kafka.produce('consumer_assign', i::text, partition => i % 3, ts => '2026-03-01 00:00Z'::timestamptz + i * interval '1 minute', delivery => 'immediate'))
  FROM generate_series(0, 29) AS i;
CREATE FUNCTION at(consumer text DEFAULT 'default') RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(partition || ':' || "offset", ' ' ORDER BY partition) FROM kafka.position(consumer) $$;
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

-- all partitions from the beginning; no group, nothing is stored
SELECT kafka.assign('consumer_assign');
SELECT take(30);
SELECT at();
SELECT count("offset") FROM kafka.committed();
SELECT group_id, topics, offsets, state, member_id, protocol, partitions, poll_deadline, assigned_by_hand FROM kafka.consumers;
BEGIN;
SELECT kafka.seek('consumer_assign', NULL, 8);
SELECT take(6);
ROLLBACK;
SELECT at();
\set VERBOSITY terse
SELECT kafka.commit_offsets();
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
-- the same name again: it begins anew
SELECT kafka.assign('consumer_assign', '{2,0,2}', '9');
SELECT at();
SELECT take(2);
SELECT kafka.assign('consumer_assign', '{2}');
SELECT kafka.seek('consumer_assign', 2, 8);
SELECT take(2);
SELECT at();
-- targets
SELECT kafka.assign('consumer_assign', target => '2026-03-01 00:28Z');
SELECT take(2), at();
SELECT kafka.assign('consumer_assign', '{1}', 'latest');
SELECT count(*) FROM kafka.poll(timeout => '300ms');
SELECT at();
SELECT count(kafka.produce('consumer_assign', '30', partition => 1, delivery => 'immediate'));
SELECT take(1);
-- two consumers at a time; the position of one is not the other's
SELECT kafka.assign('consumer_assign', '{0}', consumer => 'a'), kafka.assign('consumer_assign', '{0}', consumer => 'b');
SELECT take(3, 'a'), take(1, 'b'), take(1, 'a'), take(1, 'b');
SELECT at('a'), at('b');
SELECT kafka.close_consumer('a'), kafka.close_consumer('b');

-- with a group: only its offsets; where it has one, that counts and not the target
SELECT kafka.assign('consumer_assign', '{0}', options => '{"group_id": "consumer_assign"}');
SELECT take(4), at();
SELECT * FROM kafka.committed();
SELECT group_id, offsets, auto_commit, member_id FROM kafka.consumers;
SELECT kafka.assign('consumer_assign', '{0,1}', 'latest', '{"group_id": "consumer_assign", "auto_commit": false}');
SELECT at();
SELECT take(6);
SELECT at();
SELECT partition, "offset" FROM kafka.committed() ORDER BY 1;
SELECT kafka.commit_offsets(ARRAY[('consumer_assign', 0, 7, NULL)]::kafka.topic_partition[]);
SELECT partition, "offset" FROM kafka.committed() ORDER BY 1;
-- and in PostgreSQL
SELECT kafka.assign('consumer_assign', '{0}', '3', '{"group_id": "consumer_assign", "offsets": "postgres"}');
SELECT take(2);
SELECT partition, next_offset, owner_epoch FROM kafka.consumer_offset WHERE group_id = 'consumer_assign';
SELECT kafka.assign('consumer_assign', '{0}', '0', '{"group_id": "consumer_assign", "offsets": "postgres"}');
SELECT take(1);
SELECT partition, next_offset, owner_epoch FROM kafka.consumer_offset WHERE group_id = 'consumer_assign';
DELETE FROM kafka.consumer_offset WHERE group_id = 'consumer_assign';
-- librdkafka's properties, with dots or underscores
SELECT kafka.assign('consumer_assign', '{0}', options => '{"fetch.min.bytes": 1, "check_crcs": true, "on_missing": "earliest"}');
SELECT take(1);

-- a subscription cannot be assigned to, nor the other way round: each replaces the other
SELECT kafka.subscribe('consumer_assign', 'consumer_assign_group', start => 'earliest');
SELECT take(31);
SELECT assigned_by_hand, group_id, partitions FROM kafka.consumers;
SELECT kafka.assign('consumer_assign', '{0}');
SELECT assigned_by_hand, group_id, partitions FROM kafka.consumers;
-- not while there is something to commit
BEGIN;
SELECT take(1);
SELECT kafka.assign('consumer_assign', '{1}');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT at();

-- errors
\set VERBOSITY default
SELECT kafka.assign('consumer_assign', '{3}');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT kafka.assign('consumer_assign', '{-1}');
SELECT kafka.assign('consumer_assign', '{}');
SELECT kafka.assign('consumer_assign', '{0,NULL}');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.assign('consumer_assign', target => 'soon');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.assign('consumer_assign', target => NULL);
SELECT kafka.assign('consumer_assign', target => '99999999999999999999');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.assign(NULL);
SELECT kafka.assign('consumer_assign_missing');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.assign('^consumer_assign');
SELECT kafka.assign('consumer_assign', options => '{"offsets": "postgres"}');
SELECT kafka.assign('consumer_assign', options => '{"group_id": "g", "offsets": "nowhere"}');
SELECT kafka.assign('consumer_assign', options => '{"group_id": ""}');
SELECT kafka.assign('consumer_assign', options => '{"auto_commit": "perhaps", "group_id": "g"}');
\echo :LAST_ERROR_SQLSTATE
-- what it was before is still there
SELECT at();
SELECT kafka.close_consumer();
DROP FUNCTION at, take;
SELECT deleted FROM kafka.delete_topic('consumer_assign');
