# peer_S4: no signal can be delivered to a thread of librdkafka's, all have them blocked; and
# none of them ever runs in the postmaster or in an auxiliary process.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

# Bits of SigBlk, from 0: SIGKILL (9) and SIGSTOP (19) cannot be blocked, 32 and 33 belong
# to the C library.
my @blockable = grep { $_ != 9 && $_ != 19 && $_ != 32 && $_ != 33 } 1 .. 64;

# Signals that a thread can be interrupted by; undef if it is gone.
sub open_signals
{
	my ($file) = @_;
	open my $fh, '<', "$file/status" or return;
	my %field = map { /^(\w+):\s*(\S+)/ } <$fh>;
	close $fh;
	# what the kernel shows of a thread that has just ended is empty
	my $mask = $field{SigBlk};
	return if !defined $mask || !$field{Threads};
	my $bits = unpack 'b64', reverse pack 'H16', $mask;
	return [ grep { !substr $bits, $_ - 1, 1 } @blockable ];
}

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS});
# Preloaded; by its path where the extension is staged in a way that does not cover this.
my $library = 'kafka_fdw';
if (my $file = $ENV{KAFKA_FDW_CONF})
{
	my ($destination) = PostgreSQL::Test::Utils::slurp_file($file) =~ /^extension_destdir = '(.*)'/m;
	$library = $destination . $node->config_data('--pkglibdir') . '/kafka_fdw' if defined $destination;
}
$node->append_conf('postgresql.conf', "shared_preload_libraries = '$library'\n");
$node->restart;
my $session = KafkaFdwTest::session($node);
my $pid = $session->pid;
is(KafkaFdwTest::threads_of($pid), 1, 'a session that has not met Kafka has one thread');
isnt(scalar @{ open_signals("/proc/$pid/task/$pid") }, 0, 'which takes signals');

# All kinds of handles; sampled while the helper threads and connections of each come and go.
KafkaFdwTest::topic($session, 'threads', partitions => 2);
KafkaFdwTest::topic($session, 'threads_immediate', options => "delivery 'immediate'");
my (%seen, %bad);
for my $statement (
	'INSERT INTO threads (id) SELECT generate_series(1, 1000)',
	"INSERT INTO threads_immediate (id, pad) SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i",
	'SELECT count(*) FROM threads',
	'SELECT count(pad) FROM threads_immediate',
	(q{DO $$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM kafka.watermarks('threads'); END LOOP; END $$}) x 2,
	'SELECT * FROM kafka.check()')
{
	$session->send($statement);
	until ($session->ready)
	{
		for my $task (glob "/proc/$pid/task/*")
		{
			next if $task eq "/proc/$pid/task/$pid";
			my $open = open_signals($task) // next;
			$seen{$task} = 1;
			$bad{$task} = "$statement: @$open" if @$open;
		}
	}
	$session->result(30);
	is($session->error, '', $statement);
}
cmp_ok(scalar keys %seen, '>', 8, 'threads of Kafka clients were seen: ' . keys %seen);
is_deeply(\%bad, {}, 'all of them have all signals blocked');
note 'threads: ', KafkaFdwTest::threads_of($pid), ' with all kinds of handles, ', scalar(keys %seen), ' seen in all';

# The main thread's own mask is as it was.
my $other = KafkaFdwTest::session($node);
is_deeply(open_signals("/proc/$pid/task/$pid"), open_signals('/proc/' . $other->pid . '/task/' . $other->pid),
	'the backend itself has the signals that any backend has');
$other->query_safe("SELECT pg_cancel_backend($pid)");
is($session->query('SELECT count(*) FROM threads'), '1000', 'a cancel of an idle session harms nothing');
$session->send('SELECT pg_sleep(600)');
KafkaFdwTest::await_blocked($session);
$other->query_safe("SELECT pg_cancel_backend($pid)");
$session->result(10);
is($session->state, '57014', 'and signals reach the backend with all its threads');

# Not in the postmaster, although the library is preloaded there.
open my $fh, '<', $node->data_dir . '/postmaster.pid' or die "postmaster.pid: $!";
chomp(my $postmaster = <$fh>);
close $fh;
is(KafkaFdwTest::threads_of($postmaster), 1, 'the postmaster has one thread');
my @auxiliary = split /\n/, $other->query("SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'");
cmp_ok(scalar @auxiliary, '>', 3, 'there are auxiliary processes');
is_deeply([ grep { KafkaFdwTest::threads_of($_) != 1 } @auxiliary ], [], 'each of them has one thread');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
