# Faults of rounds: what the kinds of Relay::Kinds and Pipeline::Kinds have in common. A kind is a
# function of the round (see Rounds.pm), called while others write; faults that do not end by
# themselves are ended by Stand::heal. A class of kinds has a table, which gives for each name
#
#   [what happens, function, needs the proxy, done before others write, {more facts}]
package Faults;

use strict;
use warnings;
use Exporter qw(import);
use Time::HiRes qw(sleep time);
use KafkaFdwTest;

our @EXPORT = qw(between kill_process kill_postmaster restart some_broker kill_broker restart_broker
	pause_broker flap cut delay black_hole lost_answer limit at_step standby synchronous_standby disconnect_standby);

# Those that are there, what they do.
sub names { my ($class) = @_; return sort keys %{ $class->table }; }
sub text { my ($class, $name) = @_; return $class->table->{$name}[0]; }
sub strike { my ($class, $name) = @_; return $class->table->{$name}[1]; }
sub needs_proxy { my ($class, $name) = @_; return $class->table->{$name}[2]; }
sub prepare { my ($class, $name) = @_; return $class->table->{$name}[3]; }
sub facts { my ($class, $name) = @_; return $class->table->{$name}[4] // {}; }

# Those that a comma-separated list with % for any text names.
sub chosen
{
	my ($class, $list) = @_;
	return $class->names unless defined $list;
	my @chosen;
	for my $pattern (split /,/, $list)
	{
		my $regex = join '.*', map { quotemeta } split /%/, $pattern, -1;
		my @found = grep { /^$regex$/ } $class->names or die "there is no kind $pattern (see --list)\n";
		push @chosen, @found;
	}
	return @chosen;
}

sub between { my ($from, $to) = @_; return $from + rand($to - $from); }

# --- processes of PostgreSQL

sub kill_process
{
	my ($round, $which) = @_;
	my $pid = $round->stand->$which;
	return $round->note("no $which") unless $pid;
	kill 'KILL', $pid;
	return;
}

sub kill_postmaster
{
	my ($round) = @_;
	$round->stand->kill_postmaster;
	$round->pump(between(0, 0.3));
	$round->stand->start;
	return;
}

sub restart
{
	my ($round, $mode) = @_;
	# Cluster's stop waits as long as it takes; a relay that does not end would be found here
	$round->stand->node->stop($mode);
	$round->pump(between(0, 0.3));
	$round->stand->start;
	return;
}

# --- brokers

sub some_broker
{
	my ($round) = @_;
	my $nodes = $round->stand->{nodes};
	return $nodes == 1 ? () : (node => 1 + int rand $nodes);
}

sub kill_broker
{
	my ($round) = @_;
	my $broker = $round->stand->broker;
	my @which = some_broker($round);
	$broker->kill(@which);
	$round->pump(between(0, 1));
	$broker->start(@which);
	return;
}

sub restart_broker
{
	my ($round) = @_;
	$round->stand->broker->restart(some_broker($round));
	return;
}

sub pause_broker
{
	my ($round) = @_;
	my $broker = $round->stand->broker;
	my @which = some_broker($round);
	$broker->pause(@which);
	$round->pump(between(0.3, 4));
	$broker->resume(@which);
	return;
}

# --- the network

sub flap
{
	my ($round, $fault) = @_;
	my $proxy = $round->stand->proxy;
	my $until = time + between(0.5, 2);
	while (time < $until)
	{
		$proxy->$fault;
		$round->pump(between(0, 0.2));
		$proxy->heal;
		$round->pump(between(0, 0.3));
	}
	return;
}

sub cut
{
	my ($round) = @_;
	$round->stand->proxy->cut;
	$round->pump(between(0, 0.5));
	return;
}

sub delay
{
	my ($round) = @_;
	$round->stand->proxy->latency(int between(20, 400));
	$round->pump(between(1, 3));
	return;
}

sub black_hole
{
	my ($round) = @_;
	$round->stand->proxy->black_hole;
	$round->pump(between(0.5, 5));
	return;
}

sub lost_answer
{
	my ($round) = @_;
	my $proxy = $round->stand->proxy;
	for (1 .. 3)
	{
		$proxy->latency(1000, direction => 'downstream');
		$round->pump(between(0.02, 1.2));
		$proxy->cut;
		$round->pump(between(0, 0.2));
		$proxy->heal;
		$round->pump(between(0.1, 0.4));
	}
	return;
}

sub limit
{
	my ($round, $direction) = @_;
	my $proxy = $round->stand->proxy;
	for (1 .. 3)
	{
		$proxy->limit(int between(200, 6000), direction => $direction);
		$round->pump(between(0.2, 1));
		$proxy->heal;
		$round->pump(between(0.1, 0.4));
	}
	return;
}

# With a round trip of 60 to 200 ms a Kafka transaction takes some 5 of them: any step is hit.
sub at_step
{
	my ($round, $fault) = @_;
	my $proxy = $round->stand->proxy;
	$proxy->latency(int between(30, 100));
	$round->pump(between(0.3, 1.2));
	$fault->($round);
	$proxy->heal;
	return;
}

# --- standbys

sub standby
{
	my ($round) = @_;
	my $standby = $round->{standby} = $round->stand->copy(standby => 1);
	$standby->start;
	KafkaFdwTest::wait_until(
		sub { ($round->stand->sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") // 0) == 1 },
		30, 'the standby follows');
	return;
}

sub synchronous_standby
{
	my ($round) = @_;
	standby($round);
	my $stand = $round->stand;
	$stand->node->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
	$stand->node->reload;
	KafkaFdwTest::wait_until(
		sub { ($stand->sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") // 0) == 1 },
		30, 'the standby is synchronous');
	return;
}

# The standby has all that there is now, and nothing that comes after it.
sub disconnect_standby
{
	my ($round) = @_;
	my ($stand, $standby) = ($round->stand, $round->{standby});
	my $old = $stand->node;
	$old->wait_for_catchup($standby, 'replay', $old->lsn('write'));
	$standby->append_conf('postgresql.conf', "primary_conninfo = ''");
	$standby->reload;
	KafkaFdwTest::wait_until(
		sub { ($stand->sql('SELECT count(*) FROM pg_stat_replication') // 1) == 0 }, 30, 'the standby does not follow');
	return;
}

1;
