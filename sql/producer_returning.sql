-- INSERT ... RETURNING: what is known of the message, by delivery mode.
SELECT * FROM kafka.create_topic('producer_returning', 2);
CREATE FOREIGN TABLE producer_returning (
  v text,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset'),
  ts timestamptz OPTIONS (meta 'timestamp'),
  k text OPTIONS (meta 'key')
) SERVER kafka OPTIONS (topic 'producer_returning', delivery 'immediate');
INSERT INTO producer_returning (v, part, ts, k) VALUES ('a', 0, '2024-01-01 00:00:00+00', 'k'), ('b', 1, NULL, NULL), ('c', 0, NULL, NULL)
  RETURNING v, part, offs, ts > '2024-01-02' AS now, k;
INSERT INTO producer_returning (v, part) VALUES ('d', 1) RETURNING *, ts IS NULL AS ts_null \gset
\echo :v :part :offs :ts_null
-- the partitioner's choice
INSERT INTO producer_returning (v, k) VALUES ('e', 'some key') RETURNING part, offs \gset
SELECT part = :part AND offs = :offs AS right_place FROM producer_returning WHERE k = 'some key';
WITH sent AS (INSERT INTO producer_returning (v, part) SELECT 'g' || i, 1 FROM generate_series(1, 5) AS i RETURNING v, part, offs)
SELECT v, offs - min(offs) OVER () AS step FROM sent ORDER BY offs;
-- the offsets are those that are there
WITH sent AS (INSERT INTO producer_returning (v, part) SELECT 'h' || i, 0 FROM generate_series(1, 3) AS i RETURNING v, offs)
SELECT count(*) FROM sent;
-- expressions, the whole row
INSERT INTO producer_returning (v, part) VALUES ('x', 0) RETURNING upper(v), tableoid::regclass, (producer_returning).offs IS NOT NULL AS whole_row;

-- in a transaction nothing is known yet but what the row itself gave
ALTER FOREIGN TABLE producer_returning OPTIONS (SET delivery 'before_commit');
INSERT INTO producer_returning (v, part, ts) VALUES ('y', 0, '2024-01-01 00:00:00+00'), ('z', NULL, NULL)
  RETURNING v, part, offs, ts AT TIME ZONE 'UTC' AS ts;
BEGIN;
INSERT INTO producer_returning (v, part) VALUES ('never', 0) RETURNING v, offs;
ROLLBACK;
SELECT v FROM producer_returning WHERE v IN ('y', 'z', 'never') ORDER BY v;

-- partition as bigint; a table with no such columns; BEFORE and AFTER triggers see the row
ALTER FOREIGN TABLE producer_returning ALTER part TYPE bigint;
ALTER FOREIGN TABLE producer_returning OPTIONS (SET delivery 'immediate');
INSERT INTO producer_returning (v, part) VALUES ('big', 1) RETURNING part, offs IS NOT NULL AS known;
CREATE FOREIGN TABLE producer_returning_plain (v text) SERVER kafka OPTIONS (topic 'producer_returning', delivery 'immediate');
INSERT INTO producer_returning_plain VALUES ('plain') RETURNING v;
CREATE FUNCTION producer_returning_before() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.v := NEW.v || '!'; RETURN CASE WHEN NEW.v = 'no!' THEN NULL ELSE NEW END; END $$;
CREATE FUNCTION producer_returning_after() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE 'after % % %', NEW.v, NEW.part, NEW.offs IS NOT NULL; RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT ON producer_returning FOR EACH ROW EXECUTE FUNCTION producer_returning_before();
CREATE TRIGGER a AFTER INSERT ON producer_returning FOR EACH ROW EXECUTE FUNCTION producer_returning_after();
INSERT INTO producer_returning (v, part) VALUES ('yes', 1), ('no', 1) RETURNING v, offs IS NOT NULL AS known;
INSERT INTO producer_returning (v, part) VALUES ('quiet', 0);
SELECT v FROM producer_returning WHERE v LIKE '%!' ORDER BY v;
SELECT deleted FROM kafka.delete_topic('producer_returning');
