-- Format "json": types, null and missing, numbers, names.
SELECT * FROM kafka.create_topic('reading_json', 1);
CREATE TYPE reading_json_point AS (x int, y numeric, tag text);
CREATE FUNCTION pg_temp.send(VARIADIC v text[]) RETURNS bigint LANGUAGE sql
  AS $$ SELECT count(kafka.produce('reading_json', e, delivery => 'immediate')) FROM unnest(v) WITH ORDINALITY AS u (e, n) $$;
SELECT pg_temp.send(
  '{"b": true, "i": -5, "n": 1234567890.123456789012345678901234567890, "f": 1e300, "t": "tab\tquote\" \u00e9 \ud83d\ude00", "d": "2024-02-29", "j": {"k": [1, 2.50, null]}, "a": [1, null, 3], "c": {"x": 1, "y": 2.10, "tag": "p"}, "ca": [{"x": 1}, {"tag": "q", "y": 3}], "by": "\\x00ff"}',
  '{"b": null, "i": null, "n": null, "f": null, "t": null, "d": null, "j": null, "a": null, "c": null, "ca": null, "by": null}',
  '{}',
  '{"b": "yes", "i": "7", "n": "0.10", "f": "NaN", "t": 12.50, "d": "yesterday"}',
  '{"t": {"nested": [1,  2]}, "j": "text", "a": [], "c": {}, "ca": []}',
  '{"t": "first", "t": "last", "i": 1, "i": 2, "i": null, "j": 1, "j": [2]}',
  ' {"t" : "" , "unknown": {"deep": [[[{"t": "no"}]]]}, "j": false, "n": 1E-30, "a": [[1,2],[3,4]]} ');

CREATE FOREIGN TABLE reading_json (
  offs bigint OPTIONS (meta 'offset'),
  b boolean, i int, n numeric, f float8, t text, d date, j jsonb, a int[],
  c reading_json_point, ca reading_json_point[], by bytea
) SERVER kafka OPTIONS (topic 'reading_json', format 'json');
SELECT offs, b, i, n, f, t FROM reading_json ORDER BY offs;
SELECT offs, j, a, c, ca, by FROM reading_json ORDER BY offs;
SELECT offs, d FROM reading_json WHERE offs <> 3 ORDER BY offs;
SELECT offs, d = current_date - 1 AS yesterday FROM reading_json WHERE offs = 3;
SELECT offs, (c).y, (ca[2]).tag, a[3] FROM reading_json WHERE offs = 0;
-- json keeps its text
ALTER FOREIGN TABLE reading_json ALTER j TYPE json;
SELECT offs, j FROM reading_json WHERE offs = 0;
-- typmods
ALTER FOREIGN TABLE reading_json ALTER n TYPE numeric(14, 2), ALTER t TYPE varchar(20);
SELECT offs, n, t FROM reading_json WHERE offs IN (0, 3) ORDER BY offs;
ALTER FOREIGN TABLE reading_json ALTER t TYPE varchar(2);
\set VERBOSITY terse
SELECT offs, t FROM reading_json WHERE offs = 0;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- long names, odd names, escapes in names (peer_R17)
SELECT pg_temp.send(
  format('{"%s": "long", "%s": "longer", "%s": "longest", "with \"quote\"": "q", "caf\u00e9": "u", "a.b": "dot", "": "empty", "Case": "C", "case": "c"}',
         repeat('k', 63), repeat('k', 64), repeat('k', 2000)));
DO $$
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE reading_json_names (
      offs bigint OPTIONS (meta ''offset''),
      %I text,
      longer text OPTIONS (json %L),
      longest text OPTIONS (json %L),
      "with ""quote""" text,
      u text OPTIONS (json %L),
      dot text OPTIONS (json ''a.b''),
      empty text OPTIONS (json ''''),
      "Case" text,
      "case" text
    ) SERVER kafka OPTIONS (topic ''reading_json'', format ''json'')',
    repeat('k', 63), repeat('k', 64), repeat('k', 2000), 'café');
END $$;
\pset format unaligned
SELECT * FROM reading_json_names WHERE offs = 7;
\pset format aligned


-- of repeated names the last one wins, with all that is in it, as in jsonb
SELECT pg_temp.send('{"o": {"x": 1, "deep": {"y": 2}}, "o": {"deep": {}}}', '{"o": {"x": 1}, "o": null}',
                    '{"o": {"x": 1}, "o": 5}');
CREATE FOREIGN TABLE reading_json_last (
  offs bigint OPTIONS (meta 'offset'),
  o jsonb, x int OPTIONS (path '$.o.x'), y int OPTIONS (path '$.o.deep.y')
) SERVER kafka OPTIONS (topic 'reading_json', format 'json');
SELECT offs, o, x, y FROM reading_json_last WHERE offs > 7 ORDER BY offs;
SELECT offs, x, y FROM reading_json_last WHERE offs > 7 ORDER BY offs;

-- what no text can hold
\set VERBOSITY terse
SELECT pg_temp.send('{"t": "nul \u0000"}', '{"t": "\ud83d"}', '{"u": 1} x');
SELECT t FROM reading_json WHERE offs = 11;
\echo :LAST_ERROR_SQLSTATE
SELECT t FROM reading_json WHERE offs = 12;
\echo :LAST_ERROR_SQLSTATE
SELECT t FROM reading_json WHERE offs = 13;
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('reading_json');
