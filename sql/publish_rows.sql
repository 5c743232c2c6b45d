-- kafka.publish FOR EACH ROW: what a change looks like in the topic.
SELECT topic FROM kafka.create_topic('publish_rows', 1);
CREATE FOREIGN TABLE publish_rows_read (
  v text OPTIONS (meta 'value'),
  k text OPTIONS (meta 'key'),
  h jsonb OPTIONS (meta 'headers'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'publish_rows', format 'string');
-- what does not differ from run to run
CREATE VIEW publish_rows_seen AS
  SELECT offs, k, regexp_replace(v, '"ts_ms":[0-9]+', '"ts_ms":T') AS v, h - 'xid' - 'lsn' AS h FROM publish_rows_read;
CREATE TABLE publish_rows (id int PRIMARY KEY, name text, gone int, amount numeric(10,2), twice numeric GENERATED ALWAYS AS (amount * 2) STORED);
ALTER TABLE publish_rows DROP gone;
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE ON publish_rows FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', 'id');
CREATE TRIGGER publish_truncate AFTER TRUNCATE ON publish_rows EXECUTE FUNCTION kafka.publish('publish_rows', 'id');
BEGIN;
INSERT INTO publish_rows VALUES (1, 'one "1"', 1.50), (2, NULL, NULL);
UPDATE publish_rows SET name = 'two', amount = 2 WHERE id = 2;
UPDATE publish_rows SET id = 3 WHERE id = 2;
DELETE FROM publish_rows WHERE id = 1;
TRUNCATE publish_rows;
SELECT count(*) FROM publish_rows_read;
COMMIT;
SELECT k, v, h FROM publish_rows_seen ORDER BY offs;
-- xid, LSN and time are of the transaction
SELECT count(DISTINCT h->>'xid') AS xids, bool_and((h->>'lsn')::pg_lsn <= pg_current_wal_insert_lsn()) AS lsn,
  count(DISTINCT v::json->>'ts_ms') AS times, bool_and(to_timestamp((v::json->>'ts_ms')::numeric / 1000) BETWEEN now() - interval '1 h' AND now()) AS near
  FROM publish_rows_read;
BEGIN;
INSERT INTO publish_rows VALUES (10, 'x');
SELECT pg_current_xact_id()::text AS xid \gset
COMMIT;
SELECT h->>'xid' = :'xid' AS same_xid FROM publish_rows_read WHERE k = '10';
-- a rolled back part sends nothing
SELECT max(offs) AS seen FROM publish_rows_read \gset
BEGIN;
INSERT INTO publish_rows VALUES (11, 'kept');
SAVEPOINT s;
INSERT INTO publish_rows VALUES (12, 'rolled back');
ROLLBACK TO s;
COMMIT;
BEGIN;
INSERT INTO publish_rows VALUES (13, 'rolled back');
ROLLBACK;
SELECT k FROM publish_rows_seen WHERE offs > :seen ORDER BY offs;
-- immediate: there although the transaction rolls back
DROP TRIGGER publish ON publish_rows;
CREATE TRIGGER publish AFTER INSERT ON publish_rows FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', 'id', 'delivery=immediate', 'server=kafka');
SELECT max(offs) AS seen FROM publish_rows_read \gset
BEGIN;
INSERT INTO publish_rows VALUES (14, 'a'), (15, 'b');
ROLLBACK;
SELECT k FROM publish_rows_seen WHERE offs > :seen ORDER BY offs;

-- tombstones: of a deleted row, and of a key that has changed
DROP TRIGGER publish ON publish_rows;
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE ON publish_rows FOR EACH ROW
  EXECUTE FUNCTION kafka.publish('publish_rows', 'id', 'tombstones=true', 'columns=id, name');
SELECT max(offs) AS seen FROM publish_rows_read \gset
BEGIN;
INSERT INTO publish_rows VALUES (20, 'a');
UPDATE publish_rows SET name = 'b' WHERE id = 20;
UPDATE publish_rows SET id = 21 WHERE id = 20;
DELETE FROM publish_rows WHERE id = 21;
COMMIT;
SELECT k, v, h->>'op' AS op FROM publish_rows_seen WHERE offs > :seen ORDER BY offs;
-- format=row: the row itself, for a topic that is a table
DROP TRIGGER publish ON publish_rows;
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE ON publish_rows FOR EACH ROW
  EXECUTE FUNCTION kafka.publish('publish_rows', 'id', 'format=row', 'except=twice');
SELECT max(offs) AS seen FROM publish_rows_read \gset
BEGIN;
INSERT INTO publish_rows VALUES (30, 'a', 1);
UPDATE publish_rows SET id = 31 WHERE id = 30;
DELETE FROM publish_rows WHERE id = 31;
COMMIT;
SELECT k, v, h->>'op' AS op FROM publish_rows_seen WHERE offs > :seen ORDER BY offs;
-- keys: the primary key where none is named, none, several columns, bytes, a quoted name
CREATE TABLE publish_rows_keys (a int, "B c" bytea, c text, PRIMARY KEY (c, a));
CREATE TRIGGER p1 AFTER INSERT ON publish_rows_keys FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', 'columns=a');
CREATE TRIGGER p2 AFTER INSERT ON publish_rows_keys FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', '', 'columns=a');
CREATE TRIGGER p3 AFTER INSERT ON publish_rows_keys FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', 'C,"B c"', 'columns=a');
CREATE TRIGGER p4 AFTER INSERT ON publish_rows_keys FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', '"B c"', 'columns=a');
CREATE TRIGGER p5 AFTER INSERT ON publish_rows_keys FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows');
SELECT max(offs) AS seen FROM publish_rows_read \gset
INSERT INTO publish_rows_keys VALUES (1, 'bytes', 'x'), (2, NULL, 'y');
SELECT k, v::json->'after' AS after FROM publish_rows_read WHERE offs > :seen ORDER BY offs;
-- deferred to COMMIT; long values; a trigger that fires only for what has changed
CREATE TABLE publish_rows_long (id int, v text);
ALTER TABLE publish_rows_long ALTER v SET STORAGE EXTERNAL;
CREATE CONSTRAINT TRIGGER publish AFTER INSERT ON publish_rows_long DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_rows', 'id');
CREATE TRIGGER publish_changed AFTER UPDATE ON publish_rows_long FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION kafka.publish('publish_rows', 'id');
SELECT max(offs) AS seen FROM publish_rows_read \gset
INSERT INTO publish_rows_long VALUES (1, repeat('long', 25000));
UPDATE publish_rows_long SET id = 1;
UPDATE publish_rows_long SET id = 2;
SELECT k, v::json->>'op' AS op, length(v::json->'after'->>'v') AS after, length(v::json->'before'->>'v') AS before FROM publish_rows_read WHERE offs > :seen ORDER BY offs;
SELECT deleted FROM kafka.delete_topic('publish_rows');
