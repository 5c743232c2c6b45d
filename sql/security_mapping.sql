-- Whose user mapping is used, seen by a mapping that makes the connection fail; secrets in no message.
CREATE ROLE security_mapping_owner;
CREATE ROLE security_mapping_reader;
\getenv brokers KAFKA_BROKERS
CREATE SERVER security_mapping FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
GRANT USAGE ON FOREIGN SERVER security_mapping TO security_mapping_owner, security_mapping_reader;
SELECT created FROM kafka.create_topic('security_mapping', 1, server => 'kafka');
CREATE FOREIGN TABLE security_mapping (v text) SERVER security_mapping OPTIONS (topic 'security_mapping', delivery 'immediate');
ALTER FOREIGN TABLE security_mapping OWNER TO security_mapping_owner;
CREATE VIEW security_mapping_view AS SELECT v FROM security_mapping;
ALTER VIEW security_mapping_view OWNER TO security_mapping_owner;
CREATE VIEW security_mapping_invoker WITH (security_invoker) AS SELECT v FROM security_mapping;
GRANT SELECT, INSERT ON security_mapping, security_mapping_view, security_mapping_invoker TO security_mapping_reader;
INSERT INTO security_mapping VALUES ('there');
-- the reader's own mapping is broken, the owner's is not: an invalid certificate shows which one is used
CREATE USER MAPPING FOR security_mapping_reader SERVER security_mapping
  OPTIONS (ssl_certificate_pem 'this is no certificate', ssl_key_pem 'TOP-SECRET-KEY', ssl_key_password 'TOP-SECRET-PASSWORD');
ALTER SERVER security_mapping OPTIONS (ADD security_protocol 'ssl');
SET kafka_fdw.connect_timeout = '300ms';
CREATE FUNCTION pg_temp.try(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
  hint text;
  context text;
  result text := 'worked';
BEGIN
  EXECUTE format('SET ROLE %I', role);
  BEGIN
    EXECUTE command;
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    result := CASE WHEN concat(SQLERRM, detail, hint, context) ~ 'TOP-SECRET' THEN 'secret shown'
      WHEN SQLSTATE = 'HV00N' OR SQLSTATE = '28000' THEN 'connected without the certificate' ELSE 'used the certificate' END;
  END;
  RESET ROLE;
  RETURN result;
END $$;
SELECT r AS role, c AS command, pg_temp.try(r, c) FROM (VALUES
  ('security_mapping_reader', 'SELECT count(*) FROM security_mapping'),
  ('security_mapping_reader', 'SELECT count(*) FROM security_mapping_invoker'),
  ('security_mapping_reader', 'SELECT count(*) FROM security_mapping_view'),
  ('security_mapping_reader', 'INSERT INTO security_mapping VALUES (1)'),
  ('security_mapping_reader', 'INSERT INTO security_mapping_view VALUES (1)'),
  ('security_mapping_reader', 'SELECT kafka.list_topics(server => ''security_mapping'')'),
  ('security_mapping_owner', 'SELECT count(*) FROM security_mapping'),
  ('security_mapping_owner', 'SELECT count(*) FROM security_mapping_view'),
  ('security_mapping_owner', 'SELECT kafka.list_topics(server => ''security_mapping'')')) AS s (r, c);
-- a mapping for PUBLIC is for those who have none
CREATE USER MAPPING FOR PUBLIC SERVER security_mapping OPTIONS (ssl_certificate_pem 'this is no certificate', ssl_key_pem 'TOP-SECRET-KEY');
SELECT pg_temp.try('security_mapping_owner', 'SELECT count(*) FROM security_mapping');
ALTER USER MAPPING FOR security_mapping_reader SERVER security_mapping OPTIONS (DROP ssl_certificate_pem, DROP ssl_key_pem, DROP ssl_key_password);
SELECT pg_temp.try('security_mapping_reader', 'SELECT count(*) FROM security_mapping');

-- EXPLAIN and catalog views for others show no secret
EXPLAIN (VERBOSE, COSTS OFF) SELECT v FROM security_mapping;
ALTER USER MAPPING FOR security_mapping_reader SERVER security_mapping OPTIONS (ADD ssl_key_password 'TOP-SECRET-PASSWORD');
SET ROLE security_mapping_owner;
SELECT usename, umoptions FROM pg_user_mappings WHERE srvname = 'security_mapping' ORDER BY usename;
RESET ROLE;
-- a bad value of a secret is not repeated
\set VERBOSITY default
ALTER SERVER security_mapping OPTIONS (ADD sasl_password 'TOP-SECRET-PASSWORD');
CREATE FOREIGN TABLE security_mapping_wrong (v text) SERVER security_mapping OPTIONS (topic 'x', sasl_password 'TOP-SECRET-PASSWORD');
DROP VIEW security_mapping_view, security_mapping_invoker;
DROP FOREIGN TABLE security_mapping;
DROP USER MAPPING FOR security_mapping_reader SERVER security_mapping;
DROP USER MAPPING FOR PUBLIC SERVER security_mapping;
DROP SERVER security_mapping;
DROP ROLE security_mapping_owner, security_mapping_reader;
SELECT deleted FROM kafka.delete_topic('security_mapping');
