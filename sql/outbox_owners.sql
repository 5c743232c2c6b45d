-- Whose an outbox is: it is made beforehand, by a superuser for somebody, loses its table, changes its owner.
SET client_min_messages = error;
CREATE SERVER outbox_owners FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE ROLE outbox_owners_ann;
CREATE ROLE outbox_owners_bob;
CREATE SCHEMA outbox_owners;
GRANT ALL ON SCHEMA outbox_owners TO outbox_owners_ann, outbox_owners_bob;
CREATE USER MAPPING FOR outbox_owners_ann SERVER outbox_owners OPTIONS (sasl_username 'ann', sasl_password 'secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER outbox_owners OPTIONS (sasl_username 'super', sasl_password 'secret');
SELECT current_user AS me \gset
SET kafka_fdw.server = 'outbox_owners';
SET kafka_fdw.delivery = 'outbox';
SET search_path = outbox_owners, public;
CREATE FUNCTION outbox_owners.sent() RETURNS TABLE (outbox text, username text, value text) LANGUAGE sql SECURITY DEFINER AS $$
  SELECT d.name, replace(d.username, session_user, 'superuser'), convert_from(r.value, 'UTF8') FROM kafka.outbox_row r JOIN kafka.outbox_definition d ON d.id = r.outbox
   WHERE d.server = 'outbox_owners' ORDER BY r.id $$;
-- beforehand: no sender has to wait for the one who makes it
SET ROLE outbox_owners_bob;
SELECT kafka.create_outbox();
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER outbox_owners TO outbox_owners_bob;
SET ROLE outbox_owners_bob;
SELECT kafka.create_outbox();
SELECT kafka.create_outbox(server => 'outbox_owners');
SELECT kafka.create_outbox(topic => 'x');
BEGIN READ ONLY;
SELECT kafka.create_outbox();
ROLLBACK;
BEGIN;
SELECT (kafka.produce('outbox_owners', 'prepared')).topic;
PREPARE TRANSACTION 'outbox_owners';
SET lock_timeout = '5s';
SELECT (kafka.produce('outbox_owners', 'meanwhile')).topic;
COMMIT PREPARED 'outbox_owners';
RESET ROLE;
SELECT name, username, enabled FROM kafka.outbox_definition WHERE server = 'outbox_owners';
-- a superuser makes one for a table: its rows go out as its owner's, who needs the right
SET ROLE outbox_owners_ann;
CREATE TABLE anns (v text);
RESET ROLE;
SELECT kafka.create_outbox('anns', topic => 'outbox_owners', value_column => 'v');
GRANT USAGE ON FOREIGN SERVER outbox_owners TO outbox_owners_ann;
SELECT kafka.create_outbox('anns', topic => 'outbox_owners', value_column => 'v');
INSERT INTO anns VALUES ('ann''s');
SELECT * FROM sent();
-- with another owner it sends nothing
ALTER TABLE anns OWNER TO outbox_owners_bob;
INSERT INTO anns VALUES ('bob''s');
SET ROLE outbox_owners_ann;
SELECT kafka.drop_outbox('outbox_owners.anns', true);
SET ROLE outbox_owners_bob;
SELECT kafka.drop_outbox('outbox_owners.anns', true);
SELECT kafka.create_outbox('anns', topic => 'outbox_owners', value_column => 'v');
INSERT INTO anns VALUES ('bob''s');
SELECT * FROM sent();
-- nor when its owner has a mapping of his own from now on
RESET ROLE;
CREATE USER MAPPING FOR outbox_owners_bob SERVER outbox_owners;
\set VERBOSITY sqlstate
INSERT INTO anns VALUES ('x');
\set VERBOSITY default
DROP USER MAPPING FOR outbox_owners_bob SERVER outbox_owners;
-- who may not make one waits for no lock, and gets none
BEGIN;
INSERT INTO anns VALUES ('prepared');
PREPARE TRANSACTION 'outbox_owners';
SET ROLE outbox_owners_ann;
SELECT kafka.create_outbox('anns', topic => 'outbox_owners', value_column => 'v');
-- nor does who may not drop it; who may waits
SELECT kafka.drop_outbox('outbox_owners.anns');
RESET ROLE;
SET lock_timeout = '200ms';
SELECT kafka.drop_outbox('outbox_owners.anns');
SET lock_timeout = '5s';
ROLLBACK PREPARED 'outbox_owners';
-- its table is gone: the former owner may drop it, nobody else
DROP TABLE anns;
ALTER ROLE outbox_owners_bob RENAME TO outbox_owners_bobby;
SET ROLE outbox_owners_ann;
SELECT kafka.drop_outbox('outbox_owners.anns', true);
SET ROLE outbox_owners_bobby;
SELECT kafka.drop_outbox('outbox_owners.anns', true);
SELECT kafka.drop_outbox('outbox_owners', true);
-- a view is read by who is granted it, with nothing else
RESET ROLE;
GRANT SELECT ON kafka.outbox TO outbox_owners_ann;
SET ROLE outbox_owners_ann;
SELECT outbox, convert_from(value, 'UTF8') AS value, published FROM kafka.outbox WHERE server = 'outbox_owners' ORDER BY id;
RESET ROLE;
REVOKE SELECT ON kafka.outbox FROM outbox_owners_ann;
SELECT kafka.drop_outbox(name, true) FROM kafka.outbox_definition WHERE server = 'outbox_owners';
RESET search_path;
DROP SCHEMA outbox_owners CASCADE;
DROP SERVER outbox_owners CASCADE;
DROP ROLE outbox_owners_ann, outbox_owners_bobby;
