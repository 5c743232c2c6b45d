# peer_R1: a scan ends at the positions pinned at its start, however slow the broker is:
# with a round trip of 300 ms, and with a broker that stands still in mid-scan.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $mock = KafkaFdwTest::mock_broker(topic => 'slow:2', fill => 1500, rtt => 300);
my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);

# --- a long round trip

$session->query_safe("CREATE SERVER slow FOREIGN DATA WRAPPER kafka_fdw
	OPTIONS (bootstrap_servers '" . $mock->bootstrap . "')");
$session->query_safe("CREATE FOREIGN TABLE slow (id int, part int OPTIONS (meta 'partition'),
	offs bigint OPTIONS (meta 'offset')) SERVER slow OPTIONS (topic 'slow', format 'json')");
my $begun = time;
is($session->query('SELECT count(*), sum(id), count(DISTINCT id) FROM slow'),
	'1500|1124250|1500', 'a slow topic is read to its end');
is($session->error, '', 'without an error');
cmp_ok(time - $begun, '>', 0.6, 'the broker was slow');
is($session->query('SELECT count(*), min(offs), max(offs) FROM slow WHERE part = 1 AND offs >= 700'),
	'50|700|749', 'a part of it too');
is($session->query('SELECT count(*) FROM slow'), '1500', 'and all again, on the same client');

# --- a broker that stands still

# Few messages ahead, so that a scan cannot be done with what it has.
$session->query_safe("ALTER SERVER kafka OPTIONS (ADD queued_min_messages '100',
	ADD queued_max_messages_kbytes '64', ADD fetch_message_max_bytes '16384')");
KafkaFdwTest::topic($session, 'still', partitions => 2, options => "delivery 'immediate'");
my $rows = 20_000;
$session->query_safe("INSERT INTO still (id, pad) SELECT i, repeat('x', 100) FROM generate_series(1, $rows) i");
is($session->query('SELECT count(*) FROM still'), $rows, 'rows in the topic');

# Below the time after which a scan asks whether its end can be reached, and beyond it.
for my $seconds (1.5, 3.5)
{
	$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT id FROM still');
	my $first = $session->query('FETCH 1 FROM c');
	like($first, qr/^\d+$/, 'a scan under way');
	$broker->pause;
	my $paused = time;
	$session->send('FETCH ALL FROM c');
	KafkaFdwTest::await_blocked($session, $seconds);
	cmp_ok(time - $paused, '>=', $seconds, "it waits for a broker that stands still for $seconds s");
	$broker->resume;
	my ($out, $error) = $session->result(60);
	my %seen = map { $_ => 1 } $first, split /\n/, $out;
	is($error, '', 'no error');
	is(scalar(() = $out =~ /^\d+$/mg), $rows - 1, 'not a row is missing');
	is(scalar(keys %seen), $rows, 'and none is there twice');
	$session->query_safe('COMMIT');
}

$node->stop;
done_testing();
