-- kafka.describe_topic, on a cluster of one broker.
SELECT created FROM kafka.create_topic('admin_describe', 3);
SELECT (kafka.produce('admin_describe', 'x', partition => i % 2, delivery => 'immediate')).partition FROM generate_series(1, 5) i ORDER BY 1;
SELECT * FROM kafka.describe_topic('admin_describe') ORDER BY partition;
SELECT count(*) FROM kafka.describe_topic(topic => 'admin_describe', server => 'kafka');
SET kafka_fdw.commit_wait = 'visible';
-- a transaction takes an offset of its own: messages is an upper bound
SELECT (kafka.produce('admin_describe', 'in a transaction', partition => 2)).partition;
SELECT partition, low, high, last_stable, messages FROM kafka.describe_topic('admin_describe') ORDER BY partition;
-- records that are gone do not count
SELECT low FROM kafka.delete_records('admin_describe', 1, 2);
SELECT partition, low, high, messages FROM kafka.describe_topic('admin_describe') ORDER BY partition;
-- an open transaction holds the last stable offset back
SELECT kafka.begin_transaction('admin_describe_open');
SELECT (kafka.send_transactional('admin_describe', 'open', partition => 0)).partition;
DO $$
BEGIN
  FOR i IN 1 .. 2000 LOOP
    EXIT WHEN (SELECT last_stable < high FROM kafka.describe_topic('admin_describe') WHERE partition = 0);
  END LOOP;
END $$;
SELECT partition, last_stable, high FROM kafka.describe_topic('admin_describe') WHERE partition = 0;
SELECT kafka.commit_transaction();
SELECT kafka.close_transaction();
-- the same as kafka.watermarks says
SELECT count(*) FROM kafka.describe_topic('admin_describe') d JOIN kafka.watermarks('admin_describe') w USING (partition, low, high);
-- it is a function like others
SELECT d.partition, d.messages > 0 AS some FROM kafka.list_topics() t, LATERAL kafka.describe_topic(t.topic) d
 WHERE t.topic = 'admin_describe' ORDER BY d.partition LIMIT 2;

\set VERBOSITY terse
SELECT * FROM kafka.describe_topic('admin_describe_missing');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.describe_topic('not a topic!');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.describe_topic(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.describe_topic('admin_describe', 'nowhere');
\echo :LAST_ERROR_SQLSTATE
-- USAGE on the server is needed, and is enough
CREATE ROLE admin_describe_user;
SET ROLE admin_describe_user;
SELECT * FROM kafka.describe_topic('admin_describe');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO admin_describe_user;
SET ROLE admin_describe_user;
SELECT count(*) FROM kafka.describe_topic('admin_describe');
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER kafka FROM admin_describe_user;
DROP ROLE admin_describe_user;
SELECT deleted FROM kafka.delete_topic('admin_describe');
