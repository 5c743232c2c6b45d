# The section "pipeline" of make bench: how fast messages get into a table, against COPY of the
# same rows from a file, against kcat and psql, and against INSERT ... SELECT from the foreign table;
# how late they are there; what a worker takes. All tables are ordinary ones, logged, without indexes
# but where it is said, empty at first; CHECKPOINT comes before each run.
package Pipeline;
use strict;
use warnings;
use Bench;
use List::Util qw(max sum0);
use Outbox;
use Reading;
use Time::HiRes qw(sleep time);

my $MB = 1024 * 1024;
# messages a second of the stream whose latency is measured
my $RATE = 1000;
my $PATIENCE = '10 min';
my %COLUMNS = (csv => 'id bigint, name text, price numeric, at timestamptz',
	json => 'id bigint, name text, price numeric, at timestamptz, ok boolean, n int');
my %VALUE = (csv => \&value_100, json => \&Reading::json_value);

# --- set up ---------------------------------------------------------------------------------

# Topic, foreign table and pipeline are bench_load_FORMAT, their rows in a file too; the table is
# loaded_FORMAT.
sub set_up
{
	my ($session, $format) = @_;
	my $name = "bench_load_$format";
	fill($session, $name, $opt{messages}, $VALUE{$format});
	ask($session, "CREATE FOREIGN TABLE $name ($COLUMNS{$format}) SERVER kafka OPTIONS (topic '$name', format '$format')");
	make_table($session, "loaded_$format", $COLUMNS{$format});
	ask($session, "COPY (SELECT * FROM $name) TO '$work/$name' (FORMAT csv)");
	ask($session, "SELECT kafka.create_pipeline('$name', '$name', 'loaded_$format')");
}

# Autovacuum would read what has just been loaded.
sub make_table
{
	my ($session, $table, $columns) = @_;
	ask($session, "CREATE TABLE $table ($columns) WITH (autovacuum_enabled = off)");
}

# --- measures -------------------------------------------------------------------------------

sub wal { my ($session) = @_; return ask($session, 'SELECT pg_current_wal_insert_lsn()') =~ s/\n//r }

sub wal_since
{
	my ($session, $lsn) = @_;
	return 0 + ask($session, "SELECT pg_current_wal_insert_lsn() - '$lsn'");
}

# A measure that must fill the table; what it takes besides, its WAL too.
sub filling
{
	my ($session, $format, $measure) = @_;
	my $table = "loaded_$format";
	return sub {
		ask($session, "TRUNCATE $table");
		ask($session, 'CHECKPOINT');
		my $lsn = wal($session);
		my $took = $measure->();
		$took->{wal} = wal_since($session, $lsn);
		my $found = ask($session, "SELECT count(*) FROM $table");
		die "$found rows in $table, not $opt{messages}\n" if $found != $opt{messages};
		return $took;
	};
}

sub called
{
	my ($session, $format) = @_;
	my $measure = statement($session, "CALL kafka.run_pipeline('bench_load_$format')");
	return sub {
		ask($session, "SELECT kafka.seek_pipeline('bench_load_$format', 'earliest')");
		return $measure->();
	};
}

sub workers
{
	my ($session, $name) = @_;
	return map { 0 + $_ } split /\n/,
		ask($session, "SELECT pid FROM kafka.workers WHERE pipeline = '$name' AND pid IS NOT NULL ORDER BY slot");
}

sub stop
{
	my ($session, $name) = @_;
	ask($session, "SELECT kafka.stop_pipeline('$name')");
	Outbox::await($session, "the workers of $name to end",
		"SELECT count(*) = 0 FROM kafka.workers WHERE pipeline = '$name' AND pid IS NOT NULL");
}

# That many workers, at rest at the topic's end.
sub start
{
	my ($session, $name, $count) = @_;
	ask($session, "SELECT kafka.alter_pipeline('$name', parallelism => $count)");
	ask($session, "SELECT kafka.start_pipeline('$name')");
	Outbox::await($session, "$count workers of $name", "SELECT count(*) = $count FROM kafka.workers "
		. "WHERE pipeline = '$name' AND state = 'running'");
	ask($session, "SELECT kafka.wait_for_pipeline('$name', '$PATIENCE')");
	sleep 0.5;
	return workers($session, $name);
}

# All of the topic by workers that wait for messages, from a seek to its beginning.
sub worked
{
	my ($session, $format, $count) = @_;
	my $name = "bench_load_$format";
	return sub {
		ask($session, "SELECT kafka.seek_pipeline('$name', 'latest')");
		my @pids = start($session, $name, $count);
		my @before = map { [ cpu_ms($_), own_ms($_) ] } @pids;
		my $begin = time;
		ask($session, "SELECT kafka.seek_pipeline('$name', 'earliest')");
		ask($session, "SELECT kafka.wait_for_pipeline('$name', '$PATIENCE')");
		my $wall = (time - $begin) * 1000;
		my @after = map { [ cpu_ms($_), own_ms($_) ] } @pids;
		stop($session, $name);
		my ($cpu, $own) = map { my $i = $_; sum0(map { $after[$_][$i] - $before[$_][$i] } 0 .. $#pids) } 0, 1;
		return { wall => $wall, cpu => $cpu, own => $own };
	};
}

# --- throughput -----------------------------------------------------------------------------

my %NAMES = (copy => 'COPY from a file', kcat => 'kcat | psql \copy', called => 'CALL kafka.run_pipeline',
	worker => 'one worker', select => 'INSERT ... SELECT');

sub load_lines
{
	my ($took, $format, @names) = @_;
	for my $name (@names)
	{
		my %of = %{ $took->{$name} };
		line("$format, $NAMES{$name}: CPU, wall", sprintf('%.0f, %.0f ms', @of{qw(cpu wall)}), '');
		line('the same: own CPU, WAL a row', sprintf('%.2f us, %.0f bytes', 1000 * $of{own} / $opt{messages},
			$of{wal} / $opt{messages}), '') if defined $of{own};
	}
}

sub load
{
	my ($session) = @_;
	my %target = (csv => 'at least 0.65', json => 'at least 0.45');
	for my $format (qw(csv json))
	{
		my ($topic, $table) = ("bench_load_$format", "loaded_$format");
		my %measure = (copy => statement($session, "COPY $table FROM '$work/$topic' (FORMAT csv)"),
			called => called($session, $format), worker => worked($session, $format, 1),
			select => statement($session, "INSERT INTO $table SELECT * FROM $topic"));
		$measure{kcat} = program("kcat -C -b $brokers -t $topic -o beginning -e -q | "
			. "psql -X -q -c '\\copy $table from stdin csv'") if $format eq 'csv';
		my $took = interleaved(map { $_ => filling($session, $format, $measure{$_}) } keys %measure);
		load_lines($took, $format, grep { $measure{$_} } qw(copy kcat select called worker));
		my $rate = sub { sprintf '%.2f', $took->{ $_[1] }{wall} / $took->{ $_[0] }{wall} };
		line("$format, $NAMES{$_}: rate against COPY", $rate->($_, 'copy'), $target{$format}) for qw(worker called);
		line("$format, $NAMES{$_}: rate against COPY", $rate->($_, 'copy'), '') for grep { $measure{$_} } qw(kcat select);
		line('one worker: rate against kcat | psql', $rate->('worker', 'kcat'), 'at least 1.9') if $measure{kcat};
	}
}

# What more cores should give: the workers do not wait for each other, so W of them have W times
# their own thread's rate where there are cores for their CPU, and for the broker's.
sub parallel
{
	my ($session) = @_;
	for my $format (qw(csv json))
	{
		my $took = interleaved(map { ("workers_$_" => filling($session, $format, worked($session, $format, $_))) } 1, 2);
		my ($one, $two) = @{$took}{qw(workers_1 workers_2)};
		for (["one worker", $one], ["two workers", $two])
		{
			my ($name, $of) = @$_;
			line("$format, $name: CPU, wall", sprintf('%.0f, %.0f ms', @$of{qw(cpu wall)}), '');
			line('the same: CPU a row in all, own thread', sprintf('%.2f, %.2f us',
				map { 1000 * $of->{$_} / $opt{messages} } qw(cpu own)), '');
		}
		line("$format, two workers: rate against one", sprintf('%.2f', $one->{wall} / $two->{wall}), 'at least 1.2');
	}
}

# --- latency --------------------------------------------------------------------------------

# {p50 p99 max}: from the call that sends a message to the result of a query that has its row.
sub stream
{
	my $probe = Outbox::probe('loaded', $brokers, 'bench_arrive', $RATE, $opt{seconds},
		'SELECT place, id FROM arrived WHERE place > $1::bigint ORDER BY place');
	my %got = map { /^(\w+): (.*)/ ? ($1 => [ split ' ', $2 ]) : () } Outbox::lines_of($probe);
	my ($sent, undef, $seen, $lost, $twice) = @{ $got{messages} };
	die "$lost of $sent messages lost, $twice twice\n" if $lost || $twice || $seen != $sent;
	my %result;
	@result{qw(p50 p99 max)} = @{ $got{latency} };
	return \%result;
}

sub latency
{
	my ($session) = @_;
	ask($session, "SELECT kafka.create_topic('bench_arrive', $PARTITIONS)");
	ask($session, "CREATE FOREIGN TABLE bench_arrive (id bigint, padding text) SERVER kafka "
		. "OPTIONS (topic 'bench_arrive', format 'csv')");
	make_table($session, 'arrived', 'id bigint, padding text, place bigserial');
	ask($session, 'CREATE INDEX ON arrived (place)');
	ask($session, "SELECT kafka.create_pipeline('bench_arrive', 'bench_arrive', 'arrived', batch_interval => '100 ms')");
	start($session, 'bench_arrive', 1);
	my $took = interleaved(map {
		my $fsync = $_;
		$fsync => sub {
			Outbox::set($session, 'fsync', $fsync);
			ask($session, 'TRUNCATE arrived RESTART IDENTITY');
			return stream();
		}
	} qw(off on));
	Outbox::set($session, 'fsync', 'off');
	line("$RATE messages a second, batch_interval 100 ms, fsync $_: p50, p99, max",
		sprintf('%.0f, %.0f, %.0f ms', @{ $took->{$_} }{qw(p50 p99 max)}), 'p99 at most 250 ms') for qw(off on);
	stop($session, 'bench_arrive');
}

# --- what it takes ----------------------------------------------------------------------------

my $SIZES = "SELECT pg_total_relation_size('kafka.pipeline_offset'), pg_total_relation_size('kafka.pipeline_state')";

# Messages loaded, RSS and private memory of the worker, MB; bytes of the tables.
sub look
{
	my ($session, $pid) = @_;
	my $loaded = 0 + ask($session, "SELECT messages FROM kafka.pipelines WHERE name = 'bench_load_csv'");
	return [ $loaded, map({ status($pid, $_) / 1024 } qw(VmRSS RssAnon)), split(/\|/, ask($session, $SIZES) =~ s/\n//r) ];
}

# While one worker loads all of the topic.
sub growth
{
	my ($session) = @_;
	my $name = 'bench_load_csv';
	ask($session, 'TRUNCATE loaded_csv');
	ask($session, "SELECT kafka.seek_pipeline('$name', 'latest')");
	my ($pid) = start($session, $name, 1);
	my @looks = look($session, $pid);
	my $begin = $looks[0][0];
	ask($session, "SELECT kafka.seek_pipeline('$name', 'earliest')");
	do
	{
		sleep 0.2;
		push @looks, look($session, $pid);
	} until $looks[-1][0] >= $begin + $opt{messages};
	for my $share (0.1, 0.5, 1)
	{
		my ($at) = grep { $_->[0] - $begin >= $share * $opt{messages} } @looks;
		line(sprintf('%d messages loaded: RSS, RssAnon', $at->[0] - $begin),
			sprintf('%.1f, %.1f MB', @$at[1, 2]), $share < 1 ? '' : 'flat');
	}
	ask($session, "SELECT kafka.wait_for_pipeline('$name', '$PATIENCE')");
	line('lag at the end', ask($session, "SELECT lag FROM kafka.pipelines WHERE name = '$name'") =~ s/\n//r, '0');
	for (['pipeline_offset', 3], ['pipeline_state', 4])
	{
		my ($table, $i) = @$_;
		my @kb = map { $_->[$i] / 1024 } @looks;
		line("kafka.$table with its indexes: before, highest, at the end",
			sprintf('%.0f, %.0f, %.0f kB', $kb[0], max(@kb), $kb[-1]), 'flat');
	}
	stop($session, $name);
}

# Of a worker that waits at the end of a topic.
sub idle
{
	my ($session) = @_;
	my $name = 'bench_load_csv';
	ask($session, "SELECT kafka.seek_pipeline('$name', 'latest')");
	my ($pid) = start($session, $name, 1);
	# its WAL would be taken for the worker's
	Outbox::set($session, 'autovacuum', 'off');
	ask($session, 'CHECKPOINT');
	# what has not been told to the statistics or the log of running transactions yet
	sleep 15;
	my $seconds = 2 * $opt{seconds};
	my ($lsn, $before) = (wal($session), Outbox::all_ms($pid));
	sleep $seconds;
	my $after = Outbox::all_ms($pid);
	line("one worker idle for $seconds s: CPU of a core", sprintf('%.2f %%', ($after - $before) / $seconds / 10), '');
	line('the same: WAL', wal_since($session, $lsn) . ' bytes', 'none');
	Outbox::set($session, 'autovacuum', 'on');
	stop($session, $name);
}

sub run
{
	my $session = session();
	set_up($session, 'csv');
	set_up($session, 'json') if wanted('load') || wanted('parallel');
	load($session) if wanted('load');
	parallel($session) if wanted('parallel');
	latency($session) if wanted('latency');
	growth($session) if wanted('growth');
	idle($session) if wanted('idle');
	finish($session);
}

1;
