-- Values that are read in place (direct.c, plain JSON strings) are those of the type's input
-- function: a column of a domain always takes the long way, so both must agree.
SELECT * FROM kafka.create_topic('reading_direct_csv', 1);
SELECT * FROM kafka.create_topic('reading_direct_json', 1);
SELECT * FROM kafka.create_topic('reading_direct_escaped', 1);
CREATE TABLE direct_values (v text);
INSERT INTO direct_values VALUES
  ('0'), ('-0'), ('007'), ('+7'), (' 7'), ('7 '), ('-'), ('--1'), ('1-'), ('x'), (''), ('1e3'), ('1E-2'), ('12x'),
  ('9999'), ('-9999'), ('10000'), ('32767'), ('32768'), ('-32768'), ('-32769'),
  ('999999999'), ('1000000000'), ('2147483647'), ('2147483648'), ('-2147483648'), ('-2147483649'),
  ('999999999999999999'), ('-999999999999999999'), ('9223372036854775807'), ('9223372036854775808'),
  ('-9223372036854775808'), ('-9223372036854775809'), ('00000000000000000000001'),
  ('0.0'), ('-0.0'), ('-0.00'), ('.5'), ('5.'), ('.'), ('-.5'), ('1.2.3'), ('0.10'), ('100.00'), ('0.1'), ('1234.5678'),
  ('12345678901234'), ('123456789012345'), ('1234567890.1234'), ('1234567890.12345'), ('0.00000000000001'),
  ('0.000000000000001'), ('-99999999999999'), ('9.9999999999999'), ('0.3'), ('2.675'), ('9007199254740993'),
  ('1e308'), ('1e309'), ('1e-400'), ('NaN'), ('nan'), ('infinity'), ('-infinity'), ('Inf'),
  (repeat('9', 400)), ('0.' || repeat('1', 300)), ('0x1F'), ('1_000'), ('١'),
  ('t'), ('f'), ('true'), ('false'), ('TRUE'), ('tr'), ('yes'), ('off'), ('1'), (' true '), ('truex'), ('null'), ('NULL'),
  ('2024-02-29'), ('2023-02-29'), ('1900-02-29'), ('2000-02-29'), ('2024-13-01'), ('2024-00-10'), ('2024-01-00'),
  ('2024-04-31'), ('0999-01-01'), ('1000-01-01'), ('9999-12-31'), ('10000-01-01'), ('0000-01-01'), ('24-01-02'),
  ('2024-1-2'), ('01/02/2024'), ('20240102'), ('2024-01-02 BC'), ('2024-01-02 '), ('today?'), ('epoch'),
  ('2024-01-02 03:04:05'), ('2024-01-02T03:04:05'), ('2024-01-02t03:04:05'), ('2024-01-02  03:04:05'),
  ('2024-01-02 03:04'), ('2024-01-02 24:00:00'), ('2024-01-02 23:59:60'), ('2024-01-02 23:60:00'), ('2024-01-02 25:00:00'),
  ('2024-01-02 03:04:05.1'), ('2024-01-02 03:04:05.123456'), ('2024-01-02 03:04:05.1234567'),
  ('2024-01-02 03:04:05.9999999'), ('2024-01-02 03:04:05.'), ('2024-01-02 03:04:05.x'),
  ('2024-01-02 03:04:05Z'), ('2024-01-02T03:04:05Z'), ('2024-01-02T03:04:05.678Z'), ('2024-01-02 03:04:05z'),
  ('2024-01-02 03:04:05 Z'), ('2024-01-02 03:04:05+00'), ('2024-01-02 03:04:05-00'), ('2024-01-02 03:04:05+02'),
  ('2024-01-02 03:04:05.5-11:30'), ('2024-01-02 03:04:05+0530'), ('2024-01-02 03:04:05+5'), ('2024-01-02 03:04:05+14:59'),
  ('2024-01-02 03:04:05+15'), ('2024-01-02 03:04:05+16'), ('2024-01-02 03:04:05+02:60'), ('2024-01-02 03:04:05+02:03:04'),
  ('1999-12-31 23:59:59.999999+00'), ('1000-01-01 00:00:00+14'), ('9999-12-31 23:59:59-14'), ('2024-03-31 02:30:00'),
  ('2024-01-02 03:04:05 Europe/Paris'), ('é😀'), ('a b'), (repeat('ä', 70000));

-- each value as a csv field, as a JSON string, and as one in a document with an escape
SELECT count(kafka.produce('reading_direct_csv', v, delivery => 'immediate')),
       count(kafka.produce('reading_direct_json', json_build_object('v', v)::text, delivery => 'immediate')),
       count(kafka.produce('reading_direct_escaped', '{"\u0061":"\t", "v" :	"' || v || '" }', delivery => 'immediate'))
  FROM direct_values;
-- and numbers as JSON numbers
SELECT count(kafka.produce('reading_direct_json', '{"w":1,"v":' || v || e || '}', delivery => 'immediate'))
  FROM direct_values, unnest(ARRAY['', ' ', ',"x":"\n"']) AS u (e)
  WHERE v ~ '^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null)$';

CREATE FUNCTION compare(topic text, format text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('CREATE DOMAIN direct_domain AS %s', type);
  EXECUTE format('CREATE FOREIGN TABLE direct_short (v %s, offs bigint OPTIONS (meta ''offset''), why text
      OPTIONS (meta ''junk_error'')) SERVER kafka OPTIONS (topic %L, format %L)', type, topic, format);
  EXECUTE format('CREATE FOREIGN TABLE direct_long (v direct_domain, offs bigint OPTIONS (meta ''offset''), why text
      OPTIONS (meta ''junk_error'')) SERVER kafka OPTIONS (topic %L, format %L)', topic, format);
  -- how many can be read depends on PostgreSQL's version
  SELECT format('%s values, %s differ', CASE WHEN count(s.v) > 10 THEN 'many' ELSE 'FEW' END, count(*) FILTER (WHERE
      ROW(s.v::text, s.why) IS DISTINCT FROM ROW(l.v::text, l.why)))
    INTO result FROM direct_short s FULL JOIN direct_long l USING (offs);
  -- in plain scans: a join may pack what it sorts or hashes
  IF (SELECT sum(pg_column_size(v)) FROM direct_short) IS DISTINCT FROM (SELECT sum(pg_column_size(v)) FROM direct_long)
  THEN
    result := result || ', sizes differ';
  END IF;
  DROP FOREIGN TABLE direct_short, direct_long;
  DROP DOMAIN direct_domain;
  RETURN result;
END $$;
\t on
SET TimeZone = 'Europe/Paris';
SELECT type, topic, compare('reading_direct_' || topic, replace(topic, 'escaped', 'json'), type)
  FROM unnest(ARRAY['smallint', 'int', 'bigint', 'numeric', 'float8', 'real', 'text', 'varchar', 'varchar(4)', 'numeric(6,2)',
                    'boolean', 'date', 'timestamp', 'timestamptz', 'timestamptz(1)', 'name']) AS t (type),
       unnest(ARRAY['csv', 'json', 'escaped']) AS u (topic)
  ORDER BY type COLLATE "C", topic;
-- the session's way of writing dates makes no difference
SET DateStyle = 'SQL, DMY';
SELECT compare('reading_direct_csv', 'csv', 'date'), compare('reading_direct_csv', 'csv', 'timestamptz');
\t off
RESET DateStyle;
RESET TimeZone;

-- names and strings of a plain document: where they stand, whatever is around them
CREATE FOREIGN TABLE reading_direct_names (offs bigint OPTIONS (meta 'offset'), a text, "b:c" text, empty text OPTIONS (path '$.""'),
    d text OPTIONS (path '$.o.d'), e text OPTIONS (path '$.l[1].e'), "ü" text)
  SERVER kafka OPTIONS (topic 'reading_direct_names', format 'json');
SELECT * FROM kafka.create_topic('reading_direct_names', 1);
SELECT count(kafka.produce('reading_direct_names', v, delivery => 'immediate')) FROM unnest(ARRAY[
  '{"a":"1","b:c":"2","":"3","o":{"d":"4"},"l":[{"e":"no"},{"e":"5"}],"ü":"ö"}',
  E'\n{ "a" \t:\r\n "1" , "b:c"  :"2: ", "" : "", "o" : {"a":"x","d" :": " }, "ü"  : "" }',
  '{"a":"x","a":"last","aa":"y","o":{"d":"1"},"o":{"x":":"},"l":["a:",{"e":{"a":"b:c"}}]}',
  '{"a":{"a":"inner"},"b:c":["a",1],"":null,"o":7,"l":{},"ü":true}']) AS u (v);
SELECT * FROM reading_direct_names ORDER BY offs;
SELECT count(kafka.produce('reading_direct_names', v, delivery => 'immediate'))
  FROM unnest(ARRAY['{"a":"open', '{"a" "b"}', '{a:1}', '{"a":1']) AS u (v);
ALTER FOREIGN TABLE reading_direct_names ADD why text OPTIONS (meta 'junk_error');
SELECT offs, a, why FROM reading_direct_names WHERE offs >= 4 ORDER BY offs;
SELECT topic, deleted FROM kafka.delete_topic(ARRAY['reading_direct_csv', 'reading_direct_json', 'reading_direct_escaped',
  'reading_direct_names']) ORDER BY topic COLLATE "C";
