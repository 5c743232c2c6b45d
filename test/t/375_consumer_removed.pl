# peer_R16: messages that are removed before a consumer has read them, by option on_missing: an
# error, which seek ends, or on with the first one that is there; the same with offsets kept in
# PostgreSQL, and after a ROLLBACK.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $bootstrap = $ENV{KAFKA_BROKERS};
my $node = KafkaFdwTest::node($bootstrap);
my $session = KafkaFdwTest::session($node);

sub fill
{
	my ($topic) = @_;
	$session->query_safe("SELECT kafka.create_topic('$topic', 1)");
	$session->query_safe("SELECT count(kafka.produce('$topic', i::text, delivery => 'immediate')) FROM generate_series(0, 19) AS i");
	return;
}

sub take
{
	my ($n) = @_;
	return $session->query("SELECT string_agg(value, ' ' ORDER BY \"offset\") FROM kafka.poll_text($n, '10s')", 30);
}

for my $offsets (qw(kafka postgres transaction))
{
	my $topic = "consumer_removed_$offsets";
	my $subscribe = "SELECT kafka.subscribe('$topic', '$topic', offsets => '$offsets', start => 'earliest'";
	fill($topic);
	$session->query_safe("$subscribe)");
	is(take(3), '0 1 2', "$offsets: the first messages");
	$session->query_safe('SELECT kafka.close_consumer()');
	KafkaFdwTest::delete_records($bootstrap, $topic, 0, 10);

	$session->query_safe("$subscribe)");
	for my $turn (1, 2)
	{
		take(1);
		is($session->state, 'HV00L', "$offsets: on_missing error, poll $turn") or diag $session->error;
		like($session->error, qr/offset 3 of topic "$topic" partition 0 is not there/, "$offsets: the offset that was wanted");
		like($session->error, qr/holds offsets from 10 to before 20/, "$offsets: what is there");
	}
	$session->query_safe("SELECT kafka.seek('$topic', 0, 'earliest')");
	is(take(2), '10 11', "$offsets: on after seek");
	KafkaFdwTest::delete_records($bootstrap, $topic, 0, 15);
	$session->query_safe('SELECT kafka.close_consumer()');

	$session->query_safe("$subscribe, options => '{\"on_missing\": \"earliest\"}')");
	$session->query_safe('BEGIN');
	is(take(1), '15', "$offsets: on_missing earliest");
	like($session->error, qr/WARNING:  offsets 12 to 14 of topic "$topic" partition 0 were removed/, "$offsets: says what is missing");
	$session->query_safe('ROLLBACK');
	is(take(1), '15', "$offsets: after ROLLBACK the same again");
	like($session->error, qr/WARNING:  offsets 12 to 14/, "$offsets: and the same warning");
	is(take(1), '16', "$offsets: it goes on");
	is($session->query("SELECT \"offset\" FROM kafka.committed()"), '17', "$offsets: stored");
	$session->query_safe('SELECT kafka.close_consumer()');
	$session->query_safe("SELECT kafka.delete_topic('$topic')");
}
$session->quit;
$node->stop;
done_testing();
