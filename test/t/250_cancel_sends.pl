# peer_W6: each wait of sending ends soon by cancel, terminate and (in a statement)
# statement_timeout, in each delivery mode: a full queue, the flush at the end of a statement,
# the start of transactions, and in COMMIT the sending, the confirmations, and Kafka's commit.
# Nothing of it becomes visible, unless Kafka's commit was under way; the session goes on.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwFaults;

my $LIMIT_MS = 500;
my $EXIT_MS = 2000;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker,
	conf => "kafka_fdw.connect_timeout = 20s\nkafka_fdw.commit_timeout = 20s\n");
my $control = KafkaFdwTest::session($node);
# What a terminated session leaves open ends soon.
my $ending = "transaction_timeout_ms '8000'";
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD $ending)");
$control->query_safe("CREATE SERVER narrow FOREIGN DATA WRAPPER kafka_fdw
	OPTIONS (bootstrap_servers '" . $broker->proxied . "', queue_buffering_max_messages '20', $ending)");
for my $server (qw(kafka narrow))
{
	KafkaFdwTest::topic($control, "sends_$server", server => $server, options => "delivery 'immediate'");
}
my @modes = @KafkaFdwFaults::MODES;
for my $mode (@modes)
{
	KafkaFdwFaults::ledger($control, "sends_$mode", delivery => $mode);
	KafkaFdwFaults::ledger($control, "sends_narrow_$mode", delivery => $mode, server => 'narrow');
}

my $t = 0;
my %in_doubt;
my @slowest = (0, '');

sub bulk
{
	my ($table, $rows) = @_;
	return "INSERT INTO $table (id, pad) SELECT i, 'bulk' FROM generate_series(1, $rows) i";
}

# Waits of statements: a table that has been sent to, the statement that waits.
my @statements = (
	[ 'flush at the end of a statement', 'sends_kafka', bulk('sends_kafka', 3) ],
	[ 'queue full, INSERT', 'sends_narrow', bulk('sends_narrow', 3000) ],
	[ 'queue full, COPY', 'sends_narrow', "COPY sends_narrow (id) FROM PROGRAM 'seq 3000'" ]);

# Waits of COMMIT: the ledger's name, whether the session has committed before, how many
# records are in the log when everything stands still.
my @commits = (
	[ 'start of transactions', 'sends', 0, undef ],
	[ 'sending', 'sends', 1, undef ],
	[ 'queue full, COMMIT', 'sends_narrow', 1, undef ],
	[ 'confirmations', 'sends', 1, $KafkaFdwFaults::EACH ],
	[ 'commit', 'sends', 1, $KafkaFdwFaults::EACH + 2 ]);

sub begin_statement
{
	my ($wait) = @_;
	my ($what, $table, $statement) = @$wait;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("INSERT INTO $table (id) VALUES (1)");
	return ($session, $statement);
}

# A session whose COMMIT waits.
sub enter_commit
{
	my ($mode, $wait) = @_;
	my ($what, $name, $warm, $in_log) = @$wait;
	my $ledger = "${name}_$mode";
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("CALL ${ledger}_load(" . ++$t . ', 1)', 30) if $warm;
	$session->query_safe('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t), 30);
	# more than a small queue holds
	$session->query_safe(KafkaFdwFaults::turn($ledger, ++$t)) for $name =~ /narrow/ ? (1 .. 10) : ();
	my $before = KafkaFdwFaults::high($control, $ledger);
	$in_log ? $proxy->latency(300, direction => 'downstream') : $proxy->black_hole;
	$session->send('COMMIT');
	if ($in_log)
	{
		KafkaFdwTest::wait_until(
			sub { KafkaFdwFaults::high($control, $ledger) >= $before + $in_log }, 30, "$in_log records are in the log");
		# not a black hole: toxiproxy would let through what is on its way
		$proxy->cut;
		$in_doubt{$t} = 1 if $what eq 'commit';
	}
	KafkaFdwTest::await_blocked($session);
	return $session;
}

sub reacts
{
	my ($session, $action, $what) = @_;
	my $ms = KafkaFdwTest::reaction($control, $session, $action);
	$session->result(30);
	my $limit = $action eq 'cancel' ? $LIMIT_MS : $EXIT_MS;
	cmp_ok($ms, '<=', $limit, "$what: $action within $ms ms");
	@slowest = ($ms, $what) if $action eq 'cancel' && $ms > $slowest[0];
	return;
}

for my $wait (@statements)
{
	my $what = $wait->[0];
	for my $action ('cancel', 'terminate', 'statement_timeout')
	{
		my ($session, $statement) = begin_statement($wait);
		$session->query_safe('SET statement_timeout = 600') if $action eq 'statement_timeout';
		$proxy->black_hole;
		$session->send($statement);
		if ($action eq 'statement_timeout')
		{
			$session->result(30);
			my $ms = $control->query('SELECT round(1000 * extract(epoch FROM state_change - query_start)) - 600
				FROM pg_stat_activity WHERE pid = ' . $session->pid);
			cmp_ok($ms, '<=', $LIMIT_MS, "$what: statement_timeout is $ms ms late");
		}
		else
		{
			KafkaFdwTest::await_blocked($session);
			reacts($session, $action, $what);
		}
		$proxy->heal;
		if ($action eq 'terminate')
		{
			like($session->error, qr/terminating connection due to administrator command/, "$what: terminated");
			next;
		}
		is($session->state, '57014', "$what: $action") or diag $session->error;
		$session->query_safe('SET statement_timeout = 0');
		$session->query("INSERT INTO $wait->[1] (id) VALUES (2)", 30);
		is($session->state, '00000', "$what, $action: the next statement works") or diag $session->error;
		$session->quit;
	}
}

for my $mode (@modes)
{
	for my $wait (@commits)
	{
		my $what = "$mode, $wait->[0]";
		# in the commit hook PostgreSQL has committed
		my $hook = $mode eq 'after_commit' && $wait->[0] eq 'commit';
		my $session = enter_commit($mode, $wait);
		my $this = $t;
		reacts($session, 'cancel', $what);
		is($session->state, $hook ? '00000' : '57014', "$what: cancelled") or diag $session->error;
		like($session->error, $hook ? qr/^WARNING:/m : qr/may become visible/, "$what: it says what that means") if $in_doubt{$this};
		$proxy->heal;
		$session->query("CALL $wait->[1]_${mode}_load(" . ++$t . ', 1)', 30);
		is($session->state, '00000', "$what: the next transaction works") or diag $session->error;
		$session->quit;

		$session = enter_commit($mode, $wait);
		reacts($session, 'terminate', $what);
		my $error = $session->error;
		# in the hook COMMIT succeeds first, and then the connection ends
		if ($hook)
		{
			like($error, qr/^WARNING:/m, "$what: a warning comes first");
			$session->query('SELECT 1');
			$error = $session->error;
		}
		like($error, qr/terminating connection|server closed/, "$what: terminated");
		$proxy->heal;
	}

	# --- not in a statement, with messages that wait

	my $session = KafkaFdwTest::session($node);
	$session->query_safe("CALL sends_${mode}_load(" . ++$t . ', 1)', 30);
	$session->query_safe("SET idle_in_transaction_session_timeout = 200; BEGIN; " . KafkaFdwFaults::turn("sends_$mode", ++$t));
	KafkaFdwTest::wait_until(
		sub { $control->query('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $session->pid) eq '0' },
		10, 'the idle session is ended');
	$session->query('SELECT 1');
	like($session->error, qr/idle-in-transaction timeout/, "$mode: idle in transaction");

	for my $ledger ("sends_$mode", "sends_narrow_$mode")
	{
		my $found = KafkaFdwFaults::holds($control, $broker->bootstrap, $ledger, $ledger,
			$mode eq 'after_commit' ? (lost => \%in_doubt) : (extra => \%in_doubt));
		ok($found->{settled}, "$ledger: no transaction is left open");
	}
}
diag "slowest reaction to a cancel: $slowest[0] ms ($slowest[1])";
is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
