-- librdkafka's statistics as rows. Off until they are asked for; what they say; how they end.
\set VERBOSITY terse
SELECT * FROM kafka.create_topic('care_statistics', 2);
CREATE FOREIGN TABLE care_statistics (v text, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'care_statistics');
-- until a question has the answer "true"; the documents come from another thread
CREATE PROCEDURE care_statistics_await(question text) LANGUAGE plpgsql AS $$
DECLARE
  answer boolean;
  deadline timestamptz := clock_timestamp() + '20 s';
BEGIN
  LOOP
    EXECUTE 'SELECT ' || question INTO answer;
    EXIT WHEN answer;
    IF clock_timestamp() > deadline THEN
      RAISE EXCEPTION 'not in 20 s: %', question;
    END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
-- off: no statistics, and nothing said
SHOW kafka_fdw.statistics_interval;
INSERT INTO care_statistics SELECT 'message ' || i, i % 2 FROM generate_series(1, 100) i;
SELECT count(*) > 0 AS clients, count(client) = count(*) AS named, count(as_of), count(messages_queued), count(producer_id) FROM kafka.clients;
SELECT count(*) FROM kafka.client_brokers;
SELECT count(*) FROM kafka.client_topics;
\set VERBOSITY sqlstate
SET kafka_fdw.statistics_interval = '-1';
\set VERBOSITY terse
SET kafka_fdw.statistics_interval = '100ms';
-- connections that there were stay as they are; new ones have statistics
SELECT count(as_of) FROM kafka.clients;
INSERT INTO care_statistics SELECT 'message ' || i, i % 2 FROM generate_series(1, 100) i;
SELECT count(*) FROM care_statistics;
CALL care_statistics_await($$sum(messages_sent) = 100 AND bool_and(messages_queued = 0 AND messages_in_flight = 0) FROM kafka.client_topics
  WHERE purpose = 'transactional producer' AND topic = 'care_statistics'$$);
CALL care_statistics_await($$count(*) = 2 AND sum(messages_received) >= 200 AND sum(bytes_received) > 0 FROM kafka.client_topics
  WHERE purpose IN ('scan', 'lookup') AND topic = 'care_statistics'$$);
CALL care_statistics_await($$count(*) > 0 AND bool_and(idempotence_state = 'Assigned' AND transaction_state = 'Ready' AND messages_queued = 0)
  FROM kafka.clients WHERE purpose = 'transactional producer' AND as_of IS NOT NULL$$);
CALL care_statistics_await($$count(*) FILTER (WHERE state = 'UP' AND broker_id IS NOT NULL AND bytes_sent > 0 AND bytes_received > 0 AND requests_sent > 0
  AND responses > 0 AND connects > 0) > 0 FROM kafka.client_brokers WHERE purpose = 'transactional producer'$$);
SELECT bool_and(broker = (SELECT split_part(o, '=', 2) FROM pg_foreign_server, unnest(srvoptions) o WHERE srvname = 'kafka' AND o ~ '^(brokers|bootstrap_servers)='))
  FROM kafka.client_brokers WHERE broker_id IS NOT NULL;
SELECT DISTINCT server, username = CURRENT_USER AS me, purpose, state, state_age BETWEEN '0' AND '1 h' AS aged,
       as_of BETWEEN now() - interval '1 min' AND clock_timestamp() + interval '1 s' AS fresh
  FROM kafka.client_brokers WHERE purpose IN ('lookup', 'transactional producer') AND broker_id IS NOT NULL ORDER BY purpose;
SELECT producer_id >= 0 AS id, producer_epoch >= 0 AS epoch, replies_waiting >= 0 AS replies, client LIKE 'kafka_fdw#producer-%' AS name
  FROM kafka.clients WHERE purpose = 'transactional producer' AND as_of IS NOT NULL ORDER BY 1 LIMIT 1;
SELECT partition, leader IS NOT NULL AS leader, messages_sent, bytes_sent, messages_queued, fetch_state, next_offset, committed_offset, lag
  FROM kafka.client_topics WHERE purpose = 'transactional producer' AND topic = 'care_statistics' AND messages_sent > 0 ORDER BY 1;
-- a scan: where it stands; nothing is committed, so there is no lag
CALL care_statistics_await($$count(*) = 2 AND bool_and(high >= 100 AND last_stable >= 100 AND low = 0) FROM kafka.client_topics
  WHERE purpose IN ('scan', 'lookup') AND topic = 'care_statistics'$$);
SELECT partition, messages_fetched, bytes_fetched, committed_offset, lag
  FROM kafka.client_topics WHERE purpose IN ('scan', 'lookup') AND topic = 'care_statistics' ORDER BY 1;
-- round trips of the last interval, in milliseconds
CALL care_statistics_await($$(SELECT count(*) FROM care_statistics) > 0 AND count(*) > 0 FROM kafka.client_brokers
  WHERE rtt_avg_ms > 0 AND rtt_avg_ms < 20000 AND rtt_max_ms >= rtt_avg_ms AND throttle_max_ms IS DISTINCT FROM -1$$);
-- one Kafka transaction by hand: its state is seen as it is
SELECT kafka.begin_transaction('care_statistics');
SELECT (kafka.send_transactional('care_statistics', 'by hand', transactional_id => 'care_statistics')).topic;
CALL care_statistics_await($$count(*) = 1 FROM kafka.clients WHERE transactional_id = 'care_statistics' AND transaction_state = 'InTransaction'$$);
SELECT kafka.commit_transaction('care_statistics');
SELECT kafka.close_transaction('care_statistics');
SELECT count(*) FROM kafka.clients WHERE transactional_id = 'care_statistics';
-- sending goes on while statistics are taken: every delivery is reported
SET kafka_fdw.statistics_interval = '1ms';
ALTER FOREIGN TABLE care_statistics OPTIONS (ADD delivery 'immediate');
INSERT INTO care_statistics SELECT 'immediate ' || i, i % 2 FROM generate_series(1, 20000) i;
SELECT count(*), count(DISTINCT v) FROM care_statistics WHERE v LIKE 'immediate %';
CALL care_statistics_await($$sum(messages_sent) = 20000 FROM kafka.client_topics WHERE purpose = 'producer' AND topic = 'care_statistics'$$);
-- a session that does nothing: the documents do not pile up in librdkafka's queue (the last says how many were there),
-- and what takes them leaves a delivery report for the session
SELECT kafka.begin_transaction('care_statistics');
SELECT (kafka.send_transactional('care_statistics', 'by hand', transactional_id => 'care_statistics')).topic;
SELECT pg_sleep(1);
SELECT kafka.commit_transaction('care_statistics');
SELECT kafka.close_transaction('care_statistics');
SELECT max(replies_waiting) < 400 AS few, bool_and(as_of > started + interval '1 s') AS recent FROM kafka.clients WHERE purpose = 'producer' AND as_of IS NOT NULL;
-- the server's own option goes before the setting
RESET kafka_fdw.statistics_interval;
ALTER SERVER kafka OPTIONS (ADD statistics_interval_ms '50', ADD client_id 'care');
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'care_statistics';
CALL care_statistics_await($$count(*) = 1 FROM kafka.clients WHERE client LIKE 'care#consumer-%' AND as_of IS NOT NULL$$);
-- librdkafka does not escape the client's name: such a document cannot be read, and that is said
ALTER SERVER kafka OPTIONS (SET client_id 'ca"re');
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'care_statistics';
SELECT pg_sleep(1);
SELECT count(*) FROM kafka.client_brokers WHERE client LIKE 'ca"re%';
SET client_min_messages = error;
SELECT count(*) > 0 AS there, count(as_of), count(messages_queued) FROM kafka.clients WHERE client LIKE 'ca"re%';
RESET client_min_messages;
ALTER SERVER kafka OPTIONS (DROP statistics_interval_ms, DROP client_id);
-- what was stale goes with the next connection; DISCARD ALL leaves nothing
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'care_statistics';
SELECT count(*) FROM kafka.clients WHERE client LIKE 'ca%';
DISCARD ALL;
SELECT count(*) FROM kafka.clients;
SELECT count(*) FROM kafka.client_brokers;
-- anybody may look, and sees this session's only
CREATE ROLE care_statistics_role;
SET ROLE care_statistics_role;
SELECT count(*) FROM kafka.client_topics;
RESET ROLE;
DROP ROLE care_statistics_role;
DROP PROCEDURE care_statistics_await;
DROP FOREIGN TABLE care_statistics;
SELECT topic, deleted FROM kafka.delete_topic('care_statistics');
