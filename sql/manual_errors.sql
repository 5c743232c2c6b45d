-- Kafka transactions by hand: a wrong order of calls is 25000, and says what to do.
SELECT topic FROM kafka.create_topic('manual_errors', 2);
CREATE FOREIGN TABLE manual_errors (v text) SERVER kafka OPTIONS (topic 'manual_errors');

-- ids
SELECT kafka.begin_transaction('');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.begin_transaction(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.begin_transaction('kafka_fdw.mine');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.begin_transaction(repeat('x', 1001));
\echo :LAST_ERROR_SQLSTATE

-- nothing has begun
SELECT kafka.commit_transaction();
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.abort_transaction('unknown');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.transaction_state();
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.transaction_state('unknown');
SELECT kafka.close_transaction('unknown');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_transactional('manual_errors', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_errors', 0, 1, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE

-- begin twice
SELECT kafka.begin_transaction('errors-1');
SELECT kafka.begin_transaction('errors-1');
\echo :LAST_ERROR_SQLSTATE
-- an error of the statement leaves it as it was
SELECT kafka.send_transactional('manual_errors', 'x', partition => 2);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_transactional('manual_errors_none', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_transactional('manual_errors', 'x', headers => '[1]');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_transactional(NULL, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT state, error FROM kafka.transactions;
-- several
SELECT kafka.begin_transaction('errors-2');
SELECT kafka.send_transactional('manual_errors', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_transaction();
SELECT kafka.commit_transaction('errors-1');
-- after the end
SELECT kafka.send_transactional('manual_errors', 'x', transactional_id => 'errors-1');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_transaction('errors-1');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.abort_transaction('errors-1');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.abort_transaction();
SELECT kafka.abort_transaction('errors-2');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.transaction_state('errors-1'), kafka.transaction_state('errors-2');
SELECT kafka.transaction_state();
SELECT kafka.close_transaction('errors-2');
SELECT kafka.transaction_state();

-- the server: an id is one on each
\getenv brokers KAFKA_BROKERS
CREATE SERVER manual_errors FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
SELECT kafka.begin_transaction('errors-1');
SELECT kafka.begin_transaction('errors-1', 'kafka');
SELECT kafka.begin_transaction('errors-3', server => 'manual_errors');
SELECT kafka.commit_transaction('errors-3', server => 'kafka');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_transaction(server => 'manual_errors');
SELECT kafka.commit_transaction(server => 'none');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.abort_transaction();
SELECT kafka.close_transaction('errors-3');
DROP SERVER manual_errors;

-- a message that the broker refuses: from then on it can only be aborted
SELECT topic FROM kafka.create_topic('manual_errors_small', 1, config => '{"max.message.bytes": 1000}');
SELECT kafka.begin_transaction('errors-1');
SELECT (kafka.send_transactional('manual_errors', 'goes with it')).topic;
SELECT (kafka.send_transactional('manual_errors_small', string_agg(md5(i::text), ''))).topic FROM generate_series(1, 100) AS i;
\set VERBOSITY terse
SELECT kafka.commit_transaction();
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT state, messages, error FROM kafka.transactions;
SELECT kafka.commit_transaction();
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_transactional('manual_errors', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.abort_transaction();
SELECT state, error IS NULL AS no_error FROM kafka.transactions;
SELECT kafka.begin_transaction('errors-1');
SELECT (kafka.send_transactional('manual_errors', 'next')).topic;
-- caught in PL/pgSQL
DO $$
BEGIN
  PERFORM kafka.begin_transaction('errors-1');
EXCEPTION WHEN invalid_transaction_state THEN
  RAISE NOTICE '%', sqlerrm;
END $$;
SELECT kafka.commit_transaction();
SELECT v FROM manual_errors ORDER BY v;

-- another user, and one without the right to use the server
CREATE ROLE manual_errors_user;
SELECT kafka.begin_transaction('errors-1');
SET ROLE manual_errors_user;
SELECT kafka.begin_transaction('errors-9', 'kafka');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_transaction('errors-1');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.commit_transaction();
\echo :LAST_ERROR_SQLSTATE
SELECT state, error FROM kafka.transactions;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO manual_errors_user;
SET ROLE manual_errors_user;
SELECT kafka.begin_transaction('errors-1');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.begin_transaction('errors-9');
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER kafka FROM manual_errors_user;
SET ROLE manual_errors_user;
SELECT kafka.send_transactional('manual_errors', 'x');
\echo :LAST_ERROR_SQLSTATE
-- what is open can still be ended
SELECT kafka.abort_transaction();
RESET ROLE;
SELECT transactional_id, username = current_user AS me, state FROM kafka.transactions ORDER BY 1;
SELECT kafka.abort_transaction();
DISCARD ALL;
DROP ROLE manual_errors_user;

SELECT deleted FROM kafka.delete_topic(ARRAY['manual_errors', 'manual_errors_small']);
