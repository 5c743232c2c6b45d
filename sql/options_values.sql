-- Options: values of every type; settings; options that need delivery "immediate".
CREATE SERVER options_values FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1');
CREATE FOREIGN TABLE options_values (v text) SERVER options_values OPTIONS (topic 'x');
DO $$
DECLARE
  target text;
  option text;
  value text;
  hint text;
BEGIN
  FOR target, option, value IN VALUES
      ('t', 'format', 'avro'), ('t', 'format', ''), ('t', 'format', 'JSON '), ('t', 'key_format', 'avro'), ('t', 'delivery', 'never'),
      ('t', 'partitioner', 'hash'), ('t', 'on_error', 'stop'), ('t', 'strict', 'maybe'), ('t', 'ignore_junk', '2'), ('t', 'encoding', 'klingon'),
      ('t', 'delimiter', ''), ('t', 'delimiter', 'ab'), ('t', 'delimiter', E'\n'), ('t', 'delimiter', 'é'), ('t', 'quote', '""'), ('t', 'escape', ''),
      ('t', 'batch_size', '0'), ('t', 'batch_size', 'many'), ('t', 'batch_size', '1.5'), ('t', 'batch_size', '99999999999'), ('t', 'buffer_delay', '-1'), ('t', 'num_partitions', '0'),
      ('c', 'meta', 'offsets'), ('c', 'force_null', 'perhaps'), ('c', 'partition', '1x'), ('c', 'path', 'x.y'),
      ('s', 'partitioner', 'x'), ('s', 'batch_size', '-5'), ('s', 'security_protocol', 'tls'), ('s', 'linger_ms', 'soon'), ('s', 'linger_ms', '-1'),
      ('s', 'socket_keepalive_enable', 'maybe'), ('s', 'acks', '7000000'), ('s', 'compression_type', 'zip'), ('s', 'isolation_level', 'dirty'),
      ('t', 'isolation_level', 'dirty'), ('t', 'compression_codec', 'rar') LOOP
    BEGIN
      EXECUTE CASE target
        WHEN 's' THEN format('ALTER SERVER options_values OPTIONS (ADD %I %L)', option, value)
        WHEN 't' THEN format('ALTER FOREIGN TABLE options_values OPTIONS (ADD %I %L)', option, value)
        ELSE format('ALTER FOREIGN TABLE options_values ALTER v OPTIONS (ADD %I %L)', option, value) END;
      RAISE WARNING '% % was accepted', option, value;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
      RAISE NOTICE '%: % / %', SQLSTATE, SQLERRM, hint;
    END;
  END LOOP;
END $$;
-- what is right, in PostgreSQL's spellings
ALTER FOREIGN TABLE options_values OPTIONS (ADD format 'json', ADD key_format 'bytes', ADD strict 'on', ADD ignore_junk 'no', ADD encoding 'latin-1', ADD batch_size '10',
  ADD buffer_delay '5', ADD num_partitions '3', ADD delimiter ';', ADD quote '''', ADD escape '\', ADD "null" 'NULL', ADD on_error 'skip', ADD partitioner 'sticky', ADD isolation_level 'read_uncommitted');
ALTER FOREIGN TABLE options_values OPTIONS (SET format 'JSON');

-- properties of a producer on a table: its own handle, so "immediate" only
ALTER FOREIGN TABLE options_values OPTIONS (ADD linger_ms '5', ADD delivery 'before_commit');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE options_values OPTIONS (ADD linger_ms '5', ADD delivery 'immediate');
ALTER FOREIGN TABLE options_values OPTIONS (SET delivery 'before_commit');
ALTER FOREIGN TABLE options_values OPTIONS (DROP delivery);
SELECT * FROM kafka.create_topic('options_values', 1, server => 'kafka');
CREATE FOREIGN TABLE options_values_kafka (v text) SERVER kafka OPTIONS (topic 'options_values', compression_type 'gzip');
INSERT INTO options_values_kafka VALUES ('x');
\echo :LAST_ERROR_SQLSTATE
SET kafka_fdw.delivery = 'immediate';
INSERT INTO options_values_kafka VALUES ('immediate by setting');
RESET kafka_fdw.delivery;
ALTER FOREIGN TABLE options_values_kafka OPTIONS (ADD delivery 'immediate', ADD acks '1');
INSERT INTO options_values_kafka VALUES ('acks 1');
ALTER FOREIGN TABLE options_values_kafka OPTIONS (SET acks '0');
INSERT INTO options_values_kafka VALUES ('acks 0');
SELECT v FROM options_values_kafka WHERE v <> 'acks 0' ORDER BY v;
-- less than all acknowledgements is nothing for a transaction
\getenv brokers KAFKA_BROKERS
CREATE SERVER options_values_acks FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers', acks '1');
SELECT kafka.produce('options_values', 'x', server => 'options_values_acks');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.produce('options_values', 'x', delivery => 'immediate', server => 'options_values_acks') IS NOT NULL AS sent;
DROP SERVER options_values_acks;

-- settings: unit, type, default, limits, who may set them
SELECT name, setting, unit, vartype, context, min_val, max_val, enumvals, boot_val FROM pg_settings WHERE name LIKE 'kafka\_fdw.%' ORDER BY name;
SELECT count(*) FROM pg_settings WHERE name LIKE 'kafka\_fdw.%' AND (short_desc = '' OR short_desc IS NULL);
\set VERBOSITY sqlstate
SET kafka_fdw.connect_timeout = '10ms';
SET kafka_fdw.connect_timeout = '2min';
SHOW kafka_fdw.connect_timeout;
SET kafka_fdw.commit_timeout = 'soon';
SET kafka_fdw.send_buffer = '1kB';
SET kafka_fdw.send_buffer = '1GB';
SHOW kafka_fdw.send_buffer;
SET kafka_fdw.log_broker_messages = 'loud';
SET kafka_fdw.instance_name = 'x';
SET kafka_fdw.no_such_setting = 'x';
\set VERBOSITY terse
DROP SERVER options_values CASCADE;
SELECT deleted FROM kafka.delete_topic('options_values');
