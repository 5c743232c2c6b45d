# Two PostgreSQL instances that are copies of each other. With the same
# kafka_fdw.instance_name they have the same transactional ids and fence each other: a
# transaction fails with a clear text or succeeds, and the next one works. With the default
# name a clone never disturbs its original. Nothing is there twice or in part either way.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Cluster;
use KafkaFdwTest;
use KafkaFdwFaults;

my $ROUNDS = 6;

my $broker = KafkaFdwTest::broker(proxied => 1);
my $proxy = KafkaFdwFaults::proxy($broker);
my $original = KafkaFdwFaults::node($broker, name => 'original',
	conf => "kafka_fdw.instance_name = ''\nkafka_fdw.commit_timeout = 20s\n");
my $session = KafkaFdwTest::session($original);
my @modes = @KafkaFdwFaults::MODES;
KafkaFdwFaults::ledger($session, "${_}_fenced", delivery => $_) for @modes;
KafkaFdwFaults::ledger($session, "${_}_cloned", delivery => $_) for @modes;
$session->quit;
$original->stop;
$original->backup_fs_cold('copy');
my $clone = PostgreSQL::Test::Cluster->new('clone');
$clone->init_from_backup($original, 'copy');
my %node = (original => $original, clone => $clone);

# Sessions of both, the first ones after a start, so that they have the same slot.
sub start_both
{
	my ($name) = @_;
	my %session;
	for my $which (qw(original clone))
	{
		$node{$which}->append_conf('postgresql.conf', "kafka_fdw.instance_name = '$name'\n");
		$node{$which}->start;
		$session{$which} = KafkaFdwTest::session($node{$which});
	}
	return %session;
}

my %first = start_both('twins');
# so that the proxy slows the original only
$first{clone}->query_safe("ALTER SERVER kafka OPTIONS (SET bootstrap_servers '" . $broker->bootstrap . "')");
is($first{original}->query('SELECT system_identifier FROM pg_control_system()'),
	$first{clone}->query('SELECT system_identifier FROM pg_control_system()'), 'the clone is one');

# Transaction T in a ledger on one of the two; its state.
sub commit
{
	my ($on, $ledger, $t) = @_;
	$on->query("BEGIN; " . KafkaFdwFaults::turn($ledger, $t) . '; COMMIT', 30);
	return $on->state;
}

# --- the same name

my $t = 0;

for my $mode (@modes)
{
	my $ledger = "${mode}_fenced";
	my (%may_be_lost, @fenced);
	for my $round (1 .. $ROUNDS)
	{
		for my $which (qw(original clone))
		{
			my $on = $first{$which};
			my $state = commit($on, $ledger, ++$t);
			if ($state ne '00000')
			{
				push @fenced, $which;
				like($on->error, qr/fenced.*HINT:.*kafka_fdw\.instance_name/s, "$mode, round $round, $which: a clear text");
			}
			$may_be_lost{$t} = 1 if $on->error =~ /WARNING/;
			$state = commit($on, $ledger, ++$t);
			$may_be_lost{$t} = 1 if $on->error =~ /WARNING/;
			is($state, '00000', "$mode, round $round, $which: the next one works") or diag $on->error;
		}
	}
	cmp_ok(@fenced + keys %may_be_lost, '>', 0, "$mode: they fence each other, " . @fenced . ' times');

	# The one is in the middle of COMMIT when the other comes. First it is fenced, and back.
	commit($first{original}, $ledger, ++$t);
	$may_be_lost{$t} = 1;
	is(commit($first{original}, $ledger, ++$t), '00000', "$mode: the first works") or diag $first{original}->error;
	my $before = KafkaFdwFaults::high($first{clone}, $ledger);
	$first{original}->query_safe('BEGIN; ' . KafkaFdwFaults::turn($ledger, ++$t), 30);
	my $in_commit = $t;
	$proxy->latency(700, direction => 'downstream');
	$first{original}->send('COMMIT');
	KafkaFdwTest::wait_until(
		sub { KafkaFdwFaults::high($first{clone}, $ledger) >= $before + $KafkaFdwFaults::EACH }, 30, 'the messages are in the log');
	# its old producer is fenced, so the first try only makes a new one
	commit($first{clone}, $ledger, ++$t);
	$may_be_lost{$t} = 1;
	is(commit($first{clone}, $ledger, ++$t), '00000', "$mode: the other comes while one commits") or diag $first{clone}->error;
	ok(!$first{original}->ready, "$mode: that is still in COMMIT");
	$proxy->heal;
	$first{original}->result(30);
	if ($mode eq 'before_commit')
	{
		isnt($first{original}->state, '00000', "$mode: its COMMIT fails");
		note $first{original}->error;
	}
	$may_be_lost{$in_commit} = 1 if $mode eq 'after_commit';
	is(commit($first{original}, $ledger, ++$t), '00000', "$mode: and the first works again") or diag $first{original}->error;
	KafkaFdwFaults::holds($first{original}, $broker->bootstrap, $ledger, "$mode, fenced",
		more => [ $first{clone} ], $mode eq 'after_commit' ? (lost => \%may_be_lost) : ());
}
$_->quit for values %first;
# but for the number of the producer, where a session has two
my %id = map { $_->[0] =~ s/^(kafka_fdw\.\w+(?:\.\d+){4})\.\d+$/$1/r => 1 } KafkaFdwFaults::transactional_ids($broker);
is(scalar(keys %id), 1, 'both had the same transactional id');

# --- the default name

$node{$_}->stop for keys %node;
my %second = start_both('');
for my $mode (@modes)
{
	my $ledger = "${mode}_cloned";
	for my $round (1 .. $ROUNDS)
	{
		for my $which (qw(original clone))
		{
			is(commit($second{$which}, $ledger, ++$t), '00000', "$mode, default name, round $round: $which") or diag $second{$which}->error;
			is($second{$which}->error, '', "$mode, default name, round $round: no warning");
		}
	}
	KafkaFdwFaults::holds($second{original}, $broker->bootstrap, $ledger, "$mode, cloned", more => [ $second{clone} ]);
}
is(KafkaFdwTest::crashes($_), '', 'nothing crashed') for values %node;
$_->stop for values %node;
done_testing();
