# A member that does not poll for max.poll.interval.ms is put out of its group, and its partitions
# go to others: idle, and with a transaction open. What the transaction took is then committed
# nowhere twice (peer_S7, peer_W10). A session that ends leaves its group at once; a static member
# does not.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $SHORT = '"heartbeat.interval.ms": 200, "session.timeout.ms": 2000, "max.poll.interval.ms": 2500';
my $LONG = '"heartbeat.interval.ms": 200, "session.timeout.ms": 30000, "max.poll.interval.ms": 60000';
my $MESSAGES = 20;

my $broker = KafkaFdwTest::broker(set => { 'group.min.session.timeout.ms' => 1000 });
my $node = KafkaFdwTest::node($broker->bootstrap);
my $control = KafkaFdwTest::session($node);

sub subscribe
{
	my ($session, $topic, %args) = @_;
	my $group = $args{group} // $topic;
	my $store = $args{offsets} // 'kafka';
	my $options = join ', ', $args{options} // $LONG, $args{static} ? "\"group_instance_id\": \"$args{static}\"" : ();
	$session->query_safe("SELECT kafka.subscribe('$topic', '$group', offsets => '$store', start => 'earliest', options => '{$options}')");
	return $session;
}

sub fill
{
	my ($topic, $from, $to, $partitions) = @_;
	$control->query_safe("SELECT kafka.produce('$topic', i::text, delivery => 'immediate', partition => i % $partitions)
		FROM generate_series($from, $to) i");
	return;
}

# Polls until the session has so many partitions; how long that took.
sub await_partitions
{
	my ($session, $n) = @_;
	my $begun = time;
	KafkaFdwTest::wait_until(
		sub {
			$session->query_safe("SELECT count(*) FROM kafka.poll(1000, '100ms')");
			return $session->query_safe('SELECT count(*) FROM kafka.assignment()') == $n;
		},
		30, "$n partitions");
	return time - $begun;
}

# --- members that are late, all at the same time

# topic, store, what leads up to the wait, in which the claim is made before the transaction or in it
my $take = sub { "INSERT INTO $_[0]_got SELECT value::int FROM kafka.poll_text(10, '10s')" };
my $send = sub { "INSERT INTO $_[0]_out (id) SELECT value::int FROM kafka.poll_text(10, '10s')" };
my $few = "INSERT INTO late_savepoint_got SELECT value::int FROM kafka.poll_text(5, '10s')";
my %case = (
	late_idle => { store => 'kafka', first => 1 },
	late_kafka => { store => 'kafka', first => 0, take => $take },
	late_savepoint => { store => 'kafka', first => 0, take => sub { "$few; SAVEPOINT s; $few" } },
	late_postgres => { store => 'postgres', first => 1, take => $take },
	late_claim => { store => 'postgres', first => 0, take => $take },
	late_send => { store => 'transaction', first => 0, take => $send });
for my $topic (sort keys %case)
{
	my $case = $case{$topic};
	$control->query_safe("SELECT kafka.create_topic('$topic', 1); CREATE TABLE ${topic}_got (id int)");
	KafkaFdwTest::topic($control, "${topic}_out");
	$case->{late} = subscribe(KafkaFdwTest::session($node), $topic, offsets => $case->{store}, options => $SHORT);
	fill($topic, 1, 1, 1);
	await_partitions($case->{late}, 1) if $case->{first};
	fill($topic, 2, $MESSAGES, 1);
}
for my $topic (sort keys %case)
{
	my $case = $case{$topic};
	next unless $case->{take};
	$case->{late}->query_safe('BEGIN; ' . $case->{take}->($topic), 20);
}
for my $topic (sort keys %case)
{
	my $late = $case{$topic}{late};
	KafkaFdwTest::wait_until(sub { $late->query_safe('SELECT state FROM kafka.consumers') eq 'overdue' }, 20, "$topic: overdue");
	my $next = $case{$topic}{next} = subscribe(KafkaFdwTest::session($node), $topic, offsets => $case{$topic}{store});
	next if $topic eq 'late_claim';
	my $took = await_next($topic, $next);
	cmp_ok($took, '<', 5, sprintf '%s: a successor has the partition after %.1f s', $topic, $took);
}

# The successor takes the whole of the topic.
sub await_next
{
	my ($topic, $next) = @_;
	my $begun = time;
	my $insert = $case{$topic}{store} eq 'transaction' ? "INSERT INTO ${topic}_out (id)" : "INSERT INTO ${topic}_got";
	KafkaFdwTest::wait_until(
		sub {
			$next->query_safe("$insert SELECT value::int FROM kafka.poll_text(1000, '200ms')");
			return $next->query_safe('SELECT "offset" FROM kafka.position()') =~ /^\d/
				&& $next->query_safe('SELECT max("offset") FROM kafka.position()') >= $MESSAGES;
		},
		30, "$topic: the successor reads");
	return time - $begun;
}

# The late one goes on: the next poll tells it, the one after that joins again.
sub comes_back
{
	my ($topic) = @_;
	my $late = $case{$topic}{late};
	$case{$topic}{next}->query_safe('SELECT kafka.close_consumer()');
	fill($topic, $MESSAGES + 1, $MESSAGES + 1, 1);
	my $last = $late->query("SELECT value FROM kafka.poll_text(10, '5s')");
	if ($late->error ne '')
	{
		is($late->state, 'HV00L', "$topic: the next poll is an error");
		like($late->error, qr/gone on without this consumer.*max\.poll\.interval\.ms.*HINT:.*joins again/s, "$topic: which says why, and what to do");
	}
	KafkaFdwTest::wait_until(
		sub { return $last ||= $late->query("SELECT value FROM kafka.poll_text(10, '1s')") }, 20, "$topic: it reads again");
	is($last, $MESSAGES + 1, "$topic: and reads on where the successor was");
	return $late->error;
}

comes_back('late_idle');

my $late = $case{late_kafka}{late};
$late->query('COMMIT');
is($late->state, '00000', 'kafka: COMMIT succeeds');
like($late->error, qr/^WARNING:.*messages may come again.*taken its partitions away/s, 'kafka: with a WARNING');
is($control->query_safe('SELECT count(*), count(DISTINCT id) FROM late_kafka_got'), ($MESSAGES + 10) . "|$MESSAGES",
	'kafka: the successor got the same messages');
is($case{late_kafka}{next}->query_safe('SELECT "offset" FROM kafka.committed()'), $MESSAGES, "kafka: the group's offset is the successor's");
comes_back('late_kafka');

# ROLLBACK TO does not bring back what the group has taken away.
$late = $case{late_savepoint}{late};
$late->query("SELECT * FROM kafka.poll(5, '5s')");
is($late->state, 'HV00L', 'kafka, savepoint: the poll is an error');
$late->query_safe('ROLLBACK TO s');
$late->query('COMMIT');
like($late->error, qr/^WARNING:.*messages may come again.*(?:taken its partitions away|Unknown member)/s, 'kafka, savepoint: COMMIT with a WARNING');
is($control->query_safe('SELECT count(*), count(DISTINCT id) FROM late_savepoint_got'), ($MESSAGES + 5) . "|$MESSAGES",
	'kafka, savepoint: the successor got the same messages');
is($case{late_savepoint}{next}->query_safe('SELECT "offset" FROM kafka.committed()'), $MESSAGES,
	"kafka, savepoint: the group's offset is the successor's");
comes_back('late_savepoint');

$late = $case{late_postgres}{late};
$late->query('COMMIT');
is($late->state, '40001', 'postgres: COMMIT fails') or diag $late->error;
is($control->query_safe('SELECT count(*), count(DISTINCT id) FROM late_postgres_got'), ($MESSAGES - 1) . '|' . ($MESSAGES - 1),
	'postgres: each message has one row');
comes_back('late_postgres');

# The successor has to wait for the transaction that has the claim, and that one wins.
my $next = $case{late_claim}{next};
$next->send("INSERT INTO late_claim_got SELECT value::int FROM kafka.poll_text(1000, '10s')");
KafkaFdwTest::wait_until(
	sub { $control->query_safe("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = " . $next->pid) }, 20,
	'the successor waits for the claim');
$late = $case{late_claim}{late};
$late->query('COMMIT');
is($late->state, '00000', 'postgres, claimed in the transaction: COMMIT succeeds') or diag $late->error;
$next->result(20);
await_next('late_claim', $next);
is($control->query_safe('SELECT count(*), count(DISTINCT id) FROM late_claim_got'), "$MESSAGES|$MESSAGES",
	'postgres, claimed in the transaction: each message has one row');
comes_back('late_claim');

$late = $case{late_send}{late};
$late->query('COMMIT');
is($late->state, '40001', 'transaction: COMMIT fails') or diag $late->error;
is_deeply([ map { /"id":\s*(\d+)/ } KafkaFdwFaults::committed($broker->bootstrap, 'late_send_out') ], [ 1 .. $MESSAGES ],
	'transaction: each message was sent once');
comes_back('late_send');

# --- a member that goes

$control->query_safe("SELECT kafka.create_topic('gone', 2)");
my $stays = subscribe(KafkaFdwTest::session($node), 'gone');
for my $way ('quit', 'terminate', 'close_consumer', 'unsubscribe', 'DISCARD ALL', 'never polled', 'polled once')
{
	for my $strategy (qw(range cooperative-sticky))
	{
		my $group = 'gone_' . ($way =~ s/ /_/gr) . "_$strategy";
		my %how = (group => $group, options => "$LONG, \"partition.assignment.strategy\": \"$strategy\"");
		my $goes = subscribe(KafkaFdwTest::session($node), 'gone', %how);
		await_partitions($goes, 2) unless $way =~ /polled/;
		$goes->query_safe("SELECT kafka.poll(1, '0')") if $way eq 'polled once';
		$control->query_safe('SELECT pg_terminate_backend(' . $goes->pid . ')') if $way eq 'terminate';
		$goes->query_safe("SELECT kafka.$way()") if $way =~ /^(?:close_consumer|unsubscribe)$/;
		$goes->query_safe($way) if $way eq 'DISCARD ALL';
		$goes->quit if $way =~ /^(?:quit|never polled|polled once)$/;
		my $heir = subscribe(KafkaFdwTest::session($node), 'gone', %how);
		my $took = await_partitions($heir, 2);
		# a cooperative one that had not joined yet may wait for its first assignment
		cmp_ok($took, '<', 3, sprintf '%s, %s: the successor has its partitions after %.2f s', $way, $strategy, $took);
		$heir->quit;
		$goes->kill;
	}
}

# --- static members

# a broker closes the connection without a word
$control->query("SELECT kafka.subscribe('gone', 'static', options => '{\"group_instance_id\": \"member 1\"}', server => 'kafka')");
is($control->state, '22023', 'a name that a broker does not take is refused') or diag $control->error;

my @static = map { subscribe(KafkaFdwTest::session($node), 'gone', group => 'static', static => "member_$_") } 1, 2;
KafkaFdwTest::wait_until(
	sub {
		$_->query_safe("SELECT count(*) FROM kafka.poll(1, '100ms')") for @static;
		return !grep { $_->query_safe('SELECT count(*) FROM kafka.assignment()') != 1 } @static;
	},
	30, 'each static member has a partition');
my $has = $static[0]->query_safe('SELECT partition FROM kafka.assignment()');
my $rebalances = $static[1]->query_safe('SELECT rebalances FROM kafka.consumers');
$static[0]->quit;
$static[0] = subscribe(KafkaFdwTest::session($node), 'gone', group => 'static', static => 'member_1');
await_partitions($static[0], 1);
is($static[0]->query_safe('SELECT partition FROM kafka.assignment()'), $has, 'a static member that comes back has its partition again');
$static[1]->query_safe("SELECT count(*) FROM kafka.poll(1, '500ms')");
is($static[1]->query_safe('SELECT rebalances FROM kafka.consumers'), $rebalances, 'and the group has not rebalanced');
my $double = subscribe(KafkaFdwTest::session($node), 'gone', group => 'static', static => 'member_1');
await_partitions($double, 1);
KafkaFdwTest::wait_until(sub { $static[0]->query("SELECT count(*) FROM kafka.poll(1, '200ms')"); $static[0]->error ne '' }, 20, 'one of two is told');
like($static[0]->error, qr/^ERROR:.*instance/is, 'of two with the same name the older one gets an error') or diag $static[0]->error;
note $static[0]->error;
$static[0]->query_safe('SELECT kafka.close_consumer()');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
