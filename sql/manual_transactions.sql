-- Kafka transactions by hand: they begin and end when the caller says so, whatever PostgreSQL's
-- transactions do.
SELECT topic FROM kafka.create_topic('manual_transactions', 2);
CREATE FOREIGN TABLE manual_transactions (
  v text,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset'),
  key bytea OPTIONS (meta 'key'),
  headers jsonb OPTIONS (meta 'headers'),
  ts timestamptz OPTIONS (meta 'timestamp')
) SERVER kafka OPTIONS (topic 'manual_transactions');
CREATE VIEW mine AS SELECT transactional_id, server, username = current_user AS me, state,
  since <= clock_timestamp() AS dated, messages, group_ids, error FROM kafka.transactions ORDER BY 1;

SELECT count(*) FROM kafka.transactions;
SELECT kafka.begin_transaction('manual-1');
SELECT * FROM mine;
-- five declarations; nothing is known yet but the topic
SELECT kafka.send_transactional('manual_transactions', 'text', 'k', '{"h": "1"}', 1, '2026-01-01 00:00Z');
SELECT kafka.send_transactional('manual_transactions', '\x6279746573'::bytea, key => 'k', partition => 1);
SELECT kafka.send_transactional('manual_transactions', '{"a": 1}'::json, partition => 1);
SELECT kafka.send_transactional('manual_transactions', '{"a":2}'::jsonb, partition => 1);
SELECT kafka.send_transactional('manual_transactions', '\x62'::bytea, '\x00ff'::bytea, partition => 1);
SELECT kafka.send_transactional('manual_transactions', NULL::text, 'tombstone', partition => 1, transactional_id => 'manual-1', server => 'kafka');
SELECT count(*) FROM manual_transactions;
SELECT kafka.transaction_state();
SELECT * FROM mine;
SELECT kafka.commit_transaction();
SELECT kafka.transaction_state('manual-1');
-- read at once by the session that sent it
SELECT key, headers, ts = '2026-01-01 00:00Z' AS ts, v IS NULL AS tombstone, octet_length(v)
  FROM manual_transactions ORDER BY part, offs;
SELECT * FROM mine;

-- the same id again, many times; the client is one and the same
SELECT kafka.begin_transaction('manual-1');
SELECT (kafka.send_transactional('manual_transactions', 'again')).topic;
SELECT kafka.commit_transaction();
DO $$
BEGIN
  FOR i IN 1 .. 20 LOOP
    PERFORM kafka.begin_transaction('manual-1');
    PERFORM kafka.send_transactional('manual_transactions', 'loop ' || i);
    PERFORM kafka.commit_transaction();
  END LOOP;
END $$;
SELECT count(*) FROM manual_transactions WHERE v LIKE 'loop %';
SELECT count(*), bool_or(in_use) AS in_use FROM kafka.clients WHERE transactional_id = 'manual-1';

-- abort, and again
SELECT kafka.begin_transaction('manual-1');
SELECT count(kafka.send_transactional('manual_transactions', 'aborted ' || i)) FROM generate_series(1, 100) AS i;
SELECT kafka.abort_transaction();
SELECT kafka.transaction_state();
SELECT count(*) FROM kafka.clients WHERE transactional_id = 'manual-1';
SELECT kafka.begin_transaction('manual-1');
SELECT (kafka.send_transactional('manual_transactions', 'after abort')).topic;
SELECT kafka.commit_transaction('manual-1');
SELECT v FROM manual_transactions WHERE v LIKE 'a%' ORDER BY v;
-- without a message
SELECT kafka.begin_transaction('manual-1');
SELECT kafka.commit_transaction();
SELECT kafka.begin_transaction('manual-1');
SELECT kafka.abort_transaction();

-- PostgreSQL's ROLLBACK does not touch it, nor does its COMMIT
BEGIN;
SELECT kafka.begin_transaction('manual-1');
SAVEPOINT s;
SELECT (kafka.send_transactional('manual_transactions', 'rolled back in PostgreSQL')).topic;
ROLLBACK TO s;
ROLLBACK;
SELECT state, messages FROM mine;
BEGIN;
SELECT (kafka.send_transactional('manual_transactions', 'rolled back in PostgreSQL, too')).topic;
SELECT 1 / 0;
ROLLBACK;
BEGIN;
SELECT (kafka.send_transactional('manual_transactions', 'committed in PostgreSQL')).topic;
SELECT (kafka.produce('manual_transactions', 'produced', delivery => 'before_commit')).topic;
COMMIT;
-- 'produced' may stand behind the open transaction
SELECT count(*) FROM manual_transactions WHERE v LIKE '%PostgreSQL%';
SELECT kafka.commit_transaction();
SELECT v FROM manual_transactions WHERE v LIKE '%PostgreSQL%' OR v = 'produced' ORDER BY v;

-- two at a time
SELECT kafka.begin_transaction('manual-1'), kafka.begin_transaction('manual-2');
SELECT (kafka.send_transactional('manual_transactions', 'one of two', transactional_id => 'manual-1')).topic;
SELECT (kafka.send_transactional('manual_transactions', 'two of two', transactional_id => 'manual-2')).topic;
SELECT kafka.abort_transaction('manual-1');
-- now there is one open
SELECT kafka.transaction_state();
SELECT kafka.commit_transaction();
SELECT v FROM manual_transactions WHERE v LIKE '%of two' ORDER BY v;
SELECT transactional_id, state FROM mine;

-- close: aborts what is open, and the id is forgotten
SELECT kafka.begin_transaction('manual-1');
SELECT (kafka.send_transactional('manual_transactions', 'closed')).topic;
SELECT kafka.close_transaction();
SELECT transactional_id, state FROM mine;
SELECT kafka.close_transaction('manual-2');
SELECT count(*) FROM kafka.clients WHERE transactional_id LIKE 'manual%';

-- DISCARD ALL, as poolers say it
SELECT kafka.begin_transaction('manual-1'), kafka.begin_transaction('manual-2');
SELECT (kafka.send_transactional('manual_transactions', 'discarded', transactional_id => 'manual-1')).topic;
DISCARD ALL;
SELECT count(*) FROM kafka.transactions;
SELECT count(*) FROM kafka.clients;
SELECT kafka.begin_transaction('manual-1');
SELECT kafka.commit_transaction();
SELECT v FROM manual_transactions WHERE v IN ('closed', 'discarded');

-- what readers see is what was committed, and nothing holds them back
SELECT bool_and(high = last_stable) AS all_ended FROM kafka.watermarks('manual_transactions');
DROP VIEW mine;
SELECT deleted FROM kafka.delete_topic('manual_transactions');
