-- Bytes that are no text are found in every format, in values, keys and headers, and never trusted.
SELECT created FROM kafka.create_topic('formats_encoding', 1);
-- the same bad bytes as value and as key: not UTF-8, cut off, overlong, a surrogate, zero
CREATE TABLE formats_encoding_bad (n int, bad bytea);
INSERT INTO formats_encoding_bad VALUES (0, '\xff'), (1, '\xc3'), (2, '\xc0af'), (3, '\xeda080'), (4, '\xf8808080'), (5, '\x610062'), (6, '\x00');
DO $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM formats_encoding_bad ORDER BY n LOOP
    PERFORM kafka.produce('formats_encoding', r.bad, r.bad, delivery => 'immediate');
    PERFORM kafka.produce('formats_encoding', '{"v": "'::bytea || r.bad || '"}', '{"v": "'::bytea || r.bad || '"}', delivery => 'immediate');
    PERFORM kafka.produce('formats_encoding', '{"'::bytea || r.bad || '": 1}', '{"'::bytea || r.bad || '": 1}', delivery => 'immediate');
    PERFORM kafka.produce('formats_encoding', '"x'::bytea || r.bad || '",1', 'x'::bytea || r.bad, delivery => 'immediate');
  END LOOP;
  PERFORM kafka.produce('formats_encoding', '{"v": "good"}', '{"v": "good"}', delivery => 'immediate');
END $$;
-- each format, as value and as key: how many of the 28 are junk, and with which errors (the last message is good but for uuid)
CREATE FUNCTION pg_temp.judge(f text, t text, options text) RETURNS TABLE (format text, part text, states text, good bigint) LANGUAGE plpgsql AS $$
DECLARE
  state text;
  r record;
  part text;
BEGIN
  FOREACH part IN ARRAY ARRAY['value', 'key'] LOOP
    IF part = 'value' THEN
      EXECUTE format('CREATE FOREIGN TABLE judged (v %s %s, offs bigint OPTIONS (meta ''offset'')) SERVER kafka OPTIONS (topic ''formats_encoding'', format %L)', t, options, f);
    ELSE
      EXECUTE format('CREATE FOREIGN TABLE judged (raw bytea, v %s OPTIONS (meta ''key'' %s), offs bigint OPTIONS (meta ''offset'')) SERVER kafka OPTIONS (topic ''formats_encoding'', format ''bytes'', key_format %L)',
        t, replace(replace(options, 'OPTIONS (', ', '), ')', ''), f);
    END IF;
    judge.states := '';
    judge.good := 0;
    FOR o IN 0..28 LOOP
      BEGIN
        EXECUTE 'SELECT v FROM judged WHERE offs = $1' INTO r USING o;
        judge.good := judge.good + 1;
      EXCEPTION WHEN OTHERS THEN
        state := SQLSTATE;
        IF position(state IN judge.states) = 0 THEN
          judge.states := judge.states || ' ' || state;
        END IF;
      END;
    END LOOP;
    DROP FOREIGN TABLE judged;
    judge.format := f;
    judge.part := judge.part;
    judge.part := part;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM pg_temp.judge('string', 'text', '') UNION ALL SELECT * FROM pg_temp.judge('json', 'text', 'OPTIONS (json ''v'')') UNION ALL SELECT * FROM pg_temp.judge('csv', 'text', '')
 UNION ALL SELECT * FROM pg_temp.judge('uuid', 'text', '') UNION ALL SELECT * FROM pg_temp.judge('bytes', 'bytea', '');
-- a JSON escape for a zero, and a lone surrogate
SELECT kafka.produce('formats_encoding', '{"v": "\u0000"}', '{"v": "\u0000"}', delivery => 'immediate') IS NOT NULL AND
  kafka.produce('formats_encoding', '{"v": "\ud800"}', '{"v": "\ud800"}', delivery => 'immediate') IS NOT NULL AS sent;
CREATE FOREIGN TABLE formats_encoding (v text, k text OPTIONS (meta 'key', json 'v'), offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'formats_encoding', format 'json', key_format 'json');
\set VERBOSITY terse
SELECT v FROM formats_encoding WHERE offs = 29;
\echo :LAST_ERROR_SQLSTATE
SELECT k FROM formats_encoding WHERE offs = 29;
SELECT v FROM formats_encoding WHERE offs = 30;
\echo :LAST_ERROR_SQLSTATE
-- the key as a plain column, and the whole value
CREATE FOREIGN TABLE formats_encoding_meta (v text, k text OPTIONS (meta 'key'), raw text OPTIONS (meta 'value'), offs bigint OPTIONS (meta 'offset'), junk text OPTIONS (meta 'junk'), why text OPTIONS (meta 'junk_error'))
  SERVER kafka OPTIONS (topic 'formats_encoding');
SELECT offs, v, k, raw, junk, why FROM formats_encoding_meta WHERE offs IN (0, 4, 8, 12, 16, 20, 24, 28) ORDER BY offs;
-- another encoding: bytes that it does not have
CREATE FOREIGN TABLE formats_encoding_sjis (v text, offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'formats_encoding', encoding 'euc_jp');
SELECT v FROM formats_encoding_sjis WHERE offs = 0;
\echo :LAST_ERROR_SQLSTATE
-- headers
SELECT created FROM kafka.create_topic('formats_encoding_headers', 1);
SELECT kafka.produce('formats_encoding_headers', 'x', headers => ARRAY[ROW('bytes', '\xff00')::kafka.header, ROW('zero', '\x6100')::kafka.header, ROW('text', '\xc3a9')::kafka.header], delivery => 'immediate') IS NOT NULL AS sent;
CREATE FOREIGN TABLE formats_encoding_headers (v text, h jsonb OPTIONS (meta 'headers'), exact kafka.header[] OPTIONS (meta 'headers')) SERVER kafka OPTIONS (topic 'formats_encoding_headers');
SELECT * FROM formats_encoding_headers;
SELECT count(*) FROM kafka.delete_topic(ARRAY['formats_encoding', 'formats_encoding_headers']);
