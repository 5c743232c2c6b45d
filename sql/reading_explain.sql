-- EXPLAIN of a scan: topic, format, partitions, offsets; with ANALYZE what was read.
SELECT * FROM kafka.create_topic('reading_explain', 3);
CREATE FOREIGN TABLE reading_explain (
  v text,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'reading_explain', delivery 'immediate');
INSERT INTO reading_explain (v, part) SELECT 'v' || i, i % 3 FROM generate_series(1, 30) AS i;
EXPLAIN (COSTS OFF) SELECT * FROM reading_explain;
EXPLAIN (COSTS OFF) SELECT * FROM reading_explain WHERE part = 1 AND offs BETWEEN 2 AND 5;
EXPLAIN (COSTS OFF) SELECT * FROM reading_explain WHERE (part IN (0, 2) AND offs > 7) OR offs = 3;
EXPLAIN (COSTS OFF) SELECT * FROM reading_explain WHERE part < 1 AND part > 2 AND v = 'x';
EXPLAIN (VERBOSE, COSTS OFF) SELECT v FROM reading_explain WHERE offs > 3;
-- it reads only what it shows; the fetch wait is there with TIMING
CREATE FUNCTION pg_temp.analyzed(query text) RETURNS TABLE (name text, value text) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN QUERY SELECT k, CASE WHEN k <> 'Kafka Fetch Wait' THEN v END
    FROM json_each_text(plan -> 0 -> 'Plan') AS e (k, v) WHERE k LIKE 'Kafka%' ORDER BY k COLLATE "C";
END $$;
SELECT * FROM pg_temp.analyzed('SELECT v FROM reading_explain WHERE part = 1 AND offs BETWEEN 2 AND 5');
SELECT count(*) FROM reading_explain WHERE false;
-- INSERT
EXPLAIN (COSTS OFF) INSERT INTO reading_explain VALUES ('x');
ALTER FOREIGN TABLE reading_explain OPTIONS (DROP delivery);
EXPLAIN (COSTS OFF) INSERT INTO reading_explain VALUES ('x');
SELECT count(*) FROM reading_explain;
-- planning and EXPLAIN ask nothing of Kafka: they work where the topic is missing
CREATE FOREIGN TABLE reading_explain_missing (v text) SERVER kafka OPTIONS (topic 'reading_explain_missing');
EXPLAIN (COSTS OFF) SELECT * FROM reading_explain_missing;
SELECT deleted FROM kafka.delete_topic('reading_explain');
