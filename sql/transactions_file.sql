-- Messages that wait in a temporary file, and savepoints.
SELECT created FROM kafka.create_topic('transactions_file', 1);
CREATE FOREIGN TABLE transactions_file (v text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'transactions_file');
-- the temporary file: what is too much for temp_file_limit is rolled back with its savepoint, and nothing is left of it
SET kafka_fdw.send_buffer = '64kB';
SET temp_file_limit = '1MB';
\set VERBOSITY sqlstate
BEGIN;
SAVEPOINT s;
INSERT INTO transactions_file SELECT repeat('y', 200) FROM generate_series(1, 20000);
ROLLBACK TO s;
INSERT INTO transactions_file VALUES ('small');
INSERT INTO transactions_file SELECT repeat('z', 1000) FROM generate_series(1, 500);
INSERT INTO transactions_file SELECT repeat('y', 2000) FROM generate_series(1, 20000);
ROLLBACK TO s;
INSERT INTO transactions_file VALUES ('first');
SAVEPOINT t;
INSERT INTO transactions_file SELECT i || repeat('z', 1000) FROM generate_series(1, 500) i;
SAVEPOINT u;
INSERT INTO transactions_file SELECT repeat('y', 2000) FROM generate_series(1, 20000);
ROLLBACK TO u;
INSERT INTO transactions_file VALUES ('last');
COMMIT;
SELECT count(*), count(DISTINCT v), min(length(v)), max(length(v)) FROM transactions_file;
SELECT left(v, 8) FROM transactions_file WHERE offs IN (0, 1, 500, 501) ORDER BY offs;
-- all that went to the file is rolled back: no file is left behind at COMMIT
BEGIN;
SAVEPOINT a;
INSERT INTO transactions_file SELECT repeat('y', 200) FROM generate_series(1, 4000);
ROLLBACK TO a;
COMMIT;
SELECT count(*) FROM pg_ls_tmpdir();
SELECT deleted FROM kafka.delete_topic('transactions_file');
