-- Pipelines: modes insert, upsert and ignore, and handlers.
\set VERBOSITY terse
SELECT created FROM kafka.create_topic('pipeline_modes', 1);
CREATE FUNCTION pipeline_modes_send(v text, k text DEFAULT NULL) RETURNS void LANGUAGE sql AS
  $$ SELECT kafka.produce('pipeline_modes', v, k, delivery => 'immediate') $$;
CREATE FOREIGN TABLE pipeline_modes (
  id int OPTIONS (meta 'key', path '$.id'),
  a text,
  n numeric,
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'pipeline_modes', format 'json', key_format 'json');

-- insert: a tombstone is the row that SELECT shows
CREATE TABLE pipeline_modes_insert (n numeric, extra text DEFAULT 'none', offs bigint, id int, a text);
SELECT kafka.create_pipeline('modes insert', 'pipeline_modes', 'pipeline_modes_insert');
SELECT pipeline_modes_send('{"a": "one", "n": 1.50}', '{"id": 1}'), pipeline_modes_send(NULL, '{"id": 2}'),
  pipeline_modes_send('{"a": "three"}', '{"id": 3}'), pipeline_modes_send('{"a": "none"}');
CALL kafka.run_pipeline('modes insert');
SELECT * FROM pipeline_modes_insert ORDER BY offs;
SELECT count(*) FROM (TABLE pipeline_modes EXCEPT SELECT id, a, n, offs FROM pipeline_modes_insert) AS missing;

-- upsert: by the primary key; the last message of each key counts
CREATE TABLE pipeline_modes_upsert (id int PRIMARY KEY, a text, n numeric, offs bigint UNIQUE, changes int DEFAULT 0);
CREATE FUNCTION pipeline_modes_count() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END $$;
CREATE TRIGGER count BEFORE UPDATE ON pipeline_modes_upsert FOR EACH ROW EXECUTE FUNCTION pipeline_modes_count();
INSERT INTO pipeline_modes_upsert VALUES (1, 'old', 0, -1), (2, 'to be deleted', 0, -2), (7, 'stays', 0, -7);
SELECT kafka.create_pipeline('modes upsert', 'pipeline_modes', 'pipeline_modes_upsert', mode => 'upsert',
  on_error => 'dead_letter');
SELECT pipeline_modes_send('{"a": "four"}', '{"id": 4}'), pipeline_modes_send('{"a": "four again"}', '{"id": 4}'),
  pipeline_modes_send('{"a": "five"}', '{"id": 5}'), pipeline_modes_send(NULL, '{"id": 5}'),
  pipeline_modes_send(NULL, '{"id": 6}'), pipeline_modes_send('{"a": "back"}', '{"id": 6}'), pipeline_modes_send(NULL);
CALL kafka.run_pipeline('modes upsert');
SELECT * FROM pipeline_modes_upsert ORDER BY id;
-- without a key: nobody's row
SELECT "offset", sqlstate, error FROM kafka.dead_letter WHERE topic = 'pipeline_modes' ORDER BY 1;

-- which constraint: the only one whose columns are loaded, if it is not the primary key
CREATE TABLE pipeline_modes_unique (number serial PRIMARY KEY, id bigint NOT NULL, a varchar(5), UNIQUE (id));
CREATE UNIQUE INDEX ON pipeline_modes_unique (a) WHERE a <> '';
CREATE UNIQUE INDEX ON pipeline_modes_unique (lower(a));
SELECT kafka.create_pipeline('modes unique', 'pipeline_modes', 'pipeline_modes_unique', mode => 'upsert',
  columns => '{id,a}', start => '4');
CALL kafka.run_pipeline('modes unique');
-- the types' own casts: "four again" is too long
\set VERBOSITY default
SELECT state, sqlstate, error, context, "offset" FROM kafka.pipeline_state s
  JOIN kafka.pipeline_definition d ON d.id = s.pipeline WHERE name = 'modes unique';
\set VERBOSITY terse
ALTER TABLE pipeline_modes_unique ALTER a TYPE varchar(20), ADD UNIQUE (id) DEFERRABLE;
SELECT kafka.alter_pipeline('modes unique', on_error => 'skip');
CALL kafka.run_pipeline('modes unique');
SELECT id, a FROM pipeline_modes_unique ORDER BY id;
ALTER TABLE pipeline_modes_unique ADD UNIQUE (id, a);
SELECT pipeline_modes_send('{"a": "eight"}', '{"id": 8}');
CALL kafka.run_pipeline('modes unique');
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE pipeline_modes_unique DROP CONSTRAINT pipeline_modes_unique_id_key, DROP CONSTRAINT pipeline_modes_unique_id_a_key;
CALL kafka.run_pipeline('modes unique');
\echo :LAST_ERROR_SQLSTATE

-- ignore
CREATE TABLE pipeline_modes_ignore (id int UNIQUE, a text);
INSERT INTO pipeline_modes_ignore VALUES (1, 'was here');
SELECT kafka.create_pipeline('modes ignore', 'pipeline_modes', 'pipeline_modes_ignore', mode => 'ignore', columns => '{id,a}');
CALL kafka.run_pipeline('modes ignore');
SELECT * FROM pipeline_modes_ignore ORDER BY id, a;
SELECT rows, skipped FROM kafka.pipelines WHERE name = 'modes ignore';
SELECT kafka.seek_pipeline('modes ignore', '3');
TRUNCATE pipeline_modes_ignore;
INSERT INTO pipeline_modes_ignore VALUES (5, 'was here');
SELECT "offset", outcome, result FROM kafka.test_pipeline('modes ignore', 10) ORDER BY 1;

-- a handler is given all there is to a message; it cannot commit
CREATE TABLE pipeline_modes_log (n int, first bigint, k text, v text, headers kafka.header[]);
CREATE FUNCTION pipeline_modes_handler(batch kafka.message[]) RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO pipeline_modes_log
    SELECT cardinality(batch), batch[1]."offset", convert_from(m.key, 'UTF8'), convert_from(m.value, 'UTF8'), m.headers
      FROM unnest(batch) AS m;
  RETURN QUERY SELECT 1 / length(m.value) FROM unnest(batch) AS m;
END $$;
SELECT kafka.create_pipeline('modes handler', 'pipeline_modes', handler => 'pipeline_modes_handler(kafka.message[])', start => '10',
  on_error => 'skip');
SELECT kafka.produce('pipeline_modes', '', '{}', '{"h": "x"}', delivery => 'immediate') IS NOT NULL AS sent,
  kafka.produce('pipeline_modes', '[]', '{}', '{"h": "x"}', delivery => 'immediate') IS NOT NULL AS sent;
CALL kafka.run_pipeline('modes handler');
SELECT sum(n) > 0 AS called, min(first), k, v, headers FROM pipeline_modes_log GROUP BY 3, 4, 5 ORDER BY 2;
SELECT skipped FROM kafka.pipeline_offsets WHERE pipeline = 'modes handler';
CREATE OR REPLACE FUNCTION pipeline_modes_handler(batch kafka.message[]) RETURNS SETOF int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO pipeline_modes_log (n) VALUES (-1); COMMIT; END $$;
SELECT kafka.seek_pipeline('modes handler', '11');
CALL kafka.run_pipeline('modes handler');
\echo :LAST_ERROR_SQLSTATE
DROP FUNCTION pipeline_modes_handler;
CALL kafka.run_pipeline('modes handler');
\echo :LAST_ERROR_SQLSTATE

-- constraints that are deferred are checked with each part of a batch, at its end: a child may come before its parent
CREATE TABLE pipeline_modes_parent (n int PRIMARY KEY);
CREATE TABLE pipeline_modes_child (n int REFERENCES pipeline_modes_parent DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION pipeline_modes_handler(batch kafka.message[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO pipeline_modes_child SELECT "offset" FROM unnest(batch) WHERE value IS NOT NULL;
  INSERT INTO pipeline_modes_parent SELECT "offset" FROM unnest(batch) WHERE "offset" % 4 > 0; $$;
SELECT kafka.seek_pipeline('modes handler', '0');
CALL kafka.run_pipeline('modes handler');
SELECT array_agg(n ORDER BY n) AS parents, (SELECT array_agg(n ORDER BY n) FROM pipeline_modes_child) AS children FROM pipeline_modes_parent;
SELECT kafka.drop_pipeline('modes upsert', force => true);
