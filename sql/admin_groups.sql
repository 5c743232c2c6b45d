-- Consumer groups: listing, describing, deleting; a group made by offsets alone.
SELECT created FROM kafka.create_topic('admin_groups', 2);
SELECT count(*) FROM kafka.alter_group_offsets('admin_groups_a', 'admin_groups', target => 'latest');
SELECT count(*) FROM kafka.alter_group_offsets('admin_groups_b', 'admin_groups', target => 'latest');
-- an id may have any letters
SELECT count(*) FROM kafka.alter_group_offsets('admin_groups_ä ''"\', 'admin_groups', 1, target => 'latest');
SELECT group_id, state, protocol_type, simple FROM kafka.list_groups() WHERE group_id LIKE 'admin\_groups%' ORDER BY group_id COLLATE "C";
SELECT group_id FROM kafka.list_groups('Empty') WHERE group_id LIKE 'admin\_groups%' ORDER BY group_id COLLATE "C";
SELECT count(*) FROM kafka.list_groups(state => 'stable', server => 'kafka') WHERE group_id LIKE 'admin\_groups%';
-- a row also where it has no member
SELECT group_id, state, protocol, simple, coordinator_id IS NOT NULL AS coordinator, coordinator_host, coordinator_port > 0 AS port,
       member_id, client_id, group_instance_id, host, assignment
  FROM kafka.describe_group('admin_groups_a');
SELECT group_id FROM kafka.describe_group('admin_groups_ä ''"\');
SELECT pg_typeof(assignment) FROM kafka.describe_group('admin_groups_a');

-- deleting
SELECT * FROM kafka.delete_group(ARRAY['admin_groups_b', 'admin_groups_none', 'admin_groups_ä ''"\', 'admin_groups_b']);
SELECT * FROM kafka.delete_group(ARRAY['admin_groups_b', 'admin_groups_none'], if_exists => true);
SELECT * FROM kafka.delete_group('{}'::text[]);
SELECT * FROM kafka.delete_group('admin_groups_b', if_exists => true);
-- it is not undone
BEGIN;
SELECT * FROM kafka.delete_group('admin_groups_a');
ROLLBACK;
SELECT count(*) FROM kafka.list_groups() WHERE group_id LIKE 'admin\_groups%';

-- what is wrong
\set VERBOSITY terse
SELECT * FROM kafka.describe_group('admin_groups_a');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_group('admin_groups_a');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.describe_group(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.describe_group('');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_group(ARRAY['admin_groups_a', NULL]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_group(ARRAY['admin_groups_a', '']);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_group(NULL::text[]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_groups(server => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT * FROM kafka.list_groups('asleep');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.describe_group('admin_groups_none');
-- an ordinary role looks, and changes nothing
CREATE ROLE admin_groups_role;
SET ROLE admin_groups_role;
\set VERBOSITY terse
SELECT * FROM kafka.list_groups();
SELECT * FROM kafka.describe_group('admin_groups_a');
SELECT * FROM kafka.delete_group('admin_groups_a');
SELECT * FROM kafka.delete_group(ARRAY['admin_groups_a']);
SELECT * FROM kafka.alter_group_offsets('admin_groups_a', 'admin_groups', target => 'latest');
SELECT * FROM kafka.delete_group_offsets('admin_groups_a', 'admin_groups');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO admin_groups_role;
SET ROLE admin_groups_role;
SELECT count(*) FROM kafka.list_groups() WHERE group_id LIKE 'admin\_groups%';
SELECT * FROM kafka.delete_group('admin_groups_a');
RESET ROLE;
DROP OWNED BY admin_groups_role;
DROP ROLE admin_groups_role;
SELECT deleted FROM kafka.delete_topic('admin_groups');
