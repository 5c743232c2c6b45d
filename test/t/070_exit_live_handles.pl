# Sessions that have read and written end promptly, by themselves or terminated, in and out of
# a transaction, with a broker that answers and with one that stands still; the server goes on.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $LIMIT = 2;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap);
my $control = KafkaFdwTest::session($node);
KafkaFdwTest::topic($control, 'leave');
KafkaFdwTest::topic($control, 'leave_immediate', options => "delivery 'immediate'");
$control->query_safe('INSERT INTO leave_immediate (id) SELECT generate_series(1, 1000)');

# What a session leaves unfinished, besides the handles of all kinds.
my @unfinished = (
	'',
	'BEGIN; INSERT INTO leave (id) VALUES (2)',
	'BEGIN; DECLARE c CURSOR FOR SELECT id FROM leave_immediate; FETCH 1 FROM c',
	'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM leave_immediate; SELECT 1 / 0',
	'BEGIN; SAVEPOINT s; INSERT INTO leave_immediate (id) VALUES (2)');

sub live_session
{
	my ($number) = @_;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe('INSERT INTO leave (id) VALUES (1)', 60);
	$session->query_safe('INSERT INTO leave_immediate (id) VALUES (1)', 60);
	$session->query_safe('SELECT count(*) FROM leave', 60);
	$session->query($unfinished[ $number % @unfinished ], 60);
	return $session;
}

sub gone_after
{
	my ($session, $how) = @_;
	my $pid = $session->pid;
	my $begun = time;
	if ($how eq 'quit')
	{
		$session->quit;
	}
	else
	{
		$control->query_safe("SELECT pg_terminate_backend($pid)");
	}
	KafkaFdwTest::wait_until(sub { !-e "/proc/$pid" }, 30, "backend $pid is gone");
	my $took = time - $begun;
	$session->kill;
	return $took;
}

my %slowest;
for my $case ([ running => 30 ], [ paused => 20 ])
{
	my ($condition, $count) = @$case;
	while ($count > 0)
	{
		my @sessions = map { live_session($_) } 1 .. 10;
		$broker->pause if $condition eq 'paused';
		for my $number (1 .. @sessions)
		{
			my $how = $number % 2 ? 'quit' : 'terminate';
			my $took = gone_after($sessions[ $number - 1 ], $how);
			$slowest{"$condition, $how"} = $took if $took > ($slowest{"$condition, $how"} // 0);
		}
		$broker->resume if $condition eq 'paused';
		$count -= @sessions;
	}
}
for my $what (sort keys %slowest)
{
	cmp_ok($slowest{$what}, '<', $LIMIT, sprintf '%s: the slowest end took %.3f s', $what, $slowest{$what});
}
is(scalar keys %slowest, 4, 'all four ways were tried');

# A session whose statement was cancelled while a request was out.
my $session = live_session(0);
$broker->pause;
$session->query_safe("SET statement_timeout = '200ms'");
$session->query('SELECT * FROM kafka.list_topics()', 30);
is($session->state, '57014', 'a request is cancelled');
my $took = gone_after($session, 'quit');
cmp_ok($took, '<', $LIMIT, sprintf 'the session ends in %.3f s all the same', $took);

# All at once, by a fast shutdown of the server with a broker that stands still.
$broker->resume;
my @sessions = map { live_session($_) } 1 .. 10;
$broker->pause;
my $begun = time;
$node->stop('fast');
cmp_ok(time - $begun, '<', 2 * $LIMIT, sprintf 'a fast shutdown with ten sessions took %.3f s', time - $begun);
$broker->resume;
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->start;

# What was left unfinished is not in the topic.
$control = KafkaFdwTest::session($node);
is($control->query('SELECT count(*) FROM leave WHERE id = 2'), '0', 'pending messages went with their transactions');
$node->stop;
done_testing();
