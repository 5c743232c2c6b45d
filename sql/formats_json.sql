-- Format "json" (peer_R13): arrays of any depth, nested composites, domains, enums, ranges, exact numbers, original text; both ways.
SELECT created FROM kafka.create_topic('formats_json', 1);
CREATE TYPE formats_json_mood AS ENUM ('sad', 'ok');
CREATE DOMAIN formats_json_even AS int CHECK (VALUE % 2 = 0);
CREATE TYPE formats_json_item AS (sku text, n numeric, mood formats_json_mood, even formats_json_even, tags text[]);
CREATE TYPE formats_json_order AS (id int, items formats_json_item[]);
CREATE DOMAIN formats_json_list AS int[] CHECK (cardinality(VALUE) < 4);
CREATE DOMAIN formats_json_named AS formats_json_order CHECK ((VALUE).id > 0);
CREATE FOREIGN TABLE formats_json (
  o formats_json_order, os formats_json_order[], cube int[][][], even formats_json_even, evens formats_json_even[], list formats_json_list, named formats_json_named,
  mood formats_json_mood, moods formats_json_mood[], r int4range, rs numrange[], mr int4multirange, n numeric, j json, jb jsonb, offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'formats_json', format 'json', delivery 'immediate');
SELECT count(kafka.produce('formats_json', v, delivery => 'immediate')) FROM (VALUES
  (1, '{"o": {"id": 1, "items": [{"sku": "a", "n": 1.10, "mood": "ok", "even": 2, "tags": ["x", null]}, {}]}, "os": [{"id": 2, "items": []}, null], "cube": [[[1, 2], [3, 4]], [[5, 6], [7, null]]],
      "even": 4, "evens": [2, 4], "list": [1, 2], "named": {"id": 7, "items": null}, "mood": "sad", "moods": ["ok", "sad"], "r": "[1,5)", "rs": ["(,2.5]", "empty"], "mr": "{[1,3),[7,9)}",
      "n": 123456789012345678901234567890.000000000000000000010, "j": {"b":  1, "a" : 1.50, "b": 2}, "jb": {"b":  1, "a" : 1.50, "b": 2}}'),
  (2, '{"even": 3}'), (3, '{"evens": [1]}'), (4, '{"o": {"items": [{"even": 5}]}}'), (5, '{"o": {"items": [{"mood": "glad"}]}}'), (6, '{"list": [1, 2, 3, 4]}'), (7, '{"named": {"id": -1}}'),
  (8, '{"cube": [[1], [2, 3]]}'), (9, '{"r": "[5,1]"}'), (10, '{"cube": {"a": 1}}'), (11, '{"o": [1]}'), (12, '{"n": "1x"}'), (13, '{"mood": null, "j": null, "jb": null, "o": null}'), (14, '{}')) AS s (n, v);
\x on
SELECT * FROM formats_json WHERE offs = 0;
\x off
SELECT (o).items[1].n, (o).items[2] IS NULL AS empty_item, (os[1]).id, cube[2][2][1] FROM formats_json WHERE offs = 0;
-- each that does not fit: an error with its column
DO $$
DECLARE
  c text;
  context text;
BEGIN
  FOR o IN 1..11 LOOP
    BEGIN
      EXECUTE 'SELECT count(f) FROM formats_json AS f WHERE offs = $1' INTO c USING o;
      RAISE WARNING '% was accepted', o;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
      RAISE NOTICE '%: % %', o, SQLSTATE, substring(context FROM 'column "[a-z]+" of foreign table "formats_json", topic "formats_json" partition 0 offset \d+');
    END;
  END LOOP;
END $$;
-- null and missing are both NULL
SELECT offs, o, mood, j, jb FROM formats_json WHERE offs > 11 ORDER BY offs;
-- what was read can be written, and is read again as it was
INSERT INTO formats_json (o, os, cube, even, evens, list, named, mood, moods, r, rs, mr, n, j, jb) SELECT o, os, cube, even, evens, list, named, mood, moods, r, rs, mr, n, j, jb FROM formats_json WHERE offs = 0;
SELECT a.o = b.o AS o, a.os = b.os AS os, a.cube = b.cube AS cube, a.evens = b.evens AS evens, a.list = b.list AS list, a.named = b.named AS named, a.moods = b.moods AS moods,
    a.r = b.r AS r, a.rs = b.rs AS rs, a.mr = b.mr AS mr, a.n::text = b.n::text AS n, a.j::text = b.j::text AS j, a.jb = b.jb AS jb
  FROM formats_json a, formats_json b WHERE a.offs = 0 AND b.offs = 14;

-- exact numbers of every size; forms that a type does not take; names with case
CREATE FOREIGN TABLE formats_json_numbers (i int, big bigint, n numeric, f float8, t text, "T" text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'formats_json', format 'json', ignore_junk 'true');
SELECT count(kafka.produce('formats_json', v, delivery => 'immediate')) FROM (VALUES
  (1, '{"i": 2147483647, "big": 9223372036854775807, "n": 1e-20, "f": 0.1, "t": 1e400, "T": "upper"}'), (2, '{"i": 2147483648, "big": 1e2, "n": 1e400, "f": 1e400, "t": "lower"}'),
  (3, '{"i": 1.0, "big": "12", "n": -0.0, "f": -0.0, "t": true, "I": 5}')) AS s (n, v);
SELECT i, big, length(n::text) AS n_length, CASE WHEN length(n::text) < 30 THEN n END AS n, f, t, "T" FROM formats_json_numbers WHERE offs > 14 ORDER BY offs;
-- a member name of 64 bytes, and one that is longer than any identifier
DO $$
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE formats_json_names (a int OPTIONS (json %L), b int OPTIONS (path %L), offs bigint OPTIONS (meta ''offset'')) SERVER kafka OPTIONS (topic ''formats_json'', format ''json'', delivery ''immediate'')',
    repeat('a', 64), '$."' || repeat('é', 500) || '".b');
  INSERT INTO formats_json_names (a, b) VALUES (64, 500);
END $$;
SELECT a, b FROM formats_json_names WHERE offs = 18;
SELECT count(*) FROM kafka.delete_topic('formats_json');
-- strict: just the members that columns stand for, at each level that paths go through
SELECT created FROM kafka.create_topic('formats_json_strict', 1);
CREATE FOREIGN TABLE formats_json_strict (a int, c int OPTIONS (path '$.b.c'), d json OPTIONS (path '$.b.d'), e int OPTIONS (path '$.list[0].e'), offs bigint OPTIONS (meta 'offset'), why text OPTIONS (meta 'junk_error'))
  SERVER kafka OPTIONS (topic 'formats_json_strict', format 'json', strict 'true');
SELECT count(kafka.produce('formats_json_strict', v, delivery => 'immediate')) FROM (VALUES
  (1, '{"a": 1, "b": {"c": 2, "d": {"any": "thing", "b": [{"x": 1}]}}, "list": [{"e": 3, "f": 4}, {"g": 5}]}'), (2, '{"a": null, "b": {"c": null, "d": null, "c": 5}, "list": [], "a": 2}'),
  (3, '{"a": 1, "b": {"c": 2, "d": 3}, "list": [], "more": null}'), (4, '{"a": 1, "b": {"c": 2, "d": 3}}'), (5, '{"a": 1, "b": {"c": 2, "d": 3, "x": 4}, "list": 1}'), (6, '{"a": 1, "b": {"d": 3}, "list": 1}'),
  (7, '{"a": 1, "b": 7, "list": 1}'), (8, '{}'), (9, NULL), (10, '{"A": 1}')) AS s (n, v);
SELECT * FROM formats_json_strict ORDER BY offs;
ALTER FOREIGN TABLE formats_json_strict DROP why;
\set VERBOSITY default
SELECT a FROM formats_json_strict WHERE offs = 2;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM formats_json_strict;
SELECT deleted FROM kafka.delete_topic('formats_json_strict');
