-- An error that on_error does not catch leaves nothing behind: no open subtransaction, no
-- handle, no topic of kafka.check.
CREATE FUNCTION transactions_rethrow_no(text) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not today'; END $$;
CREATE DOMAIN transactions_rethrow_odd AS text CHECK (transactions_rethrow_no(value));
SELECT created FROM kafka.create_topic('transactions_rethrow', 1);
SELECT (kafka.produce('transactions_rethrow', 'x', delivery => 'immediate')).offset;
CREATE FOREIGN TABLE transactions_rethrow (v transactions_rethrow_odd)
  SERVER kafka OPTIONS (topic 'transactions_rethrow', on_error 'null');
CREATE TABLE transactions_rethrow_rows (v text);

-- in autocommit
SELECT count(v) FROM transactions_rethrow;
SELECT 'the session goes on' AS ok;

-- in an exception block: what it did is rolled back, what comes after is kept
DO $$
BEGIN
  BEGIN
    INSERT INTO transactions_rethrow_rows VALUES ('rolled back');
    PERFORM kafka.produce('transactions_rethrow', 'rolled back');
    PERFORM count(v) FROM transactions_rethrow;
  EXCEPTION WHEN raise_exception THEN
    NULL;
  END;
  INSERT INTO transactions_rethrow_rows VALUES ('kept');
  PERFORM kafka.produce('transactions_rethrow', 'kept');
END $$;
\c -
SELECT v FROM transactions_rethrow_rows;
CREATE FOREIGN TABLE transactions_rethrow_raw (v text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'transactions_rethrow');
-- another session has committed these: wait until they are shown
DO $$
DECLARE
  seen bigint := 0;
  deadline timestamptz := clock_timestamp() + interval '20 s';
BEGIN
  WHILE seen < 2 AND clock_timestamp() < deadline LOOP
    SELECT count(*) INTO seen FROM transactions_rethrow_raw;
  END LOOP;
END $$;
SELECT v FROM transactions_rethrow_raw ORDER BY offs;

-- kafka.check that is cut off: the session is sound and the topic goes
SET statement_timeout = '5ms';
SELECT count(*) < 0 FROM kafka.check('kafka') AS c, pg_sleep(1);
SET statement_timeout = '20ms';
SELECT count(*) < 0 FROM kafka.check('kafka') AS c, pg_sleep(1);
SET statement_timeout = '50ms';
SELECT count(*) < 0 FROM kafka.check('kafka') AS c, pg_sleep(1);
RESET statement_timeout;
DO $$
DECLARE
  n int := 1;
  deadline timestamptz := clock_timestamp() + interval '20 s';
BEGIN
  WHILE n > 0 AND clock_timestamp() < deadline LOOP
    SELECT count(*) INTO n FROM kafka.list_topics()
     WHERE topic LIKE 'kafka\_fdw\_check\_' || pg_backend_pid() || '\_%';
  END LOOP;
  RAISE NOTICE '% topics are left', n;
END $$;

-- thousands of arms cost no memory to speak of
DO $$
DECLARE
  plan text;
  arms text := (SELECT string_agg('offs = ' || 2 * i, ' OR ') FROM generate_series(1, 9000) i);
BEGIN
  FOR plan IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT v FROM transactions_rethrow_raw WHERE ' || arms LOOP
    NULL;
  END LOOP;
  RAISE NOTICE 'less than 256 MB: %',
    (SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::bigint < 262144);
END $$;
