-- A consumer that begins at the end: what it has read comes again after a rollback, also of its very
-- first transaction, and another consumer of its group begins where it began.
SET kafka_fdw.server = 'kafka';
SELECT partitions FROM kafka.create_topic('consumer_latest', 1);
CREATE TABLE loaded (store text, v text);
CREATE FUNCTION send(first int, last int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM kafka.produce_batch('consumer_latest', array(SELECT i::text FROM generate_series(first, last) i), delivery => 'immediate')
$$;
CREATE FUNCTION take() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(value, ' ' ORDER BY "offset") FROM kafka.poll_text(100, '10s')
$$;
-- the first transaction joins the group, reads, and is rolled back
CREATE PROCEDURE begin_at_the_end(store text, first int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kafka.subscribe('consumer_latest', 'consumer_latest_' || store, offsets => store);
	FOR i IN 1 .. 100 LOOP
		PERFORM * FROM kafka.poll(1, '100ms');
		EXIT WHEN EXISTS (SELECT FROM kafka.assignment());
	END LOOP;
	PERFORM send(first, first + 2);
	RAISE NOTICE '% read: %', store, take();
	ROLLBACK;
	RAISE NOTICE '% after ROLLBACK: %', store, take();
	ROLLBACK;
	RAISE NOTICE '% again: %', store, take();
	ROLLBACK;
	PERFORM kafka.close_consumer();
	-- another one, which has never read anything
	PERFORM kafka.subscribe('consumer_latest', 'consumer_latest_' || store, offsets => store);
	RAISE NOTICE '% another: %', store, take();
	COMMIT;
	PERFORM kafka.close_consumer();
	PERFORM send(first + 3, first + 3);
	PERFORM kafka.subscribe('consumer_latest', 'consumer_latest_' || store, offsets => store);
	RAISE NOTICE '% after COMMIT: %', store, take();
	COMMIT;
	PERFORM kafka.close_consumer();
END
$$;
SELECT send(0, 9);
CALL begin_at_the_end('kafka', 10);
CALL begin_at_the_end('postgres', 20);
CALL begin_at_the_end('transaction', 30);
-- without auto_commit the group gets nothing but marks
SELECT kafka.subscribe('consumer_latest', 'consumer_latest_marks', auto_commit => false);
SELECT take() IS NULL FROM kafka.poll(1, '4s') RIGHT JOIN (VALUES (1)) v ON true;
SELECT "offset" FROM kafka.committed();
SELECT kafka.close_consumer();
-- a poll that was rolled back to a savepoint leaves nothing to store
SELECT kafka.assign('consumer_latest', options => '{"group_id": "consumer_latest_points", "offsets": "postgres"}');
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM kafka.poll(3, '10s');
SELECT kafka.commit_offsets();
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM kafka.consumer_offset WHERE group_id = 'consumer_latest_points';
SELECT count(*) FROM kafka.poll(3, '10s');
SELECT next_offset FROM kafka.consumer_offset WHERE group_id = 'consumer_latest_points';
SELECT kafka.close_consumer();
-- a partition that was rewound comes before what was fetched of others
SELECT partitions FROM kafka.create_topic('consumer_latest_two', 2);
SELECT count(*) FROM kafka.produce_batch(array(SELECT kafka.make_record('consumer_latest_two', i::text, partition => i % 2) FROM generate_series(1, 20000) i), 'immediate');
SELECT kafka.assign('consumer_latest_two');
SELECT sum(n) > 5000 FROM generate_series(1, 60) i, LATERAL (SELECT count(*) AS n FROM kafka.poll(100 + i * 0, '10s')) p;
SELECT kafka.seek('consumer_latest_two', 1, 0);
SELECT min("offset") FROM kafka.poll(5000, '10s') WHERE partition = 1;
SELECT kafka.close_consumer();
DROP PROCEDURE begin_at_the_end;
DROP FUNCTION send, take;
DROP TABLE loaded;
RESET kafka_fdw.server;
SELECT count(*) FROM kafka.delete_topic(ARRAY['consumer_latest', 'consumer_latest_two']) WHERE deleted;
