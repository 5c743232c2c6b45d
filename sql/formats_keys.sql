-- Option "key_format": keys in every format, JSON and CSV keys in several columns.
SELECT created FROM kafka.create_topic('formats_keys', 1);
CREATE FOREIGN TABLE formats_keys (v text, id int OPTIONS (meta 'key', path '$.id'), region text OPTIONS (meta 'key', json 'region'),
    city text OPTIONS (meta 'key', path '$.at.city'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'formats_keys', key_format 'json', delivery 'immediate');
INSERT INTO formats_keys (v, id, region, city) VALUES ('all', 1, 'eu "north"', 'Oslo'), ('some', 2, NULL, NULL), ('none', NULL, NULL, NULL);
SELECT * FROM formats_keys ORDER BY offs;
SELECT v FROM formats_keys WHERE id = 2;
CREATE FOREIGN TABLE formats_keys_raw (v text, k text OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'formats_keys');
SELECT v, k, k IS NULL AS none FROM formats_keys_raw ORDER BY offs;
-- with nothing said, the whole key; a scalar is a document too
CREATE FOREIGN TABLE formats_keys_whole (v text, k jsonb OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'formats_keys', key_format 'json', delivery 'immediate');
INSERT INTO formats_keys_whole VALUES ('scalar', '"just text"'), ('number', '5');
SELECT * FROM formats_keys_whole ORDER BY offs;

-- a bad key is an error of those who look at it, and says so
SELECT kafka.produce('formats_keys', 'bad', '{"id": "x"', delivery => 'immediate') IS NOT NULL AS sent,
  kafka.produce('formats_keys', 'worse', '{"id": "x"}', delivery => 'immediate') IS NOT NULL AS sent;
SELECT v FROM formats_keys WHERE offs > 4 ORDER BY offs;
\set VERBOSITY default
SELECT id FROM formats_keys WHERE offs = 3;
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM formats_keys WHERE offs = 6;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT id FROM formats_keys WHERE offs = 5;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE formats_keys OPTIONS (ADD on_error 'null');
SELECT v, id, region FROM formats_keys ORDER BY offs;
ALTER FOREIGN TABLE formats_keys OPTIONS (SET on_error 'skip');
SELECT v, id, region FROM formats_keys ORDER BY offs;
ALTER FOREIGN TABLE formats_keys OPTIONS (DROP on_error);
ALTER FOREIGN TABLE formats_keys ADD why text OPTIONS (meta 'junk_error');
SELECT v, id, region, why IS NOT NULL AS bad FROM formats_keys ORDER BY offs;

-- CSV: columns in their order
SELECT created FROM kafka.create_topic('formats_keys_csv', 1);
CREATE FOREIGN TABLE formats_keys_csv (a int OPTIONS (meta 'key'), v int, b text OPTIONS (meta 'key', force_quote 'true'), c date OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'formats_keys_csv', format 'integer', key_format 'csv', delimiter ';', delivery 'immediate');
INSERT INTO formats_keys_csv (a, v, b, c) VALUES (1, 10, 'x;y', '2024-02-29'), (2, 20, '', NULL), (NULL, 30, NULL, NULL), (NULL, 40, 'only', NULL), (5, NULL, 'tombstone', NULL);
SELECT *, b IS NULL AS b_null FROM formats_keys_csv ORDER BY offs;
CREATE FOREIGN TABLE formats_keys_csv_raw (v bytea, k text OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'formats_keys_csv', format 'bytes');
SELECT * FROM formats_keys_csv_raw ORDER BY offs;
-- string: any type with a text form; bytes
CREATE FOREIGN TABLE formats_keys_string (v text, k date OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'formats_keys_csv', key_format 'string', delivery 'immediate');
INSERT INTO formats_keys_string VALUES ('string', '2024-02-29');
SELECT k FROM formats_keys_csv_raw WHERE offs = 5;
SELECT v, k FROM formats_keys_string WHERE offs = 5;
CREATE FOREIGN TABLE formats_keys_bytes (v text, k bytea OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'formats_keys_csv', key_format 'bytes', delivery 'immediate');
INSERT INTO formats_keys_bytes VALUES ('bytes', '\x'), ('bytes', '\x00ff'), ('bytes', NULL);
SELECT v, k FROM formats_keys_bytes WHERE offs > 5 ORDER BY offs;
-- the partitioner sees the key's bytes, as Java's producer would
SELECT partitions FROM kafka.create_topic('formats_keys_part', 6);
CREATE FOREIGN TABLE formats_keys_part (v text, k bigint OPTIONS (meta 'key'), part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'formats_keys_part', key_format 'long', delivery 'immediate');
CREATE FOREIGN TABLE formats_keys_part_raw (v text, k bytea OPTIONS (meta 'key'), part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'formats_keys_part', delivery 'immediate');
INSERT INTO formats_keys_part (v, k) SELECT 'long', n FROM generate_series(1, 50) AS n;
INSERT INTO formats_keys_part_raw (v, k) SELECT 'raw', int8send(n) FROM generate_series(1, 50) AS n;
SELECT count(*), count(*) FILTER (WHERE a.part = b.part) AS same FROM formats_keys_part a JOIN formats_keys_part b USING (k) WHERE a.v = 'long' AND b.v = 'raw';

-- what does not fit is refused when it is said
\set VERBOSITY default
CREATE FOREIGN TABLE wrong (v text, k int OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 't');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong (v text, k text OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 't', key_format 'integer');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong (v text, a text OPTIONS (meta 'key'), b text OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 't', key_format 'string');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong (v text, a text OPTIONS (meta 'key'), b text OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 't', key_format 'json');
CREATE FOREIGN TABLE wrong (v text, a text OPTIONS (meta 'key', path '$.a')) SERVER kafka OPTIONS (topic 't');
CREATE FOREIGN TABLE wrong (v text, a text OPTIONS (meta 'key', path '$.a')) SERVER kafka OPTIONS (topic 't', key_format 'csv');
CREATE FOREIGN TABLE wrong (v text, a text OPTIONS (meta 'offset', path '$.a')) SERVER kafka OPTIONS (topic 't', key_format 'csv');
SELECT count(*) FROM kafka.delete_topic(ARRAY['formats_keys', 'formats_keys_csv', 'formats_keys_part']);
