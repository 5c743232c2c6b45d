# A backend that stands still (SIGSTOP) in the middle of COMMIT for longer than Kafka's
# transaction may last, and then goes on: Kafka has aborted, and nothing of the transaction is
# visible; what COMMIT reports is true, and the next transaction of the session works. One
# that stands still before COMMIT has no transaction in Kafka, and commits.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $TRANSACTION_MS = 3000;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker, conf => "kafka_fdw.commit_timeout = 20s\n");
my $control = KafkaFdwTest::session($node);
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms '$TRANSACTION_MS')");
my @modes = @KafkaFdwFaults::MODES;

for my $mode (@modes)
{
	my $ledger = "stopped_$mode";
	KafkaFdwFaults::ledger($control, $ledger, delivery => $mode);
	my $session = KafkaFdwTest::session($node);
	my $t = 0;
	for my $round (1 .. 2)
	{
		# --- before COMMIT

		$session->query_safe('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t));
		kill 'STOP', $session->pid;
		# not to wait for anything: this is how long the fault lasts
		sleep 0.5 + $TRANSACTION_MS / 1000 if $round == 1;
		kill 'CONT', $session->pid;
		$session->query('COMMIT', 30);
		is($session->state, '00000', "$mode, stopped before COMMIT: it succeeds") or diag $session->error;

		# --- in COMMIT: the messages are in the log, their confirmations on the way

		$session->query_safe('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t));
		my $before = KafkaFdwFaults::high($control, $ledger);
		$proxy->latency(500, direction => 'downstream');
		$session->send('COMMIT');
		KafkaFdwTest::wait_until(
			sub { KafkaFdwFaults::high($control, $ledger) >= $before + $KafkaFdwFaults::EACH }, 30, 'the messages are in the log');
		kill 'STOP', $session->pid;
		ok(KafkaFdwFaults::settled($control, $ledger), "$mode: Kafka ends the transaction");
		$proxy->heal;
		kill 'CONT', $session->pid;
		$session->result(30);
		my ($state, $error) = ($session->state, $session->error);
		if ($mode eq 'before_commit')
		{
			like($state, qr/^(?:08007|HV00L)$/, "$mode, stopped in COMMIT: it fails") or diag $error;
			like($error, qr/transaction/, "$mode, stopped in COMMIT: with a clear text");
			note $error;
			is($control->query("SELECT count(*) FROM ${ledger}_rows WHERE id / 1000 = $t"), '0', "$mode: its rows are rolled back");
		}
		elsif ($state eq '00000')
		{
			like($error, qr/^WARNING:/m, "$mode, stopped in COMMIT: a warning says what is lost");
		}
		my %lost = ($t => 1);
		$session->query('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t) . '; COMMIT', 30);
		is($session->state, '00000', "$mode: the next transaction works") or diag $session->error;
		KafkaFdwFaults::holds($control, $broker->bootstrap, $ledger, "$mode, round $round",
			$mode eq 'after_commit' ? (lost => \%lost) : ());
		# so that the second round looks at what that one adds
		$control->query_safe("DELETE FROM ${ledger}_rows WHERE id / 1000 IN (" . join(', ', keys %lost) . ')');
	}
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
