# The section "reading" of make bench: scans, point reads, memory.
package Reading;
use strict;
use warnings;
use Bench;
use List::Util qw(max min);
use Time::HiRes qw(time);

our $CSV = 'SELECT count(id), count(name), count(price), count(at) FROM bench_csv';
our $JSON = 'SELECT count(id), count(name), count(price), count(at), count(ok), count(n) FROM bench_json';

sub bare_scan
{
	my ($topic) = @_;
	return sub {
		my ($wall, $cpu) = split ' ', `$work/bare_loop scan $brokers $topic`;
		die "bare_loop failed\n" if $?;
		return { wall => $wall, cpu => $cpu };
	};
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

sub set_up
{
	my ($session, $callgrind) = @_;
	ask($session, "CREATE FOREIGN TABLE bench_csv (id bigint, name text, price numeric, at timestamptz, "
		. "part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset')) "
		. "SERVER kafka OPTIONS (topic 'bench_csv', format 'csv')");
	ask($session, "CREATE FOREIGN TABLE bench_json (id bigint, name text, price numeric, at timestamptz, "
		. "ok boolean, n int) SERVER kafka OPTIONS (topic 'bench_json', format 'json')");
	fill($session, 'bench_csv', $opt{messages}, \&value_100);
	fill($session, 'bench_json', $opt{messages}, \&json_value);
	return if $callgrind;
	for my $topic (qw(memory small))
	{
		ask($session, "CREATE FOREIGN TABLE bench_$topic (value text) "
			. "SERVER kafka OPTIONS (topic 'bench_$topic')");
	}
	fill($session, 'bench_memory', $opt{memory}, \&value_100);
	fill($session, 'bench_small', 100, \&value_100);
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

sub run
{
	my ($session, $major) = @_;
	set_up($session, 0);
	scans($session, $major) if wanted('scans');
	parallel($session) if wanted('parallel');
	points($session) if wanted('points');
	cold() if wanted('cold');
	memory() if wanted('memory');
	growth() if wanted('growth');
}

1;
