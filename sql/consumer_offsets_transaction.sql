-- offsets => 'transaction': messages and offsets in one Kafka transaction.
SELECT created FROM kafka.create_topic('consumer_offsets_transaction', 1);
SELECT created FROM kafka.create_topic('consumer_offsets_transaction_out', 1);
CREATE FOREIGN TABLE sent (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'consumer_offsets_transaction_out');
SELECT count(kafka.produce('consumer_offsets_transaction', i::text, delivery => 'immediate')) FROM generate_series(0, 39) AS i;
-- polls n and sends them on
CREATE FUNCTION pass(n int, delivery text DEFAULT NULL) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg((kafka.produce('consumer_offsets_transaction_out', 'passed ' || value, delivery => pass.delivery)).topic || ' ' || value, ' ' ORDER BY "offset")
     FROM kafka.poll_text(n, '10s') $$;
CREATE FUNCTION take(n int) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(value, ' ' ORDER BY "offset") FROM kafka.poll_text(n, '10s') $$;
CREATE FUNCTION at() RETURNS text LANGUAGE sql AS
  $$ SELECT (SELECT coalesce("offset"::text, '-') FROM kafka.position()) || ' ' || (SELECT coalesce("offset"::text, '-') FROM kafka.committed()) $$;
CREATE FUNCTION passed() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(substr(v, 8), ' ' ORDER BY offs) FROM sent $$;
SELECT kafka.subscribe('consumer_offsets_transaction', 'consumer_offsets_transaction', offsets => 'transaction', start => 'earliest');

SELECT pass(2) IS NOT NULL;
SELECT at(), passed();
BEGIN;
SELECT pass(3) IS NOT NULL;
ROLLBACK;
-- after ROLLBACK the same again
SELECT at(), passed();
BEGIN;
SELECT pass(1) IS NOT NULL;
SAVEPOINT s;
SELECT pass(2) IS NOT NULL;
ROLLBACK TO s;
SELECT pass(1) IS NOT NULL;
SELECT at();
COMMIT;
SELECT at(), passed();
-- offsets without messages are a Kafka transaction, too
SELECT take(1);
SELECT at();
-- messages without offsets, and nothing at all
SELECT (kafka.produce('consumer_offsets_transaction_out', 'passed -')).topic;
SELECT count(*) FROM kafka.poll(timeout => '0') WHERE false;
SELECT passed();
-- a foreign table of the same server is fine
BEGIN;
INSERT INTO sent SELECT 'passed ' || value FROM kafka.poll_text(1, '10s');
COMMIT;
SELECT passed();

-- what is sent at once is no part of it, and is there after ROLLBACK, too
BEGIN;
SELECT pass(1, 'immediate') IS NOT NULL;
ROLLBACK;
SELECT at(), passed();
-- rows of tables are not part of it
CREATE TABLE loaded (v text);
BEGIN;
SELECT pass(1) IS NOT NULL;
INSERT INTO loaded VALUES ('x');
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT at(), passed();
-- reading is allowed
BEGIN;
SELECT count(*) FROM loaded;
SELECT pass(1) IS NOT NULL;
COMMIT;
SELECT at(), passed();
-- other modes, other servers
\getenv brokers KAFKA_BROKERS
CREATE SERVER consumer_offsets_transaction_other FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
SET kafka_fdw.server = 'kafka';
BEGIN;
SELECT pass(1, 'after_commit') IS NOT NULL;
COMMIT;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT pass(1) IS NOT NULL;
SELECT (kafka.produce('consumer_offsets_transaction_out', 'passed elsewhere', server => 'consumer_offsets_transaction_other')).topic;
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT at(), passed();
DROP SERVER consumer_offsets_transaction_other;
-- an error in the transaction, then the same again
SELECT pass(1) || (1 / (length(at()) - length(at())))::text;
SELECT pass(1) IS NOT NULL;
SELECT at(), passed();
SELECT kafka.close_consumer();

-- allowed by an option: PostgreSQL's rows beside it
SELECT kafka.subscribe('consumer_offsets_transaction', 'consumer_offsets_transaction', offsets => 'transaction', server => 'kafka',
  options => '{"allow_table_writes": true}');
BEGIN;
SELECT pass(2) IS NOT NULL;
INSERT INTO loaded VALUES ('y');
COMMIT;
SELECT at(), passed(), (SELECT count(*) FROM loaded);
-- many in a row
DO $$
BEGIN
  FOR i IN 1 .. 10 LOOP
    PERFORM pass(1);
    COMMIT;
  END LOOP;
END $$;
SELECT at(), (SELECT count(*) FROM sent);
-- a seek, or a mark, without a message
SELECT kafka.seek('consumer_offsets_transaction', 0, 10);
SELECT at();
SELECT kafka.commit_offsets(ARRAY[('consumer_offsets_transaction', 0, 5, 'marked')]::kafka.topic_partition[]);
SELECT at();
SELECT kafka.close_consumer();
-- a topic without messages: nothing to store
SELECT kafka.subscribe('consumer_offsets_transaction_out', 'consumer_offsets_transaction_new', offsets => 'transaction');
SELECT count(*) FROM kafka.poll(timeout => '4s');
SELECT "offset" FROM kafka.committed();
SELECT kafka.close_consumer();
-- Kafka would not refuse the offsets of one that has been replaced
SELECT kafka.assign('consumer_offsets_transaction', options => '{"group_id": "consumer_offsets_transaction", "offsets": "transaction"}');
DROP TABLE loaded;
RESET kafka_fdw.server;
DROP FUNCTION pass, take, at, passed;
DROP FOREIGN TABLE sent;
SELECT count(*) FROM kafka.delete_topic(ARRAY['consumer_offsets_transaction', 'consumer_offsets_transaction_out']) WHERE deleted;
