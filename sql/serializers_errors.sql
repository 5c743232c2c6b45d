-- kafka.serialize_* and kafka.deserialize_*: what they refuse.
CREATE FUNCTION pg_temp.try(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE 'SELECT kafka.' || call INTO result;
  RETURN 'accepted: ' || result;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
-- another length, by one and empty
SELECT call, pg_temp.try(call) FROM (SELECT format('deserialize_%s(decode(repeat(''00'', %s), ''hex''))', t, n + d) AS call, t, n + d AS len
  FROM (VALUES ('short', 2), ('integer', 4), ('long', 8), ('float', 4), ('double', 8), ('uuid', 36)) AS s (t, n), unnest(ARRAY[-1, 1, -n]) AS d) AS c ORDER BY t, len;
-- 36 bytes that are not a UUID in Kafka's form
SELECT pg_temp.try(format('deserialize_uuid(%L)', u::bytea)) FROM unnest(ARRAY['g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc999c0b-4ef8-bb6d-6bb9-bd380a11',
  '{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a1}', repeat(' ', 36)]) AS u;
SELECT pg_temp.try(format('deserialize_uuid(decode(%L, ''hex''))', repeat('00', 36)));
-- bytes that are not text in UTF-8: a lonely byte, a cut character, a surrogate, too long a form, a zero
SELECT b, pg_temp.try(format('deserialize_string(%L)', b)) AS string, pg_temp.try(format('deserialize_json(%L)', '\x22'::bytea || b || '\x22'::bytea)) AS json
  FROM unnest(ARRAY['\xff', '\x61e2', '\xeda080', '\xc0af', '\x6100']::bytea[]) AS b ORDER BY b;
-- not JSON
SELECT v, pg_temp.try(format('serialize_json(%L)', v)) AS serialize, pg_temp.try(format('deserialize_json(%L)', convert_to(v, 'UTF8'))) AS deserialize
  FROM unnest(ARRAY['', '{', 'word', '{"a": 1} {}', '"\x"']) AS v ORDER BY v COLLATE "C";
-- out of range
SELECT v, pg_temp.try(format('serialize_short(%s)', v)) FROM unnest(ARRAY[-32769, -32768, 32767, 32768]) AS v ORDER BY v;
SELECT pg_temp.try('serialize_integer(2147483648)');
SELECT pg_temp.try('serialize_integer(''2147483648'')');
SELECT pg_temp.try('serialize_float(1e39)');
SELECT pg_temp.try('serialize_uuid(''no uuid'')');
-- in a database of another encoding: UTF-8 in the message, and what the database cannot hold
SELECT current_database() AS here \gset
CREATE DATABASE serializers_errors TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
\c serializers_errors
\encoding UTF8
SET client_min_messages = warning;
CREATE EXTENSION kafka_fdw;
SELECT kafka.serialize_string('é'), kafka.serialize_json('"é"'), kafka.serialize_json('"é"'::jsonb) AS jsonb, kafka.deserialize_string('\xc3a9'), kafka.deserialize_json('\x22c3a922');
\set VERBOSITY terse
SELECT kafka.deserialize_string('\xe282ac');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.deserialize_string('\xe9');
\echo :LAST_ERROR_SQLSTATE
\c :here
DROP DATABASE serializers_errors;
