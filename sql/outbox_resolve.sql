-- An outbox whose position in Kafka is in doubt stops, and says why; kafka.outbox_resolve ends that.
\set VERBOSITY terse
\getenv brokers KAFKA_BROKERS
SELECT partitions FROM kafka.create_topic('outbox_resolve', 1) AS t(topic, partitions, created);
CREATE SERVER outbox_resolve FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers :'brokers');
INSERT INTO kafka.outbox_definition (name, server, enabled) VALUES ('outbox_resolve', 'outbox_resolve', false);
CREATE FOREIGN TABLE outbox_resolve (v text, o bigint OPTIONS (meta 'offset'))
  SERVER outbox_resolve OPTIONS (topic 'outbox_resolve', delivery 'outbox');
SELECT id, 'kafka_fdw.outbox.' || uuid AS positions FROM kafka.outbox_definition WHERE name = 'outbox_resolve' \gset
CREATE FUNCTION outbox_resolve_state() RETURNS TABLE (state text, reason text, resolution text) LANGUAGE sql AS $$
  SELECT state, regexp_replace(regexp_replace(reason, '[0-9a-f]{8}-[0-9a-f-]{27}', 'UUID'), '[0-9]+/[0-9]+/[0-9]+/.*', 'INSTANCE'), resolution
    FROM kafka.outbox_lease l JOIN kafka.outbox_definition d ON d.id = l.outbox WHERE d.name = 'outbox_resolve' $$;
INSERT INTO outbox_resolve (v) VALUES ('1');
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();

-- nobody has to decide anything
SELECT kafka.outbox_resolve('outbox_resolve', 'skip');
SELECT kafka.outbox_resolve('outbox_resolve', 'republish');

-- another instance's claim: a clone would find this
UPDATE kafka.outbox_lease SET claim = gen_random_uuid(), previous_claim = NULL WHERE outbox = :id;
INSERT INTO outbox_resolve (v) VALUES ('2');
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
SELECT v FROM outbox_resolve ORDER BY o;
SELECT kafka.outbox_resolve('outbox_resolve', 'take_over');
SELECT * FROM outbox_resolve_state();
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
SELECT v FROM outbox_resolve ORDER BY o;

-- ticks that are not known here, as in an older copy: take_over does not help
INSERT INTO outbox_resolve (v) VALUES ('3');
DELETE FROM kafka.outbox_tick WHERE outbox = :id AND tick >= 2;
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
SELECT kafka.outbox_resolve('outbox_resolve', 'take_over');
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
-- what is not known here to be published is published, again or not: 2 is
SELECT kafka.outbox_resolve('outbox_resolve', 'republish');
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
SELECT v FROM outbox_resolve ORDER BY o;

-- the position is gone with its topic
SELECT deleted FROM kafka.delete_topic(:'positions', server => 'outbox_resolve') AS d(topic, deleted, error);
INSERT INTO outbox_resolve (v) VALUES ('4');
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
-- what is committed when it is decided counts as published; what comes later is published
SELECT kafka.outbox_resolve('outbox_resolve', 'skip');
INSERT INTO outbox_resolve (v) VALUES ('5');
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
SELECT v FROM outbox_resolve ORDER BY o;

-- a position that has gone back
INSERT INTO outbox_resolve (v) VALUES ('6');
CALL kafka.relay('outbox_resolve');
UPDATE kafka.outbox_tick SET acknowledged = acknowledged + 1 WHERE outbox = :id;
CALL kafka.relay('outbox_resolve');
SELECT state, regexp_replace(reason, '[0-9]+', 'N', 'g') AS reason FROM outbox_resolve_state();
UPDATE kafka.outbox_tick SET acknowledged = acknowledged - 1 WHERE outbox = :id;
CALL kafka.relay('outbox_resolve');

-- rows that were restored from a dump lie still until somebody decides
INSERT INTO kafka.outbox_row_0 (outbox, xid, id, created, topic, value)
VALUES (:id, '1234567890', nextval('kafka.outbox_row_id'), now(), 'outbox_resolve', 'restored');
SELECT xid, restored_xid FROM kafka.outbox_row WHERE outbox = :id AND value = 'restored';
CALL kafka.relay('outbox_resolve');
SELECT * FROM outbox_resolve_state();
INSERT INTO outbox_resolve (v) VALUES ('7');
SELECT kafka.outbox_resolve('outbox_resolve', 'take_over');
CALL kafka.relay('outbox_resolve');
SELECT v FROM outbox_resolve WHERE v IN ('6', '7', 'restored') ORDER BY v;
SELECT * FROM outbox_resolve_state();

-- what would let Kafka forget the position is refused
SELECT kafka.alter_config('topic', :'positions', '{"cleanup.policy": "delete"}', server => 'outbox_resolve');
CALL kafka.relay('outbox_resolve');
DROP FUNCTION outbox_resolve_state;
DROP FOREIGN TABLE outbox_resolve;
SELECT kafka.drop_outbox('outbox_resolve');
DROP SERVER outbox_resolve;
