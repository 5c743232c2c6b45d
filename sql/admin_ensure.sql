-- kafka.ensure_topic: creates, grows, alters, says what it changed.
SELECT * FROM kafka.ensure_topic('admin_ensure', 2, 1, '{"retention.ms": 3600000, "cleanup.policy": "delete"}');
-- nothing to change, however it is spelled
SELECT * FROM kafka.ensure_topic('admin_ensure', 2, 1, '{"retention.ms": 3600000, "cleanup.policy": "delete"}');
SELECT * FROM kafka.ensure_topic('admin_ensure', config => '{"retention.ms": "03600000", "cleanup.policy": " delete "}');
SELECT * FROM kafka.ensure_topic('admin_ensure');
-- the default counts as well
SELECT * FROM kafka.ensure_topic('admin_ensure', config => '{"preallocate": false}');
-- grows and alters; other properties stay as they are
SELECT * FROM kafka.ensure_topic('admin_ensure', 4, config => '{"max.message.bytes": 2000000, "retention.ms": 7200000}');
SELECT name, value FROM kafka.describe_config('topic', 'admin_ensure', only_changed => true) ORDER BY name;
SELECT partitions FROM kafka.list_topics() WHERE topic = 'admin_ensure';
-- every argument by name
SELECT * FROM kafka.ensure_topic(topic => 'admin_ensure', partitions => 5, replication_factor => 1, config => '{}', timeout => '10 seconds', server => 'kafka');
-- the broker's defaults
SELECT item, old_value, new_value IS NOT NULL AS said FROM kafka.ensure_topic('admin_ensure_default');
-- at once
BEGIN;
SELECT item FROM kafka.ensure_topic('admin_ensure_rolled_back', 1);
ROLLBACK;
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'admin_ensure_rolled_back';
-- a savepoint that is rolled back leaves no lock behind
DO $$
BEGIN
  PERFORM kafka.ensure_topic('admin_ensure', config => '{"no.such.property": 1}');
EXCEPTION WHEN invalid_parameter_value THEN
  RAISE NOTICE 'refused';
END $$;
BEGIN;
SELECT count(*) FROM kafka.ensure_topic('admin_ensure');
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
COMMIT;

\set VERBOSITY terse
-- what cannot be done changes nothing
SELECT * FROM kafka.ensure_topic('admin_ensure', 3, config => '{"retention.ms": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure', 6, 2, '{"retention.ms": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure', 6, config => '{"retention.ms": "soon"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure', 6, config => '{"no.such.property": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT partitions FROM kafka.list_topics() WHERE topic = 'admin_ensure';
SELECT name, value FROM kafka.describe_config('topic', 'admin_ensure', true) WHERE name = 'retention.ms';
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', 1, 99);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', 1, config => '{"no.such.property": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', 1, 0);
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', config => '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', config => '{"retention.ms": null}');
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', config => '{"": "x"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('not a topic!');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.ensure_topic('admin_ensure_bad', timeout => '-1 s');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'admin_ensure_bad';
SELECT deleted FROM kafka.delete_topic(ARRAY['admin_ensure', 'admin_ensure_default', 'admin_ensure_rolled_back']);
