-- COPY FROM and tuple routing through a partitioned parent (peer_W3).
SELECT * FROM kafka.create_topic('producer_copy', 2);
CREATE FOREIGN TABLE producer_copy (
  id int, name text,
  k text OPTIONS (meta 'key'),
  part int OPTIONS (meta 'partition'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'producer_copy', format 'json', delivery 'immediate');
COPY producer_copy (id, name, k, part) FROM STDIN (FORMAT csv);
1,one,k1,0
2,,,1
3,"",k3,0
\.
COPY producer_copy (id, part) FROM STDIN;
4	1
\N	1
\.
SELECT id, name, k, part, offs FROM producer_copy ORDER BY part, offs;
-- in a transaction: nothing before COMMIT, nothing after ROLLBACK or an error in line 2
ALTER FOREIGN TABLE producer_copy OPTIONS (SET delivery 'before_commit');
BEGIN;
COPY producer_copy (id, part) FROM STDIN;
5	0
6	0
\.
SELECT count(*) FROM producer_copy;
COMMIT;
BEGIN;
COPY producer_copy (id, part) FROM STDIN;
7	0
\.
ROLLBACK;
COPY producer_copy (id, part) FROM STDIN;
8	0
x	0
\.
COPY producer_copy (id, part) FROM STDIN;
9	0
10	7
\.
SELECT id FROM producer_copy WHERE id > 4 ORDER BY id;
-- WHERE
COPY producer_copy (id, part) FROM STDIN WHERE id % 2 = 0;
11	0
12	0
\.
SELECT id FROM producer_copy WHERE id > 10 ORDER BY id;
-- thousands of rows
ALTER FOREIGN TABLE producer_copy OPTIONS (SET delivery 'immediate');
CREATE TABLE producer_copy_rows AS SELECT i + 1000 AS id, 'name ' || i AS name FROM generate_series(1, 5000) AS i;
INSERT INTO producer_copy (id, name) SELECT * FROM producer_copy_rows;
SELECT count(*), count(DISTINCT id), sum(id) FROM producer_copy WHERE id > 1000;
-- COPY TO reads
COPY (SELECT id, name FROM producer_copy WHERE id < 4 ORDER BY id) TO STDOUT (FORMAT csv);

-- a partitioned parent: by INSERT, COPY, and an UPDATE that moves a row
SELECT topic FROM kafka.create_topic('producer_copy_east', 1) UNION ALL SELECT topic FROM kafka.create_topic('producer_copy_west', 1);
CREATE TABLE producer_parent (region text, id int, note text) PARTITION BY LIST (region);
CREATE FOREIGN TABLE producer_east PARTITION OF producer_parent FOR VALUES IN ('east')
  SERVER kafka OPTIONS (topic 'producer_copy_east', format 'json', delivery 'immediate');
-- another order of columns, one of them dropped
CREATE FOREIGN TABLE producer_west (note text, gone int, offs bigint OPTIONS (meta 'offset'), id int, region text)
  SERVER kafka OPTIONS (topic 'producer_copy_west', format 'json');
ALTER FOREIGN TABLE producer_west DROP gone, DROP offs;
ALTER TABLE producer_parent ATTACH PARTITION producer_west FOR VALUES IN ('west');
CREATE TABLE producer_local PARTITION OF producer_parent DEFAULT;
INSERT INTO producer_parent VALUES ('east', 1, 'insert'), ('west', 2, 'insert'), ('north', 3, 'insert'), ('east', 4, NULL);
COPY producer_parent FROM STDIN (FORMAT csv);
west,5,copy
east,6,copy
south,7,copy
west,8,copy
\.
SELECT tableoid::regclass, * FROM producer_parent ORDER BY id;
SELECT id, note FROM producer_parent WHERE region = 'west' ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM producer_parent WHERE region = 'east';
-- a rolled-back routing leaves nothing of what waits for COMMIT
BEGIN;
INSERT INTO producer_parent VALUES ('west', 20, 'rolled back'), ('north', 21, 'rolled back');
ROLLBACK;
INSERT INTO producer_parent SELECT CASE WHEN i % 2 = 0 THEN 'east' ELSE 'west' END, i, 'many' FROM generate_series(100, 1099) AS i;
SELECT region, count(*), count(DISTINCT id), sum(id) FROM producer_parent WHERE id >= 100 GROUP BY region ORDER BY region;
UPDATE producer_parent SET region = 'east', note = 'moved' WHERE id = 3 AND region = 'north';
SELECT tableoid::regclass, * FROM producer_parent WHERE id = 3;
INSERT INTO producer_parent VALUES ('east', 30, 'r') RETURNING tableoid::regclass, *;
\set VERBOSITY terse
DELETE FROM producer_parent WHERE region = 'east';
\echo :LAST_ERROR_SQLSTATE
UPDATE producer_parent SET note = 'x' WHERE region = 'west';
\echo :LAST_ERROR_SQLSTATE
SELECT deleted FROM kafka.delete_topic(ARRAY['producer_copy', 'producer_copy_east', 'producer_copy_west']);
