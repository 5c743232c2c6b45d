-- kafka.create_topic, kafka.delete_topic, kafka.list_topics.
SELECT * FROM kafka.create_topic('admin_topics_1', 3, 1, '{"retention.ms": 3600000, "cleanup.policy": "compact", "preallocate": false}');
SELECT * FROM kafka.create_topic(topic => 'admin_topics_2', partitions => 2, replication_factor => 1, config => '{}',
  if_not_exists => false, validate_only => false, replica_assignment => NULL, timeout => '10 seconds', server => 'kafka');
SELECT topic, partitions > 0 AS some, created FROM kafka.create_topic('admin_topics_default');
SELECT * FROM kafka.create_topic('admin_topics_assigned', replica_assignment => '[[1], [1]]');
-- there already
SELECT * FROM kafka.create_topic('admin_topics_1', 5, if_not_exists => true);
SELECT * FROM kafka.create_topic('admin_topics_1', 5, if_not_exists => true, validate_only => true);
-- only checked
SELECT * FROM kafka.create_topic('admin_topics_valid', 5, validate_only => true);
SELECT topic, partitions, replication_factor FROM kafka.list_topics() WHERE topic LIKE 'admin\_topics%' AND topic <> 'admin_topics_default' ORDER BY topic;
-- at once: a topic that was just made is there for a table, and for another transaction
BEGIN;
SELECT * FROM kafka.create_topic('admin_topics_rolled_back', 1);
ROLLBACK;
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'admin_topics_rolled_back';
CREATE FOREIGN TABLE admin_topics (v text) SERVER kafka OPTIONS (topic 'admin_topics_rolled_back', delivery 'immediate');
INSERT INTO admin_topics VALUES ('there');
SELECT v FROM admin_topics;
-- Kafka's own topics (a transaction makes one) are shown when asked for; the order is that of the names
SELECT (kafka.produce('admin_topics_rolled_back', 'in a transaction')).topic;
SELECT bool_and(topic NOT LIKE '\_\_%') AS none FROM kafka.list_topics();
SELECT count(*) > 0 AS some FROM kafka.list_topics(internal => true) WHERE topic LIKE '\_\_%';
SELECT array_agg(topic) = array_agg(topic ORDER BY topic COLLATE "C") AS sorted FROM kafka.list_topics(true, 'kafka');

\set VERBOSITY terse
SELECT * FROM kafka.create_topic('admin_topics_1', 3);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_1', validate_only => true);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('not a topic!');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('..');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic(repeat('x', 250));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', -1);
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, 99);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, 0);
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, config => '{"no.such.property": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, config => '{"retention.ms": "soon"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, config => '{"retention.ms": [1]}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, config => '{"retention.ms": null}');
SELECT * FROM kafka.create_topic('admin_topics_bad', 1, config => '[]');
SELECT * FROM kafka.create_topic('admin_topics_bad', replica_assignment => '[[99]]');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', 3, replica_assignment => '[[1]]');
\echo :LAST_ERROR_SQLSTATE
DO $$
DECLARE
  a text;
BEGIN
  FOREACH a IN ARRAY ARRAY['[]', '[1]', '[["1"]]', '{}', '1', '[[[1]]]', '[[]]', '[[1.5]]', '[[99999999999]]', '[[1], []]', '[{}]'] LOOP
    BEGIN
      PERFORM kafka.create_topic('admin_topics_bad', replica_assignment => a::jsonb);
      RAISE WARNING 'assignment % was accepted', a;
    EXCEPTION WHEN OTHERS THEN
      RAISE NOTICE '% %', SQLSTATE, a;
    END;
  END LOOP;
END $$;
SELECT * FROM kafka.create_topic('admin_topics_bad', timeout => '-1 second');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_bad', timeout => '1000 years');
SELECT * FROM kafka.create_topic('admin_topics_bad', server => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'admin_topics_bad';

-- delete_topic: one raises, many report
SELECT * FROM kafka.delete_topic('admin_topics_missing');
\echo :LAST_ERROR_SQLSTATE
SELECT topic, deleted, error IS NOT NULL AS said FROM kafka.delete_topic('admin_topics_missing', if_exists => true);
SELECT * FROM kafka.delete_topic('admin_topics_1');
SELECT * FROM kafka.delete_topic('admin_topics_1');
SELECT topic, deleted, error IS NOT NULL AS said FROM kafka.delete_topic(ARRAY['admin_topics_2', 'admin_topics_missing', 'admin_topics_assigned']);
SELECT * FROM kafka.delete_topic(ARRAY['admin_topics_default', 'admin_topics_missing'], if_exists => true);
SELECT * FROM kafka.delete_topic('{}'::text[]);
SELECT * FROM kafka.delete_topic(ARRAY['admin_topics_rolled_back', NULL]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_topic(NULL::text[]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_topic('admin_topics_rolled_back');
SELECT count(*) FROM kafka.list_topics() WHERE topic LIKE 'admin\_topics%';
-- a table on it says so; made again it is empty
SELECT v FROM admin_topics;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO admin_topics VALUES ('x');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('admin_topics_rolled_back', 2);
SELECT v FROM admin_topics;
INSERT INTO admin_topics VALUES ('again');
SELECT v FROM admin_topics;
SELECT deleted FROM kafka.delete_topic('admin_topics_rolled_back');
