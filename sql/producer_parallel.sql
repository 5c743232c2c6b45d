-- A function that sends and is wrongly marked parallel safe: an error, never a lost message
SELECT created FROM kafka.create_topic('producer_parallel', 1);
CREATE TABLE producer_parallel_rows (id int);
INSERT INTO producer_parallel_rows SELECT generate_series(1, 100);
ANALYZE producer_parallel_rows;
CREATE FUNCTION producer_parallel_send(id int, delivery text) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN
  PERFORM kafka.produce('producer_parallel', id::text, delivery => producer_parallel_send.delivery);
  RETURN id;
END $$;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000
                       THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'on', false);
\set VERBOSITY terse
SELECT count(producer_parallel_send(id, 'before_commit')) FROM producer_parallel_rows;
SELECT count(producer_parallel_send(id, 'immediate')) FROM producer_parallel_rows;
\echo :LAST_ERROR_SQLSTATE
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000
                       THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'off', false);
SELECT count(producer_parallel_send(id, 'before_commit')) FROM producer_parallel_rows;
SELECT high > 100 AS sent FROM kafka.watermarks('producer_parallel');

-- messages larger than librdkafka's queue: it grows with the server's limit, or says so at once
SELECT created FROM kafka.create_topic('producer_parallel_big', 1, config => '{"max.message.bytes": 100000000}', server => 'kafka');
\getenv brokers KAFKA_BROKERS
CREATE SERVER producer_parallel_big FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (bootstrap_servers :'brokers', message_max_bytes '90000000');
SELECT (kafka.produce('producer_parallel_big', repeat('y', 70000000), server => 'producer_parallel_big')).topic;
SELECT high > 0 AS sent FROM kafka.watermarks('producer_parallel_big', 'producer_parallel_big');
ALTER SERVER producer_parallel_big OPTIONS (ADD queue_buffering_max_kbytes '1000');
SELECT (kafka.produce('producer_parallel_big', repeat('y', 1100000), server => 'producer_parallel_big')).topic;
\echo :LAST_ERROR_SQLSTATE
DROP SERVER producer_parallel_big;
SELECT deleted FROM kafka.delete_topic('producer_parallel_big', server => 'kafka');
