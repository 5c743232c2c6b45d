-- What is accepted can be published: the largest message, with what the relay adds; and what the relay connects with.
SET client_min_messages = error;
\getenv brokers KAFKA_BROKERS
SELECT created FROM kafka.create_topic('outbox_limits', 1);
CREATE SERVER outbox_limits FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers', message_max_bytes '2000');
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_limits', 'outbox_limits', false);
SET kafka_fdw.server = 'outbox_limits';
CREATE TABLE outbox_limits (v text);
SELECT kafka.create_outbox('outbox_limits', topic => 'outbox_limits', value_column => 'v');
SELECT kafka.stop_relay('public.outbox_limits');
-- the largest that the given command accepts
CREATE FUNCTION outbox_limits_largest(command text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  FOR size IN REVERSE 2000 .. 1 LOOP
    BEGIN
      EXECUTE command USING repeat('x', size);
      RETURN size;
    EXCEPTION WHEN program_limit_exceeded THEN NULL;
    END;
  END LOOP;
END $$;
SELECT outbox_limits_largest($$SELECT kafka.produce('outbox_limits', $1, delivery => 'immediate')$$)
     - outbox_limits_largest($$SELECT kafka.produce('outbox_limits', $1, delivery => 'outbox')$$) AS relay_adds;
SELECT outbox_limits_largest($$INSERT INTO outbox_limits VALUES ($1)$$) AS largest \gset
SELECT count(*), count(DISTINCT octet_length(value)), max(octet_length(value)) = :largest AS same FROM kafka.outbox WHERE topic = 'outbox_limits';
CALL kafka.relay('outbox_limits');
CALL kafka.relay('public.outbox_limits');
CREATE FOREIGN TABLE outbox_limits_read (v text) SERVER outbox_limits OPTIONS (topic 'outbox_limits');
SELECT count(*), min(length(v)) = :largest AS same FROM outbox_limits_read;
SELECT kafka.drop_outbox('outbox_limits'), kafka.drop_outbox('public.outbox_limits');
DROP FOREIGN TABLE outbox_limits_read;
DROP FUNCTION outbox_limits_largest;
DROP TABLE outbox_limits;
SELECT deleted FROM kafka.delete_topic('outbox_limits');
DROP SERVER outbox_limits;
-- a superuser may use what the relay, with the user mapping for PUBLIC, may not
CREATE SERVER outbox_limits FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE USER MAPPING FOR PUBLIC SERVER outbox_limits OPTIONS (ssl_ca_location '/dev/null');
SELECT kafka.produce('outbox_limits', 'x', delivery => 'outbox');
SELECT count(*) FROM kafka.outbox_status WHERE server = 'outbox_limits';
ALTER USER MAPPING FOR PUBLIC SERVER outbox_limits OPTIONS (DROP ssl_ca_location);
SELECT (kafka.produce('outbox_limits', 'x', delivery => 'outbox')).topic;
-- also when that is changed later
ALTER USER MAPPING FOR PUBLIC SERVER outbox_limits OPTIONS (ssl_ca_location '/dev/null');
SELECT kafka.produce('outbox_limits', 'x', delivery => 'outbox');
SELECT kafka.drop_outbox('outbox_limits', true);
DROP SERVER outbox_limits CASCADE;
