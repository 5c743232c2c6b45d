# A network that does not get better for a while: connections that are reset again and again,
# that end after some bytes, that are slow. Sessions go on through it; transactions that
# fail say so, and those that succeed are there once and as a whole.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $FAULT_S = 2;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker, conf => "kafka_fdw.connect_timeout = 5s\nkafka_fdw.commit_timeout = 5s\n");
my $control = KafkaFdwTest::session($node);
# Connections are made anew soon, so that there are many to break.
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD reconnect_backoff_ms '20', ADD reconnect_backoff_max_ms '50')");
my @modes = @KafkaFdwFaults::MODES;

# Ten times a second a fault of some ms.
sub flap
{
	my ($fault) = @_;
	$fault->();
	sleep 0.02;
	$proxy->heal;
	sleep 0.08;
	return;
}

my @networks = (
	[ 'resets', undef, sub { flap(sub { $proxy->reset }) } ],
	[ 'cuts', undef, sub { flap(sub { $proxy->cut }) } ],
	[ 'short connections', sub { $proxy->limit(6000, direction => 'upstream') }, sub { sleep 0.1 } ],
	[ 'answers that break off', sub { $proxy->limit(3000, direction => 'downstream') }, sub { sleep 0.1 } ],
	[ 'a slow network', sub { $proxy->latency(30)->bandwidth(100) }, sub { sleep 0.1 } ]);

for my $mode (@modes)
{
	my $ledger = "network_$mode";
	KafkaFdwFaults::ledger($control, $ledger, delivery => $mode);
	my $t = 0;
	my (%in_doubt, %states);
	for my $network (@networks)
	{
		my ($what, $begin, $go_on) = @$network;
		my $session = KafkaFdwTest::session($node);
		$session->query_safe("CALL ${ledger}_load(" . ++$t . ', 1)');
		my $committed = 0;
		$begin->() if $begin;
		my $end = time + $FAULT_S;
		while (time < $end)
		{
			$session->send('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t) . '; COMMIT');
			$go_on->() until $session->ready;
			$session->result(30);
			my $error = $session->error;
			my $state = $session->state;
			# the state is COMMIT's; an error of a statement before it makes that a ROLLBACK
			$states{ $error =~ /^ERROR:/m ? "$what: error, $state" : "$what: $state" }++;
			$committed++ if $error eq '';
			$in_doubt{$t} = 1 if $state ne '00000' || $error =~ /^WARNING/m;
		}
		$proxy->heal;
		cmp_ok($committed, '>', 0, "$mode, $what: some commit, $committed");
		$session->query("CALL ${ledger}_load(" . ++$t . ', 1)', 30);
		is($session->state, '00000', "$mode, $what: afterwards all is well") or diag $session->error;
		$session->quit;
	}
	note "$_: $states{$_}" for sort keys %states;
	KafkaFdwFaults::holds($control, $broker->bootstrap, $ledger, $mode,
		$mode eq 'after_commit' ? (lost => \%in_doubt) : (extra => \%in_doubt));
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
