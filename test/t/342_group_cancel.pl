# Everything that asks or tells the cluster about groups, offsets, lag and ACLs, before a broker
# that stands still: cancel and statement_timeout end the wait within a second, its own limit
# ends it, and the session goes on.  And how many round trips lag takes.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $LIMIT_MS = 1000;
my $PARTITIONS = 1000;
my $DELAY_MS = 100;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker, conf => "kafka_fdw.connect_timeout = 30s\n");
my $control = KafkaFdwTest::session($node);
KafkaFdwTest::topic($control, 'waits', partitions => 2);
$control->query_safe("SELECT kafka.create_topic('many', $PARTITIONS)");
$control->query_safe("SELECT kafka.alter_group_offsets('waits', 'waits', target => 'latest')");

my %calls = (
	list_groups => 'kafka.list_groups()',
	describe_group => "kafka.describe_group('waits')",
	group_offsets => "kafka.group_offsets('waits')",
	alter_group_offsets => "kafka.alter_group_offsets('waits', 'waits', target => 'earliest')",
	alter_list => "kafka.alter_group_offsets('waits', ARRAY[('waits', 0, 0, NULL)]::kafka.topic_partition[])",
	delete_group_offsets => "kafka.delete_group_offsets('waits', 'waits')",
	delete_group => "kafka.delete_group('waits')",
	delete_groups => "kafka.delete_group(ARRAY['waits'])",
	consumer_lag => "kafka.consumer_lag('waits')",
	group_lag => 'kafka.group_lag',
	list_acls => 'kafka.list_acls()',
	create_acl => "kafka.create_acl('User:alice', 'read', 'topic', 'waits')",
	delete_acl => "kafka.delete_acl('User:alice')");

my $session = KafkaFdwTest::session($node);
my $again = "SELECT count(*) FROM kafka.consumer_lag('waits')";
is($session->query_safe($again), '2', 'the session has met the group');
my @slowest = (0, '');

sub works_again
{
	my ($what) = @_;
	$proxy->heal;
	$session->query_safe('SET statement_timeout = 0; RESET kafka_fdw.connect_timeout');
	is($session->query($again, 60), '2', "$what: the session goes on") or diag $session->error;
	return;
}

for my $what (sort keys %calls)
{
	$proxy->black_hole;
	$session->send("SELECT * FROM $calls{$what}");
	KafkaFdwTest::await_blocked($session, 0.2);
	my $ms = KafkaFdwTest::reaction($control, $session, 'cancel');
	$session->result(30);
	is($session->state, '57014', "$what: cancelled") or diag $session->error;
	cmp_ok($ms, '<=', $LIMIT_MS, "$what: cancelled within $ms ms");
	@slowest = ($ms, $what) if $ms > $slowest[0];
	works_again("$what, cancelled");

	$proxy->black_hole;
	$session->query_safe("SET statement_timeout = '300ms'");
	my $begun = time;
	$session->query("SELECT * FROM $calls{$what}", 30);
	is($session->state, '57014', "$what: statement_timeout") or diag $session->error;
	cmp_ok(1000 * (time - $begun), '<=', 300 + $LIMIT_MS, "$what: in time");
	works_again("$what, statement_timeout");
}
note "slowest cancel: $slowest[0] ms, $slowest[1]";

# its own limit: one of a second, with what each request may have on top
for my $what (sort keys %calls)
{
	$proxy->black_hole;
	$session->query_safe("SET kafka_fdw.connect_timeout = '1s'");
	my $begun = time;
	$session->query("SELECT * FROM $calls{$what}", 30);
	my $seconds = time - $begun;
	like($session->state, qr/^HV00[NL]$/, "$what: ends by itself") or diag $session->error;
	cmp_ok($seconds, '<=', 4, sprintf '%s: after %.1f s', $what, $seconds);
	works_again("$what, ended");
}

# a new session that is cancelled while it connects
$proxy->black_hole;
my $new = KafkaFdwTest::session($node);
$new->send("SELECT * FROM kafka.group_lag");
KafkaFdwTest::await_blocked($new, 0.2);
cmp_ok(KafkaFdwTest::reaction($control, $new, 'terminate'), '<=', 2000, 'a new session is terminated');
$new->result(30);
$proxy->heal;

# --- a group over many partitions, by a slow network: three round trips

is($control->query_safe("SELECT count(*), count(error) FROM kafka.alter_group_offsets('waits', 'many', target => 'earliest', server => 'direct')", 60),
	"$PARTITIONS|0", "offsets of $PARTITIONS partitions are set");
is($session->query_safe($again, 60), $PARTITIONS + 2, 'and asked for');
my $requests = "SELECT requests FROM kafka.client_stats WHERE server = 'kafka'";
my $before = $session->query_safe($requests);
$proxy->latency($DELAY_MS, direction => 'downstream');
my $begun = time;
is($session->query_safe("SELECT count(*), sum(lag) FROM kafka.consumer_lag('waits')", 60), ($PARTITIONS + 2) . '|0', 'lag of all of them');
my $trips = 1000 * (time - $begun) / $DELAY_MS;
$proxy->heal;
is($session->query_safe($requests) - $before, 3, 'three requests');
cmp_ok($trips, '<', 4, sprintf 'three round trips: %.1f', $trips);

# a session that has met nothing yet looks for the coordinator and the topics, too
$new = KafkaFdwTest::session($node);
$new->query_safe('SELECT kafka.list_groups()');
$before = $new->query_safe($requests);
$proxy->latency($DELAY_MS, direction => 'downstream');
$begun = time;
is($new->query_safe("SELECT count(*), sum(lag) FROM kafka.consumer_lag('waits')", 60), ($PARTITIONS + 2) . '|0', 'lag in a new session');
note sprintf 'new session: %.1f round trips, with those of a new connection', 1000 * (time - $begun) / $DELAY_MS;
$proxy->heal;
is($new->query_safe($requests) - $before, 3, 'three requests');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
