-- A wrong type for a meta column is refused where it is declared (peer_R6).
\set VERBOSITY terse
DO $$
DECLARE
  m text;
  t text;
BEGIN
  FOR m, t IN VALUES ('topic', 'int'), ('partition', 'text'), ('partition', 'smallint'),
    ('offset', 'text'), ('offset', 'int'), ('timestamp', 'timestamp'), ('timestamp', 'bigint'),
    ('timestamp_type', 'int'), ('key', 'int'), ('value', 'json'), ('headers', 'text'),
    ('headers', 'json'), ('headers', 'text[]'), ('leader_epoch', 'text'), ('tombstone', 'int'),
    ('junk', 'int'), ('junk_error', 'bytea')
  LOOP
    BEGIN
      EXECUTE format('CREATE FOREIGN TABLE wrong (v text, c %s OPTIONS (meta %L))
                        SERVER kafka OPTIONS (topic ''t'')', t, m);
      RAISE EXCEPTION 'meta % was accepted with type %', m, t;
    EXCEPTION WHEN datatype_mismatch THEN
      RAISE NOTICE '%: %', SQLSTATE, SQLERRM;
    END;
  END LOOP;
END $$;
-- the same with the older names
CREATE FOREIGN TABLE wrong (offs text OPTIONS (offset 'true')) SERVER kafka OPTIONS (topic 't');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong (part text OPTIONS (partition 'true')) SERVER kafka OPTIONS (topic 't');
CREATE FOREIGN TABLE wrong (j int OPTIONS (junk 'true')) SERVER kafka OPTIONS (topic 't');
CREATE FOREIGN TABLE wrong (j bytea OPTIONS (junk_error 'true')) SERVER kafka OPTIONS (topic 't');
SELECT count(*) FROM pg_class WHERE relname = 'wrong';

-- and where it is changed
CREATE FOREIGN TABLE reading_meta_types (v text, n int, k text OPTIONS (meta 'key'))
  SERVER kafka OPTIONS (topic 'reading_meta_types', format 'json');
ALTER FOREIGN TABLE reading_meta_types ALTER n OPTIONS (ADD meta 'offset');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_meta_types ALTER k TYPE int;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_meta_types ALTER k OPTIONS (SET meta 'partition');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_meta_types ADD o date OPTIONS (meta 'timestamp');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_meta_types ALTER k OPTIONS (SET meta 'keys');
\echo :LAST_ERROR_SQLSTATE
-- what is right is taken
ALTER FOREIGN TABLE reading_meta_types ALTER n OPTIONS (ADD meta 'partition');
ALTER FOREIGN TABLE reading_meta_types ALTER n TYPE bigint;
ALTER FOREIGN TABLE reading_meta_types ALTER k TYPE bytea;
ALTER FOREIGN TABLE reading_meta_types ADD o timestamptz OPTIONS (meta 'timestamp');
SELECT attname, atttypid::regtype, attfdwoptions FROM pg_attribute
 WHERE attrelid = 'reading_meta_types'::regclass AND attnum > 0 ORDER BY attnum;
-- also in a new session, whose first command is the change
\c -
ALTER FOREIGN TABLE reading_meta_types ALTER k TYPE int;
SELECT 1 AS alive;
-- where it slipped through, as in the pieces of a dump, it is found when used
SET check_function_bodies = off;
ALTER FOREIGN TABLE reading_meta_types ALTER k TYPE int;
RESET check_function_bodies;
SELECT k FROM reading_meta_types;
EXPLAIN (COSTS OFF) SELECT k FROM reading_meta_types;

-- a type's own limits hold for meta columns too
SELECT * FROM kafka.create_topic('reading_meta_types', 1);
SELECT kafka.produce('reading_meta_types', 'value', 'toolong', delivery => 'immediate') IS NOT NULL AS sent;
CREATE DOMAIN reading_meta_short AS text CHECK (length(VALUE) < 5);
CREATE FOREIGN TABLE reading_meta_limits (v text, k reading_meta_short OPTIONS (meta 'key'),
  k3 varchar(3) OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'reading_meta_types');
SELECT k FROM reading_meta_limits;
\echo :LAST_ERROR_SQLSTATE
SELECT k3 FROM reading_meta_limits;
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('reading_meta_types');
