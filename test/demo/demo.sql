-- The story that make demo tells. Run by test/demo/stand in a new database "demo" with
-- the psql variables brokers (where Kafka is), file (the package table as COPY text),
-- and b, n (bold and normal, empty where the output is no terminal).

\set ON_ERROR_STOP on
\set QUIET on
\pset null '(null)'
\pset footer off
\set ECHO queries

\echo
\echo :b'1. A Kafka cluster becomes a server of this database':n
\echo
CREATE EXTENSION kafka_fdw;
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (bootstrap_servers :'brokers');

\echo
\echo :b'2. The package index of this machine, in an ordinary table':n
\echo
CREATE TABLE debian_package (
  package text, version text, section text, priority text,
  installed_size bigint, maintainer text, description text
);
COPY debian_package FROM :'file';
SELECT count(*) AS packages, pg_size_pretty(sum(installed_size) * 1024) AS installed
  FROM debian_package;

\echo
\echo :b'3. A topic with four partitions, and a table that stands for it':n
\echo
\set ECHO none
-- what an earlier demo left
SELECT kafka.delete_topic('debian_packages', if_exists => true) \g /dev/null
SELECT kafka.delete_topic('orders', if_exists => true) \g /dev/null
\set ECHO queries
SELECT * FROM kafka.create_topic('debian_packages', partitions => 4);
CREATE FOREIGN TABLE packages (
  package text, version text, section text, priority text,
  installed_size bigint, maintainer text, description text,
  key  text        OPTIONS (meta 'key'),
  part int         OPTIONS (meta 'partition'),
  offs bigint      OPTIONS (meta 'offset'),
  ts   timestamptz OPTIONS (meta 'timestamp')
) SERVER kafka OPTIONS (topic 'debian_packages', format 'json');

\echo
\echo :b'4. Every package becomes a message: JSON, keyed by the package name':n
\echo
\timing on
INSERT INTO packages (package, version, section, priority, installed_size,
                      maintainer, description, key)
  SELECT *, package FROM debian_package;
\timing off

\echo
\echo :b'5. The topic is a table: read it back':n
\echo
\timing on
SELECT part AS partition, count(*) AS messages, min(offs) AS first, max(offs) AS last
  FROM packages GROUP BY part ORDER BY part;
\timing off

\echo
\echo :b'6. Conditions on partition and offset go to Kafka: only that range is fetched':n
\echo
EXPLAIN (COSTS OFF)
SELECT offs, package, version FROM packages WHERE part = 2 AND offs BETWEEN 1000 AND 1004;
\timing on
SELECT offs, package, version FROM packages WHERE part = 2 AND offs BETWEEN 1000 AND 1004;
\timing off

\echo
\echo :b'7. The tail of the topic: only that is read':n
\echo
\timing on
SELECT part, offs, package, ts FROM packages ORDER BY offs DESC, part LIMIT 3;
\timing off

\echo
\echo :b'8. Joined with an ordinary table':n
\echo
CREATE TABLE section_name (section text PRIMARY KEY, meaning text);
INSERT INTO section_name VALUES
  ('libs', 'shared libraries'), ('libdevel', 'development libraries'),
  ('python', 'Python'), ('perl', 'Perl'), ('doc', 'documentation'),
  ('science', 'science'), ('games', 'games'), ('database', 'databases');
SELECT s.meaning, count(*) AS packages, pg_size_pretty(sum(p.installed_size) * 1024) AS installed
  FROM packages AS p JOIN section_name AS s USING (section)
  GROUP BY s.meaning ORDER BY packages DESC;

\echo
\echo :b'9. An order and its message, in one transaction':n
\echo
CREATE TABLE orders (id int PRIMARY KEY, customer text, amount numeric);
SELECT * FROM kafka.create_topic('orders', partitions => 1);
CREATE FOREIGN TABLE order_events (
  id int, customer text, amount numeric,
  key  text   OPTIONS (meta 'key'),
  offs bigint OPTIONS (meta 'offset')
) SERVER kafka OPTIONS (topic 'orders', format 'json');
BEGIN;
INSERT INTO orders VALUES (1, 'Ada', 12.50);
SELECT kafka.produce('orders', to_jsonb(o), key => o.id::text) FROM orders AS o WHERE id = 1;
COMMIT;
SELECT * FROM order_events;

\echo
\echo :b'10. Rolled back, neither the order nor the message has ever been':n
\echo
BEGIN;
INSERT INTO orders VALUES (2, 'Grace', 99.00);
SELECT kafka.produce('orders', to_jsonb(o), key => o.id::text) FROM orders AS o WHERE id = 2;
ROLLBACK;
SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM order_events) AS messages;

\echo
\echo :b'11. Tables for all topics, with columns found in their messages':n
\echo
CREATE SCHEMA topics;
IMPORT FOREIGN SCHEMA kafka FROM SERVER kafka INTO topics;
\d topics.orders
SELECT id, customer, amount, _key, _offset FROM topics.orders;

\echo
\echo :b'12. A consumer: messages and the group''s offsets in one transaction':n
\echo
CREATE TABLE loaded (part int, offs bigint, package text);
SELECT kafka.subscribe('debian_packages', 'loader', offsets => 'postgres', start => 'earliest');
INSERT INTO loaded
  SELECT m.partition, m.offset, m.value::json->>'package' FROM kafka.poll_text(1000, '10s') AS m;
SELECT count(*) FROM loaded;
SELECT a.partition, a.position, c.offset AS committed
  FROM kafka.assignment() AS a JOIN kafka.committed() AS c USING (partition);
SELECT kafka.close_consumer();

\echo
\echo :b'13. An outbox: a trigger writes rows, a background worker publishes them exactly once':n
\echo
CREATE TRIGGER publish AFTER INSERT OR UPDATE ON orders
  FOR EACH ROW EXECUTE FUNCTION kafka.publish('orders', 'id', 'delivery=outbox', 'format=row');
INSERT INTO orders VALUES (3, 'Edsger', 7.25);
UPDATE orders SET amount = 8 WHERE id = 3;
SELECT kafka.wait_for_relay('30s');
SELECT id, customer, amount, key, offs FROM order_events ORDER BY offs;
SELECT outbox, state, backlog_rows, messages, transactions FROM kafka.outbox_status;

\echo
\echo :b'14. And back: a pipeline loads the topic into another table, exactly once':n
\echo
CREATE TABLE order_copy (id int PRIMARY KEY, customer text, amount numeric);
SELECT kafka.create_pipeline('copy', source => 'orders', target => 'order_copy', mode => 'upsert',
                             options => '{"format": "json"}');
SELECT kafka.start_pipeline('copy');
INSERT INTO orders SELECT i, 'customer ' || i, i FROM generate_series(100, 199) AS i;
SELECT kafka.wait_for_relay('30s');
SELECT kafka.wait_for_pipeline('copy', '30s');
SELECT (SELECT count(*) FROM orders) AS orders, o.messages AS relayed, o.state AS relay,
       p.rows AS loaded, p.state AS pipeline, p.lag, (SELECT count(*) FROM order_copy) AS copies
  FROM kafka.outbox_status AS o, kafka.pipelines AS p;

\echo
\echo :b'15. Is all well between here and Kafka?':n
\echo
SELECT * FROM kafka.check();
