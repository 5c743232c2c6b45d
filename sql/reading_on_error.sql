-- peer_S6: Messages that cannot be decoded: on_error, ignore_junk, and what the error says.
SELECT * FROM kafka.create_topic('reading_on_error', 1);
SELECT count(kafka.produce('reading_on_error', v, delivery => 'immediate'))
  FROM (VALUES ('{"a": 1, "b": "x"}'), ('{"a": "one", "b": "y"}'), ('{"a": 3'), ('{"a": 4, "b": "z"}')) AS s (v);

CREATE FOREIGN TABLE reading_on_error (
  a int,
  b text,
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'reading_on_error', format 'json');
-- the default: error, with the column's place in CONTEXT, and the input function's own SQLSTATE
SELECT a FROM reading_on_error WHERE offs = 1;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT * FROM reading_on_error ORDER BY offs;
SELECT b FROM reading_on_error WHERE offs = 2;
\echo :LAST_ERROR_SQLSTATE
-- columns that the query does not ask for are not decoded
SELECT offs, b FROM reading_on_error WHERE offs IN (0, 1, 3) ORDER BY offs;
SELECT offs FROM reading_on_error ORDER BY offs;
SELECT count(*) FROM reading_on_error;

ALTER FOREIGN TABLE reading_on_error OPTIONS (ADD on_error 'null');
SELECT offs, a, b FROM reading_on_error ORDER BY offs;
SELECT count(*), count(a), count(b) FROM reading_on_error;
ALTER FOREIGN TABLE reading_on_error OPTIONS (SET on_error 'skip');
SELECT offs, a, b FROM reading_on_error ORDER BY offs;
-- which rows there are does not hang on the columns asked for
SELECT offs FROM reading_on_error ORDER BY offs;
SELECT count(*) FROM reading_on_error;
ALTER FOREIGN TABLE reading_on_error OPTIONS (SET on_error 'error');
SELECT a FROM reading_on_error ORDER BY offs;
ALTER FOREIGN TABLE reading_on_error OPTIONS (DROP on_error, ADD ignore_junk 'true');
SELECT offs, a, b FROM reading_on_error ORDER BY offs;
ALTER FOREIGN TABLE reading_on_error OPTIONS (SET ignore_junk 'false');
SELECT a FROM reading_on_error WHERE offs < 2 ORDER BY offs;
ALTER FOREIGN TABLE reading_on_error OPTIONS (ADD on_error 'ignore');
\echo :LAST_ERROR_SQLSTATE

-- a domain's constraint belongs to the message too; a division by zero in the query does not
CREATE DOMAIN reading_on_error_small AS int CHECK (VALUE < 4);
ALTER FOREIGN TABLE reading_on_error ALTER a TYPE reading_on_error_small;
SELECT a FROM reading_on_error WHERE offs = 3;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_on_error OPTIONS (ADD on_error 'null');
SELECT offs, a, b FROM reading_on_error ORDER BY offs;
SELECT 1 / (offs - 1) FROM reading_on_error ORDER BY offs;
\echo :LAST_ERROR_SQLSTATE

-- invalid bytes: SQLSTATE of the encoding
SELECT kafka.produce('reading_on_error', '\x22ff22'::bytea, '\xfe'::bytea, delivery => 'immediate')
  IS NOT NULL AS sent;
CREATE FOREIGN TABLE reading_on_error_text (t text, k text OPTIONS (meta 'key'),
  offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_on_error');
\set VERBOSITY default
SELECT t FROM reading_on_error_text WHERE offs = 4;
\echo :LAST_ERROR_SQLSTATE
SELECT k FROM reading_on_error_text WHERE offs = 4;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_on_error_text OPTIONS (ADD on_error 'null');
SELECT t FROM reading_on_error_text WHERE offs >= 3 ORDER BY offs;
SELECT offs, t, k FROM reading_on_error_text WHERE offs >= 3 ORDER BY offs;
SELECT deleted FROM kafka.delete_topic('reading_on_error');
