-- Conditions that can fail, and functions that are volatile, behave as on an ordinary table.
SELECT created FROM kafka.create_topic('reading_guards', 2);
CREATE FOREIGN TABLE reading_guards (
  n int,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset'),
  ts timestamptz OPTIONS (meta 'timestamp')
) SERVER kafka OPTIONS (topic 'reading_guards', format 'csv', delivery 'immediate');
INSERT INTO reading_guards (n, part) SELECT i, i % 2 FROM generate_series(0, 19) AS i;

-- an optional filter: the arm that could fail is not evaluated where the other one is true
SET plan_cache_mode = force_generic_plan;
PREPARE optional (text) AS SELECT count(*) FROM reading_guards WHERE $1 = '' OR offs >= $1::bigint;
EXECUTE optional ('');
EXECUTE optional ('8');
EXECUTE optional (NULL);
EXECUTE optional ('x');
PREPARE divided (int) AS SELECT count(*) FROM reading_guards WHERE $1 = 0 OR offs < 10 / $1;
EXECUTE divided (0);
EXECUTE divided (5);
PREPARE guarded (int) AS SELECT count(*) FROM reading_guards WHERE CASE WHEN $1 = 0 THEN 3 ELSE 10 / $1 END > offs;
EXECUTE guarded (0);
EXECUTE guarded (10);
PREPARE gated (int) AS SELECT count(*) FROM reading_guards WHERE $1 <> 0 AND offs < 10 / $1;
EXECUTE gated (0);
EXECUTE gated (2);
-- nothing stands before this one
PREPARE bare (int) AS SELECT count(*) FROM reading_guards WHERE offs < 10 / $1;
EXECUTE bare (5);
EXECUTE bare (0);
SELECT count(*) FROM reading_guards WHERE offs < 1 / 0;
SELECT count(*) FROM reading_guards WHERE offs < 10 / n;
SELECT count(*) FROM reading_guards WHERE n > 0 AND offs < 10 / nullif(n, 0);
RESET plan_cache_mode;
DEALLOCATE ALL;
-- after an error in a condition the session goes on, in a subtransaction too
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM reading_guards WHERE offs < (SELECT 1 / (count(*) - count(*)) FROM reading_guards);
ROLLBACK TO s;
SELECT count(*) FROM reading_guards;
COMMIT;

-- volatile: once for each row, never to choose what is read
CREATE SEQUENCE reading_guards_calls;
CREATE FUNCTION pg_temp.counted(i bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM nextval(''reading_guards_calls''); RETURN i; END';
SELECT count(*) FROM reading_guards WHERE offs >= pg_temp.counted(4);
SELECT last_value FROM reading_guards_calls;
SELECT count(*) FROM reading_guards WHERE offs = ANY (ARRAY[pg_temp.counted(4), 5]);
SELECT last_value FROM reading_guards_calls;
SELECT count(*) FROM reading_guards WHERE (part, offs) >= (1, pg_temp.counted(4));
SELECT count(*) BETWEEN 0 AND 20 AS some FROM reading_guards WHERE part = (random() * 2)::int;
-- stable: the rows of an ordinary table, and narrowed
CREATE FUNCTION pg_temp.stable(i bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN i; END';
-- (of EXPLAIN ANALYZE only what is Kafka's: the rest differs between versions)
CREATE FUNCTION pg_temp.kafka_lines(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line LIKE '%Kafka%' THEN
      RETURN NEXT trim(line);
    END IF;
  END LOOP;
END $$;
SELECT * FROM pg_temp.kafka_lines('SELECT * FROM reading_guards WHERE offs >= pg_temp.stable(4) AND part = 1');
SELECT count(*) FROM reading_guards WHERE ts <= clock_timestamp() AND ts > now() - interval '1 hour';
SELECT count(*) FROM reading_guards WHERE ts > now() + interval '1 hour';
-- a STABLE function that raises
CREATE FUNCTION pg_temp.raises() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RAISE EXCEPTION ''raised''; END';
\set VERBOSITY terse
SELECT count(*) FROM reading_guards WHERE offs = pg_temp.raises();
SELECT count(*) FROM reading_guards WHERE n >= 0 OR offs = pg_temp.raises();
SELECT deleted FROM kafka.delete_topic('reading_guards');
