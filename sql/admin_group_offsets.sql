-- The offsets of consumer groups: reading, altering, deleting.
SELECT created FROM kafka.create_topic('admin_group_offsets', 3);
SELECT created FROM kafka.create_topic('admin_group_offsets_more', 1);
-- 10, 20 and 0 messages, a minute apart
SELECT count(kafka.produce('admin_group_offsets', i::text, partition => p, ts => '2026-01-01 00:00+00'::timestamptz + i * interval '1 min',
                           delivery => 'immediate'))
  FROM generate_series(0, 1) p, generate_series(0, 10 * p + 9) i;
SELECT kafka.produce('admin_group_offsets_more', i::text, delivery => 'immediate') IS NOT NULL AS sent FROM generate_series(1, 2) i;

-- targets; a dry run changes nothing
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => 'latest', dry_run => true);
SELECT count(*) FROM kafka.list_groups() WHERE group_id = 'admin_group_offsets';
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => 'LATEST');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 0, 'earliest');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '2026-01-01 00:05:00+00');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '2026-01-01 00:04:00.000001+00');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '1960-01-01');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 1, 'infinity');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 1, '-infinity');
-- a number, a shift; what is outside of the partition is brought within it
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '15');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 1, shift => -7);
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', shift => -9);
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 1, shift => 9223372036854775807);
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 1, shift => -9223372036854775808, dry_run => true);
SELECT topic, partition, "offset", metadata, error FROM kafka.group_offsets('admin_group_offsets');
-- there is nothing to shift
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets_more', shift => 1);

-- given ones, with metadata; what fails for one does not hide the others
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', ARRAY[('admin_group_offsets_more', 0, 1, 'kept'), ('admin_group_offsets_none', 0, 1, NULL),
  ('admin_group_offsets', 1, 3, NULL), ('admin_group_offsets', 99, 0, NULL), ('admin_group_offsets', 0, 99, 'and kept')]::kafka.topic_partition[]);
SELECT * FROM kafka.group_offsets('admin_group_offsets');
SELECT * FROM kafka.group_offsets('admin_group_offsets', ARRAY['admin_group_offsets_more', 'admin_group_offsets_none']);
SELECT * FROM kafka.group_offsets('admin_group_offsets', '{}');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', '{}'::kafka.topic_partition[]);

-- deleting
SELECT * FROM kafka.delete_group_offsets('admin_group_offsets', 'admin_group_offsets', '{2,0,7}');
SELECT * FROM kafka.delete_group_offsets('admin_group_offsets', 'admin_group_offsets_none');
SELECT * FROM kafka.delete_group_offsets('admin_group_offsets', 'admin_group_offsets');
SELECT * FROM kafka.group_offsets('admin_group_offsets');

-- offsets of a transaction count when it has committed
SELECT kafka.begin_transaction('admin-group-offsets');
SELECT kafka.send_offsets_to_transaction('admin_group_offsets', ARRAY[('admin_group_offsets_more', 0, 2, 'of the transaction')]::kafka.topic_partition[]);
SELECT "offset", metadata FROM kafka.group_offsets('admin_group_offsets');
SELECT kafka.commit_transaction();
-- some milliseconds later
DO $$ BEGIN
  FOR i IN 1 .. 500 LOOP
    EXIT WHEN (SELECT "offset" = 2 FROM kafka.group_offsets('admin_group_offsets'));
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
SELECT "offset", metadata FROM kafka.group_offsets('admin_group_offsets');

-- what is wrong
\set VERBOSITY terse
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => 'latest', shift => 1);
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', 3, 'latest');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', -1, 'latest');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => 'soon');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '-1');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets', target => '99999999999999999999');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'admin_group_offsets_none', target => 'latest');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', 'no/topic', target => 'latest');
SELECT * FROM kafka.alter_group_offsets('', 'admin_group_offsets', target => 'latest');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', NULL::text, target => 'latest');
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', ARRAY[('a', 0, -1, NULL)]::kafka.topic_partition[]);
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', ARRAY[('a', 0, NULL, NULL)]::kafka.topic_partition[]);
SELECT * FROM kafka.alter_group_offsets('admin_group_offsets', ARRAY[('a', 0, 1, NULL), ('a', 0, 2, NULL)]::kafka.topic_partition[]);
SELECT * FROM kafka.group_offsets('admin_group_offsets_none');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.group_offsets('admin_group_offsets', ARRAY['no/topic']);
SELECT * FROM kafka.group_offsets('admin_group_offsets', ARRAY[NULL]::text[]);
SELECT * FROM kafka.delete_group_offsets('admin_group_offsets_none', 'admin_group_offsets');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka.delete_group_offsets('admin_group_offsets', 'admin_group_offsets', ARRAY[NULL]::int[]);
SELECT deleted FROM kafka.delete_group('admin_group_offsets');
SELECT deleted FROM kafka.delete_topic(ARRAY['admin_group_offsets', 'admin_group_offsets_more']);
