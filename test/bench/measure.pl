#!/usr/bin/env perl
# The measuring half of test/bench/run, which has started PostgreSQL and Kafka. Prints one
# table: figure, value, target. Every figure is the median of several runs, and those that
# are compared take turns, so that a noisy moment meets both.
use strict;
use warnings;
use IO::Handle;
use IPC::Open2;
use List::Util qw(max min);
use Time::HiRes qw(time);

my $callgrind = grep { $_ eq '--callgrind' } @ARGV;
my %opt = (messages => $callgrind ? 20000 : 1_000_000, runs => 5, points => 1000, scans => 1000,
	memory => 2_000_000);
for (grep { $_ ne '--callgrind' } @ARGV)
{
	my ($name, $value) = /^(\w+)=(\d+)$/ or die "not NAME=NUMBER: $_\n";
	die "unknown name: $name\n" unless exists $opt{$name};
	$opt{$name} = $value;
}
my ($work, $brokers) = @ENV{qw(BENCH_WORK KAFKA_BROKERS)};
my $PARTITIONS = 4;
my $CSV = 'SELECT count(id), count(name), count(price), count(at) FROM bench_csv';
my $JSON = 'SELECT count(id), count(name), count(price), count(at), count(ok), count(n) FROM bench_json';

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

sub bare_scan
{
	my ($topic) = @_;
	return sub {
		my ($wall, $cpu) = split ' ', `$work/bare_loop scan $brokers $topic`;
		die "bare_loop failed\n" if $?;
		return { wall => $wall, cpu => $cpu };
	};
}

# Runs the named measures in turn; returns {name}{cpu,wall,own}, medians. The first round warms.
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
			push @{ $result{$name}{$_} }, $took->{$_} // 0 for qw(cpu wall own);
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
sub csv_value
{
	my ($i) = @_;
	my $head = "$i,customer $i ";
	my $tail = sprintf ',%d.%02d,2024-%02d-%02d %02d:%02d:%02d+00', $i % 100000, $i % 100,
		1 + $i % 12, 1 + $i % 28, $i % 24, $i % 60, $i * 7 % 60;
	return $head . 'x' x (100 - length($head) - length($tail)) . $tail;
}

sub json_value
{
	my ($i) = @_;
	my $head = "{\"id\":$i,\"name\":\"c";
	my $tail = sprintf '","price":%d.%02d,"at":"2024-%02d-%02dT%02d:%02d:%02dZ","ok":%s,"n":%d}',
		$i % 10000, $i % 100, 1 + $i % 12, 1 + $i % 28, $i % 24, $i % 60, $i * 7 % 60,
		$i % 2 ? 'true' : 'false', $i % 100;
	return $head . 'y' x (100 - length($head) - length($tail)) . $tail;
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

sub set_up
{
	my ($session) = @_;
	ask($session, "CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw "
		. "OPTIONS (bootstrap_servers '$brokers')");
	ask($session, "CREATE FOREIGN TABLE bench_csv (id bigint, name text, price numeric, at timestamptz, "
		. "part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset')) "
		. "SERVER kafka OPTIONS (topic 'bench_csv', format 'csv')");
	ask($session, "CREATE FOREIGN TABLE bench_json (id bigint, name text, price numeric, at timestamptz, "
		. "ok boolean, n int) SERVER kafka OPTIONS (topic 'bench_json', format 'json')");
	fill($session, 'bench_csv', $opt{messages}, \&csv_value);
	fill($session, 'bench_json', $opt{messages}, \&json_value);
	return if $callgrind;
	for my $topic (qw(memory small))
	{
		ask($session, "CREATE FOREIGN TABLE bench_$topic (value text) "
			. "SERVER kafka OPTIONS (topic 'bench_$topic')");
	}
	fill($session, 'bench_memory', $opt{memory}, \&csv_value);
	fill($session, 'bench_small', 100, \&csv_value);
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

sub scans
{
	my ($session, $major) = @_;
	my $took = interleaved(
		count => statement($session, 'SELECT count(*) FROM bench_csv'),
		count_json => statement($session, 'SELECT count(*) FROM bench_json'),
		csv => statement($session, $CSV),
		json => statement($session, $JSON),
		kcat => program("kcat -C -b $brokers -t bench_csv -o beginning -e -q >/dev/null"),
		kcat_json => program("kcat -C -b $brokers -t bench_json -o beginning -e -q >/dev/null"),
		bare => bare_scan('bench_csv'));
	my $us = sub { 1000 * $took->{$_[0]}{cpu} / $opt{messages} };
	# count(*) alone is no measure of the fetch: as it is faster, it sleeps and is woken more
	# often, and librdkafka's threads with it. So the difference is too little, and the whole of
	# the backend's own thread, which also takes the messages, too much: the target is for that.
	my $above = sub {
		my ($name, $count) = @_;
		return sprintf('%.2f to %.2f us', $us->($name) - $us->($count),
			1000 * $took->{$name}{own} / $opt{messages});
	};
	for my $name (qw(count csv json bare kcat))
	{
		line("$name: CPU, wall", sprintf('%.0f, %.0f ms', @{ $took->{$name} }{qw(cpu wall)}), '');
	}
	line('count(*): CPU against kcat', sprintf('%.2f', $took->{count}{cpu} / $took->{kcat}{cpu}), 'at most 1.1');
	line('count(*): wall against a bare loop', sprintf('%.2f', $took->{count}{wall} / $took->{bare}{wall}),
		'at most 1.3');
	line('csv, 4 columns: CPU a row in all', sprintf('%.2f us', $us->('csv')), 'at most 0.9 us');
	line('csv, 4 columns: CPU a row above the fetch', $above->('csv', 'count'), '');
	line('csv, 4 columns: CPU against kcat', sprintf('%.2f', $took->{csv}{cpu} / $took->{kcat}{cpu}), '');
	line('json, 6 columns: CPU a row above the fetch', $above->('json', 'count_json'),
		'at most ' . ($major >= 17 ? '1.0' : '1.15') . ' us');
	line('json, 6 columns: CPU against kcat', sprintf('%.2f', $took->{json}{cpu} / $took->{kcat_json}{cpu}), '');
}

sub parallel
{
	my ($session) = @_;
	my $set = sub { "SET max_parallel_workers_per_gather = $_[0]; SET parallel_setup_cost = 0; "
		. 'SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0' };
	ask($session, $set->(2));
	if (ask($session, "EXPLAIN $JSON") !~ /Gather/)
	{
		ask($session, $set->(0));
		line('json, 2 workers: wall against none', 'not applicable', 'at most 0.8; the plan is not parallel');
		return;
	}
	my %with = map { my $n = $_; ("workers_$n" => sub {
		ask($session, $set->($n)); return statement($session, $JSON)->() }) } 0, 2;
	my $took = interleaved(%with);
	ask($session, $set->(0));
	line('json, 2 workers: wall against none',
		sprintf('%.2f', $took->{workers_2}{wall} / $took->{workers_0}{wall}), 'at most 0.8');
}

sub points
{
	my ($session) = @_;
	my $read = sub {
		my ($p, $o) = (int(rand $PARTITIONS), int(rand($opt{messages} / $PARTITIONS)));
		my $begin = time;
		my $found = ask($session, "SELECT count(id) FROM bench_csv WHERE part = $p AND offs = $o");
		die "partition $p offset $o: $found rows\n" if $found != 1;
		return (time - $begin) * 1000;
	};
	srand 1;
	$read->() for 1 .. 5;
	my @times = map { $read->() } 1 .. $opt{points};
	# bare statements over the same pipe: what psql and this script take themselves
	my @idle = map { my $begin = time; ask($session, 'SELECT 1'); (time - $begin) * 1000 } 1 .. 200;
	my %bare = map { $_ => [ split ' ', `$work/bare_loop point $brokers bench_csv $opt{points} $_` ] }
		qw(reused fresh);
	my ($median, $p99) = (median(@times), percentile(99, @times));
	line('point read, warm: median, p99', sprintf('%.2f, %.2f ms', $median, $p99), 'median at most 2 ms');
	line('of it psql and its pipe', sprintf('%.2f ms', median(@idle)), '');
	line("bare fetch, $_ handle: median, p99", sprintf('%.2f, %.2f ms', @{ $bare{$_} }), '') for qw(reused fresh);
	line('point read against the faster bare fetch',
		sprintf('%.2f', $median / min(map { $_->[0] } values %bare)), 'at most 3');
}

sub cold
{
	my @times = map {
		my $session = session();
		my $begin = time;
		ask($session, 'SELECT count(id) FROM bench_csv WHERE part = 0 AND offs = 0');
		my $took = (time - $begin) * 1000;
		finish($session);
		$took;
	} 1 .. 10;
	line('first statement of a connection: median, worst', sprintf('%.0f, %.0f ms', median(@times), max(@times)),
		'at most 60 ms');
}

sub memory
{
	my $session = session();
	my $pid = $session->{backend};
	ask($session, 'SELECT count(*) FROM bench_memory');
	line("memory, count(*) of $opt{memory} messages: highest RSS", sprintf('%.1f MB', status($pid, 'VmHWM') / 1024),
		'under 64 MB');
	ask($session, 'SELECT count(value) FROM bench_memory');
	line('the same with the value', sprintf('%.1f MB', status($pid, 'VmHWM') / 1024), 'under 64 MB');
	finish($session);
}

sub growth
{
	my $session = session();
	my $pid = $session->{backend};
	my $look = sub { [ status($pid, 'VmRSS') / 1024, status($pid, 'Threads'), descriptors($pid) ] };
	ask($session, 'SELECT count(value) FROM bench_small') for 1 .. 50;
	my $before = $look->();
	ask($session, 'SELECT count(value) FROM bench_small') for 1 .. $opt{scans};
	my $after = $look->();
	line("RSS, threads, descriptors before $opt{scans} scans", sprintf('%.1f MB, %d, %d', @$before), '');
	line('and after', sprintf('%.1f MB, %d, %d', @$after), 'the same');
	finish($session);
}

# --- callgrind: instructions of a backend, by function --------------------------------------

# A backend of its own under valgrind. Returns instructions by "object: function".
sub instructions
{
	my ($query) = @_;
	my $bindir = `$ENV{PG_CONFIG} --bindir` =~ s/\s+$//r;
	my $out = "$work/callgrind.out";
	unlink glob "$out*";
	system('sh', '-c', "printf '%s\\n' \"\$0\" | valgrind --tool=callgrind --callgrind-out-file=$out "
		. "--separate-threads=yes $bindir/postgres --single -D $work/pg/data postgres "
		. ">$work/single.log 2>&1", $query) == 0 or die `tail $work/single.log`;
	my %count;
	# the first thread is the backend's own; the others are librdkafka's
	for (`callgrind_annotate --threshold=100 --tree=none --auto=no --inclusive=no $out-01`)
	{
		my ($instructions, $function, $object) = m{^\s*([\d,]+)\s.*?\s([^/\s][^\[]*?|/\S*?:[^\[]*?)(?:\s\[(.*)\])?$} or next;
		next if $function =~ /^PROGRAM TOTALS|events annotated/;
		$object = ($object // '?') =~ s{.*/}{}r =~ s/\.so.*//r;
		$function =~ s/^.*://;
		$count{"$object: $function"} += $instructions =~ tr/,//dr;
	}
	return \%count;
}

# The difference of a whole scan and of one that ends with its first row: what a row takes.
sub count_instructions
{
	my $bindir = `$ENV{PG_CONFIG} --bindir` =~ s/\s+$//r;
	system("$bindir/pg_ctl -D $work/pg/data -m fast -w stop >/dev/null") == 0 or die "pg_ctl stop failed\n";
	print "instructions a row, of the backend's own thread\n";
	for (['count(*)', 'SELECT count(*) FROM bench_csv'], ['csv', $CSV], ['json', $JSON])
	{
		my ($name, $query) = @$_;
		my $all = instructions($query);
		my $one = instructions($query =~ s/ FROM (\w+)/ FROM (SELECT * FROM $1 LIMIT 1) AS t/r);
		my ($sum, %object) = 0;
		for my $function (keys %$all)
		{
			$all->{$function} = ($all->{$function} - ($one->{$function} // 0)) / $opt{messages};
			$sum += $all->{$function};
			$object{ $function =~ s/:.*//r } += $all->{$function};
		}
		printf "\n%-12s %6.0f\n", $name, $sum;
		printf "  %6.0f  %s\n", $object{$_}, $_
			for grep { $object{$_} >= 20 } sort { $object{$b} <=> $object{$a} } keys %object;
		my @top = (grep { $all->{$_} >= 20 } sort { $all->{$b} <=> $all->{$a} } keys %$all)[0 .. 17];
		printf "    %6.0f  %s\n", $all->{$_}, $_ for grep { defined } @top;
	}
}

# -------------------------------------------------------------------------------------------

my $session = session();
print STDERR "==> filling topics\n";
set_up($session);
print STDERR "==> measuring\n";
my $major = machine($session);
if ($callgrind)
{
	finish($session);
	count_instructions();
	exit 0;
}
scans($session, $major);
parallel($session);
points($session);
cold();
memory();
growth();
finish($session);
