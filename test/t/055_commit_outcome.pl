# A COMMIT whose outcome Kafka does not tell in time says so: 08007, and PostgreSQL rolls back.
# Of three brokers one leads the topic and takes the messages, another one coordinates the
# transaction and is paused while the messages go out: sending succeeds, committing hangs.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker(nodes => 3);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.commit_timeout = 1s\n");
my $session = KafkaFdwTest::session($node);
my $other = KafkaFdwTest::session($node);
$session->query_safe('CREATE TABLE orders (round int)');

my $round = 0;
my @unknown;
# Which broker coordinates is Kafka's choice: each is paused once, none while it leads.
for my $pair ([ 1, 2 ], [ 1, 3 ], [ 2, 1 ])
{
	my ($leader, $paused) = @{$pair};
	my $topic = 'outcome_' . ++$round;
	$session->query_safe("SELECT kafka.create_topic('$topic', replica_assignment => '[[$leader]]',
		config => '{\"min.insync.replicas\": 1}')");
	$session->query_safe("CREATE FOREIGN TABLE $topic (id int, pad text) SERVER kafka OPTIONS (topic '$topic', format 'json')");
	$session->query_safe("BEGIN; INSERT INTO orders VALUES ($round);
		INSERT INTO $topic SELECT i, repeat('x', 100) FROM generate_series(1, 400000) i", 60);
	$session->send('COMMIT');
	KafkaFdwTest::wait_until(
		sub { $other->query("SELECT high > 0 FROM kafka.watermarks('$topic')") eq 't' }, 30, 'messages go out');
	$broker->pause(node => $paused);
	$session->result(60);
	my ($state, $error) = ($session->state, $session->error);
	$broker->resume(node => $paused);
	my $kept = $session->query("SELECT count(*) FROM orders WHERE round = $round");
	if ($state eq '08007')
	{
		push @unknown, $round;
		like($error, qr/outcome of the Kafka transaction is unknown/, "round $round: the outcome is unknown");
		is($kept, '0', "round $round: PostgreSQL has rolled back");
	}
	else
	{
		is($state, '00000', "round $round: committed") or diag $error;
		is($kept, '1', "round $round: PostgreSQL has committed, too");
	}
	KafkaFdwTest::wait_until(
		sub { $session->query("SELECT kafka.produce('$topic', 'next')"); $session->state eq '00000' },
		60, "the session sends again");
}
cmp_ok(scalar @unknown, '>=', 1, 'the coordinator was among those paused');
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
