# A hot standby reads topics as its primary does, in parallel too. INSERT is refused
# as on any table, and the session goes on.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use PostgreSQL::Test::Cluster;

my $primary = KafkaFdwTest::node($ENV{KAFKA_BROKERS},
	name => 'primary', conf => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\n");
# node() starts without replication allowed
$primary->append_conf('pg_hba.conf', "local replication all trust\n");
$primary->reload;
my $session = KafkaFdwTest::session($primary);
KafkaFdwTest::topic($session, 'standby_read', partitions => 3, options => "delivery 'immediate', fdw_tuple_cost '1000'");
$session->query_safe("INSERT INTO standby_read (id, part) SELECT i, i % 3 FROM generate_series(1, 3000) AS i");

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
my $reader = KafkaFdwTest::session($standby);
is($reader->query_safe('SELECT pg_is_in_recovery()'), 't', 'a standby');

my @queries = (
	'SELECT count(*), sum(id), count(DISTINCT (part, offs)) FROM standby_read',
	'SELECT id, part, offs FROM standby_read WHERE offs < 3 ORDER BY part, offs',
	'SELECT id FROM standby_read WHERE part = 1 ORDER BY offs DESC LIMIT 5',
	'SELECT count(*) FROM standby_read a JOIN standby_read b USING (id)');
for my $query (@queries)
{
	is($reader->query_safe($query), $session->query_safe($query), "same rows: $query");
}
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0';
$reader->query_safe($parallel);
like($reader->query_safe("EXPLAIN $queries[0]"), qr/Parallel Foreign Scan/, 'a parallel plan');
is($reader->query_safe($queries[0]), '3000|4501500|3000', 'its result');
is($reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM standby_read'),
	'3000', 'REPEATABLE READ');
$session->query_safe('INSERT INTO standby_read (id, part) VALUES (3001, 0)');
is($reader->query_safe('SELECT count(*) FROM standby_read'), '3000', 'keeps its end');
$reader->query_safe('COMMIT');
is($reader->query_safe('SELECT count(*) FROM standby_read'), '3001', 'the next transaction sees more');

for my $delivery ('immediate', 'before_commit', 'after_commit')
{
	$reader->query("SET kafka_fdw.delivery = '$delivery'; INSERT INTO standby_read (id) VALUES (1)");
	is($reader->state, '25006', "INSERT is refused as in any read-only transaction: $delivery");
}
is($reader->query_safe('SELECT count(*) FROM standby_read'), '3001', 'nothing was sent');
is(KafkaFdwTest::crashes($standby), '', 'no crash');
$reader->quit;
$session->query_safe("SELECT deleted FROM kafka.delete_topic('standby_read')");
$session->quit;
$standby->stop;
$primary->stop;
done_testing();
