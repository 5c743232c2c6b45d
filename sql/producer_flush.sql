-- kafka.flush and kafka.close_producer.
SELECT topic FROM kafka.create_topic('producer_flush', 1);
CREATE FOREIGN TABLE producer_flush (v text) SERVER kafka OPTIONS (topic 'producer_flush', delivery 'immediate', linger_ms '60000');
-- nothing is under way
SELECT kafka.flush(), kafka.flush('0'), kafka.flush('10 ms', 'kafka'), kafka.flush(server => 'kafka');
-- inside an INSERT: rows wait for linger_ms, flush sends them
CREATE FUNCTION producer_flush_after() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE 'outstanding %, after a flush %', kafka.flush('0'), kafka.flush(); RETURN NULL; END $$;
CREATE TRIGGER f AFTER INSERT ON producer_flush FOR EACH ROW WHEN (NEW.v LIKE '%flush') EXECUTE FUNCTION producer_flush_after();
INSERT INTO producer_flush VALUES ('a'), ('b'), ('c flush'), ('d'), ('e flush');
SELECT v FROM producer_flush ORDER BY v;
-- messages that wait for COMMIT are none of its business
BEGIN;
SELECT topic FROM kafka.produce('producer_flush', 'pending');
SELECT kafka.flush('0'), kafka.flush();
-- but they keep the producer
SELECT kafka.close_producer();
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT topic FROM kafka.produce('producer_flush', 'f');
SELECT kafka.close_producer('kafka') > 0 AS closed, kafka.close_producer() AS again;
SELECT count(*) FROM kafka.clients WHERE purpose LIKE '%producer';
SELECT topic FROM kafka.produce('producer_flush', 'g', delivery => 'immediate');
SELECT count(*) FROM kafka.clients WHERE purpose LIKE '%producer';
-- one that is in use stays
CREATE FUNCTION producer_flush_close() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE 'closed %', kafka.close_producer(); RETURN NULL; END $$;
CREATE TRIGGER c AFTER INSERT ON producer_flush FOR EACH ROW WHEN (NEW.v = 'close') EXECUTE FUNCTION producer_flush_close();
SELECT kafka.close_producer() AS closed;
INSERT INTO producer_flush VALUES ('close'), ('h');
SELECT v FROM producer_flush WHERE v > 'e flush' OR v = 'close' ORDER BY v;
-- arguments
SELECT kafka.flush('-1 s');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.flush(server => 'no_such');
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_producer('no_such');
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE producer_flush_user;
SET ROLE producer_flush_user;
SELECT kafka.flush();
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.close_producer();
RESET ROLE;
DROP ROLE producer_flush_user;
SELECT deleted FROM kafka.delete_topic('producer_flush');
