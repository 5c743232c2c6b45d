-- What a scan cannot do is an error, never a part of the topic (peer_R1, peer_R9).
CREATE FOREIGN TABLE reading_errors (v text, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_errors', delivery 'immediate');
SELECT * FROM reading_errors;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM reading_errors WHERE part = 0;
\set VERBOSITY terse
-- asking does not create the topic
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'reading_errors';
CREATE FOREIGN TABLE reading_errors_name (v text) SERVER kafka OPTIONS (topic 'not a topic!');
\echo :LAST_ERROR_SQLSTATE
-- a scan that needs nothing of it asks nothing
SELECT * FROM reading_errors WHERE false;
-- made now, it is there
SELECT created FROM kafka.create_topic('reading_errors', 2);
SELECT * FROM reading_errors;
INSERT INTO reading_errors (v, part) SELECT 'v' || i, i % 2 FROM generate_series(1, 2000) AS i;
-- an error in the middle of a scan, many times: the next one works
DO $$
DECLARE
  failed int := 0;
BEGIN
  FOR i IN 1 .. 100 LOOP
    BEGIN
      PERFORM 1 / (offs - i) FROM reading_errors;
    EXCEPTION WHEN division_by_zero THEN
      failed := failed + 1;
    END;
  END LOOP;
  RAISE NOTICE '% scans failed', failed;
END $$;
SELECT count(*), count(DISTINCT v) FROM reading_errors;
-- failures to begin with, as many
CREATE FOREIGN TABLE reading_errors_missing (v text) SERVER kafka OPTIONS (topic 'reading_errors_missing');
DO $$
DECLARE
  failed int := 0;
BEGIN
  FOR i IN 1 .. 100 LOOP
    BEGIN
      PERFORM * FROM reading_errors_missing;
    EXCEPTION WHEN fdw_table_not_found THEN
      failed := failed + 1;
    END;
  END LOOP;
  RAISE NOTICE '% scans failed', failed;
END $$;
SELECT count(*), count(DISTINCT v) FROM reading_errors;
-- scans that are left half way, in cursors and by LIMIT
DO $$
DECLARE
  c refcursor;
  r record;
BEGIN
  FOR i IN 1 .. 50 LOOP
    OPEN c FOR SELECT v FROM reading_errors;
    FETCH c INTO r;
    CLOSE c;
    PERFORM v FROM reading_errors LIMIT 1;
  END LOOP;
END $$;
-- several scans at a time, at different places
SELECT count(*) FROM reading_errors a, reading_errors b, reading_errors c WHERE a.offs = 1 AND b.offs IN (2, 3) AND c.part = 0 AND c.offs > 995;
SELECT count(*) FROM (SELECT v FROM reading_errors UNION ALL SELECT v FROM reading_errors UNION ALL SELECT v FROM reading_errors) s;
-- the topic is made again: a scan of the new one starts at its beginning
SELECT deleted FROM kafka.delete_topic('reading_errors');
SELECT count(*) FROM reading_errors;
\echo :LAST_ERROR_SQLSTATE
SELECT created FROM kafka.create_topic('reading_errors', 1);
SELECT count(*) FROM reading_errors;
INSERT INTO reading_errors (v) VALUES ('new');
SELECT * FROM reading_errors;
INSERT INTO reading_errors (v, part) VALUES ('was a partition of the old one', 1);
\echo :LAST_ERROR_SQLSTATE
-- more partitions than before, seen by the next statement
SELECT deleted FROM kafka.delete_topic('reading_errors');
SELECT created FROM kafka.create_topic('reading_errors', 5);
INSERT INTO reading_errors (v, part) VALUES ('a partition of the new one', 4);
SELECT * FROM reading_errors;
SELECT deleted FROM kafka.delete_topic('reading_errors');
