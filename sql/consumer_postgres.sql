-- offsets => 'postgres': offsets in kafka.consumer_offset, in the transaction of the rows.
CREATE ROLE consumer_postgres_user;
GRANT USAGE ON FOREIGN SERVER kafka TO consumer_postgres_user;
SELECT created FROM kafka.create_topic('consumer_postgres', 1);
SELECT count(kafka.produce('consumer_postgres', i::text, delivery => 'immediate')) FROM generate_series(0, 49) AS i;
CREATE VIEW kept AS SELECT group_id, partition, next_offset, metadata, owner_epoch, owner_pid = pg_backend_pid() AS me
  FROM kafka.consumer_offset WHERE topic = 'consumer_postgres' ORDER BY group_id, partition;
CREATE FUNCTION take(n int, consumer text DEFAULT 'default') RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(value, ' ' ORDER BY "offset") FROM kafka.poll_text(n, '10s', consumer) $$;

SELECT kafka.subscribe('consumer_postgres', 'consumer_postgres', offsets => 'postgres', start => 'earliest');
SELECT * FROM kept;
BEGIN;
SELECT take(2);
SELECT * FROM kept;
ROLLBACK;
-- the claim is rolled back too, and made again
SELECT * FROM kept;
SELECT take(2);
SELECT * FROM kept;
SELECT server, topic, claimed <= updated AS dated FROM kafka.consumer_offset WHERE group_id = 'consumer_postgres';
SELECT * FROM kafka.committed();
BEGIN;
SELECT take(3);
SAVEPOINT s;
SELECT take(3);
ROLLBACK TO s;
COMMIT;
SELECT * FROM kept;
-- a rolled-back transaction, then one that commits
BEGIN;
SELECT take(1);
ROLLBACK;
SELECT take(1);
-- marks, with text
BEGIN;
SELECT take(4);
SELECT kafka.commit_offsets(ARRAY[('consumer_postgres', 0, 8, 'up to here')]::kafka.topic_partition[]);
COMMIT;
SELECT * FROM kept;
SELECT take(1);
SELECT * FROM kept;

-- a second owner of the same partition: the first one's next commit fails
SELECT kafka.assign('consumer_postgres', '{0}', options => '{"group_id": "consumer_postgres", "offsets": "postgres"}', consumer => 'second');
SELECT take(2, 'second');
SELECT * FROM kept;
BEGIN;
SELECT take(2);
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kept;
-- it goes on where the second one got to, and has the partition again
SELECT take(2);
SELECT * FROM kept;
-- now the second one has lost it
SELECT take(2, 'second');
SELECT take(2, 'second');
SELECT * FROM kept;
-- taking the partition is enough, no offset has to move
SELECT take(1);
SELECT take(1);
SELECT kafka.assign('consumer_postgres', '{0}', options => '{"group_id": "consumer_postgres", "offsets": "postgres"}', consumer => 'second');
SELECT "position" FROM kafka.assignment('second');
SELECT take(1);
SELECT take(1);
SELECT kafka.close_consumer('second');
-- somebody has moved the offset: that is lost, too; then it begins there
UPDATE kafka.consumer_offset SET next_offset = 30 WHERE topic = 'consumer_postgres';
SELECT take(1);
SELECT take(2);
DELETE FROM kafka.consumer_offset WHERE topic = 'consumer_postgres';
SELECT take(1);
SELECT take(1);
SELECT * FROM kept;

-- under REPEATABLE READ
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT take(2);
COMMIT;
SELECT next_offset FROM kept;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT take(2);
COMMIT;
SELECT next_offset FROM kept;
-- a transaction that may not write has nowhere to put them
BEGIN READ ONLY;
SELECT take(1);
\set VERBOSITY terse
COMMIT;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT next_offset FROM kept;
-- where a trigger at COMMIT polls
CREATE TABLE loaded (v text);
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', take(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON loaded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
INSERT INTO loaded VALUES ('x');
SELECT next_offset FROM kept;
DROP TABLE loaded;
DROP FUNCTION late;
SELECT kafka.close_consumer();

-- an ordinary user has no right on the table, and needs none; search_path does not matter
SET ROLE consumer_postgres_user;
\set VERBOSITY terse
SELECT * FROM kafka.consumer_offset;
UPDATE kafka.consumer_offset SET next_offset = 0;
\set VERBOSITY default
CREATE TEMP TABLE consumer_offset (x int);
SET search_path = pg_temp, public;
SELECT kafka.subscribe('consumer_postgres', 'consumer_postgres_user', offsets => 'postgres', start => 'earliest');
SELECT take(3);
SELECT take(3);
SELECT * FROM kafka.committed();
SELECT kafka.close_consumer();
DROP TABLE pg_temp.consumer_offset;
RESET search_path;
RESET ROLE;
SELECT * FROM kept;

-- the group is told as well, for those who look at lag
SELECT kafka.subscribe('consumer_postgres', 'consumer_postgres_user', offsets => 'kafka', start => 'earliest');
SELECT take(1);
SELECT kafka.close_consumer();
DELETE FROM kafka.consumer_offset WHERE topic = 'consumer_postgres';
DROP VIEW kept;
DROP FUNCTION take;
REVOKE USAGE ON FOREIGN SERVER kafka FROM consumer_postgres_user;
DROP ROLE consumer_postgres_user;
SELECT deleted FROM kafka.delete_topic('consumer_postgres');
