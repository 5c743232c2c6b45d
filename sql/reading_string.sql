-- Formats "string" and "bytes", option "encoding".
SELECT * FROM kafka.create_topic('reading_string', 1);
SELECT count(kafka.produce('reading_string', v, delivery => 'immediate'))
  FROM unnest(ARRAY['42', ' 43 ', '-1']) AS u (v);
CREATE FOREIGN TABLE reading_string (i int, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_string');
-- any type with a text form; the same messages as text and as bytea
SELECT sum(i) FROM reading_string;
ALTER FOREIGN TABLE reading_string ALTER i TYPE text;
SELECT offs, i, length(i) FROM reading_string ORDER BY offs;
ALTER FOREIGN TABLE reading_string ALTER i TYPE jsonb;
SELECT offs, i FROM reading_string ORDER BY offs;
CREATE FOREIGN TABLE reading_string_bytes (v bytea, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_string', format 'bytes');
SELECT offs, v FROM reading_string_bytes ORDER BY offs;
SELECT kafka.produce('reading_string', '\x00fe0102'::bytea, delivery => 'immediate') IS NOT NULL AS sent;
SELECT v FROM reading_string_bytes WHERE offs = 3;
INSERT INTO reading_string_bytes (v) VALUES ('\x'), (NULL), ('\xdeadbeef');
SELECT offs, v, v IS NULL AS tombstone FROM reading_string_bytes WHERE offs > 3 ORDER BY offs;

-- one column only; "bytes" wants bytea
\set VERBOSITY terse
CREATE FOREIGN TABLE reading_string_two (a text, b text) SERVER kafka OPTIONS (topic 'reading_string');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE reading_string_wrong (a text) SERVER kafka OPTIONS (topic 'reading_string', format 'bytes');
\echo :LAST_ERROR_SQLSTATE

-- messages in another encoding, both ways
SELECT * FROM kafka.create_topic('reading_string_latin', 1);
CREATE FOREIGN TABLE reading_string_latin (v text, k text OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_string_latin', encoding 'latin1', delivery 'immediate');
SELECT kafka.produce('reading_string_latin', '\x636166e9'::bytea, '\xe9'::bytea, delivery => 'immediate') IS NOT NULL AS sent;
INSERT INTO reading_string_latin VALUES ('naïve', 'ï');
SELECT * FROM reading_string_latin ORDER BY offs;
CREATE FOREIGN TABLE reading_string_raw (v bytea, k bytea OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_string_latin', format 'bytes');
SELECT * FROM reading_string_raw ORDER BY offs;
INSERT INTO reading_string_latin VALUES ('€uro');
\echo :LAST_ERROR_SQLSTATE
-- JSON and CSV too
CREATE FOREIGN TABLE reading_string_json (j text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_string_latin', format 'json', encoding 'latin1', delivery 'immediate');
INSERT INTO reading_string_json VALUES ('é');
SELECT j FROM reading_string_json WHERE offs = 2;
SELECT v FROM reading_string_raw WHERE offs = 2;
CREATE FOREIGN TABLE reading_string_csv (a text, b text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_string_latin', format 'csv', encoding 'latin1', delivery 'immediate');
INSERT INTO reading_string_csv VALUES ('é', 'à,ç');
SELECT a, b FROM reading_string_csv WHERE offs = 3;
SELECT v FROM reading_string_raw WHERE offs = 3;
-- no U+0000 in a text
SELECT kafka.produce('reading_string_latin', '\x6100'::bytea, delivery => 'immediate') IS NOT NULL AS sent;
SELECT v FROM reading_string_latin WHERE offs = 4;
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic(ARRAY['reading_string', 'reading_string_latin']);
