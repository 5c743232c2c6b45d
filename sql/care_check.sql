-- kafka.check and kafka.check_server: each step, what a failure is, and that nothing is left
\getenv brokers KAFKA_BROKERS
SELECT step, ok, regexp_replace(detail, '\d[\w.]*', 'N', 'g') AS detail
  FROM kafka.check('kafka') WHERE step NOT IN ('workers');
SELECT step, ok FROM kafka.check('kafka', write => false) WHERE step <> 'workers';

-- in a script a failure is an error
CREATE SERVER nowhere FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SET kafka_fdw.connect_timeout = '300ms';
SELECT step, ok, milliseconds IS NULL AS none, left(detail, 45) AS detail FROM kafka.check('nowhere');
\set VERBOSITY terse
SELECT step, ok FROM kafka.check('nowhere', fail => true);
CALL kafka.check_server('nowhere');
RESET kafka_fdw.connect_timeout;

-- through the outbox, where there is one that is relayed
CREATE SERVER quiet FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
CALL kafka.check_server('quiet');
SELECT topic, partitions FROM kafka.create_topic('care_check', 1, server => 'quiet');
SELECT kafka.produce('care_check', 'x', delivery => 'outbox', server => 'quiet');
SELECT kafka.wait_for_relay('30s');
CALL kafka.check_server('quiet');
SELECT messages FROM kafka.outbox_status WHERE outbox = 'quiet';
SELECT ok, detail FROM kafka.check('quiet', write => false) WHERE step = 'workers';

-- the relay waits for a topic that is not there, and does not get to the check's row: that is taken back
SELECT kafka.produce('care_check_not_there', 'x', delivery => 'outbox', server => 'quiet');
DO $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM kafka.outbox_lease WHERE state = 'waiting') LOOP
    PERFORM pg_sleep(0.02);
  END LOOP;
END $$;
CALL kafka.check_server('quiet', '500ms');
SELECT topic FROM kafka.outbox WHERE outbox = 'quiet' AND NOT published ORDER BY id;
SELECT kafka.stop_relay('quiet');
SELECT ok, detail FROM kafka.check('quiet', write => false) WHERE step = 'workers';

-- not where nothing can be committed
BEGIN;
CALL kafka.check_server('quiet');
ROLLBACK;

-- nothing is left
SELECT count(*) FROM kafka.list_topics(server => 'quiet') t WHERE t::text LIKE '%kafka\_fdw\_check\_%';
SELECT count(*) FROM kafka.list_groups(server => 'quiet') g WHERE g::text LIKE '%kafka\_fdw\_check\_%';
SELECT count(*) FROM kafka.pipeline_definition WHERE name LIKE 'kafka\_fdw\_check\_%';
SELECT kafka.drop_outbox('quiet', force => true);
DROP SERVER nowhere;
DROP SERVER quiet;
