-- How far consumer groups are behind: kafka.consumer_lag, kafka.group_lag.
SELECT created FROM kafka.create_topic('admin_lag', 3);
SELECT created FROM kafka.create_topic('admin_lag_gone', 1);
SELECT count(kafka.produce('admin_lag', i::text, partition => i % 2, delivery => 'immediate')) FROM generate_series(1, 20) i;
SELECT count(kafka.produce('admin_lag_gone', i::text, delivery => 'immediate')) FROM generate_series(1, 5) i;
-- offsets of a group that has never had a consumer
CREATE PROCEDURE offsets(group_id text, offsets kafka.topic_partition[]) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM kafka.begin_transaction('admin-lag');
  PERFORM kafka.send_offsets_to_transaction(group_id, offsets);
  PERFORM kafka.commit_transaction('admin-lag');
  -- they are the group's some milliseconds later
  WHILE EXISTS (SELECT topic, partition, "offset" FROM unnest(offsets) EXCEPT SELECT topic, partition, "offset" FROM kafka.group_offsets(group_id)) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
CALL offsets('admin_lag_a', ARRAY[('admin_lag', 0, 4, NULL), ('admin_lag', 1, 10, NULL), ('admin_lag_gone', 0, 2, NULL)]::kafka.topic_partition[]);
CALL offsets('admin_lag_b', ARRAY[('admin_lag', 1, 0, NULL), ('admin_lag', 2, 0, 'at its end')]::kafka.topic_partition[]);
SELECT * FROM kafka.consumer_lag('admin_lag_a');
SELECT * FROM kafka.group_lag WHERE group_id LIKE 'admin\_lag%' ORDER BY group_id, topic, partition;
SELECT group_id, sum(lag) FROM kafka.group_lag WHERE group_id LIKE 'admin\_lag%' GROUP BY group_id ORDER BY group_id;
-- beyond the end it is negative, as other tools have it
CALL offsets('admin_lag_b', ARRAY[('admin_lag', 2, 7, NULL)]::kafka.topic_partition[]);
SELECT topic, partition, committed, end_offset, lag FROM kafka.consumer_lag('admin_lag_b');
-- messages of an open transaction are not behind yet
SELECT kafka.begin_transaction('admin-lag');
SELECT count(kafka.send_transactional('admin_lag', i::text, partition => 1)) FROM generate_series(1, 5) i;
SELECT partition, committed, end_offset, lag FROM kafka.consumer_lag('admin_lag_a') WHERE topic = 'admin_lag';
-- nor do its offsets count: asking does not wait for it
SELECT kafka.send_offsets_to_transaction('admin_lag_a', ARRAY[('admin_lag', 0, 9, NULL)]::kafka.topic_partition[]);
SELECT clock_timestamp() AS begun \gset
SELECT partition, committed, lag FROM kafka.consumer_lag('admin_lag_a') WHERE topic = 'admin_lag';
SELECT clock_timestamp() - :'begun' < interval '2 s' AS soon;
SELECT kafka.commit_transaction();
DO $$ BEGIN
  FOR i IN 1 .. 500 LOOP
    EXIT WHEN (SELECT committed = 9 FROM kafka.consumer_lag('admin_lag_a') WHERE topic = 'admin_lag' AND partition = 0);
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
SELECT partition, committed, lag > 0 AS behind FROM kafka.consumer_lag('admin_lag_a') WHERE topic = 'admin_lag';

-- three requests, however many partitions
SELECT created FROM kafka.create_topic('admin_lag_many', 100);
SELECT count(*) FROM kafka.alter_group_offsets('admin_lag_a', 'admin_lag_many', target => 'earliest');
SELECT count(*) FROM kafka.consumer_lag('admin_lag_a');
SELECT requests FROM kafka.client_stats WHERE server = 'kafka' AND username = current_user \gset before_
SELECT count(*), sum(lag) FILTER (WHERE topic = 'admin_lag_many') AS many FROM kafka.consumer_lag('admin_lag_a');
SELECT requests - :before_requests AS requests FROM kafka.client_stats WHERE server = 'kafka' AND username = current_user;
SELECT deleted FROM kafka.delete_topic('admin_lag_many');

-- a topic that is gone takes its offsets along, sooner or later: until then its rows say why they have no end
SELECT deleted FROM kafka.delete_topic('admin_lag_gone');
SELECT count(*) FILTER (WHERE lag IS NOT NULL) AS known, bool_and(end_offset IS NULL AND error LIKE '%nknown topic%') FILTER (WHERE lag IS NULL) IS NOT FALSE AS told
  FROM kafka.consumer_lag('admin_lag_a') WHERE topic <> 'admin_lag_many';

-- what is wrong
\set VERBOSITY terse
SELECT * FROM kafka.consumer_lag('admin_lag_none');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.consumer_lag('');
SELECT * FROM kafka.consumer_lag(NULL);
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE admin_lag_role;
SET ROLE admin_lag_role;
SELECT * FROM kafka.consumer_lag('admin_lag_a');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kafka.group_lag;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP ROLE admin_lag_role;
-- the view is of one server: it says so where that is not clear
CREATE SERVER admin_lag_other FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1');
SELECT count(*) FROM kafka.group_lag;
\echo :LAST_ERROR_SQLSTATE
SET kafka_fdw.server = 'kafka';
SELECT count(*) > 0 AS rows FROM kafka.group_lag;
RESET kafka_fdw.server;
DROP SERVER admin_lag_other;
SELECT deleted FROM kafka.delete_group(ARRAY['admin_lag_a', 'admin_lag_b']);
SELECT deleted FROM kafka.delete_topic('admin_lag');
DROP PROCEDURE offsets;
