-- Messages that fail: they alone are left out, whatever fails about them; on_error; dead letters.
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv brokers KAFKA_BROKERS
-- relayed by this test alone
CREATE SERVER pipeline_poison FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('pipeline_poison', 'pipeline_poison', false);
SET kafka_fdw.server = 'pipeline_poison';
SELECT topic FROM kafka.create_topic('pipeline_poison', 1);
SELECT topic FROM kafka.create_topic('pipeline_poison_dead', 1);
CREATE FOREIGN TABLE pipeline_poison_source (id int, v text, o bigint OPTIONS (meta 'offset'))
  SERVER pipeline_poison OPTIONS (topic 'pipeline_poison', format 'json');
CREATE FUNCTION pipeline_poison_send(bodies text[]) RETURNS void LANGUAGE sql AS $$
  SELECT count(kafka.produce('pipeline_poison', b, 'k' || n, '{"h": "x"}', delivery => 'immediate'))
    FROM unnest(bodies) WITH ORDINALITY AS b(b, n) $$;

-- each kind of failure, three times; every other message is loaded, in order
CREATE TABLE pipeline_poison (id int NOT NULL PRIMARY KEY CHECK (id <> 13), v text, o bigint, g int GENERATED ALWAYS AS (100 / (id - 14)) STORED);
CREATE TABLE pipeline_poison_ref (id int PRIMARY KEY);
INSERT INTO pipeline_poison_ref SELECT generate_series(0, 300);
ALTER TABLE pipeline_poison ADD FOREIGN KEY (id) REFERENCES pipeline_poison_ref DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION pipeline_poison_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.v = 'raise' THEN RAISE 'not this one' USING DETAIL = 'it is bad', ERRCODE = 'KF001'; END IF;
  CASE WHEN NEW.v = 'case' THEN RAISE NO_DATA_FOUND; ELSE RETURN NEW; END CASE;
END $$;
CREATE TRIGGER pipeline_poison_check AFTER INSERT ON pipeline_poison FOR EACH ROW EXECUTE FUNCTION pipeline_poison_check();
SELECT pipeline_poison_send(array_agg(CASE i % 100 WHEN 12 THEN '{' WHEN 13 THEN '{"id": 13}' WHEN 14 THEN '{"id": 14}'
    WHEN 20 THEN '{"id": 1}' WHEN 30 THEN '{"id": 1000}' WHEN 40 THEN '{"id": null}' WHEN 41 THEN '{"id": "x"}'
    WHEN 42 THEN '{"id": 142, "v": "case"}' WHEN 43 THEN '{"id": 143, "v": "raise"}' ELSE format('{"id": %s, "v": "%1$s"}', i) END ORDER BY i))
  FROM generate_series(1, 300) i;
SELECT kafka.create_pipeline('pipeline_poison', 'pipeline_poison_source', 'pipeline_poison', on_error => 'dead_letter');
CALL kafka.run_pipeline('pipeline_poison');
SELECT count(*), count(DISTINCT id), bool_and(id = o + 1) AS all_in_place FROM pipeline_poison;
SELECT sqlstate, error, count(*), array_agg("offset" ORDER BY id) AS offsets FROM kafka.dead_letters WHERE pipeline = 'pipeline_poison' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT key, value, headers, sqlstate, detail, context, attempts, ts > now() - interval '1 hour' AS recent FROM kafka.dead_letters WHERE "offset" IN (11, 29) ORDER BY id;
SELECT next_offset, messages, rows, skipped, dead_letters FROM kafka.pipeline_offset o JOIN kafka.pipeline_definition d ON d.id = o.pipeline WHERE name = 'pipeline_poison';

-- tried again, some of them, after the table was mended
SELECT kafka.retry_dead_letters('pipeline_poison', (SELECT array_agg(id) FROM kafka.dead_letters WHERE "offset" IN (12, 40)));
ALTER TABLE pipeline_poison DROP CONSTRAINT pipeline_poison_id_check;
INSERT INTO pipeline_poison_ref VALUES (1000);
SELECT kafka.retry_dead_letters('pipeline_poison', '{}');
SELECT kafka.retry_dead_letters('pipeline_poison');
SELECT id, o FROM pipeline_poison WHERE id IN (13, 1000) ORDER BY o;
SELECT "offset", attempts, sqlstate, error FROM kafka.dead_letters WHERE pipeline = 'pipeline_poison' AND "offset" IN (12, 29, 112, 129, 40) ORDER BY id;
SELECT kafka.discard_dead_letters('pipeline_poison', (SELECT array_agg(id) FROM kafka.dead_letters WHERE "offset" < 100 AND pipeline = 'pipeline_poison'));
SELECT kafka.discard_dead_letters('pipeline_poison');
SELECT count(*) FROM kafka.dead_letters WHERE pipeline = 'pipeline_poison';

-- stop: what comes before is loaded, and the pipeline stands at the message
TRUNCATE pipeline_poison;
SELECT kafka.create_pipeline('pipeline_poison_stop', 'pipeline_poison_source', 'pipeline_poison');
CALL kafka.run_pipeline('pipeline_poison_stop');
SELECT count(*), max(o) FROM pipeline_poison;
SELECT state, sqlstate, error, partition, "offset" FROM kafka.pipeline_state s JOIN kafka.pipeline_definition d ON d.id = s.pipeline WHERE name = 'pipeline_poison_stop';
-- skip goes on there; the log tells of the first ten
SELECT kafka.alter_pipeline('pipeline_poison_stop', on_error => 'skip');
SET client_min_messages = log;
CALL kafka.run_pipeline('pipeline_poison_stop');
SET client_min_messages = warning;
SELECT count(*) FROM pipeline_poison;
SELECT next_offset, messages, rows, skipped, dead_letters FROM kafka.pipeline_offset o JOIN kafka.pipeline_definition d ON d.id = o.pipeline WHERE name = 'pipeline_poison_stop';

-- a topic for dead letters, by the outbox
TRUNCATE pipeline_poison;
CREATE FOREIGN TABLE pipeline_poison_dead (k text OPTIONS (meta 'key'), v text, h kafka.header[] OPTIONS (meta 'headers'), o bigint OPTIONS (meta 'offset'))
  SERVER pipeline_poison OPTIONS (topic 'pipeline_poison_dead', format 'string');
SELECT kafka.create_pipeline('pipeline_poison_topic', 'pipeline_poison_source', 'pipeline_poison', on_error => 'dead_letter', options => '{"dead_letter_topic": "pipeline_poison_dead"}');
CALL kafka.run_pipeline('pipeline_poison_topic');
CALL kafka.relay('pipeline_poison');
SELECT count(*) FROM kafka.dead_letters WHERE pipeline = 'pipeline_poison_topic';
SELECT count(*) FROM pipeline_poison_dead;
SELECT k, v, n.name, convert_from(n.value, 'UTF8') AS value FROM (SELECT * FROM pipeline_poison_dead ORDER BY o LIMIT 2) d, unnest(h) WITH ORDINALITY AS n(name, value, i)
 WHERE n.name NOT IN ('kafka_fdw.id', 'kafka_fdw.timestamp') ORDER BY o, i;

-- a handler: nobody knows which message it is; one in 20,000 is found by halves
SELECT topic FROM kafka.create_topic('pipeline_poison_many', 1);
SELECT count(*) FROM kafka.produce_batch('pipeline_poison_many', ARRAY(SELECT i::text FROM generate_series(1, 20000) i), delivery => 'immediate');
CREATE TABLE pipeline_poison_numbers (n int);
CREATE SEQUENCE pipeline_poison_calls;		-- counts what is rolled back, too
CREATE FUNCTION pipeline_poison_handler(kafka.message[]) RETURNS void LANGUAGE sql AS $$
  SELECT nextval('pipeline_poison_calls');
  INSERT INTO pipeline_poison_numbers SELECT 1 / (convert_from(m.value, 'UTF8')::int - 12345) + convert_from(m.value, 'UTF8')::int FROM unnest($1) m $$;
SELECT kafka.create_pipeline('pipeline_poison_many', 'pipeline_poison_many', handler => 'pipeline_poison_handler(kafka.message[])', on_error => 'dead_letter', options => '{"batch_bytes": 100000000}');
CALL kafka.run_pipeline('pipeline_poison_many');
SELECT count(*), last_value BETWEEN 2 AND 40 AS few_calls FROM pipeline_poison_numbers, pipeline_poison_calls GROUP BY last_value;
SELECT convert_from(value, 'UTF8') AS value, "offset", error FROM kafka.dead_letters WHERE pipeline = 'pipeline_poison_many';

-- a message that fails in company only is none that fails; deferred constraints stay deferred
SELECT topic FROM kafka.create_topic('pipeline_poison_pair', 1);
SELECT count(*) FROM kafka.produce_batch('pipeline_poison_pair', ARRAY(SELECT i::text FROM generate_series(0, 15) i), delivery => 'immediate');
CREATE TABLE pipeline_poison_a (n int PRIMARY KEY);
CREATE TABLE pipeline_poison_b (n int PRIMARY KEY REFERENCES pipeline_poison_a DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION pipeline_poison_pair(kafka.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF array_length($1, 1) > 4 THEN RAISE 'too many'; END IF;
  INSERT INTO pipeline_poison_b SELECT convert_from(m.value, 'UTF8')::int FROM unnest($1) m;
  INSERT INTO pipeline_poison_a SELECT convert_from(m.value, 'UTF8')::int FROM unnest($1) m WHERE m.offset <> 5;
END $$;
SELECT kafka.create_pipeline('pipeline_poison_pair', 'pipeline_poison_pair', handler => 'pipeline_poison_pair(kafka.message[])', on_error => 'dead_letter');
CALL kafka.run_pipeline('pipeline_poison_pair');
SELECT "offset", error, detail FROM kafka.dead_letters WHERE pipeline = 'pipeline_poison_pair' ORDER BY id;
SELECT count(*) FROM pipeline_poison_a JOIN pipeline_poison_b USING (n);

-- who may
CREATE ROLE pipeline_poison_other;
SET ROLE pipeline_poison_other;
SELECT count(*) FROM kafka.dead_letters;
SELECT kafka.retry_dead_letters('pipeline_poison_many');
SELECT kafka.discard_dead_letters('pipeline_poison_many');
RESET ROLE;
SELECT kafka.retry_dead_letters('no such pipeline');
DROP ROLE pipeline_poison_other;
SELECT kafka.discard_dead_letters('pipeline_poison_many');
