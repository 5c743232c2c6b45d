-- Servers and roles are renamed with their outboxes. No broker is asked.
SET client_min_messages = error;
CREATE SERVER outbox_renamed FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE ROLE regress_outbox_renamed;
GRANT USAGE ON FOREIGN SERVER outbox_renamed TO regress_outbox_renamed;
CREATE USER MAPPING FOR regress_outbox_renamed SERVER outbox_renamed;
INSERT INTO kafka.outbox_definition (name, server, username, enabled)
  VALUES ('outbox_renamed', 'outbox_renamed', '', false),
         ('outbox_renamed/user', 'outbox_renamed', 'regress_outbox_renamed', false);
SELECT kafka.produce('t', 'public, 1', delivery => 'outbox', server => 'outbox_renamed');
SET ROLE regress_outbox_renamed;
SELECT kafka.produce('t', 'user, 1', delivery => 'outbox', server => 'outbox_renamed');
RESET ROLE;
ALTER SERVER outbox_renamed RENAME TO outbox_renamed_to;
ALTER ROLE regress_outbox_renamed RENAME TO regress_outbox_renamed_to;
SELECT kafka.produce('t', 'public, 2', delivery => 'outbox', server => 'outbox_renamed_to');
SET ROLE regress_outbox_renamed_to;
SELECT kafka.produce('t', 'user, 2', delivery => 'outbox', server => 'outbox_renamed_to');
RESET ROLE;
-- rolled back, so are the outboxes
BEGIN;
ALTER SERVER outbox_renamed_to RENAME TO outbox_renamed_back;
SELECT kafka.produce('t', 'public, rolled back', delivery => 'outbox', server => 'outbox_renamed_back');
ROLLBACK;
SELECT kafka.produce('t', 'public, 3', delivery => 'outbox', server => 'outbox_renamed_to');
SELECT outbox, server, convert_from(value, 'UTF8') AS value FROM kafka.outbox WHERE server LIKE 'outbox\_renamed%' ORDER BY id;
SELECT name, server, username FROM kafka.outbox_definition WHERE server LIKE 'outbox\_renamed%' ORDER BY name;
SELECT kafka.drop_outbox('outbox_renamed', force => true), kafka.drop_outbox('outbox_renamed/user', force => true);
DROP USER MAPPING FOR regress_outbox_renamed_to SERVER outbox_renamed_to;
DROP SERVER outbox_renamed_to;
DROP ROLE regress_outbox_renamed_to;
