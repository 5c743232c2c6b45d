-- ANALYZE: rows and their values from a sample, partitions by their weight.
SELECT * FROM kafka.create_topic('import_analyze', 3);
CREATE FOREIGN TABLE import_analyze (
  id int,
  few text,
  sometimes text,
  part int OPTIONS (meta 'partition')
) SERVER kafka OPTIONS (topic 'import_analyze', format 'json', delivery 'immediate');
-- an empty topic
ANALYZE import_analyze;
SELECT reltuples, relpages FROM pg_class WHERE relname = 'import_analyze';
SELECT count(*) FROM pg_stats WHERE tablename = 'import_analyze';
-- 10 messages in one partition, 10,000 in another, none in the third
INSERT INTO import_analyze
  SELECT i, 'f' || i % 10, CASE WHEN i % 4 = 0 THEN 's' END, (i <= 10)::int FROM generate_series(1, 10010) AS i;
-- all of it fits into analyze_bytes
ANALYZE import_analyze;
SELECT reltuples, relpages BETWEEN 30 AND 100 AS pages FROM pg_class WHERE relname = 'import_analyze';
SELECT attname, round(null_frac::numeric, 2) AS null_frac, n_distinct FROM pg_stats WHERE tablename = 'import_analyze' ORDER BY attname;
SELECT most_common_vals, most_common_freqs[1] > 0.99 AS skewed FROM pg_stats WHERE tablename = 'import_analyze' AND attname = 'part';
-- a sample of random runs: no gaps, so the number of rows is exact
ALTER FOREIGN TABLE import_analyze OPTIONS (ADD analyze_bytes '65536');
ANALYZE import_analyze;
SELECT reltuples, relpages BETWEEN 30 AND 100 AS pages FROM pg_class WHERE relname = 'import_analyze';
SELECT attname, abs(null_frac - CASE attname WHEN 'sometimes' THEN 0.75 ELSE 0 END) < 0.1 AS null_frac,
       CASE WHEN attname = 'id' THEN n_distinct = -1 WHEN attname = 'few' THEN n_distinct = 10 END AS n_distinct
  FROM pg_stats WHERE tablename = 'import_analyze' ORDER BY attname;
SELECT (SELECT min(v) FROM unnest(histogram_bounds::text::int[]) v) < 1500 AS low, (SELECT max(v) FROM unnest(histogram_bounds::text::int[]) v) > 8500 AS high
  FROM pg_stats WHERE tablename = 'import_analyze' AND attname = 'id';
ALTER FOREIGN TABLE import_analyze OPTIONS (SET analyze_bytes '10');
-- some columns only
ANALYZE import_analyze (id, few);

-- offsets without messages: removed ones, and the ends of transactions
SELECT * FROM kafka.create_topic('import_analyze_gaps', 1);
CREATE FOREIGN TABLE import_analyze_gaps (v text) SERVER kafka OPTIONS (topic 'import_analyze_gaps', analyze_bytes '65536');
DO $$ BEGIN FOR i IN 1..200 LOOP INSERT INTO import_analyze_gaps SELECT repeat('x', 300) || i || '-' || j FROM generate_series(1, 4) j; COMMIT; END LOOP; END $$;
SELECT high - low AS offsets FROM kafka.watermarks('import_analyze_gaps');
SELECT count(*) FROM import_analyze_gaps;
ANALYZE import_analyze_gaps;
SELECT reltuples BETWEEN 640 AND 960 AS rows, relpages BETWEEN 25 AND 40 AS pages FROM pg_class WHERE relname = 'import_analyze_gaps';
SELECT n_distinct FROM pg_stats WHERE tablename = 'import_analyze_gaps';

-- messages that cannot be decoded
SELECT kafka.produce('import_analyze', '{"id": "x"}', partition => 2, delivery => 'immediate') IS NOT NULL AS sent;
ALTER FOREIGN TABLE import_analyze OPTIONS (DROP analyze_bytes);
ANALYZE import_analyze;
ALTER FOREIGN TABLE import_analyze OPTIONS (ADD on_error 'skip');
ANALYZE import_analyze;
SELECT reltuples FROM pg_class WHERE relname = 'import_analyze';
ALTER FOREIGN TABLE import_analyze OPTIONS (SET on_error 'null');
ANALYZE import_analyze;
SELECT reltuples FROM pg_class WHERE relname = 'import_analyze';
-- dropped columns, and a partitioned parent
ALTER FOREIGN TABLE import_analyze DROP few;
ANALYZE import_analyze;
SELECT attname FROM pg_stats WHERE tablename = 'import_analyze' ORDER BY 1;
CREATE TABLE import_analyze_parent (v text) PARTITION BY LIST (v);
ALTER TABLE import_analyze_parent ATTACH PARTITION import_analyze_gaps DEFAULT;
ANALYZE import_analyze_parent;
SELECT relname, reltuples BETWEEN 640 AND 960 AS rows FROM pg_class WHERE relname LIKE 'import\_analyze\_%' ORDER BY 1;
VACUUM import_analyze;
DROP TABLE import_analyze_parent;
-- a topic that is gone
SELECT count(*) FROM kafka.delete_topic(ARRAY['import_analyze', 'import_analyze_gaps']) WHERE deleted;
ANALYZE import_analyze;
\echo :LAST_ERROR_SQLSTATE
DROP FOREIGN TABLE import_analyze;
