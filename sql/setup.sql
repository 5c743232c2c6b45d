-- What every other test uses: the extension and the server "kafka". Topics are each
-- test's own.
CREATE EXTENSION kafka_fdw;
\getenv brokers KAFKA_BROKERS
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
SELECT extname, nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
 WHERE extname = 'kafka_fdw';
