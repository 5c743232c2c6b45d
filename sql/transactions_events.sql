-- Triggers, deferred constraints, procedures with COMMIT, two servers: what else takes part in a transaction.
SELECT * FROM kafka.create_topic('transactions_events', 1);
CREATE FOREIGN TABLE transactions_events (v text, offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'transactions_events');
CREATE TABLE orders (id int PRIMARY KEY, note text);
-- a row trigger: the order and its message, or neither
CREATE FUNCTION orders_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM kafka.produce('transactions_events', lower(TG_OP) || ' ' || COALESCE(NEW.id, OLD.id), COALESCE(NEW.id, OLD.id)::text);
  RETURN NULL;
END $$;
CREATE TRIGGER event AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION orders_event();
INSERT INTO orders VALUES (1), (2);
UPDATE orders SET note = 'x' WHERE id = 1;
INSERT INTO orders VALUES (3), (1);
BEGIN;
DELETE FROM orders;
ROLLBACK;
INSERT INTO orders VALUES (2), (4) ON CONFLICT DO NOTHING;
DELETE FROM orders WHERE id = 4;
SELECT v FROM transactions_events ORDER BY offs;
SELECT id FROM orders ORDER BY id;

-- a deferred constraint trigger sends while the transaction commits, and can still stop it
CREATE FUNCTION orders_deferred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM kafka.produce('transactions_events', 'deferred ' || NEW.id);
  IF NEW.id = 13 THEN
    RAISE EXCEPTION 'unlucky';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION orders_deferred();
BEGIN;
INSERT INTO orders VALUES (10), (11);
SELECT count(*) FROM transactions_events WHERE v LIKE '% 1_';
COMMIT;
BEGIN;
INSERT INTO orders VALUES (12), (13);
COMMIT;
SELECT v FROM transactions_events WHERE v LIKE '% 1_' ORDER BY offs;
SELECT count(*) FROM orders WHERE id > 11;
-- a deferred unique constraint that fails at COMMIT
CREATE TABLE transactions_unique (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO transactions_unique VALUES (1), (1);
INSERT INTO transactions_events VALUES ('not unique');
COMMIT;
SELECT count(*) FROM transactions_events WHERE v = 'not unique';

-- a procedure that commits and rolls back
CREATE PROCEDURE transactions_steps() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 6 LOOP
    INSERT INTO transactions_events VALUES ('step ' || i);
    INSERT INTO orders VALUES (100 + i);
    IF i % 3 = 0 THEN
      ROLLBACK;
    ELSE
      COMMIT;
    END IF;
  END LOOP;
  PERFORM kafka.produce('transactions_events', 'step end');
END $$;
CALL transactions_steps();
SELECT v FROM transactions_events WHERE v LIKE 'step%' ORDER BY offs;
SELECT count(*) FROM transactions_events WHERE v ~ '(insert|deferred) 10[0-9]';

-- two servers, two topics, one transaction: each has its part
\getenv brokers KAFKA_BROKERS
CREATE SERVER transactions_second FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
SET kafka_fdw.server = 'kafka';
SELECT * FROM kafka.create_topic('transactions_events_second', 1);
CREATE FOREIGN TABLE transactions_events_second (v text) SERVER kafka OPTIONS (topic 'transactions_events_second');
CREATE FOREIGN TABLE transactions_second (v text) SERVER transactions_second OPTIONS (topic 'transactions_events_second');
BEGIN;
INSERT INTO transactions_events VALUES ('two: first');
INSERT INTO transactions_second VALUES ('two: second');
SELECT (kafka.produce('transactions_events_second', 'two: through the first')).topic;
SAVEPOINT s;
INSERT INTO transactions_second VALUES ('two: gone');
ROLLBACK TO s;
COMMIT;
-- (through the server that sent it, a session sees its message at once; what went through
-- the other one may lag)
SELECT count(*) FROM transactions_events_second WHERE v = 'two: through the first';
SELECT v FROM transactions_events WHERE v LIKE 'two%' UNION ALL SELECT v FROM transactions_second ORDER BY v;
BEGIN;
INSERT INTO transactions_events VALUES ('two: rolled back');
INSERT INTO transactions_second VALUES ('two: rolled back');
ROLLBACK;
SELECT count(*) FROM (SELECT v FROM transactions_events UNION ALL SELECT v FROM transactions_second) s WHERE v = 'two: rolled back';
-- a part that fails when it is sent (the topic is gone by then) takes all with it
BEGIN;
INSERT INTO transactions_events VALUES ('not alone');
INSERT INTO transactions_second VALUES ('to nowhere');
SELECT deleted FROM kafka.delete_topic('transactions_events_second');
\set VERBOSITY terse
SET LOCAL kafka_fdw.commit_timeout = '3s';
COMMIT;
\set VERBOSITY default
SELECT count(*) FROM transactions_events WHERE v = 'not alone';
-- and the session goes on
INSERT INTO transactions_events VALUES ('alive');
SELECT count(*) FROM transactions_events WHERE v = 'alive';
-- chained transactions
BEGIN;
INSERT INTO transactions_events VALUES ('chain 1');
COMMIT AND CHAIN;
INSERT INTO transactions_events VALUES ('chain 2');
ROLLBACK AND CHAIN;
INSERT INTO transactions_events VALUES ('chain 3');
COMMIT;
SELECT v FROM transactions_events WHERE v LIKE 'chain%' ORDER BY offs;
DROP FOREIGN TABLE transactions_second;
DROP SERVER transactions_second;
SELECT deleted FROM kafka.delete_topic('transactions_events');
