-- Every type comes back from format csv as it was written (peer_W4); and from string and bytes, where one column is a message.
\set test roundtrip_csv
\getenv srcdir PG_ABS_SRCDIR
\set script :srcdir '/test/data/roundtrip.sql'
\set ECHO none
\i :script
\set ECHO all
SELECT count(*) FROM generate_series(1, 2) AS i, kafka.create_topic('roundtrip_csv_' || i, 1);
CREATE FOREIGN TABLE read1 (n int, :columns) SERVER kafka OPTIONS (topic 'roundtrip_csv_1', format 'csv', delivery 'immediate');
INSERT INTO read1 SELECT * FROM sent;
SELECT count(DISTINCT n) = (SELECT count(*) FROM sent) AS all, count(*) - count(DISTINCT n) AS doubles FROM read1;
SELECT d.* FROM (SELECT DISTINCT type FROM cells) c, differences('read1', type) d ORDER BY 1, 2;
-- other characters, and what other settings wrote
CREATE FOREIGN TABLE read2 (n int, :columns)
  SERVER kafka OPTIONS (topic 'roundtrip_csv_2', format 'csv', delivery 'immediate', delimiter '|', quote '''', escape '\', "null" 'NULL', strict 'true');
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET timezone = 'Asia/Kolkata';
INSERT INTO read2 SELECT * FROM sent;
RESET datestyle;
RESET intervalstyle;
RESET extra_float_digits;
RESET bytea_output;
RESET timezone;
SELECT d.* FROM (SELECT DISTINCT type FROM cells) c, differences('read2', type) d ORDER BY 1, 2;
-- format string: the text of any type; a partition for each column
SELECT count(DISTINCT type) AS ncolumns FROM cells \gset
SELECT partitions = :ncolumns AS made FROM kafka.create_topic('roundtrip_csv_string', :ncolumns);
CREATE FUNCTION through_string(col text, part int) RETURNS TABLE (col_name text, n int, sent text, read text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE one (%I %s, part int OPTIONS (meta ''partition''), n int OPTIONS (meta ''key''))
    SERVER kafka OPTIONS (topic ''roundtrip_csv_string'', delivery ''immediate'', key_format ''integer'')', col, col);
  EXECUTE format('INSERT INTO one (part, n, %1$I) SELECT %2$s, n, %1$I FROM sent', col, part);
  RETURN QUERY SELECT * FROM differences(format('one WHERE part = %s', part), col);
  DROP FOREIGN TABLE one;
END $$;
SELECT d.* FROM (SELECT type, row_number() OVER (ORDER BY type COLLATE "C")::int - 1 AS part FROM cells GROUP BY type) AS c, through_string(type, part) AS d ORDER BY 1, 2;
-- format bytes: bytea
SELECT created FROM kafka.create_topic('roundtrip_csv_bytes', 1);
CREATE FOREIGN TABLE bytes (bytea bytea, n int OPTIONS (meta 'key')) SERVER kafka OPTIONS (topic 'roundtrip_csv_bytes', format 'bytes', delivery 'immediate', key_format 'integer');
INSERT INTO bytes SELECT bytea, n FROM sent;
SELECT * FROM differences('bytes', 'bytea');
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['roundtrip_csv_1', 'roundtrip_csv_2', 'roundtrip_csv_string', 'roundtrip_csv_bytes']);
