-- Pipelines into all kinds of tables, as an INSERT by their owner would do it.
\set VERBOSITY terse
SELECT created FROM kafka.create_topic('pipeline_targets', 1);
CREATE FUNCTION pipeline_targets_send(v text) RETURNS void LANGUAGE sql AS
  $$ SELECT kafka.produce('pipeline_targets', v, delivery => 'immediate') $$;
CREATE FOREIGN TABLE pipeline_targets (a int, b text) SERVER kafka OPTIONS (topic 'pipeline_targets', format 'csv');
CREATE FUNCTION pipeline_targets_into(target regclass) RETURNS void LANGUAGE sql AS
  $$ SELECT kafka.create_pipeline('targets', 'pipeline_targets', target, on_error => 'skip') $$;
SELECT pipeline_targets_send('1,one'), pipeline_targets_send('2,two'), pipeline_targets_send('3,three');

-- CHECK, NOT NULL, generated column, identity, defaults, a dropped column: each is seen by the fast path
CREATE TABLE pipeline_targets_plain (gone int, id int GENERATED ALWAYS AS IDENTITY, b text NOT NULL, gone_too text,
  a int CHECK (a <> 2), twice int GENERATED ALWAYS AS (a * 2) STORED, d date DEFAULT '2020-02-02', s text DEFAULT 'x' || 1);
ALTER TABLE pipeline_targets_plain DROP gone, DROP gone_too;
SELECT pipeline_targets_into('pipeline_targets_plain');
CALL kafka.run_pipeline('targets');
SELECT a, b, twice, d, s, id > 0 AS has_id FROM pipeline_targets_plain ORDER BY a;
-- altered between batches
ALTER TABLE pipeline_targets_plain ADD late int DEFAULT 5, DROP twice, ALTER a TYPE numeric(10,2);
SELECT pipeline_targets_send('4,four'), pipeline_targets_send('5,'), pipeline_targets_send('6,""');
CALL kafka.run_pipeline('targets');
SELECT a, b, late FROM pipeline_targets_plain ORDER BY a;
ALTER TABLE pipeline_targets_plain RENAME b TO c;
SELECT pipeline_targets_send('7,seven');
CALL kafka.run_pipeline('targets');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.drop_pipeline('targets');

-- triggers: BEFORE changes and leaves out, AFTER sees; a volatile default
CREATE TABLE pipeline_targets_trigger (a int, b text, r float8 DEFAULT random());
CREATE TABLE pipeline_targets_seen (what text);
CREATE FUNCTION pipeline_targets_before() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.b := upper(NEW.b); RETURN CASE WHEN NEW.a < 6 THEN NEW END; END $$;
CREATE FUNCTION pipeline_targets_after() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO pipeline_targets_seen VALUES (TG_LEVEL || COALESCE(NEW.a::text, '')); RETURN NULL; END $$;
CREATE TRIGGER after AFTER INSERT ON pipeline_targets_trigger FOR EACH ROW EXECUTE FUNCTION pipeline_targets_after();
SELECT pipeline_targets_into('pipeline_targets_trigger');
CALL kafka.run_pipeline('targets');
SELECT count(*), count(DISTINCT r) FROM pipeline_targets_trigger;
CREATE TRIGGER before BEFORE INSERT ON pipeline_targets_trigger FOR EACH ROW EXECUTE FUNCTION pipeline_targets_before();
CREATE TRIGGER statement AFTER INSERT ON pipeline_targets_trigger EXECUTE FUNCTION pipeline_targets_after();
SELECT kafka.seek_pipeline('targets', 'earliest');
CALL kafka.run_pipeline('targets');
SELECT a, b FROM pipeline_targets_trigger ORDER BY a, b;
SELECT rows, skipped FROM kafka.pipelines WHERE name = 'targets';
SELECT what, count(*) FROM pipeline_targets_seen GROUP BY what ORDER BY what;
SELECT kafka.drop_pipeline('targets');

-- partitions, one of them missing; a partition itself; a unique index
CREATE TABLE pipeline_targets_parts (a int UNIQUE, b text) PARTITION BY RANGE (a);
CREATE TABLE pipeline_targets_low PARTITION OF pipeline_targets_parts FOR VALUES FROM (0) TO (3);
CREATE TABLE pipeline_targets_high PARTITION OF pipeline_targets_parts FOR VALUES FROM (5) TO (100);
SELECT pipeline_targets_into('pipeline_targets_parts');
CALL kafka.run_pipeline('targets');
SELECT tableoid::regclass, * FROM pipeline_targets_parts ORDER BY a;
SELECT kafka.alter_pipeline('targets', target => 'pipeline_targets_low');
SELECT kafka.seek_pipeline('targets', 'earliest');
TRUNCATE pipeline_targets_low;
INSERT INTO pipeline_targets_low VALUES (2, 'was there');
CALL kafka.run_pipeline('targets');
SELECT * FROM pipeline_targets_low ORDER BY a;
SELECT kafka.drop_pipeline('targets');

-- foreign keys, also deferred ones: an error of the message
CREATE TABLE pipeline_targets_parent (a int PRIMARY KEY);
INSERT INTO pipeline_targets_parent VALUES (1), (3), (4);
CREATE TABLE pipeline_targets_child (a int REFERENCES pipeline_targets_parent, b text);
SELECT pipeline_targets_into('pipeline_targets_child');
CALL kafka.run_pipeline('targets');
SELECT * FROM pipeline_targets_child ORDER BY a;
TRUNCATE pipeline_targets_child;
ALTER TABLE pipeline_targets_child ALTER CONSTRAINT pipeline_targets_child_a_fkey DEFERRABLE INITIALLY DEFERRED;
SELECT kafka.seek_pipeline('targets', 'earliest');
CALL kafka.run_pipeline('targets');
SELECT * FROM pipeline_targets_child ORDER BY a;
SELECT kafka.drop_pipeline('targets');

-- a view with INSTEAD OF, one that can be inserted into, and a type that has a cast; a domain without NULL
CREATE DOMAIN pipeline_targets_word AS varchar(5) NOT NULL CHECK (VALUE <> 'one');
CREATE TABLE pipeline_targets_base (a bigint, b pipeline_targets_word);
CREATE VIEW pipeline_targets_view AS SELECT a, b FROM pipeline_targets_base;
SELECT pipeline_targets_into('pipeline_targets_view');
CALL kafka.run_pipeline('targets');
CREATE FUNCTION pipeline_targets_instead() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO pipeline_targets_base VALUES (NEW.a * 10, NEW.b); RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON pipeline_targets_view FOR EACH ROW EXECUTE FUNCTION pipeline_targets_instead();
SELECT kafka.seek_pipeline('targets', '2');
CALL kafka.run_pipeline('targets');
SELECT * FROM pipeline_targets_base ORDER BY a;
SELECT kafka.drop_pipeline('targets');

-- row security and rights of the owner
CREATE ROLE regress_pipeline_targets;
GRANT USAGE ON FOREIGN SERVER kafka TO regress_pipeline_targets;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kafka TO regress_pipeline_targets;
GRANT EXECUTE ON ALL PROCEDURES IN SCHEMA kafka TO regress_pipeline_targets;
GRANT SELECT ON pipeline_targets TO regress_pipeline_targets;
CREATE TABLE pipeline_targets_rls (a int, b text);
ALTER TABLE pipeline_targets_rls ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON pipeline_targets_rls FOR INSERT WITH CHECK (a % 2 = 1);
GRANT INSERT (a, b) ON pipeline_targets_rls TO regress_pipeline_targets;
SET ROLE regress_pipeline_targets;
SELECT pipeline_targets_into('pipeline_targets_rls');
CALL kafka.run_pipeline('targets');
RESET ROLE;
SELECT * FROM pipeline_targets_rls ORDER BY a;
REVOKE INSERT (b) ON pipeline_targets_rls FROM regress_pipeline_targets;
SELECT pipeline_targets_send('9,nine');
SET ROLE regress_pipeline_targets;
CALL kafka.run_pipeline('targets');
RESET ROLE;
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.drop_pipeline('targets');
DROP OWNED BY regress_pipeline_targets;
DROP ROLE regress_pipeline_targets;

-- a topic by itself: the target's columns, or those that are named, in that order
SELECT created FROM kafka.create_topic('pipeline-targets', 1);
SELECT count(kafka.produce('pipeline-targets', v, delivery => 'immediate')) FROM (VALUES ('x,y'), ('one,y'), ('z,')) AS s (v);
CREATE TABLE pipeline_targets_topic (b text DEFAULT 'default', id int GENERATED ALWAYS AS IDENTITY,
  up text GENERATED ALWAYS AS (upper(b)) STORED, a pipeline_targets_word);
SELECT kafka.create_pipeline('targets', 'pipeline-targets', 'pipeline_targets_topic', on_error => 'skip',
  options => '{"format": "csv"}');
CALL kafka.run_pipeline('targets');
SELECT b, up, a FROM pipeline_targets_topic ORDER BY b;
TRUNCATE pipeline_targets_topic;
SELECT kafka.alter_pipeline('targets', columns => '{a,b}', on_error => 'stop');
SELECT kafka.seek_pipeline('targets', 'earliest');
CALL kafka.run_pipeline('targets');
SELECT error, context FROM kafka.pipeline_state WHERE "offset" = 1 AND sqlstate = '23514';
SELECT b, up, a FROM pipeline_targets_topic ORDER BY b;
SELECT kafka.alter_pipeline('targets', columns => '{a,up}');
SELECT kafka.alter_pipeline('targets', columns => '{a,nowhere}');
SELECT kafka.drop_pipeline('targets');
