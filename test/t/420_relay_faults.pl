# The outbox's relay under faults: five short rounds of test/faults/relay, which says more. In each,
# sessions write while one fault strikes; afterwards a reader of Kafka sees what PostgreSQL has
# committed, each row once and in order by key. At last the oracle shows that it can fail.
#
# peer_S9, peer_S12: rows of late commits are not lost, order is not inverted
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use lib abs_path(dirname(__FILE__) . '/../faults');
use Relay::Rounds;

my @KINDS = qw(kill_relay kill_at_step cut_at_step restore_skip promote);

# Instead of those that need the proxy, where there is none.
my @WITHOUT_PROXY = qw(kill_relay kill_postmaster terminate_relay restore_skip promote);

$Rounds::WRITE_S = 2;
my $seed = $ENV{KAFKA_FDW_SEED} // int(1000 * time) % 1_000_000_000;
my %options = (rounds => 5, seed => $seed, report => sub { diag @_ });
my $rounds = Relay::Rounds->new(%options, kinds => join ',', @KINDS);
if (!$rounds->{proxied})
{
	diag 'no fault proxy: without the rounds that cut a slow network';
	$rounds = Relay::Rounds->new(%options, kinds => join ',', @WITHOUT_PROXY);
}
$rounds->run;
for my $what (qw(lost duplicated reordered ghosts stuck))
{
	is($rounds->{sum}{$what}, 0, "seed $seed: $what");
}

SKIP:
{
	skip 'the last round was not judged', 4 unless $rounds->{stand};
	for my $how (sort keys %Rounds::SABOTAGES)
	{
		my %wanted = (lost => 0, duplicated => 0, reordered => 0, ghosts => 0, $Rounds::SABOTAGES{$how} => 1);
		is_deeply($rounds->sabotaged($how), \%wanted, "sabotage is found: $how");
	}
}
$rounds->end;
done_testing();
