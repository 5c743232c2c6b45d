-- Partitioners. murmur2 agrees with Java's for 200 keys (test/data/murmur2.tsv was made by Java).
\getenv srcdir PG_ABS_SRCDIR
CREATE TABLE producer_murmur2 (key_hex text, murmur2 bigint, p1 int, p2 int, p3 int, p6 int, p12 int, p48 int);
\set murmur2_file :srcdir '/test/data/murmur2.tsv'
COPY producer_murmur2 FROM :'murmur2_file' (FORMAT csv, DELIMITER E'\t', HEADER, NULL 'none');
SELECT count(*) FROM producer_murmur2;
SELECT topic, partitions FROM unnest(ARRAY[1, 2, 3, 6, 12, 48]) AS p, kafka.create_topic('producer_partition_' || p, p) ORDER BY partitions;

-- each partitioner and number of partitions: how many keys landed elsewhere than with Java
CREATE FUNCTION pg_temp.misplaced(partitioner text, p int, delivery text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  result bigint;
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE misplaced (v text, k bytea OPTIONS (meta ''key''), part int OPTIONS (meta ''partition''))
    SERVER kafka OPTIONS (topic %L, partitioner %L, delivery %L)', 'producer_partition_' || p, partitioner, delivery);
  EXECUTE 'INSERT INTO misplaced (v, k) SELECT $1, decode(key_hex, ''hex'') FROM producer_murmur2' USING partitioner || delivery;
  EXECUTE format('SELECT count(*) FILTER (WHERE part <> p%s) + 1000 * abs(count(*) - 200)
    FROM producer_murmur2 LEFT JOIN misplaced ON k = decode(key_hex, ''hex'') AND v = $1', p) INTO result USING partitioner || delivery;
  DROP FOREIGN TABLE misplaced;
  RETURN result;
END $$;
SELECT p, partitioner, pg_temp.misplaced(partitioner, p, 'immediate') AS misplaced
  FROM unnest(ARRAY[1, 2, 3, 6, 12, 48]) AS p, unnest(ARRAY['murmur2', 'murmur2_random']) AS partitioner ORDER BY p, partitioner;
-- in a transaction the choice is the same
BEGIN;
CREATE FOREIGN TABLE producer_partition_later (v text, k bytea OPTIONS (meta 'key'), part int OPTIONS (meta 'partition'))
  SERVER kafka OPTIONS (topic 'producer_partition_6');
INSERT INTO producer_partition_later (v, k) SELECT 'later', decode(key_hex, 'hex') FROM producer_murmur2;
COMMIT;
SELECT count(*), count(*) FILTER (WHERE part <> p6) AS misplaced
  FROM producer_partition_later JOIN producer_murmur2 ON k = decode(key_hex, 'hex') WHERE v = 'later';
-- kafka.produce uses the default partitioner, Java's
SELECT count(kafka.produce('producer_partition_12', 'function'::bytea, decode(key_hex, 'hex'), delivery => 'immediate')) FROM producer_murmur2;
CREATE FOREIGN TABLE producer_partition_function (v text, k bytea OPTIONS (meta 'key'), part int OPTIONS (meta 'partition'))
  SERVER kafka OPTIONS (topic 'producer_partition_12');
SELECT count(*), count(*) FILTER (WHERE part <> p12) AS misplaced
  FROM producer_partition_function JOIN producer_murmur2 ON k = decode(key_hex, 'hex') WHERE v = 'function';

-- hashing partitioners put a key where it was; a partition given wins
CREATE FUNCTION pg_temp.spread(partitioner text, key text, OUT of_keys bigint, OUT all_there boolean) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE spread (v text, k text OPTIONS (meta ''key''), part int OPTIONS (meta ''partition''), offs bigint OPTIONS (meta ''offset''))
    SERVER kafka OPTIONS (topic ''producer_partition_3'', partitioner %L, delivery ''immediate'')', partitioner);
  EXECUTE 'INSERT INTO spread (v, k) SELECT $1, $2 FROM generate_series(1, 60)' USING 'spread ' || partitioner, key;
  EXECUTE 'SELECT count(DISTINCT part), count(*) = 60 FROM spread WHERE v = $1' INTO of_keys, all_there USING 'spread ' || partitioner;
  DROP FOREIGN TABLE spread;
END $$;
SELECT p, s.* FROM unnest(ARRAY['murmur2', 'murmur2_random', 'consistent', 'consistent_random', 'fnv1a', 'fnv1a_random']) AS p,
  pg_temp.spread(p, 'one key') AS s ORDER BY p;
-- without a key: round_robin and random use all partitions, a hash of nothing only one
SELECT p, s.* FROM unnest(ARRAY['round_robin', 'random']) AS p, pg_temp.spread(p, NULL) AS s ORDER BY p;
CREATE FOREIGN TABLE producer_partition_turns (v text, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'producer_partition_3', partitioner 'round_robin', delivery 'immediate');
INSERT INTO producer_partition_turns (v) SELECT 'turn' FROM generate_series(1, 30);
SELECT part, count(*) FROM producer_partition_turns WHERE v = 'turn' GROUP BY part ORDER BY part;
INSERT INTO producer_partition_turns (v, part) SELECT 'given', 1 FROM generate_series(1, 10);
SELECT part, count(*) FROM producer_partition_turns WHERE v = 'given' GROUP BY part ORDER BY part;
ALTER FOREIGN TABLE producer_partition_turns OPTIONS (SET partitioner 'sticky');
INSERT INTO producer_partition_turns (v) SELECT 'sticky' FROM generate_series(1, 10);
SELECT count(*) FROM producer_partition_turns WHERE v = 'sticky';
-- the server's partitioner, overridden by the table's
\getenv brokers KAFKA_BROKERS
CREATE SERVER producer_partition FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers', partitioner 'round_robin');
CREATE FOREIGN TABLE producer_partition_server (v text, k text OPTIONS (meta 'key'), part int OPTIONS (meta 'partition'))
  SERVER producer_partition OPTIONS (topic 'producer_partition_3', delivery 'immediate');
INSERT INTO producer_partition_server (v, k) SELECT 'server', 'k' FROM generate_series(1, 30);
SELECT part, count(*) FROM producer_partition_server WHERE v = 'server' GROUP BY part ORDER BY part;
SELECT count(kafka.produce('producer_partition_3', 'server function', 'k', delivery => 'immediate', server => 'producer_partition')) FROM generate_series(1, 60);
SELECT count(*), count(DISTINCT part) FROM producer_partition_server WHERE v = 'server function';
ALTER FOREIGN TABLE producer_partition_server OPTIONS (ADD partitioner 'murmur2');
INSERT INTO producer_partition_server (v, k) SELECT 'table', 'k' FROM generate_series(1, 30);
SELECT count(DISTINCT part) FROM producer_partition_server WHERE v = 'table';
DROP FOREIGN TABLE producer_partition_server;
DROP SERVER producer_partition;
SELECT count(deleted) FROM kafka.delete_topic((SELECT array_agg('producer_partition_' || p) FROM unnest(ARRAY[1, 2, 3, 6, 12, 48]) AS p)) WHERE deleted;
