# peer_R10: each wait of the functions for topics, configurations and the cluster can be cancelled,
# and ends by itself, behind a network that swallows everything.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwFaults;

my $LIMIT_MS = 1000;
my $TIMEOUT_MS = 500;
my $BOUND_MS = 6000;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker);
my $control = KafkaFdwTest::session($node);
$control->query_safe("SELECT kafka.create_topic('$_', 2)") for qw(cancel cancel_more cancel_there);

my %call = (
	'describe_topic' => "kafka.describe_topic('cancel')",
	'list_offsets' => "kafka.list_offsets('cancel')",
	'list_offsets, a time' => "kafka.list_offsets('cancel', '2026-01-01')",
	'create_partitions' => "kafka.create_partitions('cancel_more', 90)",
	'delete_records' => "kafka.delete_records('cancel', 0, 0)",
	'ensure_topic, there' => "kafka.ensure_topic('cancel_there', 2)",
	'ensure_topic, new' => "kafka.ensure_topic('cancel_new', 2, config => '{\"retention.ms\": 1}')",
	'describe_config, topic' => "kafka.describe_config('topic', 'cancel')",
	'describe_config, broker' => "kafka.describe_config('broker', '1')",
	'alter_config' => "kafka.alter_config('topic', 'cancel', set => '{\"retention.ms\": 5}')",
	'describe_cluster' => "kafka.describe_cluster()");

# All wait at the same time, each in a session that knows its brokers. What a call does before it
# waits is over after one call; the answers get lost before the first.
my ($slowest, $longest) = (0, 0);
my %session = map { $_ => KafkaFdwTest::session($node) } sort keys %call;
$_->query_safe('SELECT count(*) FROM kafka.list_topics()') for values %session;
$proxy->black_hole;
$session{$_}->send("SELECT * FROM $call{$_}") for sort keys %call;
for my $what (sort keys %call)
{
	my $session = $session{$what};
	KafkaFdwTest::await_blocked($session, 0.3);
	my $ms = KafkaFdwTest::reaction($control, $session, 'cancel');
	$session->result(30);
	is($session->state, '57014', "$what: cancelled") or diag $session->error;
	cmp_ok($ms, '<=', $LIMIT_MS, "$what: cancelled within $ms ms");
	$slowest = $ms if $ms > $slowest;
}

# the locks of what was cancelled are gone; what is not cancelled ends by itself
$_->query_safe("SET kafka_fdw.connect_timeout = '${TIMEOUT_MS}ms'") for values %session;
$session{$_}->send("SELECT * FROM $call{$_}") for sort keys %call;
for my $what (sort keys %call)
{
	my $session = $session{$what};
	$session->result(60);
	like($session->state, qr/^HV00[NL]$/, "$what: ends by itself") or diag $session->error;
	my $ms = $control->query('SELECT round(1000 * extract(epoch FROM state_change - query_start))
		FROM pg_stat_activity WHERE pid = ' . $session->pid);
	cmp_ok($ms, '<=', $BOUND_MS, "$what: after $ms ms");
	$longest = $ms if $ms > $longest;
}
$proxy->heal;
for my $what (sort keys %call)
{
	my $session = $session{$what};
	$session->query_safe('RESET kafka_fdw.connect_timeout');
	$session->query("SELECT count(*) FROM $call{$what}", 60);
	is($session->state, '00000', "$what: works again") or diag $session->error;
	$session->quit;
}
diag "slowest reaction to a cancel: $slowest ms; longest wait with a limit of $TIMEOUT_MS ms: $longest ms";

# --- the answers stop in the middle of what ensure_topic and alter_config do

for my $what ('alter_config', 'ensure_topic, new')
{
	for my $limit (200, 500, 1000)
	{
		my $session = KafkaFdwTest::session($node);
		my $call = $call{$what} =~ s/cancel_new/cancel_new_$limit/r;
		$session->query_safe('SELECT count(*) FROM kafka.list_topics()');
		$proxy->bandwidth(1, direction => 'downstream');
		$session->query_safe("SET kafka_fdw.connect_timeout = '${limit}ms'; SET statement_timeout = '2s'");
		$session->query("SELECT * FROM $call", 60);
		like($session->state, qr/^(?:00000|57014|HV00[NL])$/, "$what, a slow answer: an error that tells, or none") or diag $session->error;
		$proxy->heal;
		$session->query_safe('RESET statement_timeout; RESET kafka_fdw.connect_timeout');
		$session->query_safe("SELECT * FROM $call", 60);
		$session->quit;
	}
}
is($control->query_safe("SELECT count(*) FROM kafka.ensure_topic('cancel_new', 2, config => '{\"retention.ms\": 1}')"), '0',
	'what was cancelled and repeated is as asked for');
is($control->query_safe('SELECT count(*) FROM pg_locks WHERE locktype = $$advisory$$'), '0', 'no lock is left');

# --- one session waits for another that alters the same topic, and can be cancelled

my $first = KafkaFdwTest::session($node);
my $second = KafkaFdwTest::session($node);
$first->query_safe('SELECT count(*) FROM kafka.list_topics()');
$proxy->black_hole;
$first->send("SELECT * FROM $call{'alter_config'}");
KafkaFdwTest::wait_until(sub { $control->query_safe('SELECT count(*) FROM pg_locks WHERE locktype = $$advisory$$') }, 10, 'the lock is taken');
$second->send("SELECT * FROM $call{'alter_config'}");
KafkaFdwTest::wait_until(sub { $control->query_safe('SELECT count(*) FROM pg_locks WHERE locktype = $$advisory$$ AND NOT granted') }, 10, 'and waited for');
my $ms = KafkaFdwTest::reaction($control, $second, 'cancel');
$second->result(30);
is($second->state, '57014', "waiting for another session: cancelled within $ms ms");
$control->query_safe('SELECT pg_cancel_backend(' . $first->pid . ')');
$first->result(30);
is($first->state, '57014', 'the first one, too');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
