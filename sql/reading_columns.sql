-- Dropped, added, generated and reordered columns (peer_R4); defaults; inheritance.
SELECT topic FROM kafka.create_topic('reading_columns', 1) UNION ALL SELECT topic FROM kafka.create_topic('reading_columns_json', 1);
CREATE FOREIGN TABLE reading_columns (
  gone0 int, a int, gone1 text OPTIONS (meta 'key'), b text, gone2 numeric, c text, offs bigint OPTIONS (meta 'offset'), gone3 text
) SERVER kafka OPTIONS (topic 'reading_columns', format 'csv', delivery 'immediate');
ALTER FOREIGN TABLE reading_columns DROP gone0, DROP gone1, DROP gone2, DROP gone3;
INSERT INTO reading_columns (a, b, c) VALUES (1, 'one', 'uno'), (2, NULL, 'due'), (3, 'three', NULL);
SELECT * FROM reading_columns ORDER BY offs;
SELECT c FROM reading_columns ORDER BY offs;
SELECT r FROM reading_columns r ORDER BY offs;
SELECT to_jsonb(r) FROM reading_columns r WHERE a = 2;
CREATE FOREIGN TABLE reading_columns_raw (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_columns');
SELECT v FROM reading_columns_raw ORDER BY offs;
-- a column more than the messages have
ALTER FOREIGN TABLE reading_columns ADD d int DEFAULT 7;
SELECT * FROM reading_columns ORDER BY offs;
INSERT INTO reading_columns (a) VALUES (4);
INSERT INTO reading_columns (a, d) VALUES (5, DEFAULT), (6, NULL);
SELECT * FROM reading_columns WHERE a > 3 ORDER BY offs;
ALTER FOREIGN TABLE reading_columns DROP b;
-- the fields are counted, so what was "b" is "c" now
SELECT a, c FROM reading_columns WHERE a = 1;

-- generated columns have their values, as in any table
CREATE FOREIGN TABLE reading_columns_json (
  price numeric, n int, total numeric GENERATED ALWAYS AS (price * n) STORED,
  offs bigint OPTIONS (meta 'offset'), label text GENERATED ALWAYS AS ('#' || n) STORED
) SERVER kafka OPTIONS (topic 'reading_columns_json', format 'json', delivery 'immediate');
INSERT INTO reading_columns_json (price, n) VALUES (1.50, 2), (3, NULL);
INSERT INTO reading_columns_json (price, n) VALUES (2, 5) RETURNING price, n, total, label;
CREATE FOREIGN TABLE reading_columns_json_raw (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_columns_json');
SELECT price, n FROM reading_columns_json ORDER BY offs;
SELECT price, n, total, label FROM reading_columns_json ORDER BY offs;
SELECT label FROM reading_columns_json WHERE total > 5 ORDER BY offs;
\set VERBOSITY terse
INSERT INTO reading_columns_json (price, n, total) VALUES (1, 1, 1);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- renamed: JSON members follow the column's name, "json" and "path" do not
ALTER FOREIGN TABLE reading_columns_json DROP total, DROP label;
ALTER FOREIGN TABLE reading_columns_json RENAME price TO cost;
SELECT cost, n FROM reading_columns_json ORDER BY offs;
ALTER FOREIGN TABLE reading_columns_json ALTER cost OPTIONS (ADD json 'price');
SELECT cost, n FROM reading_columns_json ORDER BY offs;
ALTER FOREIGN TABLE reading_columns_json ALTER cost OPTIONS (DROP json, ADD path '$.price');
SELECT cost, n FROM reading_columns_json ORDER BY offs;
INSERT INTO reading_columns_json (cost, n) VALUES (9, 9);
SELECT v FROM reading_columns_json_raw WHERE offs = 3;

-- nested paths when writing; a path with an index cannot be written, nor a member and a part of it
CREATE FOREIGN TABLE reading_columns_nested (id int, street text OPTIONS (path '$.address.street'), zip text OPTIONS (path '$.address."zip code"'),
  tags text[] OPTIONS (path '$.meta.tags'), last jsonb) SERVER kafka OPTIONS (topic 'reading_columns_json', format 'json', delivery 'immediate');
INSERT INTO reading_columns_nested VALUES (1, 'Main "St"', '00123', '{a,"b c"}', '{"x": [1]}'), (2, NULL, NULL, NULL, NULL);
SELECT v FROM reading_columns_json_raw WHERE offs > 3 ORDER BY offs;
SELECT * FROM reading_columns_nested WHERE id IS NOT NULL ORDER BY id;
CREATE FOREIGN TABLE reading_columns_index (x text OPTIONS (path '$.items[0]')) SERVER kafka OPTIONS (topic 'reading_columns_json', format 'json');
INSERT INTO reading_columns_index VALUES ('x');
CREATE FOREIGN TABLE reading_columns_both (address jsonb, street text OPTIONS (path '$.address.street'))
  SERVER kafka OPTIONS (topic 'reading_columns_json', format 'json', delivery 'immediate');
DO $$
BEGIN
  INSERT INTO reading_columns_both VALUES ('{"city": "lost"}', 'Main St');
  RAISE WARNING 'a value was lost';
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
  RAISE NOTICE 'refused';
END $$;
SELECT count(*) FROM reading_columns_json_raw WHERE offs > 5;
SELECT address, street FROM reading_columns_both WHERE street IS NOT NULL;

-- inheritance
CREATE TABLE reading_columns_parent (n int, cost numeric);
ALTER FOREIGN TABLE reading_columns_json INHERIT reading_columns_parent;
INSERT INTO reading_columns_parent VALUES (100, 100);
SELECT tableoid::regclass, n, cost FROM reading_columns_parent WHERE n IS NOT NULL ORDER BY n;
SELECT deleted FROM kafka.delete_topic(ARRAY['reading_columns', 'reading_columns_json']);
