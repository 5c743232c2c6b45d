-- A log-in that the cluster refuses is told as such, and at once, however often it is tried.
\getenv brokers KAFKA_BROKERS
CREATE SERVER security_login FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (bootstrap_servers :'brokers', security_protocol 'sasl_plaintext', sasl_mechanisms 'PLAIN');
CREATE USER MAPPING FOR CURRENT_USER SERVER security_login OPTIONS (sasl_username 'a', sasl_password 'b');
CREATE FOREIGN TABLE security_login (v text) SERVER security_login OPTIONS (topic 'security_login');
SET statement_timeout = '20s';
SET kafka_fdw.connect_timeout = '15s';
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'works';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT n, pg_temp.try(c) FROM unnest(ARRAY['SELECT FROM security_login', 'SELECT FROM security_login',
  'SELECT FROM security_login', 'SELECT FROM kafka.watermarks(''security_login'', ''security_login'')',
  'SELECT FROM security_login']) WITH ORDINALITY AS u (c, n) ORDER BY n;
RESET statement_timeout;
RESET kafka_fdw.connect_timeout;

-- properties that librdkafka compares with each other, for every kind of client
SELECT created FROM kafka.create_topic('security_login', 1, server => 'kafka');
CREATE SERVER security_small FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (bootstrap_servers :'brokers', fetch_max_bytes '2000000', receive_message_max_bytes '3000000');
CREATE FOREIGN TABLE security_small (v text) SERVER security_small OPTIONS (topic 'security_login');
INSERT INTO security_small VALUES ('a');
SELECT * FROM security_small;
ALTER SERVER security_small OPTIONS (DROP fetch_max_bytes);
SELECT * FROM security_small;
ALTER SERVER security_small OPTIONS (ADD message_max_bytes '12000000', SET receive_message_max_bytes '20000000');
SELECT * FROM security_small;
SELECT high FROM kafka.watermarks('security_login', 'security_small');
SELECT deleted FROM kafka.delete_topic('security_login', server => 'kafka');
\set VERBOSITY terse
DROP SERVER security_login CASCADE;
DROP SERVER security_small CASCADE;
