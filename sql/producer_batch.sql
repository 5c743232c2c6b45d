-- kafka.produce_batch and kafka.make_record.
SELECT topic FROM kafka.create_topic('producer_batch', 2) UNION ALL SELECT topic FROM kafka.create_topic('producer_batch_two', 1);
CREATE FOREIGN TABLE producer_batch (
  v text OPTIONS (meta 'value'), k text OPTIONS (meta 'key'), h jsonb OPTIONS (meta 'headers'), part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset'), ts timestamptz OPTIONS (meta 'timestamp'), tomb boolean OPTIONS (meta 'tombstone')
) SERVER kafka OPTIONS (topic 'producer_batch', format 'string');
SELECT * FROM kafka.make_record('t', 'v');
SELECT * FROM kafka.make_record('t', '{"b": 1, "a": 2}'::jsonb, 'k', '{"h": "1"}', 3, '2024-01-01 00:00:00+00'::timestamptz) \gx
SELECT value, key FROM kafka.make_record('t', '\x00ff'::bytea, '\x01'::bytea) UNION ALL SELECT value, key FROM kafka.make_record('t', '{"b": 1}'::json, key => E'ä\\');
-- immediate: where each record went
SELECT ordinality, partition, "offset", ts > '2024-01-02' AS now, error FROM kafka.produce_batch(ARRAY[
    kafka.make_record('producer_batch', 'a', 'k1', '{"h": "1"}', 1),
    kafka.make_record('producer_batch_two', 'b'),
    kafka.make_record('producer_batch', NULL::text, 'k2', partition => 1, ts => '2024-01-01 00:00:00+00'),
    kafka.make_record('producer_batch', '{"n": 1}'::jsonb, partition => 0),
    ROW('producer_batch', '\x78', NULL, ARRAY[('bin', '\xff')::kafka.header], 0, NULL)::kafka.record], 'immediate');
SELECT part, offs, k, v, h, tomb FROM producer_batch ORDER BY part, offs;
SELECT ts AT TIME ZONE 'UTC' FROM producer_batch WHERE k = 'k2';
-- values and keys as text
SELECT * FROM (SELECT count(*), count("offset"), count(error) FROM kafka.produce_batch('producer_batch', ARRAY['v1', NULL, 'v3'], ARRAY['a', 'b', NULL], 'immediate')) AS s;
SELECT v, k, tomb FROM producer_batch WHERE k IN ('a', 'b') OR v = 'v3' ORDER BY k;
-- with the transaction: nothing is known yet
BEGIN;
SELECT * FROM kafka.produce_batch('producer_batch', ARRAY['t1', 't2'], server => 'kafka');
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 't3'), kafka.make_record('producer_batch_two', 't4')], 'after_commit');
SELECT count(*) FROM producer_batch WHERE v LIKE 't%';
COMMIT;
BEGIN;
SELECT count(*) FROM kafka.produce_batch('producer_batch', ARRAY['t5']);
ROLLBACK;
SELECT v FROM producer_batch WHERE v LIKE 't%' ORDER BY v;
-- nothing to send
SELECT * FROM kafka.produce_batch('producer_batch', '{}'::text[]);
SELECT * FROM kafka.produce_batch('producer_batch', NULL::text[]);
SELECT * FROM kafka.produce_batch(NULL::kafka.record[]);
SELECT * FROM kafka.produce_batch((SELECT array_agg(kafka.make_record('producer_batch', 'x')) WHERE false));
-- many; one connection for all topics, none is left in use
SELECT count(*), count(DISTINCT (ordinality % 2, partition, "offset")) FROM kafka.produce_batch(
  (SELECT array_agg(kafka.make_record(CASE WHEN i % 2 = 0 THEN 'producer_batch' ELSE 'producer_batch_two' END, 'many ' || i)) FROM generate_series(1, 5000) AS i), 'immediate');
SELECT count(*) FROM producer_batch WHERE v LIKE 'many%';
SELECT purpose, count(*), bool_or(in_use) AS in_use FROM kafka.clients WHERE purpose = 'producer' GROUP BY purpose;

-- what is known before: an error that names the record and sends nothing
SELECT count(*) AS before FROM producer_batch \gset
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 'x'), NULL], 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 'x'), ROW(NULL, 'x', NULL, NULL, NULL, NULL)::kafka.record], 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 'x'), kafka.make_record('producer_batch_missing', 'x')], 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 'x'), kafka.make_record('producer_batch', 'x', partition => 2)], 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 'x'), ROW('producer_batch', 'x', NULL, NULL, -1, NULL)::kafka.record], 'immediate');
SELECT * FROM kafka.produce_batch(ARRAY[kafka.make_record('producer_batch', 'x'), ROW('producer_batch', 'x', NULL, NULL, NULL, '-infinity')::kafka.record], 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch('producer_batch', ARRAY['x', repeat('x', 1100000)], delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch('producer_batch', ARRAY['x', 'y'], ARRAY['k'], 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch('producer_batch', ARRAY['x', 'y'], '{}', 'immediate');
SELECT * FROM kafka.produce_batch('producer_batch', ARRAY[['x'], ['y']], delivery => 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch(ARRAY[ARRAY[kafka.make_record('producer_batch', 'x')]], 'immediate');
SELECT * FROM kafka.produce_batch(NULL, ARRAY['x'], NULL, 'immediate');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.produce_batch('producer_batch', ARRAY['x'], delivery => 'now');
SELECT * FROM kafka.produce_batch('producer_batch_missing', ARRAY['x']);
SELECT * FROM kafka.make_record('t', 'v', partition => -1);
SELECT * FROM kafka.make_record(NULL, 'v');
SELECT count(*) - :before AS sent FROM producer_batch;
-- refused by the broker: in the row; the others are sent
SELECT topic FROM kafka.create_topic('producer_batch_small', 2, config => '{"max.message.bytes": "500"}');
SELECT ordinality, partition, "offset" IS NOT NULL AS "offset", ts IS NOT NULL AS ts, error FROM kafka.produce_batch(ARRAY[
    kafka.make_record('producer_batch_small', 'small', partition => 0),
    kafka.make_record('producer_batch_small', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) AS i), partition => 1),
    kafka.make_record('producer_batch', 'fine', partition => 0)], 'immediate');
SELECT v FROM producer_batch WHERE v = 'fine';
SELECT ordinality, partition, "offset", error FROM kafka.produce_batch('producer_batch_small', ARRAY['again'], delivery => 'immediate') WHERE error IS NOT NULL;
SELECT topic, deleted FROM kafka.delete_topic(ARRAY['producer_batch', 'producer_batch_two', 'producer_batch_small']) ORDER BY topic;
