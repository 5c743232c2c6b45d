-- Columns, types and options are checked together when a table is created or altered, without a broker.
CREATE SERVER formats_ddl FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1');
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
  hint text;
BEGIN
  EXECUTE command;
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
  RETURN concat_ws(' / ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION pg_temp.table(columns text, options text) RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.try(format('CREATE FOREIGN TABLE formats_ddl_try (%s) SERVER formats_ddl OPTIONS (topic ''t'', %s)', columns, options)) $$;
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.table('a text, b text', 'format ''string''');
SELECT pg_temp.table('a date', 'format ''bytes''');
SELECT pg_temp.table('a int, b int OPTIONS (path ''$.a'')', 'format ''json''');
SELECT pg_temp.table('a int OPTIONS (path ''$.a'')', 'format ''csv''');
SELECT pg_temp.table('a int OPTIONS (json ''a'')', 'format ''string''');
SELECT pg_temp.table('a int', 'format ''csv'', quote '',''');
SELECT pg_temp.table('a int, k int OPTIONS (meta ''key'')', 'format ''csv''');
SELECT pg_temp.table('a int OPTIONS (path ''$.a'', json ''a'')', 'format ''json''');
SELECT pg_temp.table('a int OPTIONS (meta ''partition'', "offset" ''true'')', 'format ''json''');
SELECT count(*) FROM pg_class WHERE relname = 'formats_ddl_try';
-- options of another format are no mistake that could harm: they wait for it
SELECT pg_temp.table('a int OPTIONS (force_null ''true'')', 'format ''json'', delimiter '';'', quote ''x'', strict ''true''');
DROP FOREIGN TABLE formats_ddl_try;
-- a table needs no columns
SELECT pg_temp.table('', 'format ''integer''');
DROP FOREIGN TABLE formats_ddl_try;

-- ALTER: one command at a time, seen as it leaves the table
CREATE FOREIGN TABLE formats_ddl (v text, k text OPTIONS (meta 'key')) SERVER formats_ddl OPTIONS (topic 't');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl OPTIONS (ADD format ''integer'')');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl OPTIONS (ADD format ''integer''), ALTER v TYPE int');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl ALTER v TYPE numeric');
SELECT pg_temp.try('ALTER TABLE formats_ddl ALTER v TYPE date');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl ADD w int');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl ALTER k OPTIONS (DROP meta)');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl OPTIONS (ADD key_format ''uuid'')');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl ALTER v TYPE bigint');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl OPTIONS (SET format ''json''), ADD w int');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl ADD x int OPTIONS (json ''y''), ADD y int');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl ADD x int OPTIONS (json ''y'')');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl RENAME w TO y');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl RENAME w TO z');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl DROP z, DROP x');
-- through a parent, and as a partition
CREATE TABLE formats_ddl_parent (v bigint, k text);
ALTER FOREIGN TABLE formats_ddl INHERIT formats_ddl_parent;
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl OPTIONS (SET format ''long'')');
SELECT pg_temp.try('ALTER TABLE formats_ddl_parent ADD w int');
SELECT pg_temp.try('ALTER TABLE formats_ddl_parent ALTER v TYPE text');
CREATE TABLE formats_ddl_partitioned (n int, v text) PARTITION BY LIST (n);
SELECT pg_temp.try('CREATE FOREIGN TABLE formats_ddl_p1 PARTITION OF formats_ddl_partitioned FOR VALUES IN (1) SERVER formats_ddl OPTIONS (topic ''t'')');
SELECT pg_temp.try('CREATE FOREIGN TABLE formats_ddl_p1 PARTITION OF formats_ddl_partitioned FOR VALUES IN (1) SERVER formats_ddl OPTIONS (topic ''t'', format ''csv'')');
CREATE FOREIGN TABLE formats_ddl_p2 (n int OPTIONS (meta 'partition'), v text) SERVER formats_ddl OPTIONS (topic 't');
SELECT pg_temp.try('ALTER TABLE formats_ddl_partitioned ATTACH PARTITION formats_ddl_p2 FOR VALUES IN (2)');
SELECT pg_temp.try('ALTER TABLE formats_ddl_partitioned DETACH PARTITION formats_ddl_p2');
-- commands that have nothing to do with us, in odd places
CREATE FOREIGN DATA WRAPPER formats_ddl_other;
CREATE SERVER formats_ddl_other FOREIGN DATA WRAPPER formats_ddl_other;
CREATE FOREIGN TABLE formats_ddl_other (a int, b text) SERVER formats_ddl_other;
ALTER FOREIGN TABLE formats_ddl_other ADD c int;
CREATE TEMP TABLE formats_ddl_temp (a int);
ALTER TABLE formats_ddl_temp ADD b int;
BEGIN;
ALTER TABLE formats_ddl_temp ADD c int;
ALTER FOREIGN TABLE formats_ddl OPTIONS (DROP key_format);
ROLLBACK;
-- a user without rights on anything of ours
CREATE ROLE formats_ddl_user;
CREATE SCHEMA formats_ddl_schema AUTHORIZATION formats_ddl_user;
GRANT USAGE ON FOREIGN SERVER formats_ddl TO formats_ddl_user;
REVOKE USAGE ON SCHEMA kafka FROM PUBLIC;
SET ROLE formats_ddl_user;
SET search_path = formats_ddl_schema;
CREATE TABLE t (a int);
ALTER TABLE t ADD b int;
CREATE FOREIGN TABLE f (a text, b text) SERVER formats_ddl OPTIONS (topic 't');
CREATE FOREIGN TABLE f (a text) SERVER formats_ddl OPTIONS (topic 't');
RESET ROLE;
RESET search_path;
GRANT USAGE ON SCHEMA kafka TO PUBLIC;
-- the pieces of a dump come in any order; what is wrong at the end is found when it is used
SET check_function_bodies = off;
CREATE FOREIGN TABLE formats_ddl_dump (v text, k int) SERVER formats_ddl OPTIONS (topic 't', key_format 'integer');
ALTER FOREIGN TABLE ONLY formats_ddl_dump ALTER COLUMN k OPTIONS (meta 'key');
CREATE FOREIGN TABLE formats_ddl_wrong (a text, b text) SERVER formats_ddl OPTIONS (topic 't');
RESET check_function_bodies;
SELECT a FROM formats_ddl_wrong;
INSERT INTO formats_ddl_wrong VALUES ('a', 'b');
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl_dump ALTER v SET NOT NULL');
-- nobody calls the function by himself
SELECT pg_temp.try('SELECT kafka.check_foreign_tables()');
-- a broken table can be mended and dropped
SELECT pg_temp.try('ALTER FOREIGN TABLE formats_ddl_wrong DROP b');
SET client_min_messages = warning;
DROP SERVER formats_ddl CASCADE;
DROP FOREIGN DATA WRAPPER formats_ddl_other CASCADE;
DROP TABLE formats_ddl_parent, formats_ddl_partitioned;
DROP SCHEMA formats_ddl_schema CASCADE;
DROP ROLE formats_ddl_user;
