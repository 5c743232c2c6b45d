-- What an ordinary role may do, and what it needs for it (peer_R18).
CREATE ROLE security_rights_plain;
CREATE ROLE security_rights_admin;
CREATE SCHEMA security_rights AUTHORIZATION security_rights_plain;
SELECT * FROM kafka.create_topic('security_rights', 1);
SELECT kafka.produce('security_rights', 'first', delivery => 'immediate') IS NOT NULL AS sent;
CREATE FOREIGN TABLE security_rights_table (v text) SERVER kafka OPTIONS (topic 'security_rights', delivery 'immediate');
-- administration is not for PUBLIC
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'kafka'::regnamespace AND has_function_privilege('security_rights_plain', p.oid, 'EXECUTE')
  ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'kafka'::regnamespace AND NOT has_function_privilege('security_rights_plain', p.oid, 'EXECUTE')
  ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT has_schema_privilege('security_rights_plain', 'kafka', 'USAGE') AS usage, has_schema_privilege('security_rights_plain', 'kafka', 'CREATE') AS create;

SET ROLE security_rights_plain;
\set VERBOSITY terse
-- without USAGE on the server: nothing by function, no table of one's own
SELECT kafka.produce('security_rights', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('security_rights', 'x', delivery => 'immediate', server => 'kafka');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.watermarks('security_rights');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_topics();
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE security_rights.own (v text) SERVER kafka OPTIONS (topic 'security_rights');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.create_topic('security_rights_x');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_topic('security_rights');
SELECT * FROM kafka.delete_topic(ARRAY['security_rights']);
SELECT * FROM kafka.check();
SELECT v FROM security_rights_table;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO security_rights_table VALUES ('x');
RESET ROLE;
-- rights on a table are enough for the table
GRANT SELECT ON security_rights_table TO security_rights_plain;
SET ROLE security_rights_plain;
SELECT v FROM security_rights_table;
INSERT INTO security_rights_table VALUES ('x');
RESET ROLE;
GRANT INSERT ON security_rights_table TO security_rights_plain;
SET ROLE security_rights_plain;
INSERT INTO security_rights_table VALUES ('by plain');
SELECT kafka.produce('security_rights', 'x');
RESET ROLE;
-- USAGE on the server is enough for the functions
GRANT USAGE ON FOREIGN SERVER kafka TO security_rights_plain;
SET ROLE security_rights_plain;
SELECT kafka.produce('security_rights', 'by function', delivery => 'immediate') IS NOT NULL AS sent;
SELECT (kafka.produce('security_rights', 'in a transaction')).topic;
SELECT partition, low FROM kafka.watermarks('security_rights');
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'security_rights';
CREATE FOREIGN TABLE security_rights.own (v text) SERVER kafka OPTIONS (topic 'security_rights');
SELECT v FROM security_rights.own ORDER BY v;
SELECT * FROM kafka.create_topic('security_rights_x');
RESET ROLE;
-- EXECUTE without USAGE is not enough for administration, with it it is
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kafka TO security_rights_admin;
SET ROLE security_rights_admin;
SELECT * FROM kafka.create_topic('security_rights_x', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_topic('security_rights');
SELECT * FROM kafka.check();
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO security_rights_admin;
SET ROLE security_rights_admin;
SELECT * FROM kafka.create_topic('security_rights_x', 1);
SELECT * FROM kafka.delete_topic('security_rights_x');
SELECT bool_and(ok) FROM kafka.check();
RESET ROLE;

-- a view and a SECURITY DEFINER function act as their owner
REVOKE SELECT, INSERT ON security_rights_table FROM security_rights_plain;
REVOKE USAGE ON FOREIGN SERVER kafka FROM security_rights_plain CASCADE;
CREATE VIEW security_rights_view AS SELECT v FROM security_rights_table;
CREATE VIEW security_rights_invoker WITH (security_invoker) AS SELECT v FROM security_rights_table;
CREATE FUNCTION security_rights_send(v text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS
  $$ SELECT kafka.produce('security_rights', v, delivery => 'immediate') IS NOT NULL $$;
GRANT SELECT ON security_rights_view, security_rights_invoker TO security_rights_plain;
SET ROLE security_rights_plain;
SELECT count(*) FROM security_rights_view;
SELECT count(*) FROM security_rights_invoker;
\echo :LAST_ERROR_SQLSTATE
SELECT security_rights_send('by definer');
SELECT count(*) FROM security_rights_view WHERE v = 'by definer';
RESET ROLE;
DROP FOREIGN TABLE security_rights.own;
DROP SCHEMA security_rights;
REVOKE ALL ON FOREIGN SERVER kafka FROM security_rights_admin;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kafka FROM security_rights_admin;
DROP OWNED BY security_rights_plain, security_rights_admin;
DROP ROLE security_rights_plain, security_rights_admin;
SELECT deleted FROM kafka.delete_topic('security_rights');
