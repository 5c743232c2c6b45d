-- The end of a scan is pinned: by statement, or by transaction under REPEATABLE READ.
SELECT * FROM kafka.create_topic('reading_ends', 2);
CREATE FOREIGN TABLE reading_ends (
  n int,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'reading_ends', format 'csv', delivery 'immediate');
INSERT INTO reading_ends (n, part) SELECT i, i % 2 FROM generate_series(1, 10) AS i;

-- READ COMMITTED: each statement sees what came before it
BEGIN;
SELECT count(*) FROM reading_ends;
SELECT kafka.produce('reading_ends', '11', partition => 1, delivery => 'immediate') IS NOT NULL AS sent;
SELECT count(*) FROM reading_ends;
COMMIT;
-- REPEATABLE READ and SERIALIZABLE: all see what the first one saw
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM reading_ends;
SELECT kafka.produce('reading_ends', '12', partition => 0, delivery => 'immediate') IS NOT NULL AS sent;
SELECT count(*) FROM reading_ends;
SELECT max(n) FROM reading_ends WHERE part = 0;
SAVEPOINT s;
SELECT count(*) FROM reading_ends;
ROLLBACK TO s;
SELECT count(*) FROM reading_ends;
COMMIT;
SELECT count(*) FROM reading_ends;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SAVEPOINT s;
SELECT count(*) FROM reading_ends;
SELECT kafka.produce('reading_ends', '13', partition => 0, delivery => 'immediate') IS NOT NULL AS sent;
ROLLBACK TO s;
SELECT count(*) FROM reading_ends;
COMMIT;
SELECT count(*) FROM reading_ends;

-- a self-join agrees although each row it reads makes another message
CREATE FUNCTION pg_temp.grow(n int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM kafka.produce('reading_ends', '0', partition => n % 2, delivery => 'immediate');
  RETURN n;
END $$;
SELECT count(*), count(DISTINCT a.n) FROM reading_ends a JOIN reading_ends b ON a.n = b.n WHERE pg_temp.grow(a.n) > 0;
SELECT count(*) FROM reading_ends;
-- an INSERT ... SELECT from the topic into itself ends
INSERT INTO reading_ends (n, part) SELECT n, part FROM reading_ends WHERE n > 0;
SELECT n, count(*) FROM reading_ends WHERE n > 0 GROUP BY n ORDER BY n;
-- a scan that is rescanned in one statement
SELECT g, (SELECT count(*) FROM reading_ends WHERE n > 0 AND pg_temp.grow(g) > 0) AS c FROM generate_series(1, 3) AS g ORDER BY g;

-- a PL/pgSQL loop sees what its own earlier statements sent
DO $$
DECLARE
  before bigint;
  now bigint;
BEGIN
  SELECT count(*) INTO before FROM reading_ends;
  FOR i IN 1 .. 20 LOOP
    PERFORM kafka.produce('reading_ends', '100', partition => i % 2, delivery => 'immediate');
    SELECT count(*) INTO now FROM reading_ends;
    IF now <> before + i THEN
      RAISE WARNING 'round %: % messages, not %', i, now, before + i;
    END IF;
  END LOOP;
END $$;

-- what a session has committed it sees in its next statement, every time
CREATE FOREIGN TABLE reading_ends_committed (n int) SERVER kafka OPTIONS (topic 'reading_ends_committed', format 'csv');
SELECT * FROM kafka.create_topic('reading_ends_committed', 3);
CREATE PROCEDURE reading_ends_commit() LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  FOR i IN 1 .. 20 LOOP
    INSERT INTO reading_ends_committed SELECT generate_series(1, 3);
    COMMIT;
    SELECT count(*) INTO now FROM reading_ends_committed;
    IF now <> 3 * i THEN
      RAISE WARNING 'round %: % messages', i, now;
    END IF;
  END LOOP;
END $$;
CALL reading_ends_commit();
SELECT n, count(*) FROM reading_ends_committed GROUP BY n ORDER BY n;
SELECT deleted FROM kafka.delete_topic(ARRAY['reading_ends', 'reading_ends_committed']);
