# peer_W1: the way to the broker is cut before, during and after the messages of a COMMIT go
# out, and while Kafka commits; for good, or for a moment. What COMMIT reports is what the
# oracle finds. The moments are made by a slow network: when messages, or the markers of
# the commit, are in the log, their confirmation is still under way.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $LATENCY_MS = 200;
my $FAULT_S = 0.5;
my $LIMIT_S = 2;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker,
	conf => join '', map { "kafka_fdw.${_}_timeout = '${LIMIT_S}s'\n" } qw(connect commit after_commit));
my $control = KafkaFdwTest::session($node);
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD reconnect_backoff_max_ms '200')");
my @modes = @KafkaFdwFaults::MODES;

# What has to be in the log when the cut comes: $EACH messages, and a marker in each of the
# two partitions.
my $messages = $KafkaFdwFaults::EACH;
my $markers = $messages + 2;
my @phases = (
	[ 'before COMMIT', 0, undef ],
	[ 'before COMMIT, for a moment', 0, $FAULT_S ],
	[ 'messages', $messages, undef ],
	[ 'messages, for a moment', $messages, $FAULT_S ],
	[ 'commit', $markers, undef ],
	[ 'commit, for a moment', $markers, $FAULT_S ]);

# A transaction T, cut in a phase; the state of its COMMIT.
sub cut_in_phase
{
	my ($session, $ledger, $t, $in_log, $seconds) = @_;
	$session->query_safe('BEGIN; ' . KafkaFdwFaults::turn($ledger, $t), 60);
	my $before = KafkaFdwFaults::high($control, $ledger);
	$proxy->latency($LATENCY_MS, direction => 'downstream');
	$proxy->cut if !$in_log;
	$session->send('COMMIT');
	KafkaFdwTest::wait_until(
		sub { KafkaFdwFaults::high($control, $ledger) >= $before + $in_log }, 30, "$in_log records are in the log") if $in_log;
	$proxy->cut;
	if ($seconds)
	{
		# not to wait for anything: this is how long the fault lasts
		sleep $seconds;
		$proxy->heal;
	}
	my $begun = time;
	$session->result(30);
	cmp_ok(time - $begun, '<', $LIMIT_S + 3, sprintf 'COMMIT took %.1f s', time - $begun);
	$proxy->heal;
	return $session->state;
}

for my $mode (@modes)
{
	my $ledger = "phases_$mode";
	KafkaFdwFaults::ledger($control, $ledger, delivery => $mode);
	my $session = KafkaFdwTest::session($node);
	my (%in_doubt, %committed);
	my $t = 0;

	# down before the statement, unless the session still knows the topic
	$session->query_safe("CALL ${ledger}_load(" . ++$t . ', 1)');
	$proxy->cut;
	my $fresh = KafkaFdwTest::session($node);
	$fresh->query('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t), 30);
	is($fresh->state, 'HV00N', "$mode, before the statement: it fails") or diag $fresh->error;
	$fresh->query('COMMIT');
	$proxy->heal;

	for my $phase (@phases)
	{
		my ($what, $in_log, $seconds) = @$phase;
		my $state = cut_in_phase($session, $ledger, ++$t, $in_log, $seconds);
		my $error = $session->error;
		my $committed = $control->query("SELECT count(*) FROM ${ledger}_rows WHERE id / 1000 = $t") > 0;
		if ($seconds)
		{
			is($state, '00000', "$mode, $what: COMMIT succeeds") or diag $error;
		}
		elsif ($in_log == $markers && $mode eq 'after_commit')
		{
			is($state, '00000', "$mode, $what: PostgreSQL has committed");
			like($error, qr/^WARNING:.*may be lost.*$messages messages/ms, "$mode, $what: with a warning of what may be lost");
			is($session->query('SELECT after_commit_messages FROM kafka.client_stats'), $messages, "$mode, $what: and it is counted");
		}
		elsif ($in_log == $markers)
		{
			is($state, '08007', "$mode, $what: the outcome is unknown") or diag $error;
			$in_doubt{$t} = 1;
		}
		else
		{
			like($state, qr/^HV00[NL]$/, "$mode, $what: COMMIT fails") or diag $error;
		}
		is($committed ? 'committed' : 'rolled back', $state eq '00000' ? 'committed' : 'rolled back',
			"$mode, $what: PostgreSQL has done what COMMIT said");
		$session->query_safe("CALL ${ledger}_load(" . ++$t . ', 1)', 30);
	}
	my $found = KafkaFdwFaults::holds($control, $broker->bootstrap, $ledger, $mode, extra => \%in_doubt);
	is(scalar @{ $found->{extra} }, $messages, "$mode: what was in doubt is in Kafka, for its markers were there")
		if %in_doubt;
	ok($found->{settled}, "$mode: no transaction is left open");
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
