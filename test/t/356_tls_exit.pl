# Backends that end while librdkafka's threads talk TLS: OpenSSL clears away what it has when a
# process exits, and threads that still use it would crash, which takes all sessions along.
# Here backends of live SASL_SSL handles end by themselves and by pg_terminate_backend, at rest
# and in the midst of requests, on networks that keep the threads busy.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwFaults;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1, proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'tls'");
my $control = KafkaFdwTest::session($node);
KafkaFdwTest::topic($control, 'leave');
KafkaFdwSecured::allow($broker, 'alice', 'topic leave*' => 'read write', 'transactional_id kafka_fdw.*' => 'write');
KafkaFdwSecured::server($control, $broker, 'tls', listener => 'PROXIED', options => { reconnect_backoff_ms => 1, reconnect_backoff_max_ms => 1 }, mapping => { KafkaFdwSecured::password('alice') });
KafkaFdwSecured::tables($control, 'tls', 'leave');
my $postmaster = $control->query_safe("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");

# A session whose handles of all kinds are connected.
sub live_session
{
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("INSERT INTO tls_$_ VALUES (1)", 60) for @KafkaFdwSecured::MODES;
	$session->query_safe('SELECT count(*) FROM tls_immediate', 60);
	return $session;
}

sub end_all
{
	my ($how, $what, @sessions) = @_;
	my $slowest = 0;
	for my $session (@sessions)
	{
		my $pid = $session->pid;
		my $begun = time;
		if ($how eq 'quit') { $session->quit }
		else { $control->query_safe("SELECT pg_terminate_backend($pid)") }
		KafkaFdwTest::wait_until(sub { !-e "/proc/$pid" }, 30, "backend $pid is gone");
		$slowest = time - $begun if time - $begun > $slowest;
		$session->kill;
	}
	cmp_ok($slowest, '<', 2, sprintf '%s, %s: the slowest of %d took %.2f s', $what, $how, scalar @sessions, $slowest);
	is(KafkaFdwTest::crashes($node), '', "$what, $how: no crash");
	return;
}

end_all('quit', 'at rest', map { live_session() } 1 .. 5);
end_all('terminate', 'at rest', map { live_session() } 1 .. 5);

# Requests under way, on a network that is as it says; new sessions connect all the time.
my %network = (
	'black hole' => sub { $proxy->black_hole },
	'connections end in the handshake' => sub { $proxy->limit(300) },
	'connections end after the handshake' => sub { $proxy->limit(2500) },
	'resets' => sub { $proxy->reset });
my @statements = ('SELECT count(*) FROM tls_immediate', 'INSERT INTO tls_before_commit VALUES (1)', 'SELECT * FROM kafka.list_topics()');
for my $what (sort keys %network)
{
	my @live = map { live_session() } 1 .. 3;
	my @new = map { KafkaFdwTest::session($node) } 1 .. 3;
	$network{$what}->();
	my $number = 0;
	$_->send($statements[ $number++ % @statements ]) for @live, @new;
	KafkaFdwTest::await_blocked($new[-1]) unless $new[-1]->ready;
	end_all('terminate', $what, @live, @new);
	my @left = map { KafkaFdwTest::session($node) } 1 .. 3;
	for my $session (@left)
	{
		$session->query_safe("SET statement_timeout = '150ms'");
		$session->send('SELECT count(*) FROM tls_immediate');
	}
	$_->result(30) for @left;
	end_all('quit', "$what, cancelled", @left);
	$proxy->heal;
}

is($control->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"), $postmaster, 'the server has gone on');
my $last = live_session();
is($last->query('SELECT count(*) > 0 FROM tls_immediate'), 't', 'and works');
my @cores = glob $node->data_dir . '/core*';
is(scalar @cores, 0, 'no core');
done_testing;
