-- kafka.consumers: the consumers of this session, and what they are doing.
SELECT created FROM kafka.create_topic('consumer_views', 2);
SELECT count(kafka.produce('consumer_views', i::text, partition => i % 2, delivery => 'immediate')) FROM generate_series(0, 9) AS i;
CREATE VIEW seen AS SELECT consumer, server, username = current_user AS mine, group_id, topics, offsets, auto_commit, state,
  protocol, partitions, pending, messages, commit_failures, assigned_by_hand FROM kafka.consumers;
CREATE FUNCTION take(n int, consumer text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE got int := 0;
BEGIN
  WHILE got < n LOOP
    got := got + (SELECT count(*) FROM kafka.poll(n - got, '10s', consumer));
  END LOOP;
  RETURN got;
END $$;
SELECT count(*) FROM kafka.consumers;
-- a look sends nothing, and joins nothing
SELECT kafka.subscribe(ARRAY['consumer_views'], 'consumer_views', start => 'earliest', consumer => 'one');
SELECT * FROM seen;
SELECT member_id, last_poll, poll_deadline, rebalances, created <= now() AS dated FROM kafka.consumers;
SELECT take(10, 'one');
SELECT * FROM seen;
SELECT member_id IS NOT NULL AS joined, last_poll >= created AS polled, poll_deadline - last_poll AS interval, rebalances FROM kafka.consumers;
BEGIN;
SELECT kafka.seek('consumer_views', NULL, 'earliest', 'one');
SELECT pending, messages FROM kafka.consumers;
SELECT take(4, 'one');
SELECT pending, messages FROM kafka.consumers;
ROLLBACK;
-- messages counts what was handed out, rolled back or not
SELECT pending, messages FROM kafka.consumers;
SELECT messages_polled, offset_commits > 0 AS commits, offset_commit_failures FROM kafka.client_stats;

-- one with other options, one by hand, one that has not polled in time
SELECT kafka.subscribe('consumer_views', 'consumer_views_postgres', offsets => 'postgres', auto_commit => false, consumer => 'two',
  options => '{"partition.assignment.strategy": "cooperative-sticky"}');
SELECT count(*) FROM kafka.poll(timeout => '4s', consumer => 'two');
SELECT kafka.assign('consumer_views', '{1}', consumer => 'three');
SELECT kafka.subscribe('consumer_views', 'consumer_views_late', consumer => 'four', start => 'earliest',
  options => '{"max.poll.interval.ms": 1000, "session.timeout.ms": 1000, "heartbeat.interval.ms": 100}');
SELECT * FROM seen ORDER BY consumer;
SELECT consumer, protocol, partitions FROM kafka.consumers WHERE consumer = 'two';
-- the broker refuses so short a session
SELECT take(1, 'four');
SELECT kafka.subscribe('consumer_views', 'consumer_views_late', consumer => 'four', start => 'earliest',
  options => '{"max.poll.interval.ms": 6000, "session.timeout.ms": 6000}');
SELECT take(1, 'four');
SELECT state FROM kafka.consumers WHERE consumer = 'four';
DO $$
BEGIN
  WHILE (SELECT poll_deadline > clock_timestamp() FROM kafka.consumers WHERE consumer = 'four') LOOP
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
SELECT state FROM kafka.consumers WHERE consumer = 'four';
SELECT kafka.unsubscribe('two');
SELECT consumer, state FROM kafka.consumers ORDER BY consumer;
-- who may look
CREATE ROLE consumer_views_user;
SET ROLE consumer_views_user;
SELECT count(*) FROM kafka.consumers;
RESET ROLE;
DROP ROLE consumer_views_user;
SELECT kafka.close_consumer(consumer) FROM kafka.consumers ORDER BY consumer;
SELECT count(*) FROM kafka.consumers;
DELETE FROM kafka.consumer_offset WHERE topic = 'consumer_views';
DROP VIEW seen;
DROP FUNCTION take;
SELECT deleted FROM kafka.delete_topic('consumer_views');
