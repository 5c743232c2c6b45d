# Foreign tables come through pg_dump: a dump makes them in pieces (columns first, their options
# after), so the check of columns and options must not get in its way, plain or by pg_restore.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use KafkaFdwTest;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS});
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', <<'SQL');
CREATE FOREIGN TABLE key_parts (a int OPTIONS (meta 'key', path '$.a'), b text OPTIONS (meta 'key', json 'b'),
  v bigint, o bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'x', format 'long', key_format 'json');
CREATE FOREIGN TABLE paths (a int OPTIONS (path '$.b'), b int OPTIONS (path '$.a')) SERVER kafka OPTIONS (topic 'x', format 'json');
CREATE TABLE parent (part int, v text) PARTITION BY LIST (part);
CREATE FOREIGN TABLE child (part int OPTIONS (partition 'true'), v text) SERVER kafka OPTIONS (topic 'x');
ALTER TABLE parent ATTACH PARTITION child FOR VALUES IN (1);
SQL

my $SHOWN = <<'SQL';
SELECT attrelid::regclass::text, attname, atttypid::regtype,
       ARRAY(SELECT unnest(attfdwoptions) ORDER BY 1), ARRAY(SELECT unnest(ftoptions) ORDER BY 1)	-- a dump sorts them
  FROM pg_attribute JOIN pg_foreign_table ON ftrelid = attrelid WHERE attnum > 0 ORDER BY 1, 2
SQL
my $before = $node->safe_psql('postgres', $SHOWN);

$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'postgres' ], 'pg_dump, plain');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'plain', '-f', "$dir/plain.sql" ], 'run by psql');
is($node->safe_psql('plain', $SHOWN), $before, 'the same tables');

$node->safe_psql('postgres', 'CREATE DATABASE custom');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'postgres' ], 'pg_dump, custom format');
$node->command_ok([ 'pg_restore', '-e', '-d', 'custom', "$dir/custom" ], 'pg_restore');
is($node->safe_psql('custom', $SHOWN), $before, 'the same tables');
my ($code, $out, $error) = $node->psql('custom', 'ALTER FOREIGN TABLE paths ADD c int OPTIONS (json $$a$$)');
like($error, qr/stand for the same JSON member/, 'the restored database checks again');

$node->safe_psql('custom', 'DROP EXTENSION kafka_fdw CASCADE');
is($node->safe_psql('custom', 'SELECT count(*) FROM pg_event_trigger'), '0', 'the event trigger goes with the extension');
$node->safe_psql('custom', 'CREATE TABLE t (a int); ALTER TABLE t ADD b int');
$node->stop;
done_testing();
