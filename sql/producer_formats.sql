-- What is written is what is read: every type in formats json and csv (peer_W4).
SELECT topic FROM kafka.create_topic('producer_formats_json', 1) UNION ALL SELECT topic FROM kafka.create_topic('producer_formats_csv', 1);
CREATE TYPE producer_mood AS ENUM ('sad', 'ok', 'it''s "fine", really');
CREATE TYPE producer_pair AS (a int, b text);
CREATE DOMAIN producer_even AS int CHECK (VALUE % 2 = 0);
CREATE TABLE producer_formats (
  n int, b boolean, i2 smallint, i8 bigint, num numeric, num2 numeric(10, 2), f4 real, f8 float8,
  t text, vc varchar(10), c char(5), by bytea, d date, tm time, ts timestamp, tz timestamptz, iv interval,
  u uuid, j json, jb jsonb, ai int[], at text[], p producer_pair, m producer_mood, e producer_even,
  ip inet, r int4range, x xml, bits bit(4), mac macaddr, pt point);
INSERT INTO producer_formats VALUES
  (1, true, -32768, 9223372036854775807, 12345678901234567890.123456789, 1.10, 1.5, 1e-300,
   E'tab\t "quotes" \\ back,comma\nnew line', 'varchar', 'abc', '\x00ff10', '2024-02-29', '23:59:59.999999', '2024-02-29 12:00:00.123456',
   '2024-02-29 12:00:00.123456+02', '1 year 2 mons 3 days 04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
   '{"a" : [1, 2.50]}', '{"b": null, "a": "x"}', '{1,NULL,3}', '{"a b",NULL,"NULL",""}', '(1,"x,y")', 'it''s "fine", really', 4,
   '192.168.0.1/24', '[1,10)', '<a>x &amp; y</a>', B'1010', '08:00:2b:01:02:03', '(1.5,2)'),
  (2, false, 0, -9223372036854775808, 'NaN', 0.00, 'Infinity', '-Infinity',
   '', '', '', '\x', '4713-01-01 BC', '00:00', 'infinity', '-infinity', '0', '00000000-0000-0000-0000-000000000000',
   '[]', '{}', '{}', '{}', '(,)', 'sad', 0, '::1', 'empty', '', B'0000', '00:00:00:00:00:00', '(0,0)'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, NULL, NULL, NULL, 1e40, 99999999.99, 'NaN', 0.30000000000000004, U&'\00e9\+01F600 \2028', E'\r\n', ' x ', '\x22', '2000-01-01', '12:00', '2000-01-01', '2000-01-01 00:00:00+00', '-1 day',
   NULL, 'null', '"text"', '{{1,2},{3,4}}', '{"{","}","\\","\""}', ROW(NULL, ''), 'ok', -2, '10.0.0.0/8', '(,)', NULL, B'1111', NULL, NULL);
SELECT format('CREATE FOREIGN TABLE producer_formats_%s (%s) SERVER kafka OPTIONS (topic %L, format %L, delivery ''immediate'')',
              f, string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum), 'producer_formats_' || f, f)
  FROM pg_attribute, unnest(ARRAY['json', 'csv']) AS f WHERE attrelid = 'producer_formats'::regclass AND attnum > 0 GROUP BY f ORDER BY f \gexec
INSERT INTO producer_formats_json SELECT * FROM producer_formats ORDER BY n;
INSERT INTO producer_formats_csv SELECT * FROM producer_formats ORDER BY n;
-- each column that comes back other than it was (none), compared as text
CREATE FUNCTION pg_temp.differences(f text) RETURNS TABLE (n int, col text, sent text, read text) LANGUAGE plpgsql AS $$
DECLARE
  c text;
BEGIN
  FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'producer_formats'::regclass AND attnum > 1 ORDER BY attnum LOOP
    RETURN QUERY EXECUTE format('SELECT n, %L::text, a.%I::text, b.%I::text FROM producer_formats a FULL JOIN producer_formats_%s b USING (n)
      WHERE a.%I::text IS DISTINCT FROM b.%I::text ORDER BY n', c, c, c, f, c, c);
  END LOOP;
END $$;
SELECT * FROM pg_temp.differences('csv');
-- (JSON has one null for both)
SELECT * FROM pg_temp.differences('json');
-- other settings of the session make no difference
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'iso_8601';
SET extra_float_digits = -5;
SET bytea_output = 'escape';
SELECT n, d, f8 FROM producer_formats_csv WHERE n = 4;
INSERT INTO producer_formats_csv (n, d, ts, tz, f8, by, iv) SELECT n + 10, d, ts, tz, f8, by, iv FROM producer_formats WHERE n IN (1, 4);
INSERT INTO producer_formats_json (n, d, ts, tz, f8, by, iv) SELECT n + 10, d, ts, tz, f8, by, iv FROM producer_formats WHERE n IN (1, 4);
RESET datestyle;
RESET intervalstyle;
RESET extra_float_digits;
RESET bytea_output;
SELECT f.n, f.d = p.d AS d, f.ts = p.ts AS ts, f.tz = p.tz AS tz, f.f8 = p.f8 AS f8, f.by = p.by AS by, f.iv = p.iv AS iv
  FROM producer_formats_csv f JOIN producer_formats p ON f.n = p.n + 10 ORDER BY f.n;
SELECT f.n, f.d = p.d AS d, f.ts = p.ts AS ts, f.tz = p.tz AS tz, f.f8 = p.f8 AS f8, f.by = p.by AS by, f.iv = p.iv AS iv
  FROM producer_formats_json f JOIN producer_formats p ON f.n = p.n + 10 ORDER BY f.n;
-- the messages themselves
CREATE FOREIGN TABLE producer_formats_raw (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'producer_formats_json');
\pset format unaligned
SELECT v FROM producer_formats_raw WHERE offs = 0;
SELECT v FROM producer_formats_raw WHERE offs = 2;
-- PostgreSQL's own COPY reads the CSV messages
CREATE FOREIGN TABLE producer_formats_raw_csv (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'producer_formats_csv');
SELECT v FROM producer_formats_raw_csv WHERE offs IN (0, 1, 2) ORDER BY offs;
\pset format aligned
SELECT deleted FROM kafka.delete_topic(ARRAY['producer_formats_json', 'producer_formats_csv']);
