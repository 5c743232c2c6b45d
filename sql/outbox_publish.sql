-- kafka.publish with delivery "outbox": changes of a table become rows of its transaction.
SET client_min_messages = error;
CREATE SERVER outbox_publish FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_publish', 'outbox_publish', false);
CREATE TABLE outbox_publish (id integer PRIMARY KEY, v text);
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE ON outbox_publish
  FOR EACH ROW EXECUTE FUNCTION kafka.publish('outbox_publish', 'id', 'delivery=outbox', 'server=outbox_publish', 'tombstones=true');
CREATE VIEW outbox_publish_sent AS
SELECT convert_from(key, 'UTF8') AS key, convert_from(value, 'UTF8')::jsonb - 'ts_ms' AS value
FROM kafka.outbox WHERE outbox = 'outbox_publish' ORDER BY id;
BEGIN;
INSERT INTO outbox_publish VALUES (1, 'a'), (2, 'b');
SAVEPOINT s;
UPDATE outbox_publish SET v = 'lost';
ROLLBACK TO s;
DO $$
BEGIN
  INSERT INTO outbox_publish VALUES (3, 'lost');
  RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
UPDATE outbox_publish SET v = 'c' WHERE id = 1;
DELETE FROM outbox_publish WHERE id = 2;
COMMIT;
SELECT * FROM outbox_publish_sent;
-- the header xid is the row's
SELECT bool_and(convert_from(h.value, 'UTF8') = o.xid::text) FROM kafka.outbox o, unnest(o.headers) h
 WHERE o.outbox = 'outbox_publish' AND h.name = 'xid';
-- for each statement, deferred
CREATE TRIGGER publish_statement AFTER INSERT ON outbox_publish REFERENCING NEW TABLE AS new
  FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('outbox_publish_statement', 'id', 'delivery=outbox', 'server=outbox_publish', 'format=row');
INSERT INTO outbox_publish SELECT i, 'many' FROM generate_series(10, 12) i;
SELECT topic, convert_from(value, 'UTF8') AS value FROM kafka.outbox WHERE topic = 'outbox_publish_statement' ORDER BY id;
-- an outbox that was rolled back is made anew, also in the statement that made it
SELECT kafka.drop_outbox('outbox_publish', true);
DO $$
BEGIN
  BEGIN
    INSERT INTO outbox_publish VALUES (20, 'lost');
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
  INSERT INTO outbox_publish VALUES (21, 'kept');
END $$;
SELECT key FROM outbox_publish_sent;
SELECT kafka.drop_outbox('outbox_publish', true);
DROP VIEW outbox_publish_sent;
DROP TABLE outbox_publish;
DROP SERVER outbox_publish;
