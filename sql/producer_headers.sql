-- peer_W7: Headers: jsonb in its forms, kafka.header[], both ways.
SELECT * FROM kafka.create_topic('producer_headers', 1);
CREATE FOREIGN TABLE producer_headers (
  v text,
  h jsonb OPTIONS (meta 'headers'),
  a kafka.header[] OPTIONS (meta 'headers'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'producer_headers', delivery 'immediate');
CREATE FUNCTION pg_temp.send(h jsonb) RETURNS boolean LANGUAGE sql
  AS $$ SELECT kafka.produce('producer_headers', 'x', headers => h, delivery => 'immediate') IS NOT NULL $$;
-- the object form: text, number, boolean, null, bytes, repeated
SELECT pg_temp.send(h) FROM (VALUES (1, '{"t": "text", "n": 1.50, "b": true, "z": null, "x": {"hex": "00ff"}, "e": ""}'::jsonb),
  (2, '{"r": ["one", null, {"hex": "fe"}, 4]}'),
  (3, '{}'),
  (4, NULL),
  (5, '{"": "empty name", "é": "ü"}'),
  -- the list form keeps the order between names
  (6, '[{"name": "b", "value": "1"}, {"name": "a", "value": null}, {"name": "b", "value": {"hex": ""}}, {"name": "c"}]'),
  (7, '[]')) AS s (n, h) ORDER BY n;
-- the exact form, by its implicit cast
SELECT kafka.produce('producer_headers', 'x', delivery => 'immediate',
  headers => ARRAY[('b', '\x00'), ('a', NULL), ('b', 'text')]::kafka.header[]) IS NOT NULL AS sent;
SELECT offs, h FROM producer_headers ORDER BY offs;
SELECT offs, a FROM producer_headers ORDER BY offs;
SELECT offs, a::jsonb AS list FROM producer_headers WHERE offs IN (1, 5, 7) ORDER BY offs;
SELECT offs, name, value FROM producer_headers, unnest(a) WITH ORDINALITY AS u (name, value, n)
  WHERE offs IN (0, 5) ORDER BY offs, n;
-- many of them, large ones
SELECT pg_temp.send((SELECT jsonb_object_agg('name' || i, repeat('v', i)) FROM generate_series(1, 100) AS i));
SELECT array_length(a, 1), h ->> 'name77' = repeat('v', 77) AS same FROM producer_headers WHERE offs = 8;
SELECT pg_temp.send(jsonb_build_object('large', repeat('x', 100000)));
SELECT length(h ->> 'large') FROM producer_headers WHERE offs = 9;

-- INSERT with either type; what is read can be written again
INSERT INTO producer_headers (v, h) VALUES ('inserted', '{"k": ["1", "2"]}');
ALTER FOREIGN TABLE producer_headers DROP h;
INSERT INTO producer_headers (v, a) VALUES ('inserted', ARRAY[('k', '\x31'), ('k', NULL)]::kafka.header[]);
INSERT INTO producer_headers (v, a) SELECT 'copied', a FROM producer_headers WHERE offs = 5;
SELECT offs, v, a FROM producer_headers WHERE offs > 9 ORDER BY offs;

-- in a transaction too
BEGIN;
SELECT (kafka.produce('producer_headers', 'later', headers => '{"z": null, "x": {"hex": "00"}, "r": ["1", "2"]}')).topic;
COMMIT;
SELECT a FROM producer_headers WHERE v = 'later';

-- what is none
\set VERBOSITY terse
DO $$
DECLARE
  h text;
BEGIN
  FOREACH h IN ARRAY ARRAY['"text"', '1', 'null', '[1]', '["a"]', '[{"value": "1"}]', '[{"name": 1}]', '[{"name": null}]',
      '{"a": {"b": 1}}', '{"a": {"hex": "0"}}', '{"a": {"hex": "zz"}}', '{"a": {"hex": 1}}', '{"a": [["b"]]}', '[[]]',
      '[{"name": "a", "value": [1, [2]]}]'] LOOP
    BEGIN
      PERFORM pg_temp.send(h::jsonb);
      RAISE WARNING 'headers % were accepted', h;
    EXCEPTION WHEN OTHERS THEN
      RAISE NOTICE '% %: %', SQLSTATE, h, SQLERRM;
    END;
  END LOOP;
END $$;
INSERT INTO producer_headers (v, a) VALUES ('x', ARRAY[NULL]::kafka.header[]);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_headers (v, a) VALUES ('x', ARRAY[(NULL, 'v')]::kafka.header[]);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT pg_temp.send('{"a": {"b": 1}}');
SELECT kafka.headers_to_jsonb('{}'), kafka.headers_to_jsonb(NULL) IS NULL AS strict;
SELECT deleted FROM kafka.delete_topic('producer_headers');
