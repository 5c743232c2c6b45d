-- Several consumers in one session and transaction, with offsets in different places.
SELECT t.topic FROM unnest(ARRAY['consumer_several_1','consumer_several_2','consumer_several_out']) AS n, LATERAL kafka.create_topic(n, 1) AS t;
SELECT count(kafka.produce(t, i::text, delivery => 'immediate')) FROM generate_series(1,5) i, unnest(ARRAY['consumer_several_1','consumer_several_2']) t;
SELECT kafka.subscribe('consumer_several_1', 'consumer_several_1', offsets => 'transaction', start => 'earliest', consumer => 'a'), kafka.subscribe('consumer_several_2', 'consumer_several_2', offsets => 'transaction', start => 'earliest', consumer => 'b');
BEGIN;
SELECT count(kafka.produce('consumer_several_out', value)) FROM (SELECT value FROM kafka.poll_text(2,'10s','a') UNION ALL SELECT value FROM kafka.poll_text(3,'10s','b')) x;
COMMIT;
SELECT (SELECT "offset" FROM kafka.committed('a')), (SELECT "offset" FROM kafka.committed('b'));
-- one fails: none
BEGIN;
SELECT count(*) FROM kafka.poll(1,'10s','a');
SELECT count(*) FROM kafka.poll(1,'10s','b');
SELECT kafka.produce('consumer_several_out','x', delivery=>'after_commit');
COMMIT;
SELECT (SELECT "offset" FROM kafka.position('a')), (SELECT "offset" FROM kafka.position('b'));
-- mixed stores in one transaction
SELECT kafka.subscribe('consumer_several_2', 'consumer_several_2k', offsets => 'kafka', start => 'earliest', consumer => 'k');
SELECT kafka.subscribe('consumer_several_1', 'consumer_several_1p', offsets => 'postgres', start => 'earliest', consumer => 'p');
BEGIN;
SELECT count(*) FROM kafka.poll(1,'10s','k');
SELECT count(*) FROM kafka.poll(2,'10s','p');
COMMIT;
SELECT (SELECT "offset" FROM kafka.committed('k')), (SELECT "offset" FROM kafka.committed('p'));
-- transaction + postgres: the latter writes a table
BEGIN;
SELECT count(*) FROM kafka.poll(1,'10s','a');
SELECT count(*) FROM kafka.poll(1,'10s','p');
COMMIT;
SELECT (SELECT "offset" FROM kafka.committed('a')), (SELECT "offset" FROM kafka.committed('p'));
-- postgres, marks only
SELECT kafka.close_consumer('p');
SELECT kafka.subscribe('consumer_several_1', 'consumer_several_1p', offsets => 'postgres', auto_commit => false, consumer => 'p');
BEGIN;
SELECT value FROM kafka.poll_text(1,'10s','p');
SELECT kafka.commit_offsets(consumer => 'p');
SELECT value FROM kafka.poll_text(1,'10s','p');
ROLLBACK;
SELECT value FROM kafka.poll_text(1,'10s','p');
SELECT "offset" FROM kafka.committed('p');
SELECT kafka.commit_offsets(consumer => 'p');
SELECT "offset" FROM kafka.committed('p');
SELECT kafka.seek('consumer_several_1', 0, 0, 'p');
SELECT "offset" FROM kafka.committed('p');
SELECT value FROM kafka.poll_text(1,'10s','p');
SELECT kafka.commit_offsets(consumer => 'p');
SELECT "offset" FROM kafka.committed('p');
DELETE FROM kafka.consumer_offset WHERE topic = 'consumer_several_1';
SELECT count(*) FROM kafka.delete_topic(ARRAY['consumer_several_1','consumer_several_2','consumer_several_out']);
