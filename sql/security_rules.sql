-- The rules of doc/security.md that the catalogue shows, and what an ordinary role must not get.
-- nothing of the extension is SECURITY DEFINER without a pinned search_path, leakproof, or PUBLIC's to write
SELECT p.oid::regprocedure AS definer_without_search_path FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'kafka_fdw'
  WHERE p.prosecdef AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%') ORDER BY 1;
SELECT count(*) > 50 AS functions, count(*) FILTER (WHERE p.proleakproof) AS leakproof, count(*) FILTER (WHERE NOT l.lanname = ANY ('{c,internal}')) AS not_c
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.pronamespace = 'kafka'::regnamespace;
SELECT c.relname, a.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS a
  WHERE c.relnamespace = 'kafka'::regnamespace AND a.grantee = 0 AND a.privilege_type <> 'SELECT' ORDER BY 1, 2;
SELECT a.privilege_type FROM pg_foreign_data_wrapper AS w, aclexplode(w.fdwacl) AS a WHERE w.fdwname = 'kafka_fdw' AND a.grantee = 0;
-- who may call it without a grant: nothing that changes a cluster's topics, configuration, groups or ACLs
SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'kafka'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
  AND p.proname ~ '^(create|delete|alter|ensure)_|^check$|_acls?$' ORDER BY 1;

CREATE ROLE security_rules_owner;
CREATE ROLE security_rules_plain;
GRANT USAGE ON FOREIGN DATA WRAPPER kafka_fdw TO security_rules_owner;
CREATE FUNCTION pg_temp.try(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text := 'done';
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  BEGIN
    EXECUTE command;
  EXCEPTION WHEN OTHERS THEN
    result := SQLSTATE || ' ' || SQLERRM;
  END;
  RESET ROLE;
  RETURN result;
END $$;
-- a role with nothing
SELECT c AS command, pg_temp.try('security_rules_plain', c) FROM unnest(ARRAY[
  'CREATE SERVER x FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers ''localhost:1'')',
  'CREATE FOREIGN DATA WRAPPER x HANDLER kafka.kafka_fdw_handler',
  'CREATE USER MAPPING FOR CURRENT_USER SERVER kafka',
  'CREATE USER MAPPING FOR PUBLIC SERVER kafka',
  'ALTER SERVER kafka OPTIONS (SET bootstrap_servers ''localhost:1'')',
  'IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO pg_temp',
  'ALTER EVENT TRIGGER kafka_fdw_check DISABLE',
  'SELECT kafka.check_foreign_tables()',
  'SELECT kafka.kafka_fdw_validator(ARRAY[''bootstrap_servers=x'', ''plugin.library.paths=/tmp/x.so''], ''pg_foreign_server''::regclass)',
  'SELECT kafka.kafka_fdw_validator(ARRAY[''bootstrap_servers=x'', ''password_required=false''], ''pg_foreign_server''::regclass)',
  'SELECT kafka.partition_for_key(''t'', ''k''::text, server => ''kafka'')',
  'SELECT kafka.infer_columns(''t'', server => ''kafka'')',
  'SELECT kafka.begin_transaction(''t'', ''kafka'')',
  'SELECT kafka.flush(server => ''kafka'')',
  'SELECT kafka.close_producer(''kafka'')',
  'SET kafka_fdw.instance_name = ''other''',
  'CREATE TABLE kafka.x ()']) WITH ORDINALITY AS u (c, n) ORDER BY n;
-- a trigger sends with the rights of the one who writes, not with the table owner's or the trigger's maker's
SET client_min_messages = warning;
CREATE SCHEMA security_rules AUTHORIZATION security_rules_owner;
GRANT USAGE ON SCHEMA security_rules TO security_rules_plain;
GRANT USAGE ON FOREIGN SERVER kafka TO security_rules_owner;
SET ROLE security_rules_owner;
CREATE TABLE security_rules.t (id int);
CREATE TRIGGER publish AFTER INSERT ON security_rules.t FOR EACH ROW EXECUTE FUNCTION kafka.publish('security_rules', 'server=kafka', 'delivery=immediate');
GRANT INSERT ON security_rules.t TO security_rules_plain;
RESET ROLE;
SELECT created FROM kafka.create_topic('security_rules', 1);
SELECT r, pg_temp.try(r, 'INSERT INTO security_rules.t VALUES (1)') FROM unnest(ARRAY['security_rules_plain', 'security_rules_owner']) AS r ORDER BY r;
-- names of one's own on the path change nothing of what the extension looks up
SET ROLE security_rules_owner;
CREATE FUNCTION security_rules.pg_event_trigger_ddl_commands() RETURNS TABLE (classid oid, objid oid) LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END';
CREATE FUNCTION security_rules.is_equal(oid, regclass) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END';
CREATE OPERATOR security_rules.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = security_rules.is_equal);
CREATE FUNCTION security_rules.get_clients() RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END';
CREATE DOMAIN security_rules.text AS pg_catalog.text CHECK (value = 'never');
CREATE TYPE security_rules.header AS (name int);
RESET ROLE;
SET search_path = security_rules, pg_catalog, kafka, public;
CREATE FOREIGN TABLE security_rules.f (v pg_catalog.text, h kafka.header[] OPTIONS (meta 'headers')) SERVER kafka OPTIONS (topic 'security_rules');
ALTER FOREIGN TABLE security_rules.f ADD id int OPTIONS (meta 'partition');
SELECT v::jsonb ->> 'op' AS op, h[1].name FROM security_rules.f;
SELECT count(*) >= 1 AS clients FROM kafka.clients;
SELECT partition FROM kafka.watermarks('security_rules');
RESET search_path;
-- of others' mappings one sees nothing, but for the server's owner, who sees that of PUBLIC
SET ROLE security_rules_owner;
CREATE SERVER security_rules FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1');
GRANT USAGE ON FOREIGN SERVER security_rules TO security_rules_plain;
CREATE USER MAPPING FOR PUBLIC SERVER security_rules OPTIONS (sasl_password 'for all');
RESET ROLE;
SET ROLE security_rules_plain;
CREATE USER MAPPING FOR CURRENT_USER SERVER security_rules OPTIONS (sasl_password 'my own');
SELECT usename, umoptions FROM pg_user_mappings WHERE srvname = 'security_rules' ORDER BY 1;
SELECT umoptions FROM pg_user_mapping;
RESET ROLE;
SET ROLE security_rules_owner;
SELECT usename, umoptions FROM pg_user_mappings WHERE srvname = 'security_rules' ORDER BY 1;
RESET ROLE;
DROP SERVER security_rules CASCADE;
DROP SCHEMA security_rules CASCADE;
DROP OWNED BY security_rules_owner, security_rules_plain;
DROP ROLE security_rules_owner, security_rules_plain;
SELECT deleted FROM kafka.delete_topic('security_rules');
