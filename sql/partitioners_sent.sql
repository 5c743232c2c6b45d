-- Every partitioner: messages are where kafka.partition_for_key says, sent by INSERT and by
-- kafka.produce, at once and in transactions, with the partitioner of the table and of the server.
\getenv brokers KAFKA_BROKERS
SELECT partitions FROM kafka.create_topic('partitioners_sent', 6);
CREATE TABLE partitioners_sent (partitioner text);
INSERT INTO partitioners_sent VALUES ('murmur2_random'), ('murmur2'), ('consistent'), ('consistent_random'), ('fnv1a'), ('fnv1a_random'), ('random'), ('round_robin'), ('sticky');
CREATE TABLE partitioners_sent_keys AS SELECT 'key ' || i AS k FROM generate_series(1, 100) AS i UNION ALL VALUES ('é 😀'), (repeat('long', 500)), (''), (NULL), (NULL), (NULL);
\set ECHO none
SELECT format($$CREATE SERVER partitioners_sent_%1$s FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers %2$L, partitioner %1$L);
  CREATE FOREIGN TABLE partitioners_sent_%1$s_0 (v text, k text OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'partitioners_sent', partitioner %1$L, delivery 'immediate');
  CREATE FOREIGN TABLE partitioners_sent_%1$s_1 (v text, k text OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'partitioners_sent', partitioner %1$L);
  CREATE FOREIGN TABLE partitioners_sent_%1$s_2 (v text, k text OPTIONS (meta 'key')) SERVER partitioners_sent_%1$s OPTIONS (topic 'partitioners_sent')$$, partitioner, :'brokers')
  FROM partitioners_sent \gexec
\set ECHO all
-- one transaction each
SELECT format('INSERT INTO partitioners_sent_%s_%s SELECT %L, k FROM partitioners_sent_keys', partitioner, way, partitioner || ' ' || way)
  FROM partitioners_sent, unnest(ARRAY[0, 1, 2]) AS way ORDER BY partitioner, way \gexec
SELECT partitioner, mode, count(kafka.produce('partitioners_sent', partitioner || ' ' || mode, k, delivery => mode, server => ('partitioners_sent_' || partitioner)::name))
  FROM partitioners_sent, partitioners_sent_keys, unnest(ARRAY['immediate', 'before_commit']) AS mode GROUP BY 1, 2 ORDER BY 1, 2;
CREATE FOREIGN TABLE partitioners_sent_all (v text, k text OPTIONS (meta 'key'), part int OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'partitioners_sent');
CREATE TABLE partitioners_sent_read AS SELECT split_part(v, ' ', 1) AS partitioner, split_part(v, ' ', 2) AS way, k, part FROM partitioners_sent_all;
-- how many, how many of them can go anywhere, and how many are elsewhere than they should
SELECT r.partitioner, way, count(*), count(*) FILTER (WHERE wanted IS NULL) AS anywhere, count(*) FILTER (WHERE part <> wanted) AS misplaced
  FROM partitioners_sent_read r, LATERAL (SELECT kafka.partition_for_key(6, k, r.partitioner)) AS w (wanted)
 WHERE r.partitioner NOT IN ('random', 'round_robin') GROUP BY 1, 2 ORDER BY 1, 2;
-- random takes each partition, round_robin each in turn, and neither looks at the key
SELECT partitioner, way, count(*), count(DISTINCT part) AS partitions FROM partitioners_sent_read WHERE partitioner = 'random' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT way, count(*) AS partitions, min(n), max(n), sum(n) FROM (SELECT way, part, count(*) AS n FROM partitioners_sent_read WHERE partitioner = 'round_robin' GROUP BY 1, 2) AS s
 WHERE way <> 'immediate' GROUP BY way ORDER BY way;
CREATE FOREIGN TABLE partitioners_sent_turn (v text, k text OPTIONS (meta 'key'), part int OPTIONS (meta 'partition'))
  SERVER partitioners_sent_round_robin OPTIONS (topic 'partitioners_sent');
INSERT INTO partitioners_sent_turn (v, k) SELECT 'turn', 'one key' FROM generate_series(1, 60);
SELECT part, count(*) FROM partitioners_sent_turn WHERE v = 'turn' GROUP BY part ORDER BY part;

-- sticky: messages with a key by murmur2, the others of a batch stay together as long as the option says
CREATE SERVER partitioners_sent_linger FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers', partitioner 'sticky', sticky_partitioning_linger_ms '60000');
CREATE FOREIGN TABLE partitioners_sent_linger (v text, k text OPTIONS (meta 'key'), part int OPTIONS (meta 'partition'))
  SERVER partitioners_sent_linger OPTIONS (topic 'partitioners_sent');
BEGIN;
INSERT INTO partitioners_sent_linger (v, k) SELECT 'long', CASE WHEN i % 2 = 0 THEN 'key ' || i END FROM generate_series(1, 600) AS i;
COMMIT;
SELECT k IS NOT NULL AS keyed, count(*), count(DISTINCT part) AS partitions, count(*) FILTER (WHERE part <> kafka.partition_for_key(6, k, 'murmur2')) AS not_murmur2
  FROM partitioners_sent_linger WHERE v = 'long' AND k IS NOT NULL GROUP BY 1;
-- (one partition, or two)
SELECT count(*), count(DISTINCT part) <= 2 AS few FROM partitioners_sent_linger WHERE v = 'long' AND k IS NULL;
-- without lingering each goes by itself
ALTER SERVER partitioners_sent_linger OPTIONS (SET sticky_partitioning_linger_ms '0');
INSERT INTO partitioners_sent_linger (v) SELECT 'short' FROM generate_series(1, 600);
SELECT count(*), count(DISTINCT part) AS partitions FROM partitioners_sent_linger WHERE v = 'short';
-- under Kafka's name, on an immediate table
CREATE FOREIGN TABLE partitioners_sent_dots (v text, part int OPTIONS (meta 'partition'))
  SERVER kafka OPTIONS (topic 'partitioners_sent', partitioner 'sticky', delivery 'immediate', "sticky.partitioning.linger.ms" '60000');
INSERT INTO partitioners_sent_dots (v) SELECT 'dots' FROM generate_series(1, 600);
SELECT count(*), count(DISTINCT part) <= 2 AS few FROM partitioners_sent_dots WHERE v = 'dots';
\set VERBOSITY terse
ALTER SERVER partitioners_sent_linger OPTIONS (SET sticky_partitioning_linger_ms '-1');
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('partitioners_sent', server => 'kafka');
SET client_min_messages = warning;
\set ECHO none
SELECT format('DROP SERVER partitioners_sent_%s CASCADE', s) FROM (SELECT partitioner FROM partitioners_sent UNION ALL SELECT 'linger') AS x (s) \gexec
