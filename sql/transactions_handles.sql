-- One transactional producer at a time, whatever changes in the session: never two that fence each other.
SELECT * FROM kafka.create_topic('transactions_handles', 1);
CREATE FOREIGN TABLE transactions_handles (v text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'transactions_handles');
-- a setting that the producer depends on, there and back
INSERT INTO transactions_handles VALUES ('1: default');
SET kafka_fdw.commit_timeout = '20s';
INSERT INTO transactions_handles VALUES ('2: 20s');
RESET kafka_fdw.commit_timeout;
INSERT INTO transactions_handles VALUES ('3: default');
SET kafka_fdw.commit_timeout = '20s';
INSERT INTO transactions_handles VALUES ('4: 20s');
RESET kafka_fdw.commit_timeout;
-- the server's options, there and back
ALTER SERVER kafka OPTIONS (ADD linger_ms '1');
INSERT INTO transactions_handles VALUES ('5: linger');
ALTER SERVER kafka OPTIONS (DROP linger_ms);
INSERT INTO transactions_handles VALUES ('6: no linger');
BEGIN;
ALTER SERVER kafka OPTIONS (ADD linger_ms '2');
INSERT INTO transactions_handles VALUES ('7: linger 2');
COMMIT;
ALTER SERVER kafka OPTIONS (SET linger_ms '1');
INSERT INTO transactions_handles VALUES ('8: linger');
ALTER SERVER kafka OPTIONS (DROP linger_ms);
INSERT INTO transactions_handles VALUES ('9: no linger');
-- another user, who has a producer of their own in the same transaction
CREATE ROLE transactions_handles_role;
GRANT USAGE ON FOREIGN SERVER kafka TO transactions_handles_role;
BEGIN;
SELECT (kafka.produce('transactions_handles', 'a: first user')).topic;
SET LOCAL ROLE transactions_handles_role;
SELECT (kafka.produce('transactions_handles', 'b: second user')).topic;
RESET ROLE;
SELECT (kafka.produce('transactions_handles', 'c: first user')).topic;
COMMIT;
SET ROLE transactions_handles_role;
SELECT (kafka.produce('transactions_handles', 'd: second user')).topic;
RESET ROLE;
SELECT (kafka.produce('transactions_handles', 'e: first user')).topic;
-- a mapping that comes and goes
CREATE USER MAPPING FOR CURRENT_USER SERVER kafka OPTIONS (sasl_username 'nobody');
SELECT (kafka.produce('transactions_handles', 'f: mapped')).topic;
DROP USER MAPPING FOR CURRENT_USER SERVER kafka;
SELECT (kafka.produce('transactions_handles', 'g: not mapped')).topic;
-- options of a table that only a reader has make no second producer
CREATE FOREIGN TABLE transactions_handles_reader (v text) SERVER kafka
  OPTIONS (topic 'transactions_handles', fetch_wait_max_ms '5', isolation_level 'read_uncommitted');
BEGIN;
INSERT INTO transactions_handles_reader VALUES ('h: table with options');
INSERT INTO transactions_handles VALUES ('i: table without');
COMMIT;
-- two sessions one after the other may have the same slot
\c -
SELECT (kafka.produce('transactions_handles', 'j: next session')).topic;
\c -
SELECT (kafka.produce('transactions_handles', 'k: and the next')).topic;
-- after a COMMIT that fails in Kafka (the topic takes no such message) the next one works
SELECT created FROM kafka.create_topic('transactions_handles_small', 1, config => '{"max.message.bytes": 1000}');
\set VERBOSITY terse
BEGIN;
SELECT (kafka.produce('transactions_handles', 'never')).topic;
SELECT (kafka.produce('transactions_handles_small', repeat('x', 5000))).topic;
COMMIT;
SELECT (kafka.produce('transactions_handles', 'l: after a failure')).topic;
SELECT v FROM transactions_handles ORDER BY v COLLATE "C";
-- a hundred transactions in a row use one producer
CREATE PROCEDURE transactions_handles_many() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 100 LOOP
    PERFORM kafka.produce('transactions_handles', 'many');
    COMMIT;
  END LOOP;
END $$;
CALL transactions_handles_many();
SELECT count(*) FROM transactions_handles WHERE v = 'many';
REVOKE ALL ON FOREIGN SERVER kafka FROM transactions_handles_role;
DROP ROLE transactions_handles_role;
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['transactions_handles', 'transactions_handles_small']);
