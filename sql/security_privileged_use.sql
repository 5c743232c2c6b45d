-- What is privileged is refused at use too, and the server process's own log-in is not its users'.
CREATE ROLE security_use_owner;
CREATE ROLE security_use_files IN ROLE pg_read_server_files;
CREATE ROLE security_use_super SUPERUSER;
GRANT USAGE ON FOREIGN DATA WRAPPER kafka_fdw TO security_use_owner, security_use_files;
SET kafka_fdw.connect_timeout = '300ms';
-- 'reached librdkafka': whatever comes after the rules
CREATE FUNCTION pg_temp.try(role name, command text DEFAULT 'SELECT kafka.list_topics(server => ''security_use'')') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text := 'done';
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  BEGIN
    EXECUTE command;
  EXCEPTION WHEN insufficient_privilege OR fdw_invalid_option_name OR invalid_parameter_value THEN
    result := CASE WHEN SQLERRM LIKE 'could not start%' THEN 'reached librdkafka' ELSE SQLSTATE || ' ' || SQLERRM END;
  WHEN OTHERS THEN
    result := 'reached librdkafka';
  END;
  RESET ROLE;
  RETURN result;
END $$;
-- set by a superuser, then the server is given away: refused for all, before librdkafka loads anything
CREATE SERVER security_use FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1', plugin_library_paths '/no/such/library');
GRANT USAGE ON FOREIGN SERVER security_use TO security_use_files;
SELECT pg_temp.try(current_user);
ALTER SERVER security_use OWNER TO security_use_owner;
SELECT r, pg_temp.try(r) FROM unnest(ARRAY[current_user, 'security_use_owner', 'security_use_files', 'security_use_super']) AS r;
GRANT pg_execute_server_program TO security_use_owner;
SELECT pg_temp.try('security_use_owner');
REVOKE pg_execute_server_program FROM security_use_owner;
SELECT pg_temp.try('security_use_owner');
ALTER SERVER security_use OPTIONS (DROP plugin_library_paths);
-- a mapping's: of its user and of the server's owner, who both can write it
SET ROLE security_use_files;
CREATE USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (ssl_key_location '/no/such/file');
RESET ROLE;
SELECT pg_temp.try('security_use_files');
ALTER SERVER security_use OWNER TO security_use_super;
ALTER SERVER security_use OPTIONS (ADD security_protocol 'ssl');
SELECT pg_temp.try('security_use_files');
REVOKE pg_read_server_files FROM security_use_files;
SELECT pg_temp.try('security_use_files');
-- a superuser's word: password_required 'false'
ALTER USER MAPPING FOR security_use_files SERVER security_use OPTIONS (ADD password_required 'false');
SELECT pg_temp.try('security_use_files');
-- which keeps others from changing anything beside it
SELECT pg_temp.try('security_use_files', 'ALTER USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (ADD sasl_username ''x'')');
SELECT pg_temp.try('security_use_files', 'ALTER USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (DROP password_required)');
SELECT pg_temp.try('security_use_files', 'ALTER USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (DROP password_required, DROP ssl_key_location)');
SELECT pg_temp.try('security_use_files', 'ALTER USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (ADD password_required ''OFF'')');
SELECT pg_temp.try('security_use_files', 'ALTER USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (ADD password_required ''yes'')');
DROP USER MAPPING FOR security_use_files SERVER security_use;
-- Kerberos: librdkafka makes a shell command of these; nobody else has them in it
ALTER SERVER security_use OPTIONS (SET security_protocol 'SASL_PLAINTEXT', ADD sasl_kerberos_keytab '/no/such/keytab');
SELECT o, pg_temp.try('security_use_files', format('CREATE USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (%s ''x; touch /tmp/security_use; true'')', o))
  FROM unnest(ARRAY['sasl_kerberos_principal', '"sasl.kerberos.service.name"', 'sasl_kerberos_keytab', 'sasl_kerberos_kinit_cmd', 'debug']) AS o;
ALTER SERVER security_use OPTIONS (DROP sasl_kerberos_keytab);
-- the server process's own tickets: GSSAPI, also where nothing is said of a mechanism
SELECT pg_temp.try('security_use_files'), pg_temp.try('security_use_super');
ALTER SERVER security_use OPTIONS (ADD sasl_mechanisms 'PLAIN', ADD sasl_mechanism 'GSSAPI');
SELECT pg_temp.try('security_use_files'), pg_temp.try('security_use_super');
ALTER SERVER security_use OPTIONS (DROP sasl_mechanism);
SELECT pg_temp.try('security_use_files');
ALTER SERVER security_use OPTIONS (SET sasl_mechanisms 'GSSAPI');
ALTER SERVER security_use OWNER TO security_use_owner;
SELECT pg_temp.try('security_use_super'), pg_temp.try('security_use_owner');
SET ROLE security_use_owner;
SELECT kafka.list_topics(server => 'security_use');
CREATE USER MAPPING FOR PUBLIC SERVER security_use OPTIONS (password_required 'false');
ALTER SERVER security_use OPTIONS (ADD password_required 'false');
RESET ROLE;
CREATE USER MAPPING FOR PUBLIC SERVER security_use OPTIONS (password_required 'false');
SELECT pg_temp.try('security_use_files');
DROP USER MAPPING FOR PUBLIC SERVER security_use;
ALTER SERVER security_use OPTIONS (ADD password_required 'false');
SELECT pg_temp.try('security_use_files');
SET ROLE security_use_owner;
ALTER SERVER security_use OPTIONS (SET bootstrap_servers '127.0.0.1:2');
CREATE USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (password_required 'true');
RESET ROLE;
SELECT pg_temp.try('security_use_owner');
-- not on tables, and a URL has no password
CREATE FOREIGN TABLE security_use (v text) SERVER security_use OPTIONS (topic 'x', debug 'all');
CREATE FOREIGN TABLE security_use (v text) SERVER security_use OPTIONS (topic 'x', enable_ssl_certificate_verification 'false');
CREATE FOREIGN TABLE security_use (v text) SERVER security_use OPTIONS (topic 'x', password_required 'false');
SET ROLE security_use_owner;
ALTER SERVER security_use OPTIONS (DROP password_required, ADD sasl_oauthbearer_token_endpoint_url 'https://me:TOP-SECRET@x/token');
-- what librdkafka quotes of a secret is not shown
ALTER SERVER security_use OPTIONS (DROP password_required, SET sasl_mechanisms 'OAUTHBEARER', ADD enable_sasl_oauthbearer_unsecure_jwt 'true');
ALTER USER MAPPING FOR CURRENT_USER SERVER security_use OPTIONS (ADD sasl_oauthbearer_config 'principal=me TOP-SECRET=1');
RESET ROLE;
SET ROLE security_use_owner;
SELECT kafka.list_topics(server => 'security_use');
RESET ROLE;
DROP SERVER security_use CASCADE;
DROP OWNED BY security_use_owner, security_use_files;
DROP ROLE security_use_owner, security_use_files, security_use_super;
