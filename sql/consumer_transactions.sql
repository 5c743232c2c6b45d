-- Positions belong to the transaction: what is rolled back comes again, exactly that.
SELECT created FROM kafka.create_topic('consumer_transactions', 1);
SELECT count(kafka.produce('consumer_transactions', i::text, delivery => 'immediate')) FROM generate_series(0, 99) AS i;
CREATE FUNCTION take(n int) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(value, ' ' ORDER BY "offset") FROM kafka.poll_text(n, '10s') $$;
CREATE FUNCTION at() RETURNS bigint LANGUAGE sql AS $$ SELECT "offset" FROM kafka.position() $$;
CREATE FUNCTION stored() RETURNS bigint LANGUAGE sql AS $$ SELECT "offset" FROM kafka.committed() $$;
SELECT kafka.subscribe('consumer_transactions', 'consumer_transactions', start => 'earliest');

SELECT take(2), stored();
SELECT stored();
BEGIN;
SELECT take(3), at(), stored();
SELECT pending FROM kafka.consumers;
ROLLBACK;
SELECT at(), stored();
BEGIN;
SELECT take(3);
SELECT take(1);
COMMIT;
SELECT at(), stored();
SELECT pending FROM kafka.consumers;

-- savepoints
BEGIN;
SELECT take(1);
SAVEPOINT a;
SELECT take(2);
ROLLBACK TO a;
SELECT at();
SELECT take(2);
SAVEPOINT b;
SELECT take(1);
SAVEPOINT c;
SELECT take(1);
RELEASE c;
SELECT at();
ROLLBACK TO b;
SELECT at();
SELECT take(1);
RELEASE a;
SELECT at();
COMMIT;
SELECT at(), stored();
-- released into the transaction, which is then rolled back
BEGIN;
SAVEPOINT a;
SELECT take(2);
SAVEPOINT b;
SELECT take(2);
RELEASE b;
RELEASE a;
SELECT at();
ROLLBACK;
SELECT at(), stored();
-- what was released stays when the next savepoint is rolled back
BEGIN;
SAVEPOINT a;
SELECT take(2);
RELEASE a;
SAVEPOINT b;
SELECT take(1);
ROLLBACK TO b;
SELECT at();
ROLLBACK;
-- the first poll is in a savepoint; twice the same
BEGIN;
SAVEPOINT a;
SELECT take(2);
ROLLBACK TO a;
SELECT take(2);
ROLLBACK TO a;
COMMIT;
SELECT at(), stored();

-- exception blocks
DO $$
BEGIN
  RAISE NOTICE 'outer %', take(1);
  BEGIN
    RAISE NOTICE 'inner %', take(2);
    RAISE EXCEPTION 'no';
  EXCEPTION WHEN raise_exception THEN
    RAISE NOTICE 'again from %', at();
  END;
  BEGIN
    RAISE NOTICE 'inner %', take(1);
  EXCEPTION WHEN raise_exception THEN
    RAISE NOTICE 'not reached';
  END;
END $$;
SELECT at(), stored();

-- an error in the middle of INSERT ... SELECT: none of it counts
CREATE TABLE loaded (v int PRIMARY KEY, CHECK (v <> 14));
INSERT INTO loaded SELECT value::int FROM kafka.poll_text(5, '10s') ORDER BY "offset";
INSERT INTO loaded SELECT value::int FROM kafka.poll_text(3, '10s');
SELECT string_agg(v::text, ' ' ORDER BY v) FROM loaded;
INSERT INTO loaded SELECT 1000 + value::int FROM kafka.poll_text(1, '10s');
SELECT string_agg(v::text, ' ' ORDER BY v) FROM loaded;
ALTER TABLE loaded DROP CONSTRAINT loaded_v_check;
INSERT INTO loaded SELECT value::int FROM kafka.poll_text(5, '10s') WHERE value::int / (16 - value::int) < 99;
SELECT at(), stored();

-- a procedure that commits
CREATE PROCEDURE load(batches int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. batches LOOP
    INSERT INTO loaded SELECT value::int FROM kafka.poll_text(2, '10s');
    IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF;
  END LOOP;
END $$;
CALL load(4);
SELECT string_agg(v::text, ' ' ORDER BY v) FROM loaded;
SELECT at(), stored();

-- a cursor WITH HOLD has its messages at COMMIT
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT value FROM kafka.poll_text(2, '10s');
COMMIT;
FETCH ALL FROM c;
CLOSE c;
SELECT at(), stored();
-- a deferred trigger is not too late
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'late %', take(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON loaded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
INSERT INTO loaded VALUES (-1);
SELECT at(), stored();
-- no PREPARE
BEGIN;
SELECT take(1);
PREPARE TRANSACTION 'consumer_transactions';
\echo :LAST_ERROR_SQLSTATE
SELECT at(), stored();
DROP TABLE loaded;
DROP FUNCTION take, at, stored, late;
DROP PROCEDURE load;
SELECT kafka.close_consumer();
SELECT deleted FROM kafka.delete_topic('consumer_transactions');
