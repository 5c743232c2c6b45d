-- kafka.serialize_* and kafka.deserialize_*: every row of test/data/serializers.tsv, made by
-- Java, in both directions; text, JSON and bytes, which that file does not have.
\getenv srcdir PG_ABS_SRCDIR
\set serializers_file :srcdir '/test/data/serializers.tsv'
CREATE TABLE serializers_java (type text, value text, bytes_hex text);
COPY serializers_java FROM :'serializers_file' (FORMAT csv, DELIMITER E'\t', HEADER);

-- rows that differ from Java's: in their bytes, and in the value read from Java's bytes
CREATE FUNCTION pg_temp.differences(t text, sql_type text) RETURNS TABLE (rows bigint, bytes_differ bigint, value_differs bigint) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE kafka.serialize_%1$s(value::%2$s) IS DISTINCT FROM decode(bytes_hex, ''hex'')),
      count(*) FILTER (WHERE kafka.deserialize_%1$s(decode(bytes_hex, ''hex''))::text IS DISTINCT FROM value::%2$s::text)
    FROM serializers_java WHERE type = %1$L', t, sql_type);
END $$;
SELECT t, sql_type, d.* FROM (VALUES ('short', 'smallint'), ('short', 'integer'), ('integer', 'integer'), ('long', 'bigint'), ('float', 'real'),
    ('double', 'double precision'), ('uuid', 'uuid')) AS s (t, sql_type), pg_temp.differences(t, sql_type) AS d ORDER BY t, sql_type;
SELECT type FROM serializers_java EXCEPT SELECT substr(proname, 11) FROM pg_proc WHERE pronamespace = 'kafka'::regnamespace;

-- what each returns, and that nothing of the session is in it
SELECT p.proname, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result, p.provolatile, p.proisstrict, p.proparallel
  FROM pg_proc p WHERE p.pronamespace = 'kafka'::regnamespace AND p.proname LIKE '%serialize\_%' ORDER BY 1, 2;

-- calls with plain literals
SELECT kafka.serialize_string('Zürich €'), kafka.serialize_bytes('\x00ff'), kafka.serialize_short(258), kafka.serialize_integer(258), kafka.serialize_long(258),
  kafka.serialize_float(1.5), kafka.serialize_double(-2), kafka.serialize_json('{"a": 1}') \gx
SELECT kafka.serialize_short('-1'), kafka.serialize_uuid('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11') AS uuid_lower, kafka.serialize_float('-0'), kafka.serialize_float('NaN');
-- the NaNs of other machines: all one
SELECT kafka.deserialize_float('\xffc00001'), kafka.serialize_float(kafka.deserialize_float('\xffc00001')), kafka.deserialize_double('\x7ff0000000000001'),
  kafka.serialize_double(kafka.deserialize_double('\x7ff0000000000001'));
SELECT kafka.deserialize_uuid(convert_to('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'UTF8'));

-- text: every length of a character in UTF-8, long enough to be compressed, empty
SELECT octet_length(kafka.serialize_string(t)), kafka.serialize_string(t) = convert_to(t, 'UTF8') AS bytes, kafka.deserialize_string(kafka.serialize_string(t)) = t AS back
  FROM (VALUES (''), (' '), (E'a\nb\t"\\'), (U&'\00e9\20ac\+01F600'), (repeat('long €', 20000))) AS s (t) ORDER BY 1;
CREATE TABLE serializers_java_long AS SELECT repeat('long €', 20000) AS t;
SELECT kafka.deserialize_string(kafka.serialize_string(t)) = t AS string, kafka.deserialize_bytes(kafka.serialize_bytes(t::bytea)) = t::bytea AS bytes FROM serializers_java_long;
SELECT kafka.serialize_bytes(''), kafka.deserialize_bytes(''), kafka.deserialize_string('') = '' AS empty;

-- JSON: json as it was written, jsonb as it is shown, text if it is JSON
SELECT convert_from(kafka.serialize_json('{"b" : 1.50,"a":[null]}'::json), 'UTF8') AS json, convert_from(kafka.serialize_json('{"b" : 1.50,"a":[null]}'::jsonb), 'UTF8') AS jsonb,
  convert_from(kafka.serialize_json('{"b" : 1.50,"a":[null]}'), 'UTF8') AS text;
SELECT kafka.deserialize_json(convert_to('{"b" : 1e400,"a":"é", "b": "\u0000"}', 'UTF8')), kafka.deserialize_json('null') IS NULL AS json_null_is_null;
SELECT kafka.serialize_json('"é"'), kafka.deserialize_json('\x22c3a922');

-- NULL is Kafka's null
SELECT concat(kafka.serialize_string(NULL), kafka.serialize_json(NULL::json), kafka.serialize_json(NULL::jsonb), kafka.serialize_bytes(NULL), kafka.serialize_short(NULL),
  kafka.serialize_integer(NULL), kafka.serialize_long(NULL), kafka.serialize_float(NULL), kafka.serialize_double(NULL), kafka.serialize_uuid(NULL),
  kafka.deserialize_string(NULL), kafka.deserialize_json(NULL), kafka.deserialize_bytes(NULL), kafka.deserialize_short(NULL), kafka.deserialize_integer(NULL),
  kafka.deserialize_long(NULL), kafka.deserialize_float(NULL), kafka.deserialize_double(NULL), kafka.deserialize_uuid(NULL)) = '' AS all_null;

-- with messages: what kafka.produce is given is what a format reads, and the other way round
SELECT created FROM kafka.create_topic('serializers_java', 1);
SELECT topic FROM kafka.produce('serializers_java', kafka.serialize_long(42), kafka.serialize_uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), delivery => 'immediate');
CREATE FOREIGN TABLE serializers_java_typed (v bigint, k uuid OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'serializers_java', format 'long', key_format 'uuid');
CREATE FOREIGN TABLE serializers_java_raw (v bytea, k bytea OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'serializers_java', format 'bytes');
SELECT * FROM serializers_java_typed;
SELECT kafka.deserialize_long(v), kafka.deserialize_uuid(k) FROM serializers_java_raw;
SELECT deleted FROM kafka.delete_topic('serializers_java');
