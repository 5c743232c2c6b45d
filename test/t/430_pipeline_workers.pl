# Pipelines in background workers: as many processes as their parallelism, which share the
# partitions; what dies is replaced and what it had goes to the others meanwhile; what has
# failed is left so; where there are too few processes every pipeline has one.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use PostgreSQL::Test::Utils;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, preload => 1,
	conf => "max_worker_processes = 16\nrestart_after_crash = on\nkafka_fdw.max_workers = 4\n");
my $psql = KafkaFdwTest::session($node);
my $sent = 0;

# A topic with a foreign table of its name, a target and a pipeline.
sub pipeline
{
	my ($name, $partitions, %args) = @_;
	my $more = join '', map { ", $_ => '$args{$_}'" } sort keys %args;
	$psql->query_safe("SELECT kafka.create_topic('pipeline_workers_$name', $partitions)");
	$psql->query_safe("CREATE FOREIGN TABLE ${name}_source (id int, part int OPTIONS (meta 'partition'))
		SERVER kafka OPTIONS (topic 'pipeline_workers_$name', format 'json')");
	$psql->query_safe("CREATE TABLE $name (id int, part int)");
	$psql->query_safe("SELECT kafka.create_pipeline('$name', '${name}_source', '$name', batch_interval => '20ms'$more)");
	return;
}

# The next messages, the same number into each of four partitions.
sub produce
{
	my ($name) = @_;
	$psql->query_safe("SELECT count(kafka.produce('pipeline_workers_$name', '{\"id\": ' || i || '}', partition => i % 4, delivery => 'immediate'))
		FROM generate_series($sent + 1, $sent + 40) i");
	$sent += 40;
	return;
}

sub loaded { return $psql->query_safe("SELECT count(*), count(DISTINCT id), coalesce(max(id), 0) FROM $_[0]"); }

sub await
{
	my ($code, $wanted, $what) = @_;
	my $is = '';
	eval {
		KafkaFdwTest::wait_until(sub { ($is = $code->()) eq $wanted }, 20, $what);
		1;
	} or diag $@ . $psql->query_safe('SELECT * FROM kafka.workers; SELECT * FROM kafka.pipelines');
	is($is, $wanted, $what);
	return;
}

sub await_loaded
{
	my ($name, $what) = @_;
	return await(sub { loaded($name) }, "$sent|$sent|$sent", $what);
}

# Workers of pipelines, "name slot, ...".
sub running
{
	return $psql->query_safe("SELECT string_agg(pipeline || ' ' || slot, ', ' ORDER BY pipeline, slot)
		FROM kafka.workers WHERE type = 'pipeline' AND state = 'running'");
}

sub await_running { my ($wanted, $what) = @_; return await(\&running, $wanted, $what); }

# How many partitions each of the workers has.
sub await_shares
{
	my ($name, $wanted, $what) = @_;
	return await(
		sub {
			$psql->query_safe("SELECT string_agg(n::text, ' ' ORDER BY slot) FROM (SELECT w.slot, count(o.pid) AS n
				FROM kafka.workers w LEFT JOIN kafka.pipeline_offsets o ON o.pid = w.pid AND o.pipeline = w.pipeline
				WHERE w.pipeline = '$name' AND w.state = 'running' GROUP BY w.slot) s");
		},
		$wanted, $what);
}

sub pid_of
{
	my ($name, $slot) = @_;
	return $psql->query_safe("SELECT pid FROM kafka.workers WHERE coalesce(pipeline, type) = '$name'
		AND state = 'running' AND coalesce(slot, 0) = $slot");
}

# --- starting, sharing, stopping -----------------------------------------------------------

pipeline('orders', 4);
produce('orders');
$psql->query_safe("BEGIN; SELECT kafka.start_pipeline('orders'); ROLLBACK");
my $begun = time;
$psql->query_safe("SELECT kafka.start_pipeline('orders')");
await_loaded('orders', 'start_pipeline: a worker loads');
note sprintf 'start to loaded: %.2f s', time - $begun;
await_shares('orders', '4', 'one worker has all partitions');
is($psql->query_safe("SELECT backend_type, application_name FROM pg_stat_activity WHERE pid = " . pid_of('orders', 0)),
	'kafka_fdw pipeline|kafka_fdw pipeline orders', 'it shows itself');
is($psql->query_safe("SELECT type, database, outbox, pipeline, slot, restarts, last_exit FROM kafka.workers WHERE pipeline_id IS NOT NULL"),
	'pipeline|postgres||orders|0|0|', 'in kafka.workers, too');

$psql->query_safe("SELECT kafka.alter_pipeline('orders', parallelism => 2)");
await_shares('orders', '2 2', 'parallelism 2: two workers share the partitions');
produce('orders');
await_loaded('orders', 'both load');
my ($first, $second) = map { pid_of('orders', $_) } 0, 1;
$psql->query_safe("SELECT pg_terminate_backend($second)");
await_shares('orders', '4', 'one is terminated: the other has all');
produce('orders');
await_loaded('orders', 'and loads them');
await_shares('orders', '2 2', 'the second one comes back');
$psql->query_safe("SELECT pg_terminate_backend($first)");
await(sub { $psql->query_safe("SELECT count(*) FROM kafka.pipeline_offsets WHERE pid = " . pid_of('orders', 1)) }, '4',
	'the first one is terminated: the second one has all');
await_shares('orders', '2 2', 'until it comes back');
is($psql->query_safe("SELECT string_agg(concat_ws(' ', slot, restarts, last_exit), ', ' ORDER BY slot) FROM kafka.workers WHERE pipeline = 'orders'"),
	'0 1 died, 1 1 died', 'restarts are counted');
like(slurp_file($node->logfile), qr/event=pipeline_ended database=\d+ pipeline="orders" slot=1 reason=died failures=1 restart_ms=1000\n/,
	'and logged');
produce('orders');
await_loaded('orders', 'each message once');

my $from = -s $node->logfile;
$psql->query_safe("SELECT kafka.alter_pipeline('orders', parallelism => 1)");
await_shares('orders', '4', 'parallelism 1 again: the second one ends, the first one has all');
like(slurp_file($node->logfile, $from), qr/event=pipeline_end database="postgres" pipeline="orders" slot=1 reason=stopped\n/,
	'by itself');

$psql->query_safe("SELECT kafka.stop_pipeline('orders')");
await_running('', 'stop_pipeline ends it');
produce('orders');
is(loaded('orders'), join('|', ($sent - 40) x 3), 'nothing is loaded');
$psql->query_safe("SELECT kafka.start_pipeline('orders')");
await_loaded('orders', 'started again, it goes on where it was');

# --- crashes ---------------------------------------------------------------------------------

my $launcher = pid_of('launcher', 0);
my $worker = pid_of('orders', 0);
$psql->query_safe("SELECT pg_terminate_backend($launcher, 10000)");
KafkaFdwTest::wait_until(sub { my $now = pid_of('launcher', 0); $now ne '' && $now != $launcher }, 20, 'another launcher');
is(pid_of('orders', 0), $worker, 'a new launcher goes on with the worker');
$psql->query_safe("SELECT kafka.alter_pipeline('orders', parallelism => 3)");
await_shares('orders', '2 1 1', 'and starts others');

kill 'KILL', $worker;
KafkaFdwTest::wait_until(
	# psql may have gone, for want of a server, before it is given the query
	sub { my ($status, $out) = eval { $node->psql('postgres', "SELECT count(*) FROM kafka.workers WHERE pipeline = 'orders' AND state = 'running'") }; defined $status && $status == 0 && $out eq '3' },
	20, 'kill -9: the server has restarted');
$psql->kill;
$psql = KafkaFdwTest::session($node);
produce('orders');
await_loaded('orders', 'kill -9 of a worker: each message once');
await_shares('orders', '2 1 1', 'all workers are back');
$psql->query_safe("SELECT kafka.stop_pipeline('orders')");
await_running('', 'all are stopped');

# --- failed ------------------------------------------------------------------------------------

pipeline('bad', 2, parallelism => 2);
$psql->query_safe("SELECT kafka.produce('pipeline_workers_bad', v, partition => 0, delivery => 'immediate') FROM unnest(ARRAY['{\"id\": 1}', 'x', '{\"id\": 3}']) v");
$psql->query_safe("SELECT kafka.start_pipeline('bad')");
await(sub { $psql->query_safe("SELECT state FROM kafka.pipelines WHERE name = 'bad'") }, 'failed', 'a message fails');
await(sub { $psql->query_safe("SELECT count(*) FROM kafka.workers WHERE pipeline = 'bad'") }, '0', 'both workers end');
is(scalar(() = slurp_file($node->logfile) =~ /event=pipeline_start database="postgres" pipeline="bad" slot=0/g), 1, 'and are not started again');
$from = -s $node->logfile;
$psql->query_safe("SELECT kafka.start_pipeline('orders')");
await_running('orders 0, orders 1, orders 2', 'whatever makes the launcher look');
unlike(slurp_file($node->logfile, $from), qr/event=pipeline_start database="postgres" pipeline="bad"/, 'it does not start what has failed');
$begun = time;
$psql->query_safe("SELECT kafka.start_pipeline('bad')");
KafkaFdwTest::wait_until(sub { slurp_file($node->logfile, $from) =~ /event=pipeline_end database="postgres" pipeline="bad" slot=\d reason=failed/ },
	20, 'start_pipeline tries again');
pass('start_pipeline tries again');
cmp_ok(time - $begun, '<', 0.9, 'at once');
$psql->query_safe("SELECT kafka.alter_pipeline('bad', on_error => 'skip'); SELECT kafka.start_pipeline('bad')");
await(sub { $psql->query_safe('SELECT string_agg(id::text, \',\' ORDER BY id) FROM bad') }, '1,3', 'changed and started, it goes on');

# --- too few processes ---------------------------------------------------------------------------

# max_workers is 4: orders has three, bad wants two.
$psql->query_safe("SELECT kafka.alter_pipeline('orders', parallelism => 4)");
await_running('bad 0, bad 1, orders 0, orders 1', 'shared out by slot');
like(slurp_file($node->logfile), qr/WARNING:  event=too_few_workers setting=kafka_fdw.max_workers value=4/, 'a warning');
await(
	sub { $psql->query_safe("SELECT string_agg(slot::text, ',' ORDER BY slot) FROM kafka.workers WHERE pipeline = 'orders' AND state = 'pending'") },
	'2,3', 'the others are seen to wait');
pipeline('late', 1);
pipeline('later', 1);
$psql->query_safe("SELECT kafka.start_pipeline('late'); SELECT kafka.start_pipeline('later')");
await_running('bad 0, late 0, later 0, orders 0', 'each has its first one before any has a second one');
await_shares('orders', '4', 'which then has all partitions');
produce('orders');
await_loaded('orders', 'and loads them');
$psql->query_safe("SELECT kafka.drop_pipeline('late'); SELECT kafka.drop_pipeline('later')");
await_running('bad 0, bad 1, orders 0, orders 1', 'dropped, they make room');

# --- its database is wanted -----------------------------------------------------------------------

$psql->query_safe('CREATE DATABASE shop');
my $shop = KafkaFdwTest::session($node, dbname => 'shop');
$shop->query_safe("CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$ENV{KAFKA_BROKERS}');
	CREATE TABLE t (id int); SELECT kafka.create_pipeline('shop', 'pipeline_workers_orders', 't', options => '{\"format\": \"json\"}', batch_interval => '20ms')");
$psql->query_safe("SELECT kafka.stop_pipeline('bad'); SELECT kafka.stop_pipeline('orders')");
$shop->query_safe("SELECT kafka.start_pipeline('shop')");
await(sub { $shop->query_safe('SELECT count(DISTINCT id) FROM t') }, $sent, 'a pipeline in another database, from the topic itself');
$shop->quit;
for my $command ('ALTER DATABASE shop RENAME TO shed', 'DROP DATABASE shed')
{
	$begun = time;
	$psql->query_safe($command, 30);
	note sprintf('%s: %.2f s', $command, time - $begun);
	cmp_ok(time - $begun, '<', 4, "$command does not wait for its worker");
}
await_running('', 'which is gone with it');

# --- the end -------------------------------------------------------------------------------------

$psql->query_safe("SELECT kafka.start_pipeline('orders')");
await_running('orders 0, orders 1, orders 2, orders 3', 'as many as partitions');
$psql->query_safe('DROP EXTENSION kafka_fdw CASCADE', 30);
KafkaFdwTest::wait_until(sub { $psql->query_safe("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kafka_fdw pipeline'") eq '0' },
	20, 'DROP EXTENSION ends them');
pass('DROP EXTENSION ends them');
$psql->query_safe("CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$ENV{KAFKA_BROKERS}')");

# --- PostgreSQL has too few processes ---------------------------------------------------------------

# Its own launcher of logical replication takes one, ours another: then the scout's must be given back.
$psql->query_safe("CREATE TABLE a (id int); CREATE TABLE b (id int)");
$psql->query_safe("SELECT kafka.create_pipeline('$_', 'pipeline_workers_orders', '$_', options => '{\"format\": \"json\"}', parallelism => 4)") for qw(a b);
$psql->query_safe("SELECT kafka.start_pipeline('a')");
$psql->quit;
$node->append_conf('postgresql.conf', "max_worker_processes = 4\nmax_parallel_workers = 0\n");
$from = -s $node->logfile;
$node->restart;
$psql = KafkaFdwTest::session($node);
await_running('a 0, a 1', 'max_worker_processes: as many as there may be');
like(slurp_file($node->logfile, $from), qr/WARNING:  event=too_few_workers setting=max_worker_processes value=4/, 'a warning');
$psql->query_safe("SELECT kafka.start_pipeline('b')");
await_running('a 0, b 0', 'another pipeline is found and started all the same');
await(sub { $psql->query_safe("SELECT (SELECT count(DISTINCT id) FROM a), (SELECT count(DISTINCT id) FROM b)") }, "$sent|$sent", 'both load');

$psql->query_safe("SELECT deleted FROM kafka.delete_topic('pipeline_workers_$_')") for qw(orders bad late later);
$begun = time;
$node->stop('fast');
cmp_ok(time - $begun, '<', 5, 'fast shutdown');
is(scalar(() = slurp_file($node->logfile) =~ /terminated by signal/g), 1, 'no crash but the one that was made');
$psql->kill;
done_testing();
