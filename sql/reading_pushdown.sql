-- Partition and offset conditions choose what is read; EXPLAIN shows it (peer_R2, peer_R8).
SELECT * FROM kafka.create_topic('reading_pushdown', 4);
CREATE FOREIGN TABLE reading_pushdown (
  n int,
  other int,
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'reading_pushdown', format 'csv', delivery 'immediate');
INSERT INTO reading_pushdown (n, other, part) SELECT i, i % 7, i % 4 FROM generate_series(0, 199) AS i;
CREATE TABLE reading_pushdown_copy AS SELECT * FROM reading_pushdown;
SELECT part, count(*), min(offs), max(offs) FROM reading_pushdown_copy GROUP BY part ORDER BY part;
CREATE FUNCTION pg_temp.one() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION pg_temp.one_bigint() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';

-- each condition: what the plan reads, how many messages that are, and whether the rows are
-- those of an ordinary table with the same content
CREATE FUNCTION pg_temp.try(condition text, OUT partitions text, OUT offsets text, OUT messages bigint,
                            OUT rows bigint, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) SELECT * FROM reading_pushdown WHERE ' || condition INTO plan;
  plan := plan -> 0 -> 'Plan';
  IF plan ->> 'Node Type' <> 'Foreign Scan' THEN
    plan := plan -> 'Plans' -> 0;
  END IF;
  partitions := plan ->> 'Kafka Partitions';
  offsets := plan ->> 'Kafka Offsets';
  messages := plan ->> 'Kafka Messages';
  EXECUTE format('SELECT count(*), count(*) = (SELECT count(*) FROM reading_pushdown_copy WHERE %1$s) AND
      NOT EXISTS (SELECT * FROM reading_pushdown WHERE %1$s EXCEPT SELECT * FROM reading_pushdown_copy WHERE %1$s)
    FROM reading_pushdown WHERE %1$s', condition) INTO rows, same;
END $$;
SELECT c AS condition, t.* FROM unnest(ARRAY[
  'true',
  'part = 1',
  '2 = part',
  'part <> 1',
  'part IN (1, 3)',
  'part = ANY (''{1,3,NULL}'')',
  'part NOT IN (1, 3)',
  'part > 1',
  'part >= 1 AND part < 3',
  'part BETWEEN 1 AND 2',
  'part BETWEEN SYMMETRIC 2 AND 1',
  'offs = 10',
  'offs < 10',
  '10 > offs',
  'offs <= 10 AND offs > 7',
  'offs BETWEEN 10 AND 19 AND part = 2',
  'offs >= 48',
  'offs IN (1, 2, 3, 40)',
  '(part = 1 AND offs < 5) OR (part = 3 AND offs >= 45)',
  'part = 1 OR offs = 10',
  'offs < 3 OR offs > 47',
  'NOT (offs >= 3)',
  'part < 1 AND part > 2',
  'offs > 10 AND offs < 5',
  'part = 9',
  'offs > 1000',
  'offs < 0',
  'part IS NULL',
  'part IS NOT NULL',
  'part = NULL',
  'part = 1::smallint AND offs < 5::smallint',
  'part = 1 OR part IS NULL'
]) WITH ORDINALITY AS u (c, n), pg_temp.try(c) AS t ORDER BY n;

-- peer_R2: an arm of an OR that is not understood must not be lost
SELECT c AS condition, t.* FROM unnest(ARRAY[
  'part = 0 OR other = 1',
  'part = 0 AND other = 1',
  '(part = 0 AND other = 1) OR offs = 5',
  '(part = 0 OR other = 1) AND offs < 10',
  'other = 1',
  'part = 0 OR NOT (part = 0)',
  'NOT (part = 0 OR other = 1)'
]) WITH ORDINALITY AS u (c, n), pg_temp.try(c) AS t ORDER BY n;

-- peer_R8: comparisons with what is no constant, and constants that are out of range
SELECT c AS condition, t.* FROM unnest(ARRAY[
  'offs = other',
  'part = other',
  'offs = n',
  'part = offs',
  'offs > pg_temp.one() + 46',
  'offs = pg_temp.one_bigint()',
  'part = (random() * 0)::int',
  'part + 0 = 1',
  'offs % 10 = 3',
  'part < 3000000000',
  'part <= 2000000000 AND offs < 2',
  'part > 3000000000',
  'part >= -3000000000 AND offs < 2',
  'part = 4294967297',
  'offs <= 9223372036854775807 AND part = 1',
  'offs < -9223372036854775808',
  'offs >= -9223372036854775808 AND part = 1',
  'offs < 3.5',
  'part = 1.0',
  'part::text = ''1''',
  'part = (SELECT 1)',
  'CASE WHEN part = 1 THEN offs = 2 ELSE offs = 3 END',
  'part < ALL (''{1,2}'')'
]) WITH ORDINALITY AS u (c, n), pg_temp.try(c) AS t ORDER BY n;
SELECT deleted FROM kafka.delete_topic('reading_pushdown');
