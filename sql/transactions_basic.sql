-- before_commit: sent with COMMIT, or not at all (peer_W5). immediate: sent, whatever follows.
SELECT * FROM kafka.create_topic('transactions_basic', 2);
CREATE FOREIGN TABLE transactions_basic (
  v text,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'transactions_basic');
-- the same topic as readers see it who do not wait for transactions to end
CREATE FOREIGN TABLE transactions_basic_all (v text) SERVER kafka
  OPTIONS (topic 'transactions_basic', isolation_level 'read_uncommitted');

BEGIN;
INSERT INTO transactions_basic (v) VALUES ('insert');
SELECT (kafka.produce('transactions_basic', 'function')).topic;
-- not sent yet, not even uncommitted
SELECT count(*) FROM transactions_basic_all;
SELECT v FROM transactions_basic;
COMMIT;
SELECT v FROM transactions_basic ORDER BY v;
-- a statement of its own
INSERT INTO transactions_basic (v) VALUES ('alone');
SELECT v FROM transactions_basic ORDER BY v;

BEGIN;
INSERT INTO transactions_basic (v) VALUES ('rolled back');
ROLLBACK;
BEGIN;
INSERT INTO transactions_basic (v) VALUES ('failed');
SELECT 1 / 0;
COMMIT;
-- an error in the statement itself, after some rows
INSERT INTO transactions_basic (v) SELECT (10 / (5 - i))::text FROM generate_series(1, 6) AS i;
SELECT v FROM transactions_basic_all ORDER BY v;

-- order within a partition is the order of sending, across statements
BEGIN;
INSERT INTO transactions_basic (v, part) SELECT 'a' || i, 1 FROM generate_series(1, 3) AS i;
SELECT (kafka.produce('transactions_basic', 'b', partition => 1)).topic;
INSERT INTO transactions_basic (v, part) VALUES ('c', 1);
COMMIT;
SELECT string_agg(v, ' ' ORDER BY offs) FROM transactions_basic WHERE part = 1 AND v ~ '^(a.|b|c)$';

-- the mode: argument, table option, setting
BEGIN;
SELECT (kafka.produce('transactions_basic', 'stays (argument)', delivery => 'immediate')).offset IS NOT NULL AS known;
SET LOCAL kafka_fdw.delivery = 'immediate';
INSERT INTO transactions_basic (v) VALUES ('stays (setting, table)');
SELECT (kafka.produce('transactions_basic', 'stays (setting, function)')).offset IS NOT NULL AS known;
SELECT (kafka.produce('transactions_basic', 'goes (argument over setting)', delivery => 'before_commit')).offset IS NOT NULL AS known;
ROLLBACK;
ALTER FOREIGN TABLE transactions_basic OPTIONS (ADD delivery 'immediate');
BEGIN;
INSERT INTO transactions_basic (v) VALUES ('stays (option)');
ROLLBACK;
ALTER FOREIGN TABLE transactions_basic OPTIONS (SET delivery 'before_commit');
SET kafka_fdw.delivery = 'immediate';
BEGIN;
INSERT INTO transactions_basic (v) VALUES ('goes (option over setting)');
ROLLBACK;
RESET kafka_fdw.delivery;
SELECT v FROM transactions_basic WHERE v LIKE 'stays%' OR v LIKE 'goes%' ORDER BY v;
-- both modes in one transaction
BEGIN;
SELECT (kafka.produce('transactions_basic', 'both: later')).topic;
SELECT (kafka.produce('transactions_basic', 'both: now', delivery => 'immediate')).topic;
SELECT v FROM transactions_basic WHERE v LIKE 'both%' ORDER BY v;
COMMIT;
SELECT v FROM transactions_basic WHERE v LIKE 'both%' ORDER BY v;

-- what there is no mode for
\set VERBOSITY terse
SET kafka_fdw.delivery = 'sometime';
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE transactions_basic OPTIONS (SET delivery 'sometime');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE transactions_basic OPTIONS (DROP delivery);

-- PREPARE TRANSACTION
BEGIN;
INSERT INTO transactions_basic (v) VALUES ('prepared');
PREPARE TRANSACTION 'transactions_basic';
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT (kafka.produce('transactions_basic', 'stays (prepared)', delivery => 'immediate')).topic;
SAVEPOINT s;
INSERT INTO transactions_basic (v) VALUES ('prepared');
ROLLBACK TO s;
PREPARE TRANSACTION 'transactions_basic';
ROLLBACK PREPARED 'transactions_basic';
SELECT v FROM transactions_basic WHERE v LIKE '%prepared%' ORDER BY v;
-- a read-only transaction may read; what it may not write is PostgreSQL's business
BEGIN READ ONLY;
SELECT count(*) > 0 AS some FROM transactions_basic;
INSERT INTO transactions_basic (v) VALUES ('x');
ROLLBACK;
SELECT count(*), count(DISTINCT v) FROM transactions_basic_all;
SELECT deleted FROM kafka.delete_topic('transactions_basic');
