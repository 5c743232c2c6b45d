-- peer_W7: INSERT: every meta column that can be written, and those that cannot.
SELECT * FROM kafka.create_topic('producer_insert', 3);
CREATE FOREIGN TABLE producer_insert (
  id int, name text,
  key text OPTIONS (meta 'key'),
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset'),
  ts timestamptz OPTIONS (meta 'timestamp'),
  tp text OPTIONS (meta 'topic'),
  tomb boolean OPTIONS (meta 'tombstone'),
  raw text OPTIONS (meta 'value'),
  ts_type text OPTIONS (meta 'timestamp_type'),
  epoch int OPTIONS (meta 'leader_epoch'),
  j text OPTIONS (meta 'junk'),
  e text OPTIONS (meta 'junk_error')
) SERVER kafka OPTIONS (topic 'producer_insert', format 'json');
INSERT INTO producer_insert (id, name, key, part, ts, tp) VALUES
  (1, 'one', 'k1', 0, '2024-05-06 07:08:09.123456+00', 'producer_insert'), (2, NULL, NULL, 0, NULL, NULL);
INSERT INTO producer_insert (id, part, tomb) VALUES (3, 1, NULL), (4, 1, false);
-- tombstones: nothing but a key, or said so
INSERT INTO producer_insert (key, part) VALUES ('gone1', 1);
INSERT INTO producer_insert (key, part, tomb) VALUES ('gone2', 1, true);
-- the value as it is
INSERT INTO producer_insert (raw, part) VALUES ('{"id": 5, "more": [1]}', 2);
SELECT id, name, key, part, tp, tomb, raw FROM producer_insert ORDER BY part, offs;
SELECT ts AT TIME ZONE 'UTC' FROM producer_insert WHERE key = 'k1';
-- sources: VALUES, SELECT, DEFAULT, a CTE
ALTER FOREIGN TABLE producer_insert ALTER name SET DEFAULT 'default', ALTER part SET DEFAULT 2;
INSERT INTO producer_insert (id) VALUES (6);
INSERT INTO producer_insert (id, name) SELECT i, 'n' || i FROM generate_series(7, 9) AS i;
WITH source AS (SELECT 10 AS id) INSERT INTO producer_insert (id, name) SELECT id, DEFAULT_name FROM source, (VALUES ('cte')) AS d (DEFAULT_name);
INSERT INTO producer_insert (id, name) SELECT 11, NULL WHERE false;
SELECT id, name FROM producer_insert WHERE part = 2 AND id > 5 ORDER BY offs;

-- refused, each before anything is sent
SELECT count(*) FROM producer_insert;
\set VERBOSITY terse
INSERT INTO producer_insert (id, offs) VALUES (20, 1);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id, ts_type) VALUES (20, 'create');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id, epoch) VALUES (20, 1);
INSERT INTO producer_insert (id, j) VALUES (20, 'x');
INSERT INTO producer_insert (id, e) VALUES (20, 'x');
INSERT INTO producer_insert (id, tp) VALUES (20, 'another');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id, raw) VALUES (20, '{}');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE producer_insert ALTER name DROP DEFAULT;
INSERT INTO producer_insert (id, tomb) VALUES (20, true);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (raw, tomb) VALUES ('{}', true);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (key, tomb) VALUES ('k', false);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id, part) VALUES (20, -1);
\echo :LAST_ERROR_SQLSTATE
-- peer_W2
INSERT INTO producer_insert (id, part) VALUES (20, 0), (21, 3);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id, ts) VALUES (20, '1969-12-31 23:59:59+00');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id, ts) VALUES (20, 'infinity');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO producer_insert (id) VALUES (20) ON CONFLICT DO NOTHING;
\echo :LAST_ERROR_SQLSTATE
UPDATE producer_insert SET id = 1;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM producer_insert;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE producer_insert;
\echo :LAST_ERROR_SQLSTATE
MERGE INTO producer_insert t USING (SELECT 1 AS i) s ON t.id = s.i WHEN MATCHED THEN DO NOTHING;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE producer_insert_missing (v text) SERVER kafka OPTIONS (topic 'producer_insert_missing');
INSERT INTO producer_insert_missing VALUES ('x');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM producer_insert;
\set VERBOSITY default
INSERT INTO producer_insert (id) VALUES (20) ON CONFLICT DO NOTHING;
INSERT INTO producer_insert (id, part) VALUES (21, 3);

SELECT deleted FROM kafka.delete_topic('producer_insert');
