-- Format "csv", reading: COPY's rules, a message is a record (peer_W4).
SELECT * FROM kafka.create_topic('reading_csv', 1);
CREATE FUNCTION pg_temp.send(VARIADIC v text[]) RETURNS bigint LANGUAGE sql
  AS $$ SELECT count(kafka.produce('reading_csv', e, delivery => 'immediate')) FROM unnest(v) AS u (e) $$;
SELECT pg_temp.send(
  '1,plain,2024-02-29',
  '2,"quoted, with ""quotes"" and' || chr(10) || 'two lines",2024-01-01',
  '3,,',
  '4,"",',
  '5, spaces ,2024-01-01' || chr(10),
  '6,crlf,2024-01-01' || chr(13) || chr(10),
  '"7",mid"dle, quo"ted,2024-01-01',
  '8,\N,2024-01-01',
  ',é😀,');
CREATE FOREIGN TABLE reading_csv (offs bigint OPTIONS (meta 'offset'), a int, b text, c date)
  SERVER kafka OPTIONS (topic 'reading_csv', format 'csv');
SELECT *, b IS NULL AS b_null FROM reading_csv ORDER BY offs;
SELECT b FROM reading_csv WHERE a = 2;
SELECT c FROM reading_csv ORDER BY offs;
SELECT count(*) FROM reading_csv;

-- too few, too many
SELECT pg_temp.send('10', '11,x,2024-01-01,more,and more', '', '12,x,2024-01-01,');
SELECT offs, a, b, c FROM reading_csv WHERE offs >= 9 ORDER BY offs;
ALTER FOREIGN TABLE reading_csv OPTIONS (ADD strict 'true');
SELECT a, b, c FROM reading_csv WHERE offs < 9 ORDER BY offs;
\set VERBOSITY terse
SELECT a FROM reading_csv WHERE offs = 9;
\echo :LAST_ERROR_SQLSTATE
SELECT a FROM reading_csv WHERE offs = 10;
SELECT a FROM reading_csv WHERE offs = 11;
SELECT a FROM reading_csv WHERE offs = 12;
ALTER FOREIGN TABLE reading_csv OPTIONS (ADD on_error 'skip');
SELECT offs FROM reading_csv ORDER BY offs;
ALTER FOREIGN TABLE reading_csv OPTIONS (SET strict 'false', SET on_error 'error');
-- a message cannot swallow the next one, nor hold two records
SELECT pg_temp.send('13,"open', '14,x' || chr(10) || '15,y', '16,"a"x"b,c",2024-01-01');
SELECT b FROM reading_csv WHERE offs = 13;
\echo :LAST_ERROR_SQLSTATE
SELECT b FROM reading_csv WHERE offs = 14;
\echo :LAST_ERROR_SQLSTATE
SELECT a, b, c FROM reading_csv WHERE offs = 15;
-- the error's place
\set VERBOSITY default
SELECT pg_temp.send('x17,b,2024-01-01');
SELECT a FROM reading_csv WHERE offs = 16;
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic('reading_csv');

-- the options: delimiter, quote, escape, null, force_null, force_not_null
SELECT * FROM kafka.create_topic('reading_csv_options', 1);
SELECT count(kafka.produce('reading_csv_options', e, delivery => 'immediate')) FROM unnest(ARRAY[
  '1|''it\''s|quoted''|x|y', '2|-|-|-', '3|''-''|''-''|''-''', '4|a\\b|''a\\b''|', '5|""|,|']) AS u (e);
CREATE FOREIGN TABLE reading_csv_options (n int, a text,
    fn text OPTIONS (force_null 'true'), fnn text OPTIONS (force_not_null 'true'))
  SERVER kafka OPTIONS (topic 'reading_csv_options', format 'csv', delimiter '|', quote '''',
    escape '\', "null" '-');
\pset null '<NULL>'
SELECT * FROM reading_csv_options ORDER BY n;
ALTER FOREIGN TABLE reading_csv_options OPTIONS (SET delimiter E'\t', SET quote '"', DROP escape, DROP "null");
SELECT n FROM reading_csv_options WHERE n > 0;
ALTER FOREIGN TABLE reading_csv_options ALTER n TYPE text;
SELECT n, a FROM reading_csv_options ORDER BY n COLLATE "C" LIMIT 1;
-- options that contradict each other
ALTER FOREIGN TABLE reading_csv_options OPTIONS (SET delimiter '"');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE reading_csv_options OPTIONS (SET delimiter ',', ADD "null" 'a,b');
SELECT deleted FROM kafka.delete_topic('reading_csv_options');
