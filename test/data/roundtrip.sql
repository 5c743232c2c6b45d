-- What sql/roundtrip_*.sql share. In a schema named :test: the table "sent", with a column for
-- every base type of pg_type, one for its arrays, and types of other kinds, filled from
-- type_samples.tsv (COPY's text format: first PostgreSQL version, type, value); and a function that compares.
SET client_min_messages = warning;
CREATE SCHEMA :test;
SET search_path = :test;
CREATE TYPE mood AS ENUM ('sad', '', 'it''s "fine", \really');
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE DOMAIN words AS text;
CREATE DOMAIN list AS int[];
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE pair AS (a int, "b ""c""" text);
CREATE TYPE document AS (a int, j jsonb);
CREATE TYPE nested AS (i int[], p pair, ps pair[], e even, r textrange, t timestamptz, l list, f float8, m mood);
CREATE TABLE "q"" 'table" ();
CREATE TABLE samples (since int, type text, value text);
\getenv srcdir PG_ABS_SRCDIR
\set samples_file :srcdir '/test/data/type_samples.tsv'
COPY samples FROM :'samples_file';
-- some types can't be made from text (0A000): planner's trees, statistics, without libxml xml
CREATE FUNCTION takes_input(type text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT %L::%s', '', type);
  RETURN true;
EXCEPTION WHEN feature_not_supported THEN
  RETURN false;
WHEN OTHERS THEN
  RETURN true;
END $$;
DELETE FROM samples WHERE since > current_setting('server_version_num')::int / 10000 OR NOT takes_input(type);
-- types of this PostgreSQL that have no samples: give them some
SELECT t.oid::regtype AS type_without_samples FROM pg_type t
 WHERE t.typtype IN ('b', 'r', 'm') AND t.typnamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
   AND takes_input(format_type(t.oid, -1)) AND t.oid NOT IN (SELECT to_regtype(type) FROM samples) ORDER BY 1;
-- the values of each column, as text: the samples, and arrays of them
CREATE TABLE cells AS SELECT type, row_number() OVER (PARTITION BY type ORDER BY value COLLATE "C") AS n, value FROM samples;
-- (elements in quotes; box has another delimiter)
INSERT INTO cells
  WITH quoted AS (SELECT type, n, '"' || replace(replace(value, '\', '\\'), '"', '\"') || '"' AS e FROM cells WHERE to_regtype(type || '[]') IS NOT NULL),
    by_type AS (SELECT type, array_agg(e ORDER BY n) AS a, coalesce((array_agg(e ORDER BY n))[2], 'NULL') AS a2, (SELECT typdelim FROM pg_type WHERE oid = to_regtype(type)) AS d
      FROM quoted GROUP BY type)
  SELECT type || '[]', x.* FROM by_type, LATERAL (VALUES (1, '{' || array_to_string(a || text 'NULL', d) || '}'), (2, '{}'), (3, format('{{%s%s%s}%2$s{NULL%2$s%1$s}}', a[1], d, a2)),
    (4, format('[5:6]={%s%s%s}', a[1], d, a2)), (5, format('[0:0][-1:0]={{%s%s%s}}', a2, d, a[1])), (6, '{NULL}'), (7, format('{%s}', a[1])), (8, format('{%s}', a2)),
    (9, '[-3:-3]={NULL}'), (10, format('{{{%s}}%s{{%s}}}', a[1], d, a2))) AS x;
SELECT string_agg(format('%I %s', type, type), ', ' ORDER BY type COLLATE "C") AS columns FROM (SELECT DISTINCT type FROM cells) AS c \gset
CREATE TABLE sent (n int, :columns);
INSERT INTO sent (n) VALUES (0);
-- from literals, because a cast may take less than the type's input
DO $$
DECLARE
  insert text;
BEGIN
  FOR insert IN SELECT format('INSERT INTO sent (n, %s) VALUES (%s, %s)', string_agg(quote_ident(type), ', '), n, string_agg(quote_literal(value), ', ')) FROM cells GROUP BY n ORDER BY n LOOP
    EXECUTE insert;
  END LOOP;
END $$;
-- how many, at least
SELECT count(*) >= 180 AS columns, (SELECT count(*) >= 1200 FROM cells) AS cells FROM pg_attribute WHERE attrelid = 'sent'::regclass AND attnum > 1;
-- Each value of a table that is not the one in "sent": another text, not the same by its operator, or another image.
CREATE FUNCTION differences(source text, col text) RETURNS TABLE (col_name text, n int, sent text, read text) LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT %1$L::text, n, s.%2$I::text, r.%2$I::text FROM sent s FULL JOIN (SELECT n, %2$I FROM %3$s) r USING (n)
    WHERE s.%2$I::text IS DISTINCT FROM r.%2$I::text OR NOT record_image_eq(ROW(s.%2$I), ROW(r.%2$I))', col, col, source);
BEGIN
  BEGIN
    RETURN QUERY EXECUTE query || format(' OR s.%1$I IS DISTINCT FROM r.%1$I', col);
    RETURN;
  EXCEPTION WHEN undefined_function OR ambiguous_function THEN  -- a type without an equality operator of its own
    NULL;
  END;
  RETURN QUERY EXECUTE query;
EXCEPTION WHEN OTHERS THEN
  RETURN QUERY SELECT col, NULL::int, SQLSTATE, SQLERRM;
END $$;
