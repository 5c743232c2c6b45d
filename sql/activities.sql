-- The nineteen activities of doc/activities.md, in its order
SELECT kafka.create_topic('activities', 2, server => 'kafka') IS NOT NULL AS created;
SET kafka_fdw.server = 'kafka';

-- producing
SELECT (kafka.produce('activities', 'hello', key => 'k')).topic;
SELECT ordinality, error FROM kafka.produce_batch('activities', ARRAY['one', 'two'], keys => ARRAY['a', 'b']);
SELECT kafka.flush();
SELECT kafka.close_producer() >= 0 AS closed;

-- consuming
SELECT kafka.subscribe('activities', 'activities', start => 'earliest', auto_commit => false) IS NOT NULL AS subscribed;
SELECT key, value FROM kafka.poll_text(100, '5s') ORDER BY value;
SELECT kafka.commit_offsets() IS NOT NULL AS committed;
SELECT count(*) FROM kafka.seek('activities', NULL, 'earliest');
SELECT kafka.close_consumer() IS NOT NULL AS closed;

-- topics and groups
SELECT topic, partitions FROM kafka.create_topic('activities_new', partitions => 1);
SELECT topic FROM kafka.list_topics() WHERE topic = 'activities_new';
SELECT partition FROM kafka.describe_topic('activities') ORDER BY partition;
SELECT count(*) FROM kafka.list_groups() g WHERE g.group_id = 'activities';
SELECT count(*) FROM kafka.describe_group('activities');
SELECT count(*) FROM kafka.delete_topic('activities_new');

-- transactions
SELECT kafka.begin_transaction('activities') IS NOT NULL AS begun;
SELECT (kafka.send_transactional('activities', 'in a transaction')).topic;
SELECT kafka.commit_transaction() IS NOT NULL AS committed;
SELECT kafka.begin_transaction('activities') IS NOT NULL AS begun;
SELECT kafka.abort_transaction() IS NOT NULL AS aborted;
SELECT kafka.close_transaction() IS NOT NULL AS closed;
