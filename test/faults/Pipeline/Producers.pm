# Those that write in the rounds of test/faults/pipeline: two processes of producer.c, which send
# straight to the brokers, whatever the proxy does.
package Pipeline::Producers;

use strict;
use warnings;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use KafkaFdwTest;

my $PRODUCERS = 2;

# Messages a second, of each.
my $RATE = 300;

# new(dir => where its log goes, bootstrap => ..., topic => ..., seed => ..., partitions => 4,
# poison => of 1000, transactional => 1)
sub new
{
	my ($class, %args) = @_;
	return bless { pids => [], made => 0, %args }, $class;
}

# Writes for some seconds from now; does not wait. Further ones of what new was given may be changed.
sub begin
{
	my ($self, $node, $seconds, %more) = @_;
	$self->_launch($seconds, %$self, %more) for 1 .. $more{producers} // $PRODUCERS;
	return;
}

sub _launch
{
	my ($self, $seconds, %args) = @_;
	my $name = 'p' . ++$self->{made};
	my @command = (KafkaFdwTest::program('faults/producer'), @args{qw(bootstrap topic partitions)}, $name,
		$args{seed} + $self->{made}, $seconds, $args{rate} // $RATE, $args{poison},
		$args{transactional} ? "$args{topic}-$name" : ());
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$self->{dir}/producers.log";
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}
	push @{ $self->{pids} }, $pid;
	return;
}

# Are there any?
sub alive
{
	my ($self) = @_;
	$self->{pids} = [ grep { waitpid($_, WNOHANG) != $_ } @{ $self->{pids} } ];
	return scalar @{ $self->{pids} };
}

# Ends them, with what they are in the middle of.
sub stop
{
	my ($self) = @_;
	kill 'TERM', @{ $self->{pids} };
	my $until = time + 15;
	sleep 0.01 while $self->alive && time < $until;
	for my $pid (splice @{ $self->{pids} })
	{
		kill 'KILL', $pid;
		waitpid $pid, 0;
	}
	return;
}

1;
