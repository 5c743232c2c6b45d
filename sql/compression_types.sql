-- Every compression that Kafka knows, both ways of setting it, round trip.
\getenv brokers KAFKA_BROKERS
CREATE TABLE compression_types (id int, t text);
INSERT INTO compression_types SELECT i, repeat(md5(i::text), 1 + i % 40) FROM generate_series(1, 500) AS i;
SELECT count(*) FROM unnest(ARRAY['none', 'gzip', 'snappy', 'lz4', 'zstd']) AS c, kafka.create_topic('compression_types_' || c, 1);
CREATE FUNCTION pg_temp.round_trip(codec text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  same text;
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE compressed (id int, t text) SERVER kafka OPTIONS (topic %L, format ''json'', delivery ''immediate'', compression_type %L)', 'compression_types_' || codec, codec);
  INSERT INTO compressed SELECT * FROM compression_types;
  EXECUTE 'SELECT concat(count(*), '' of '', (SELECT count(*) FROM compression_types)) FROM compressed JOIN compression_types USING (id, t)' INTO same;
  DROP FOREIGN TABLE compressed;
  RETURN same;
END $$;
SELECT c, pg_temp.round_trip(c) FROM unnest(ARRAY['none', 'gzip', 'snappy', 'lz4', 'zstd']) AS c ORDER BY c;
-- in transactions it is the server's option
CREATE SERVER compression_types FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
CREATE FOREIGN TABLE compression_types_server (id int, t text) SERVER compression_types OPTIONS (topic 'compression_types_none', format 'json');
ALTER SERVER compression_types OPTIONS (ADD compression_codec 'gzip');
INSERT INTO compression_types_server SELECT id + 1000, t FROM compression_types;
ALTER SERVER compression_types OPTIONS (SET compression_codec 'snappy');
INSERT INTO compression_types_server SELECT id + 2000, t FROM compression_types;
ALTER SERVER compression_types OPTIONS (SET compression_codec 'lz4');
INSERT INTO compression_types_server SELECT id + 3000, t FROM compression_types;
ALTER SERVER compression_types OPTIONS (SET compression_codec 'zstd', ADD compression_level '5');
INSERT INTO compression_types_server SELECT id + 4000, t FROM compression_types;
SELECT s.id / 1000 AS round, count(*) FROM compression_types_server s JOIN compression_types c ON s.id % 1000 = c.id AND s.t = c.t WHERE s.id > 1000 GROUP BY 1 ORDER BY 1;
-- the topic's own compression does not matter to a reader
SELECT created FROM kafka.create_topic('compression_types_topic', 1, config => '{"compression.type": "zstd"}', server => 'kafka');
CREATE FOREIGN TABLE compression_types_topic (id int, t text) SERVER kafka OPTIONS (topic 'compression_types_topic', format 'json', delivery 'immediate', compression_type 'gzip');
INSERT INTO compression_types_topic SELECT * FROM compression_types;
SELECT count(*) FROM compression_types_topic JOIN compression_types USING (id, t);
DROP FOREIGN TABLE compression_types_server;
DROP SERVER compression_types;
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['compression_types_none', 'compression_types_gzip', 'compression_types_snappy', 'compression_types_lz4', 'compression_types_zstd', 'compression_types_topic']);
