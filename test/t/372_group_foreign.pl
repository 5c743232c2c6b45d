# kcat and Java's console consumer in the same group as a session: partitions are shared, each
# message is read, offsets that one has committed are where the other goes on, and Java's
# group tool shows our members.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $brokers = $broker->bootstrap;
my $node = KafkaFdwTest::node($brokers);
my $session = KafkaFdwTest::session($node);
$session->query_safe("SELECT kafka.create_topic('shared', 4); CREATE TABLE got (id int)");
my $sent = 0;

sub produce
{
	my ($n) = @_;
	$session->query_safe("SELECT kafka.produce('shared', i::text, delivery => 'immediate', partition => i % 4)
		FROM generate_series($sent + 1, $sent + $n) i");
	$sent += $n;
	return;
}

sub subscribe
{
	$session->query_safe("SELECT kafka.subscribe('shared', 'mixed', start => 'earliest',
		options => '{\"heartbeat.interval.ms\": 300, \"session.timeout.ms\": 10000, \"client.id\": \"ours\"}')");
	return;
}

sub take
{
	return $session->query_safe("INSERT INTO got SELECT value::int FROM kafka.poll_text(1000, '100ms')");
}

sub assigned { return $session->query_safe('SELECT count(*) FROM kafka.assignment()'); }

# A foreign consumer; values that it prints, one a line.
sub start
{
	my (@command) = @_;
	my $self = { out => '', err => '' };
	$self->{run} = IPC::Run::start(\@command, '<', \undef, '>', \$self->{out}, '2>', \$self->{err});
	return $self;
}

sub values_of
{
	my ($foreign) = @_;
	$foreign->{run}->pump_nb if $foreign->{run}->pumpable;
	return $foreign->{out} =~ /^(\d+)$/mg;
}

# All values that somebody has read, each once in the list.
sub seen
{
	my (@foreign) = @_;
	my %seen = map { $_ => 1 } split(/\n/, $session->query_safe('SELECT id FROM got')), map { values_of($_) } @foreign;
	return scalar keys %seen;
}

sub await_all
{
	my ($what, @foreign) = @_;
	KafkaFdwTest::wait_until(sub { take(); return seen(@foreign) == $sent; }, 40, "$what: all are read");
	is(seen(@foreign), $sent, "$what: each message is read by somebody");
	return;
}

# Offsets of the group as Java's tool tells them: partition => [current, end].
sub offsets
{
	return map { /^mixed\s+shared\s+(\d+)\s+(\S+)\s+(\d+)/ ? ($1 => [ $2, $3 ]) : () } split /\n/,
		$broker->tool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', '--bootstrap-server', '@BROKERS@',
			'--describe', '--group', 'mixed', @_);
}

my @KCAT = ('kcat', '-q', '-u', '-b', $brokers, '-X', 'auto.offset.reset=earliest', '-X', 'heartbeat.interval.ms=300',
	'-X', 'session.timeout.ms=10000', '-f', '%s\n');

subscribe();
produce(100);
await_all('alone');
my $kcat = start(@KCAT, '-G', 'mixed', 'shared');
KafkaFdwTest::wait_until(sub { take(); values_of($kcat); return assigned() == 2; }, 30, 'kcat has joined');
produce(100);
await_all('with kcat', $kcat);
cmp_ok(scalar(() = values_of($kcat)), '>=', 50, 'kcat has its share');

my $java = start($broker->tool_command('org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', '@BROKERS@',
	'--topic', 'shared', '--group', 'mixed', '--consumer-property', 'auto.offset.reset=earliest'));
KafkaFdwTest::wait_until(
	sub {
		take();
		produce(4);
		return values_of($java) && assigned() >= 1 && assigned() <= 2;
	},
	60, "Java's consumer has joined");
my $members = '';
KafkaFdwTest::wait_until(
	sub {
		take();
		$session->send("INSERT INTO got SELECT value::int FROM kafka.poll_text(1000000, '4s')");
		$members = $broker->tool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', '--bootstrap-server', '@BROKERS@',
			'--describe', '--members', '--group', 'mixed');
		$session->result(30);
		return (() = $members =~ /^mixed\s/mg) == 3;
	},
	30, 'the group has three members');
like($members, qr/^mixed\s+ours-\S+\s+\S+\s+ours\s+[12]\b/m, "Java's tool shows ours, with its client.id and partitions") or diag $members;
produce(100);
await_all("with kcat and Java's consumer", $kcat, $java);
my $in_three = join ' ', map { scalar(() = values_of($_)) } $kcat, $java;
note "kcat and Java's consumer have read $in_three of $sent";

# They go, and the session has all of them again.
$_->{run}->signal('TERM') for $kcat, $java;
KafkaFdwTest::wait_until(sub { take(); values_of($_) for $kcat, $java; return assigned() == 4; }, 40, 'the session has all partitions again');
produce(100);
await_all('alone again', $kcat, $java);
my %offsets = offsets();
is_deeply([ map { $offsets{$_}[0] } 0 .. 3 ], [ map { $offsets{$_}[1] } 0 .. 3 ], "Java's tool: the group has read all that there is");
$_->{run}->kill_kill(grace => 0) for $kcat, $java;

# --- offsets of one are those of the other

$session->query_safe('SELECT kafka.close_consumer()');
produce(20);
my ($out, $error) = ('', '');
# it ends with the 8th message and commits
IPC::Run::run([ @KCAT, '-c', '8', '-G', 'mixed', 'shared' ], '<', \undef, '>', \$out, '2>', \$error, IPC::Run::timeout(40));
my %by_kcat = map { $_ => 1 } $out =~ /^(\d+)$/mg;
is(scalar keys %by_kcat, 8, 'kcat reads 8 messages') or diag $error;
is((grep { $_ <= $sent - 20 } keys %by_kcat), 0, 'of those that the session has not read');
subscribe();
$session->query_safe('TRUNCATE got');
KafkaFdwTest::wait_until(sub { take(); return $session->query_safe('SELECT count(*) FROM got') >= 12; }, 30, 'the session reads the rest');
is($session->query_safe('SELECT count(*), count(DISTINCT id), min(id) > ' . ($sent - 20) . ' FROM got'), '12|12|t', 'the session reads what kcat has left');
is($session->query_safe('SELECT count(*) FROM got WHERE id = ANY (ARRAY[' . join(',', keys %by_kcat) . '])'), '0', 'and nothing else');
$session->query_safe('SELECT kafka.close_consumer()');
$broker->tool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', '--bootstrap-server', '@BROKERS@', '--group', 'mixed',
	'--topic', 'shared:2', '--reset-offsets', '--to-offset', '5', '--execute');
subscribe();
KafkaFdwTest::wait_until(sub { $session->query_safe("SELECT count(*) FROM kafka.poll(1, '1s')"); return assigned() == 4; }, 20, 'four partitions');
is($session->query_safe('SELECT "offset" <= 6 FROM kafka.position() WHERE partition = 2'), 't', "Java's tool has set an offset, from which the session reads");

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
