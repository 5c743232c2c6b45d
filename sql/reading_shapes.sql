-- Shapes of SQL around a topic: partitioned parents, views, windows, sets, locks, procedures.
SELECT bool_and(created) FROM unnest(ARRAY['reading_shapes_a', 'reading_shapes_b']) AS t, kafka.create_topic(t, 2);
CREATE TABLE reading_shapes (kind text, n int, part int, offs bigint) PARTITION BY LIST (kind);
CREATE FOREIGN TABLE reading_shapes_a (kind text OPTIONS (meta 'topic'), n int, part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_shapes_a', format 'csv', delivery 'immediate');
ALTER TABLE reading_shapes ATTACH PARTITION reading_shapes_a FOR VALUES IN ('reading_shapes_a');
CREATE FOREIGN TABLE reading_shapes_b (kind text OPTIONS (meta 'topic'), n int, part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_shapes_b', format 'csv', delivery 'immediate');
ALTER TABLE reading_shapes ATTACH PARTITION reading_shapes_b FOR VALUES IN ('reading_shapes_b');
CREATE TABLE reading_shapes_c PARTITION OF reading_shapes FOR VALUES IN ('local');
INSERT INTO reading_shapes (kind, n, part) SELECT 'reading_shapes_' || chr(97 + i % 2) AS kind, i, i / 2 % 2 FROM generate_series(0, 39) AS i;
INSERT INTO reading_shapes SELECT 'local', i, i % 2, i / 2 FROM generate_series(100, 105) AS i;
CREATE TABLE reading_shapes_copy AS SELECT * FROM reading_shapes;

-- the children's order is the parent's
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT kind, n FROM reading_shapes WHERE kind <> 'local' ORDER BY part, offs;
RESET enable_sort;
-- a query on both must agree, row by row
CREATE FUNCTION pg_temp.same(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  ours text;
  theirs text;
BEGIN
  EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', replace(query, 'RELATION', 'reading_shapes')) INTO ours;
  EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', replace(query, 'RELATION', 'reading_shapes_copy')) INTO theirs;
  RETURN ours IS NOT DISTINCT FROM theirs AND ours <> '';
END $$;
SELECT q AS query, pg_temp.same(q) FROM unnest(ARRAY[
  'SELECT n FROM RELATION ORDER BY part, offs, n',
  'SELECT part, offs, n FROM RELATION ORDER BY part DESC, offs DESC, n LIMIT 7 OFFSET 3',
  'SELECT offs FROM RELATION ORDER BY offs DESC FETCH FIRST 3 ROWS WITH TIES',
  'SELECT n, row_number() OVER (PARTITION BY part ORDER BY offs, n) FROM RELATION ORDER BY n',
  'SELECT n, lag(offs) OVER (PARTITION BY kind, part ORDER BY offs) AS l FROM RELATION ORDER BY n',
  'SELECT DISTINCT ON (part) part, offs, n FROM RELATION ORDER BY part, offs DESC, n',
  'SELECT part, count(*), min(offs), max(offs) FROM RELATION GROUP BY part ORDER BY part',
  'SELECT kind, part, sum(n) FROM RELATION GROUP BY ROLLUP (kind, part) ORDER BY kind, part',
  'SELECT max(offs) AS high, min(offs) AS low FROM RELATION WHERE part = 1',
  'SELECT n FROM RELATION WHERE part = 0 UNION ALL SELECT n FROM RELATION WHERE offs > 7 ORDER BY n',
  'SELECT n FROM RELATION EXCEPT SELECT n FROM RELATION WHERE part = 1 ORDER BY n',
  'SELECT a.n, b.n AS next FROM RELATION a JOIN RELATION b ON a.kind = b.kind AND a.part = b.part AND b.offs = a.offs + 1 ORDER BY a.n',
  'SELECT r.n, g FROM generate_series(0, 3) g JOIN RELATION r ON r.offs = g AND r.part = g % 2 ORDER BY g, r.n',
  'SELECT g, (SELECT n FROM RELATION r WHERE r.offs <= g AND r.part = 1 AND kind = ''reading_shapes_b'' ORDER BY offs DESC LIMIT 1) FROM generate_series(0, 4) g ORDER BY g',
  'SELECT n FROM RELATION ORDER BY offs, n LIMIT 4',
  'SELECT n FROM RELATION ORDER BY n LIMIT ALL OFFSET 38'
]) WITH ORDINALITY AS u (q, i) ORDER BY i;

-- a merge join takes the scan's order, memoize and nested loops its ranges
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT count(*), sum(a.n - b.n) FROM reading_shapes_a a JOIN reading_shapes_a b USING (part, offs);
RESET enable_nestloop;
SET enable_mergejoin = off;
SELECT count(*), sum(a.n) FROM generate_series(1, 30) g JOIN reading_shapes_a a ON a.part = g % 2 AND a.offs = g % 3;
RESET enable_hashjoin;
RESET enable_mergejoin;
-- a view reads with its owner's rights
CREATE VIEW reading_shapes_view AS SELECT n, offs FROM reading_shapes_a WHERE part = 1;
CREATE ROLE reading_shapes_reader;
GRANT SELECT ON reading_shapes_view TO reading_shapes_reader;
SET ROLE reading_shapes_reader;
SELECT n FROM reading_shapes_view WHERE offs < 3 ORDER BY offs DESC;
SELECT n FROM reading_shapes_a WHERE offs < 3;
RESET ROLE;
-- row locks are ignored, as by other wrappers; a sample is refused
SELECT n FROM reading_shapes_a WHERE part = 0 ORDER BY offs LIMIT 2 FOR UPDATE;
SELECT l.n FROM reading_shapes_copy l JOIN reading_shapes_a a USING (n) WHERE a.offs = 3 ORDER BY l.n FOR UPDATE OF l;
SELECT count(*) FROM reading_shapes_a TABLESAMPLE system (10);
-- a procedure that commits between its reads, within a loop over a topic
CREATE PROCEDURE reading_shapes_load() LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT n FROM reading_shapes_a WHERE part = 0 ORDER BY offs LOOP
    INSERT INTO reading_shapes_copy VALUES ('loaded', r.n, (SELECT count(*) FROM reading_shapes_b), 0);
    COMMIT;
  END LOOP;
END $$;
CALL reading_shapes_load();
SELECT count(*), sum(n), min(part), max(part) FROM reading_shapes_copy WHERE kind = 'loaded';
COPY (SELECT n, offs FROM reading_shapes_b WHERE part = 1 ORDER BY offs DESC LIMIT 3) TO STDOUT;
-- UPDATE and DELETE of an ordinary table from a topic
UPDATE reading_shapes_copy l SET offs = a.offs + 1000 FROM reading_shapes_a a WHERE a.n = l.n AND a.part = 1 AND a.offs > 7;
DELETE FROM reading_shapes_copy WHERE n IN (SELECT n FROM reading_shapes_b WHERE offs < 9);
SELECT n, offs FROM reading_shapes_copy WHERE offs >= 1000 ORDER BY n;
SELECT count(*) FROM reading_shapes_copy WHERE kind = 'reading_shapes_b';
-- thousands of statements in one transaction do not grow its memory
CREATE TEMP TABLE memory AS SELECT 0::bigint AS bytes WHERE false;
DO $$
BEGIN
  FOR i IN 1 .. 1000 LOOP
    PERFORM FROM reading_shapes_a WHERE part = 0 AND offs = 1;
    IF i % 500 = 0 THEN
      INSERT INTO memory SELECT sum(total_bytes) FROM pg_backend_memory_contexts;
    END IF;
  END LOOP;
END $$;
SELECT max(bytes) - min(bytes) < 500000 AS flat, count(*) FROM memory;
REVOKE ALL ON reading_shapes_view FROM reading_shapes_reader;
DROP ROLE reading_shapes_reader;
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['reading_shapes_a', 'reading_shapes_b']);
