-- IMPORT FOREIGN SCHEMA: a table for each topic, columns from sampled messages.
SELECT * FROM kafka.create_topic('import_schema_json', 2);
SELECT * FROM kafka.create_topic('import_schema_text', 1);
SELECT * FROM kafka.create_topic('import_schema_bytes', 1);
SELECT * FROM kafka.create_topic('import_schema_empty', 3);
SELECT * FROM kafka.create_topic('import_schema_tombs', 1);
SELECT count(kafka.produce('import_schema_json', v, 'k' || i, '{"h": "x"}', (i % 2)::int, delivery => 'immediate'))
  FROM unnest(ARRAY[
    '{"id": 1, "name": "a", "ok": true, "total": 1, "at": "2024-02-29T12:30:00Z", "tags": ["x"], "sub": {"a": 1}}',
    '{"id": 2, "name": null, "ok": false, "total": 2.50, "at": "2024-03-01T00:00:00.25+01:00", "tags": [], "sub": {}, "late": 7}'
  ]) WITH ORDINALITY AS m(v, i);
SELECT count(kafka.produce('import_schema_text', v, delivery => 'immediate')) FROM unnest(ARRAY['{"id": 1}', 'no json']) v;
SELECT count(kafka.produce('import_schema_bytes', v, '\xff'::bytea, delivery => 'immediate')) FROM unnest(ARRAY['\x41'::bytea, '\xff00']) v;
SELECT count(kafka.produce('import_schema_tombs', v, 'k', delivery => 'immediate')) FROM unnest(ARRAY['{"a": 1}', NULL]) v;

CREATE SCHEMA import_schema;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_json, import_schema_text, import_schema_bytes, import_schema_empty,
  import_schema_tombs, import_schema_missing) FROM SERVER kafka INTO import_schema;
\d import_schema.*
-- they work
SET timezone = 'UTC';
SELECT id, name, ok, total, at, tags, sub, late, _key, _partition, _offset, _timestamp IS NOT NULL AS timed, _headers
  FROM import_schema.import_schema_json ORDER BY id;
SELECT value, _key FROM import_schema.import_schema_text ORDER BY _offset;
SELECT value, _key FROM import_schema.import_schema_bytes ORDER BY _offset;
SELECT * FROM import_schema.import_schema_empty;
SELECT a, _key FROM import_schema.import_schema_tombs ORDER BY _offset;
-- and can be written
INSERT INTO import_schema.import_schema_json (id, tags, sub, _key) VALUES (3, '{y,z}', '{"n": null}', 'k3');
SELECT id, tags, sub, _key FROM import_schema.import_schema_json WHERE id = 3;
INSERT INTO import_schema.import_schema_empty (value, _partition) VALUES ('v', 2);
SELECT value, _partition FROM import_schema.import_schema_empty;

-- options
CREATE SCHEMA import_schema_options;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_json) FROM SERVER kafka INTO import_schema_options
  OPTIONS (sample '0', metadata 'false');
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_text) FROM SERVER kafka INTO import_schema_options
  OPTIONS (format 'bytes', metadata 'false');
-- a format that does not suit what is there
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_bytes) FROM SERVER kafka INTO import_schema_options
  OPTIONS (format 'json', metadata 'false');
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_empty) FROM SERVER kafka INTO import_schema_options
  OPTIONS (format 'json', metadata 'false');
\d import_schema_options.*
IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO import_schema OPTIONS (samples '1');
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO import_schema OPTIONS (sample '-1');
IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO import_schema OPTIONS (format 'avro');
IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO import_schema OPTIONS (metadata 'perhaps');
IMPORT FOREIGN SCHEMA public FROM SERVER kafka INTO import_schema;
\echo :LAST_ERROR_SQLSTATE
-- a table that exists already
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_text) FROM SERVER kafka INTO import_schema;

-- all topics but some: none of Kafka's own
CREATE SCHEMA import_schema_all;
IMPORT FOREIGN SCHEMA kafka EXCEPT (import_schema_text) FROM SERVER kafka INTO import_schema_all OPTIONS (sample '0');
SELECT foreign_table_name FROM information_schema.foreign_tables
 WHERE foreign_table_schema = 'import_schema_all' AND (foreign_table_name LIKE 'import\_schema\_%' OR foreign_table_name LIKE '\_\_%')
 ORDER BY 1;
-- unless they are asked for
IMPORT FOREIGN SCHEMA kafka LIMIT TO (__transaction_state) FROM SERVER kafka INTO import_schema_all OPTIONS (metadata 'false');
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'import_schema_all.__transaction_state'::regclass AND attnum > 0;

-- USAGE on the server
CREATE ROLE import_schema_user;
GRANT CREATE, USAGE ON SCHEMA import_schema_options TO import_schema_user;
SET ROLE import_schema_user;
IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO import_schema_options;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO import_schema_user;
SET ROLE import_schema_user;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_schema_tombs) FROM SERVER kafka INTO import_schema_options;
SELECT a FROM import_schema_options.import_schema_tombs WHERE a IS NOT NULL;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA import_schema, import_schema_options, import_schema_all CASCADE;
REVOKE USAGE ON FOREIGN SERVER kafka FROM import_schema_user;
DROP ROLE import_schema_user;
-- a server that is not there
CREATE SERVER import_schema_dead FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.connect_timeout = '300ms';
\set VERBOSITY terse
IMPORT FOREIGN SCHEMA kafka FROM SERVER import_schema_dead INTO public;
\echo :LAST_ERROR_SQLSTATE
DROP SERVER import_schema_dead;
RESET kafka_fdw.connect_timeout;
SELECT count(*) FROM kafka.delete_topic(ARRAY['import_schema_json', 'import_schema_text', 'import_schema_bytes',
  'import_schema_empty', 'import_schema_tombs']) WHERE deleted;
