-- The views kafka.outbox and kafka.outbox_status, and the marks of restored rows. Ticks are made by hand.
SET client_min_messages = error;
CREATE SERVER outbox_status FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.server = 'outbox_status';
SET kafka_fdw.delivery = 'outbox';
-- as a restore does it: no worker comes
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_status', 'outbox_status', true);
SELECT (kafka.produce('outbox_status', 'before', key => 'key')).topic;
SELECT id AS box FROM kafka.outbox_definition WHERE name = 'outbox_status' \gset
CREATE VIEW outbox_status_short AS
SELECT enabled, state, pid, backlog_rows, backlog_bytes, oldest IS NOT NULL AS has_oldest, oldest_age > '0' AS has_age, last_tick, messages, transactions, rate
  FROM kafka.outbox_status WHERE outbox = 'outbox_status';
SELECT * FROM outbox_status_short;
-- an insert by anybody but the extension is a restore
INSERT INTO kafka.outbox_tick VALUES (:box, 1, gen_random_uuid(), pg_current_snapshot(), 1, 1, 1, now(), false);
SELECT restored FROM kafka.outbox_tick WHERE outbox = :box;
SELECT * FROM outbox_status_short;
UPDATE kafka.outbox_tick SET restored = false WHERE outbox = :box;
SELECT * FROM outbox_status_short;
-- now a transaction that was open when the second tick was made, and one after it
BEGIN;
SELECT (kafka.produce('outbox_status', 'open')).topic;
SELECT pg_current_xact_id() AS open \gset
PREPARE TRANSACTION 'outbox_status';
SELECT (kafka.produce('outbox_status', 'seen')).topic;
INSERT INTO kafka.outbox_tick VALUES (:box, 2, gen_random_uuid(), pg_current_snapshot(), 1, 1, 1, now(), false);
UPDATE kafka.outbox_tick SET restored = false WHERE outbox = :box;
SELECT backlog_rows, last_tick FROM outbox_status_short;
UPDATE kafka.outbox_tick SET acknowledged = 2, messages = 2, transactions = 2 WHERE outbox = :box AND tick = 2;
SELECT backlog_rows, last_tick, messages, transactions FROM outbox_status_short;
SELECT kafka.wait_for_relay('0');
\set VERBOSITY sqlstate
SELECT kafka.wait_for_relay('0', :'open');
COMMIT PREPARED 'outbox_status';
SELECT kafka.wait_for_relay('0', :'open');
\set VERBOSITY default
SELECT (kafka.produce('outbox_status', 'after')).topic;
SELECT backlog_rows, backlog_bytes, last_tick FROM outbox_status_short;
SELECT convert_from(value, 'UTF8') AS value, published FROM kafka.outbox WHERE outbox = 'outbox_status' ORDER BY id;
-- its lease says how the relay is, as long as there is one
INSERT INTO kafka.outbox_lease (outbox, state, reason, pid) VALUES (:box, 'unresolved', 'somebody else has it', 0);
SELECT state, since IS NOT NULL AS since, reason, pid FROM kafka.outbox_status WHERE outbox = 'outbox_status';
CREATE FUNCTION outbox_status_detail() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
BEGIN
  PERFORM kafka.wait_for_relay('1 ms');
EXCEPTION WHEN fdw_unable_to_create_execution THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN regexp_replace(detail, '\d+ ms', 'N ms');
END $$;
SELECT outbox_status_detail();
-- the reason is for those who may see the view
CREATE ROLE outbox_status_ann;
SET ROLE outbox_status_ann;
SELECT outbox_status_detail();
RESET ROLE;
GRANT pg_monitor TO outbox_status_ann;
SET ROLE outbox_status_ann;
SELECT outbox_status_detail();
RESET ROLE;
DROP ROLE outbox_status_ann;
DROP FUNCTION outbox_status_detail;
UPDATE kafka.outbox_lease SET state = 'running' WHERE outbox = :box;
SELECT state, pid FROM outbox_status_short;
UPDATE kafka.outbox_lease SET pid = pg_backend_pid() WHERE outbox = :box;
SELECT state, pid = pg_backend_pid() AS own FROM outbox_status_short;
-- rows from a dump lie still, and say what they were
CREATE TABLE outbox_status_dump AS SELECT * FROM kafka.outbox_row WHERE outbox = :box;
DELETE FROM kafka.outbox_row WHERE outbox = :box;
INSERT INTO kafka.outbox_row_2 SELECT * FROM outbox_status_dump;
SELECT count(*), bool_and(r.xid = '0') AS marked, bool_and(r.restored_xid = d.xid) AS known
  FROM kafka.outbox_row r JOIN outbox_status_dump d USING (id) WHERE r.outbox = :box;
SELECT backlog_rows FROM outbox_status_short;
SELECT convert_from(value, 'UTF8') AS value, published FROM kafka.outbox WHERE outbox = 'outbox_status' ORDER BY id;
-- and so once more
CREATE TABLE outbox_status_dump2 AS SELECT * FROM kafka.outbox_row WHERE outbox = :box;
DELETE FROM kafka.outbox_row WHERE outbox = :box;
SET session_replication_role = replica;
INSERT INTO kafka.outbox_row_3 SELECT * FROM outbox_status_dump2;
RESET session_replication_role;
SELECT count(*), bool_and(r.xid = '0') AS marked, bool_and(r.restored_xid = d.xid) AS known
  FROM kafka.outbox_row r JOIN outbox_status_dump d USING (id) WHERE r.outbox = :box;
-- what pg_dump takes along
SELECT unnest(extconfig)::regclass FROM pg_extension WHERE extname = 'kafka_fdw' ORDER BY unnest(extconfig)::regclass::text COLLATE "C";
DROP TABLE outbox_status_dump, outbox_status_dump2;
DROP VIEW outbox_status_short;
SELECT kafka.drop_outbox('outbox_status', true);
SELECT count(*) FROM kafka.outbox_lease WHERE outbox = :box;
SELECT count(*) FROM kafka.outbox_tick WHERE outbox = :box;
DROP SERVER outbox_status;
