-- Many messages, large messages, gaps: a scan reads all of them, each once.
SELECT created FROM kafka.create_topic('reading_large', 6);
CREATE FOREIGN TABLE reading_large (n int, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_large', format 'csv', delivery 'immediate');
INSERT INTO reading_large (n, part) SELECT i, i % 6 FROM generate_series(1, 120000) AS i;
SELECT count(*), count(DISTINCT n), sum(n) FROM reading_large;
SELECT part, count(*), min(offs), max(offs) FROM reading_large GROUP BY part ORDER BY part;
-- ranges inside it
SELECT count(*), min(n), max(n) FROM reading_large WHERE part = 3 AND offs BETWEEN 15000 AND 15999;
SELECT count(*) FROM reading_large WHERE offs IN (0, 5000, 10000, 19999);
SELECT n FROM reading_large WHERE part = 5 AND offs IN (0, 19999) ORDER BY n;
SELECT count(*) FROM reading_large WHERE (part = 0 AND offs < 100) OR (part = 5 AND offs >= 19900) OR (part = 2 AND offs % 1000 = 0);
-- in the order of the offsets
SELECT count(*), count(*) FILTER (WHERE offs <> place) AS out_of_order
  FROM (SELECT offs, row_number() OVER () - 1 AS place FROM reading_large WHERE part = 4) s;

-- gaps (peer_R15): transactions take offsets for their ends
SELECT created FROM kafka.create_topic('reading_large_gaps', 1);
CREATE FOREIGN TABLE reading_large_gaps (n int, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_large_gaps', format 'csv');
CREATE PROCEDURE reading_large_gaps_fill() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 30 LOOP
    INSERT INTO reading_large_gaps SELECT i;
    COMMIT;
  END LOOP;
END $$;
CALL reading_large_gaps_fill();
SELECT count(*), min(n), max(n), min(offs), max(offs) FROM reading_large_gaps;
-- bounds that fall into gaps, and behind the last message (an end marker is there)
SELECT n, offs FROM reading_large_gaps WHERE offs IN (1, 3, 4, 58, 59) ORDER BY offs;
SELECT count(*) FROM reading_large_gaps WHERE offs = 59;
SELECT n FROM reading_large_gaps WHERE offs BETWEEN 55 AND 59 ORDER BY n;
SELECT n FROM reading_large_gaps WHERE offs > 57 ORDER BY n;

-- large messages among small ones
SELECT created FROM kafka.create_topic('reading_large_sizes', 2);
CREATE FOREIGN TABLE reading_large_sizes (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'reading_large_sizes', delivery 'immediate');
INSERT INTO reading_large_sizes SELECT repeat(chr(97 + i % 26), CASE WHEN i % 10 = 0 THEN 900000 ELSE i END) FROM generate_series(1, 100) AS i;
SELECT count(*), sum(length(v)), count(*) FILTER (WHERE v <> repeat(left(v, 1), length(v))) AS damaged FROM reading_large_sizes;
SELECT count(*) FROM reading_large_sizes a JOIN reading_large_sizes b USING (v);
-- joined with a table, loaded into one
CREATE TABLE reading_large_loaded AS SELECT * FROM reading_large;
SELECT count(*) FROM reading_large r JOIN reading_large_loaded l USING (n, part, offs);
SELECT count(*) FROM (SELECT * FROM reading_large EXCEPT SELECT * FROM reading_large_loaded) s;
SELECT bool_and(deleted) FROM kafka.delete_topic(ARRAY['reading_large', 'reading_large_gaps', 'reading_large_sizes']);
