# A broker that is killed in the middle of a scan, and comes back or does not: the right
# rows or an error, whatever the shape of the scan. And a topic that gets a partition.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $ROWS = 10_000;
my $broker = KafkaFdwTest::broker();
my $bootstrap = $broker->bootstrap;
my $node = KafkaFdwTest::node($bootstrap, conf => "kafka_fdw.connect_timeout = 20s\n");
my $control = KafkaFdwTest::session($node);
# Few messages ahead, so that a scan cannot be done with what it has.
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD queued_min_messages '100',
	ADD queued_max_messages_kbytes '64', ADD fetch_message_max_bytes '16384')");
KafkaFdwTest::topic($control, 'faults', partitions => 2, options => "delivery 'immediate'");
KafkaFdwTest::topic($control, 'grows', partitions => 1, options => "delivery 'immediate'");
$control->query_safe("INSERT INTO $_ (id, pad, part) SELECT i, repeat('x', 1000), 0 FROM generate_series(1, $ROWS / 2) i") for qw(faults grows);
$control->query_safe("INSERT INTO faults (id, pad, part) SELECT i, repeat('x', 1000), 1 FROM generate_series($ROWS / 2 + 1, $ROWS) i");
$control->query_safe('CREATE TABLE picks AS SELECT i % 2 AS part, 10 * i AS offs FROM generate_series(0, 399) i');

# A gate in the middle of a scan: a file that is there while it is closed. Whoever comes
# to it, the leader or a worker, sleeps.
my $gate = $node->data_dir . '/gate';
$control->query_safe(<<'SQL');
	CREATE FUNCTION gate(closed boolean) RETURNS boolean LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
	BEGIN
	  WHILE closed AND (pg_stat_file('gate', true)).size IS NOT NULL LOOP
	    PERFORM pg_sleep(0.02);
	  END LOOP;
	  RETURN true;
	END $$
SQL

sub close_gate
{
	open my $fh, '>', $gate or die "$gate: $!";
	close $fh;
	return;
}

sub open_gate { unlink $gate or die "$gate: $!"; return; }

# Sends STATEMENT; comes back when COUNT of its processes are at the gate.
sub send_to_gate
{
	my ($session, $statement, $count) = @_;
	$session->send($statement);
	my $pid = $session->pid;
	KafkaFdwTest::wait_until(
		sub {
			die 'the statement has ended: ' . $session->error if $session->ready;
			$control->query_safe("SELECT count(*) FROM pg_stat_activity
				WHERE $pid IN (pid, leader_pid) AND wait_event = 'PgSleep'") >= $count;
		},
		30, 'the scan comes to the gate');
	return;
}

my $figures = 'count(*), count(DISTINCT (part, offs)), sum(id)';
my $total = "$ROWS|$ROWS|" . $ROWS * ($ROWS + 1) / 2;
my $alone = 'SET max_parallel_workers_per_gather = 0';
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0';
my $nested = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off';
# what it is called, settings, the statement, its result, its plan, processes at the gate
my @scans = (
	[ 'plain', $alone, "SELECT $figures FROM faults WHERE gate(id % 1000 = 500)", $total, qr/Foreign Scan on faults/, 1 ],
	[ 'offs DESC', "$alone; SET enable_sort = off",
		"SELECT $figures FROM (SELECT * FROM faults WHERE gate(id % 1000 = 500) ORDER BY offs DESC OFFSET 0) s",
		$total, qr/Kafka Order: .*DESC/, 1 ],
	[ 'parallel', $parallel, "SELECT $figures FROM faults WHERE gate(id % 500 = 250)", $total,
		qr/Parallel Foreign Scan on faults/, 2 ],
	[ 'nested loop', "$alone; $nested",
		"SELECT count(*), count(DISTINCT (p.part, p.offs)), sum(f.id - f.offs - $ROWS / 2 * f.part) FROM picks p
			JOIN faults f ON f.part = p.part AND f.offs = p.offs WHERE gate(p.offs = 1000)", '400|400|400', qr/Nested Loop/, 1 ]);
my %session;

for my $scan (@scans)
{
	my ($what, $settings, $statement, $expected, $plan) = @$scan;
	my $session = $session{$what} = KafkaFdwTest::session($node);
	$session->query_safe('SELECT count(*) FROM faults; ' . $settings);
	like($session->query_safe("EXPLAIN (COSTS OFF) $statement"), $plan, "$what: the plan");
	is($session->query_safe($statement), $expected, "$what: undisturbed");
}

# All scans in their middle, and no broker.
sub kill_under_all
{
	close_gate();
	send_to_gate($session{ $_->[0] }, $_->[2], $_->[5]) for @scans;
	$broker->kill;
	return;
}

# The results of all: the right rows, or an error if that is allowed.
sub results_of_all
{
	my ($when, $allowed) = @_;
	for my $scan (@scans)
	{
		my ($what, $expected) = @{$scan}[ 0, 3 ];
		my $session = $session{$what};
		my ($out, $error) = $session->result(40);
		if ($session->state eq '00000')
		{
			is($out, $expected, "$what, $when: the right rows");
			ok($allowed ne 'error', "$what, $when: although it could not have them all");
		}
		else
		{
			like($session->state, qr/^HV00[NL]$/, "$what, $when: an error") or diag $error;
			is($out, '', "$what, $when: and no rows");
		}
		note "$what, $when: " . $session->state . " $error";
	}
	return;
}

sub all_work_again
{
	my ($when) = @_;
	is($session{ $_->[0] }->query($_->[2], 40), $_->[3], "$_->[0], $when: works again") for @scans;
	return;
}

# --- back before the scans go on

kill_under_all();
$broker->start;
open_gate();
results_of_all('started again', 'either');
all_work_again('started again');

# --- back when they have waited for it

kill_under_all();
open_gate();
KafkaFdwTest::await_blocked($session{ $_->[0] }, 0.3) for @scans;
$broker->start;
results_of_all('started again later', 'either');
all_work_again('started again later');

# --- not back in time

$_->query_safe("SET kafka_fdw.connect_timeout = '1s'") for values %session;
kill_under_all();
open_gate();
results_of_all('not started again', 'error');
$broker->start;
$_->query_safe("SET kafka_fdw.connect_timeout = '20s'") for values %session;
all_work_again('not started again');

# --- a new partition: not part of a scan under way, but of the next statement

my $grows = 'SELECT part, count(*) FROM grows GROUP BY part ORDER BY part';
my $writer = KafkaFdwTest::session($node);
my $half = $ROWS / 2;
my $reader = $session{plain};
is($reader->query($grows), "0|$half", 'a topic of one partition');
close_gate();
send_to_gate($reader, 'SELECT part, count(*) FROM grows WHERE gate(id % 1000 = 500) GROUP BY part ORDER BY part', 1);
KafkaFdwTest::add_partitions($bootstrap, 'grows', 2);
# The cluster knows of it a little later than the one that asked for it.
KafkaFdwTest::wait_until(
	sub { $writer->query('INSERT INTO grows (id, part) SELECT i, 1 FROM generate_series(1, 100) i'); $writer->state eq '00000' },
	20, 'the new partition can be written to');
open_gate();
my ($out, $error) = $reader->result(30);
is($out, "0|$half", 'a scan under way reads its own partition to its end');
is($error, '', 'without an error');
is($reader->query($grows), "0|$half\n1|100", 'the next statement sees the new one') or diag $reader->error;
is($session{parallel}->query($grows), "0|$half\n1|100", 'so does another session');

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
