# The test stand itself: brokers can be started, killed, paused and restarted, one of
# them and three, and the mock answers too. Needs no extension, so that a failure
# elsewhere can be told from a failure of the stand.
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use KafkaFdwTest;

# Asks a broker for the versions of its API; true if it answers within SECONDS.
sub answers
{
	my ($bootstrap, $seconds) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => (split /,/, $bootstrap)[0], Timeout => $seconds) or return 0;
	print {$socket} pack 'N n n N n', 10, 18, 0, 1, 0xffff;
	$socket->flush;
	my $ready = '';
	vec($ready, fileno $socket, 1) = 1;
	return select($ready, undef, undef, $seconds) && sysread($socket, my $answer, 8) == 8;
}

my $broker = KafkaFdwTest::broker(set => { 'num.partitions' => 3 });
my $bootstrap = $broker->bootstrap;
like($bootstrap, qr/^127\.0\.0\.1:\d+$/, 'one broker, one address');
ok(answers($bootstrap, 10), 'it answers');
like($broker->log, qr/num\.partitions = 3/, 'a property was set');

$broker->pause;
like($broker->status, qr/^node 1: \S+ paused/, 'paused');
ok(!answers($bootstrap, 0.3), 'a paused broker takes connections but does not answer');
$broker->resume;
ok(answers($bootstrap, 10), 'it answers again');

$broker->kill;
like($broker->status, qr/^node 1: \S+ stopped/, 'killed');
ok(!answers($bootstrap, 1), 'nobody answers');
$broker->start;
is($broker->bootstrap, $bootstrap, 'the address stays over a kill');
ok(answers($bootstrap, 10), 'it answers after a kill');
$broker->restart;
is($broker->bootstrap, $bootstrap, 'the address stays over a restart');
ok(answers($bootstrap, 10), 'it answers after a restart');
$broker->kill;

my $three = KafkaFdwTest::broker(nodes => 3);
is(scalar(() = $three->bootstrap =~ /127\.0\.0\.1:\d+/g), 3, 'three brokers, three addresses');
is(scalar(() = $three->status =~ / running /g), 3, 'three are running');
$three->kill(node => 2);
like($three->status, qr/^node 2: \S+ stopped/m, 'one of three killed');
is(scalar(() = $three->status =~ / running /g), 2, 'the others run on');
$three->start(node => 2);
is(scalar(() = $three->status =~ / running /g), 3, 'and it comes back');
$three->kill;

my $mock = KafkaFdwTest::mock_broker(topic => 'slow:2', fill => 1000, rtt => 300);
ok(answers($mock->bootstrap, 10), 'the mock answers');
cmp_ok(KafkaFdwTest::threads_of($$), '==', 1, 'threads are counted');
cmp_ok(KafkaFdwTest::descriptors_of($$), '>', 2, 'descriptors are counted');
$mock->stop;

ok(!eval { KafkaFdwTest::wait_until(sub { 0 }, 0.1, 'nothing'); 1 }, 'a wait ends at its deadline');
like($@, qr/^nothing: not within 0\.1 s/, 'and says what was waited for');

done_testing();
