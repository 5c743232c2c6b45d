-- ACLs on a cluster that has no authorizer, and wrong arguments.  What they do: t/341_acls.pl.
-- it is an error, never an empty list
SELECT * FROM kafka.list_acls();
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT * FROM kafka.list_acls(resource_type => 'topic', resource_name => 'admin_acls');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_acl('User:alice', 'alter', 'cluster', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_acl('User:alice');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_acl(delete_all => true);
\echo :LAST_ERROR_SQLSTATE
-- a filter that matches everything
\set VERBOSITY default
SELECT * FROM kafka.delete_acl();
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT * FROM kafka.delete_acl(operation => 'any', resource_type => 'any', pattern_type => 'match', permission => 'any');
\echo :LAST_ERROR_SQLSTATE
-- words
\set VERBOSITY default
SELECT * FROM kafka.create_acl('User:alice', 'fly', 'topic', 'admin_acls');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_acl('User:alice', 'any', 'topic', 'admin_acls');
SELECT * FROM kafka.list_acls(operation => 'fly');
SELECT * FROM kafka.create_acl('User:alice', 'read', 'table', 'admin_acls');
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls', 'match');
SELECT * FROM kafka.list_acls(pattern_type => 'regex');
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls', permission => 'maybe');
SELECT * FROM kafka.create_acl('alice', 'read', 'topic', 'admin_acls');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT * FROM kafka.create_acl('User:', 'read', 'topic', 'admin_acls');
SELECT * FROM kafka.list_acls(':alice');
-- NULL and empty
SELECT * FROM kafka.create_acl(NULL, 'read', 'topic', 'admin_acls');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_acl('User:alice', NULL, 'topic', 'admin_acls');
SELECT * FROM kafka.create_acl('User:alice', 'read', NULL, 'admin_acls');
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', NULL);
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls', NULL);
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls', permission => NULL);
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls', host => NULL);
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', '');
\echo :LAST_ERROR_SQLSTATE
-- none of them is for everybody
CREATE ROLE admin_acls_role;
GRANT USAGE ON FOREIGN SERVER kafka TO admin_acls_role;
SET ROLE admin_acls_role;
SELECT * FROM kafka.list_acls();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_acl('User:alice', 'read', 'topic', 'admin_acls');
SELECT * FROM kafka.delete_acl('User:alice');
RESET ROLE;
DROP OWNED BY admin_acls_role;
DROP ROLE admin_acls_role;
