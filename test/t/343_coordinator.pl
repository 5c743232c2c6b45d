# The coordinator of a group goes to another broker while sessions remember the old one, which
# answers that it is not the coordinator.  librdkafka crashes the process over that answer to a
# request for offsets, unless it is asked through a handle that has a group of its own.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker(nodes => 3);
my $node = KafkaFdwTest::node($broker->bootstrap);
my $control = KafkaFdwTest::session($node);
$control->query_safe("SELECT kafka.create_topic('moves', 3, 3)");
$control->query_safe("SELECT kafka.alter_group_offsets('moves', 'moves', target => 'latest')", 60);

# What each session does, and what comes of it.
my @calls = (
	[ 'lag', "SELECT count(*), count(lag), count(error) FROM kafka.consumer_lag('moves')", '3|3|0' ],
	[ 'offsets', "SELECT count(*), count(error) FROM kafka.group_offsets('moves')", '3|0' ],
	[ 'altering offsets', "SELECT count(*), count(error) FROM kafka.alter_group_offsets('moves', 'moves', target => 'earliest')", '3|0' ],
	[ 'offsets in a transaction', "SELECT kafka.begin_transaction('moves');
		SELECT kafka.send_offsets_to_transaction('moves', ARRAY[('moves', 0, 0, NULL)]::kafka.topic_partition[]);
		SELECT kafka.commit_transaction()", '' ],
	[ 'description', "SELECT state FROM kafka.describe_group('moves')", 'Empty' ],
	[ 'all groups', "SELECT count(*), count(error) FROM kafka.group_lag", '3|0' ],
	[ 'deleting offsets', "SELECT count(*), count(error) FROM kafka.delete_group_offsets('moves', 'moves', '{2}')", '1|0' ],
	[ 'deleting', "SELECT deleted, error FROM kafka.delete_group('moves')", 't|' ]);
my @sessions = map { KafkaFdwTest::session($node) } @calls;
my $meet = "SELECT kafka.begin_transaction('meets' || pg_backend_pid());
	SELECT kafka.send_offsets_to_transaction('moves', ARRAY[('moves', 0, 0, NULL)]::kafka.topic_partition[]);
	SELECT kafka.abort_transaction();
	SELECT count(*) FROM kafka.consumer_lag('moves')";
$_->query_safe($meet, 60) for @sessions;

# A new session asks who it is now.
sub coordinator
{
	my $session = KafkaFdwTest::session($node);
	my $id = $session->query("SELECT coordinator_id FROM kafka.describe_group('moves')", 30);
	$session->quit;
	return $id;
}
my $before = coordinator();
$broker->kill(node => $before);
KafkaFdwTest::wait_until(sub { my $id = coordinator(); return $id ne '' && $id ne $before; }, 90, 'another coordinator');

# a session that knows the dead broker cannot ask it for its groups, and says so
my $other = $sessions[0];
$other->query_safe("SET kafka_fdw.connect_timeout = '4s'");
my $listed = $other->query("SELECT count(*) FROM kafka.list_groups() WHERE group_id = 'moves'", 30);
is($other->state, '00000', 'the other brokers list their groups');
is($listed, '1', 'the group that has moved among them');
like($other->error, qr/^WARNING:  not every broker could list its consumer groups/m, 'with a warning');
is($other->query("SELECT count(*), count(error) FROM kafka.group_lag WHERE group_id IS NULL", 30), '1|1', 'lag of all groups has a row of it')
	or diag $other->error;
$other->query_safe('RESET kafka_fdw.connect_timeout');

$broker->start(node => $before);
isnt(coordinator(), $before, "broker $before is back, and is not the coordinator any more");

for my $i (0 .. $#calls)
{
	my ($what, $sql, $expected) = @{ $calls[$i] };
	my $out = $sessions[$i]->query($sql, 60);
	is($out =~ s/\n//gr, $expected, "$what, in a session that remembers the old one") or diag $sessions[$i]->error;
}

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
