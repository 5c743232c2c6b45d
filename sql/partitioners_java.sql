-- kafka.partition_for_key: Java's murmur2 for the 200 keys of test/data/murmur2.tsv and every number
-- of partitions; overloads, nulls, errors.
\getenv srcdir PG_ABS_SRCDIR
\getenv brokers KAFKA_BROKERS
\set murmur2_file :srcdir '/test/data/murmur2.tsv'
CREATE TABLE partitioners_java (key_hex text, murmur2 bigint, p1 int, p2 int, p3 int, p6 int, p12 int, p48 int);
COPY partitioners_java FROM :'murmur2_file' (FORMAT csv, DELIMITER E'\t', HEADER, NULL 'none');
SELECT count(*) AS keys, count(DISTINCT key_hex) AS different FROM partitioners_java;
CREATE VIEW partitioners_java_wanted AS
  SELECT decode(key_hex, 'hex') AS key, n, p FROM partitioners_java, LATERAL (VALUES (1, p1), (2, p2), (3, p3), (6, p6), (12, p12), (48, p48)) AS x (n, p);
-- with a number: keys that would go elsewhere than with Java
SELECT partitioner, n, count(*) AS keys, count(*) FILTER (WHERE kafka.partition_for_key(n, key, partitioner) IS DISTINCT FROM p) AS misplaced
  FROM partitioners_java_wanted, unnest(ARRAY['murmur2', 'murmur2_random', 'sticky']) AS partitioner GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) AS misplaced FROM partitioners_java_wanted WHERE kafka.partition_for_key(n, key) IS DISTINCT FROM p OR kafka.partition_for_key(n, key, NULL) IS DISTINCT FROM p;
-- with a topic of that many partitions
SELECT count(*) FROM unnest(ARRAY[1, 2, 3, 6, 12, 48]) AS n, kafka.create_topic('partitioners_java_' || n, n);
SELECT n, count(*) FILTER (WHERE kafka.partition_for_key('partitioners_java_' || n, key) IS DISTINCT FROM p) AS misplaced FROM partitioners_java_wanted GROUP BY n ORDER BY n;
-- the others are other functions
SELECT partitioner, count(*) FILTER (WHERE kafka.partition_for_key(48, key, partitioner) <> p48) > 150 AS differ
  FROM partitioners_java, LATERAL (SELECT decode(key_hex, 'hex')) AS k (key), unnest(ARRAY['consistent', 'consistent_random', 'fnv1a', 'fnv1a_random']) AS partitioner GROUP BY 1 ORDER BY 1;

-- literals without a type, and named arguments
SELECT kafka.partition_for_key('partitioners_java_6', 'k'), kafka.partition_for_key(6, 'k'), kafka.partition_for_key(6, 'k', 'fnv1a'), kafka.partition_for_key('partitioners_java_6', 'k', 'fnv1a'),
  kafka.partition_for_key('partitioners_java_6', 'k', NULL, 'kafka'), kafka.partition_for_key(6, '\x6b'::bytea), kafka.partition_for_key('partitioners_java_6', '\x6b'::bytea) \gx
SELECT kafka.partition_for_key(topic => 'partitioners_java_6', key => 'k', server => 'kafka'), kafka.partition_for_key(partitions => 6, key => 'k'), kafka.partition_for_key(6::smallint, 'k'::varchar),
  kafka.partition_for_key('partitioners_java_6'::varchar, 'k'::name::text, partitioner => 'murmur2') \gx
-- text is UTF-8; numbers as text
SELECT kafka.partition_for_key(1000, 'Zürich') = kafka.partition_for_key(1000, '\x5ac3bc72696368'::bytea) AS utf8, kafka.partition_for_key(1000, 4711::text) IS NOT NULL AS number,
  kafka.partition_for_key(1000, kafka.serialize_long(4711)) IS NOT NULL AS long;

-- no key, and an empty one: NULL where a message could go anywhere
SELECT partitioner, kafka.partition_for_key(6, NULL, partitioner) AS none, kafka.partition_for_key(6, ''::text, partitioner) AS empty
  FROM unnest(ARRAY['murmur2_random', 'sticky', 'murmur2', 'consistent', 'consistent_random', 'fnv1a', 'fnv1a_random']) AS partitioner ORDER BY partitioner;
SELECT kafka.partition_for_key('partitioners_java_6', NULL::text) AS none;

-- the server's own partitioner
CREATE SERVER partitioners_java FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers', partitioner 'fnv1a');
SELECT count(*) FILTER (WHERE kafka.partition_for_key('partitioners_java_48', key, server => 'partitioners_java') IS DISTINCT FROM kafka.partition_for_key(48, key, 'fnv1a')) AS misplaced,
  count(*) FILTER (WHERE kafka.partition_for_key('partitioners_java_48', key, 'murmur2', 'partitioners_java') IS DISTINCT FROM p) AS given FROM partitioners_java_wanted WHERE n = 48;

-- what is refused
SELECT kafka.partition_for_key(6, 'k', 'random');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.partition_for_key('partitioners_java_6', 'k', 'round_robin', 'kafka');
ALTER SERVER partitioners_java OPTIONS (SET partitioner 'round_robin');
SELECT kafka.partition_for_key('partitioners_java_6', 'k', server => 'partitioners_java');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.partition_for_key(6, 'k', 'murmur3');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.partition_for_key(0, 'k');
SELECT kafka.partition_for_key(NULL::int, 'k');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.partition_for_key(NULL, 'k', server => 'kafka');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT kafka.partition_for_key('partitioners_java_none', 'k', server => 'kafka');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.partition_for_key('partitioners_java_6', 'k', server => 'none');
\set VERBOSITY default

-- a scan of the key's partition only
CREATE FOREIGN TABLE partitioners_java_scan (v text, key text OPTIONS (meta 'key'), part int OPTIONS (meta 'partition'))
  SERVER kafka OPTIONS (topic 'partitioners_java_6', delivery 'immediate');
INSERT INTO partitioners_java_scan (v, key) SELECT 'v' || i, 'k' || i FROM generate_series(1, 50) AS i;
DROP SERVER partitioners_java;
SELECT v, key FROM partitioners_java_scan WHERE part = kafka.partition_for_key('partitioners_java_6', 'k7') AND key = 'k7';
EXPLAIN (COSTS off) SELECT v, key FROM partitioners_java_scan WHERE part = kafka.partition_for_key('partitioners_java_6', 'k7') AND key = 'k7';
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['partitioners_java_1', 'partitioners_java_2', 'partitioners_java_3', 'partitioners_java_6', 'partitioners_java_12', 'partitioners_java_48']);
