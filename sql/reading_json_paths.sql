-- Option "path" of columns in format "json".
SELECT * FROM kafka.create_topic('reading_json_paths', 1);
SELECT count(kafka.produce('reading_json_paths', v, delivery => 'immediate')) FROM (VALUES
  ('{"total": {"amount": 12.50, "tax": {"rate": 0.19}}, "items": [{"sku": "A", "n": 1}, {"sku": "B", "n": 2}], "odd name": {"a.b": 1, "q\"q": 2}}'),
  ('{"total": null, "items": []}'),
  ('{"total": 7, "items": {"0": {"sku": "no"}}}'),
  ('{"total": {"amount": 1}, "total": {"amount": 2, "tax": {"rate": 1}}, "items": [null, {"n": 5}, {"sku": "Z"}]}'),
  ('{}')) AS s (v);
CREATE FOREIGN TABLE reading_json_paths (
  offs bigint OPTIONS (meta 'offset'),
  doc jsonb OPTIONS (path '$'),
  amount numeric OPTIONS (path '$.total.amount'),
  rate numeric OPTIONS (path '$.total.tax.rate'),
  sku text OPTIONS (path '$.items[0].sku'),
  second jsonb OPTIONS (path '$.items[1]'),
  third text OPTIONS (path '$.items[2].sku'),
  odd int OPTIONS (path '$."odd name"."a.b"'),
  quoted int OPTIONS (path '$."odd name"."q\"q"')
) SERVER kafka OPTIONS (topic 'reading_json_paths', format 'json');
SELECT offs, amount, rate, sku, second, third, odd, quoted FROM reading_json_paths ORDER BY offs;
SELECT offs, doc FROM reading_json_paths ORDER BY offs;
-- a part and the whole of it
CREATE FOREIGN TABLE reading_json_parts (
  offs bigint OPTIONS (meta 'offset'),
  total jsonb,
  amount numeric OPTIONS (path '$.total.amount'),
  tax jsonb OPTIONS (path '$.total.tax')
) SERVER kafka OPTIONS (topic 'reading_json_paths', format 'json');
SELECT * FROM reading_json_parts ORDER BY offs;
SELECT offs, amount FROM reading_json_parts ORDER BY offs;

-- documents that are no objects
SELECT count(kafka.produce('reading_json_paths', v, delivery => 'immediate'))
  FROM (VALUES ('[{"sku": "first"}, 2]'), ('"text"'), ('42'), ('null')) AS s (v);
CREATE FOREIGN TABLE reading_json_array (
  offs bigint OPTIONS (meta 'offset'),
  sku text OPTIONS (path '$[0].sku'),
  n int OPTIONS (path '$[1]')
) SERVER kafka OPTIONS (topic 'reading_json_paths', format 'json');
SELECT * FROM reading_json_array ORDER BY offs;
CREATE FOREIGN TABLE reading_json_whole (offs bigint OPTIONS (meta 'offset'),
  doc json OPTIONS (path '$')) SERVER kafka OPTIONS (topic 'reading_json_paths', format 'json');
SELECT * FROM reading_json_whole WHERE offs > 3 ORDER BY offs;
-- a scalar as a value of its own
CREATE FOREIGN TABLE reading_json_scalar (offs bigint OPTIONS (meta 'offset'),
  t text OPTIONS (path '$')) SERVER kafka OPTIONS (topic 'reading_json_paths', format 'json');
SELECT * FROM reading_json_scalar WHERE offs > 5 ORDER BY offs;
-- a table of named members wants an object
SELECT amount FROM reading_json_parts WHERE offs = 5;
\echo :LAST_ERROR_SQLSTATE

-- paths that are none, two columns for one place
\set VERBOSITY terse
DO $$
DECLARE
  p text;
BEGIN
  FOREACH p IN ARRAY ARRAY['', 'a', '.a', '$.', '$a', '$..a', '$[', '$[]', '$[-1]', '$[x]', '$[1', '$[99999999999]', '$."a', '$.*'] LOOP
    BEGIN
      EXECUTE format('CREATE FOREIGN TABLE wrong (c text OPTIONS (path %L)) SERVER kafka OPTIONS (topic ''t'', format ''json'')', p);
      RAISE WARNING 'path "%" was accepted', p;
      DROP FOREIGN TABLE wrong;
    EXCEPTION WHEN OTHERS THEN
      RAISE NOTICE '%: %', SQLSTATE, SQLERRM;
    END;
  END LOOP;
END $$;
CREATE FOREIGN TABLE reading_json_twice (a text, b text OPTIONS (path '$.a'), c text OPTIONS (json 'a'))
  SERVER kafka OPTIONS (topic 'reading_json_paths', format 'json');
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('reading_json_paths');
