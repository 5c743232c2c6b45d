-- kafka.describe_config, kafka.alter_config.
SELECT created FROM kafka.create_topic('admin_config', 1, config => '{"retention.ms": 3600000, "cleanup.policy": "compact,delete"}');
SELECT name, value, source, is_default, read_only, sensitive FROM kafka.describe_config('topic', 'admin_config')
 WHERE name IN ('retention.ms', 'cleanup.policy', 'preallocate') ORDER BY name;
SELECT s->>'name' AS name, s->>'value' AS value, s->>'source' AS source
  FROM kafka.describe_config('topic', 'admin_config') c, jsonb_array_elements(c.synonyms) WITH ORDINALITY AS e (s, n)
 WHERE c.name = 'retention.ms' ORDER BY n LIMIT 1;
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', only_changed => true) ORDER BY name;
SELECT count(*) > 20 AS many FROM kafka.describe_config(type => 'topic', name => 'admin_config', only_changed => false, server => 'kafka');

-- setting one property resets no other
SELECT * FROM kafka.alter_config('topic', 'admin_config', set => '{"max.message.bytes": 2000000}');
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;
SELECT * FROM kafka.alter_config('topic', 'admin_config', set => '{"retention.ms": 7200000, "segment.ms": "600000"}') ORDER BY name;
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;
-- resetting one neither
SELECT name, old_value, new_value <> old_value AS other FROM kafka.alter_config('topic', 'admin_config', reset => ARRAY['retention.ms']);
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;
-- both, by name
SELECT name, old_value FROM kafka.alter_config(type => 'topic', name => 'admin_config', "set" => '{"cleanup.policy": "delete"}', "reset" => '{segment.ms}',
  validate_only => false, server => 'kafka') ORDER BY name;
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;
-- what is as it was, or was not set
SELECT * FROM kafka.alter_config('topic', 'admin_config', set => '{"cleanup.policy": "delete"}', reset => '{preallocate}') ORDER BY name;
-- Kafka may spell a value in its own way: that is seen, too, and at once
SELECT * FROM kafka.alter_config('topic', 'admin_config', '{"cleanup.policy": "compact, delete", "retention.ms": "07200000"}') ORDER BY name;
-- only checked
SELECT * FROM kafka.alter_config('topic', 'admin_config', '{"retention.ms": 1}', '{max.message.bytes}', validate_only => true) ORDER BY name;
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;
-- many changes one after the other, each of which reads what the one before has written
DO $$
BEGIN
  FOR i IN 1 .. 10 LOOP
    PERFORM kafka.alter_config('topic', 'admin_config', set => jsonb_build_object('retention.ms', 1000000 + i));
    PERFORM kafka.alter_config('topic', 'admin_config', set => jsonb_build_object('segment.ms', 1000000 + i));
  END LOOP;
END $$;
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;

-- brokers
SELECT name, value, source, read_only FROM kafka.describe_config('broker', '1') WHERE name = 'node.id';
SELECT bool_and(value IS NULL) AS hidden, count(*) > 0 AS some FROM kafka.describe_config('broker', '1') WHERE sensitive;
SELECT name, new_value FROM kafka.alter_config('broker', '1', set => '{"log.cleaner.backoff.ms": 20000}');
SELECT name, new_value FROM kafka.alter_config('broker', '1', set => '{"background.threads": 11}');
SELECT name, value, source FROM kafka.describe_config('broker', '1', true) ORDER BY name;
SELECT name, old_value FROM kafka.alter_config('broker', '1', reset => '{log.cleaner.backoff.ms,background.threads}') ORDER BY name;
SELECT count(*) FROM kafka.describe_config('broker', '1', true);
-- a sensitive value is never shown; where everything has to be sent again it would be lost, and that is refused
SELECT * FROM kafka.alter_config('broker', '1', set => '{"listener.name.admin_config.ssl.key.password": "secret-7391"}');
SELECT name, value, sensitive, synonyms::text LIKE '%7391%' AS leaked FROM kafka.describe_config('broker', '1', true) ORDER BY name;
DO $$
BEGIN
  PERFORM kafka.alter_config('broker', '1', set => '{"background.threads": 12}');
EXCEPTION WHEN feature_not_supported THEN
  PERFORM kafka.alter_config('broker', '1', set => '{"background.threads": 12, "listener.name.admin_config.ssl.key.password": "secret-7392"}');
END $$;
SELECT name, value FROM kafka.describe_config('broker', '1', true) ORDER BY name;
SELECT * FROM kafka.alter_config('broker', '1', reset => '{listener.name.admin_config.ssl.key.password}');
SELECT name, value FROM kafka.describe_config('broker', '1', true) ORDER BY name;
SELECT name FROM kafka.alter_config('broker', '1', reset => '{background.threads}');

\set VERBOSITY terse
DO $$
DECLARE
  call text;
BEGIN
  FOREACH call IN ARRAY ARRAY[
    $c$describe_config('topic', 'admin_config_missing')$c$, $c$describe_config('topic', 'not a topic!')$c$, $c$describe_config('topic', '')$c$,
    $c$describe_config('table', 'x')$c$, $c$describe_config('broker', '99')$c$, $c$describe_config('broker', 'x')$c$, $c$describe_config('broker', '')$c$,
    $c$describe_config('broker', '-1')$c$, $c$describe_config(NULL, 'x')$c$, $c$describe_config('topic', NULL)$c$,
    $c$alter_config('topic', 'admin_config')$c$, $c$alter_config('topic', 'admin_config', NULL, NULL)$c$,
    $c$alter_config('topic', 'admin_config_missing', '{"retention.ms": 1}')$c$, $c$alter_config('topic', 'admin_config', '{"retention.ms": "soon"}')$c$,
    $c$alter_config('topic', 'admin_config', '{"no.such.property": 1}')$c$, $c$alter_config('topic', 'admin_config', reset => '{no.such.property}')$c$,
    $c$alter_config('topic', 'admin_config', '{"retention.ms": null}')$c$, $c$alter_config('topic', 'admin_config', '{"retention.ms": [1]}')$c$,
    $c$alter_config('topic', 'admin_config', '[]')$c$, $c$alter_config('topic', 'admin_config', '{"retention.ms": 1}', '{retention.ms}')$c$,
    $c$alter_config('topic', 'admin_config', reset => '{NULL}')$c$, $c$alter_config('topic', 'admin_config', '{"": 1}')$c$,
    $c$alter_config('topic', 'admin_config', '{"retention.ms": "soon"}', validate_only => true)$c$,
    $c$alter_config('broker', '1', '{"node.id": 2}')$c$, $c$alter_config('broker', '99', '{"background.threads": 2}')$c$] LOOP
    BEGIN
      EXECUTE 'SELECT * FROM kafka.' || call;
      RAISE WARNING 'accepted: %', call;
    EXCEPTION WHEN OTHERS THEN
      RAISE NOTICE '% % | %', SQLSTATE, call, SQLERRM;
    END;
  END LOOP;
  -- librdkafka before 2.10 cannot
  PERFORM kafka.describe_config('group', 'admin_config');
EXCEPTION WHEN feature_not_supported THEN
  NULL;
END $$;
SELECT name, value FROM kafka.describe_config('topic', 'admin_config', true) ORDER BY name;
SELECT deleted FROM kafka.delete_topic('admin_config');
