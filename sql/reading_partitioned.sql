-- Foreign tables as partitions, in UNION ALL views, in joins with ordinary tables.
SELECT count(*) FROM unnest(ARRAY['a', 'b']) AS t, kafka.create_topic('reading_partitioned_' || t, 2);
CREATE TABLE reading_partitioned (region text, n int, v text) PARTITION BY LIST (region);
CREATE TABLE reading_partitioned_local PARTITION OF reading_partitioned FOR VALUES IN ('local');
CREATE FOREIGN TABLE reading_partitioned_a PARTITION OF reading_partitioned FOR VALUES IN ('a')
  SERVER kafka OPTIONS (topic 'reading_partitioned_a', format 'json', delivery 'immediate');
CREATE FOREIGN TABLE reading_partitioned_b (v text, region text, n int) SERVER kafka OPTIONS (topic 'reading_partitioned_b', format 'csv', delivery 'immediate');
ALTER TABLE reading_partitioned ATTACH PARTITION reading_partitioned_b FOR VALUES IN ('b');
INSERT INTO reading_partitioned SELECT r, i, r || i FROM generate_series(1, 4) AS i, unnest(ARRAY['a', 'b', 'local']) AS r;
SELECT tableoid::regclass, region, n, v FROM reading_partitioned ORDER BY region, n;
SELECT region, count(*), sum(n) FROM reading_partitioned GROUP BY region ORDER BY region;
EXPLAIN (COSTS OFF) SELECT n FROM reading_partitioned WHERE region = 'b';
SELECT n FROM reading_partitioned WHERE region IN ('a', 'b') AND n > 3 ORDER BY region;
PREPARE q (text) AS SELECT count(*) FROM reading_partitioned WHERE region = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE q ('a');
EXECUTE q ('local');
EXECUTE q ('nowhere');
RESET plan_cache_mode;
DEALLOCATE q;
-- a partition pruned at run time asks nothing of Kafka, not even whether its topic is there
CREATE FOREIGN TABLE reading_partitioned_missing PARTITION OF reading_partitioned FOR VALUES IN ('missing')
  SERVER kafka OPTIONS (topic 'reading_partitioned_missing', format 'csv');
SELECT count(*) FROM reading_partitioned WHERE region = 'a';
SELECT count(*) FROM reading_partitioned WHERE region = (SELECT 'b');
\set VERBOSITY terse
SELECT count(*) FROM reading_partitioned;
\echo :LAST_ERROR_SQLSTATE
DROP FOREIGN TABLE reading_partitioned_missing;
-- joins
CREATE TABLE reading_partitioned_names (n int PRIMARY KEY, name text);
INSERT INTO reading_partitioned_names SELECT i, 'name ' || i FROM generate_series(1, 3) AS i;
SELECT p.region, p.n, name FROM reading_partitioned p LEFT JOIN reading_partitioned_names USING (n) ORDER BY region, n;
SELECT name, array_agg(region ORDER BY region) FROM reading_partitioned JOIN reading_partitioned_names USING (n) GROUP BY name ORDER BY name;
UPDATE reading_partitioned_names SET name = upper(v) FROM reading_partitioned_a a WHERE a.n = reading_partitioned_names.n AND a.n = 2;
DELETE FROM reading_partitioned_names USING reading_partitioned_b b WHERE b.n = reading_partitioned_names.n AND b.n = 3;
SELECT * FROM reading_partitioned_names ORDER BY n;
MERGE INTO reading_partitioned_names t USING reading_partitioned_b s ON t.n = s.n
  WHEN MATCHED THEN UPDATE SET name = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.n, s.v);
SELECT * FROM reading_partitioned_names ORDER BY n;
-- views and materialized views
CREATE VIEW reading_partitioned_all AS SELECT n, v FROM reading_partitioned_a UNION ALL SELECT n, v FROM reading_partitioned_b;
SELECT count(*), count(DISTINCT v) FROM reading_partitioned_all;
CREATE MATERIALIZED VIEW reading_partitioned_kept AS SELECT * FROM reading_partitioned_all;
INSERT INTO reading_partitioned_a VALUES ('a', 5, 'a5');
SELECT count(*) FROM reading_partitioned_kept;
REFRESH MATERIALIZED VIEW reading_partitioned_kept;
SELECT count(*) FROM reading_partitioned_kept;
-- a security barrier
CREATE VIEW reading_partitioned_barrier WITH (security_barrier) AS SELECT n, v FROM reading_partitioned_a WHERE n > 3;
SELECT n FROM reading_partitioned_barrier WHERE v LIKE 'a%' ORDER BY n;
DROP MATERIALIZED VIEW reading_partitioned_kept;
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['reading_partitioned_a', 'reading_partitioned_b']);
