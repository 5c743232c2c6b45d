# peer_R16: messages that are removed while a topic is read, by option on_missing: an error with
# both offsets in it, or on with the first one that is there. peer_R14: and a condition on the
# timestamp finds what is left, although the removed messages' files are still there.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $ROWS = 60;
my $broker = KafkaFdwTest::broker();
my $bootstrap = $broker->bootstrap;
my $node = KafkaFdwTest::node($bootstrap, conf => "kafka_fdw.connect_timeout = 5s\n");
my $session = KafkaFdwTest::session($node);
# Few messages ahead, so that a scan cannot be done with what it has.
$session->query_safe("ALTER SERVER kafka OPTIONS (ADD queued_min_messages '2',
	ADD queued_max_messages_kbytes '200', ADD fetch_message_max_bytes '100000')");

# A topic of three segment files or more a partition, and a table of either kind on it.
sub fill
{
	my ($name, $partitions) = @_;
	$session->query_safe("SELECT kafka.create_topic('$name', $partitions, config => '{\"segment.bytes\": 1048576, \"retention.ms\": -1}')");
	for my $missing (qw(error earliest))
	{
		$session->query_safe("CREATE FOREIGN TABLE ${name}_$missing (id int, pad text, part int OPTIONS (meta 'partition'),
			offs bigint OPTIONS (meta 'offset'), ts timestamptz OPTIONS (meta 'timestamp')) SERVER kafka
			OPTIONS (topic '$name', format 'csv', delivery 'immediate', on_missing '$missing')");
	}
	$session->query_safe("INSERT INTO ${name}_error (id, pad, part, ts) SELECT i, repeat('x', 100000), i % $partitions,
		timestamptz '2025-01-01 00:00+00' + i * interval '1 min' FROM generate_series(0, $partitions * $ROWS - 1) AS i");
	return;
}

# --- a cursor goes on after the messages before it have gone

for my $order ('', 'ORDER BY part, offs')
{
	my $name = $order ? 'removed_ordered' : 'removed_plain';
	fill($name, 1);
	$session->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT offs FROM ${name}_error $order");
	is($session->query('FETCH 2 FROM c'), "0\n1", "$name: a cursor under way");
	KafkaFdwTest::delete_records($bootstrap, $name, 0, 40);
	$session->query('FETCH ALL FROM c', 30);
	is($session->state, 'HV00L', "$name: on_missing error") or diag $session->error;
	like($session->error, qr/offset \d+ of topic "$name" partition 0 is no longer there/, "$name: the offset that was wanted");
	like($session->error, qr/now holds offsets from 40 to before $ROWS/, "$name: the first one that is there");
	like($session->error, qr/on_missing 'earliest'/, "$name: what to do");
	$session->query_safe('ROLLBACK');

	# what was pinned before is there no more, in the same snapshot
	$session->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM ${name}_earliest LIMIT 1;
		DECLARE c CURSOR FOR SELECT offs FROM ${name}_earliest $order");
	is($session->query('FETCH 2 FROM c'), "40\n41", "$name: another cursor");
	KafkaFdwTest::delete_records($bootstrap, $name, 0, 55);
	my @rows = split /\n/, $session->query('FETCH ALL FROM c', 30);
	is($session->state, '00000', "$name: on_missing earliest") or diag $session->error;
	like($session->error, qr/WARNING:  offsets \d+ to 54 of topic "$name" partition 0 were removed/, "$name: says what is missing");
	is(join(' ', @rows[ -5 .. -1 ]), '55 56 57 58 59', "$name: the rest is there");
	cmp_ok(scalar(@rows), '<', 18, "$name: and what was removed is not");
	$session->query_safe('ROLLBACK');
	is($session->query("SELECT min(offs), count(*) FROM ${name}_error"), '55|5', "$name: the next statement reads what is there");
	is($session->error, '', "$name: without a warning");
	# all of it
	$session->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT offs FROM ${name}_earliest $order; FETCH 1 FROM c");
	KafkaFdwTest::delete_records($bootstrap, $name, 0, $ROWS);
	$session->query('FETCH ALL FROM c', 30);
	is($session->state, '00000', "$name: everything removed") or diag $session->error;
	$session->query_safe('ROLLBACK');
	is($session->query("SELECT count(*) FROM ${name}_error"), '0', "$name: and the topic is empty");
}

# --- two statements under one snapshot: the second is not silently short

my $writer = KafkaFdwTest::session($node);
# a part is removed, then all there was, then more than there was when the end was pinned
for my $case ([ 20, 0 ], [ $ROWS, 0 ], [ $ROWS + 5, 10 ])
{
	my ($before, $more) = @$case;
	my $name = "removed_twice_$before";
	my ($end, $to) = ($ROWS + $more, $before < $ROWS ? $before - 1 : $ROWS - 1);
	fill($name, 1);
	my $both = "SELECT count(*), min(offs), max(offs) FROM ${name}_";
	my @readers = map { KafkaFdwTest::session($node) } 1, 2;
	my @kinds = qw(error earliest);
	for my $n (0, 1)
	{
		$readers[$n]->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
		is($readers[$n]->query($both . $kinds[$n]), "$ROWS|0|" . ($ROWS - 1), "$name, $kinds[$n]: the first");
	}
	$writer->query_safe("INSERT INTO ${name}_error (id, part) SELECT i, 0 FROM generate_series(1, $more) i") if $more;
	KafkaFdwTest::delete_records($bootstrap, $name, 0, $before);

	$readers[0]->query($both . 'error', 30);
	is($readers[0]->state, 'HV00L', "$name: on_missing error: the second fails");
	like($readers[0]->error, qr/offset 0 of topic "$name" partition 0 is no longer there/, "$name: the offset that was wanted");
	like($readers[0]->error, qr/offsets from $before to before $end; the scan was to end before $ROWS\./,
		"$name: what is there, and what was to be read");
	is( $readers[1]->query($both . 'earliest', 30),
		$before < $ROWS ? ($ROWS - $before) . "|$before|" . ($ROWS - 1) : '0||',
		"$name: on_missing earliest: what is left, to the end that was pinned");
	like($readers[1]->error, qr/WARNING:  offsets 0 to $to of topic "$name" partition 0 were removed/, "$name: says what is missing");

	# and a new snapshot is in order
	for my $n (0, 1)
	{
		$readers[$n]->query_safe('ROLLBACK');
		is($readers[$n]->query("SELECT count(*) FROM ${name}_$kinds[$n]"), $end - $before, "$name, $kinds[$n]: a new snapshot");
		is($readers[$n]->error, '', "$name, $kinds[$n]: without a word");
		$readers[$n]->quit;
	}
}

# --- conditions on the timestamp after that

fill('removed_times', 2);
for my $before (0, 30)
{
	KafkaFdwTest::delete_records($bootstrap, 'removed_times', 1, $before) if $before;
	for my $minutes (0, 5, 40, 70, 100, 500)
	{
		my $moment = "timestamptz '2025-01-01 00:00+00' + interval '$minutes min'";
		for my $operator ('>=', '<')
		{
			my $condition = "ts $operator $moment";
			is( $session->query("SELECT part, count(*) FROM removed_times_error WHERE $condition GROUP BY part ORDER BY part"),
				$session->query("SELECT part, count(*) FROM (SELECT * FROM removed_times_error OFFSET 0) s WHERE $condition GROUP BY part ORDER BY part"),
				"$before removed: $minutes minutes, $operator");
		}
	}
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
