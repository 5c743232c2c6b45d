-- A broker that is not there: every command fails with HV00N within kafka_fdw.connect_timeout, again and again.
CREATE SERVER integration_dead FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE FOREIGN TABLE integration_dead (v text) SERVER integration_dead OPTIONS (topic 'integration_dead');
SET kafka_fdw.connect_timeout = '300ms';
SET kafka_fdw.commit_timeout = '300ms';
CREATE TABLE integration_dead_local (id int);
DO $$
DECLARE
  command text;
  began timestamptz;
  took interval;
BEGIN
  FOR round IN 1 .. 2 LOOP
    FOREACH command IN ARRAY ARRAY[
        'SELECT * FROM integration_dead',
        'SELECT count(*) FROM integration_dead',
        'INSERT INTO integration_dead VALUES (1)',
        'SELECT kafka.produce(''integration_dead'', ''x'', server => ''integration_dead'')',
        'SELECT kafka.produce(''integration_dead'', ''x'', delivery => ''immediate'', server => ''integration_dead'')',
        'SELECT * FROM kafka.list_topics(server => ''integration_dead'')',
        'SELECT * FROM kafka.watermarks(''integration_dead'', server => ''integration_dead'')',
        'SELECT * FROM kafka.create_topic(''integration_dead'', server => ''integration_dead'')',
        'SELECT * FROM kafka.create_topic(''integration_dead'', timeout => ''200ms'', server => ''integration_dead'')',
        'SELECT * FROM kafka.delete_topic(''integration_dead'', server => ''integration_dead'')',
        'SELECT * FROM kafka.delete_topic(''integration_dead'', if_exists => true, server => ''integration_dead'')'] LOOP
      began := clock_timestamp();
      BEGIN
        EXECUTE command;
        RAISE WARNING 'worked: %', command;
      EXCEPTION WHEN OTHERS THEN
        took := clock_timestamp() - began;
        IF round = 1 OR SQLSTATE <> 'HV00N' OR took > '3 s' THEN
          RAISE NOTICE '% %: %', SQLSTATE, CASE WHEN took <= '3 s' THEN 'in time' ELSE 'too late' END, command;
        END IF;
      END;
    END LOOP;
  END LOOP;
END $$;
\set VERBOSITY terse
SELECT * FROM integration_dead;
\echo :LAST_ERROR_SQLSTATE
COPY integration_dead FROM STDIN;
x
\.
-- nothing of it is left: the transaction is rolled back, the other server works
BEGIN;
INSERT INTO integration_dead_local VALUES (1);
INSERT INTO integration_dead VALUES ('x');
COMMIT;
SELECT count(*) FROM integration_dead_local;
SET kafka_fdw.connect_timeout = '10s';
SET kafka_fdw.commit_timeout = '30s';
SELECT count(*) >= 0 AS works FROM kafka.list_topics(true, server => 'kafka');
SELECT created FROM kafka.create_topic('integration_dead', 1, server => 'kafka');
BEGIN;
SELECT (kafka.produce('integration_dead', 'alive', server => 'kafka')).topic;
SAVEPOINT s;
SET LOCAL kafka_fdw.connect_timeout = '300ms';
SELECT kafka.produce('integration_dead', 'dead', server => 'integration_dead');
ROLLBACK TO s;
COMMIT;
CREATE FOREIGN TABLE integration_dead_alive (v text) SERVER kafka OPTIONS (topic 'integration_dead');
SELECT v FROM integration_dead_alive;
-- the server's address is corrected: the next command uses it
\getenv brokers KAFKA_BROKERS
ALTER SERVER integration_dead OPTIONS (SET bootstrap_servers :'brokers');
SELECT v FROM integration_dead;
-- and the other way round: no connection of before is used
ALTER SERVER integration_dead OPTIONS (SET bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.connect_timeout = '300ms';
SELECT v FROM integration_dead;
\echo :LAST_ERROR_SQLSTATE
-- an address that is none
ALTER SERVER integration_dead OPTIONS (SET bootstrap_servers 'no-such-host.invalid:9092');
SELECT v FROM integration_dead;
\echo :LAST_ERROR_SQLSTATE
-- statement_timeout and cancel keep their own SQLSTATE
ALTER SERVER integration_dead OPTIONS (SET bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.connect_timeout = '60s';
SET statement_timeout = '300ms';
SELECT v FROM integration_dead;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_topics(server => 'integration_dead');
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
RESET kafka_fdw.connect_timeout;
DROP FOREIGN TABLE integration_dead;
DROP SERVER integration_dead;
SELECT deleted FROM kafka.delete_topic('integration_dead');
