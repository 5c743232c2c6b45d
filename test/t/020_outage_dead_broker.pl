# peer_W1: with no broker every statement fails within kafka_fdw.connect_timeout, as HV00N;
# none reports rows that are nowhere. What needs no broker works without one.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap,
	conf => "kafka_fdw.connect_timeout = 600ms\nkafka_fdw.commit_timeout = 2s\n");
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'dead');
KafkaFdwTest::topic($session, 'dead_immediate', options => "delivery 'immediate'");
$session->query_safe('CREATE TABLE orders (id int)');
$session->query_safe('INSERT INTO dead (id) SELECT generate_series(1, 3)');
$session->query_safe('INSERT INTO dead_immediate (id) SELECT generate_series(1, 3)');
is($session->query('SELECT count(*) FROM dead'), '3', 'rows before the broker died');

# Fails with HV00N, soon, and without a result.
sub fails
{
	my ($on, $statement, $seconds, $what) = @_;
	my $begun = time;
	my $out = $on->query($statement);
	my $took = time - $begun;
	is($on->state, 'HV00N', "$what: fails with HV00N") or diag $on->error;
	is($out, '', "$what: no result");
	cmp_ok($took, '<', $seconds + 1, sprintf '%s: in %.1f s', $what, $took);
	return;
}

my @statements = (
	[ 'SELECT count(*) FROM dead', 0.6, 'SELECT' ],
	[ 'SELECT * FROM dead WHERE part = 0 AND offs = 1', 0.6, 'SELECT of an offset' ],
	[ "INSERT INTO dead (id) VALUES (4) RETURNING 'inserted'", 0.6, 'INSERT before_commit' ],
	[ "INSERT INTO dead_immediate (id) VALUES (4) RETURNING 'inserted'", 0.6, 'INSERT immediate' ],
	[ "SELECT kafka.produce('dead', 'v')", 0.6, 'produce' ],
	[ "SELECT kafka.produce('dead', 'v', delivery => 'immediate')", 0.6, 'produce immediate' ],
	[ 'SELECT * FROM kafka.list_topics()', 0.6, 'list_topics' ],
	[ "SELECT * FROM kafka.watermarks('dead')", 0.6, 'watermarks' ],
	[ "SELECT * FROM kafka.create_topic('dead_new')", 0.6, 'create_topic' ],
	[ "SELECT * FROM kafka.delete_topic('dead')", 0.6, 'delete_topic' ]);

# A session that has never been connected, and one whose connections break.
for my $case ([ dead => $session ], [ fresh => undef ])
{
	my ($name, $on) = @$case;
	$broker->kill if $name eq 'dead';
	# so that nothing remembers how many partitions there are
	$on //= KafkaFdwTest::session($node);
	if ($name eq 'dead')
	{
		# Remembered for 5 s: then the messages themselves are what cannot be sent.
		$on->query("INSERT INTO dead (id) VALUES (5) RETURNING 'inserted'");
		is($on->state, 'HV00N', 'INSERT before_commit with warm metadata: fails at its COMMIT') or diag $on->error;
		fails($on, "INSERT INTO dead_immediate (id) VALUES (5)", 2, 'INSERT immediate with warm metadata');
		KafkaFdwTest::wait_until(
			sub {
				$on->query("BEGIN; INSERT INTO dead (id) VALUES (1)");
				my $state = $on->state;
				$on->query('ROLLBACK');
				$state ne '00000';
			},
			30, 'metadata is asked for again');
	}
	fails($on, @$_[0, 1], "$name: $_->[2]") for @statements;
	is($on->query('SELECT 1'), '1', "$name: the session lives");
}

# The row of the same transaction goes with the message.
my $warm = KafkaFdwTest::session($node);
$warm->query_safe('BEGIN');
$warm->query('INSERT INTO orders VALUES (1)');
$warm->query('INSERT INTO dead (id) VALUES (6)');
is($warm->state, 'HV00N', 'the statement fails, not first the COMMIT');
$warm->query('COMMIT');
is($warm->query('SELECT count(*) FROM orders'), '0', 'its row is rolled back');

# --- what needs no broker (no handle is made at plan time)

my $planner = KafkaFdwTest::session($node);
my $threads = KafkaFdwTest::threads_of($planner->pid);
like($planner->query('EXPLAIN SELECT * FROM dead WHERE part = 0'), qr/Kafka Topic: dead/, 'EXPLAIN of a SELECT');
like($planner->query('EXPLAIN INSERT INTO dead (id) VALUES (1)'), qr/Kafka Delivery: before_commit/, 'EXPLAIN of an INSERT');
is($planner->query('PREPARE p AS SELECT * FROM dead'), '', 'PREPARE');
is($planner->query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM dead; CLOSE c; COMMIT'), '', 'a cursor that is not read');
is($planner->error, '', 'no error');
is(KafkaFdwTest::threads_of($planner->pid), $threads, 'and no thread was started');

# --- and it comes back

$broker->start;
for my $case ([ connected => $session ], [ failed => $warm ])
{
	my ($name, $on) = @$case;
	$on->query_safe("BEGIN; INSERT INTO orders VALUES (7); INSERT INTO dead (id) VALUES (7); COMMIT");
	is($on->query("SELECT count(*) FROM dead WHERE id = 7"), $name eq 'connected' ? '1' : '2', "$name: the same session writes and reads");
}
is($session->query('SELECT count(*) FROM orders WHERE id = 7'), '2', 'with the rows');
# What was reported as failed is not there: no transaction of it was committed.
is($session->query('SELECT count(*) FROM dead WHERE id BETWEEN 4 AND 6'), '0', 'nothing of what failed is in the topic');
is(KafkaFdwTest::crashes($node), '', 'the server never restarted');

$node->stop;
done_testing();
