# The coordinator of a group goes to another broker while a session remembers the old one, which
# answers that it is not the coordinator.  librdkafka crashes the process over that answer to a
# request for offsets, unless it is asked through a handle that has a group of its own.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker(nodes => 3);
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);
$session->query_safe("SELECT kafka.create_topic('moves', 3, 3)");
$session->query_safe("SELECT kafka.alter_group_offsets('moves', 'moves', target => 'latest')", 60);
my $coordinator = "SELECT coordinator_id FROM kafka.describe_group('moves')";
my $lag = "SELECT count(*), count(lag), count(error) FROM kafka.consumer_lag('moves')";
is($session->query_safe($lag), '3|3|0', 'the group is known');

# A new session asks who it is now.
sub now
{
	my $new = KafkaFdwTest::session($node);
	my $id = $new->query($coordinator, 30);
	$new->quit;
	return $id;
}

# Another broker becomes the coordinator, and the former one comes back.
sub move
{
	my $before = now();
	$broker->kill(node => $before);
	KafkaFdwTest::wait_until(sub { my $id = now(); return $id ne '' && $id ne $before; }, 90, 'another coordinator');
	$broker->start(node => $before);
	KafkaFdwTest::wait_until(sub { return $session->query("SELECT count(*) FROM kafka.watermarks('moves')", 60) eq '3'; }, 60, 'the broker is back');
	isnt(now(), $before, "broker $before is not the coordinator any more");
	return;
}

move();
is($session->query($lag, 60), '3|3|0', 'lag, from a session that remembers the old one') or diag $session->error;
is($session->query($coordinator, 60), now(), 'it has found the new one') or diag $session->error;
move();
is($session->query("SELECT count(*), count(error) FROM kafka.alter_group_offsets('moves', 'moves', target => 'earliest')", 60), '3|0',
	'altering offsets') or diag $session->error;
move();
is($session->query("SELECT kafka.begin_transaction('moves')", 60), '', 'a transaction');
is($session->query("SELECT kafka.send_offsets_to_transaction('moves', ARRAY[('moves', 0, 0, NULL)]::kafka.topic_partition[])", 60), '',
	'offsets in a transaction') or diag $session->error;
$session->query('SELECT kafka.commit_transaction()', 60);
is($session->error, '', 'it commits');
move();
is($session->query("SELECT string_agg(DISTINCT error, ''), count(*) FROM kafka.delete_group(ARRAY['moves', 'none'])", 60), 'Broker: The group id does not exist|2',
	'deleting it') or diag $session->error;

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
