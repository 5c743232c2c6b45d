# peer_S5: after_commit between PostgreSQL's commit and Kafka's, where messages can be lost: Kafka has
# ended the transaction before PostgreSQL came back to it, a backend is killed there, the
# broker's answer is lost. What is lost is lost as a whole and was warned of where somebody was
# left to warn; before_commit keeps its messages at the same points. A wait for a synchronous
# standby that does not exist holds sessions there.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwFaults;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker, conf => <<'CONF');
restart_after_crash = on
wal_level = replica
max_wal_senders = 3
kafka_fdw.commit_timeout = 20s
kafka_fdw.after_commit_timeout = 2s
CONF
my $control = KafkaFdwTest::session($node);
# only the sessions under test wait
$control->query_safe("ALTER DATABASE postgres SET synchronous_commit = local; SET synchronous_commit = local");
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms '3000')");
my $STATS = 'SELECT after_commit_failures, after_commit_messages FROM kafka.client_stats';
my @modes = @KafkaFdwFaults::MODES;
KafkaFdwFaults::ledger($control, "lost_$_", delivery => $_) for @modes;
$control->query_safe("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;

my $t = 0;
my (%lost, %expected);

# A session whose transaction T is committed on disk, and whose commit hook has not run.
sub enter
{
	my ($mode) = @_;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("CALL lost_${mode}_load(" . ++$t . ', 1)', 30);
	$session->query_safe('SET synchronous_commit = on; BEGIN; ' . KafkaFdwFaults::turn("lost_$mode", ++$t));
	$session->send('COMMIT');
	KafkaFdwTest::wait_until(
		sub { $control->query('SELECT wait_event FROM pg_stat_activity WHERE pid = ' . $session->pid) eq 'SyncRep' },
		20, 'the transaction waits for a standby');
	return $session;
}

# Out of the wait: it is committed here, the standby or not.
sub go_on
{
	my ($session) = @_;
	$control->query_safe('SELECT pg_cancel_backend(' . $session->pid . ')');
	$session->result(30);
	like($session->error, qr/already committed locally/, 'the wait for the standby is over');
	return;
}

sub next_one
{
	my ($session, $mode, $what) = @_;
	$session->query('SET synchronous_commit = local; BEGIN; ' . KafkaFdwFaults::turn("lost_$mode", ++$t) . '; COMMIT', 30);
	is($session->state, '00000', "$mode, $what: the next transaction works") or diag $session->error;
	unlike($session->error, qr/WARNING/, "$mode, $what: without a warning");
	return;
}

for my $mode (@modes)
{
	my $after = $mode eq 'after_commit';
	my $warning = qr/^WARNING:  messages sent through server "kafka" may be lost/m;

	# --- the wait is longer than transaction_timeout_ms

	my $session = enter($mode);
	ok(KafkaFdwFaults::settled($control, "lost_$mode"), "$mode: Kafka ends the transaction");
	go_on($session);
	is($session->state, '00000', "$mode, overrun: COMMIT succeeds");
	$after ? like($session->error, $warning, "$mode, overrun: with a warning") : unlike($session->error, $warning, "$mode, overrun: no warning");
	is($session->query($STATS), $after ? '1|3' : '0|0', "$mode, overrun: counted");
	$lost{$mode}{$t} = $expected{$mode}{$t} = 1 if $after;
	next_one($session, $mode, 'overrun');
	$session->quit;

	# --- the answer to Kafka's commit is lost

	$session = enter($mode);
	$proxy->black_hole(direction => 'downstream');
	go_on($session);
	is($session->state, '00000', "$mode, no answer: COMMIT succeeds");
	$after ? like($session->error, $warning, "$mode, no answer: with a warning") : unlike($session->error, $warning, "$mode, no answer: no warning");
	# Kafka may have committed
	$lost{$mode}{$t} = 1 if $after;
	$proxy->heal;
	next_one($session, $mode, 'no answer');
	$session->quit;

	# --- killed

	$session = enter($mode);
	kill 'KILL', $session->pid;
	$session->result(30);
	$lost{$mode}{$t} = $expected{$mode}{$t} = 1 if $after;
	KafkaFdwTest::wait_until(
		sub { $node->psql('postgres', 'SELECT 1', stderr => \my $error) == 0 }, 30, 'the server is up again');
	$control = KafkaFdwTest::session($node);
	is($control->query("SELECT count(*) FROM lost_${mode}_rows WHERE id / 1000 = $t"), $KafkaFdwFaults::EACH,
		"$mode, killed: PostgreSQL has committed");
	$session = KafkaFdwTest::session($node);
	next_one($session, $mode, 'killed');
	$session->quit;

	my $found = KafkaFdwFaults::holds($control, $broker->bootstrap, "lost_$mode", $mode, lost => $lost{$mode} // {});
	ok($found->{settled}, "$mode: no transaction is left open");
	my %really = map { int $_ / 1000 => 1 } @{ $found->{lost} };
	is_deeply([ grep { !$really{$_} } sort keys %{ $expected{$mode} // {} } ], [], "$mode: what had to be lost is");
}
my @crashes = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /terminated by signal (\d+)/g;
is_deeply(\@crashes, [ 9, 9 ], 'no process crashed but those that were killed');
$node->stop;
done_testing();
