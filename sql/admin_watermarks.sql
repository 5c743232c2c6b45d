-- kafka.watermarks: first offset, end for read_uncommitted, end for read_committed.
SELECT * FROM kafka.create_topic('admin_watermarks', 3);
SELECT * FROM kafka.watermarks('admin_watermarks') ORDER BY partition;
CREATE FOREIGN TABLE admin_watermarks (v text, part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'admin_watermarks', delivery 'immediate');
INSERT INTO admin_watermarks (v, part) SELECT 'v', i % 2 FROM generate_series(1, 7) AS i;
SELECT * FROM kafka.watermarks('admin_watermarks') ORDER BY partition;
SELECT * FROM kafka.watermarks(topic => 'admin_watermarks', server => 'kafka') ORDER BY partition;
-- a transaction takes one offset more, for its end
ALTER FOREIGN TABLE admin_watermarks OPTIONS (SET delivery 'before_commit');
BEGIN;
INSERT INTO admin_watermarks (v, part) VALUES ('v', 2);
SELECT * FROM kafka.watermarks('admin_watermarks') WHERE partition = 2;
COMMIT;
SELECT count(*) FROM admin_watermarks WHERE part = 2;
SELECT partition, low, high, last_stable FROM kafka.watermarks('admin_watermarks') WHERE partition = 2;
\set VERBOSITY terse
SELECT * FROM kafka.watermarks('admin_watermarks_missing');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.watermarks(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.watermarks('no good');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.watermarks('admin_watermarks', 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('admin_watermarks');

-- kafka.check: proves a server end to end and leaves nothing
SELECT step, ok, milliseconds >= 0 AS timed, detail <> '' AS said FROM kafka.check();
SELECT step, ok FROM kafka.check('kafka', write => false);
SELECT step, ok FROM kafka.check(NULL, NULL);
SELECT count(*) FROM kafka.list_topics() WHERE topic LIKE 'kafka_fdw_check%';
-- inside a transaction, which goes on
BEGIN;
SELECT bool_and(ok) FROM kafka.check();
SAVEPOINT s;
SELECT bool_and(ok) FROM kafka.check();
ROLLBACK TO s;
COMMIT;
-- a server that is not there: rows, not an error
CREATE SERVER admin_check_dead FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.connect_timeout = '300ms';
SELECT step, ok, milliseconds IS NOT NULL AS timed, detail LIKE '%HV00N%' AS hv00n, detail = 'not run' AS not_run FROM kafka.check('admin_check_dead');
SELECT step, ok FROM kafka.check('admin_check_dead', false);
SELECT * FROM kafka.check();
\echo :LAST_ERROR_SQLSTATE
DROP SERVER admin_check_dead;
