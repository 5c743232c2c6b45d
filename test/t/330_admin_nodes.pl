# Topics, configurations and the cluster on three nodes, one of which dies: what is offline is
# shown, what can be done is done, and what waits for every broker waits for those that live.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker(nodes => 3);
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);
my $other = KafkaFdwTest::session($node);

sub alive { return $session->query_safe('SELECT string_agg(broker_id::text, $$,$$ ORDER BY broker_id) FROM kafka.describe_cluster()') }

sub layout
{
	my ($topic) = @_;
	return $session->query_safe("SELECT partition, leader IS NULL, cardinality(isr), offline, low, high, messages
		FROM kafka.describe_topic('$topic') ORDER BY partition", 30);
}

# --- all three live

is(alive(), '1,2,3', 'the cluster has three brokers');
is($session->query_safe('SELECT count(*), count(DISTINCT cluster_id), count(DISTINCT port) FROM kafka.describe_cluster() WHERE host IS NOT NULL'),
	'3|1|3', 'with addresses and one id');
is($session->query_safe('SELECT count(*) FROM kafka.describe_cluster() WHERE is_controller'), '1', 'one is named as the controller');

# What ensure_topic returns from is known to each broker: each one is asked by a client that has no other yet.
my @address = split /,/, $broker->bootstrap;
$session->query_safe("CREATE SERVER node$_ FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$address[$_ - 1]')") for 1 .. 3;
$_->query_safe("SET kafka_fdw.server = 'kafka'") for $session, $other;
my $late = 0;
for my $i (1 .. 10)
{
	$session->query_safe("SELECT * FROM kafka.ensure_topic('known_$i', 3, 3, '{\"retention.ms\": 1000000}')");
	$late += $session->query_safe("SELECT count(*) FILTER (WHERE partitions <> 3) FROM kafka.list_topics(server => 'node$_') WHERE topic = 'known_$i'") for 1 .. 3;
	$late += 1 - $session->query_safe("SELECT count(*) FROM kafka.list_topics(server => 'node$_') WHERE topic = 'known_$i'") for 1 .. 3;
	$session->query_safe("SELECT * FROM kafka.ensure_topic('known_$i', 5, config => '{\"retention.ms\": 2000000}')");
	$late += 1 - $session->query_safe("SELECT count(*) FROM kafka.list_topics(server => 'node$_') WHERE topic = 'known_$i' AND partitions = 5") for 1 .. 3;
}
is($late, 0, 'after ensure_topic every broker knows topic and partitions');
is($session->query_safe('SELECT count(*) FROM kafka.ensure_topic($$known_1$$, 5, 3, $${"retention.ms": 2000000}$$)'), '0', 'and there is nothing to change');
$session->query('SELECT * FROM kafka.ensure_topic($$known_1$$, replication_factor => 2)');
is($session->state, '0A000', 'the replication factor is not changed') or diag $session->error;

# --- two sessions at once

for my $i (1 .. 5)
{
	$_->send("SELECT count(*) FROM kafka.ensure_topic('both_$i', 2, 3, '{\"segment.ms\": 1000000}')") for $session, $other;
	my @made = sort map { scalar $_->result(30) } $session, $other;
	is("@made", '0 4', "two sessions create a topic at once, round $i: one does it");
	$session->send("SELECT count(*) FROM kafka.alter_config('topic', 'both_$i', set => '{\"retention.ms\": 3000000}')");
	$other->send("SELECT count(*) FROM kafka.alter_config('topic', 'both_$i', set => '{\"max.message.bytes\": 3000000}')");
	$_->result(30) for $session, $other;
	is($session->query_safe("SELECT string_agg(name, ' ' ORDER BY name) FROM kafka.describe_config('topic', 'both_$i', true)"),
		'max.message.bytes retention.ms segment.ms', "two sessions alter it at once, round $i: nothing is lost");
}

# --- one dies

$session->query_safe("SELECT kafka.create_topic('wide', 2, replica_assignment => '[[1, 2, 3], [3, 1, 2]]')");
$session->query_safe("SELECT kafka.create_topic('narrow', replica_assignment => '[[1], [3]]')");
$session->query_safe("SELECT kafka.produce('$_', 'x', partition => p, delivery => 'immediate') FROM generate_series(0, 1) p") for qw(wide narrow);
is(layout('wide'), "0|f|3|{}|0|1|1\n1|f|3|{}|0|1|1", 'all replicas are in sync');
$broker->kill(node => 3);
# at once, while the cluster takes it for alive yet
my $text = layout('wide');
like($text, qr/^0\|f\|[23]\|.*\|0\|1\|1\n1\|f\|[23]\|.*\|0\|1\|1$/, 'described while the cluster finds out');
KafkaFdwTest::wait_until(sub { alive() eq '1,2' }, 30, 'the cluster has noticed');
KafkaFdwTest::wait_until(sub { layout('wide') eq "0|f|2|{3}|0|1|1\n1|f|2|{3}|0|1|1" }, 30, 'the replicas of the dead node are shown as offline');
is(layout('wide'), "0|f|2|{3}|0|1|1\n1|f|2|{3}|0|1|1", 'a topic of three replicas goes on without one');
is(layout('narrow'), "0|f|1|{}|0|1|1\n1|t|0|{3}|||", 'a partition whose only replica is gone has no leader and no offsets');
is($session->query_safe("SELECT item FROM kafka.ensure_topic('after_death', 2, 2) WHERE item = 'topic'"), 'topic', 'a topic is created on those that live');
is($session->query_safe("SELECT new_value FROM kafka.ensure_topic('wide', 4, config => '{\"retention.ms\": 5000000}') ORDER BY item"),
	"4\n5000000", 'one is altered, and every broker that lives knows');
is($session->query_safe("SELECT count(*) FROM kafka.describe_config('broker', '1')") > 100 ? 1 : 0, 1, 'a broker that lives shows its configuration');
$session->query("SELECT count(*) FROM kafka.describe_config('broker', '3')", 30);
is($session->state, '22023', 'the dead one is none of the cluster') or diag $session->error;
# Kafka places replicas on a node that is registered, dead or not
$session->query_safe("SELECT kafka.ensure_topic('with_a_dead_one', 1, 3)", 30);
is(layout('with_a_dead_one'), '0|f|2|{3}|0|0|0', 'three replicas are possible, one of them is offline');
is($session->query_safe("SELECT string_agg(error IS NULL || ':' || coalesce(low::text, ''), ' ' ORDER BY partition)
	FROM kafka.delete_records(ARRAY[('narrow', 0, 1, NULL), ('narrow', 1, 1, NULL)]::kafka.topic_partition[])", 40),
	'true:1 false:', 'records of the partition that lives are deleted, the other one fails in its row');
$session->query_safe("SET kafka_fdw.connect_timeout = '2s'");
$session->query("SELECT * FROM kafka.list_offsets('narrow')", 40);
like($session->state, qr/^HV00[NL]$/, 'offsets of a partition without a leader are an error') or diag $session->error;

$session->query_safe('RESET kafka_fdw.connect_timeout');

# --- it comes back

$broker->start(node => 3);
KafkaFdwTest::wait_until(sub { alive() eq '1,2,3' }, 60, 'the node is back');
KafkaFdwTest::wait_until(sub { layout('wide') =~ /^(?:\d\|f\|3\|\{\}\|.*\n?){4}$/ }, 60, 'its replicas are in sync again');
is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
