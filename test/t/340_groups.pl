# Groups of foreign clients, kcat and Java's console consumer: their members and partitions,
# their lag as Kafka's own tool tells it, what is refused while they have members, and how the
# group changes when they die.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use KafkaFdwTest;

my $GROUP_TOOL = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
my $CONSOLE = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
my $SECONDS = 60;

my $broker = KafkaFdwTest::broker(set => { 'group.min.session.timeout.ms' => 1000 });
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);
my $bootstrap = $broker->bootstrap;
my %running;

END
{
	my $status = $?;
	end_client($_) for keys %running;
	$? = $status;
}

# The processes of a client: the one that was started, and those that it started.
sub processes
{
	my @pids = map { $_->{PID} } @{ $_[0]{KIDS} };
	for (my $i = 0; $i < @pids; $i++)
	{
		push @pids, split ' ', `pgrep -P $pids[$i]`;
	}
	return @pids;
}

# Ends a client with a signal; by default it has no time to say good-bye.
sub end_client
{
	my ($name, $signal) = @_;
	my $client = delete $running{$name} or return;
	kill $signal // 'KILL', processes($client->{run});
	eval { $client->{run}->finish; 1 } or diag $@;
	return;
}

sub start_client
{
	my ($name, @command) = @_;
	my $client = $running{$name} = { out => '', err => '' };
	$client->{run} = IPC::Run::start(\@command, '<', \undef, '>', \$client->{out}, '2>', \$client->{err});
	return $client;
}

sub kcat
{
	my ($name, $group, @options) = @_;
	return start_client($name, 'kcat', '-b', $bootstrap, '-q', '-X', "client.id=$name", '-X', 'session.timeout.ms=1500',
		'-X', 'heartbeat.interval.ms=300', '-X', 'auto.commit.interval.ms=100', '-X', 'auto.offset.reset=earliest', @options, '-G', $group, 'foreign');
}

sub console
{
	my ($name, $group, @options) = @_;
	return start_client($name, 'test/broker/kafka', 'tool', '--dir', $broker->{dir}, '--', $CONSOLE, '--bootstrap-server', $bootstrap,
		'--topic', 'foreign', '--group', $group, map { ('--command-property', $_) } "client.id=$name", @options);
}

# Waits until a query has that answer.
sub await
{
	my ($sql, $expected, $what) = @_;
	my $last = '';
	eval {
		KafkaFdwTest::wait_until(sub { $last = $session->query($sql, 30); return $session->error eq '' && $last eq $expected; },
			$SECONDS, $what);
		1;
	} or diag "$@ last: $last " . $session->error . join "\n", map { "$_: $running{$_}{err}" } keys %running;
	is($last, $expected, $what);
	return;
}

# Fails with that state.
sub refused
{
	my ($sql, $state, $pattern, $what) = @_;
	$session->query($sql, 30);
	is($session->state, $state, "$what: refused");
	like($session->error, $pattern, "$what: and why");
	return;
}

# What Kafka's tool says of a group: topic, partition, committed, end, lag, member, client; sorted.
sub tool_rows
{
	my ($group) = @_;
	my @rows;
	for (split /\n/, $broker->tool($GROUP_TOOL, '--bootstrap-server', $bootstrap, '--describe', '--group', $group))
	{
		my ($name, $topic, $partition, $committed, $end, $lag, $member, $host, $client) = split ' ';
		push @rows, join '|', $topic, $partition, $committed, $end, $lag, $member, $client
			if defined $client && $name eq $group;
	}
	return join "\n", sort @rows;
}

sub our_rows
{
	my ($group) = @_;
	my $rows = $session->query_safe("SELECT concat_ws('|', topic, partition, coalesce(committed::text, '-'), end_offset,
		coalesce(lag::text, '-'), coalesce(member_id, '-'), coalesce(client_id, '-')) FROM kafka.consumer_lag('$group') WHERE error IS NULL");
	return join "\n", sort split /\n/, $rows;
}

$session->query_safe("SELECT kafka.create_topic('foreign', 4)");
$session->query_safe("SELECT kafka.produce('foreign', i::text, partition => i % 4, delivery => 'immediate') FROM generate_series(1, 40) i");

# --- two clients of different make in one group

kcat('kcat-one', 'mixed');
await("SELECT state || ' ' || count(member_id) FROM kafka.describe_group('mixed') GROUP BY state", 'Stable 1', 'kcat is a member');
console('console-two', 'mixed', 'auto.commit.interval.ms=100', 'auto.offset.reset=earliest', 'session.timeout.ms=30000');
await("SELECT state || ' ' || count(member_id) FROM kafka.describe_group('mixed') GROUP BY state", 'Stable 2', 'the console consumer joins');
my $partitions = "SELECT string_agg(client_id || ' ' || (SELECT count(*) FROM unnest(assignment)), ', ' ORDER BY client_id) FROM kafka.describe_group('mixed')";
await($partitions, 'console-two 2, kcat-one 2', 'each has two partitions');
is( $session->query_safe("SELECT string_agg(a.topic || a.partition, ' ' ORDER BY a.partition), bool_and(a.\"offset\" IS NULL AND a.metadata IS NULL)
	FROM kafka.describe_group('mixed') AS m, unnest(m.assignment) AS a"),
	'foreign0 foreign1 foreign2 foreign3|t', 'together all of them, each once');
is( $session->query_safe("SELECT DISTINCT protocol, simple, host ~ '127.0.0.1', coordinator_id, coordinator_host || ':' || coordinator_port,
	member_id LIKE client_id || '-%', group_instance_id IS NULL FROM kafka.describe_group('mixed')"),
	"range|f|t|1|$bootstrap|t|t", 'what else is known of the members');
is($session->query_safe("SELECT state, protocol_type, simple FROM kafka.list_groups('Stable') WHERE group_id = 'mixed'"),
	'Stable|consumer|f', 'the group is listed');

# --- lag, as the tool has it

my $lag = "SELECT coalesce(sum(committed), 0) || ' ' || coalesce(sum(lag), 0) || ' ' || count(member_id) FROM kafka.consumer_lag('mixed')";
await($lag, '40 0 4', 'everything is read and committed');
is(our_rows('mixed'), tool_rows('mixed'), 'no lag, as the tool has it');
kill 'STOP', processes($running{'console-two'}{run});
$session->query_safe("SELECT kafka.produce('foreign', i::text, partition => i % 4, delivery => 'immediate') FROM generate_series(1, 20) i");
await($lag, '50 10 4', 'one of two stands still: its part is the lag');
my $ours = our_rows('mixed');
is($ours, tool_rows('mixed'), 'a lag, as the tool has it');
is(scalar(() = $ours =~ /\|5\|console-two/g), 2, 'and it is that of the one that stands still') or diag $ours;
is( $session->query_safe("SELECT sum(lag) FROM kafka.group_lag WHERE group_id = 'mixed' AND client_id = 'console-two'"),
	'10', 'the view of all groups has it, too');

# --- what is refused while there are members

my $in_use = qr/consumer group "mixed" has active members.*HINT:  Stop its consumers first/s;
refused("SELECT kafka.alter_group_offsets('mixed', 'foreign', target => 'earliest')", '55006', $in_use, 'altering offsets');
refused("SELECT kafka.alter_group_offsets('mixed', 'foreign', 0, shift => 1, dry_run => true)", '55006', $in_use, 'a dry run');
refused("SELECT kafka.delete_group('mixed')", '55006', $in_use, 'deleting the group');
is( $session->query_safe("SELECT group_id, deleted, error ~ 'not empty' FROM kafka.delete_group(ARRAY['mixed', 'none'], if_exists => true)"),
	"mixed|f|t\nnone|f|f", 'deleting it with others: in its row');
is( $session->query_safe("SELECT string_agg(DISTINCT error, '') ~ 'subscribed', count(*) FROM kafka.delete_group_offsets('mixed', 'foreign')"),
	't|4', 'deleting offsets of a topic that is subscribed: in each row');
is($session->query_safe("SELECT sum(\"offset\") FROM kafka.group_offsets('mixed')"), '50', 'nothing has changed');

# --- they die

kill 'CONT', processes($running{'console-two'}{run});
end_client('kcat-one');
await($partitions, 'console-two 4', 'kcat is killed: the other one has all partitions');
await($lag, '60 0 4', 'and reads them');
end_client('console-two', 'TERM');
await("SELECT state || ' ' || count(*) || ' ' || count(member_id) FROM kafka.describe_group('mixed') GROUP BY state", 'Empty 1 0',
	'a group without members has one row');
is(our_rows('mixed'), tool_rows('mixed'), 'the lag of a group without members, as the tool has it');
is( $session->query_safe("SELECT sum(new_offset), count(error) FROM kafka.alter_group_offsets('mixed', 'foreign', shift => -3)"),
	'48|0', 'now offsets can be altered');
is(our_rows('mixed'), tool_rows('mixed'), 'and the tool sees them');
$broker->tool($GROUP_TOOL, '--bootstrap-server', $bootstrap, '--group', 'mixed', '--topic', 'foreign:1', '--reset-offsets', '--to-offset', '1000', '--execute');
is( $session->query_safe("SELECT string_agg(\"offset\"::text, ' ' ORDER BY partition) FROM kafka.group_offsets('mixed')"),
	'12 15 12 12', 'the tool, too, takes the end for what is beyond it');

# --- partitions that are assigned and have no offset

kcat('kcat-three', 'silent', '-X', 'enable.auto.commit=false');
await("SELECT count(*) || ' ' || count(committed) || ' ' || count(lag) || ' ' || count(end_offset) || ' ' || count(member_id)
	FROM kafka.consumer_lag('silent')", '4 0 0 4 4', 'assigned without an offset: no lag');
is(our_rows('silent'), tool_rows('silent'), 'as the tool has it');
end_client('kcat-three');

# --- a static member

kcat('kcat-four', 'static', '-X', 'group.instance.id=machine-7');
await("SELECT string_agg(group_instance_id, ' ') FROM kafka.describe_group('static')", 'machine-7', 'a static member');
end_client('kcat-four');

# --- the newer protocol, which a librdkafka before 2.10 cannot describe: it is told, not hidden

console('console-five', 'newer', 'group.protocol=consumer', 'auto.commit.interval.ms=100', 'auto.offset.reset=earliest');
await("SELECT sum(committed), sum(lag) FROM kafka.consumer_lag('newer')", '60|0', 'lag of a group of the newer protocol');
$session->query("SELECT count(member_id) FROM kafka.describe_group('newer')");
if ($session->state eq '0A000')
{
	like($session->error, qr/could not describe consumer group "newer".*cannot describe/s, 'its description is refused');
	is($session->query_safe("SELECT count(*), string_agg(error, ' ') ~ 'cannot describe' FROM kafka.consumer_lag('newer') WHERE topic IS NULL"),
		'1|t', 'and a row of its lag says that members are not known');
	is($session->query_safe("SELECT count(*), count(error) FROM kafka.group_lag WHERE group_id = 'newer'"), '5|1', 'in the view of all groups, too');
}
else
{
	is($session->query_safe("SELECT count(member_id) FROM kafka.describe_group('newer')"), '1', 'it is described');
}
refused("SELECT kafka.delete_group('newer')", '55006', qr/active members/, 'deleting it');
end_client('console-five');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
