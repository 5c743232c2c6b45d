-- Delivery "outbox" and transactions: rows come and go with them.
SET client_min_messages = error;
CREATE SERVER outbox_transactions FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.server = 'outbox_transactions';
SET kafka_fdw.delivery = 'outbox';
CREATE VIEW outbox_transactions AS
SELECT convert_from(value, 'UTF8') AS value FROM kafka.outbox WHERE server = 'outbox_transactions' ORDER BY id;
-- the outbox itself is made by who sends first, and goes with him
BEGIN;
SELECT (kafka.produce('outbox_transactions', 'lost 1')).topic;
SELECT name FROM kafka.outbox_definition WHERE server = 'outbox_transactions';
ROLLBACK;
SELECT name FROM kafka.outbox_definition WHERE server = 'outbox_transactions';
BEGIN;
SAVEPOINT s;
SELECT (kafka.produce('outbox_transactions', 'lost 2')).topic;
ROLLBACK TO s;
SELECT (kafka.produce('outbox_transactions', 'kept 1')).topic;
COMMIT;
SELECT name, username FROM kafka.outbox_definition WHERE server = 'outbox_transactions';
-- savepoints and exception blocks; the xid is always the transaction's
BEGIN;
SELECT (kafka.produce('outbox_transactions', 'kept 2')).topic;
SAVEPOINT a;
SELECT (kafka.produce('outbox_transactions', 'lost 3')).topic;
SAVEPOINT b;
SELECT (kafka.produce('outbox_transactions', 'lost 4')).topic;
RELEASE b;
ROLLBACK TO a;
SAVEPOINT c;
SELECT (kafka.produce('outbox_transactions', 'kept 3')).topic;
RELEASE c;
DO $$
BEGIN
  PERFORM kafka.produce('outbox_transactions', 'lost 5');
  RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
  PERFORM kafka.produce('outbox_transactions', 'kept 4');
END $$;
SELECT count(DISTINCT xid) AS xids, bool_and(xid = pg_current_xact_id()) AS own FROM kafka.outbox
 WHERE server = 'outbox_transactions' AND value IN ('kept 2', 'kept 3', 'kept 4');
COMMIT;
SELECT * FROM outbox_transactions;
-- procedures that commit
CREATE PROCEDURE outbox_transactions_send() LANGUAGE plpgsql AS $$
BEGIN
  PERFORM kafka.produce('outbox_transactions', 'kept 5');
  COMMIT;
  PERFORM kafka.produce('outbox_transactions', 'lost 6');
  ROLLBACK;
  PERFORM kafka.produce('outbox_transactions', 'kept 6');
END $$;
CALL outbox_transactions_send();
-- PREPARE TRANSACTION
BEGIN;
SELECT (kafka.produce('outbox_transactions', 'kept 7')).topic;
PREPARE TRANSACTION 'outbox_transactions';
SELECT count(*) FROM outbox_transactions WHERE value = 'kept 7';
COMMIT PREPARED 'outbox_transactions';
BEGIN;
SELECT (kafka.produce('outbox_transactions', 'lost 7')).topic;
PREPARE TRANSACTION 'outbox_transactions';
ROLLBACK PREPARED 'outbox_transactions';
SELECT * FROM outbox_transactions;
-- read-only
\set VERBOSITY sqlstate
BEGIN READ ONLY;
SELECT kafka.produce('outbox_transactions', 'x');
ROLLBACK;
-- PRE_COMMIT is not too late for a deferred trigger
\set VERBOSITY default
CREATE TABLE outbox_transactions_table (id integer);
CREATE FUNCTION outbox_transactions_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM kafka.produce('outbox_transactions', 'deferred ' || NEW.id);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON outbox_transactions_table DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION outbox_transactions_trigger();
INSERT INTO outbox_transactions_table VALUES (1);
SELECT value FROM outbox_transactions ORDER BY value;
-- waiting: there is no relay, so all these come to an end by themselves
SELECT pg_current_xact_id() AS empty \gset
SELECT kafka.wait_for_relay(xid => :'empty');
SELECT kafka.wait_for_relay('0', '3');
\set VERBOSITY sqlstate
SELECT kafka.wait_for_relay('0');
SELECT kafka.wait_for_relay('1 ms');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kafka.wait_for_relay('20 ms');
ROLLBACK;
BEGIN;
SELECT (kafka.produce('outbox_transactions', 'x')).topic;
SELECT kafka.wait_for_relay();
ROLLBACK;
BEGIN;
SELECT kafka.wait_for_relay('1s', pg_current_xact_id());
ROLLBACK;
SELECT kafka.wait_for_relay('1s', '9223372036854775807');
SELECT kafka.wait_for_relay('-1s');
-- its limit is not the only one
SET statement_timeout = '50ms';
SELECT kafka.wait_for_relay();
RESET statement_timeout;
-- one that has not ended yet
BEGIN;
SELECT pg_current_xact_id() AS prepared \gset
PREPARE TRANSACTION 'outbox_transactions';
SELECT kafka.wait_for_relay('1 ms', :'prepared');
ROLLBACK PREPARED 'outbox_transactions';
SELECT kafka.wait_for_relay('1 ms', :'prepared');
\set VERBOSITY default
SELECT kafka.drop_outbox('outbox_transactions', force => true);
-- nothing to wait for any more
SELECT kafka.wait_for_relay('0');
DROP TABLE outbox_transactions_table;
DROP FUNCTION outbox_transactions_trigger();
DROP PROCEDURE outbox_transactions_send();
DROP VIEW outbox_transactions;
DROP SERVER outbox_transactions;
