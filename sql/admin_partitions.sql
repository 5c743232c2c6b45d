-- kafka.create_partitions.
SELECT created FROM kafka.create_topic('admin_partitions', 1);
CREATE FOREIGN TABLE admin_partitions (v text, part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'admin_partitions', delivery 'immediate');
INSERT INTO admin_partitions VALUES ('a', 0);
SELECT count(*) FROM admin_partitions;
-- only checked
SELECT * FROM kafka.create_partitions('admin_partitions', 3, validate_only => true);
SELECT partitions FROM kafka.list_topics() WHERE topic = 'admin_partitions';
SELECT * FROM kafka.create_partitions('admin_partitions', 3);
-- this session knows at once
INSERT INTO admin_partitions VALUES ('b', 2);
SELECT v, part FROM admin_partitions ORDER BY v;
SELECT count(*) FROM kafka.watermarks('admin_partitions');
-- every argument by name
SELECT * FROM kafka.create_partitions(topic => 'admin_partitions', total => 5, replica_assignment => '[[1], [1]]',
  validate_only => false, timeout => '10 seconds', server => 'kafka');
SELECT partition, replicas FROM kafka.describe_topic('admin_partitions') WHERE partition >= 3 ORDER BY 1;
-- at once
BEGIN;
SELECT partitions, added FROM kafka.create_partitions('admin_partitions', 6);
ROLLBACK;
SELECT partitions FROM kafka.list_topics() WHERE topic = 'admin_partitions';

\set VERBOSITY terse
SELECT * FROM kafka.create_partitions('admin_partitions', 6);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 2);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 0);
SELECT * FROM kafka.create_partitions('admin_partitions', -1);
SELECT * FROM kafka.create_partitions('admin_partitions', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions(NULL, 7);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions_missing', 7);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('not a topic!', 7);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 2000000000);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 8, '[[1]]');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 7, '[[99]]');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 7, '[[1, 1]]');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 7, '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_partitions('admin_partitions', 7, timeout => '0');
\echo :LAST_ERROR_SQLSTATE
SELECT partitions FROM kafka.list_topics() WHERE topic = 'admin_partitions';
CREATE ROLE admin_partitions_user;
GRANT USAGE ON FOREIGN SERVER kafka TO admin_partitions_user;
SET ROLE admin_partitions_user;
SELECT * FROM kafka.create_partitions('admin_partitions', 7);
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER kafka FROM admin_partitions_user;
DROP ROLE admin_partitions_user;
DROP FOREIGN TABLE admin_partitions;
SELECT deleted FROM kafka.delete_topic('admin_partitions');
