-- Formats of Kafka's number and UUID serializers: every row of test/data/serializers.tsv, made by
-- Java, as value and as key, read and written.
\getenv srcdir PG_ABS_SRCDIR
\set serializers_file :srcdir '/test/data/serializers.tsv'
CREATE TABLE formats_binary (type text, value text, bytes_hex text);
COPY formats_binary FROM :'serializers_file' (FORMAT csv, DELIMITER E'\t', HEADER);
SELECT type, count(*) FROM formats_binary GROUP BY type ORDER BY type;

-- for each format and type: rows whose bytes, or whose value read back, are not Java's
CREATE FUNCTION pg_temp.differences(f text, t text) RETURNS TABLE (rows bigint, bytes_differ bigint, value_differs bigint) LANGUAGE plpgsql AS $$
DECLARE
  topic text := format('formats_binary_%s_%s', f, replace(t, ' ', '_'));
BEGIN
  PERFORM kafka.create_topic(topic, 1);
  EXECUTE format('CREATE FOREIGN TABLE typed (v %2$s, k %2$s OPTIONS (meta ''key''), offs bigint OPTIONS (meta ''offset''))
    SERVER kafka OPTIONS (topic %3$L, format %1$L, key_format %1$L, delivery ''immediate'')', f, t, topic);
  EXECUTE format('CREATE FOREIGN TABLE raw (v bytea, k bytea OPTIONS (meta ''key''), offs bigint OPTIONS (meta ''offset''))
    SERVER kafka OPTIONS (topic %L, format ''bytes'')', topic);
  EXECUTE format('INSERT INTO typed (v, k) SELECT value::%1$s, value::%1$s FROM formats_binary WHERE type = %2$L ORDER BY bytes_hex', t, f);
  RETURN QUERY EXECUTE format('WITH wanted AS (SELECT row_number() OVER (ORDER BY bytes_hex) - 1 AS offs, value::%1$s::text AS v, decode(bytes_hex, ''hex'') AS b
      FROM formats_binary WHERE type = %2$L)
    SELECT count(*), count(*) FILTER (WHERE r.v IS DISTINCT FROM w.b OR r.k IS DISTINCT FROM w.b),
      count(*) FILTER (WHERE x.v::text IS DISTINCT FROM w.v OR x.k::text IS DISTINCT FROM w.v)
      FROM wanted w LEFT JOIN raw r USING (offs) LEFT JOIN typed x USING (offs)', t, f);
  DROP FOREIGN TABLE typed, raw;
  PERFORM kafka.delete_topic(topic);
END $$;
SELECT f, t, d.* FROM (VALUES ('short', 'smallint'), ('short', 'integer'), ('short', 'bigint'), ('integer', 'integer'), ('integer', 'bigint'), ('long', 'bigint'),
    ('float', 'real'), ('double', 'double precision'), ('uuid', 'uuid'), ('uuid', 'text'), ('uuid', 'varchar')) AS s (f, t), pg_temp.differences(f, t) AS d
 ORDER BY f, t;
-- a float in a wider column, exactly
SELECT created FROM kafka.create_topic('formats_binary', 1);
CREATE FOREIGN TABLE formats_binary_float (v float8) SERVER kafka OPTIONS (topic 'formats_binary', format 'float', delivery 'immediate');
INSERT INTO formats_binary_float SELECT value::real FROM formats_binary WHERE type = 'float';
SELECT count(*) FROM formats_binary_float WHERE v::real::text NOT IN (SELECT value::real::text FROM formats_binary WHERE type = 'float');

-- other types are refused, with HINT
DO $$
DECLARE
  f text;
  t text;
  detail text;
  hint text;
BEGIN
  FOR f, t IN VALUES ('integer', 'smallint'), ('integer', 'numeric'), ('integer', 'text'), ('short', 'real'), ('long', 'integer'), ('float', 'integer'),
      ('double', 'real'), ('uuid', 'bytea'), ('bytes', 'text') LOOP
    BEGIN
      EXECUTE format('CREATE FOREIGN TABLE wrong (v %s) SERVER kafka OPTIONS (topic ''t'', format %L)', t, f);
      RAISE WARNING '% was accepted for %', t, f;
      DROP FOREIGN TABLE wrong;
    EXCEPTION WHEN datatype_mismatch THEN
      GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
      RAISE NOTICE '%: % / % / %', SQLSTATE, SQLERRM, detail, hint;
    END;
  END LOOP;
END $$;
CREATE FOREIGN TABLE wrong (a int, b int) SERVER kafka OPTIONS (topic 't', format 'integer');

-- out of range when written
CREATE FOREIGN TABLE formats_binary_out (v bigint, k bigint OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'formats_binary', format 'integer', key_format 'short', delivery 'immediate');
INSERT INTO formats_binary_out VALUES (2147483648, 1);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_binary_out VALUES (1, -32769);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_binary_float VALUES (1e39);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_binary_float VALUES (1e-50);
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE formats_binary_uuid (v text) SERVER kafka OPTIONS (topic 'formats_binary', format 'uuid', delivery 'immediate');
INSERT INTO formats_binary_uuid VALUES ('no uuid');
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('formats_binary');

-- messages of another length, no UUIDs; null and empty; a domain
SELECT created FROM kafka.create_topic('formats_binary_wrong', 1);
DO $$
BEGIN
  PERFORM kafka.produce('formats_binary_wrong', v, k, delivery => 'immediate') FROM (VALUES ('\x0000002a'::bytea, '\x0001'::bytea), ('\x00002a', '\x0002'),
    ('\x00000000000000002a', '\x0003'), ('', '\x0004'), ('\x00000003', '\x00'), (NULL, NULL), ('\x00000005', '')) AS s (v, k);
END $$;
CREATE FOREIGN TABLE formats_binary_wrong (v int, k smallint OPTIONS (meta 'key'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'formats_binary_wrong', format 'integer', key_format 'short');
SELECT offs, v, k FROM formats_binary_wrong WHERE offs IN (0, 5) ORDER BY offs;
SELECT offs, v FROM formats_binary_wrong WHERE offs = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT offs, v FROM formats_binary_wrong WHERE offs = 3;
SELECT offs, k FROM formats_binary_wrong WHERE offs = 4;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE formats_binary_wrong ADD why text OPTIONS (meta 'junk_error');
SELECT offs, v, k, why FROM formats_binary_wrong ORDER BY offs;
CREATE DOMAIN formats_binary_small AS int CHECK (VALUE < 10);
ALTER FOREIGN TABLE formats_binary_wrong DROP why, ALTER v TYPE formats_binary_small;
SELECT v FROM formats_binary_wrong WHERE offs = 4;
SELECT v FROM formats_binary_wrong WHERE offs = 0;
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('formats_binary_wrong');
SELECT created FROM kafka.create_topic('formats_binary_uuids', 1);
SELECT count(kafka.produce('formats_binary_uuids', v, delivery => 'immediate')) FROM unnest(ARRAY['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1', 'a0eebc999c0b-4ef8-bb6d-6bb9-bd380a11', 'g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']) AS u (v);
CREATE FOREIGN TABLE formats_binary_uuids (v uuid, offs bigint OPTIONS (meta 'offset'), why text OPTIONS (meta 'junk_error'))
  SERVER kafka OPTIONS (topic 'formats_binary_uuids', format 'uuid');
SELECT * FROM formats_binary_uuids ORDER BY offs;
SELECT deleted FROM kafka.delete_topic('formats_binary_uuids');
