# A backend is killed with SIGKILL, at a random moment, 20 times: PostgreSQL restarts all of
# itself, and what Kafka's readers see is what the delivery mode promises. A transaction
# that was under way may be in Kafka only (before_commit) or in PostgreSQL only
# (after_commit); no part of one is visible, and nothing is there twice.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $KILLS = 20;
my $SESSIONS = 3;

# Many messages and a slow network, so that a kill finds a part of a transaction sent.
$KafkaFdwFaults::EACH = 200;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
# Transactions that nobody takes over end soon.
my $node = KafkaFdwFaults::node($broker, conf => "restart_after_crash = on\nkafka_fdw.commit_timeout = 4s\n");
my $control = KafkaFdwTest::session($node);
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms '5000')");
my @modes = @KafkaFdwFaults::MODES;
KafkaFdwFaults::ledger($control, "killed_$_", delivery => $_) for @modes;
$control->quit;

$proxy->bandwidth(2000, direction => 'upstream');
srand(my $seed = $ENV{KAFKA_FDW_SEED} // int(1000 * time));
diag "seed $seed (KAFKA_FDW_SEED)";

sub up
{
	KafkaFdwTest::wait_until(
		sub { $node->psql('postgres', 'SELECT 1', stderr => \my $error) == 0 }, 30, 'the server is up again');
	return;
}

# The last transaction of each session in a round, if it was not committed, was under way.
my %under_way;
for my $round (1 .. $KILLS)
{
	my $mode = $modes[ $round % @modes ];
	my @sessions = map { KafkaFdwTest::session($node) } 1 .. $SESSIONS;
	my $first = sub { return ($round * 10 + $_[0]) * 1000 };
	$sessions[$_]->send("CALL killed_${mode}_load(" . $first->($_) . ', 999)') for 0 .. $#sessions;
	# not to wait for anything, but to hit another moment each time
	sleep 0.1 + rand 0.4;
	# else the kernel would send what a killed process has written
	$proxy->cut if $round % 2;
	kill 'KILL', $sessions[ rand @sessions ]->pid;
	$_->result(30) for @sessions;
	$proxy->heal->bandwidth(2000, direction => 'upstream') if $round % 2;
	up();
	$control = KafkaFdwTest::session($node);
	for my $number (0 .. $#sessions)
	{
		# transactions have a thousand ids each
		my ($from, $to) = map { 1000 * ($first->($number) + $_) } 0, 1000;
		my $last = $control->query("SELECT max(id) / 1000 FROM killed_${mode}_rows WHERE id >= $from AND id < $to");
		$under_way{ $last eq '' ? $first->($number) : $last + 1 } = 1;
		# after_commit: what is committed, but was not confirmed to the session
		$under_way{$last} = 1 if $last ne '' && $mode eq 'after_commit';
	}
	$control->quit;
	$_->kill for @sessions;
}

$proxy->heal;
$control = KafkaFdwTest::session($node);
for my $mode (@modes)
{
	my $found = KafkaFdwFaults::holds($control, $broker->bootstrap, "killed_$mode", $mode,
		$mode eq 'before_commit' ? (extra => \%under_way) : (lost => \%under_way));
	cmp_ok($found->{rows}, '>', 10 * $KILLS, "$mode: $found->{rows} rows were committed");
	ok($found->{settled}, "$mode: no transaction is left open");
}
my @crashes = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /terminated by signal (\d+)/g;
is_deeply([ sort @crashes ], [ (9) x $KILLS ], 'no process crashed but those that were killed');
$node->stop;
done_testing();
