# The rounds of test/faults/relay or test/faults/pipeline, which say what they are and prepare what
# this needs: rounds.pl relay OPTION...
use strict;
use warnings;

# PostgreSQL's modules take the standard output for their log.
my $screen;
BEGIN { open $screen, '>&', \*STDOUT or die "standard output: $!\n"; }

use File::Basename qw(dirname);
use Getopt::Long qw(GetOptions);
use IO::Handle;
use Time::HiRes ();
use lib dirname(__FILE__);
use Pipeline::Rounds;
use Relay::Rounds;

$screen->autoflush(1);

my %CLASSES = (relay => 'Relay::Rounds', pipeline => 'Pipeline::Rounds');
my @OPTIONS = qw(rounds=i seed=i first=i kinds=s nodes=i sabotage=s foreground keep list);
my %MORE = (relay => [qw(delivery=s)], pipeline => [qw(targets=s)]);

my $what = shift @ARGV;
my $class = $CLASSES{$what} or die "rounds of what?\n";
my %option = (rounds => 20, first => 1, nodes => 1, seed => int(1000 * Time::HiRes::time()) % 1_000_000_000);
GetOptions(\%option, @OPTIONS, @{ $MORE{$what} }) or die "see test/faults/$what --help\n";
die "what is @ARGV? See test/faults/$what --help\n" if @ARGV;

if ($option{list})
{
	my $kinds = $class->kinds;
	print {$screen} map { sprintf "%-20s %s\n", $_, $kinds->text($_) } $kinds->names;
	exit 0;
}

my $rounds = $class->new(%option, report => sub { print {$screen} @_, "\n" });
eval { $rounds->run; 1 } or do
{
	print {$screen} "the rounds broke off: $@";
	exit 2;
};
$rounds->end;
exit($rounds->failed ? 1 : 0);
