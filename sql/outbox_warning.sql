-- The first use in a session says so where no worker publishes (outbox_warning_1.out).
CREATE SERVER outbox_warning FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1');
SELECT (kafka.produce('outbox_warning', 'x', delivery => 'outbox', server => 'outbox_warning')).topic;
SELECT (kafka.produce('outbox_warning', 'x', delivery => 'outbox', server => 'outbox_warning')).topic;
\c
SELECT (kafka.produce('outbox_warning', 'x', delivery => 'outbox', server => 'outbox_warning')).topic;
SELECT kafka.drop_outbox('outbox_warning', true);
DROP SERVER outbox_warning;
