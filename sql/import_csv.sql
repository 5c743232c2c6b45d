-- Columns of CSV records: only where the format is given, as a record could be any text.
SELECT * FROM kafka.create_topic('import_csv', 1);
SELECT * FROM kafka.infer_columns('import_csv', 'csv') ORDER BY attnum LIMIT 2;
SELECT count(kafka.produce('import_csv', v, delivery => 'immediate')) FROM unnest(ARRAY[
  E'1,2.5,true,2024-02-29T12:00:00Z,"a,b",007,,x,"7"\n',
  E'-2,3,false,2024-02-29T12:00:00.5+02:00,"say ""hi""\nthere",8,,"","8"\r\n',
  '9223372036854775808,,,,,,,,,late'
]) AS v;
SELECT column_name, type, format FROM kafka.infer_columns('import_csv') ORDER BY attnum LIMIT 1;
SELECT * FROM kafka.infer_columns('import_csv', 'csv') ORDER BY attnum;
CREATE SCHEMA import_csv;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_csv) FROM SERVER kafka INTO import_csv OPTIONS (format 'csv', metadata 'false');
SET timezone = 'UTC';
SET datestyle = ISO;
\x on
SELECT * FROM import_csv.import_csv ORDER BY column_1;
\x off
DROP FOREIGN TABLE import_csv.import_csv;
-- what is no record
SELECT count(kafka.produce('import_csv', v, delivery => 'immediate')) FROM unnest(ARRAY[
  'x,"open', E'1\n2', repeat(',', 1000), NULL]) AS v;
SELECT column_name, type, samples, nulls FROM kafka.infer_columns('import_csv', 'csv') ORDER BY attnum LIMIT 1;
-- formats of a fixed length
SELECT count(kafka.produce('import_csv', v, delivery => 'immediate')) FROM unnest(ARRAY['\x0000000a'::bytea, '\xffffffff']) AS v;
SELECT f, i.column_name, i.type FROM unnest(ARRAY['integer', 'short', 'long', 'float', 'double', 'uuid']) WITH ORDINALITY AS s(f, n),
  LATERAL kafka.infer_columns('import_csv', f, 2) AS i WHERE attnum = 1 ORDER BY n;
IMPORT FOREIGN SCHEMA kafka LIMIT TO (import_csv) FROM SERVER kafka INTO import_csv OPTIONS (format 'integer', sample '2');
SELECT value FROM import_csv.import_csv WHERE _offset >= 7 ORDER BY _offset;
DROP FOREIGN TABLE import_csv.import_csv;
DROP SCHEMA import_csv;
SELECT deleted FROM kafka.delete_topic('import_csv');
