# peer_R9: threads and descriptors of a backend stay flat over failing statements of every
# kind. peer_W8, peer_R11: clients are kept, so they stay flat over succeeding ones too.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

# So much may come and go: a helper thread, a connection that is being made anew.
my $SLACK = 3;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);
$session->query_safe("CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1')");
$session->query_safe("CREATE FOREIGN TABLE nobody (id int) SERVER nobody OPTIONS (topic 'nobody', format 'json')");
$session->query_safe("CREATE FOREIGN TABLE missing (id int) SERVER kafka OPTIONS (topic 'flat_missing', format 'json')");
KafkaFdwTest::topic($session, 'flat', partitions => 2);
KafkaFdwTest::topic($session, 'flat_immediate', options => "delivery 'immediate'");
KafkaFdwTest::topic($session, 'flat_bad');
$session->query_safe("INSERT INTO flat_immediate (id, pad) SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i");
$session->query_safe("SELECT kafka.produce('flat_bad', 'no json at all', delivery => 'immediate', server => 'kafka')");

# Runs STATEMENT 50 times, each ending in STATE; resources after 10 and after 50.
sub flat
{
	my ($what, $state, $statement, $settings, $on) = @_;
	$on //= KafkaFdwTest::session($node);
	$on->query_safe($settings) if $settings;
	my $pid = $on->pid;
	my (%states, @threads, @descriptors);
	my $begun = time;
	for my $n (1 .. 50)
	{
		$on->query(ref $statement ? $statement->($n) : $statement);
		$states{ $on->state }++;
		$on->query('ROLLBACK') if $on->state ne '00000';
		next unless $n == 10 || $n == 50;
		push @threads, KafkaFdwTest::threads_of($pid);
		push @descriptors, KafkaFdwTest::descriptors_of($pid);
	}
	my $ms = 10 * (time - $begun);
	is_deeply(\%states, { $state => 50 }, "$what: all 50 end in $state") or diag $on->error;
	cmp_ok($threads[1], '<=', $threads[0] + $SLACK, "$what: threads, $threads[0] after 10 and $threads[1] after 50");
	cmp_ok($descriptors[1], '<=', $descriptors[0] + $SLACK,
		"$what: descriptors, $descriptors[0] after 10 and $descriptors[1] after 50");
	note sprintf 'resources: %s: threads %d, %d; descriptors %d, %d; %.0f ms a round', $what, @threads, @descriptors, $ms;
	return $on;
}

# --- failing

my $short = "SET kafka_fdw.connect_timeout = '100ms'; SET kafka_fdw.commit_timeout = '100ms'";
flat('no broker, SELECT', 'HV00N', 'SELECT * FROM nobody', $short);
flat('no broker, produce', 'HV00N', "SELECT kafka.produce('nobody', 'v', server => 'nobody')", $short);
flat('missing topic, SELECT', 'HV00R', 'SELECT * FROM missing');
flat('missing topic, INSERT', 'HV00R', 'INSERT INTO missing VALUES (1)');
flat('undecodable message', '22P02', 'SELECT * FROM flat_bad');
flat('error in mid-scan', '22012', 'SELECT 1 / (id - 100) FROM flat_immediate');
flat('error in mid-INSERT', '22012', 'INSERT INTO flat_immediate (id) SELECT 1 / (i - 100) FROM generate_series(1, 200) i');
flat('error before COMMIT', '22012', 'BEGIN; INSERT INTO flat (id) VALUES (1); SELECT 1 / 0');
flat('cancelled in mid-scan', '57014', 'SELECT count(*) FROM flat_immediate a, flat_immediate b', "SET statement_timeout = '30ms'");

# A wait that was cancelled leaves nothing behind that goes on waiting.
my $waiting = KafkaFdwTest::session($node);
$waiting->query_safe('SELECT count(*) FROM flat');
$broker->pause;
flat('cancelled, paused broker', '57014', 'SELECT * FROM flat', "SET statement_timeout = '30ms'", $waiting);
flat('cancelled, paused broker, create_topic', '57014', "SELECT kafka.create_topic('flat_new', server => 'kafka')",
	"SET statement_timeout = '30ms'");
$broker->resume;
$waiting->query_safe("SET statement_timeout = 0");
is($waiting->query('SELECT count(*) FROM flat_immediate'), '50000', 'the session reads when the broker is back');

# --- succeeding

my $good = KafkaFdwTest::session($node);
flat('SELECT', '00000', 'SELECT count(*) FROM flat', '', $good);
flat('INSERT before_commit', '00000', 'INSERT INTO flat (id) VALUES (1)', '', $good);
flat('INSERT immediate', '00000', 'INSERT INTO flat_immediate (id) VALUES (1)', '', $good);
flat('all of them', '00000', 'SELECT count(*) FROM flat; INSERT INTO flat (id) VALUES (1);
	INSERT INTO flat_immediate (id) VALUES (1); SELECT * FROM kafka.list_topics()', "SET kafka_fdw.server = 'kafka'", $good);
is($good->query('SELECT count(*) FROM flat'), '100', 'with what they were to do');
flat('cursors left open', '00000', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM flat_immediate; FETCH 1 FROM c; ROLLBACK', '', $good);

# A changed server makes new clients, and the old ones go.
flat('changed server', '00000', sub { "ALTER SERVER kafka OPTIONS ("
		. ($_[0] > 1 ? 'SET' : 'ADD') . " client_id 'round $_[0]'); SELECT count(*) FROM flat; INSERT INTO flat (id) VALUES (1)" },
	'', $good);
flat('changed settings', '00000', sub { "SET kafka_fdw.commit_timeout = '" . (20 + $_[0] % 20) . "s'; INSERT INTO flat_immediate (id) VALUES (1)" },
	'', $good);

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
