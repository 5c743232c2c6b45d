# What the parts of measure.pl have in common: options, sessions, the accounts of processes,
# runs in turn, lines of the table.
package Bench;
use strict;
use warnings;
use Exporter qw(import);
use IO::Handle;
use IPC::Open2;
use List::Util qw(min);
use Time::HiRes qw(time);

our $PARTITIONS = 4;
our ($work, $brokers) = @ENV{qw(BENCH_WORK KAFKA_BROKERS)};
our %opt = (messages => 1_000_000, runs => 5, section => 'all', only => '',
	points => 1000, scans => 1000, memory => 2_000_000,
	rows => 10_000_000, transactions => 1000, sessions => 16, calls => 100_000, idle => 300_000,
	topics => 2000, backlog => 200_000, seconds => 10, drained => 1_000_000, bloat => 10_000_000);

our @EXPORT = qw($PARTITIONS $work $brokers %opt set_options wanted median percentile session ask
	finish cpu_ms own_ms status descriptors statement program interleaved value_100 fill line
	machine);

# Arguments of the command line, NAME=VALUE.
sub set_options
{
	for (@_)
	{
		my ($name, $value) = /^(\w+)=([\w,]+)$/ or die "not NAME=VALUE: $_\n";
		die "unknown name: $name\n" unless exists $opt{$name};
		die "not a number: $_\n" if $name !~ /^(section|only)$/ && $value !~ /^\d+$/;
		$opt{$name} = $value;
	}
	die "section: reading, writing, consuming, outbox, pipeline or all\n"
		unless $opt{section} =~ /^(reading|writing|consuming|outbox|pipeline|all)$/;
}

# Does only= leave this part of a section in?
sub wanted { my ($part) = @_; return $opt{only} eq '' || grep { $_ eq $part } split /,/, $opt{only} }

sub median { my @v = sort { $a <=> $b } @_; return $v[@v / 2] }
sub percentile { my ($p, @v) = @_; @v = sort { $a <=> $b } @v; return $v[min($#v, int(@v * $p / 100))] }

# --- a session: psql on a pipe ------------------------------------------------------

sub session
{
	my $self = {};
	$self->{pid} = open2($self->{out}, $self->{in}, qw(psql -X -A -t -q -v ON_ERROR_STOP=1));
	$self->{in}->autoflush(1);
	$self->{backend} = 0 + ask($self, 'SELECT pg_backend_pid()');
	# the CPU of parallel workers would be missing from the backend's
	ask($self, 'SET max_parallel_workers_per_gather = 0');
	# a plan over many messages is compiled, and LLVM takes 50 MB of a backend
	ask($self, 'SET jit = off');
	return $self;
}

sub ask
{
	my ($self, $sql) = @_;
	my $result = '';
	print { $self->{in} } "$sql;\nSELECT '=done=';\n";
	while (defined(my $line = readline $self->{out}))
	{
		return $result if $line eq "=done=\n";
		$result .= $line;
	}
	die "failed: $sql\n";
}

sub finish
{
	my ($self) = @_;
	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
}

# CPU of all threads of a process, in ms; a clock tick is 10 ms.
sub cpu_ms
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or die "/proc/$pid/stat: $!\n";
	my @fields = split ' ', (readline($fh) =~ s/.*\) //r);
	return ($fields[11] + $fields[12]) * 10;
}

# CPU of its first thread alone, in ms: in a backend all that is not librdkafka's own threads.
sub own_ms
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/task/$pid/schedstat" or return 0;
	return (split ' ', readline $fh)[0] / 1e6;
}

sub status
{
	my ($pid, $name) = @_;
	open my $fh, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";
	my ($line) = grep { /^$name:/ } readline $fh;
	return $line =~ /(\d+)/ ? $1 : 0;
}

sub descriptors { my ($pid) = @_; my @fds = glob "/proc/$pid/fd/*"; return scalar @fds }

# --- what is measured: each gives cpu and wall in ms ---------------------------------

sub statement
{
	my ($self, $sql) = @_;
	return sub {
		my ($cpu, $own, $begin) = (cpu_ms($self->{backend}), own_ms($self->{backend}), time);
		ask($self, $sql);
		return { cpu => cpu_ms($self->{backend}) - $cpu, wall => (time - $begin) * 1000,
			own => own_ms($self->{backend}) - $own };
	};
}

sub program
{
	my ($command) = @_;
	return sub {
		my @before = times;
		my $begin = time;
		system($command) == 0 or die "failed: $command\n";
		my @after = times;
		return { wall => (time - $begin) * 1000,
			cpu => ($after[2] + $after[3] - $before[2] - $before[3]) * 1000 };
	};
}

# Runs the named measures in turn; returns {name}{what each measure gives}, medians. The first
# round warms.
sub interleaved
{
	my (%measure) = @_;
	my %result;
	for my $run (0 .. $opt{runs})
	{
		for my $name (sort keys %measure)
		{
			my $took = $measure{$name}->();
			next if $run == 0;
			push @{ $result{$name}{$_} }, $took->{$_} for keys %$took;
		}
	}
	for my $name (keys %result)
	{
		$_ = median(@$_) for values %{ $result{$name} };
	}
	return \%result;
}

# --- data ----------------------------------------------------------------------------

# Values of exactly 100 bytes for row numbers up to 7 digits.
sub value_100
{
	my ($i) = @_;
	my $head = "$i,customer $i ";
	my $tail = sprintf ',%d.%02d,2024-%02d-%02d %02d:%02d:%02d+00', $i % 100000, $i % 100,
		1 + $i % 12, 1 + $i % 28, $i % 24, $i % 60, $i * 7 % 60;
	return $head . 'x' x (100 - length($head) - length($tail)) . $tail;
}

sub fill
{
	my ($session, $topic, $count, $value) = @_;
	ask($session, "SELECT kafka.create_topic('$topic', $PARTITIONS)");
	for my $p (0 .. $PARTITIONS - 1)
	{
		open my $kcat, '|-', "kcat -P -b $brokers -t $topic -p $p -X linger.ms=50" or die "kcat: $!\n";
		for (my $i = $p; $i < $count; $i += $PARTITIONS)
		{
			print $kcat $value->($i), "\n";
		}
		close $kcat or die "kcat failed\n";
	}
	my $found = ask($session, "SELECT sum(high - low) FROM kafka.watermarks('$topic')");
	die "topic $topic holds $found messages, not $count\n" if $found != $count;
}

# --- the table -------------------------------------------------------------------------

sub line { printf "%-58s %14s   %s\n", @_ }

sub machine
{
	my ($session) = @_;
	my ($cores) = `nproc` =~ /(\d+)/;
	my ($model) = `cat /proc/cpuinfo` =~ /^model name\s*:\s*(.*)/m;
	my ($kcat) = `kcat -V 2>&1` =~ /(Version.*?\))/s;
	my $version = ask($session, 'SHOW server_version');
	my ($library) = `pkg-config --modversion rdkafka` =~ /(\S+)/;
	chomp $version;
	printf "%d cores, %s; PostgreSQL %s, librdkafka %s; kcat %s\n", $cores, $model // '?', $version,
		$library // '?', $kcat // '?';
	printf "%d messages of 100 bytes in %d partitions, %d runs\n\n", $opt{messages}, $PARTITIONS, $opt{runs};
	return 0 + ($version =~ /^(\d+)/)[0];
}

1;
