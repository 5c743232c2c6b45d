-- kafka.delete_records.
SELECT created FROM kafka.create_topic('admin_records', 2);
SELECT created FROM kafka.create_topic('admin_records_compacted', 1, config => '{"cleanup.policy": "compact"}');
CREATE FOREIGN TABLE admin_records (v text, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'admin_records', delivery 'immediate', on_missing 'earliest');
INSERT INTO admin_records (v, part) SELECT i, i % 2 FROM generate_series(1, 20) i;
SELECT count(*) FROM admin_records;
-- one partition; what was before is gone for this session at once
SELECT * FROM kafka.delete_records('admin_records', 0, 4);
SELECT part, min(offs), count(*) FROM admin_records GROUP BY part ORDER BY part;
-- an offset that is gone already changes nothing
SELECT * FROM kafka.delete_records(topic => 'admin_records', partition => 0, before => 2, server => 'kafka');
SELECT * FROM kafka.delete_records('admin_records', 0, 0);
-- several, sorted; what fails for one is in its row
SELECT * FROM kafka.delete_records(ARRAY[
  ('admin_records', 1, 3, NULL), ('admin_records', 0, 5, 'not looked at'), ('admin_records', 7, 1, NULL), ('admin_records', -1, 1, NULL),
  ('admin_records_missing', 0, 1, NULL)]::kafka.topic_partition[]);
SELECT topic, partition, low, error IS NOT NULL AS said FROM kafka.delete_records(offsets => ARRAY[
  ('admin_records', 1, 4, NULL), ('admin_records', 0, 100, NULL)]::kafka.topic_partition[], server => 'kafka');
SELECT partition, low, high FROM kafka.watermarks('admin_records') ORDER BY partition;
-- to the end
SELECT * FROM kafka.delete_records('admin_records', 1, -1);
SELECT part, min(offs), count(*) FROM admin_records GROUP BY part ORDER BY part;
SELECT * FROM kafka.delete_records('{}'::kafka.topic_partition[]);
-- nothing to ask the cluster for
SELECT * FROM kafka.delete_records(ARRAY[('admin_records_missing', 0, 1, NULL)]::kafka.topic_partition[]);

\set VERBOSITY terse
SELECT * FROM kafka.delete_records('admin_records', 0, 100);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('admin_records', 7, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('admin_records_missing', 0, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('admin_records_compacted', 0, 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('admin_records', 0, -2);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('admin_records', NULL, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('admin_records', 0, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records(NULL, 0, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records('not a topic!', 0, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records(NULL::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records(ARRAY[NULL]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records(ARRAY[('admin_records', 0, NULL, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_records(ARRAY[('admin_records', 0, 6, NULL), ('admin_records', 0, 7, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT partition, low, high FROM kafka.watermarks('admin_records') ORDER BY partition;
DROP FOREIGN TABLE admin_records;
SELECT deleted FROM kafka.delete_topic(ARRAY['admin_records', 'admin_records_compacted']);
