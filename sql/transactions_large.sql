-- A transaction that is larger than kafka_fdw.send_buffer: what is beyond goes to a file.
SELECT * FROM kafka.create_topic('transactions_large', 2);
CREATE FOREIGN TABLE transactions_large (
  id int, filler text,
  k text OPTIONS (meta 'key'), h jsonb OPTIONS (meta 'headers'),
  part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'transactions_large', format 'json');
SET kafka_fdw.send_buffer = '64kB';

-- some 8 MB; savepoints are rolled back in the memory's part, over the border, and in the file's part
BEGIN;
INSERT INTO transactions_large (id, filler, part) SELECT i, repeat('x', 1000), 0 FROM generate_series(1, 10) AS i;
SAVEPOINT memory;
INSERT INTO transactions_large (id, filler, part) SELECT -i, repeat('x', 1000), 0 FROM generate_series(1, 10) AS i;
ROLLBACK TO memory;
SAVEPOINT border;
INSERT INTO transactions_large (id, filler, part) SELECT -i, repeat('x', 1000), 0 FROM generate_series(1, 1000) AS i;
ROLLBACK TO border;
INSERT INTO transactions_large (id, filler, part, k, h) SELECT i, repeat('y', 1000 + i % 7), 0, 'k' || i, jsonb_build_object('h', i)
  FROM generate_series(11, 4000) AS i;
SAVEPOINT file;
INSERT INTO transactions_large (id, filler, part) SELECT -i, repeat('x', 1000), 0 FROM generate_series(1, 2000) AS i;
SAVEPOINT deeper;
INSERT INTO transactions_large (id, filler, part) VALUES (-1, repeat('z', 900000), 0);
RELEASE deeper;
ROLLBACK TO file;
INSERT INTO transactions_large (id, filler, part) SELECT i, repeat('z', 1000), 0 FROM generate_series(4001, 6000) AS i;
RELEASE file;
SAVEPOINT again;
INSERT INTO transactions_large (id, filler, part) VALUES (-1, repeat('z', 900000), 0);
ROLLBACK TO again;
-- one that is larger than the buffer, an empty one, a tombstone
INSERT INTO transactions_large (id, filler, part) VALUES (6001, repeat('w', 900000), 0), (6002, '', 0);
INSERT INTO transactions_large (k, part) VALUES ('tombstone', 0);
SELECT count(*) FROM transactions_large;
COMMIT;
SELECT count(*), count(id), count(DISTINCT id), min(id), max(id), sum(id) FROM transactions_large;
-- in order, each with what belongs to it
SELECT count(*) FILTER (WHERE id <> place) AS out_of_order,
       count(*) FILTER (WHERE length(filler) <> CASE WHEN id <= 10 OR id BETWEEN 4001 AND 6000 THEN 1000 WHEN id <= 4000 THEN 1000 + id % 7
                                                WHEN id = 6001 THEN 900000 ELSE 0 END) AS wrong_length,
       count(*) FILTER (WHERE (k, h ->> 'h') IS DISTINCT FROM
                        CASE WHEN id BETWEEN 11 AND 4000 THEN ('k' || id, id::text) ELSE (NULL::text, NULL::text) END) AS wrong_key_or_header
  FROM (SELECT *, row_number() OVER (ORDER BY offs) AS place FROM transactions_large) s WHERE id IS NOT NULL;
SELECT k, id FROM transactions_large WHERE k = 'tombstone';

-- ROLLBACK leaves nothing, and the next transaction starts afresh
BEGIN;
INSERT INTO transactions_large (id, filler, part) SELECT -i, repeat('x', 1000), 1 FROM generate_series(1, 3000) AS i;
ROLLBACK;
INSERT INTO transactions_large (id, part) VALUES (7000, 1);
BEGIN;
SAVEPOINT s;
INSERT INTO transactions_large (id, filler, part) SELECT -i, repeat('x', 1000), 1 FROM generate_series(1, 3000) AS i;
ROLLBACK TO s;
INSERT INTO transactions_large (id, filler, part) SELECT 7000 + i, repeat('x', 1000), 1 FROM generate_series(1, 3000) AS i;
COMMIT;
SELECT count(*), min(id), max(id), sum(id) FROM transactions_large WHERE part = 1;
-- an exception block for each row
DO $$
BEGIN
  FOR i IN 1 .. 1000 LOOP
    BEGIN
      PERFORM kafka.produce('transactions_large', json_build_object('id', CASE WHEN i % 3 = 0 THEN -i ELSE 20000 + i END, 'filler', repeat('e', 500)), partition => 1);
      IF i % 3 = 0 THEN
        RAISE EXCEPTION 'no';
      END IF;
    EXCEPTION WHEN raise_exception THEN
      NULL;
    END;
  END LOOP;
END $$;
SELECT count(*), min(id), max(id), sum(id) FROM transactions_large WHERE id > 20000;
SELECT count(*) FROM transactions_large WHERE id < 0;
-- many messages at once, more than librdkafka's queue takes
RESET kafka_fdw.send_buffer;
CREATE FOREIGN TABLE transactions_large_many (v int) SERVER kafka OPTIONS (topic 'transactions_large_many', format 'csv');
SELECT * FROM kafka.create_topic('transactions_large_many', 3);
INSERT INTO transactions_large_many SELECT generate_series(1, 250000);
SELECT count(*), count(DISTINCT v), sum(v) FROM transactions_large_many;
ALTER FOREIGN TABLE transactions_large_many OPTIONS (ADD delivery 'immediate');
INSERT INTO transactions_large_many SELECT generate_series(250001, 500000);
SELECT count(*), count(DISTINCT v), sum(v) FROM transactions_large_many;
SELECT deleted FROM kafka.delete_topic(ARRAY['transactions_large', 'transactions_large_many']);
