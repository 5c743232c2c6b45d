-- A pipeline is its owner's, and can do what he can.
\set VERBOSITY terse
SELECT partitions FROM kafka.create_topic('pipeline_rights', 1) AS t(topic, partitions, created);
SELECT count(kafka.produce('pipeline_rights', '{"v": "m"}', delivery => 'immediate'));
CREATE ROLE pipeline_rights_ann;
CREATE ROLE pipeline_rights_bob;
CREATE ROLE pipeline_rights_cid IN ROLE pipeline_rights_ann;
CREATE SCHEMA pipeline_rights;
GRANT ALL ON SCHEMA pipeline_rights TO pipeline_rights_ann;
SET search_path = pipeline_rights;
CREATE FOREIGN TABLE source (v text) SERVER kafka OPTIONS (topic 'pipeline_rights', format 'json');
CREATE TABLE target (v text);
CREATE TABLE log (what text, who text);
CREATE VIEW shown AS SELECT name, owner, state FROM kafka.pipelines WHERE name LIKE 'pipeline_rights%' ORDER BY name;
GRANT USAGE ON SCHEMA pipeline_rights TO PUBLIC;
GRANT SELECT ON shown TO PUBLIC;
GRANT INSERT ON log TO pipeline_rights_ann;

-- to make one is a right that is granted
SET ROLE pipeline_rights_ann;
SELECT kafka.create_pipeline('pipeline_rights', 'source', 'target');
SELECT kafka.start_pipeline('pipeline_rights');
CALL kafka.run_pipeline('pipeline_rights');
RESET ROLE;
GRANT EXECUTE ON FUNCTION kafka.create_pipeline, kafka.start_pipeline TO pipeline_rights_ann, pipeline_rights_bob;
GRANT EXECUTE ON PROCEDURE kafka.run_pipeline TO pipeline_rights_ann, pipeline_rights_bob;
-- and gives no right on source, target, handler
SET ROLE pipeline_rights_ann;
SELECT kafka.create_pipeline('pipeline_rights', 'source', 'target');
SELECT kafka.create_pipeline('pipeline_rights', 'pipeline_rights', 'target', options => '{"format": "json"}', server => 'kafka');
RESET ROLE;
GRANT SELECT ON source TO pipeline_rights_ann;
SET ROLE pipeline_rights_ann;
SELECT kafka.create_pipeline('pipeline_rights', 'source', 'target');
SELECT kafka.create_pipeline('pipeline_rights', 'source', 'target', options => '{"ssl.ca.location": "/etc/passwd"}');
RESET ROLE;
GRANT INSERT ON target TO pipeline_rights_ann;
SET ROLE pipeline_rights_ann;
SELECT kafka.create_pipeline('pipeline_rights', 'source', 'target');
CALL kafka.run_pipeline('pipeline_rights');
SELECT * FROM shown;

-- others neither see it nor touch it
SET ROLE pipeline_rights_bob;
SELECT * FROM shown;
SELECT count(*) FROM kafka.pipeline_offsets WHERE pipeline = 'pipeline_rights';
SELECT kafka.alter_pipeline('pipeline_rights', batch_rows => 1);
SELECT kafka.start_pipeline('pipeline_rights');
SELECT kafka.stop_pipeline('pipeline_rights');
SELECT kafka.seek_pipeline('pipeline_rights', 'latest');
SELECT kafka.drop_pipeline('pipeline_rights', true);
CALL kafka.run_pipeline('pipeline_rights');
SELECT kafka.wait_for_pipeline('pipeline_rights');
SELECT count(*) FROM kafka.pipeline_definition;
SELECT count(*) FROM kafka.pipeline_state;
SELECT count(*) FROM kafka.pipeline_offset;
SELECT count(*) FROM kafka.dead_letter;
RESET ROLE;
-- a monitor sees it; who has the owner's privileges may do all
GRANT pg_monitor TO pipeline_rights_bob;
SET ROLE pipeline_rights_bob;
SELECT * FROM shown;
SELECT kafka.stop_pipeline('pipeline_rights');
SET ROLE pipeline_rights_cid;
SELECT * FROM shown;
SELECT kafka.seek_pipeline('pipeline_rights', 'earliest');
SELECT kafka.alter_pipeline('pipeline_rights', batch_rows => 1);
RESET ROLE;

-- rights that are taken away later count
REVOKE INSERT ON target FROM pipeline_rights_ann;
SET ROLE pipeline_rights_ann;
CALL kafka.run_pipeline('pipeline_rights');
RESET ROLE;
GRANT INSERT ON target TO pipeline_rights_ann;
REVOKE SELECT ON source FROM pipeline_rights_ann;
SET ROLE pipeline_rights_ann;
CALL kafka.run_pipeline('pipeline_rights');
RESET ROLE;
GRANT SELECT ON source TO pipeline_rights_ann;
SELECT count(*) FROM target;

-- it is run in its owner's sessions, and cannot become anybody else
CALL kafka.run_pipeline('pipeline_rights');
SET ROLE pipeline_rights_ann;
CREATE FUNCTION handle(m kafka.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  SET row_security = off;
  EXECUTE 'RESET ROLE';
END $$;
SELECT kafka.create_pipeline('pipeline_rights_roles', 'source', handler => 'handle(kafka.message[])');
RESET search_path;
CALL kafka.run_pipeline('pipeline_rights_roles');
CREATE OR REPLACE FUNCTION pipeline_rights.handle(m kafka.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log VALUES (m[1].topic, current_user);
  SET row_security = off;
END $$;
CALL kafka.run_pipeline('pipeline_rights_roles');
SELECT current_setting('search_path') AS path, current_setting('row_security') AS row_security;
RESET ROLE;
SET search_path = pipeline_rights;
SELECT * FROM log;
SELECT kafka.drop_pipeline(name) FROM kafka.pipelines WHERE name LIKE 'pipeline_rights%' AND name <> 'pipeline_rights_roles' ORDER BY name;
REVOKE ALL ON FUNCTION kafka.create_pipeline, kafka.start_pipeline FROM pipeline_rights_ann, pipeline_rights_bob;
REVOKE ALL ON PROCEDURE kafka.run_pipeline FROM pipeline_rights_ann, pipeline_rights_bob;
SET client_min_messages = error;
DROP SCHEMA pipeline_rights CASCADE;
DROP ROLE pipeline_rights_ann, pipeline_rights_bob, pipeline_rights_cid;
-- without an owner it is nobody's but a superuser's, and does nothing
SELECT kafka.seek_pipeline('pipeline_rights_roles', 'earliest');
SELECT kafka.drop_pipeline(name) FROM kafka.pipelines WHERE name LIKE 'pipeline_rights%';
SELECT deleted FROM kafka.delete_topic('pipeline_rights');
