-- kafka.publish FOR EACH STATEMENT, partitions, inheritance, types, session settings.
SELECT topic FROM kafka.create_topic('publish_statement', 1);
CREATE FOREIGN TABLE publish_statement_raw (
  v text OPTIONS (meta 'value'), k text OPTIONS (meta 'key'), h jsonb OPTIONS (meta 'headers'), offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'publish_statement', format 'string');
CREATE VIEW publish_statement_read AS SELECT v::json, k, h, offs FROM publish_statement_raw;
CREATE TABLE publish_statement (id int PRIMARY KEY, v text);
CREATE TRIGGER i AFTER INSERT ON publish_statement REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id', 'delivery=immediate');
CREATE TRIGGER u AFTER UPDATE ON publish_statement REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id', 'tombstones=on');
CREATE TRIGGER d AFTER DELETE ON publish_statement REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id');
INSERT INTO publish_statement SELECT i, 'v' || i FROM generate_series(1, 3) AS i;
INSERT INTO publish_statement SELECT 1, 'none' WHERE false;
UPDATE publish_statement SET v = v || '!', id = id + 10 WHERE id <> 2;
DELETE FROM publish_statement WHERE id > 5;
SELECT v->>'op' AS op, k, v->'before' AS before, v->'after' AS after, h->>'table' AS "table" FROM publish_statement_read ORDER BY offs;
-- INSERT ON CONFLICT and MERGE fire each kind's trigger with its own rows
SELECT max(offs) AS seen FROM publish_statement_read \gset
INSERT INTO publish_statement VALUES (2, 'conflict'), (50, 'new') ON CONFLICT (id) DO UPDATE SET v = 'updated';
MERGE INTO publish_statement t USING (VALUES (2), (50), (60)) AS s (id) ON t.id = s.id
  WHEN MATCHED AND t.id = 50 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'inserted');
SELECT v->>'op' AS op, k, v->'before'->>'v' AS before, v->'after'->>'v' AS after FROM publish_statement_read WHERE offs > :seen ORDER BY 1, 2, 3;
-- only new rows: there is no "before"; two triggers read the same transition table
DROP TRIGGER u ON publish_statement;
-- with tombstones an update needs both tables: an old row alone looks like a deletion
CREATE TRIGGER u0 AFTER UPDATE ON publish_statement REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id', 'format=row');
UPDATE publish_statement SET v = 'twice' WHERE id = 2;
DROP TRIGGER u0 ON publish_statement;
CREATE TRIGGER u1 AFTER UPDATE ON publish_statement REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id', 'format=row');
CREATE TRIGGER u2 AFTER UPDATE ON publish_statement REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id');
SELECT max(offs) AS seen FROM publish_statement_read \gset
UPDATE publish_statement SET v = 'twice' WHERE id = 2;
SELECT k, v->'before' AS before, v->'after' AS after, v->'v' AS v FROM publish_statement_read WHERE offs > :seen ORDER BY offs;
-- old and new are pairs, also of many rows in a file
DROP TRIGGER u1 ON publish_statement;
DROP TRIGGER u2 ON publish_statement;
CREATE TRIGGER u AFTER UPDATE ON publish_statement REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id');
TRUNCATE publish_statement;
ALTER TABLE publish_statement DISABLE TRIGGER i;
INSERT INTO publish_statement SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i;
ALTER TABLE publish_statement ENABLE TRIGGER i;
SELECT max(offs) AS seen FROM publish_statement_read \gset
SET work_mem = '64kB';
UPDATE publish_statement SET id = id + 5000, v = 'y' || v;
RESET work_mem;
SELECT count(*), count(DISTINCT k), bool_and((v->'after'->>'id')::int = (v->'before'->>'id')::int + 5000) AS pairs FROM publish_statement_read WHERE offs > :seen;

-- partitions: row triggers come from the parent, and say so; statement triggers see all
CREATE TABLE publish_parts (id int, region text, v text) PARTITION BY LIST (region);
CREATE TABLE publish_east PARTITION OF publish_parts FOR VALUES IN ('east');
CREATE TABLE publish_west (v text, gone int, region text, id int);
ALTER TABLE publish_west DROP gone;
ALTER TABLE publish_parts ATTACH PARTITION publish_west FOR VALUES IN ('west');
CREATE TRIGGER r AFTER INSERT OR UPDATE OR DELETE ON publish_parts FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_statement', 'id');
CREATE TRIGGER s AFTER UPDATE ON publish_parts REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id');
SELECT max(offs) AS seen FROM publish_statement_read \gset
INSERT INTO publish_parts VALUES (1, 'east', 'a'), (2, 'west', 'b');
UPDATE publish_parts SET v = upper(v), region = CASE id WHEN 1 THEN 'west' ELSE 'west' END;
SELECT v->>'op' AS op, k, v->'before' AS before, v->'after' AS after, v->'source' AS source FROM publish_statement_read WHERE offs > :seen ORDER BY offs;
-- a moved row that a trigger suppresses leaves no pair
CREATE FUNCTION publish_suppress() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER b BEFORE INSERT ON publish_east FOR EACH ROW EXECUTE FUNCTION publish_suppress();
DROP TRIGGER r ON publish_parts;
UPDATE publish_parts SET region = 'east' WHERE id = 2;
\echo :LAST_ERROR_SQLSTATE
-- inheritance: a statement's rows have the parent's columns
CREATE TABLE publish_up (id int);
CREATE TABLE publish_down (extra text) INHERITS (publish_up);
CREATE TRIGGER s AFTER UPDATE ON publish_up REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_statement', 'id');
INSERT INTO publish_down VALUES (1, 'x');
SELECT max(offs) AS seen FROM publish_statement_read \gset
UPDATE publish_up SET id = 2;
SELECT v->'before' AS before, v->'after' AS after, v->'source'->>'table' AS "table" FROM publish_statement_read WHERE offs > :seen;

-- JSON is to_json's, and the text does not depend on the session
CREATE TABLE publish_types (d date, ts timestamptz, dr daterange, i interval, f float8, b bytea, j jsonb, a int[], n numeric, c publish_up, bool boolean, u text);
CREATE TRIGGER r AFTER INSERT ON publish_types FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_statement', 'd');
SELECT max(offs) AS seen FROM publish_statement_read \gset
SET TimeZone = 'UTC';
SET DateStyle = 'German';
SET IntervalStyle = 'iso_8601';
SET extra_float_digits = -5;
INSERT INTO publish_types VALUES ('2024-05-06', '2024-05-06 07:08:09+00', '[2024-05-06,2024-06-01)', '1 mon 2 days 03:00', 0.1::float8 + 0.2, '\x00ff', '{"a": [1, null]}', '{1,NULL}', 'NaN', ROW(1), true, E'ä"\\\n');
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
RESET extra_float_digits;
SELECT k, v->'after' AS after, (v->'after')::text = (SELECT row_to_json(t)::text FROM publish_types t) AS same FROM publish_statement_read WHERE offs > :seen;
SELECT deleted FROM kafka.delete_topic('publish_statement');
