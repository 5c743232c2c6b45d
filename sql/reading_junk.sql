-- Columns "junk" and "junk_error" (peer_R5, peer_R7).
SELECT * FROM kafka.create_topic('reading_junk', 1);
DO $$
BEGIN
  PERFORM kafka.produce('reading_junk', '{"i": 1}', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', '{"i": "x"}', 'k', '{"secret": "header"}', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', 'no json', headers => '{"secret": "header"}', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', NULL::text, 'k', '{"secret": "header"}', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', '', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', '\x7b00ff'::bytea, delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', '{"i": 99999999999}', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', '[1]', delivery => 'immediate');
  PERFORM kafka.produce('reading_junk', '{"i": 7}', delivery => 'immediate');
END $$;

CREATE FOREIGN TABLE reading_junk (
  offs bigint OPTIONS (meta 'offset'),
  i int,
  tomb boolean OPTIONS (meta 'tombstone'),
  j text OPTIONS (meta 'junk'),
  e text OPTIONS (meta 'junk_error')
) SERVER kafka OPTIONS (topic 'reading_junk', format 'json');
SELECT offs, i, tomb, j FROM reading_junk ORDER BY offs;
SELECT offs, e IS NOT NULL AS junk, e FROM reading_junk WHERE offs <> 5 ORDER BY offs;
SELECT offs, e IS NOT NULL AS junk FROM reading_junk WHERE offs = 5;
-- junk alone: all of the message has to be decoded to know
SELECT offs, j FROM reading_junk ORDER BY offs;
SELECT count(e), count(j), count(i) FROM reading_junk;

-- bytea; the older names
CREATE FOREIGN TABLE reading_junk_bytes (
  offs bigint OPTIONS (offset 'true'),
  i int,
  j bytea OPTIONS (junk 'true'),
  e text OPTIONS (junk_error 'true')
) SERVER kafka OPTIONS (topic 'reading_junk', format 'json');
SELECT offs, i, j, e IS NOT NULL AS junk FROM reading_junk_bytes ORDER BY offs;
-- an error column alone, and a junk column alone
ALTER FOREIGN TABLE reading_junk_bytes DROP j;
SELECT offs, i, e IS NOT NULL AS junk FROM reading_junk_bytes ORDER BY offs;

-- CSV: the tombstone with a junk column that crashed a server
CREATE FOREIGN TABLE reading_junk_csv (
  offs bigint OPTIONS (offset 'true'),
  a text, b text,
  j text OPTIONS (junk 'true'),
  e text OPTIONS (junk_error 'true')
) SERVER kafka OPTIONS (topic 'reading_junk', format 'csv', strict 'true');
SELECT * FROM reading_junk_csv WHERE offs IN (2, 3, 4) ORDER BY offs;
SELECT offs, j FROM reading_junk_csv WHERE offs = 5;

-- a table that is inside a transaction with savepoints keeps its own state
BEGIN;
SAVEPOINT s;
SELECT count(*), count(j) FROM reading_junk;
ROLLBACK TO s;
SELECT count(*), count(j) FROM reading_junk;
COMMIT;
SELECT deleted FROM kafka.delete_topic('reading_junk');
