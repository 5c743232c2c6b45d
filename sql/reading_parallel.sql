-- Parallel scans: the same rows as a serial one, also when read again, with a LIMIT, without
-- the leader, and with dropped, generated and late columns (peer_R3, peer_R4).
SELECT topic FROM kafka.create_topic('reading_parallel', 3);
SELECT topic FROM kafka.create_topic('reading_parallel_one', 1);
CREATE FOREIGN TABLE reading_parallel (
  gone int, n int, part int OPTIONS (meta 'partition'), gone2 text, twice int GENERATED ALWAYS AS (n * 2) STORED,
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'reading_parallel', format 'csv', delivery 'immediate', fdw_tuple_cost '1000');
ALTER FOREIGN TABLE reading_parallel DROP gone, DROP gone2;
INSERT INTO reading_parallel (n, part) SELECT i, i % 2 FROM generate_series(0, 29999) AS i;
ALTER FOREIGN TABLE reading_parallel ADD late text;
INSERT INTO reading_parallel (n, part, late) SELECT 30000 + i, 2, 'late ' || i FROM generate_series(0, 9) AS i;
CREATE FOREIGN TABLE reading_parallel_one (n int, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_parallel_one', format 'csv', delivery 'immediate', fdw_tuple_cost '1000');
INSERT INTO reading_parallel_one SELECT i FROM generate_series(0, 29999) AS i;
CREATE TABLE reading_parallel_kept AS SELECT * FROM reading_parallel;
ANALYZE reading_parallel_kept;

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION pg_temp.is_parallel(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  result boolean := false;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    result := result OR line LIKE '%Parallel Foreign Scan%';
  END LOOP;
  RETURN result;
END $$;
CREATE TABLE reading_parallel_queries (n int, q text);
INSERT INTO reading_parallel_queries VALUES
  (1, 'SELECT count(*), count(DISTINCT (part, offs)), sum(n), sum(twice) = 2 * sum(n) AS generated, count(late), max(late) FROM reading_parallel'),
  (2, 'SELECT part, count(*), max(offs) + 1 AS offs, sum(twice), min(late) FROM reading_parallel GROUP BY part ORDER BY part'),
  (3, 'SELECT count(*), count(DISTINCT offs), max(offs) + 1 AS offs, sum(n) FROM reading_parallel_one'),
  (4, 'SELECT count(*), sum(a.twice), count(a.late) FROM reading_parallel a JOIN reading_parallel b ON a.n = b.n'),
  (5, 'SELECT count(*) FROM reading_parallel a JOIN reading_parallel_kept b USING (n, part, twice, offs) WHERE a.late IS NOT DISTINCT FROM b.late'),
  (6, 'SELECT count(*) FROM (SELECT n FROM reading_parallel LIMIT 12345) s'),
  (7, 'SELECT count(*) FROM (SELECT n FROM reading_parallel_one WHERE offs >= 29990 LIMIT 100) s'),
  (8, 'SELECT n, twice, late FROM reading_parallel WHERE late IS NOT NULL OR n < 3 ORDER BY part, offs'),
  (9, 'SELECT g, s.c FROM generate_series(1, 3) AS g LEFT JOIN LATERAL (SELECT count(*) AS c FROM reading_parallel OFFSET 0) s ON s.c > g ORDER BY g'),
  (10, 'SELECT g, (SELECT count(*) FROM reading_parallel_one WHERE offs < (SELECT g)) AS c FROM unnest(ARRAY[3, 25000, 0, NULL, 12000, 40000]) WITH ORDINALITY AS u (g, i) ORDER BY i');
SELECT n, pg_temp.is_parallel(q) AS parallel FROM reading_parallel_queries ORDER BY n;

-- with the leader, without it, serially
\pset format unaligned
\pset tuples_only on
SET enable_material = off;
SELECT q FROM reading_parallel_queries ORDER BY n \gexec
SET parallel_leader_participation = off;
SELECT q FROM reading_parallel_queries ORDER BY n \gexec
SET max_parallel_workers_per_gather = 0;
SELECT q FROM reading_parallel_queries ORDER BY n \gexec
RESET max_parallel_workers_per_gather;
RESET parallel_leader_participation;

-- dropped and late columns in the order of the topic, and in LATERAL
SELECT part, offs, n, twice, late FROM reading_parallel WHERE n >= 29998 ORDER BY part, offs;
SELECT part, offs, n, twice, late FROM reading_parallel WHERE part = 2 ORDER BY offs DESC LIMIT 2;
SELECT g, s.* FROM generate_series(0, 3) AS g
  LEFT JOIN LATERAL (SELECT n, twice, late FROM reading_parallel r WHERE r.part = g AND r.offs = g + 1) s ON true ORDER BY g;
-- no workers to be had
SET max_parallel_workers = 0;
SELECT count(*), count(DISTINCT (part, offs)) FROM reading_parallel;
SELECT deleted FROM kafka.delete_topic(ARRAY['reading_parallel', 'reading_parallel_one']);
