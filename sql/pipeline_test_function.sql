-- kafka.test_pipeline: what the next messages would become, and nothing of it stays.
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv brokers KAFKA_BROKERS
CREATE SERVER pipeline_test FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('pipeline_test', 'pipeline_test', false);
SET kafka_fdw.server = 'pipeline_test';
SELECT topic FROM kafka.create_topic('pipeline_test', 3);
SELECT topic FROM kafka.create_topic('pipeline_test_sent', 1);
CREATE FOREIGN TABLE pipeline_test_source (id int, v text, p int OPTIONS (meta 'partition'), o bigint OPTIONS (meta 'offset'))
  SERVER pipeline_test OPTIONS (topic 'pipeline_test', format 'json', delivery 'immediate');
CREATE TABLE pipeline_test (id int PRIMARY KEY CHECK (id > 0), v varchar(5) NOT NULL, p int, o bigint, s serial);
SELECT kafka.create_pipeline('pipeline_test', 'pipeline_test_source', 'pipeline_test');
-- an empty topic
SELECT * FROM kafka.test_pipeline('pipeline_test');

-- partition 0 has 100 messages, 1 has three, 2 has none; each message meets the rows before it
INSERT INTO pipeline_test_source (id, v, p) SELECT i, 'v' || i, 0 FROM generate_series(1, 100) i;
INSERT INTO pipeline_test_source (id, v, p) VALUES (2, 'twice', 1), (-1, 'low', 1), (1001, 'too long', 1);
SELECT * FROM kafka.test_pipeline('pipeline_test', 8) ORDER BY partition, "offset";
-- the share of those that have fewer goes to the others
SELECT partition, count(*), min("offset"), max("offset") FROM kafka.test_pipeline('pipeline_test', 50) GROUP BY partition ORDER BY 1;
SELECT outcome, count(*) FROM kafka.test_pipeline('pipeline_test', 1000) GROUP BY outcome ORDER BY 1;
SELECT partition, "offset" FROM kafka.test_pipeline('pipeline_test', 1);
-- nothing stays, but values of sequences are gone
SELECT count(*) FROM pipeline_test;
SELECT DISTINCT next_offset FROM kafka.pipeline_offset o JOIN kafka.pipeline_definition d ON d.id = o.pipeline WHERE name = 'pipeline_test';
SELECT count(*) FROM kafka.dead_letters WHERE pipeline = 'pipeline_test';
SELECT nextval('pipeline_test_s_seq') > 100 AS sequence_moved;

-- modes: rows that are there already, tombstones
INSERT INTO pipeline_test (id, v) VALUES (1, 'old');
SELECT kafka.create_pipeline('pipeline_test_ignore', 'pipeline_test_source', 'pipeline_test', mode => 'ignore');
SELECT * FROM kafka.test_pipeline('pipeline_test_ignore', 3) ORDER BY partition, "offset";
SELECT id, v FROM pipeline_test;

-- what it would send is not sent, and its settings and user are the caller's again
CREATE FUNCTION pipeline_test_send() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM kafka.produce('pipeline_test_sent', NEW.v, delivery => TG_ARGV[0], server => 'pipeline_test');
  SET search_path = pg_temp;
  RETURN NULL;
END $$;
CREATE TRIGGER a AFTER INSERT ON pipeline_test FOR EACH ROW EXECUTE FUNCTION pipeline_test_send('before_commit');
CREATE TRIGGER b AFTER INSERT ON pipeline_test FOR EACH ROW EXECUTE FUNCTION pipeline_test_send('outbox');
BEGIN;
SELECT outcome, count(*) FROM kafka.test_pipeline('pipeline_test', 20) GROUP BY 1 ORDER BY 1;
SHOW search_path;
COMMIT;
CALL kafka.relay('pipeline_test');
SELECT max("offset") FROM kafka.list_offsets('pipeline_test_sent', 'latest');
DROP TRIGGER a ON pipeline_test;
DROP TRIGGER b ON pipeline_test;

-- a handler has no rows to show
CREATE FUNCTION pipeline_test_handler(kafka.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF $1[1].offset = 1 THEN RAISE 'not this one'; END IF;
  DELETE FROM pipeline_test;
END $$;
SELECT kafka.create_pipeline('pipeline_test_handler', 'pipeline_test', handler => 'pipeline_test_handler(kafka.message[])');
SELECT * FROM kafka.test_pipeline('pipeline_test_handler', 4) ORDER BY partition, "offset";
SELECT count(*) FROM pipeline_test;

-- errors that are no message's are raised
ALTER TABLE pipeline_test DROP COLUMN v;
SELECT * FROM kafka.test_pipeline('pipeline_test');
SELECT * FROM kafka.test_pipeline('pipeline_test', 0);
SELECT * FROM kafka.test_pipeline('pipeline_test', NULL);
SELECT * FROM kafka.test_pipeline('no such pipeline');
-- a topic that has lost what comes next
SELECT kafka.seek_pipeline('pipeline_test_handler', '{"0": 10, "1": 0, "2": 0}');
SELECT count(*) FROM kafka.delete_records('pipeline_test', 0, 50);
SELECT * FROM kafka.test_pipeline('pipeline_test_handler', 1);
SELECT kafka.seek_pipeline('pipeline_test_handler', 'earliest');
SELECT partition, "offset", outcome FROM kafka.test_pipeline('pipeline_test_handler', 1);
-- who may
CREATE ROLE pipeline_test_other;
SET ROLE pipeline_test_other;
SELECT * FROM kafka.test_pipeline('pipeline_test');
RESET ROLE;
DROP ROLE pipeline_test_other;
