-- What the executor does with a scan: LIMIT, cursors, rescans, prepared statements, COPY TO.
SELECT * FROM kafka.create_topic('reading_executor', 2);
CREATE FOREIGN TABLE reading_executor (
  n int,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'reading_executor', format 'csv', delivery 'immediate');
INSERT INTO reading_executor (n, part) SELECT i, i % 2 FROM generate_series(0, 19) AS i;

-- LIMIT, also with fewer rows than asked (peer_R12)
SELECT count(*) FROM (SELECT n FROM reading_executor LIMIT 3) s;
SELECT count(*) FROM (SELECT n FROM reading_executor LIMIT 1000) s;
SELECT n FROM reading_executor ORDER BY n OFFSET 17 LIMIT 10;
SELECT count(*) FROM (SELECT FROM reading_executor LIMIT 0) s;
SELECT EXISTS (SELECT FROM reading_executor WHERE n = 19), NOT EXISTS (SELECT FROM reading_executor WHERE n = 20) AS none;

-- LATERAL and other rescans recompute (peer_R3)
SELECT g, s.* FROM generate_series(0, 3) AS g
  LEFT JOIN LATERAL (SELECT n, part FROM reading_executor r WHERE r.part = g AND r.offs = g) s ON true ORDER BY g;
SELECT g, (SELECT sum(n) FROM reading_executor WHERE part = g % 2 AND offs >= g) FROM generate_series(7, 11) AS g ORDER BY g;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT count(*), sum(a.n * b.n) FROM reading_executor a JOIN reading_executor b ON a.n = b.n;
SELECT count(*) FROM reading_executor a, reading_executor b;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
WITH RECURSIVE walk (n) AS (
  SELECT n FROM reading_executor WHERE n = 0
  UNION ALL
  SELECT r.n FROM walk JOIN reading_executor r ON r.n = walk.n + 5)
SELECT n FROM walk ORDER BY n;

-- cursors: forwards, backwards, WITH HOLD, several at a time, closed half way
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT n FROM reading_executor WHERE part = 1;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH ABSOLUTE 10 FROM c;
FETCH ABSOLUTE 1 FROM c;
DECLARE d CURSOR FOR SELECT n FROM reading_executor WHERE part = 0;
FETCH 2 FROM d;
FETCH NEXT FROM c;
FETCH 2 FROM d;
CLOSE c;
MOVE ALL IN d;
DECLARE h CURSOR WITH HOLD FOR SELECT n FROM reading_executor WHERE part = 0 AND offs < 4;
FETCH 1 FROM h;
SAVEPOINT s;
FETCH 1 FROM h;
ROLLBACK TO s;
COMMIT;
FETCH ALL FROM h;
CLOSE h;
-- the cursor's end was pinned when it was opened
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT n FROM reading_executor WHERE part = 0 AND offs >= 9;
FETCH 1 FROM c;
INSERT INTO reading_executor (n, part) VALUES (20, 0);
FETCH 2 FROM c;
COMMIT;
SELECT n FROM reading_executor WHERE part = 0 AND offs >= 9;

-- prepared statements, custom and generic plans
PREPARE q (int, bigint) AS SELECT n FROM reading_executor WHERE part = $1 AND offs < $2 ORDER BY n;
EXECUTE q (0, 2);
EXECUTE q (1, 3);
EXECUTE q (NULL, 3);
SET plan_cache_mode = force_generic_plan;
EXECUTE q (0, 2);
EXECUTE q (1, 3);
EXECUTE q (7, 3);
RESET plan_cache_mode;
-- a change of the table is seen
ALTER FOREIGN TABLE reading_executor ALTER n TYPE text;
EXECUTE q (1, 1);
DEALLOCATE q;
ALTER FOREIGN TABLE reading_executor ALTER n TYPE int;

COPY (SELECT n, part FROM reading_executor WHERE n < 5 ORDER BY n) TO STDOUT (FORMAT csv);
CREATE TABLE reading_executor_kept AS SELECT * FROM reading_executor;
SELECT count(*) FROM reading_executor_kept;
SELECT tableoid::regclass, count(*), count(DISTINCT n) FROM reading_executor GROUP BY 1;
SELECT part, count(*) FILTER (WHERE n > 10), array_agg(n ORDER BY n) FROM reading_executor GROUP BY part ORDER BY part;
SELECT n, rank() OVER (PARTITION BY part ORDER BY n DESC) FROM reading_executor WHERE n > 15 ORDER BY n;
SELECT deleted FROM kafka.delete_topic('reading_executor');
