-- kafka_fdw.commit_wait visible: COMMIT returns when read_committed readers see the messages. And what a
-- transaction costs that sends nothing, and what DISCARD ALL leaves.
SELECT * FROM kafka.create_topic('transactions_visible', 2);
SHOW kafka_fdw.commit_wait;
-- how often after a commit the ends that readers see are not the high watermarks yet: without
-- the setting, 15 to 40 times of 100
CREATE PROCEDURE transactions_visible(n int, INOUT lagging int) LANGUAGE plpgsql AS $$
DECLARE
  behind boolean;
BEGIN
  lagging := 0;
  FOR i IN 1 .. n LOOP
    PERFORM kafka.produce('transactions_visible', i::text, partition => i % 2);
    PERFORM kafka.produce('transactions_visible', i::text, partition => 0);
    COMMIT;
    SELECT bool_or(last_stable < high) INTO behind FROM kafka.watermarks('transactions_visible');
    lagging := lagging + behind::int;
  END LOOP;
END $$;
SET kafka_fdw.commit_wait = 'visible';
CALL transactions_visible(100, NULL);
SET kafka_fdw.delivery = 'after_commit';
CALL transactions_visible(100, NULL);
RESET kafka_fdw.delivery;
SELECT transactions_committed, visible_timeouts FROM kafka.client_stats;
-- immediate messages are visible when they are confirmed
SELECT (kafka.produce('transactions_visible', 'x', partition => 1, delivery => 'immediate')).partition;
SELECT bool_or(last_stable < high) FROM kafka.watermarks('transactions_visible');
-- a reader of this kind would have been kept waiting: the setting changes nothing else
BEGIN;
SELECT kafka.produce('transactions_visible', 'rolled back');
ROLLBACK;
SET kafka_fdw.commit_wait = 'seen';
RESET kafka_fdw.commit_wait;

-- transactions without sends never get to Kafka, nor do those that are rolled back
CREATE TABLE transactions_visible_rows (i int);
CREATE TEMP TABLE before AS SELECT * FROM kafka.client_stats;
BEGIN;
INSERT INTO transactions_visible_rows SELECT generate_series(1, 1000);
SAVEPOINT s;
DELETE FROM transactions_visible_rows;
ROLLBACK TO s;
COMMIT;
DO $$ BEGIN
  FOR i IN 1 .. 1000 LOOP
    BEGIN
      INSERT INTO transactions_visible_rows VALUES (i);
      IF i % 2 = 0 THEN RAISE EXCEPTION 'x'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    COMMIT;
  END LOOP;
END $$;
SELECT count(*) FROM transactions_visible_rows;
SELECT count(*) FROM (TABLE before EXCEPT SELECT * FROM kafka.client_stats) changed;
SELECT kafka.produce('transactions_visible', 'now it does', partition => 0);
SELECT count(*) FROM (TABLE before EXCEPT SELECT * FROM kafka.client_stats) changed;

-- the clients of the session: by purpose; a second id only for those that commit back to back
SELECT purpose, count(*), bool_or(in_use OR stale) AS other, bool_and(reachable) AS reachable FROM kafka.clients GROUP BY purpose ORDER BY purpose;
SELECT count(DISTINCT transactional_id), bool_and(transactional_id ~ '^kafka_fdw\.[0-9a-f]{16}\.\d+\.\d+\.\d+\.\d+\.[01]$') FROM kafka.clients WHERE transactional_id IS NOT NULL;
-- refused in a transaction, and then nothing is discarded
BEGIN;
DISCARD ALL;
ROLLBACK;
SELECT count(*) > 0 AS clients FROM kafka.clients;
DISCARD ALL;
SELECT count(*) AS clients FROM kafka.clients;
SELECT sum(client_uses + clients_started + requests + messages_sent + transactions_committed) FROM kafka.client_stats;
SELECT kafka.produce('transactions_visible', 'again', partition => 0);
SELECT clients_started, transactions_committed FROM kafka.client_stats;
-- DISCARD TEMP and others leave them
DISCARD TEMP;
DISCARD PLANS;
SELECT count(*) > 0 AS clients FROM kafka.clients;
SELECT deleted FROM kafka.delete_topic('transactions_visible');
