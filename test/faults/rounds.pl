# The rounds of test/faults/relay, which says what they are and prepares what this needs.
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
use Kinds;
use Rounds;

$screen->autoflush(1);

my %option = (rounds => 20, first => 1, nodes => 1, seed => int(1000 * Time::HiRes::time()) % 1_000_000_000);
GetOptions(\%option, qw(rounds=i seed=i first=i kinds=s nodes=i sabotage=s delivery=s foreground keep list))
	or die "see test/faults/relay --help\n";
die "what is @ARGV? See test/faults/relay --help\n" if @ARGV;

if ($option{list})
{
	print {$screen} map { sprintf "%-20s %s\n", $_, Kinds::text($_) } Kinds::names();
	exit 0;
}

my $rounds = Rounds->new(%option, report => sub { print {$screen} @_, "\n" });
eval { $rounds->run; 1 } or do
{
	print {$screen} "the rounds broke off: $@";
	exit 2;
};
$rounds->end;
exit($rounds->failed ? 1 : 0);
