# A network that swallows everything for 8 s in the middle of sending, and then works again.
# Without idempotence messages whose confirmation was lost are sent twice: that shows that
# the test can see duplicates. With it, and in transactions, each is there once.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use KafkaFdwTest;
use KafkaFdwFaults;

my $ROWS = 30_000;
my $HOLE_S = 8;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $node = KafkaFdwFaults::node($broker);
my $control = KafkaFdwTest::session($node);
$control->query_safe("CREATE SERVER loose FOREIGN DATA WRAPPER kafka_fdw
	OPTIONS (bootstrap_servers '" . $broker->proxied . "', enable_idempotence 'false')");
KafkaFdwTest::topic($control, 'hole_loose', server => 'loose', options => "delivery 'immediate'");
KafkaFdwTest::topic($control, 'hole_strict', options => "delivery 'immediate'");
my @immediate = qw(hole_loose hole_strict);
my @modes = @KafkaFdwFaults::MODES;
KafkaFdwFaults::ledger($control, "hole_$_", delivery => $_) for @modes;

# So slow that the hole falls into the middle.
$proxy->bandwidth(1000, direction => 'upstream')->latency(30, direction => 'downstream');
my %session;
for my $topic (@immediate)
{
	$session{$topic} = KafkaFdwTest::session($node);
	$session{$topic}->send("INSERT INTO $topic (id, pad) SELECT i, repeat('x', 100) FROM generate_series(1, $ROWS) i");
}
for my $mode (@modes)
{
	$session{"hole_$mode"} = KafkaFdwTest::session($node);
	$session{"hole_$mode"}->send("CALL hole_${mode}_load(1, 40)");
}
for my $topic (sort keys %session)
{
	KafkaFdwTest::wait_until(sub { KafkaFdwFaults::high($control, $topic) > 20 }, 30, "$topic has messages");
}
# Confirmations go first, so that some of them are lost for certain.
my %before = map { $_ => KafkaFdwFaults::high($control, $_) } @immediate;
$proxy->black_hole(direction => 'downstream');
for my $topic (@immediate)
{
	KafkaFdwTest::wait_until(
		sub { KafkaFdwFaults::high($control, $topic) > $before{$topic} }, 30, "$topic: messages that are not confirmed");
}
$proxy->black_hole(direction => 'upstream');
ok(!$session{$_}->ready, "$_: the hole comes in the middle") for sort keys %session;
# not to wait for anything: this is how long the fault lasts
sleep $HOLE_S;
ok(!$session{$_}->ready, "$_: the statement waits") for sort keys %session;
$proxy->heal;
for my $topic (sort keys %session)
{
	$session{$topic}->result(60);
	is($session{$topic}->state, '00000', "$topic: the statement succeeds") or diag $session{$topic}->error;
}

my %found;
for my $topic (@immediate)
{
	my @ids = map { /"id":\s*(\d+)/ } KafkaFdwFaults::committed($broker->bootstrap, $topic);
	$found{$topic} = KafkaFdwFaults::compare([ 1 .. $ROWS ], \@ids);
	is_deeply($found{$topic}{lost}, [], "$topic: nothing is lost");
	note "$topic: ", scalar @{ $found{$topic}{twice} }, " of $ROWS twice";
}
cmp_ok(scalar @{ $found{hole_loose}{twice} }, '>', 0, 'without idempotence there are duplicates');
is_deeply($found{hole_strict}{twice}, [], 'with it there are none');
for my $mode (@modes)
{
	my $found = KafkaFdwFaults::holds($control, $broker->bootstrap, "hole_$mode", $mode);
	is($found->{rows}, 40 * $KafkaFdwFaults::EACH, "$mode: all transactions committed");
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
