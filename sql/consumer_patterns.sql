-- A topic that begins with ^ is a pattern: new topics that match join in.
SELECT created FROM kafka.create_topic('consumer_patterns_a', 1);
SELECT created FROM kafka.create_topic('consumer_patterns_b', 2);
SELECT created FROM kafka.create_topic('consumer_patterned', 1);
CREATE FUNCTION send(topic text, v text) RETURNS void LANGUAGE sql AS
  $$ SELECT count(kafka.produce(topic, v, delivery => 'immediate')) $$;
-- polls until n messages have come
CREATE FUNCTION take(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE got text[] := '{}'; more text[];
BEGIN
  FOR i IN 1 .. 100 LOOP
    SELECT array_agg(topic || ' ' || value) INTO more FROM kafka.poll_text(n - cardinality(got), '2s');
    got := got || coalesce(more, '{}');
    EXIT WHEN cardinality(got) >= n;
  END LOOP;
  RETURN (SELECT string_agg(v, ', ' ORDER BY v) FROM unnest(got) AS v);
END $$;
SELECT send('consumer_patterns_a', 'one'), send('consumer_patterns_b', 'two'), send('consumer_patterned', 'not this');
SELECT kafka.subscribe('^consumer_patterns_', 'consumer_patterns', start => 'earliest',
  options => '{"topic.metadata.refresh.interval.ms": 500}');
SELECT take(2);
SELECT topics, partitions, state FROM kafka.consumers;
SELECT topic, count(*) FROM kafka.assignment() GROUP BY topic ORDER BY topic;
-- a topic that comes later: from its beginning
SELECT created FROM kafka.create_topic('consumer_patterns_c', 1);
SELECT send('consumer_patterns_c', 'three');
SELECT take(1);
SELECT topic, count(*) FROM kafka.assignment() GROUP BY topic ORDER BY topic;
-- what was there goes on where it was
SELECT send('consumer_patterns_a', 'four'), send('consumer_patterns_c', 'five');
SELECT take(2);
-- in a transaction that has polled, the new topic waits for its end
BEGIN;
SELECT send('consumer_patterns_a', 'six');
SELECT take(1);
SELECT created FROM kafka.create_topic('consumer_patterns_d', 1);
SELECT send('consumer_patterns_d', 'seven');
SELECT count(*) FROM kafka.poll(timeout => '1500ms');
SELECT partitions FROM kafka.consumers;
COMMIT;
SELECT take(1);
SELECT partitions FROM kafka.consumers;
-- a pattern that matches nothing yet, beside a topic
SELECT kafka.subscribe(ARRAY['consumer_patterned', '^consumer_patterns_x$'], 'consumer_patterns_x', start => 'earliest',
  options => '{"topic.metadata.refresh.interval.ms": 500}');
SELECT take(1);
SELECT topic, partition, "position" FROM kafka.assignment() ORDER BY topic;
SELECT kafka.subscribe('^consumer_patterns_x$', 'consumer_patterns_x', start => 'earliest',
  options => '{"topic.metadata.refresh.interval.ms": 500}');
SELECT count(*) FROM kafka.poll(timeout => '1s');
SELECT created FROM kafka.create_topic('consumer_patterns_x', 1);
SELECT send('consumer_patterns_x', 'eight');
SELECT take(1);
SELECT kafka.close_consumer();
DROP FUNCTION send, take;
SELECT count(*) FROM kafka.delete_topic(ARRAY['consumer_patterns_a', 'consumer_patterns_b', 'consumer_patterns_c', 'consumer_patterns_d', 'consumer_patterns_x', 'consumer_patterned']) WHERE deleted;
