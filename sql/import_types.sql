-- kafka.infer_columns: types that hold all sampled values.
SELECT * FROM kafka.create_topic('import_types', 1);
SELECT count(kafka.produce('import_types', v, delivery => 'immediate')) FROM unnest(ARRAY[
  '{"int": 1, "big": 9223372036854775807, "num": 1, "exp": 1e2, "huge": 9223372036854775808, "txt": "1", "bool": true, "nul": null, "neg": -0}',
  '{"int": -5, "big": -9223372036854775808, "num": 1.5, "exp": 3, "huge": 1, "txt": "", "bool": false, "nul": null, "late": "x"}',
  '{"mixed": 1, "mixobj": {"a": 1}, "mixarr": [1], "mixbool": true}',
  '{"mixed": "a", "mixobj": "s", "mixarr": 1, "mixbool": "true", "dup": 1, "dup": "s"}',
  '{"ints": [1, null, 2], "nums": [1, 2.5], "strs": ["a"], "bools": [true], "objs": [{"a": [1]}], "nested": [[1], [2]], "none": [], "mixs": [1, "a"], "times": ["2024-01-01T00:00:00Z"]}',
  '{"ints": [], "nested": [1], "deep": {"int": "not this one", "ints": ["nor this"]}}',
  '{"ts": "2024-02-29T23:59:59.123456+05:30", "ts_nozone": "2024-02-29T00:00:00", "ts_date": "2024-02-29", "ts_bad": "2023-02-29T00:00:00Z", "ts_nano": "2024-02-29T00:00:00.123456789Z", "ts_mixed": "2024-02-29T00:00:00Z", "ts_zone": "2024-02-29T00:00:00+99:00", "ts_tail": "2024-02-29T00:00:00Zx"}',
  '{"ts": "0001-01-01T00:00:00-08:00", "ts_mixed": "n/a"}',
  '{}'
]) AS v;
SELECT * FROM kafka.infer_columns('import_types') WHERE column_name NOT LIKE '\_%' ORDER BY attnum;
SELECT * FROM kafka.infer_columns('import_types', 'string') ORDER BY attnum;
SELECT attnum, column_name, type, format, samples, nulls FROM kafka.infer_columns('import_types', sample => 0) ORDER BY attnum;
SELECT max(samples) FROM kafka.infer_columns('import_types', sample => 4);
-- what is inferred can be read
CREATE SCHEMA import_types;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_types) FROM SERVER kafka INTO import_types;
SELECT count(*), sum(huge) AS huge, sum(array_length(ints, 1)) AS ints, count(ts) AS ts, count(mixed) AS mixed
  FROM import_types.import_types;
DROP SCHEMA import_types CASCADE;

-- no JSON object among them, or something that the parser would choke on
SELECT * FROM kafka.create_topic('import_types_junk', 1);
SELECT count(kafka.produce('import_types_junk', v, delivery => 'immediate')) FROM unnest(ARRAY['{"a": 1}', '[1]']) AS v;
SELECT column_name, type, options, format, samples FROM kafka.infer_columns('import_types_junk') ORDER BY attnum LIMIT 1;
SELECT column_name, type, options, format, samples, nulls FROM kafka.infer_columns('import_types_junk', 'json') ORDER BY attnum LIMIT 1;
SELECT count(kafka.produce('import_types_junk', v, delivery => 'immediate'))
  FROM unnest(ARRAY[repeat('{"a":', 100000), '{"b": 1, "c": ', '{"d": "\u0000"}', '{"e": "\ud800"}', '', ' ']) AS v;
SELECT column_name, type, options, format, samples, nulls FROM kafka.infer_columns('import_types_junk', 'json') ORDER BY attnum LIMIT 2;
SELECT column_name, type, format FROM kafka.infer_columns('import_types_junk') ORDER BY attnum LIMIT 1;
SELECT kafka.produce('import_types_junk', '\x00'::bytea, '\x80'::bytea, delivery => 'immediate') IS NOT NULL AS sent;
SELECT column_name, type, format FROM kafka.infer_columns('import_types_junk') ORDER BY attnum LIMIT 2;
SELECT column_name, type, format FROM kafka.infer_columns('import_types_junk', 'string') ORDER BY attnum LIMIT 2;

-- the last messages: transactions leave offsets without one, other partitions are short
SELECT * FROM kafka.create_topic('import_types_gaps', 2);
CREATE FOREIGN TABLE import_types_gaps (v text, part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'import_types_gaps');
DO $$ BEGIN FOR i IN 1..30 LOOP INSERT INTO import_types_gaps VALUES (i, 0); COMMIT; END LOOP; END $$;
INSERT INTO import_types_gaps VALUES (1, 1);
SELECT count(*) FROM import_types_gaps;
SELECT column_name, samples FROM kafka.infer_columns('import_types_gaps', sample => 20) ORDER BY attnum LIMIT 1;
SELECT column_name, samples FROM kafka.infer_columns('import_types_gaps') ORDER BY attnum LIMIT 1;
DROP FOREIGN TABLE import_types_gaps;

-- arguments
SELECT * FROM kafka.infer_columns('import_types_missing');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.infer_columns(NULL);
SELECT * FROM kafka.infer_columns('import_types', 'yaml');
SELECT * FROM kafka.infer_columns('import_types', sample => -1);
SELECT count(*) FROM kafka.infer_columns('import_types', NULL, NULL, NULL);
SELECT proparallel FROM pg_proc WHERE oid = 'kafka.infer_columns'::regproc;
CREATE ROLE import_types_user;
SET ROLE import_types_user;
SELECT * FROM kafka.infer_columns('import_types');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP ROLE import_types_user;
SELECT count(*) FROM kafka.delete_topic(ARRAY['import_types', 'import_types_junk', 'import_types_gaps']) WHERE deleted;
