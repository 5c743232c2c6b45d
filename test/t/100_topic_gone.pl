# Topics that refuse a message, that go away in mid-session and in mid-scan, are made anew or
# lose messages under a scan: always an error that says so, in bounded time, never a hang and
# never a part of the topic as if it were all.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker(set => { 'log.retention.check.interval.ms' => 300 });
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.connect_timeout = 5s\nkafka_fdw.commit_timeout = 12s\n");
my $session = KafkaFdwTest::session($node);
my $other = KafkaFdwTest::session($node);
# Few messages ahead, so that a scan cannot be done with what it has.
$session->query_safe("ALTER SERVER kafka OPTIONS (ADD queued_min_messages '100',
	ADD queued_max_messages_kbytes '64', ADD fetch_message_max_bytes '16384')");

# --- larger than the broker takes, though not than the client sends

KafkaFdwTest::topic($session, 'small', config => '{"max.message.bytes": 2000}');
$session->query_safe('CREATE TABLE orders (id int)');
for my $delivery (qw(immediate before_commit))
{
	$session->query_safe("SET kafka_fdw.delivery = '$delivery'");
	$session->query_safe('INSERT INTO small (id) VALUES (1)');
	$session->query_safe('BEGIN; INSERT INTO orders VALUES (1)');
	my $insert = "INSERT INTO small (id, pad) VALUES (2, 'payload' || repeat('x', 5000))";
	$session->query($delivery eq 'immediate' ? $insert : "$insert; COMMIT");
	is($session->state, '54000', "$delivery: a message too large for the topic") or diag $session->error;
	like($session->error, qr/"small" is too large/, "$delivery: which it names");
	unlike($session->error, qr/payload/, "$delivery: what was in the message is not in the error");
	$session->query('ROLLBACK') if $delivery eq 'immediate';
	is($session->query('SELECT count(*) FROM orders'), '0', "$delivery: the row is rolled back");
	$session->query('INSERT INTO small (id) VALUES (3)');
	is($session->state, '00000', "$delivery: the session sends again") or diag $session->error;
	$session->query("INSERT INTO small (id, pad) VALUES (2, repeat('x', 2000000))");
	is($session->state, '54000', "$delivery: a message too large for the client");
}
is($session->query('SELECT count(*), sum(id) FROM small'), '4|8', 'only what fits is there');
$session->query_safe('RESET kafka_fdw.delivery');

# --- gone in mid-session

KafkaFdwTest::topic($session, 'brief', partitions => 2);
KafkaFdwTest::topic($session, 'brief_immediate', options => "delivery 'immediate'");
for my $table (qw(brief brief_immediate))
{
	$session->query_safe("INSERT INTO $table (id) VALUES (1)");
	is($session->query("SELECT count(*) FROM $table"), '1', "$table: a topic in use");
	$other->query_safe("SELECT kafka.delete_topic('$table')");
	for my $statement ("SELECT count(*) FROM $table", "INSERT INTO $table (id) VALUES (2)", "SELECT count(*) FROM $table")
	{
		my $begun = time;
		$session->query($statement, 40);
		is($session->state, 'HV00R', "topic deleted: $statement") or diag $session->error;
		cmp_ok(time - $begun, '<', 10, sprintf 'topic deleted: in %.1f s', time - $begun);
	}
	# and back, with another number of partitions
	$other->query_safe("SELECT kafka.create_topic('$table', 3)");
	KafkaFdwTest::wait_until(
		sub { $session->query("INSERT INTO $table (id) VALUES (3)", 40); $session->state eq '00000' },
		30, "$table takes messages again");
	is($session->query("SELECT count(*) FROM $table WHERE id = 3"), '1', "$table: made anew, it is used again");
}

# --- under a scan

my $rows = 20_000;
my $fill = "SELECT i, repeat('x', 100) FROM generate_series(1, $rows) i";
my %ways = (
	deleted => sub { $other->query_safe("SELECT kafka.delete_topic('$_[0]')") },
	'made anew, shorter' => sub {
		$other->query_safe("SELECT kafka.delete_topic('$_[0]')");
		$other->query_safe("SELECT kafka.create_topic('$_[0]')");
		$other->query_safe("INSERT INTO $_[0] (id) VALUES (1)");
	},
	# what was pinned is not there, although the same offsets are
	'made anew, longer' => sub {
		$other->query_safe("SELECT kafka.delete_topic('$_[0]')");
		$other->query_safe("SELECT kafka.create_topic('$_[0]')");
		$other->query_safe("INSERT INTO $_[0] (id, pad) $fill");
	},
	# by retention, some seconds after it was filled
	'oldest messages removed' => sub {
		my ($topic) = @_;
		KafkaFdwTest::wait_until(
			sub { $other->query("SELECT low > 5000 FROM kafka.watermarks('$topic')") eq 't' }, 30, 'retention removes messages');
	});
my $number = 0;
for my $way (sort keys %ways)
{
	my $table = 'scanned_' . $number++;
	KafkaFdwTest::topic($session, $table, options => "delivery 'immediate'",
		config => $way =~ /oldest/ ? '{"segment.bytes": 1048576, "retention.ms": 4000}' : '{}');
	$session->query_safe("INSERT INTO $table (id, pad) $fill");
	$session->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT id FROM $table; FETCH 1 FROM c");
	$ways{$way}->($table);
	my $begun = time;
	my $out = $session->query('FETCH ALL FROM c', 60);
	my $took = time - $begun;
	# only a topic's id would tell, and librdkafka shows none before 2.3
	local our $TODO = $way eq 'made anew, longer' ? 'the same offsets are there again: not noticed' : undef;
	like($session->state, qr/^HV00[RL]$/, "$way in mid-scan: an error") or $TODO or diag scalar(split /\n/, $out) . ' rows';
	$TODO = undef;
	cmp_ok($took, '<', 15, sprintf '%s in mid-scan: in %.1f s', $way, $took);
	$session->query('ROLLBACK');
	is($session->query('SELECT 1'), '1', "$way in mid-scan: the session lives");
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
