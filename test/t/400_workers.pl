# The background workers: the launcher finds enabled outboxes and sees to a relay process for
# each; they restart what dies, leave databases for commands that want them, and stand in the
# way of no shutdown. What relays do with rows is tested elsewhere: here there are none.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, preload => 1, allows_streaming => 1,
	conf => "max_worker_processes = 16\nrestart_after_crash = on\nlog_min_messages = info\nkafka_fdw.relay_naptime = '100ms'\n");
my $psql = KafkaFdwTest::session($node);

# Outboxes without rows of their own: the function that makes one wants a table.
sub outbox
{
	my ($session, $name) = @_;
	$session->query_safe("INSERT INTO kafka.outbox_definition (name, server, username) VALUES ('$name', 'kafka', 'of $name')");
	$session->query_safe("UPDATE kafka.outbox_definition SET enabled = true WHERE name = '$name'");
	return;
}

# Process ids of the relays, "database outbox pid ...", as the view has them.
sub relays
{
	my ($session) = @_;
	return $session->query_safe(
		"SELECT string_agg(concat_ws(' ', database, outbox), ', ' ORDER BY database, outbox)
		   FROM kafka.workers WHERE type = 'relay' AND state = 'running'");
}

sub await_relays
{
	my ($wanted, $what, $session) = @_;
	my $is = '';
	eval {
		KafkaFdwTest::wait_until(sub { ($is = relays($session // $psql)) eq $wanted }, 20, $what);
		1;
	} or diag $@ . ($session // $psql)->query_safe('SELECT * FROM kafka.workers');
	is($is, $wanted, $what);
	return;
}

sub pid_of
{
	my ($name) = @_;
	return $psql->query_safe("SELECT pid FROM kafka.workers WHERE coalesce(outbox, type) = '$name' AND state = 'running'");
}

# --- starting and stopping -------------------------------------------------------------

like(pid_of('launcher'), qr/^\d+$/, 'the launcher runs');
is($psql->query_safe("SELECT backend_type FROM pg_stat_activity WHERE pid = " . pid_of('launcher')),
	'kafka_fdw launcher', 'and shows itself');
outbox($psql, 'one');
outbox($psql, 'two');
$psql->query_safe("SELECT kafka.start_relay('one')");
await_relays('postgres one, postgres two', 'a relay for each enabled outbox');
is($psql->query_safe("SELECT string_agg(backend_type || ': ' || application_name, ', ' ORDER BY application_name)
	FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type LIKE 'kafka%'"),
	'kafka_fdw relay: kafka_fdw relay one, kafka_fdw relay: kafka_fdw relay two', 'relays in pg_stat_activity');

$psql->query_safe("BEGIN; SELECT kafka.stop_relay('one'); ROLLBACK");
$psql->query_safe("BEGIN; SELECT kafka.stop_relay('two')");
is(relays($psql), 'postgres one, postgres two', 'nothing happens before COMMIT, nor after ROLLBACK');
$psql->query_safe('COMMIT');
await_relays('postgres one', 'stop_relay ends one');
$psql->query_safe('SELECT kafka.start_relay()');
await_relays('postgres one, postgres two', 'start_relay starts all');
$psql->query_safe('SELECT kafka.stop_relay()');
await_relays('', 'stop_relay stops all');
$psql->query_safe("SELECT kafka.start_relay('one')");
await_relays('postgres one', 'start_relay starts one');
$psql->query("SELECT kafka.start_relay('none')");
is($psql->state, '42704', 'no such outbox');
$psql->query_safe('CREATE ROLE nobody');
for my $call ('kafka.start_relay()', 'kafka.stop_relay()', 'kafka.get_workers()')
{
	$psql->query("SET ROLE nobody; SELECT $call");
	is($psql->state, '42501', "$call is not for everybody");
	$psql->query_safe('RESET ROLE');
}

# --- what dies is started again ----------------------------------------------------------

sub terminate
{
	my ($name) = @_;
	my $pid = pid_of($name);
	$psql->query_safe("SELECT pg_terminate_backend($pid, 10000)");
	KafkaFdwTest::wait_until(sub { my $now = pid_of($name); $now ne '' && $now != $pid }, 20, "$name again");
	return pid_of($name);
}

my $relay = pid_of('one');
my $restarts = $psql->query_safe("SELECT restarts FROM kafka.workers WHERE outbox = 'one'");
my $begun = time;
terminate('one');
cmp_ok(time - $begun, '>', 0.9, 'a relay that was terminated is started again, not at once');
is($psql->query_safe("SELECT restarts, last_exit FROM kafka.workers WHERE outbox = 'one'"), $restarts + 1 . '|died', 'its count');
$relay = terminate('one');
is($psql->query_safe("SELECT restarts, next_start FROM kafka.workers WHERE outbox = 'one'"), $restarts + 2 . '|', 'once more');
like(slurp_file($node->logfile), qr/event=relay_ended database=\d+ outbox="one" reason=died failures=2 restart_ms=2000\n/,
	'the pause is doubled');
$psql->query_safe("SELECT pg_cancel_backend($relay)");
terminate('launcher');
is(pid_of('one'), $relay, 'a new launcher goes on with the relay, which no cancel has touched');
$psql->query_safe("SELECT kafka.stop_relay('one')");
await_relays('', 'and sees it end');
$psql->query_safe("SELECT kafka.start_relay('one')");
await_relays('postgres one', 'and starts it');

for my $name ('one', 'launcher')
{
	my $pid = pid_of($name);
	kill 'KILL', $pid;
	$begun = time;
	KafkaFdwTest::wait_until(
		sub {
			my ($status, $out) = $node->psql('postgres', "SELECT pid FROM kafka.workers WHERE outbox = 'one' AND state = 'running'");
			return $status == 0 && $out =~ /^\d+$/ && $out != $relay;
		},
		20, "kill -9 of $name");
	my $seconds = time - $begun;
	note sprintf('kill -9 of %s: a new relay after %.2f s', $name, $seconds);
	cmp_ok($seconds, '<', 2, "kill -9 of $name: the relay is back within 2 s");
	$psql->kill;
	$psql = KafkaFdwTest::session($node);
	$relay = pid_of('one');
}

# --- settings are read again -------------------------------------------------------------

$node->append_conf('postgresql.conf', "kafka_fdw.relay_databases = 'elsewhere, \"Other\"'\n");
$node->reload;
await_relays('', 'a database that relay_databases does not name');
$node->append_conf('postgresql.conf', "kafka_fdw.relay_databases = 'elsewhere, postgres'\n");
$node->reload;
await_relays('postgres one', 'and one that it names');
$node->append_conf('postgresql.conf', "kafka_fdw.relay_databases = ''\n");
$node->reload;

# --- commands that want a database for themselves ------------------------------------------

$psql->query_safe('CREATE DATABASE shop');
my $shop = KafkaFdwTest::session($node, dbname => 'shop');
$shop->query_safe("CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1')");
outbox($shop, 'orders');
$shop->query_safe("SELECT kafka.start_relay('orders')");
await_relays('postgres one, shop orders', 'a relay in another database');
$shop->quit;
# psql's backend may still be there for a moment; such a session is what the command waits for itself
for my $command (
	[ 'CREATE DATABASE copy TEMPLATE shop', 'copy orders, postgres one, shop orders' ],
	[ 'ALTER DATABASE copy RENAME TO copied', 'copied orders, postgres one, shop orders' ],
	[ 'DROP DATABASE copied', 'postgres one, shop orders' ],
	[ 'DROP DATABASE shop WITH (FORCE)', 'postgres one' ])
{
	$begun = time;
	$psql->query_safe($command->[0], 30);
	note sprintf('%s: %.2f s', $command->[0], time - $begun);
	cmp_ok(time - $begun, '<', 4, "$command->[0] does not wait for relays");
	await_relays($command->[1], "and then: $command->[1]");
}
unlike(slurp_file($node->logfile), qr/database "?\w+"? does not exist/, 'nobody looks for a database that is gone');
$psql->query('DROP DATABASE postgres');
is($psql->state, '55006', 'a command that fails');
await_relays('postgres one', 'leaves the relays as they were');
my $before = pid_of('one');
$psql->query_safe('CREATE ROLE stranger LOGIN');
my $stranger = KafkaFdwTest::session($node, user => 'stranger', dbname => 'template1');
$stranger->query('DROP DATABASE postgres');
is($stranger->state, '42501', 'who may not drop a database');
is(pid_of('one'), $before, 'sends no relay away');
$stranger->quit;

# --- DROP EXTENSION ------------------------------------------------------------------------

$psql->query_safe('DROP EXTENSION kafka_fdw CASCADE');
KafkaFdwTest::wait_until(
	sub { !$psql->query_safe("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('kafka_fdw relay', 'kafka_fdw scout')") },
	20, 'relays are gone with the extension');
$psql->query_safe("CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers 'localhost:1')");
is($psql->query_safe("SELECT count(*) FROM kafka.workers WHERE type = 'relay'"), '0', 'and nothing is left of them');

# --- a standby ------------------------------------------------------------------------------

outbox($psql, 'one');
$psql->query_safe("SELECT kafka.start_relay()");
await_relays('postgres one', 'the primary relays');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $reader = KafkaFdwTest::session($standby);
is($reader->query_safe('SELECT count(*) FROM kafka.workers'), '0', 'nothing runs on a standby');
is($reader->query_safe("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'kafka%'"), '0', 'really nothing');
$reader->query("SELECT kafka.start_relay('one')");
is($reader->state, '25006', 'nor can be started');
$standby->promote;
await_relays('postgres one', 'promoted, it relays', $reader);
$reader->quit;
$standby->stop('fast');

# Its server is not there: what ends a relay that waits for Kafka?
$begun = time;
$psql->query_safe('SELECT kafka.stop_relay()');
await_relays('', 'a relay that waits for Kafka is stopped');
cmp_ok(time - $begun, '<', 6, 'soon');
$psql->query_safe('SELECT kafka.start_relay()');
await_relays('postgres one', 'and started');

# --- shutdown ---------------------------------------------------------------------------------

$psql->quit;
for my $mode ('smart', 'fast', 'immediate')
{
	$begun = time;
	$node->stop($mode);
	cmp_ok(time - $begun, '<', 5, "$mode shutdown");
	$node->start;
	$psql = KafkaFdwTest::session($node);
	await_relays('postgres one', "relays again after $mode shutdown");
	$psql->quit;
}

# --- too few slots ----------------------------------------------------------------------------

# PostgreSQL's logical replication launcher takes one process, too.
for my $case ([ 'kafka_fdw.max_workers', 2, 16 ], [ 'max_worker_processes', 10, 4 ])
{
	my ($setting, $workers, $processes) = @{$case};
	$node->append_conf('postgresql.conf', "kafka_fdw.max_workers = $workers\nmax_worker_processes = $processes\nmax_parallel_workers = 0\n");
	my $from = -s $node->logfile;
	$node->restart;
	$psql = KafkaFdwTest::session($node);
	$psql->query_safe("INSERT INTO kafka.outbox_definition (name, server, username) VALUES ('two', 'kafka', '2'), ('three', 'kafka', '3') ON CONFLICT DO NOTHING");
	$psql->query_safe('SELECT kafka.start_relay()');
	my $warning = qr/WARNING:  event=too_few_workers setting=\Q$setting\E value=/;
	KafkaFdwTest::wait_until(sub { slurp_file($node->logfile, $from) =~ $warning }, 20, "a warning for $setting");
	KafkaFdwTest::wait_until(
		sub {
			$psql->query_safe("SELECT count(*) FILTER (WHERE state = 'running'), count(*) FILTER (WHERE state = 'pending')
				FROM kafka.workers WHERE type = 'relay'") eq '2|1';
		},
		20, "$setting: as many as there may be");
	pass("$setting: as many as there may be");
	like(slurp_file($node->logfile, $from), qr/HINT:  Raise "\Q$setting\E"/, 'the hint');
	my ($running_one) = $psql->query_safe("SELECT outbox FROM kafka.workers WHERE type = 'relay' AND state = 'running' ORDER BY 1 LIMIT 1");
	$psql->query_safe("SELECT kafka.stop_relay('$running_one')");
	KafkaFdwTest::wait_until(
		sub { $psql->query_safe("SELECT count(*) FROM kafka.workers WHERE type = 'relay' AND state = 'running' AND outbox <> '$running_one'") == 2 },
		20, 'where one ends the next one starts');
	pass("$setting: the next one starts when one ends");
	my @warnings = slurp_file($node->logfile, $from) =~ /$warning/g;
	is(scalar @warnings, 1, 'one warning');
	$psql->query_safe('SELECT kafka.start_relay()');
	$psql->quit;
}

# --- without preloading -------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
$psql = KafkaFdwTest::session($node);
$psql->query('SELECT kafka.start_relay()');
is($psql->state, '55000', 'start_relay needs workers');
like($psql->error, qr/shared_preload_libraries/, 'and says so');
$psql->query_safe('SELECT kafka.stop_relay()');
is($psql->query_safe('SELECT count(*) FROM kafka.workers'), '0', 'the view is empty');
$psql->quit;
unlike(slurp_file($node->logfile), qr/invalid configuration parameter/, 'settings of workers may stay where they are');
is(scalar(() = slurp_file($node->logfile) =~ /terminated by signal 9/g), 2, 'no crash but those that were made');
unlike(slurp_file($node->logfile), qr/PANIC|signal 1?1:|signal 6:/, 'none at all');
$node->stop;
done_testing();
