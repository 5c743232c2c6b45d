-- kafka.list_offsets.
SET timezone = 'UTC';
SELECT created FROM kafka.create_topic('admin_list_offsets', 2);
CREATE FOREIGN TABLE admin_list_offsets (v text, part int OPTIONS (meta 'partition'), ts timestamptz OPTIONS (meta 'timestamp'))
  SERVER kafka OPTIONS (topic 'admin_list_offsets', delivery 'immediate');
-- ten messages, a minute apart, the even ones in partition 0
INSERT INTO admin_list_offsets SELECT i, i % 2, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 minute' FROM generate_series(0, 9) i;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', 'earliest') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets(topic => 'admin_list_offsets', target => 'latest', server => 'kafka') ORDER BY partition;
-- the first message with that timestamp or a later one, by text and by timestamptz
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '2026-01-01 00:04:00+00') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', timestamptz '2026-01-01 00:04:00+00') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', target => timestamptz '2026-01-01 00:04:00.001+00', server => 'kafka') ORDER BY partition;
-- less than a millisecond later is later
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', timestamptz '2026-01-01 00:04:00.0001+00') ORDER BY partition;
-- text is read in the session's time zone
SET timezone = 'Etc/GMT-1';
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '2026-01-01 01:04') ORDER BY partition;
SET timezone = 'UTC';
-- before everything; before 1970; behind everything: no such message
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '2000-01-01') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '0044-03-15 BC') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '2026-01-01 00:08:30') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '2100-01-01') ORDER BY partition;
-- what is gone is not found
SELECT low FROM kafka.delete_records('admin_list_offsets', 0, 3);
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', 'earliest') ORDER BY partition;
SELECT partition, "offset" FROM kafka.list_offsets('admin_list_offsets', '2026-01-01') ORDER BY partition;
-- latest is where scans of the server end
SELECT kafka.begin_transaction('admin_list_offsets_open');
SELECT (kafka.send_transactional('admin_list_offsets', 'open', partition => 1)).partition;
CREATE SERVER admin_list_offsets_all FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'nowhere:1', isolation_level 'read_uncommitted');
DO $$ BEGIN EXECUTE format('ALTER SERVER admin_list_offsets_all OPTIONS (SET bootstrap_servers %L)',
  (SELECT split_part(o, '=', 2) FROM pg_foreign_server, unnest(srvoptions) o WHERE srvname = 'kafka' AND o LIKE 'bootstrap%')); END $$;
DO $$
BEGIN
  FOR i IN 1 .. 2000 LOOP
    EXIT WHEN EXISTS (SELECT FROM kafka.list_offsets('admin_list_offsets', server => 'admin_list_offsets_all') WHERE "offset" = 6);
  END LOOP;
END $$;
SELECT partition, c."offset" AS read_committed, u."offset" AS read_uncommitted
  FROM kafka.list_offsets('admin_list_offsets', server => 'kafka') c
  JOIN kafka.list_offsets('admin_list_offsets', server => 'admin_list_offsets_all') u USING (partition) ORDER BY partition;
SELECT kafka.abort_transaction(server => 'kafka');
SELECT kafka.close_transaction(server => 'kafka');
DROP SERVER admin_list_offsets_all;
-- the timestamp of the message there, and the greatest, where librdkafka can tell
DO $$
DECLARE
  found record;
BEGIN
  SELECT * INTO found FROM kafka.list_offsets('admin_list_offsets', 'max_timestamp') WHERE partition = 0;
  IF (found."offset", found."timestamp") IS DISTINCT FROM (4::bigint, timestamptz '2026-01-01 00:08:00+00') THEN
    RAISE WARNING 'max_timestamp: %', found;
  END IF;
EXCEPTION WHEN feature_not_supported THEN
  PERFORM FROM kafka.list_offsets('admin_list_offsets', '2026-01-01') WHERE "timestamp" IS NOT NULL;
  IF FOUND THEN
    RAISE WARNING 'a timestamp, but no max_timestamp';
  END IF;
END $$;

\set VERBOSITY terse
SELECT * FROM kafka.list_offsets('admin_list_offsets', 'soon');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets('admin_list_offsets', '');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets('admin_list_offsets', '2026-13-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets('admin_list_offsets', 'infinity'::timestamptz);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets('admin_list_offsets', NULL::text);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets('admin_list_offsets', NULL::timestamptz);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets('admin_list_offsets_missing');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.list_offsets(NULL);
\echo :LAST_ERROR_SQLSTATE
DROP FOREIGN TABLE admin_list_offsets;
SELECT deleted FROM kafka.delete_topic('admin_list_offsets');
