# peer_S7, peer_W10: two and three sessions in one group, while members join, leave, are
# terminated, killed with SIGKILL and hold transactions open, and messages keep coming. Each message
# is processed at least once with offsets => 'kafka' (twice only if something was killed or a
# WARNING said so), exactly once and in order with 'postgres' and 'transaction'.
# KAFKA_FDW_ROUNDS plays more rounds, KAFKA_FDW_SEED repeats them.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use KafkaFdwTest;
use KafkaFdwFaults;

my $ROUNDS = $ENV{KAFKA_FDW_ROUNDS} // 3;
my $SECONDS = 4;
my $PARTITIONS = 4;
my $MEMBERS = 3;
my @STORES = qw(kafka postgres transaction);
my @STRATEGIES = qw(range roundrobin cooperative-sticky);
my $QUICK = '"heartbeat.interval.ms": 200, "session.timeout.ms": 1500, "max.poll.interval.ms": 2500';

srand(my $seed = $ENV{KAFKA_FDW_SEED} // int(1000 * time));
diag "seed $seed (KAFKA_FDW_SEED)";

my $broker = KafkaFdwTest::broker(set => { 'group.min.session.timeout.ms' => 1000 });
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "restart_after_crash = on\n");
my ($control, $producer) = connect_control();
$control->query_safe("ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms '3000')");

sub connect_control { return map { KafkaFdwTest::session($node) } 1 .. 2; }

# A round: its topics, the statement that takes messages and uses them, its members.
sub begin
{
	my ($number) = @_;
	my $round = { name => "rebalance_$number", store => $STORES[ $number % 3 ],
		strategy => $STRATEGIES[ ($number + int($number / 3) + $seed) % 3 ], members => [], sent => 0, joined => 0 };
	my $name = $round->{name};
	KafkaFdwTest::topic($control, $name, partitions => $PARTITIONS, options => "delivery 'immediate'");
	KafkaFdwTest::topic($control, "${name}_out", partitions => $PARTITIONS);
	$control->query_safe("CREATE TABLE ${name}_got (seq bigserial, id int, part int, offs bigint)");
	my $polled = "SELECT (value::json->>'id')::int, partition, \"offset\" FROM kafka.poll_text(40, '100ms')";
	$round->{take} = $round->{store} eq 'transaction' ?
		"INSERT INTO ${name}_out (id, part, pad) $polled" : "INSERT INTO ${name}_got (id, part, offs) $polled";
	$round->{what} = "$round->{store}, $round->{strategy}";
	return $round;
}

sub enter
{
	my ($round) = @_;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("SET kafka_fdw.connect_timeout = '20s'; SELECT kafka.subscribe('$round->{name}', '$round->{name}', "
		. "offsets => '$round->{store}', start => 'earliest', "
		. "options => '{\"partition.assignment.strategy\": \"$round->{strategy}\", $QUICK}')");
	push @{ $round->{members} }, { session => $session, number => ++$round->{joined}, state => 'idle', until => 0 };
	return;
}

# 40001, and a group that has gone on without the member, are answered with another try.
sub judge
{
	my ($round, $member) = @_;
	my $session = $member->{session};
	my $state = $session->state or die "member $member->{number} is gone: " . $session->error;
	$round->{unsure} = 1 if $session->error =~ /messages may come again|gone on without/;
	$round->{states}{$state}++;
	if (ref $round->{outcome} && $round->{outcome} == $member)
	{
		# of a transaction that was open for longer than the group waits
		$round->{outcome} = join ' ', $state, $session->error =~ /^(.*)$/m;
		note "$round->{what}: the late COMMIT: $round->{outcome}";
	}
	return if $state eq '00000';
	$round->{wrong} .= "member $member->{number}: $state " . $session->error . "\n"
		unless $state eq '40001' || $session->error =~ /gone on without this consumer/;
	$member->{state} = 'failed';
	return;
}

# The member that was killed is forgotten by the group.
sub is_calm
{
	my ($round) = @_;
	return $round->{killed} && time > $round->{killed} + 2;
}

# What a member does next, of many things; a transaction may stay open for longer than the
# group waits.
sub act
{
	my ($round, $member) = @_;
	my $session = $member->{session};
	my $take = $round->{take};
	if ($member->{state} eq 'open')
	{
		return if time < $member->{until};
		$session->send('COMMIT');
		$round->{outcome} = $member if $member->{late};
		$member->{late} = 0;
	}
	elsif ($member->{state} eq 'failed')
	{
		$session->send('ROLLBACK');
	}
	elsif ((my $dice = rand) < (is_calm($round) && !$round->{long} ? 0.6 : 0.12))
	{
		my $long = is_calm($round) && !$round->{long}++;
		$member->{until} = time + ($long ? 3.6 : rand 1);
		$member->{late} = $long;
		$session->send("BEGIN; $take");
		$member->{state} = 'open';
		return;
	}
	elsif ($dice < 0.2)
	{
		$session->send("BEGIN; $take; ROLLBACK");
	}
	elsif ($dice < 0.35)
	{
		$session->send("BEGIN; $take; SAVEPOINT s; $take; ROLLBACK TO s; $take; SAVEPOINT t; $take; RELEASE t; COMMIT");
	}
	else
	{
		$session->send($take);
	}
	$member->{state} = 'idle';
	return;
}

# Those whose statement has ended are given the next one.
sub turn
{
	my ($round) = @_;
	for my $member (@{ $round->{members} })
	{
		if ($member->{session}->{waiting})
		{
			next unless $member->{session}->ready;
			$member->{session}->result(1);
			judge($round, $member);
		}
		act($round, $member);
	}
	return;
}

sub await_idle
{
	my ($round, $member) = @_;
	return unless $member->{session}->{waiting};
	$member->{session}->result(30);
	judge($round, $member);
	return;
}

# The server has restarted all of itself: nobody is left.
sub killed
{
	my ($round) = @_;
	my $victim = $round->{members}[ rand @{ $round->{members} } ]{session};
	kill 'KILL', $victim->pid;
	$_->{session}->kill for @{ $round->{members} };
	$round->{members} = [];
	KafkaFdwTest::wait_until(sub { $node->psql('postgres', 'SELECT 1', stderr => \my $error) == 0 }, 30, 'the server is up again');
	$_->kill for $control, $producer;
	($control, $producer) = connect_control();
	$round->{unsure} = 1;
	$round->{killed} = time;
	enter($round) for 1 .. 2;
	return;
}

sub change
{
	my ($round) = @_;
	my @members = @{ $round->{members} };
	return enter($round) if @members < 2 || @members < $MEMBERS && rand() < 0.5;
	my $at = int rand @members;
	return if $members[$at]{late};
	my $session = $members[$at]{session};
	my $dice = rand;
	if ($dice < 0.3)
	{
		await_idle($round, $members[$at]);
		$session->query_safe('ROLLBACK; SELECT kafka.close_consumer()', 30);
		$session->quit;
	}
	elsif ($dice < 0.6)
	{
		# in the middle of whatever it does
		$control->query_safe('SELECT pg_terminate_backend(' . $session->pid . ')');
		$session->result(30) if $session->{waiting};
		$session->kill;
		$round->{unsure} = 1;
	}
	else
	{
		await_idle($round, $members[$at]);
		$session->quit;
	}
	splice @{ $round->{members} }, $at, 1;
	return;
}

sub produce
{
	my ($round) = @_;
	if ($producer->{waiting})
	{
		return unless $producer->ready;
		$producer->result(1);
	}
	my $n = 1 + int rand 30;
	$producer->query_safe("INSERT INTO $round->{name} (id, part) SELECT i, i % $PARTITIONS "
		. "FROM generate_series($round->{sent} + 1, $round->{sent} + $n) i");
	$round->{sent} += $n;
	return;
}

# What was processed: [partition, id], in the order of processing within a partition.
sub processed
{
	my ($round) = @_;
	return map { [ split /\|/ ] } split /\n/, $control->query_safe("SELECT part, id FROM $round->{name}_got ORDER BY seq")
		if $round->{store} ne 'transaction';
	return map { /"id":\s*(\d+)/ ? [ $1 % $PARTITIONS, $1 ] : () } KafkaFdwFaults::committed($broker->bootstrap, "$round->{name}_out");
}

sub missing
{
	my ($round) = @_;
	my %seen = map { $_->[1] => 1 } processed($round);
	return [ grep { !$seen{$_} } 1 .. $round->{sent} ];
}

sub drain
{
	my ($round) = @_;
	my $looked = 0;
	return eval {
		KafkaFdwTest::wait_until(
			sub {
				$_->{until} = 0 for @{ $round->{members} };
				turn($round);
				return 0 if time - $looked < 1;
				my $none = !@{ missing($round) };
				$looked = time;
				return $none;
			},
			90, 'all messages are processed');
	};
}

for my $number (0 .. $ROUNDS - 1)
{
	my $round = begin($number);
	my $what = $round->{what};
	my $begun = time;
	enter($round) for 1 .. 2;
	my ($changes, $killed, $kill_at) = (0, 0, $SECONDS * (0.2 + 0.2 * rand));
	while (time - $begun < $SECONDS || grep { $_->{late} } @{ $round->{members} })
	{
		produce($round);
		turn($round);
		if (time - $begun > $changes + 0.2 + 1.5 * rand)
		{
			change($round);
			$changes = time - $begun;
		}
		killed($round) if time - $begun > $kill_at && !$killed++;
		sleep 0.01;
	}
	drain($round);
	my @missing = @{ missing($round) };
	is("@missing[0 .. ($#missing < 9 ? $#missing : 9)]", '', "$what: none is missing of $round->{sent}");
	my (%count, %last, @back);
	for (processed($round))
	{
		my ($part, $id) = @$_;
		$count{$id}++;
		push @back, $id if $id <= ($last{$part} // 0);
		$last{$part} = $id;
	}
	my @twice = sort { $a <=> $b } grep { $count{$_} > 1 } keys %count;
	if ($round->{store} ne 'kafka')
	{
		is("@twice", '', "$what: none is there twice");
		is("@back", '', "$what: in order within partitions");
	}
	elsif (!$round->{unsure})
	{
		is("@twice", '', "$what: none is there twice, as nothing went wrong");
	}
	is($round->{wrong} // '', '', "$what: no errors but those that may be");
	note sprintf '%s: %d messages, %d members, %d kills, %d twice, states %s, %.1f s', $what, $round->{sent}, $round->{joined},
		$round->{killed} ? 1 : 0, scalar @twice, join(' ', map { "$_: $round->{states}{$_}" } sort keys %{ $round->{states} }), time - $begun;
	$_->{session}->kill for @{ $round->{members} };
}

my @crashes = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /terminated by signal (\d+)/g;
is_deeply([ grep { $_ != 9 } @crashes ], [], 'no process crashed but those that were killed');
$node->stop;
done_testing();
