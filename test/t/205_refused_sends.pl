# Messages that cannot be sent as they are: too large for the topic or the client, to a
# partition or a topic that does not exist (peer_W2), more than the client's queue holds. In
# each delivery mode they are errors of the statement or of COMMIT, the rest of the
# transaction goes with them, and no broker makes a topic because of them. peer_W9: the
# first message to a topic does not wait for librdkafka's timer.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker);
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'refused', partitions => 2, config => '{"max.message.bytes": 2000}');
my @modes = (@KafkaFdwFaults::MODES, 'immediate');
$session->query_safe('CREATE TABLE orders (id int)');

# In a transaction with a row: it fails with STATE, as a whole; then the session sends.
sub refused
{
	my ($mode, $statement, $state, $what) = @_;
	my $before = $session->query_safe('SELECT count(*) FROM refused');
	$session->query_safe("SET kafka_fdw.delivery = '$mode'; BEGIN; INSERT INTO orders VALUES (1)");
	$session->query_safe('INSERT INTO refused (id) VALUES (1)') unless $mode eq 'immediate';
	$session->query($statement, 60);
	# only a broker knows its topic's limit
	$session->query('COMMIT', 60) if $session->state eq '00000';
	is($session->state, $state, "$mode, $what: $state") or diag $session->error;
	my $error = $session->error;
	$session->query('ROLLBACK');
	is($session->query('SELECT count(*) FROM orders'), '0', "$mode, $what: the row is rolled back");
	is($session->query('SELECT count(*) FROM refused'), $before, "$mode, $what: nothing of it is visible");
	$session->query('INSERT INTO refused (id) VALUES (2)');
	is($session->state, '00000', "$mode, $what: the session sends again") or diag $session->error;
	return $error;
}

for my $mode (@modes)
{
	my $error = refused($mode, "INSERT INTO refused (id, pad) VALUES (1, repeat('x', 5000))", '54000', 'too large for the topic');
	like($error, qr/"refused" is too large/, "$mode: the topic is named");
	refused($mode, "INSERT INTO refused (id, pad) VALUES (1, repeat('x', 2000000))", '54000', 'too large for the client');
	$error = refused($mode, 'INSERT INTO refused (id, part) VALUES (1, 99)', '22023', 'unknown partition');
	like($error, qr/partition 99 of topic "refused" does not exist/, "$mode: the partition is named");
	refused($mode, "SELECT kafka.produce('refused', 'v', partition => -2)", '22023', 'negative partition');
}

# --- unknown topics, with brokers that make topics and with one that does not

sub unknown_topics
{
	my ($on, $bootstrap, $what) = @_;
	for my $mode (@modes)
	{
		$on->query_safe("SET kafka_fdw.delivery = '$mode'");
		for my $statement ("INSERT INTO no_such VALUES (1)", "SELECT kafka.produce('refused_no_such', 'v', server => 'kafka')",
			"COPY no_such FROM PROGRAM 'echo 1'")
		{
			my $begun = time;
			$on->query($statement);
			is($on->state, 'HV00R', "$what, $mode: $statement") or diag $on->error;
			cmp_ok(time - $begun, '<', 5, sprintf '%s, %s: in %.1f s', $what, $mode, time - $begun);
		}
	}
	my $listed = `kcat -L -b $bootstrap`;
	like($listed, qr/topics:/, "$what: the broker lists topics");
	unlike($listed, qr/refused_no_such/, "$what: none was made");
	return;
}

my $missing = "CREATE FOREIGN TABLE no_such (id int) SERVER kafka OPTIONS (topic 'refused_no_such', format 'json')";
$session->query_safe($missing);
unknown_topics($session, $broker->bootstrap, 'brokers make topics');
my $strict = KafkaFdwTest::broker(set => { 'auto.create.topics.enable' => 'false' });
$session->query_safe("ALTER SERVER kafka OPTIONS (SET bootstrap_servers '" . $strict->bootstrap . "')");
unknown_topics($session, $strict->bootstrap, 'brokers do not');
$strict->kill;
$session->query_safe("ALTER SERVER kafka OPTIONS (SET bootstrap_servers '" . $broker->proxied . "')");
$session->query_safe('RESET kafka_fdw.delivery');

# --- peer_W9, in a session that is warm: librdkafka before 2.10.1 would take a second

for my $mode (@modes)
{
	$session->query_safe("SET kafka_fdw.delivery = '$mode'");
	$session->query_safe('INSERT INTO refused (id) VALUES (3)');
	my @took;
	for my $n (1 .. 5)
	{
		KafkaFdwTest::topic($session, "refused_first_${mode}_$n");
		my $begun = time;
		$session->query_safe("INSERT INTO refused_first_${mode}_$n (id) VALUES (1)");
		push @took, time - $begun;
	}
	@took = sort { $a <=> $b } @took;
	cmp_ok($took[2], '<', 0.5, sprintf '%s: the first message to a topic takes %.0f ms', $mode, 1000 * $took[2]);
}

# --- the queue is full: sending waits, and nothing is lost, doubled or out of order

$session->query_safe("ALTER SERVER kafka OPTIONS (ADD queue_buffering_max_messages '50')");
$proxy->latency(10, direction => 'downstream');
for my $mode (@modes)
{
	my ($topic, $rows) = ("refused_full_$mode", 2000);
	KafkaFdwTest::topic($session, $topic, options => "delivery '$mode'");
	$session->query("INSERT INTO $topic (id, pad) SELECT i, repeat('x', 500) FROM generate_series(1, $rows) i", 60);
	is($session->state, '00000', "$mode: a queue of 50 takes $rows messages") or diag $session->error;
	ok(KafkaFdwFaults::settled($session, $topic), "$mode: settled");
	my @ids = map { /"id":\s*(\d+)/ } KafkaFdwFaults::committed($broker->bootstrap, $topic);
	is_deeply(\@ids, [ 1 .. $rows ], "$mode: all are there, once and in order");
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
