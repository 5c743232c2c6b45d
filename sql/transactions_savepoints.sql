-- Savepoints and exception blocks: a part that is rolled back sends nothing.
SELECT * FROM kafka.create_topic('transactions_savepoints', 1);
CREATE FOREIGN TABLE transactions_savepoints (v text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'transactions_savepoints');
CREATE FUNCTION pg_temp.send(v text) RETURNS void LANGUAGE sql AS $$ SELECT kafka.produce('transactions_savepoints', v) $$;
CREATE PROCEDURE pg_temp.show() LANGUAGE plpgsql AS $$
DECLARE
  s text;
BEGIN
  SELECT string_agg(v, ' ' ORDER BY offs) INTO s FROM transactions_savepoints WHERE offs >= current_setting('my.seen')::bigint;
  RAISE NOTICE 'sent: %', s;
  PERFORM set_config('my.seen', (max(offs) + 1)::text, false) FROM transactions_savepoints;
END $$;
SET my.seen = 0;
\pset tuples_only on

-- ROLLBACK TO, RELEASE, the same name again
BEGIN;
INSERT INTO transactions_savepoints VALUES ('a1');
SAVEPOINT s;
INSERT INTO transactions_savepoints VALUES ('a2-gone');
ROLLBACK TO s;
INSERT INTO transactions_savepoints VALUES ('a3');
SAVEPOINT s;
INSERT INTO transactions_savepoints VALUES ('a4');
RELEASE s;
INSERT INTO transactions_savepoints VALUES ('a5-gone');
ROLLBACK TO s;
INSERT INTO transactions_savepoints VALUES ('a6');
COMMIT;
CALL pg_temp.show();
-- released inside what is rolled back; rolled back inside what is released
BEGIN;
SAVEPOINT o;
INSERT INTO transactions_savepoints VALUES ('b1-gone');
SAVEPOINT i;
INSERT INTO transactions_savepoints VALUES ('b2-gone');
RELEASE i;
INSERT INTO transactions_savepoints VALUES ('b3-gone');
ROLLBACK TO o;
SAVEPOINT o2;
INSERT INTO transactions_savepoints VALUES ('b4');
SAVEPOINT i;
INSERT INTO transactions_savepoints VALUES ('b5-gone');
ROLLBACK TO i;
RELEASE i;
SAVEPOINT i;
SAVEPOINT ii;
INSERT INTO transactions_savepoints VALUES ('b6');
RELEASE ii;
RELEASE i;
INSERT INTO transactions_savepoints VALUES ('b7');
RELEASE o2;
COMMIT;
CALL pg_temp.show();
-- a level that sent nothing between levels that did; rolled back from far outside
BEGIN;
INSERT INTO transactions_savepoints VALUES ('c1');
SAVEPOINT l2;
SAVEPOINT l3;
SAVEPOINT l4;
INSERT INTO transactions_savepoints VALUES ('c2-gone');
RELEASE l4;
RELEASE l3;
ROLLBACK TO l2;
SAVEPOINT l3;
INSERT INTO transactions_savepoints VALUES ('c3');
RELEASE l3;
SAVEPOINT l3;
SAVEPOINT l4;
INSERT INTO transactions_savepoints VALUES ('c4-gone');
ROLLBACK TO l3;
INSERT INTO transactions_savepoints VALUES ('c5');
COMMIT;
CALL pg_temp.show();
-- an error, and ROLLBACK TO out of it; a statement that fails half way
BEGIN;
INSERT INTO transactions_savepoints VALUES ('d1');
SAVEPOINT s;
INSERT INTO transactions_savepoints VALUES ('d2-gone');
SELECT 1 / 0;
ROLLBACK TO s;
INSERT INTO transactions_savepoints SELECT 'd3-gone-' || (1 / (3 - i)) FROM generate_series(1, 5) AS i;
ROLLBACK TO s;
INSERT INTO transactions_savepoints VALUES ('d4');
COMMIT;
CALL pg_temp.show();
-- all of it rolled back: no transaction in Kafka at all, and COMMIT is fine
BEGIN;
SAVEPOINT s;
INSERT INTO transactions_savepoints VALUES ('e-gone');
ROLLBACK TO s;
COMMIT;
-- PL/pgSQL exception blocks, nested, in a loop
DO $$
BEGIN
  PERFORM pg_temp.send('f0');
  FOR i IN 1 .. 6 LOOP
    BEGIN
      PERFORM pg_temp.send('f' || i || CASE WHEN i % 2 = 0 THEN '-gone' ELSE '' END);
      BEGIN
        PERFORM pg_temp.send('f' || i || '-inner-gone');
        RAISE EXCEPTION 'inner';
      EXCEPTION WHEN raise_exception THEN
        PERFORM pg_temp.send('f' || i || CASE WHEN i % 2 = 0 THEN '-caught-gone' ELSE '-caught' END);
      END;
      IF i % 2 = 0 THEN
        PERFORM 1 / 0;
      END IF;
    EXCEPTION WHEN division_by_zero THEN
      NULL;
    END;
  END LOOP;
END $$;
CALL pg_temp.show();
-- many levels deep
DO $$
DECLARE
  code text := 'PERFORM pg_temp.send(''g-deep'');';
BEGIN
  FOR i IN 1 .. 100 LOOP
    code := format('BEGIN PERFORM pg_temp.send(''g''); %s EXCEPTION WHEN OTHERS THEN RAISE; END;', code);
  END LOOP;
  EXECUTE 'DO $code$ BEGIN ' || code || ' END $code$';
END $$;
SELECT v, count(*) FROM transactions_savepoints WHERE v LIKE 'g%' GROUP BY v ORDER BY v;
-- immediate messages stay
BEGIN;
SAVEPOINT s;
SELECT (kafka.produce('transactions_savepoints', 'h-stays', delivery => 'immediate')).topic;
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM transactions_savepoints WHERE v = 'h-stays';
SELECT count(*) FROM transactions_savepoints WHERE v LIKE '%gone%';
SELECT deleted FROM kafka.delete_topic('transactions_savepoints');
