-- delivery after_commit: Kafka's transaction commits just after PostgreSQL's. Modes and servers in one transaction.
SELECT * FROM kafka.create_topic('transactions_after_commit', 1);
CREATE FOREIGN TABLE transactions_after_commit (v text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'transactions_after_commit', delivery 'after_commit');
CREATE TABLE transactions_after_commit_rows (v text);
-- what this session did, each time anew
CREATE FUNCTION transactions_after_commit_did(OUT committed bigint, OUT aborted bigint, OUT confirmed bigint, OUT failed bigint)
LANGUAGE sql AS $$
  SELECT coalesce(sum(transactions_committed), 0), coalesce(sum(transactions_aborted), 0), coalesce(sum(messages_confirmed), 0),
         coalesce(sum(after_commit_failures + transactions_unknown + messages_failed), 0) FROM kafka.client_stats
$$;
INSERT INTO transactions_after_commit VALUES ('one'), ('two');
SELECT v FROM transactions_after_commit ORDER BY offs;
INSERT INTO transactions_after_commit VALUES ('three') RETURNING v, offs;
EXPLAIN (COSTS OFF) INSERT INTO transactions_after_commit VALUES ('four');

-- rolled back: nothing is sent, nothing was begun
DISCARD ALL;
BEGIN;
INSERT INTO transactions_after_commit VALUES ('rolled back');
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO transactions_after_commit VALUES ('rolled back to a');
ROLLBACK TO a;
INSERT INTO transactions_after_commit VALUES ('kept');
SAVEPOINT b;
INSERT INTO transactions_after_commit VALUES ('released');
RELEASE b;
SELECT count(*) FROM transactions_after_commit WHERE v IN ('kept', 'released');
COMMIT;
SELECT * FROM transactions_after_commit_did();
SELECT v FROM transactions_after_commit WHERE offs > 3 ORDER BY offs;

-- a failure at COMMIT before the messages are sent
CREATE TABLE transactions_after_commit_unique (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
DISCARD ALL;
BEGIN;
INSERT INTO transactions_after_commit_unique VALUES (1), (1);
INSERT INTO transactions_after_commit VALUES ('not unique');
COMMIT;
SELECT * FROM transactions_after_commit_did();

-- three modes in one transaction: two Kafka transactions, and what goes at once
BEGIN;
SELECT kafka.produce('transactions_after_commit', 'before', delivery => 'before_commit');
SELECT kafka.produce('transactions_after_commit', 'after', delivery => 'after_commit');
SELECT (kafka.produce('transactions_after_commit', 'immediate', delivery => 'immediate')).partition;
INSERT INTO transactions_after_commit_rows VALUES ('row');
COMMIT;
SELECT * FROM transactions_after_commit_did();
SELECT v FROM transactions_after_commit WHERE v IN ('before', 'after', 'immediate') ORDER BY v;
BEGIN;
SELECT kafka.produce('transactions_after_commit', 'before, rolled back', delivery => 'before_commit');
SELECT kafka.produce('transactions_after_commit', 'after, rolled back', delivery => 'after_commit');
SELECT (kafka.produce('transactions_after_commit', 'immediate, stays', delivery => 'immediate')).partition;
ROLLBACK;
SELECT v FROM transactions_after_commit WHERE v LIKE '%,%' ORDER BY v;

-- two servers
\getenv brokers KAFKA_BROKERS
CREATE SERVER transactions_after_commit_2 FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
SET kafka_fdw.delivery = 'after_commit';
-- a session waits for what it sent through the server that it reads through, else somebody must see to it
SET kafka_fdw.commit_wait = 'visible';
BEGIN;
SELECT kafka.produce('transactions_after_commit', 'first server', server => 'kafka');
SELECT kafka.produce('transactions_after_commit', 'second server', server => 'transactions_after_commit_2');
COMMIT;
RESET kafka_fdw.delivery;
RESET kafka_fdw.commit_wait;
SELECT v FROM transactions_after_commit WHERE v LIKE '% server' ORDER BY v;
SELECT server, transactions_committed FROM kafka.client_stats WHERE server LIKE 'transactions%';

-- a procedure that commits: a Kafka transaction for each
CREATE PROCEDURE transactions_after_commit_steps() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 6 LOOP
    INSERT INTO transactions_after_commit VALUES ('step ' || i);
    IF i % 3 = 0 THEN
      ROLLBACK;
    ELSE
      COMMIT;
    END IF;
  END LOOP;
END $$;
DISCARD ALL;
CALL transactions_after_commit_steps();
SELECT * FROM transactions_after_commit_did();
SELECT v FROM transactions_after_commit WHERE v LIKE 'step%' ORDER BY offs;

-- refused, as in before_commit
BEGIN;
INSERT INTO transactions_after_commit VALUES ('prepared');
PREPARE TRANSACTION 'transactions_after_commit';
ALTER FOREIGN TABLE transactions_after_commit OPTIONS (ADD acks '1');
INSERT INTO transactions_after_commit VALUES ('acks');
DROP SERVER transactions_after_commit_2;
SELECT deleted FROM kafka.delete_topic('transactions_after_commit');
