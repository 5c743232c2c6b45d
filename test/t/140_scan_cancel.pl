# peer_R10, for each shape of a scan: a cancel, statement_timeout and terminate end its wait for
# a broker that stands still, no worker is left behind, the session reads again afterwards, and
# threads and descriptors stay flat over scans that are cancelled and scans that end.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $LIMIT_MS = 1000;
my $SLACK = 3;
my $ROWS = 5_000;
my $PICKS = 250;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.connect_timeout = 30s\n");
my $control = KafkaFdwTest::session($node);
# Few messages ahead, so that a scan has to wait.
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD queued_min_messages '100',
	ADD queued_max_messages_kbytes '64', ADD fetch_message_max_bytes '16384')");
KafkaFdwTest::topic($control, 'shapes', partitions => 2, options => "delivery 'immediate'");
$control->query_safe("ALTER FOREIGN TABLE shapes ADD ts timestamptz OPTIONS (meta 'timestamp')");
$control->query_safe("INSERT INTO shapes (id, pad, part) SELECT i, repeat('x', 1000), i % 2 FROM generate_series(1, $ROWS) i");
$control->query_safe("CREATE TABLE picks AS SELECT i % 2 AS part, 5 * i AS offs FROM generate_series(0, $PICKS - 1) i");

# Sleeps in the leader and the workers of a scan while the file is there.
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

my $alone = 'SET max_parallel_workers_per_gather = 0';
my $join = 'SELECT f.id FROM picks p JOIN shapes f ON f.part = p.part AND f.offs = p.offs';
my $pinned = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM shapes';
# settings, the statement, a piece of its plan; cursor: it waits after its first row
my %shapes = (
	'pin' => { set => $alone, sql => 'SELECT count(*) FROM shapes', plan => qr/Foreign Scan/ },
	'timestamp' => { set => $alone, before => $pinned, plan => qr/Kafka Timestamps/,
		sql => "SELECT count(*) FROM shapes WHERE ts >= '2001-01-01'" },
	'ordered' => { set => "$alone; SET enable_sort = off", cursor => 1, plan => qr/Kafka Order: .*DESC/,
		sql => 'SELECT id FROM shapes ORDER BY offs DESC' },
	'nested loop' => { set => "$alone; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off",
		cursor => 1, sql => $join, plan => qr/Nested Loop/ },
	'parallel' => { set => 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0',
		gate => 1, sql => 'SELECT count(*) FROM shapes WHERE gate(id % 251 = 0)', plan => qr/Parallel Foreign Scan/ });

# The processes of a session's statement: its backend and its workers.
sub processes
{
	my ($session) = @_;
	my $pid = $session->pid;
	return split /\n/, $control->query_safe("SELECT pid FROM pg_stat_activity WHERE $pid IN (pid, leader_pid)");
}

sub new_session
{
	my ($shape) = @_;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("SELECT count(*) FROM shapes; $shape->{set}");
	return $session;
}

# Has the statement of a shape wait for the paused broker. LIMIT: its statement_timeout.
sub enter
{
	my ($session, $shape, $limit) = @_;
	my $sql = $shape->{sql};
	$session->query_safe($shape->{before}) if $shape->{before};
	$session->query_safe("BEGIN; DECLARE c CURSOR FOR $sql; FETCH 1 FROM c") if $shape->{cursor};
	$session->query_safe("SET statement_timeout = '$limit'") if $limit;
	if ($shape->{gate})
	{
		open my $fh, '>', $gate or die "$gate: $!";
		close $fh;
		$session->send($sql);
		my $pid = $session->pid;
		KafkaFdwTest::wait_until(
			sub { $control->query_safe("SELECT count(*) FROM pg_stat_activity
				WHERE $pid IN (pid, leader_pid) AND wait_event = 'PgSleep'") >= 2 },
			20, 'leader and worker are in mid-scan');
	}
	$broker->pause;
	if ($shape->{gate})
	{
		unlink $gate or die "$gate: $!";
	}
	else
	{
		$session->send($shape->{cursor} ? 'FETCH ALL FROM c' : $sql);
	}
	KafkaFdwTest::await_blocked($session, 0.4) unless $limit;
	return;
}

sub works_again
{
	my ($session, $shape, $what) = @_;
	$session->query_safe('ROLLBACK; SET statement_timeout = 0');
	my $sql = "SELECT count(*) FROM ($shape->{sql} OFFSET 0) s";
	$sql = $shape->{sql} unless $shape->{cursor};
	is($session->query($sql, 60), $shape->{sql} eq $join ? $PICKS : $ROWS, "$what: reads again") or diag $session->error;
	is($session->error, '', "$what: without an error");
	return;
}

for my $what (sort keys %shapes)
{
	my $shape = $shapes{$what};
	my $session = new_session($shape);
	like($session->query("EXPLAIN (COSTS OFF) $shape->{sql}"), $shape->{plan}, "$what: the plan");

	enter($session, $shape);
	my @all = processes($session);
	cmp_ok(scalar(@all), '>', 1, "$what: has workers") if $shape->{gate};
	my $ms = KafkaFdwTest::reaction($control, $session, 'cancel');
	$session->result(30);
	is($session->state, '57014', "$what: cancelled") or diag $session->error;
	cmp_ok($ms, '<=', $LIMIT_MS, "$what: cancelled within $ms ms");
	is(join(' ', processes($session)), $session->pid, "$what: cancelled: no worker is left");
	$broker->resume;
	works_again($session, $shape, "$what, cancelled");

	# a shape with a gate has to get there first
	my $limit = $shape->{gate} ? 1500 : 500;
	enter($session, $shape, "${limit}ms");
	$session->result(30);
	is($session->state, '57014', "$what: statement_timeout") or diag $session->error;
	$ms = $control->query('SELECT round(1000 * extract(epoch FROM state_change - query_start)) - $limit
		FROM pg_stat_activity WHERE pid = ' . $session->pid);
	cmp_ok($ms, '<=', $LIMIT_MS, "$what: statement_timeout is $ms ms late");
	is(join(' ', processes($session)), $session->pid, "$what: timed out: no worker is left");
	$broker->resume;
	works_again($session, $shape, "$what, timed out");

	enter($session, $shape);
	@all = processes($session);
	KafkaFdwTest::reaction($control, $session, 'terminate');
	$session->result(30);
	like($session->error, qr/terminating connection due to administrator command/, "$what: terminated");
	KafkaFdwTest::wait_until(sub { !grep { -e "/proc/$_" } @all }, 5, "$what: no process is left");
	pass("$what: terminated: none of its " . @all . ' processes is left');
	$broker->resume;
}

# --- threads and descriptors

# Runs STATEMENT 12 times, each ending in STATE; resources after 6 and after 12.
sub flat
{
	my ($session, $what, $statement, $state) = @_;
	my (%states, @threads, @descriptors);
	for my $n (1 .. 12)
	{
		$session->query($statement, 30);
		$states{ $session->state }++;
		$session->query_safe('ROLLBACK; SET statement_timeout = 0');
		next unless $n == 6 || $n == 12;
		push @threads, KafkaFdwTest::threads_of($session->pid);
		push @descriptors, KafkaFdwTest::descriptors_of($session->pid);
	}
	is_deeply(\%states, { $state => 12 }, "$what: all 12 end in $state") or diag $session->error;
	cmp_ok($threads[1], '<=', $threads[0] + $SLACK, "$what: threads, $threads[0] after 6 and $threads[1] after 12");
	cmp_ok($descriptors[1], '<=', $descriptors[0] + $SLACK,
		"$what: descriptors, $descriptors[0] after 6 and $descriptors[1] after 12");
	return;
}

for my $what (sort keys %shapes)
{
	my $shape = $shapes{$what};
	my $session = new_session($shape);
	my $before = $shape->{before} ? "$shape->{before}; " : '';
	flat($session, "$what, to its end", $before . ($shape->{cursor} ? "$shape->{sql} LIMIT 20" : $shape->{sql}), '00000');
	# long enough to be cancelled in its middle: each row of the scan sleeps
	my $slow = $shape->{gate}
		? 'SELECT count(*) FROM shapes WHERE pg_sleep(0.001)::text IS NOT NULL'
		: $shape->{sql} =~ s/count\(\*\)|(?:f\.)?\bid\b/pg_sleep(0.01)/r;
	flat($session, "$what, cancelled", "${before}SET statement_timeout = '40ms'; $slow", '57014');
}

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
