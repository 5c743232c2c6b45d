-- Names of topics and JSON members that are no plain column and table names.
SELECT * FROM kafka.create_topic('Import.Names-1', 1);
SELECT kafka.produce('Import.Names-1', jsonb_build_object(
    'select', 1, 'Upper', 2, 'upper', 3, '', 4, 'a"b', 5, 'it''s', 6, 'back\slash', 7, 'x=y', 8, '{a,b}', 9,
    E'new\nline', 10, 'naïve', 11, 'xmin', 12, 'tableoid', 13, '_', 14,
    repeat('m', 63), 15, repeat('m', 64), 16, repeat('m', 70), 17, repeat('é', 32), 18,
    '_key', 19, '_offset', 20, '$.a', 21, 'xmin_2', 22)::json, delivery => 'immediate') IS NOT NULL AS sent;
CREATE SCHEMA import_names;
IMPORT FOREIGN SCHEMA kafka LIMIT TO ("Import.Names-1") FROM SERVER kafka INTO import_names;
SELECT attnum, attname, octet_length(attname::text) AS bytes, attfdwoptions
  FROM pg_attribute WHERE attrelid = 'import_names."Import.Names-1"'::regclass AND attnum > 0 ORDER BY attnum;
-- each column has its own member: its number
SELECT key, value FROM import_names."Import.Names-1" AS t, jsonb_each_text(to_jsonb(t))
 WHERE key NOT IN ('_timestamp') AND value IS NOT NULL ORDER BY value::int, key;
-- without quotes the name is another one
IMPORT FOREIGN SCHEMA kafka LIMIT TO (Import) FROM SERVER kafka INTO import_names;

-- a topic's name may be longer than a table's
SELECT length(topic) FROM kafka.create_topic('import_names_long_' || repeat('x', 60) || '_one', 1);
SELECT kafka.produce('import_names_long_' || repeat('x', 60) || '_one', 'v', delivery => 'immediate') IS NOT NULL AS sent;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_names_long_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) FROM SERVER kafka INTO import_names;
SELECT relname, length(relname), right(ftoptions[1], 20) AS topic
  FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid WHERE relname LIKE 'import\_names\_long%';
SELECT value FROM import_names.import_names_long_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
DROP FOREIGN TABLE import_names.import_names_long_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
-- two of them that would be one table: nothing is imported
SELECT length(topic) FROM kafka.create_topic('import_names_long_' || repeat('x', 60) || '_two', 1);
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_names_long_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) FROM SERVER kafka INTO import_names;
\echo :LAST_ERROR_SQLSTATE
CREATE SCHEMA import_names_all;
IMPORT FOREIGN SCHEMA kafka EXCEPT (import_names_long_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) FROM SERVER kafka INTO import_names_all
  OPTIONS (sample '0');
SELECT relname FROM pg_class WHERE relnamespace = 'import_names_all'::regnamespace AND relname ILIKE 'import_names%' ORDER BY 1;

-- a map instead of a row: one column
SELECT * FROM kafka.create_topic('import_names_map', 1);
SELECT kafka.produce('import_names_map', (SELECT json_object_agg('m' || i, i) FROM generate_series(1, 1001) i),
  delivery => 'immediate') IS NOT NULL AS sent;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_names_map) FROM SERVER kafka INTO import_names OPTIONS (metadata 'false');
\d import_names.import_names_map
SELECT value->'m1001' AS m1001 FROM import_names.import_names_map;

SET client_min_messages = warning;
DROP SCHEMA import_names, import_names_all CASCADE;
SELECT count(*) FROM kafka.delete_topic(ARRAY['Import.Names-1', 'import_names_map', 'import_names_long_' || repeat('x', 60) || '_one',
  'import_names_long_' || repeat('x', 60) || '_two']) WHERE deleted;
