-- kafka.publish: what is wrong shows when the trigger fires first, and sends nothing.
SELECT topic FROM kafka.create_topic('publish_errors', 1);
CREATE FOREIGN TABLE publish_errors_read (v text) SERVER kafka OPTIONS (topic 'publish_errors');
CREATE TABLE publish_errors (id int, "Name" text);
INSERT INTO publish_errors VALUES (1, 'a'), (2, 'b');
-- makes the trigger, fires it, tells what came of it
CREATE FUNCTION publish_try(trigger text, statement text DEFAULT 'UPDATE publish_errors SET id = 1 WHERE id = 1') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text;
BEGIN
  EXECUTE 'CREATE TRIGGER t ' || trigger;
  EXECUTE statement;
  RAISE EXCEPTION 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION publish_try_arguments(arguments text) RETURNS text LANGUAGE sql AS
  $$ SELECT publish_try('AFTER UPDATE ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish(' || arguments || ')') $$;
\t on
\pset format unaligned
SELECT publish_try_arguments('');
SELECT publish_try_arguments($$''$$);
SELECT publish_try_arguments($$'publish_errors_missing', 'id'$$);
SELECT publish_try_arguments($$'publish_errors', 'no_such'$$);
SELECT publish_try_arguments($$'publish_errors', 'Name'$$);
SELECT publish_try_arguments($$'publish_errors', '"Name"'$$);
SELECT publish_try_arguments($$'publish_errors', 'id,,x'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'colour=red'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'immediate'$$);
SELECT publish_try_arguments($$'publish_errors', 'delivry=immediate'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'delivery=now'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'format=xml'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'tombstones=maybe'$$);
SELECT publish_try_arguments($$'publish_errors', '', 'tombstones=true'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'format=row', 'tombstones=false'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'server=no_such'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'columns=id', 'except=id'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'columns=id', 'columns=id'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'columns=id,no_such'$$);
SELECT publish_try_arguments($$'publish_errors', 'id', 'except=no_such'$$);
-- how it is fired
SELECT publish_try($$BEFORE UPDATE ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors', 'id')$$);
SELECT publish_try($$BEFORE UPDATE ON publish_errors FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_errors', 'id')$$);
SELECT publish_try($$AFTER UPDATE ON publish_errors FOR EACH STATEMENT EXECUTE FUNCTION kafka.publish('publish_errors', 'id')$$);
CREATE VIEW publish_errors_view AS SELECT * FROM publish_errors;
SELECT publish_try($$INSTEAD OF UPDATE ON publish_errors_view FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors', 'id')$$, 'UPDATE publish_errors_view SET id = 3');
SELECT publish_try($$AFTER TRUNCATE ON publish_errors EXECUTE FUNCTION kafka.publish('publish_errors', 'id', 'format=row')$$, 'TRUNCATE publish_errors');
SELECT publish_try($$AFTER DELETE ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors', '', 'format=row')$$, 'DELETE FROM publish_errors');
SELECT publish_try($$AFTER DELETE ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors', 'format=row')$$, 'DELETE FROM publish_errors');
-- too large; how much exactly depends on transaction number and LSN in the headers
SELECT regexp_replace(publish_try($$AFTER INSERT ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors', 'id')$$, $$INSERT INTO publish_errors VALUES (3, repeat('x', 1100000))$$), '11\d{5}', '11...');
\pset format aligned
\t off
SELECT kafka.publish();
-- the context of an error
CREATE TRIGGER t AFTER UPDATE ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors_missing', 'id');
UPDATE publish_errors SET id = 1;
DROP TRIGGER t ON publish_errors;
-- who changes the row needs USAGE on the server
CREATE TRIGGER t AFTER UPDATE ON publish_errors FOR EACH ROW EXECUTE FUNCTION kafka.publish('publish_errors', 'id', 'server=kafka');
CREATE ROLE publish_errors_user;
GRANT SELECT, UPDATE ON publish_errors TO publish_errors_user;
SET ROLE publish_errors_user;
UPDATE publish_errors SET id = id WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT count(*) FROM publish_errors_read;
GRANT USAGE ON FOREIGN SERVER kafka TO publish_errors_user;
SET ROLE publish_errors_user;
UPDATE publish_errors SET id = id WHERE id = 1;
RESET ROLE;
SELECT count(*) FROM publish_errors_read;
-- as any trigger: not fired on a replica unless told so
SET session_replication_role = replica;
UPDATE publish_errors SET id = id WHERE id = 1;
RESET session_replication_role;
SELECT count(*) FROM publish_errors_read;
DROP OWNED BY publish_errors_user;
DROP ROLE publish_errors_user;
DROP FUNCTION publish_try_arguments, publish_try;
SELECT deleted FROM kafka.delete_topic('publish_errors');
