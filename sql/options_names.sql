-- peer_S10: Options: names that are none, that belong elsewhere, that the extension keeps for itself.
\set VERBOSITY default
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1', bootstrap_server 'x');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1', security_protocoll 'ssl');
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1', "no such option at all" 'x');
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1', topic 'x');
-- required
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw;
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw OPTIONS (linger_ms '5');
\echo :LAST_ERROR_SQLSTATE
-- the name in its forms: underscores, dots, the older extension's
CREATE SERVER options_names FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers 'localhost:1');
ALTER SERVER options_names OPTIONS (ADD "linger.ms" '5', ADD socket_keepalive_enable 'true', ADD partitioner 'murmur2');
ALTER SERVER options_names OPTIONS (DROP brokers);
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER options_names OPTIONS (DROP brokers, ADD "bootstrap.servers" 'localhost:1');
ALTER SERVER options_names OPTIONS (DROP "bootstrap.servers", ADD metadata_broker_list 'localhost:1');
SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'options_names';

CREATE FOREIGN TABLE options_names (v text) SERVER options_names;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE options_names (v text) SERVER options_names OPTIONS (topic '');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE options_names (v text) SERVER options_names OPTIONS (topics 'x');
CREATE FOREIGN TABLE options_names (v text) SERVER options_names OPTIONS (topic 'x', formats 'json');
CREATE FOREIGN TABLE options_names (v text) SERVER options_names OPTIONS (topic 'x', fetch_max_byte '5');
CREATE FOREIGN TABLE options_names (v text) SERVER options_names OPTIONS (topic 'x', meta 'key');
CREATE FOREIGN TABLE options_names (v text OPTIONS (topic 'x')) SERVER options_names OPTIONS (topic 'x');
CREATE FOREIGN TABLE options_names (v text OPTIONS (mete 'key')) SERVER options_names OPTIONS (topic 'x');
CREATE FOREIGN TABLE options_names (v text OPTIONS (linger_ms '5')) SERVER options_names OPTIONS (topic 'x');
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR CURRENT_USER SERVER options_names OPTIONS (sasl_user 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER options_names OPTIONS (security_protocol 'plaintext');
CREATE USER MAPPING FOR CURRENT_USER SERVER options_names OPTIONS (topic 'x');
CREATE FOREIGN DATA WRAPPER options_names HANDLER kafka.kafka_fdw_handler VALIDATOR kafka.kafka_fdw_validator OPTIONS (debug 'all');

-- misplaced: each with where it belongs
\set VERBOSITY terse
DO $$
DECLARE
  place text;
  option text;
  hint text;
BEGIN
  FOR place, option IN VALUES
      -- owned
      ('server', 'group_id'), ('server', 'enable_auto_commit'), ('server', 'transactional_id'), ('server', 'log_level'), ('server', 'dr_msg_cb'),
      ('server', '"log.queue"'), ('server', 'error_cb'), ('server', 'opaque'), ('server', 'auto_offset_reset'),
      ('table', 'group_id'), ('table', 'auto_offset_reset'), ('mapping', 'group_id'),
      -- secrets
      ('server', 'sasl_password'), ('server', '"sasl.password"'), ('server', 'ssl_key_pem'), ('server', 'ssl_key_password'), ('server', 'sasl_oauthbearer_client_secret'),
      ('table', 'sasl_password'), ('table', 'ssl_keystore_password'),
      -- where to and how to log in is the server's
      ('table', 'bootstrap_servers'), ('table', 'brokers'), ('table', 'security_protocol'), ('table', 'sasl_mechanisms'), ('table', 'sasl_username'),
      ('table', 'ssl_ca_location'), ('table', 'transaction_timeout_ms'),
      ('mapping', 'bootstrap_servers'), ('mapping', 'linger_ms'), ('mapping', 'client_id') LOOP
    BEGIN
      EXECUTE CASE place
        WHEN 'server' THEN format('ALTER SERVER options_names OPTIONS (ADD %s ''1'')', option)
        WHEN 'table' THEN format('CREATE FOREIGN TABLE options_names (v text) SERVER options_names OPTIONS (topic ''x'', %s ''1'')', option)
        ELSE format('CREATE USER MAPPING FOR CURRENT_USER SERVER options_names OPTIONS (%s ''1'')', option) END;
      RAISE WARNING '% % was accepted', place, option;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
      RAISE NOTICE '% %: % / %', SQLSTATE, place, SQLERRM, hint;
    END;
  END LOOP;
END $$;
ALTER SERVER options_names OPTIONS (ADD test_mock_num_brokers '1');
\echo :LAST_ERROR_SQLSTATE
-- credentials on a mapping, also for PUBLIC
CREATE USER MAPPING FOR CURRENT_USER SERVER options_names OPTIONS (sasl_username 'u', "sasl.password" 'p');
CREATE USER MAPPING FOR PUBLIC SERVER options_names OPTIONS (ssl_key_password 'p', ssl_certificate_pem 'c');
CREATE USER MAPPING FOR PUBLIC SERVER kafka;
DROP USER MAPPING FOR PUBLIC SERVER kafka;
DROP USER MAPPING FOR CURRENT_USER SERVER options_names;
DROP USER MAPPING FOR PUBLIC SERVER options_names;
DROP SERVER options_names;
