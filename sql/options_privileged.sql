-- Properties that read files, load code or run programs: who may set them, and who may use them.
CREATE ROLE options_plain LOGIN;
CREATE ROLE options_files LOGIN IN ROLE pg_read_server_files;
CREATE ROLE options_programs LOGIN IN ROLE pg_execute_server_program;
CREATE SCHEMA options_privileged AUTHORIZATION options_plain;
GRANT USAGE ON FOREIGN DATA WRAPPER kafka_fdw TO options_plain, options_files, options_programs;
CREATE FUNCTION pg_temp.try(role name, option text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text := 'accepted';
BEGIN
  EXECUTE format('SET ROLE %I', role);
  BEGIN
    EXECUTE format('CREATE SERVER options_privileged FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers ''localhost:1'', %s ''/no/such/file'')', option);
    EXECUTE 'DROP SERVER options_privileged';
  EXCEPTION WHEN OTHERS THEN
    result := SQLSTATE || ' ' || SQLERRM;
  END;
  RESET ROLE;
  RETURN result;
END $$;
SELECT o AS option, r AS role, pg_temp.try(r, o)
  FROM unnest(ARRAY['ssl_ca_location', '"ssl.ca.location"', 'ssl_key_location', 'ssl_certificate_location', 'ssl_keystore_location', 'ssl_crl_location',
                    'sasl_kerberos_keytab', 'plugin_library_paths', '"plugin.library.paths"', 'sasl_kerberos_kinit_cmd', 'ssl_engine_location', 'client_id']) WITH ORDINALITY AS o (o, n),
       unnest(ARRAY['options_plain', 'options_files', 'options_programs']) WITH ORDINALITY AS r (r, m) ORDER BY o.n, r.m;
SET ROLE options_plain;
CREATE SERVER options_privileged FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1', ssl_ca_location '/etc/passwd');
CREATE SERVER options_privileged FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1', plugin_library_paths 'evil.so');
-- a mapping of one's own, too
CREATE SERVER options_privileged FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1');
CREATE USER MAPPING FOR CURRENT_USER SERVER options_privileged OPTIONS (sasl_username 'x', ssl_key_location '/etc/shadow');
CREATE FOREIGN TABLE options_privileged.t (v text) SERVER options_privileged OPTIONS (topic 'x', plugin_library_paths 'evil.so');
DROP SERVER options_privileged;
RESET ROLE;

-- rights are looked at again when the option is used: a server's options are its owner's
SET kafka_fdw.connect_timeout = '500ms';
SET ROLE options_files;
CREATE SERVER options_privileged FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1', ssl_ca_location '/no/such/file');
GRANT USAGE ON FOREIGN SERVER options_privileged TO options_plain;
RESET ROLE;
\set VERBOSITY terse
-- the owner may: the option reaches librdkafka, for everybody who may use the server
SET ROLE options_plain;
SELECT kafka.list_topics(server => 'options_privileged');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
REVOKE pg_read_server_files FROM options_files;
SET ROLE options_plain;
SELECT kafka.list_topics(server => 'options_privileged');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT kafka.list_topics(server => 'options_privileged');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER options_privileged OPTIONS (DROP ssl_ca_location);
ALTER SERVER options_privileged OWNER TO options_plain;
SELECT kafka.list_topics(server => 'options_privileged');
\echo :LAST_ERROR_SQLSTATE
DROP SERVER options_privileged;
REVOKE ALL ON FOREIGN DATA WRAPPER kafka_fdw FROM options_plain, options_files, options_programs;
DROP SCHEMA options_privileged;
DROP ROLE options_plain, options_files, options_programs;
