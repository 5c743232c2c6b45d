-- What kafka.subscribe and its consumers refuse, and how they end.
CREATE ROLE consumer_errors_user;
GRANT USAGE ON FOREIGN SERVER kafka TO consumer_errors_user;
SELECT count(created) FROM kafka.create_topic('consumer_errors', 1);
SELECT count(kafka.produce('consumer_errors', i::text, delivery => 'immediate')) FROM generate_series(0, 9) AS i;
CREATE FUNCTION take(n int) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(value, ' ' ORDER BY "offset") FROM kafka.poll_text(n, '10s') $$;

-- there is no consumer yet
SELECT * FROM kafka.poll();
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT kafka.unsubscribe();
SELECT kafka.close_consumer('x');
SELECT * FROM kafka.assignment();
SELECT * FROM kafka.position();
SELECT * FROM kafka.committed();
SELECT kafka.commit_offsets();
SELECT kafka.pause();
SELECT count(*) FROM kafka.consumers;

-- arguments
SELECT kafka.subscribe(NULL::text, 'g');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe(NULL::text[], 'g');
SELECT kafka.subscribe('{}'::text[], 'g');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe(ARRAY['consumer_errors', NULL], 'g');
SELECT kafka.subscribe('consumer_errors', NULL);
SELECT kafka.subscribe('consumer_errors', '');
SELECT kafka.subscribe('consumer_errors', 'g', consumer => NULL);
SELECT kafka.subscribe('consumer_errors', 'g', offsets => NULL);
SELECT kafka.subscribe('consumer_errors', 'g', server => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe('consumer_errors_missing', 'g');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe(ARRAY['consumer_errors', 'consumer_errors_missing'], 'g');
SELECT kafka.subscribe('no good', 'g');
SELECT kafka.subscribe('^consumer_errors(', 'g');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT kafka.subscribe('consumer_errors', 'g', offsets => 'postgre');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe('consumer_errors', 'g', start => '17');
-- options
SELECT kafka.subscribe('consumer_errors', 'g', options => '[]');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"fetch.min.bites": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"linger.ms": 1}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"enable.auto.commit": true}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"group.id": "other"}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"sasl.password": "secret"}');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"fetch.wait.max.ms": "soon"}');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"fetch.wait.max.ms": [1]}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"on_missing": "latest"}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"allow_table_writes": "perhaps"}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"partition.assignment.strategy": "best"}');
SELECT kafka.subscribe('consumer_errors', 'g', options => '{"session.timeout.ms": 400000}');
SELECT count(*) FROM kafka.consumers;

-- the same again is the same consumer; anything else is another, in its place
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'earliest', options => '{"fetch.min.bytes": 1}');
SELECT take(2);
SELECT member_id IS NOT NULL AS joined FROM kafka.consumers;
SELECT created, member_id FROM kafka.consumers \gset
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'earliest', options => '{"fetch.min.bytes": 1}');
SELECT created = :'created' AND member_id = :'member_id' AS same FROM kafka.consumers;
SELECT take(1);
BEGIN;
SELECT take(1);
-- with positions to commit neither replaced, nor left, nor closed
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'earliest', options => '{"fetch.min.bytes": 1}');
SAVEPOINT s;
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'latest');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
\set VERBOSITY terse
SELECT kafka.unsubscribe();
ROLLBACK TO s;
SELECT kafka.close_consumer();
ROLLBACK TO s;
COMMIT;
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'latest');
SELECT created > :'created' AS another FROM kafka.consumers;
SELECT take(1);

-- unsubscribe: it stays, without partitions, until it subscribes again
SELECT kafka.unsubscribe();
SELECT state, partitions, pending FROM kafka.consumers;
SELECT take(1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.assignment();
SELECT kafka.unsubscribe();
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'latest');
SELECT take(1);

-- another user's; SET ROLE and back
SET ROLE consumer_errors_user;
SELECT take(1);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_consumer();
SELECT kafka.subscribe('consumer_errors', 'consumer_errors', start => 'latest');
SELECT kafka.subscribe('consumer_errors', 'consumer_errors_user', start => 'earliest', consumer => 'own');
SELECT value FROM kafka.poll_text(1, '10s', 'own');
RESET ROLE;
SELECT value FROM kafka.poll_text(1, '10s', 'own');
REVOKE USAGE ON FOREIGN SERVER kafka FROM consumer_errors_user;
SET ROLE consumer_errors_user;
SELECT value FROM kafka.poll_text(1, '10s', 'own');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_consumer('own');
RESET ROLE;
SELECT take(1);

-- a server that goes
\getenv brokers KAFKA_BROKERS
CREATE SERVER consumer_errors_server FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
SELECT kafka.assign('consumer_errors', consumer => 'short', server => 'consumer_errors_server');
DROP SERVER consumer_errors_server;
SELECT value FROM kafka.poll_text(1, '10s', 'short');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_consumer('short');
-- DISCARD ALL closes them
SELECT count(*) FROM kafka.consumers;
DISCARD ALL;
SELECT count(*) FROM kafka.consumers;
SELECT take(1);
-- a topic that is deleted is noticed, by a poll that waits
SELECT count(created) FROM kafka.create_topic('consumer_errors_gone', 1);
SELECT kafka.subscribe('consumer_errors_gone', 'consumer_errors', consumer => 'member'), kafka.assign('consumer_errors_gone', consumer => 'chosen');
SELECT (SELECT count(*) FROM kafka.poll(timeout => '4s', consumer => 'member')), (SELECT count(*) FROM kafka.poll(timeout => '600ms', consumer => 'chosen'));
SELECT deleted FROM kafka.delete_topic('consumer_errors_gone');
SELECT count(*) FROM kafka.poll(timeout => '600ms', consumer => 'member');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kafka.poll(timeout => '600ms', consumer => 'chosen');
SELECT count(*) FROM kafka.poll(timeout => '0', consumer => 'chosen');
SELECT kafka.close_consumer('member'), kafka.close_consumer('chosen');
DROP FUNCTION take;
DROP ROLE consumer_errors_user;
SELECT deleted FROM kafka.delete_topic('consumer_errors');
