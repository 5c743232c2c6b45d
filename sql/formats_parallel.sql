-- Tables that catch errors in a query that would run in parallel: before PostgreSQL 17 it does not, and works in any case.
SELECT partitions FROM kafka.create_topic('formats_parallel', 4);
CREATE FOREIGN TABLE formats_parallel (v int, part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'formats_parallel', delivery 'immediate');
CREATE FOREIGN TABLE formats_parallel_text (v text) SERVER kafka OPTIONS (topic 'formats_parallel', delivery 'immediate');
INSERT INTO formats_parallel (v) SELECT g FROM generate_series(1, 1000) AS g;
CREATE TABLE formats_parallel_plain AS SELECT g AS v FROM generate_series(1, 20000) AS g;
ANALYZE formats_parallel_plain;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_indexscan = off;
CREATE FUNCTION pg_temp.is_parallel(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
    IF line LIKE '%Gather%' THEN
      RETURN true;
    END IF;
  END LOOP;
  RETURN false;
END $$;
SELECT pg_temp.is_parallel('SELECT count(*) FROM formats_parallel_plain') AS plain, pg_temp.is_parallel('SELECT count(v) FROM formats_parallel') AS topic;
CREATE TABLE formats_parallel_queries (n int, q text);
INSERT INTO formats_parallel_queries VALUES
  (1, 'SELECT count(v) FROM formats_parallel'), (2, 'SELECT count(*) FROM formats_parallel_plain p JOIN formats_parallel t USING (v)'), (3, 'SELECT count(*) FROM formats_parallel t JOIN formats_parallel_plain p USING (v)'),
  (4, 'SELECT count(*) FROM formats_parallel_plain p JOIN (SELECT v FROM formats_parallel GROUP BY v) t USING (v)'), (5, 'SELECT count(*) FROM formats_parallel_plain p WHERE v IN (SELECT v FROM formats_parallel)'),
  (6, 'SELECT count(*) FROM formats_parallel_plain WHERE v <= (SELECT max(v) FROM formats_parallel)'),
  (7, 'SELECT count(*) FROM (SELECT v FROM formats_parallel_plain UNION ALL SELECT v FROM formats_parallel) u'),
  (8, 'SELECT count(*) FROM (SELECT v FROM formats_parallel_plain GROUP BY v) p JOIN formats_parallel t USING (v)'),
  (9, 'WITH c AS MATERIALIZED (SELECT count(*) AS n FROM formats_parallel_plain) SELECT n + (SELECT count(v) FROM formats_parallel) FROM c');
\pset format unaligned
\pset tuples_only on
ALTER FOREIGN TABLE formats_parallel OPTIONS (ADD on_error 'null');
SELECT q FROM formats_parallel_queries ORDER BY n \gexec
SELECT n FROM formats_parallel_queries WHERE current_setting('server_version_num')::int < 170000 AND n < 8 AND pg_temp.is_parallel(q);
ALTER FOREIGN TABLE formats_parallel OPTIONS (DROP on_error), ALTER v OPTIONS (ADD ignore_junk 'true');
SELECT q FROM formats_parallel_queries ORDER BY n \gexec
SELECT n FROM formats_parallel_queries WHERE current_setting('server_version_num')::int < 170000 AND n < 8 AND pg_temp.is_parallel(q);
-- with a message that cannot be decoded; 8 and 9 are planned before the topic is met, and could only fail before 17
INSERT INTO formats_parallel_text VALUES ('x');
SELECT q FROM formats_parallel_queries WHERE n < 8 ORDER BY n \gexec
SELECT deleted FROM kafka.delete_topic('formats_parallel');
