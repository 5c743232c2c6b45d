# Consumers meet faults: a broker that dies and comes back, a network that swallows everything at
# COMMIT, cancels in each wait, topics that go, grow or lose their beginning (peer_R16), nodes of
# several that die, the group's coordinator among them. No message is lost, no session hangs.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $LIMIT_MS = 1000;
my $EXIT_MS = 2000;
my $QUICK = '"heartbeat.interval.ms": 500, "session.timeout.ms": 6000, "topic.metadata.refresh.interval.ms": 500, "reconnect.backoff.max.ms": 500';

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker, conf => "kafka_fdw.connect_timeout = 5s\nkafka_fdw.after_commit_timeout = 1s\n");
my $control = KafkaFdwTest::session($node);
$control->query_safe("SET kafka_fdw.server = 'direct'");

sub fill
{
	my ($topic, $from, $to, $partitions) = @_;
	$control->query_safe("SELECT kafka.produce('$topic', i::text, delivery => 'immediate', partition => i % "
		. ($partitions // 1) . ") FROM generate_series($from, $to) i");
	return;
}

sub topic
{
	my ($topic, $partitions) = @_;
	$control->query_safe("SELECT kafka.create_topic('$topic', " . ($partitions // 1) . "); CREATE TABLE ${topic}_got (id int)");
	return;
}

sub subscribe
{
	my ($topic, %args) = @_;
	my $session = KafkaFdwTest::session($args{node} // $node);
	my $options = join ', ', $QUICK, $args{options} // ();
	$session->query_safe("SELECT kafka.subscribe('$topic', '" . ($args{group} // $topic) . "', offsets => '" . ($args{offsets} // 'kafka')
		. "', start => 'earliest', options => '{$options}')");
	return $session;
}

# Polls into the table until a message is there; errors on the way are counted.
sub takes
{
	my ($session, $topic, $id, $seconds) = @_;
	my %errors;
	KafkaFdwTest::wait_until(
		sub {
			$session->query("INSERT INTO ${topic}_got SELECT value::int FROM kafka.poll_text(1000, '100ms')", 30);
			$errors{ $session->state }++ if $session->state ne '00000';
			return $session->query_safe("SELECT count(*) FROM ${topic}_got WHERE id = $id");
		},
		$seconds // 30, "message $id of $topic arrives");
	return \%errors;
}

# How many rows, how many different ones.
sub got
{
	my ($topic) = @_;
	return $control->query_safe("SELECT count(*), count(DISTINCT id) FROM ${topic}_got");
}

# --- the broker dies

topic("dies_$_", 2) for qw(kafka postgres);
my %dies = map { $_ => subscribe("dies_$_", offsets => $_) } qw(kafka postgres);
fill("dies_$_", 1, 50, 2), takes($dies{$_}, "dies_$_", 50) for sort keys %dies;
$dies{kafka}->query_safe("BEGIN; SAVEPOINT s");
$broker->kill;
my $died = time;
$dies{$_}->send("SELECT * FROM kafka.poll(10, '1s')") for sort keys %dies;
for my $store (sort keys %dies)
{
	$dies{$store}->result(30);
	is($dies{$store}->state, 'HV00N', "$store: no broker, the poll fails") or diag $dies{$store}->error;
	cmp_ok(time - $died, '<', 5, sprintf '%s: after %.1f s', $store, time - $died);
}
is($dies{postgres}->query_safe('SELECT count(*) FROM dies_postgres_got'), '50', 'the session works on');
$dies{kafka}->query_safe('ROLLBACK');
$broker->start;
KafkaFdwTest::wait_until(sub { $control->query("SELECT count(*) FROM kafka.watermarks('dies_kafka')") eq '2' }, 60, 'the broker is back');
for my $store (sort keys %dies)
{
	fill("dies_$store", 51, 100, 2);
	takes($dies{$store}, "dies_$store", 100);
	takes($dies{$store}, "dies_$store", 99);
	is(got("dies_$store"), '100|100', "$store: it goes on where it was");
	$dies{$store}->quit;
}

# --- nothing gets through at COMMIT

topic('hole');
my $session = subscribe('hole');
fill('hole', 1, 10);
takes($session, 'hole', 10);
fill('hole', 11, 20);
$session->query_safe("BEGIN; INSERT INTO hole_got SELECT value::int FROM kafka.poll_text(10, '10s')");
$proxy->black_hole;
my $begun = time;
$session->query('COMMIT', 30);
cmp_ok(time - $begun, '<', 4, sprintf 'COMMIT without an answer takes %.1f s', time - $begun);
is($session->state, '00000', 'it succeeds');
like($session->error, qr/^WARNING:.*messages may come again.*PostgreSQL has committed; no answer for \d+ ms/s, 'with a WARNING');
is($session->query_safe('SELECT commit_failures FROM kafka.consumers'), '1', 'which is counted');
is($session->query_safe('SELECT count(*) FROM hole_got'), '20', 'the session works on, and has its rows');
$proxy->heal;
fill('hole', 21, 30);
takes($session, 'hole', 30);
is($control->query_safe('SELECT count(DISTINCT id) FROM hole_got'), '30', 'none is missing');
KafkaFdwTest::wait_until(sub { $session->query_safe('SELECT "offset" FROM kafka.committed()') == 30 }, 10, 'the group is up to date again');
$session->quit;

# --- messages and offsets in one Kafka transaction whose outcome is unknown, or PostgreSQL fails after it

# Sends on what it polls; errors that may be are counted.
sub send_on
{
	my ($session, $topic, $last) = @_;
	my %states;
	KafkaFdwTest::wait_until(
		sub {
			$session->query("INSERT INTO ${topic}_out (id) SELECT value::int FROM kafka.poll_text(10, '500ms')", 60);
			$states{ $session->state }++;
			return $session->query('SELECT sum("offset") FROM kafka.position()') eq $last;
		},
		20, "$topic is sent on");
	return join ' ', map { "$_: $states{$_}" } sort keys %states;
}

# The network fails at another step of COMMIT each time.
for my $delay (split / /, $ENV{KAFKA_FDW_DELAYS} // '0.6 1.2')
{
	my $topic = 'unknown_' . ($delay =~ s/\W/_/r);
	topic($topic);
	KafkaFdwTest::topic($control, "${topic}_out", server => 'kafka');
	$session = subscribe($topic, offsets => 'transaction');
	$session->query_safe("SET kafka_fdw.commit_timeout = '1s'");
	fill($topic, 1, 20);
	KafkaFdwTest::wait_until(
		sub {
			$session->query_safe("INSERT INTO ${topic}_out (id) SELECT value::int FROM kafka.poll_text(5, '1s')");
			return $session->query_safe('SELECT "offset" FROM kafka.position()') eq '5';
		},
		20, 'the first five are sent on');
	$session->query_safe("BEGIN; INSERT INTO ${topic}_out (id) SELECT value::int FROM kafka.poll_text(5, '5s')");
	$proxy->latency(100);
	$session->send('COMMIT');
	KafkaFdwTest::wait_until(sub { $session->ready || time - $begun > $delay }, 10, 'COMMIT is under way') if $begun = time;
	$proxy->black_hole;
	$session->result(30);
	note "COMMIT, the network fails after $delay s: " . $session->state;
	$proxy->heal;
	note "$delay: afterwards " . send_on($session, $topic, 20);
	is_deeply([ map { /"id":\s*(\d+)/ } KafkaFdwFaults::committed($broker->bootstrap, "${topic}_out") ], [ 1 .. 20 ],
		"the network fails after $delay s of COMMIT: each message is sent on once, in order");
	$session->quit;
}

topic('skew');
KafkaFdwTest::topic($control, 'skew_out', server => 'kafka');
fill('skew', 1, 20);
$session = subscribe('skew', offsets => 'transaction', options => '"allow_table_writes": true');
KafkaFdwTest::wait_until(sub { $session->query_safe("BEGIN; SELECT kafka.poll(1, '1s'); ROLLBACK"); return $session->query_safe('SELECT count(*) FROM kafka.assignment()'); },
	20, 'a partition');
$control->query_safe('CREATE TABLE skewed (id int)');
$session->query_safe("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM skewed; INSERT INTO skewed VALUES (1);
	INSERT INTO skew_out (id) SELECT value::int FROM kafka.poll_text(10, '5s')");
$control->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM skewed; INSERT INTO skewed VALUES (2); COMMIT');
$session->query('COMMIT');
is($session->state, '40001', 'PostgreSQL fails after Kafka has committed') or diag $session->error;
like($session->error, qr/committed in Kafka already/, 'and says so');
note 'skew: afterwards ' . send_on($session, 'skew', 20);
is_deeply([ map { /"id":\s*(\d+)/ } KafkaFdwFaults::committed($broker->bootstrap, 'skew_out') ], [ 1 .. 20 ],
	'the session goes on where the group is: each message is sent on once');
$session->quit;

# --- cancel, terminate and statement_timeout in each wait

topic('waits');
my $take = "BEGIN; INSERT INTO waits_got SELECT value::int FROM kafka.poll_text(1, '10s')";
my $ready = sub { my ($session) = @_; fill('waits', 1, 1); takes($session, 'waits', 1); fill('waits', 1, 1); };
# what is waited for, is it in a group, what leads up to it, the statement, does the hole come before
my @waits = (
	[ 'poll', 1, '', "SELECT * FROM kafka.poll(10, '60s')", 0 ],
	[ 'poll in a black hole', 1, '', "SELECT * FROM kafka.poll(10, '60s')", 1 ],
	[ 'committed', 1, '', 'SELECT * FROM kafka.committed()', 1 ],
	[ 'seek', 1, '', "SELECT kafka.seek('waits', 0, 'latest')", 1 ],
	[ 'subscribe', 0, '', "SELECT kafka.subscribe('waits', 'waits_new')", 1 ],
	[ 'first join', 0, "SELECT kafka.subscribe('waits', 'waits_new')", "SELECT * FROM kafka.poll(10, '60s')", 1 ],
	[ 'COMMIT', 1, $take, 'COMMIT', 1 ]);
for my $wait (@waits)
{
	my ($what, $joined, $before, $statement, $hole) = @$wait;
	for my $how ('cancel', 'terminate', 'statement_timeout')
	{
		# guarantees.md: it does not cover the end of a transaction
		next if $how eq 'statement_timeout' && $what eq 'COMMIT';
		my $session = $joined ? subscribe('waits', group => 'waits_' . int(rand 1e9)) : KafkaFdwTest::session($node);
		$session->query_safe("SET kafka_fdw.server = 'kafka'; SET kafka_fdw.connect_timeout = '20s'; SET kafka_fdw.after_commit_timeout = '20s'");
		$ready->($session) if $joined;
		$session->query_safe($before) if $before ne '';
		$session->query_safe("SELECT count(*) FROM kafka.poll(1000, '100ms')") if $joined && $before eq '';
		$proxy->black_hole if $hole;
		$session->query_safe("SET statement_timeout = '500ms'") if $how eq 'statement_timeout';
		$session->send($statement);
		my $ms;
		if ($how eq 'statement_timeout')
		{
			$session->result(30);
			$ms = $control->query('SELECT round(1000 * extract(epoch FROM state_change - query_start)) - 500
				FROM pg_stat_activity WHERE pid = ' . $session->pid);
		}
		else
		{
			KafkaFdwTest::await_blocked($session);
			$ms = KafkaFdwTest::reaction($control, $session, $how);
			$session->result(30);
		}
		cmp_ok($ms, '<=', $how eq 'terminate' ? $EXIT_MS : $LIMIT_MS, "$what: $how ends it within $ms ms");
		if ($what eq 'COMMIT' && $how eq 'terminate')
		{
			like($session->error, qr/^WARNING:.*messages may come again/s, "$what: committed, with a WARNING");
			$session->query('SELECT 1', 10);
			like($session->error, qr/terminating connection|server closed the connection/, "$what: and terminated");
		}
		elsif ($how eq 'terminate')
		{
			like($session->error, qr/terminating connection/, "$what: terminated");
		}
		elsif ($what eq 'COMMIT')
		{
			like($session->error, qr/^WARNING:.*messages may come again.*the wait was cancelled/s, "$what: committed, with a WARNING");
		}
		else
		{
			is($session->state, '57014', "$what: $how") or diag $session->error;
			is($session->query('SHOW kafka_fdw.server'), 'kafka', "$what: the session works on") if $how eq 'cancel';
		}
		$proxy->heal if $hole;
		$session->kill;
	}
}

# --- topics that change

topic('grows');
$session = subscribe('grows');
fill('grows', 1, 10);
takes($session, 'grows', 10);
KafkaFdwTest::add_partitions($broker->bootstrap, 'grows', 3);
KafkaFdwTest::wait_until(sub { $control->query("SELECT count(*) FROM kafka.watermarks('grows')") eq '3' }, 20, 'partitions are there');
$control->query_safe("SELECT kafka.produce('grows', i::text, delivery => 'immediate', partition => i % 3) FROM generate_series(11, 40) i");
takes($session, 'grows', $_) for 38 .. 40;
is(got('grows'), '40|40', 'partitions that are added are read from their beginning');
$session->quit;

topic('removed');
fill('removed', 1, 50);
my $strict = subscribe('removed', group => 'strict');
my $lenient = subscribe('removed', group => 'lenient', options => '"on_missing": "earliest"');
for my $reader ($strict, $lenient)
{
	KafkaFdwTest::wait_until(sub { $reader->query_safe("SELECT count(*) FROM kafka.poll(10, '5s')") == 10 }, 20, 'ten are polled');
}
$lenient->query_safe('SELECT kafka.unsubscribe()');
$strict->query_safe('SELECT kafka.unsubscribe()');
KafkaFdwTest::delete_records($broker->bootstrap, 'removed', 0, 30);
$_->quit for $strict, $lenient;
$strict = subscribe('removed', group => 'strict');
$strict->query("SELECT count(*) FROM kafka.poll(100, '10s')", 30);
is($strict->state, 'HV00L', 'peer_R16: messages that were removed are an error') or diag $strict->error;
like($strict->error, qr/offset 10 of topic "removed" partition 0 is not there\nDETAIL:.*from 30 to before 50\.\nHINT:.*kafka\.seek/, 'with both offsets');
$strict->query("SELECT count(*) FROM kafka.poll(100, '10s')", 30);
is($strict->state, 'HV00L', 'each time');
$strict->query_safe("SELECT kafka.seek('removed', 0, 'earliest')");
is($strict->query_safe("SELECT count(*), min(value::int) FROM kafka.poll_text(100, '10s')"), '20|31', 'until kafka.seek');
$lenient = subscribe('removed', group => 'lenient', options => '"on_missing": "earliest"');
is($lenient->query("SELECT count(*), min(value::int) FROM kafka.poll_text(100, '10s')", 30), '20|31', 'earliest: it goes on with the first there is');
like($lenient->error, qr/^WARNING:.*offsets 10 to 29 .*were removed before they were read/, 'with a WARNING');
$_->quit for $strict, $lenient;

topic($_) for qw(deleted kept);
$session = KafkaFdwTest::session($node);
$session->query_safe("SELECT kafka.subscribe(ARRAY['deleted', 'kept'], 'deleted', start => 'earliest', options => '{$QUICK}', server => 'kafka')");
fill($_, 1, 10) for qw(deleted kept);
KafkaFdwTest::wait_until(
	sub {
		$session->query_safe("INSERT INTO kept_got SELECT value::int FROM kafka.poll_text(100, '1s')");
		return $session->query_safe('SELECT count(*) FROM kept_got') == 20;
	},
	20, 'both topics are read');
$broker->tool('org.apache.kafka.tools.TopicCommand', '--bootstrap-server', '@BROKERS@', '--delete', '--topic', 'deleted');
fill('kept', 11, 20);
my $errors = takes($session, 'kept', 20);
note 'a topic is deleted: states ' . join ' ', map { "$_: $errors->{$_}" } sort keys %$errors;
is_deeply([ grep { $_ !~ /^HV00[RL]$/ } keys %$errors ], [], 'of a topic that is deleted the poll tells, at most');
is($control->query_safe('SELECT count(*) FROM kept_got'), '30', 'the other topic is read on');
$session->quit;

# A topic of the same name is another topic: the position in the table is none of its.
topic('anew');
$session = subscribe('anew', offsets => 'postgres');
fill('anew', 1, 10);
takes($session, 'anew', 10);
$control->query_safe("SELECT kafka.delete_topic('anew')");
KafkaFdwTest::wait_until(sub { $control->query("SELECT kafka.create_topic('anew', 1)"); return $control->state eq '00000' }, 20, 'the topic is made anew');
fill('anew', 101, 105);
KafkaFdwTest::wait_until(
	sub { $session->query("SELECT * FROM kafka.poll(10, '1s')", 30); return $session->error =~ /is not there/; }, 40, 'the poll tells of it');
is($session->state, 'HV00L', 'a topic that is made anew: an error') or diag $session->error;
like($session->error, qr/offset 10 .*is not there\nDETAIL:.*from 0 to before 5\.\nHINT:.*made anew.*kafka\.seek/, 'which says what it may be');
$session->query_safe("SELECT kafka.seek('anew', 0, 'earliest')");
takes($session, 'anew', 105);
is(got('anew'), '15|15', 'kafka.seek goes on');
$session->quit;

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
$broker->_end;

# --- three nodes, one of which dies: the one that coordinates the group

my $three = KafkaFdwTest::broker(nodes => 3);
$node = KafkaFdwTest::node($three->bootstrap, name => 'three', conf => "kafka_fdw.connect_timeout = 20s\nkafka_fdw.server = 'kafka'\n");
$control = KafkaFdwTest::session($node);
$control->query_safe("SELECT kafka.create_topic('three', 6, 3); CREATE TABLE three_got (id int)");
my $first = subscribe('three', offsets => 'postgres');
my $second = subscribe('three', offsets => 'postgres');
fill('three', 1, 60, 6);
KafkaFdwTest::wait_until(
	sub {
		$_->query_safe("INSERT INTO three_got SELECT value::int FROM kafka.poll_text(100, '200ms')") for $first, $second;
		return got('three') eq '60|60' && $second->query_safe('SELECT count(*) FROM kafka.assignment()') == 3;
	},
	40, 'two members share the topic');
my ($coordinator) = $three->tool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', '--bootstrap-server', '@BROKERS@',
	'--describe', '--state', '--group', 'three') =~ /\((\d+)\)/;
note "the coordinator is node $coordinator";
$three->kill(node => $coordinator);
my ($sent, %states) = (60);
$begun = time;
KafkaFdwTest::wait_until(
	sub {
		if ($sent < 180)
		{
			my $next = $sent + 6;
			$control->query("SELECT kafka.produce('three', i::text, delivery => 'immediate', partition => i % 6) FROM generate_series($sent + 1, $next) i", 60);
			$sent = $next if $control->state eq '00000';
		}
		for my $member ($first, $second)
		{
			$member->query("INSERT INTO three_got SELECT value::int FROM kafka.poll_text(100, '200ms')", 60);
			$states{ $member->state }++;
		}
		return $sent >= 180 && $control->query_safe('SELECT count(DISTINCT id) FROM three_got') == 180;
	},
	90, 'consuming goes on');
note sprintf 'coordinator dead: %.1f s, states %s', time - $begun, join ' ', map { "$_: $states{$_}" } sort keys %states;
my ($rows, $ids) = split /\|/, got('three');
is($rows, $ids, 'with each message once');
$_->quit for $first, $second;
is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
