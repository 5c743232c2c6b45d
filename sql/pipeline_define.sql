-- Pipelines are made, changed, moved and dropped, and what cannot work is refused at once.
\set VERBOSITY terse
SELECT partitions FROM kafka.create_topic('pipeline_define', 2) AS t(topic, partitions, created);
SELECT partitions FROM kafka.create_topic('pipeline_define_other', 1) AS t(topic, partitions, created);
SELECT count(kafka.produce('pipeline_define', format('{"id": %s, "v": "m%s"}', i, i), partition => i % 2, delivery => 'immediate')) FROM generate_series(1, 6) i;
SELECT count(kafka.produce('pipeline_define_other', '{"id": 9, "v": "other"}', delivery => 'immediate'));
CREATE FOREIGN TABLE pipeline_define_source (id bigint, v text, part integer OPTIONS (meta 'partition')) SERVER kafka OPTIONS (topic 'pipeline_define', format 'json');
CREATE TABLE pipeline_define_target (id bigint PRIMARY KEY, v text, at timestamptz DEFAULT now());
CREATE FUNCTION pipeline_define_handler(m kafka.message[]) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION pipeline_define_no_handler(m text) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE VIEW pipeline_define_shown AS
SELECT name, source, topic, target, handler, mode, on_error, enabled, state, parallelism, messages, rows, dead_letters, batches, lag, lag_time, progress
  FROM kafka.pipelines WHERE name LIKE 'pipeline_define%' ORDER BY name;
CREATE VIEW pipeline_define_offsets AS
SELECT partition, next_offset, untouched FROM kafka.pipeline_offset o JOIN kafka.pipeline_definition d ON d.id = o.pipeline WHERE d.name = 'pipeline_define' ORDER BY 1;
\set create 'SELECT kafka.create_pipeline(''pipeline_define'', '

-- arguments
:create NULL, 'pipeline_define_target');
:create 'pipeline_define_source');
:create 'pipeline_define_source', 'pipeline_define_target', 'pipeline_define_handler(kafka.message[])');
:create 'pipeline_define_source', handler => 'pipeline_define_no_handler(text)');
:create 'pipeline_define_source', handler => 'pipeline_define_handler(kafka.message[])', mode => 'upsert');
:create 'pipeline_define_source', 'pipeline_define_target', mode => 'replace');
:create 'pipeline_define_source', 'pipeline_define_target', on_error => 'ignore');
:create 'pipeline_define_source', 'pipeline_define_target', columns => '{id,id}');
:create 'pipeline_define_source', 'pipeline_define_target', batch_rows => 0);
:create 'pipeline_define_source', 'pipeline_define_target', batch_interval => '-1s');
:create 'pipeline_define_source', 'pipeline_define_target', parallelism => 65);
:create 'pipeline_define_source', 'pipeline_define_target', server => 'nosuch');
:create 'pipeline_define_nosuch', 'pipeline_define_target');
:create 'no topic', 'pipeline_define_target');
SELECT kafka.create_pipeline('', 'pipeline_define_source', 'pipeline_define_target');
SELECT kafka.create_pipeline(repeat('x', 64), 'pipeline_define_source', 'pipeline_define_target');
-- options
:create 'pipeline_define_source', 'pipeline_define_target', options => '{"format": "json"}');
:create 'pipeline_define', 'pipeline_define_target', options => '{"format": "jsonx"}');
:create 'pipeline_define', 'pipeline_define_target', options => '{"fetch.max.byte": 1}');
:create 'pipeline_define', 'pipeline_define_target', options => '{"linger.ms": 1}');
:create 'pipeline_define', 'pipeline_define_target', options => '{"batch_bytes": "2GB"}');
:create 'pipeline_define', 'pipeline_define_target', options => '{"dead_letter_topic": "x"}');
:create 'pipeline_define', 'pipeline_define_target', on_error => 'dead_letter', options => '{"dead_letter_topic": "pipeline_define"}');
:create 'pipeline_define_source', 'pipeline_define_target', on_error => 'dead_letter', options => '{"dead_letter_topic": "pipeline_define_nosuch"}');
:create 'pipeline_define', 'pipeline_define_target', options => '[]');
-- columns
:create 'pipeline_define_source', 'pipeline_define_target', columns => '{id,nosuch}');
-- beginnings
:create 'pipeline_define_source', 'pipeline_define_target', start => 'first');
:create 'pipeline_define_source', 'pipeline_define_target', start => '4');
:create 'pipeline_define_source', 'pipeline_define_target', start => '{"2": 1}');
SELECT * FROM pipeline_define_shown;

BEGIN;
:create 'pipeline_define_source', 'pipeline_define_target');
SELECT * FROM pipeline_define_offsets;
:create 'pipeline_define_source', 'pipeline_define_target');
ROLLBACK;
BEGIN;
:create 'pipeline_define_source', 'pipeline_define_target', start => 'latest');
SELECT * FROM pipeline_define_offsets;
ROLLBACK;
BEGIN;
:create 'pipeline_define_source', 'pipeline_define_target', start => '2030-01-01');
SELECT * FROM pipeline_define_offsets;
ROLLBACK;
:create 'pipeline_define_source', 'pipeline_define_target', start => '{"1": "1"}', parallelism => 4);
SELECT * FROM pipeline_define_offsets;
SELECT * FROM pipeline_define_shown;
CALL kafka.run_pipeline('pipeline_define');
SELECT id, v FROM pipeline_define_target ORDER BY id;
SELECT * FROM pipeline_define_shown;
SELECT partition, next_offset, end_offset, lag, messages, rows, pid, last_batch > now() - interval '1 minute' AS late FROM kafka.pipeline_offsets
 WHERE pipeline = 'pipeline_define' ORDER BY partition;

-- moved
SELECT kafka.seek_pipeline('pipeline_define', 'earliest', 1);
SELECT * FROM pipeline_define_offsets;
SELECT kafka.seek_pipeline('pipeline_define', '{"0": 2}');
SELECT * FROM pipeline_define_offsets;
SELECT kafka.seek_pipeline('pipeline_define', '4', 0);
SELECT kafka.seek_pipeline('pipeline_define', 'latest', 2);
SELECT kafka.seek_pipeline('pipeline_define', 'latest', -1);
SELECT kafka.seek_pipeline('pipeline_define_nosuch', 'latest');

-- changed: what is not given stays
SELECT kafka.alter_pipeline('pipeline_define', mode => 'ignore', on_error => 'dead_letter', options => '{"fetch.max.bytes": 1000000}');
SELECT kafka.alter_pipeline('pipeline_define', batch_rows => 7, batch_interval => '250ms');
SELECT mode, on_error, batch_rows, batch_interval, parallelism, options FROM kafka.pipeline_definition WHERE name = 'pipeline_define';
SELECT * FROM pipeline_define_offsets;
SELECT kafka.alter_pipeline('pipeline_define', handler => 'pipeline_define_handler(kafka.message[])');
SELECT target, handler, mode FROM kafka.pipelines WHERE name = 'pipeline_define';
SELECT kafka.alter_pipeline('pipeline_define', target => 'pipeline_define_target', source => 'pipeline_define_other', options => '{"format": "json"}', columns => '{id,v}', mode => 'upsert');
SELECT * FROM pipeline_define_offsets;
CALL kafka.run_pipeline('pipeline_define');
SELECT id, v FROM pipeline_define_target ORDER BY id;
SELECT kafka.alter_pipeline('pipeline_define', target => 'pg_class');
-- the foreign table names another topic: that is not followed by itself
SELECT kafka.alter_pipeline('pipeline_define', source => 'pipeline_define_source', options => '{}', mode => 'ignore', columns => '{}');
ALTER FOREIGN TABLE pipeline_define_source OPTIONS (SET topic 'pipeline_define_other');
SELECT kafka.alter_pipeline('pipeline_define', batch_rows => 8);
SELECT kafka.alter_pipeline('pipeline_define', source => 'pipeline_define_source');
SELECT * FROM pipeline_define_offsets;
-- epochs only rise, whatever happens to the rows
SELECT min(owner_epoch) > 5 AS risen FROM kafka.pipeline_offset o JOIN kafka.pipeline_definition d ON d.id = o.pipeline WHERE d.name = 'pipeline_define';

-- the server's new name is known
BEGIN;
ALTER SERVER kafka RENAME TO pipeline_define_renamed;
SELECT server FROM kafka.pipelines WHERE name = 'pipeline_define';
ROLLBACK;

-- dropped
INSERT INTO kafka.dead_letter (pipeline, topic, partition, "offset", sqlstate, error, failed) SELECT id, topic, 0, 0, '22000', 'x', now() FROM kafka.pipeline_definition WHERE name = 'pipeline_define';
SELECT kafka.drop_pipeline('pipeline_define');
SELECT dead_letters FROM kafka.pipelines WHERE name = 'pipeline_define';
SELECT kafka.drop_pipeline('pipeline_define', force => true);
SELECT kafka.drop_pipeline('pipeline_define');
SELECT count(*) FROM kafka.pipeline_offset o WHERE NOT EXISTS (SELECT FROM kafka.pipeline_definition d WHERE d.id = o.pipeline);
DROP FOREIGN TABLE pipeline_define_source;
DROP TABLE pipeline_define_target;
DROP FUNCTION pipeline_define_handler, pipeline_define_no_handler;
DROP VIEW pipeline_define_shown, pipeline_define_offsets;
SELECT count(*) FROM kafka.delete_topic(ARRAY['pipeline_define', 'pipeline_define_other']);
