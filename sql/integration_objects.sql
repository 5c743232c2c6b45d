-- The extension's objects: each has a comment, none is left behind by DROP EXTENSION.
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
  FROM pg_depend d
 WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'kafka_fdw') AND d.deptype = 'e'
   AND obj_description(d.objid, d.classid::regclass::name) IS NULL
   AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND (t.typelem <> 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'v')))
 ORDER BY 1;
SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'kafka'::regnamespace AND c.relkind NOT IN ('i', 'S') AND a.attnum > 0 AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NULL ORDER BY 1, 2;
SELECT count(*) FROM pg_extension WHERE extname = 'kafka_fdw' AND obj_description(oid, 'pg_extension') IS NOT NULL;
SELECT extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'kafka_fdw';
-- functions: those that ask or tell Kafka never run in a parallel worker; every argument can be used by name,
-- and "server" is the last one
SELECT p.oid::regprocedure, provolatile, proparallel FROM pg_proc p WHERE pronamespace = 'kafka'::regnamespace
   AND (provolatile <> 'v' OR proparallel = 's') ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure, a FROM pg_proc p, unnest(proargnames[:pronargs]) AS a WHERE pronamespace = 'kafka'::regnamespace
   AND a IN ('offset', 'group', 'limit', 'end', 'to', 'position', 'timestamp', 'interval') ORDER BY 1, 2;
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'kafka'::regnamespace AND 'server' = ANY (proargnames)
   AND proargnames[pronargs] <> 'server' ORDER BY 1;
-- what else the wrapper does with a table: ANALYZE, indexes, system columns
SELECT created FROM kafka.create_topic('integration_objects', 1);
CREATE FOREIGN TABLE integration_objects (v text) SERVER kafka OPTIONS (topic 'integration_objects', delivery 'immediate');
INSERT INTO integration_objects VALUES ('a'), ('b');
SELECT tableoid::regclass, v FROM integration_objects ORDER BY v;
\set VERBOSITY terse
CREATE INDEX ON integration_objects (v);
\echo :LAST_ERROR_SQLSTATE
SELECT v FROM integration_objects FOR UPDATE;
SELECT v FROM integration_objects TABLESAMPLE SYSTEM (10);
\echo :LAST_ERROR_SQLSTATE
-- DROP and CREATE in one session, with everything that hangs on it
DROP EXTENSION kafka_fdw;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT (kafka.produce('integration_objects', 'sent before the drop')).topic;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION kafka_fdw CASCADE;
SELECT count(*) FROM pg_foreign_server WHERE srvname = 'kafka';
CREATE EXTENSION kafka_fdw;
ROLLBACK;
SELECT v FROM integration_objects ORDER BY v;
SELECT deleted FROM kafka.delete_topic('integration_objects');
