-- What a topic cannot do is refused with a HINT; what a view in front of it can.
SELECT topic FROM kafka.create_topic('producer_refused', 1);
CREATE FOREIGN TABLE producer_refused (id int, v text) SERVER kafka OPTIONS (topic 'producer_refused', format 'json', delivery 'immediate');
CREATE VIEW producer_refused_view AS SELECT * FROM producer_refused;
UPDATE producer_refused SET v = 'x';
\echo :LAST_ERROR_SQLSTATE
UPDATE producer_refused_view SET v = 'x' WHERE id = 1;
WITH gone AS (DELETE FROM producer_refused RETURNING *) SELECT * FROM gone;
\echo :LAST_ERROR_SQLSTATE
EXPLAIN DELETE FROM producer_refused_view;
TRUNCATE producer_refused;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_refused VALUES (1, 'x') ON CONFLICT DO NOTHING;
\echo :LAST_ERROR_SQLSTATE
MERGE INTO producer_refused t USING (SELECT 1 AS i) s ON t.id = s.i WHEN NOT MATCHED THEN INSERT VALUES (1, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM producer_refused;
-- INSERT is all that it says it can
SELECT is_insertable_into, is_updatable FROM information_schema.views WHERE table_name = 'producer_refused_view';
SELECT pg_relation_is_updatable('producer_refused', false) AS events;

-- under a parent the other partitions are still changed
CREATE TABLE producer_refused_parent (id int, v text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE producer_refused_part PARTITION OF producer_refused_parent FOR VALUES FROM (1) TO (100)
  SERVER kafka OPTIONS (topic 'producer_refused', format 'json', delivery 'immediate', batch_size '3');
CREATE TABLE producer_refused_local PARTITION OF producer_refused_parent DEFAULT;
INSERT INTO producer_refused_parent VALUES (1, 'sent'), (100, 'kept'), (2, 'sent'), (3, 'sent'), (4, 'sent'), (101, 'kept');
UPDATE producer_refused_parent SET v = 'changed' WHERE id = 100;
DELETE FROM producer_refused_parent WHERE id = 101;
UPDATE producer_refused_parent SET v = 'changed' WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM producer_refused_parent;
TRUNCATE producer_refused_parent;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_refused_parent VALUES (5, 'conflict') ON CONFLICT DO NOTHING;
\echo :LAST_ERROR_SQLSTATE
PREPARE change(int) AS UPDATE producer_refused_parent SET v = 'changed' WHERE id = $1;
SET plan_cache_mode = force_custom_plan;
EXECUTE change(100);
RESET plan_cache_mode;
UPDATE producer_refused_parent SET id = 6 WHERE id = 100;
SELECT tableoid::regclass, * FROM producer_refused_parent ORDER BY id;

-- INSTEAD OF triggers of a view
CREATE FUNCTION producer_refused_instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN INSERT INTO producer_refused VALUES (OLD.id, 'deleted'); RETURN OLD; END IF;
  INSERT INTO producer_refused VALUES (NEW.id, lower(TG_OP));
  RETURN NEW;
END $$;
CREATE TRIGGER i INSTEAD OF INSERT OR UPDATE OR DELETE ON producer_refused_view FOR EACH ROW EXECUTE FUNCTION producer_refused_instead();
INSERT INTO producer_refused_view VALUES (20, 'x') RETURNING *;
UPDATE producer_refused_view SET v = 'y' WHERE id = 20;
DELETE FROM producer_refused_view WHERE id = 2;
SELECT * FROM producer_refused WHERE id = 20 OR v = 'deleted' ORDER BY id, v;
-- WITH CHECK OPTION
CREATE VIEW producer_refused_check AS SELECT * FROM producer_refused WHERE id > 50 WITH CHECK OPTION;
INSERT INTO producer_refused_check VALUES (51, 'checked'), (1, 'fails');
\echo :LAST_ERROR_SQLSTATE

-- batch_size: the same messages; one by one where rows are looked at
ALTER FOREIGN TABLE producer_refused OPTIONS (ADD batch_size '7', SET delivery 'before_commit');
INSERT INTO producer_refused SELECT 1000 + i, 'batched' FROM generate_series(1, 100) AS i;
SELECT count(*), count(DISTINCT id), sum(id) FROM producer_refused WHERE v = 'batched';
INSERT INTO producer_refused SELECT i, 'failed' FROM generate_series(-10, 10) AS i WHERE 1 / i < 2;
SELECT count(*) FROM producer_refused WHERE v = 'failed';
COPY producer_refused FROM STDIN (FORMAT csv);
2001,copied
2002,copied
x,copied
\.
COPY producer_refused FROM STDIN (FORMAT csv);
2003,copied
2004,copied
\.
SELECT id FROM producer_refused WHERE v = 'copied' ORDER BY id;
-- how many were sent when a row is computed: by threes, and one by one with RETURNING
CREATE FOREIGN TABLE producer_refused_sizes (v text) SERVER kafka OPTIONS (topic 'producer_refused', delivery 'immediate', batch_size '3', linger_ms '60000');
INSERT INTO producer_refused_sizes SELECT i || ' behind ' || kafka.flush('0') FROM generate_series(1, 7) AS i;
INSERT INTO producer_refused_sizes SELECT 'after ' || kafka.flush('0') FROM generate_series(1, 2) AS i RETURNING v;
SELECT v FROM producer_refused_sizes WHERE v LIKE '% behind %' ORDER BY v;
CREATE FUNCTION producer_refused_after() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''after %'', NEW.id; RETURN NULL; END';
CREATE TRIGGER a AFTER INSERT ON producer_refused FOR EACH ROW EXECUTE FUNCTION producer_refused_after();
INSERT INTO producer_refused SELECT i, 'after' FROM generate_series(3001, 3002) AS i;
INSERT INTO producer_refused VALUES (3003, 'r'), (3004, 'r') RETURNING id;
SELECT deleted FROM kafka.delete_topic('producer_refused');
