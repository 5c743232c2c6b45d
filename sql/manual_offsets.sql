-- Exactly once from topic to topic by hand: messages out and the group's offsets in, in one Kafka
-- transaction.
SELECT topic FROM kafka.create_topic('manual_offsets_in', 2);
SELECT topic FROM kafka.create_topic('manual_offsets_out', 1);
CREATE FOREIGN TABLE orders_in (
  id int, amount numeric,
  part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'manual_offsets_in', format 'json');
CREATE FOREIGN TABLE orders_out (v text) SERVER kafka OPTIONS (topic 'manual_offsets_out');
-- Kafka's own topic of committed offsets, as a record of what the group was given: the key has the
-- group, the topic and the partition, the value begins with a version and the offset
CREATE FOREIGN TABLE group_log (
  key bytea OPTIONS (meta 'key'), value bytea OPTIONS (meta 'value'),
  part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic '__consumer_offsets', format 'bytes');
CREATE VIEW group_offsets AS
  SELECT (get_byte(key, octet_length(key) - 1)) AS partition,
         ('x' || encode(substring(value FROM 3 FOR 8), 'hex'))::bit(64)::bigint AS committed,
         position('noted'::bytea IN value) > 0 AS has_metadata
    FROM group_log WHERE position('manual_offsets_group'::bytea IN key) > 0 AND value IS NOT NULL
   ORDER BY offs;

-- kafka.watermarks does not wait for what the session has sent
SET kafka_fdw.commit_wait = 'visible';
INSERT INTO orders_in (id, amount, part) SELECT i, i * 10, i % 2 FROM generate_series(1, 10) AS i;

-- consume, transform, produce
CREATE TABLE progress (part int PRIMARY KEY, next bigint NOT NULL);
INSERT INTO progress VALUES (0, 0), (1, 0);
CREATE PROCEDURE transform(fail boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE
  ends kafka.topic_partition[];
BEGIN
  PERFORM kafka.begin_transaction('manual-offsets');
  SELECT array_agg(ROW('manual_offsets_in', w.partition, w.last_stable, 'noted')::kafka.topic_partition)
    INTO ends FROM kafka.watermarks('manual_offsets_in') AS w;
  PERFORM kafka.send_transactional('manual_offsets_out', i.id || ' doubled is ' || i.amount * 2)
     FROM orders_in AS i JOIN progress AS p USING (part)
     JOIN unnest(ends) AS e ON e.partition = i.part
    WHERE i.offs >= p.next AND i.offs < e."offset";
  PERFORM kafka.send_offsets_to_transaction('manual_offsets_group', ends);
  IF fail THEN
    PERFORM kafka.abort_transaction();
  ELSE
    PERFORM kafka.commit_transaction();
    UPDATE progress SET next = e."offset" FROM unnest(ends) AS e WHERE e.partition = part;
  END IF;
END $$;
CALL transform(fail => true);
SELECT count(*) FROM orders_out;
SELECT count(*) FROM group_offsets;
SELECT messages, group_ids, state FROM kafka.transactions;
CALL transform();
SELECT v FROM orders_out ORDER BY v COLLATE "C";
CALL transform();
INSERT INTO orders_in (id, amount, part) VALUES (11, 1, 0);
CALL transform();
SELECT count(*), count(DISTINCT v) FROM orders_out;
SELECT state, messages, group_ids FROM kafka.transactions;
-- a commit is answered some milliseconds before everybody sees it
DO $$
BEGIN
  FOR i IN 1 .. 1000 LOOP
    EXIT WHEN (SELECT max(committed) FROM group_offsets) = 8;
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
-- 5 messages and the end of their transaction in each partition, one more in the first at last
SELECT partition, max(committed) AS committed, bool_and(has_metadata) AS has_metadata FROM group_offsets GROUP BY 1 ORDER BY 1;
SELECT partition, last_stable FROM kafka.watermarks('manual_offsets_in') ORDER BY 1;

-- what is refused leaves the transaction as it was
SELECT kafka.begin_transaction('manual-offsets');
\set VERBOSITY terse
SELECT kafka.send_offsets_to_transaction(NULL, '{}');
SELECT kafka.send_offsets_to_transaction('', '{}');
SELECT kafka.send_offsets_to_transaction('g', NULL);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[NULL]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[(NULL, 0, 1, NULL)]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_offsets_in', NULL, 1, NULL)]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_offsets_in', 0, NULL, NULL)]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_offsets_in', 0, -1, NULL)]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_offsets_in', 2, 1, NULL)]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_offsets_none', 0, 1, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual_offsets_in', 0, 1, NULL), ('manual_offsets_in', 1, 1, NULL), ('manual_offsets_in', 0, 2, NULL)]::kafka.topic_partition[]);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT state, error, group_ids FROM kafka.transactions;
SELECT kafka.send_offsets_to_transaction('g', '{}');
-- two groups, one of them twice
SELECT kafka.send_offsets_to_transaction('manual_offsets_g2', ARRAY[('manual_offsets_in', 0, 1, NULL)]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('manual_offsets_g2', ARRAY[('manual_offsets_in', 0, 123456789012, repeat('m', 1000))]::kafka.topic_partition[]);
SELECT kafka.send_offsets_to_transaction('manual_offsets_g3', ARRAY[('manual_offsets_in', 1, 0, '')]::kafka.topic_partition[]);
SELECT group_ids FROM kafka.transactions;
SELECT kafka.commit_transaction();
DISCARD ALL;
DROP PROCEDURE transform;
DROP TABLE progress;
SELECT count(*) FROM kafka.delete_topic(ARRAY['manual_offsets_in', 'manual_offsets_out']) AS d WHERE d.deleted;
