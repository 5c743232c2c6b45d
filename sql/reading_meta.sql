-- Every meta column, in every type that it may have.
SELECT * FROM kafka.create_topic('reading_meta', partitions => 2);
CREATE FOREIGN TABLE reading_meta (
  v text,
  tp text OPTIONS (meta 'topic'),
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset'),
  ts timestamptz OPTIONS (meta 'timestamp'),
  ts_type text OPTIONS (meta 'timestamp_type'),
  k text OPTIONS (meta 'key'),
  raw bytea OPTIONS (meta 'value'),
  h jsonb OPTIONS (meta 'headers'),
  epoch int OPTIONS (meta 'leader_epoch'),
  tomb boolean OPTIONS (meta 'tombstone')
) SERVER kafka OPTIONS (topic 'reading_meta', delivery 'immediate');

-- an empty topic
SELECT * FROM reading_meta;
SELECT count(*) FROM reading_meta;

SELECT (d).* FROM (
  SELECT kafka.produce('reading_meta', 'one', 'k1', '{"a": "1", "b": null}', 0,
                       '2024-02-29 12:34:56.789+00', 'immediate') AS d) s;
SELECT (d).* FROM (
  SELECT kafka.produce('reading_meta', NULL::text, 'k2', NULL, 1,
                       '1970-01-01 00:00:00.001+00', 'immediate') AS d) s;
-- empty, not null
SELECT (d).* FROM (
  SELECT kafka.produce('reading_meta', '', '', '{}', 1,
                       '2024-03-01 23:59:59.999+00', 'immediate') AS d) s;
SET timezone = 'UTC';
SELECT v, tp, part, offs, ts, ts_type, k FROM reading_meta ORDER BY part, offs;
SELECT v IS NULL AS no_value, raw, h, epoch IS NULL OR epoch >= 0 AS epoch_ok, tomb
  FROM reading_meta ORDER BY part, offs;
-- each column alone
SELECT count(*), count(v), count(raw), count(k), count(h) FROM reading_meta;
SELECT tp FROM reading_meta ORDER BY 1;
SELECT offs FROM reading_meta ORDER BY 1;
SELECT tomb FROM reading_meta ORDER BY 1;
SELECT r FROM (SELECT v, k FROM reading_meta) r ORDER BY k;
SELECT (r).part, (r).k FROM (SELECT r FROM reading_meta r) s ORDER BY k;

-- the other types
CREATE DOMAIN reading_meta_key AS varchar CHECK (length(VALUE) < 10);
CREATE FOREIGN TABLE reading_meta_other (
  v bytea,
  tp varchar OPTIONS (meta 'topic'),
  part bigint OPTIONS (meta 'partition'),
  k reading_meta_key OPTIONS (meta 'key'),
  kb bytea OPTIONS (meta 'key'),
  val text OPTIONS (meta 'value'),
  h kafka.header[] OPTIONS (meta 'headers')
) SERVER kafka OPTIONS (topic 'reading_meta', format 'bytes');
SELECT *, pg_typeof(part), pg_typeof(k) FROM reading_meta_other ORDER BY part, k;

-- no column at all but metas; no column at all
CREATE FOREIGN TABLE reading_meta_only (part int OPTIONS (meta 'partition'))
  SERVER kafka OPTIONS (topic 'reading_meta');
SELECT * FROM reading_meta_only ORDER BY part;
CREATE FOREIGN TABLE reading_meta_none () SERVER kafka OPTIONS (topic 'reading_meta');
SELECT count(*) FROM reading_meta_none;

-- the older extension's names for them
CREATE FOREIGN TABLE reading_meta_old (
  part int OPTIONS (partition 'true'),
  offs bigint OPTIONS (offset 'true'),
  v text
) SERVER kafka OPTIONS (topic 'reading_meta', batch_size '30', buffer_delay '100');
SELECT part, offs, v FROM reading_meta_old WHERE part = 1 ORDER BY offs;

-- the broker's own timestamps
SELECT * FROM kafka.create_topic('reading_meta_append', 1,
  config => '{"message.timestamp.type": "LogAppendTime"}');
SELECT kafka.produce('reading_meta_append', 'x', ts => '2001-01-01', delivery => 'immediate')
  IS NOT NULL AS sent;
CREATE FOREIGN TABLE reading_meta_append (v text, ts timestamptz OPTIONS (meta 'timestamp'),
  ts_type text OPTIONS (meta 'timestamp_type'))
  SERVER kafka OPTIONS (topic 'reading_meta_append');
SELECT v, ts_type, ts > '2020-01-01' AS now FROM reading_meta_append;

SELECT deleted FROM kafka.delete_topic(ARRAY['reading_meta', 'reading_meta_append']);
