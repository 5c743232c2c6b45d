# peer_R10, peer_W6: cancel, statement_timeout and terminate end every wait for a broker that
# stands still. The design figure is 100 ms; the limit here allows for a busy machine.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $LIMIT_MS = 500;
my $EXIT_MS = 2000;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap,
	conf => "kafka_fdw.connect_timeout = 20s\nkafka_fdw.commit_timeout = 20s\n");
my $control = KafkaFdwTest::session($node);
# Few messages ahead, so that a scan has to wait.
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD queued_min_messages '100',
	ADD queued_max_messages_kbytes '64', ADD fetch_message_max_bytes '16384')");
KafkaFdwTest::topic($control, 'wait');
KafkaFdwTest::topic($control, 'wait_immediate', options => "delivery 'immediate'");
my $rows = 20_000;
$control->query_safe("INSERT INTO wait_immediate (id, pad) SELECT i, repeat('x', 100) FROM generate_series(1, $rows) i");
$control->query_safe('CREATE TABLE orders (id int)');

my $bulk = "SELECT i, 'bulk' FROM generate_series(1, 150000) i";
my $warm = 'INSERT INTO wait (id) VALUES (1)';
my $cursor = 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM wait_immediate; FETCH 1 FROM c';
# what is waited for, what leads up to it, the statement that waits, for how long at least
my @waits = (
	[ 'metadata', '', 'SELECT count(*) FROM wait' ],
	[ 'fetch', $cursor, 'FETCH ALL FROM c' ],
	[ 'fetch, in doubt', $cursor, 'FETCH ALL FROM c', 2.5 ],
	[ 'immediate flush', 'INSERT INTO wait_immediate (id) VALUES (1)', 'INSERT INTO wait_immediate (id) VALUES (2)' ],
	[ 'immediate bulk', 'INSERT INTO wait_immediate (id) VALUES (1)', "INSERT INTO wait_immediate (id, pad) $bulk" ],
	[ 'create_topic', 'SELECT count(*) FROM kafka.list_topics()', "SELECT kafka.create_topic('wait_new')" ],
	[ 'first COMMIT', 'BEGIN; INSERT INTO orders VALUES (1); INSERT INTO wait (id) VALUES (2)', 'COMMIT' ],
	[ 'COMMIT', "$warm; BEGIN; INSERT INTO orders VALUES (1); INSERT INTO wait (id) VALUES (2)", 'COMMIT' ],
	[ 'bulk COMMIT', "$warm; BEGIN; INSERT INTO orders VALUES (1); INSERT INTO wait (id, pad) $bulk", 'COMMIT' ]);

# A session in the wait, of a broker that has been paused.
sub enter
{
	my ($before, $statement, $seconds) = @_;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe($before) if $before ne '';
	$broker->pause;
	$session->send($statement);
	KafkaFdwTest::await_blocked($session, $seconds);
	return $session;
}

# The same session, with the broker back, is as good as new.
sub works_again
{
	my ($session, $what) = @_;
	$session->query_safe('ROLLBACK');
	is($session->query('SELECT count(*) FROM wait_immediate WHERE offs < 10'), '10', "$what: the session reads again");
	is($session->error, '', "$what: without an error");
	return;
}

my @slowest = (0, '');
for my $wait (@waits)
{
	my ($what, $before, $statement, $seconds) = @$wait;

	my $session = enter($before, $statement, $seconds);
	my $ms = KafkaFdwTest::reaction($control, $session, 'cancel');
	my ($out) = $session->result(30);
	is($session->state, '57014', "$what: cancelled") or diag $session->error;
	cmp_ok($ms, '<=', $LIMIT_MS, "$what: cancelled within $ms ms");
	note "reaction: cancel in $what: $ms ms";
	@slowest = ($ms, $what) if $ms > $slowest[0];
	$broker->resume;
	works_again($session, "$what, cancelled");
	$session->quit;

	# guarantees.md: it does not cover the end of a transaction
	if ($statement ne 'COMMIT' && !$seconds)
	{
		$session = KafkaFdwTest::session($node);
		$session->query_safe($before) if $before ne '';
		$session->query_safe('SET statement_timeout = 700');
		$broker->pause;
		$session->query($statement, 30);
		is($session->state, '57014', "$what: statement_timeout") or diag $session->error;
		$ms = $control->query('SELECT round(1000 * extract(epoch FROM state_change - query_start)) - 700
			FROM pg_stat_activity WHERE pid = ' . $session->pid);
		cmp_ok($ms, '<=', $LIMIT_MS, "$what: statement_timeout is $ms ms late");
		$broker->resume;
		works_again($session, "$what, timed out");
		$session->quit;
	}

	$session = enter($before, $statement, $seconds);
	$ms = KafkaFdwTest::reaction($control, $session, 'terminate');
	$session->result(30);
	like($session->error, qr/terminating connection due to administrator command/, "$what: terminated");
	cmp_ok($ms, '<=', $EXIT_MS, "$what: the backend is gone within $ms ms");
	note "reaction: terminate in $what: $ms ms";
	$broker->resume;
}
diag "slowest reaction to a cancel: $slowest[0] ms ($slowest[1])";
is($control->query('SELECT count(*) FROM orders'), '0', 'rows of cancelled and terminated COMMITs are rolled back');

# --- the limit of a COMMIT

my $session = KafkaFdwTest::session($node);
$session->query_safe("SET kafka_fdw.commit_timeout = '1s'; SET statement_timeout = '300ms'");
$session->query_safe('INSERT INTO wait (id) VALUES (3)');
$session->query_safe('BEGIN; INSERT INTO orders VALUES (2); INSERT INTO wait (id) VALUES (4)');
$broker->pause;
$session->query('COMMIT', 30);
like($session->state, qr/^HV00[NL]$/, 'COMMIT: kafka_fdw.commit_timeout') or diag $session->error;
my $ms = $control->query('SELECT round(1000 * extract(epoch FROM state_change - query_start))
	FROM pg_stat_activity WHERE pid = ' . $session->pid);
cmp_ok($ms, '>=', 1000, "it was waited for, $ms ms");
cmp_ok($ms, '<=', 3000, 'but not for long');
is($control->query('SELECT count(*) FROM orders'), '0', 'and the row is rolled back');
$broker->resume;
works_again($session, 'commit_timeout');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
