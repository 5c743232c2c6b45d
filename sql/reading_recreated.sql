-- A topic that is deleted and made again is a new one, for each session that knew the old one.
CREATE FOREIGN TABLE reading_recreated (v text, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'))
  SERVER kafka OPTIONS (topic 'reading_recreated');
CREATE PROCEDURE reading_recreated_round(i int, delivery text) LANGUAGE plpgsql AS $$
DECLARE
  seen text;
BEGIN
  PERFORM kafka.create_topic('reading_recreated', 1 + i % 3);
  COMMIT;
  PERFORM kafka.produce('reading_recreated', 'round ' || i, partition => i % 3, delivery => reading_recreated_round.delivery);
  COMMIT;
  SELECT string_agg(format('%s %s %s', v, part, offs), ', ') INTO seen FROM reading_recreated;
  IF seen IS DISTINCT FROM format('round %s %s 0', i, i % 3) THEN
    RAISE WARNING 'round %: %', i, seen;
  END IF;
  PERFORM kafka.delete_topic('reading_recreated');
  COMMIT;
END $$;
CREATE PROCEDURE reading_recreated_rounds(n int, delivery text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    CALL reading_recreated_round(i, reading_recreated_rounds.delivery);
  END LOOP;
END $$;
CALL reading_recreated_rounds(15, 'immediate');
SELECT * FROM kafka.delete_topic('reading_recreated', if_exists => true) WHERE deleted;
CALL reading_recreated_rounds(15, 'before_commit');
SELECT * FROM kafka.delete_topic('reading_recreated', if_exists => true) WHERE deleted;
SELECT count(*) FROM kafka.list_topics() WHERE topic = 'reading_recreated';
