-- Every type comes back from format json as it was written (peer_W4).
\set test roundtrip_json
\getenv srcdir PG_ABS_SRCDIR
\set script :srcdir '/test/data/roundtrip.sql'
\set ECHO none
\i :script
\set ECHO all
SELECT count(*) FROM generate_series(1, 2) AS i, kafka.create_topic('roundtrip_json_' || i, 1);
CREATE FOREIGN TABLE read1 (n int, :columns) SERVER kafka OPTIONS (topic 'roundtrip_json_1', format 'json', delivery 'immediate');
INSERT INTO read1 SELECT * FROM sent;
SELECT count(DISTINCT n) = (SELECT count(*) FROM sent) AS all, count(*) - count(DISTINCT n) AS doubles FROM read1;
-- (JSON has one null for SQL's and its own)
SELECT d.* FROM (SELECT DISTINCT type FROM cells) c, differences('read1', type) d ORDER BY 1, 2;
-- what other settings wrote, these read
CREATE FOREIGN TABLE read2 (n int, :columns) SERVER kafka OPTIONS (topic 'roundtrip_json_2', format 'json', delivery 'immediate', strict 'true');
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET timezone = 'Asia/Kolkata';
INSERT INTO read2 SELECT * FROM sent;
RESET datestyle;
RESET intervalstyle;
RESET extra_float_digits;
RESET bytea_output;
RESET timezone;
SELECT d.* FROM (SELECT DISTINCT type FROM cells) c, differences('read2', type) d ORDER BY 1, 2;
-- Arrays and composites are JSON. Those that JSON does not hold as they are have their own text, as a string:
-- other bounds, JSON's null or an array as an element, a string of type json with escapes, vectors.
SELECT count(*) FROM kafka.create_topic('roundtrip_json_3', 1);
CREATE FOREIGN TABLE shapes (i int[], l list, ls list[], v int2vector, j jsonb[], t json[], d document, n nested) SERVER kafka OPTIONS (topic 'roundtrip_json_3', format 'json', delivery 'immediate');
CREATE TABLE shapes_sent (LIKE shapes);
INSERT INTO shapes_sent VALUES
  ('{{1,2},{NULL,3}}', '{1}', NULL, NULL, '{"{\"a\": [1]}",NULL,"\"x\"",2}', '{" 1","\"a b\""}', '(1,"{""a"": null}")', '({1},"(1,x)","{""(2,y)""}",2,"[a,b)","2024-01-01 00:00:00+00",{2},1.5,sad)'),
  ('[0:1]={1,2}', '[0:0]={1}', '{"{1}"}', '1 2', '{"[1]"}', '{"\"\\u00e9\""}', '(1,null)', '({1},,,,,,[2:2]={2},,)'),
  ('{}', '{}', '{}', '', '{"null"}', '{null,"[]"}', '(,)', '({},,{},,,,{},,)'),
  (NULL, NULL, NULL, NULL, '{"{}"}', '{"\"plain\"","{\"a\":\"\\u00e9\"}"}', '(1,"[null]")', '(,,,,,,,,)');
INSERT INTO shapes SELECT * FROM shapes_sent;
CREATE FOREIGN TABLE shapes_raw (v text, n bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'roundtrip_json_3');
\t on
\pset format unaligned
SELECT v FROM shapes_raw ORDER BY n;
\t off
\pset format aligned
SELECT count(*) FROM (SELECT x::text FROM shapes x EXCEPT SELECT x::text FROM shapes_sent x) AS d;
-- a zero in a document of type json: it can be sent, but PostgreSQL's parser does not read a message that has it
CREATE FOREIGN TABLE zero (z json) SERVER kafka OPTIONS (topic 'roundtrip_json_3', format 'json', delivery 'immediate');
\set VERBOSITY terse
INSERT INTO zero VALUES ('{"a": "\u0000"}');
SELECT * FROM zero;
\echo :LAST_ERROR_SQLSTATE
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['roundtrip_json_1', 'roundtrip_json_2', 'roundtrip_json_3']);
