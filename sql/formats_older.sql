-- Tables of the older extension of this name: each of its options, used as its manual says.
\getenv brokers KAFKA_BROKERS
CREATE SERVER formats_older FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'brokers');
CREATE USER MAPPING FOR PUBLIC SERVER formats_older;
SELECT topic FROM kafka.create_topic('formats_older', 1, server => 'formats_older') UNION ALL SELECT topic FROM kafka.create_topic('formats_older_json', 1, server => 'formats_older')
 UNION ALL SELECT topic FROM kafka.create_topic('formats_older_two', 2, server => 'formats_older');
CREATE FUNCTION pg_temp.send(topic text, VARIADIC v text[]) RETURNS bigint LANGUAGE sql
  AS $$ SELECT count(kafka.produce(topic, e, delivery => 'immediate', server => 'formats_older')) FROM unnest(v) AS u (e) $$;
-- partition, offset, format, topic, batch_size, buffer_delay, num_partitions
CREATE FOREIGN TABLE formats_older (part int OPTIONS (partition 'true'), offs bigint OPTIONS (offset 'true'), some_int int, some_text text, some_date date, some_time timestamp)
  SERVER formats_older OPTIONS (format 'csv', topic 'formats_older', batch_size '30', buffer_delay '100', num_partitions '10');
SET datestyle = 'ISO, MDY';
SELECT pg_temp.send('formats_older', '1,"correct line",01-01-2015,Thu Jan 01 01:31:00 2015', '2,"additional data",01-01-2015,Thu Jan 01 02:11:00 2015,more', '3,"too little"',
  '4,"invalid date",invalid_date,Thu Jan 01 06:11:00 2015', '401,"unterminated,01-01-2015,Thu Jan 01 06:41:00 2015', '999999999999999,"number, date and time",20-20-2015,no time', '7,"correct",01-01-2015,');
-- too little is NULL, too much is left alone; what cannot be read is an error
SELECT * FROM formats_older WHERE part = 0 AND offs < 3 ORDER BY offs;
SELECT * FROM formats_older WHERE part = 0 AND offs = 3;
-- strict: an error, too
ALTER FOREIGN TABLE formats_older OPTIONS (ADD strict 'true');
SELECT * FROM formats_older WHERE offs = 1;
SELECT * FROM formats_older WHERE offs = 2;
ALTER FOREIGN TABLE formats_older OPTIONS (SET strict 'false');
-- ignore_junk: "these columns will be set to NULL", and no others
ALTER FOREIGN TABLE formats_older OPTIONS (ADD ignore_junk 'true');
SELECT * FROM formats_older ORDER BY offs;
-- junk and junk_error: the same rows, with the whole message and all errors
ALTER FOREIGN TABLE formats_older OPTIONS (DROP ignore_junk);
ALTER FOREIGN TABLE formats_older ADD junk text OPTIONS (junk 'true'), ADD junk_err text OPTIONS (junk_error 'true');
SELECT offs, some_int, some_text, some_date, some_time FROM formats_older ORDER BY offs;
SELECT offs, junk, string_to_array(junk_err, E'\n') AS errors FROM formats_older WHERE junk_err IS NOT NULL ORDER BY offs;
-- on_error says otherwise
ALTER FOREIGN TABLE formats_older OPTIONS (ADD on_error 'null');
SELECT offs, some_int, some_text, junk FROM formats_older WHERE offs > 2 ORDER BY offs;
ALTER FOREIGN TABLE formats_older OPTIONS (SET on_error 'skip', ADD ignore_junk 'true');
SELECT offs, some_int FROM formats_older ORDER BY offs;
-- one column may ignore its errors (not in the older extension); an error of another one counts
ALTER FOREIGN TABLE formats_older OPTIONS (DROP on_error, DROP ignore_junk), DROP junk, DROP junk_err, ALTER some_date OPTIONS (ADD ignore_junk 'true');
SELECT * FROM formats_older WHERE offs = 3;
SELECT some_text, some_date FROM formats_older WHERE offs = 5;
SELECT some_int, some_date FROM formats_older WHERE offs = 5;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE formats_older OPTIONS (ADD on_error 'skip');
SELECT offs, some_date FROM formats_older ORDER BY offs;
ALTER FOREIGN TABLE formats_older OPTIONS (SET on_error 'null');
SELECT offs, some_text, some_date FROM formats_older ORDER BY offs;

-- json, with arrays in text and json columns
CREATE FOREIGN TABLE formats_older_json (part int OPTIONS (partition 'true'), offs bigint OPTIONS (offset 'true'), some_int int OPTIONS (json 'int_val'), some_text text OPTIONS (json 'text_val'),
    some_date date OPTIONS (json 'date_val'), some_time timestamp OPTIONS (json 'time_val'), list text, list_json json OPTIONS (json 'lists'))
  SERVER formats_older OPTIONS (format 'json', topic 'formats_older_json', batch_size '30', buffer_delay '100', ignore_junk 'true', delimiter ';', "null" '-');
SELECT pg_temp.send('formats_older_json', '{"text_val": "any text", "date_val": "2011-05-04", "int_val": 3, "time_val": "2011-04-14 22:22:22", "list": [1, "a"], "lists": [[1],  2]}',
  '{"int_val": 9998119999999999, "text_val": "junk", "date_val": "2015-13-13", "time_val": "2015-01-12T13:43:51", "foo": "just too much"}', '{"int_val": 5, "text_val": "open', 'null');
SELECT * FROM formats_older_json ORDER BY offs;
INSERT INTO formats_older_json (some_int, some_text) VALUES (6, 'sent');
SELECT some_int, some_text, some_date FROM formats_older_json WHERE offs = 4;

-- delimiter, quote, escape, null, encoding, force_null, force_not_null; writing with and without a partition
CREATE FOREIGN TABLE formats_older_two (part int OPTIONS (partition 'true'), offs bigint OPTIONS (offset 'true'), n int, a text, fn text OPTIONS (force_null 'true'), fnn text OPTIONS (force_not_null 'true'))
  SERVER formats_older OPTIONS (format 'csv', topic 'formats_older_two', delimiter '|', quote '''', escape '\', "null" '-', encoding 'latin1');
INSERT INTO formats_older_two (part, n, a, fn, fnn) VALUES (0, 1, 'it''s|café', '-', '-'), (1, 2, NULL, NULL, NULL);
INSERT INTO formats_older_two (n, a) VALUES (3, 'anywhere');
\pset null '<NULL>'
SELECT part, n, a, fn, fnn FROM formats_older_two WHERE n < 3 ORDER BY n;
SELECT n, a FROM formats_older_two WHERE (part = 0 AND offs >= 0) OR part = 1 ORDER BY n;
CREATE FOREIGN TABLE formats_older_raw (v bytea, part int OPTIONS (partition 'true'), offs bigint OPTIONS (offset 'true')) SERVER formats_older OPTIONS (format 'bytes', topic 'formats_older_two');
SELECT part, encode(v, 'escape') AS v FROM formats_older_raw WHERE offs = 0 AND part = 0;
SELECT part, v FROM formats_older_raw WHERE offs = 0 AND part = 0;
SELECT count(*) FROM kafka.delete_topic(ARRAY['formats_older', 'formats_older_json', 'formats_older_two'], server => 'formats_older');
SET client_min_messages = warning;
DROP SERVER formats_older CASCADE;
