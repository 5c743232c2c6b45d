-- Who may send into which outbox, see it, and drop it: nobody sends with another's rights.
SET client_min_messages = error;
CREATE SERVER outbox_rights FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE ROLE outbox_rights_ann;
CREATE ROLE outbox_rights_bob;
CREATE ROLE outbox_rights_cid;
CREATE SCHEMA outbox_rights;
GRANT ALL ON SCHEMA outbox_rights TO outbox_rights_ann, outbox_rights_bob, outbox_rights_cid;
CREATE USER MAPPING FOR outbox_rights_ann SERVER outbox_rights OPTIONS (sasl_username 'ann', sasl_password 'secret');
SET kafka_fdw.server = 'outbox_rights';
SET kafka_fdw.delivery = 'outbox';
CREATE VIEW outbox_rights.sent AS
SELECT d.name, d.username, convert_from(r.value, 'UTF8') AS value FROM kafka.outbox_row r JOIN kafka.outbox_definition d ON d.id = r.outbox
 WHERE d.server = 'outbox_rights' ORDER BY r.id;
-- without USAGE
\set VERBOSITY sqlstate
SET ROLE outbox_rights_ann;
SELECT kafka.produce('outbox_rights', 'x');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER outbox_rights TO outbox_rights_ann, outbox_rights_bob;
-- an outbox for each user mapping
SET ROLE outbox_rights_ann;
SELECT (kafka.produce('outbox_rights', 'by ann')).topic;
SET ROLE outbox_rights_bob;
SELECT (kafka.produce('outbox_rights', 'by bob')).topic;
RESET ROLE;
SELECT (kafka.produce('outbox_rights', 'by superuser')).topic;
SELECT * FROM outbox_rights.sent;
-- a mapping that is made or dropped counts at once
CREATE USER MAPPING FOR outbox_rights_bob SERVER outbox_rights;
SET ROLE outbox_rights_bob;
SELECT (kafka.produce('outbox_rights', 'by bob, mapped')).topic;
RESET ROLE;
DROP USER MAPPING FOR outbox_rights_bob SERVER outbox_rights;
SET ROLE outbox_rights_bob;
SELECT (kafka.produce('outbox_rights', 'by bob, unmapped')).topic;
-- the tables and views are not for everybody
SELECT count(*) FROM kafka.outbox;
SELECT count(*) FROM kafka.outbox_row;
SELECT count(*) FROM kafka.outbox_row_0;
SELECT count(*) FROM kafka.outbox_definition;
SELECT count(*) FROM kafka.outbox_status;
INSERT INTO kafka.outbox_row_0 (outbox, xid, id, created, topic) VALUES (1, '3', 1, now(), 'x');
SELECT nextval('kafka.outbox_row_id');
SELECT * FROM kafka.outbox_backlog(1);
SELECT kafka.wait_for_relay('0');
RESET ROLE;
-- the monitor sees how it stands, not what is in it
GRANT pg_monitor TO outbox_rights_bob;
SET ROLE outbox_rights_bob;
SELECT outbox, backlog_rows FROM kafka.outbox_status WHERE server = 'outbox_rights' ORDER BY outbox;
SELECT count(*) FROM kafka.outbox;
RESET ROLE;
REVOKE pg_monitor FROM outbox_rights_bob;
-- tables: only one's own
SET ROLE outbox_rights_ann;
CREATE TABLE outbox_rights.anns (v text);
GRANT INSERT ON outbox_rights.anns TO outbox_rights_bob, outbox_rights_cid;
SET ROLE outbox_rights_bob;
SELECT kafka.create_outbox('outbox_rights.anns', topic => 'outbox_rights', value_column => 'v');
SET ROLE outbox_rights_cid;
CREATE TABLE outbox_rights.cids (v text);
SELECT kafka.create_outbox('outbox_rights.cids', topic => 'outbox_rights', value_column => 'v');
SET ROLE outbox_rights_ann;
SELECT kafka.create_outbox('outbox_rights.anns', topic => 'outbox_rights', value_column => 'v');
-- who may insert into the table sends by it, as its owner has decided
SET ROLE outbox_rights_cid;
INSERT INTO outbox_rights.anns VALUES ('by cid, through ann''s table');
-- the trigger on a table of his own reaches nobody's outbox
CREATE TRIGGER kafka_outbox AFTER INSERT ON outbox_rights.cids FOR EACH ROW EXECUTE FUNCTION kafka.copy_to_outbox('outbox_rights.anns');
INSERT INTO outbox_rights.cids VALUES ('x');
CREATE TABLE outbox_rights.child () INHERITS (outbox_rights.cids);
CREATE TRIGGER kafka_outbox AFTER INSERT ON outbox_rights.child FOR EACH ROW EXECUTE FUNCTION kafka.copy_to_outbox();
INSERT INTO outbox_rights.child VALUES ('x');
SELECT kafka.drop_outbox('outbox_rights.anns', true);
SELECT kafka.drop_outbox('outbox_rights', true);
-- the owner loses his right on the server: his table sends no more
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER outbox_rights FROM outbox_rights_ann;
SET ROLE outbox_rights_cid;
INSERT INTO outbox_rights.anns VALUES ('x');
SET ROLE outbox_rights_ann;
INSERT INTO outbox_rights.anns VALUES ('x');
SELECT kafka.drop_outbox('outbox_rights.anns', true);
INSERT INTO outbox_rights.anns VALUES ('not sent');
RESET ROLE;
\set VERBOSITY default
SELECT * FROM outbox_rights.sent;
-- a view's owner sends, a SECURITY DEFINER function's owner too
CREATE FOREIGN TABLE outbox_rights.topic (v text) SERVER outbox_rights OPTIONS (topic 'outbox_rights', delivery 'outbox');
CREATE VIEW outbox_rights.door AS SELECT v FROM outbox_rights.topic;
GRANT INSERT ON outbox_rights.topic TO outbox_rights_ann;
ALTER VIEW outbox_rights.door OWNER TO outbox_rights_ann;
GRANT INSERT ON outbox_rights.door TO outbox_rights_cid;
SET ROLE outbox_rights_cid;
INSERT INTO outbox_rights.door VALUES ('by cid, through ann''s view');
RESET ROLE;
SELECT * FROM outbox_rights.sent WHERE value LIKE '%view';
SELECT kafka.drop_outbox(name, true) FROM kafka.outbox_definition WHERE server = 'outbox_rights' ORDER BY name COLLATE "C";
DROP SCHEMA outbox_rights CASCADE;
DROP SERVER outbox_rights CASCADE;
DROP ROLE outbox_rights_ann, outbox_rights_bob, outbox_rights_cid;
