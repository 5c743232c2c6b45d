# The section "outbox" of make bench: what sending through an outbox costs the writer, how fast its
# relay is, what it takes. What counts is when a read_committed reader has the messages:
# outbox_probe.c. Debezium's rates are those of its tuned and its exactly-once mode on 2 such cores; it
# is not run here.
package Outbox;
use strict;
use warnings;
use Bench;
use IPC::Open2;
use List::Util qw(min max sum0);
use POSIX ();
use Time::HiRes qw(sleep time);
use Writing;

my ($DEBEZIUM_STEADY, $DEBEZIUM_BACKLOG) = (35_000, 63_000);
# of the clients that write in transactions of 100 rows, and those of one row
my ($CLIENTS, $WRITERS) = (4, 8);
my $PER_TRANSACTION = 100;
my $PATIENCE = 60;
my $MB = 1024 * 1024;

# --- set up --------------------------------------------------------------------------------

# The rows: keys, values of 100 bytes, and a header of the length of the relay's own.
sub set_up
{
	my ($session) = @_;
	my $columns = "key text OPTIONS (meta 'key'), headers kafka.header[] OPTIONS (meta 'headers'), value text";
	for my $topic (qw(bench_outbox bench_direct bench_stream))
	{
		ask($session, "SELECT kafka.create_topic('$topic', $PARTITIONS)");
	}
	ask($session, "CREATE FOREIGN TABLE bench_outbox ($columns) SERVER kafka "
		. "OPTIONS (topic 'bench_outbox', delivery 'outbox')");
	ask($session, "CREATE FOREIGN TABLE bench_direct ($columns) SERVER kafka "
		. "OPTIONS (topic 'bench_direct', delivery 'before_commit')");
	ask($session, 'CREATE UNLOGGED TABLE bench_outbox_rows (key text, headers kafka.header[], value text)');
	ask($session, "INSERT INTO bench_outbox_rows SELECT 'key ' || i, "
		. "ARRAY[ROW('kafka_fdw.id', convert_to(rpad(gen_random_uuid() || '/' || i, 43, '0'), 'UTF8'))::kafka.header], "
		. "rpad('row ' || i || ' ', 100, 'x') FROM generate_series(1, $opt{backlog}) AS i");
	ask($session, 'VACUUM (FREEZE, ANALYZE) bench_outbox_rows');
	# the first message makes the outbox; its relay's start is not what is measured
	ask($session, "SELECT kafka.produce('bench_stream', '0', delivery => 'outbox')");
	ask($session, 'SELECT kafka.wait_for_relay(interval \'30 s\')');
}

sub set
{
	my ($session, $name, $value) = @_;
	ask($session, "ALTER SYSTEM SET $name = $value");
	ask($session, 'SELECT pg_reload_conf()');
	await($session, "$name", "SELECT current_setting('$name') = '$value'");
}

# --- the relay -------------------------------------------------------------------------------

sub await
{
	my ($session, $what, $sql) = @_;
	my $deadline = time + $PATIENCE;
	while (ask($session, $sql) ne "t\n")
	{
		die "still waiting for: $what\n" if time > $deadline;
		sleep 0.02;
	}
}

sub stop
{
	my ($session) = @_;
	ask($session, 'SELECT kafka.stop_relay()');
	await($session, 'the relay to end', 'SELECT pid IS NULL FROM kafka.outbox_status');
}

# Returns its process.
sub start
{
	my ($session) = @_;
	ask($session, 'SELECT kafka.start_relay()');
	await($session, 'the relay', "SELECT pid IS NOT NULL AND state = 'running' FROM kafka.outbox_status");
	return 0 + ask($session, 'SELECT pid FROM kafka.outbox_status');
}

# All is published, and the relay at rest.
sub drain
{
	my ($session) = @_;
	start($session);
	await($session, 'an empty outbox', 'SELECT backlog_rows = 0 FROM kafka.outbox_status');
}

# --- readers -----------------------------------------------------------------------------------

# A program that has said that it is under way.
sub probe
{
	my (@arguments) = @_;
	my $probe = {};
	$probe->{pid} = open2($probe->{out}, my $in, "$work/outbox_probe", @arguments);
	close $in;
	defined readline $probe->{out} or die "outbox_probe failed\n";
	return $probe;
}

sub lines_of
{
	my ($probe) = @_;
	my @lines = readline $probe->{out};
	waitpid $probe->{pid}, 0;
	die "outbox_probe failed\n" if $?;
	return @lines;
}

# A measure of what brings count messages into a topic: wall, from the time that it returns to the
# last message at the reader; and its own, which may be none.
sub until_read
{
	my ($topic, $count, $measure) = @_;
	return sub {
		my $reader = probe('count', $brokers, $topic, $count);
		my ($begin, %took) = $measure->();
		my ($end) = lines_of($reader);
		return { %took, wall => ($end - $begin) * 1000 };
	};
}

# Statements at a rate, and their messages: {p50 p99 max committed lost twice gap ended}.
sub stream
{
	my ($rate, $seconds, $during) = @_;
	my $probe = probe('stream', $brokers, 'bench_stream', $rate, $seconds, $rate > 100 ? $WRITERS : 2,
		q{SELECT kafka.produce('bench_stream', $1::text, delivery => 'outbox')});
	$during->() if $during;
	my %got = map { /^(\w+): (.*)/ ? ($1 => [ split ' ', $2 ]) : () } lines_of($probe);
	my %result;
	@result{qw(p50 p99 max)} = @{ $got{latency} };
	@result{qw(committed unknown seen lost twice)} = @{ $got{messages} };
	@result{qw(gap ended)} = @{ $got{reading} };
	@result{qw(writing_gap writing_ended)} = @{ $got{writing} };
	die "$result{lost} messages lost, $result{twice} twice\n" if $result{lost} || $result{twice};
	return \%result;
}

# --- throughput ----------------------------------------------------------------------------------

sub rate { my ($took, $count) = @_; return $count / $took->{wall} * 1000 }

# Writes in transactions of 100 rows; returns the times of the first and the last COMMIT, s.
sub write_steadily
{
	my ($count) = @_;
	my $transactions = POSIX::ceil($count / $PER_TRANSACTION / $CLIENTS);
	Writing::pgbench('INSERT INTO bench_outbox (key, value) SELECT key, value FROM bench_outbox_rows '
		. "LIMIT $PER_TRANSACTION;",
		'-c', $CLIENTS, '-j', 2, '-t', $transactions, "--log --log-prefix=$work/pgbench_log");
	my @at;
	for my $file (glob "$work/pgbench_log*")
	{
		open my $fh, '<', $file or die "$file: $!\n";
		while (readline $fh)
		{
			my (undef, undef, undef, undef, $s, $fraction) = split;
			push @at, $s + $fraction / 1e6;
		}
	}
	return (min(@at), max(@at));
}

sub steady
{
	my ($session) = @_;
	my $count = $CLIENTS * $PER_TRANSACTION * POSIX::ceil($opt{backlog} / $PER_TRANSACTION / $CLIENTS);
	my $both = until_read('bench_outbox', $count, sub { return (write_steadily($count))[0] });
	my $took = interleaved(
		published => sub { drain($session); ask($session, 'CHECKPOINT'); return $both->() },
		alone => sub {
			stop($session);
			ask($session, 'CHECKPOINT');
			my ($begin, $end) = write_steadily($count);
			return { wall => ($end - $begin) * 1000 };
		});
	drain($session);
	my ($published, $alone) = map { rate($took->{$_}, $count) } qw(published alone);
	line("$count rows, transactions of $PER_TRANSACTION, $CLIENTS clients: written and read",
		sprintf('%.0f rows/s', $published), '');
	line('the same against Debezium', sprintf('%.2f', $published / $DEBEZIUM_STEADY), 'at least 2.5');
	line('the same, relay stopped: written', sprintf('%.0f rows/s', $alone), '');
}

sub fill_outbox
{
	my ($session) = @_;
	stop($session);
	ask($session, 'INSERT INTO bench_outbox (key, value) SELECT key, value FROM bench_outbox_rows');
	ask($session, 'CHECKPOINT');
}

# A statement, from its begin.
sub from_begin
{
	my ($session, $sql) = @_;
	my $measure = statement($session, $sql);
	return sub {
		my $begin = time;
		my $took = $measure->();
		return ($begin, cpu => $took->{cpu}, own => $took->{own});
	};
}

sub backlog
{
	my ($session) = @_;
	my $count = $opt{backlog};
	my $copy = 'INSERT INTO bench_direct (key, %s value) SELECT key, %1$s value FROM bench_outbox_rows';
	my %measure = (
		called => ['bench_outbox', from_begin($session, 'CALL kafka.relay()')],
		worker => ['bench_outbox', from_begin($session, 'SELECT kafka.start_relay()')],
		plain => ['bench_direct', from_begin($session, sprintf $copy, '')],
		headers => ['bench_direct', from_begin($session, sprintf $copy, 'headers,')]);
	my $took = interleaved(map {
		my ($topic, $measure) = @{ $measure{$_} };
		my $read = until_read($topic, $count, $measure);
		$_ => $topic eq 'bench_outbox' ? sub { fill_outbox($session); return $read->() } : $read
	} keys %measure);
	drain($session);
	my %rate = map { $_ => rate($took->{$_}, $count) } keys %$took;
	my %name = (called => "backlog of $count, CALL kafka.relay()", worker => 'the same, kafka.start_relay()',
		plain => 'INSERT ... SELECT, before_commit', headers => 'the same with a header as the relay\'s');
	line("$name{$_}: rate, CPU", sprintf('%.0f rows/s, %.0f ms', $rate{$_}, $took->{$_}{cpu}), '')
		for qw(called plain headers);
	line("$name{worker}: rate", sprintf('%.0f rows/s', $rate{worker}), '');
	line('start_relay against Debezium', sprintf('%.2f', $rate{worker} / $DEBEZIUM_BACKLOG), 'at least 4');
	line('CALL kafka.relay() against Debezium', sprintf('%.2f', $rate{called} / $DEBEZIUM_BACKLOG), 'at least 4');
	line('CALL kafka.relay() against INSERT ... SELECT', sprintf('%.2f', $rate{called} / $rate{plain}), 'at least 0.7');
	line('the same, with a header', sprintf('%.2f', $rate{called} / $rate{headers}), 'at least 0.7');
}

# --- latency -----------------------------------------------------------------------------------

sub latency
{
	my ($session) = @_;
	drain($session);
	my %measure;
	for my $fsync (qw(off on))
	{
		for my $rate (50, 500)
		{
			$measure{"$rate/s, fsync $fsync"} = sub {
				set($session, 'fsync', $fsync);
				return stream($rate, $opt{seconds});
			};
		}
	}
	my $took = interleaved(%measure);
	set($session, 'fsync', 'off');
	line("one-row transactions, $_: p50, p99, max",
		sprintf('%.1f, %.1f, %.0f ms', @{ $took->{$_} }{qw(p50 p99 max)}), 'at most 6, 20 ms')
		for sort keys %measure;
}

# --- faults --------------------------------------------------------------------------------------

# Rows are written all the time; from the signal to the next message that is new.
sub signalled
{
	my ($signal) = @_;
	return sub {
		my $session = session();
		my $relay = start($session);
		finish($session);
		my $at;
		my $took = stream(1000, 12, sub { sleep 3; $at = time; kill $signal, $relay or die "kill: $!\n" });
		return { back => $took->{ended} - $at, writing => $took->{writing_ended} - $at,
			gap => $took->{gap}, writing_gap => $took->{writing_gap} };
	};
}

sub restart
{
	my $took = interleaved('kill -9' => signalled('KILL'), 'SIGTERM' => signalled('TERM'));
	line('kill -9 of the relay at 1,000 rows/s: a new message read after', sprintf('%.2f s', $took->{'kill -9'}{back}),
		'at most 2 s');
	line('the same: writers go on after (PostgreSQL restarts)', sprintf('%.2f s', $took->{'kill -9'}{writing}), '');
	line('SIGTERM of the relay: a new message read after', sprintf('%.2f s', $took->{SIGTERM}{back}), '');
}

# --- what it takes -------------------------------------------------------------------------------

sub rss_line
{
	my ($name, $pid) = @_;
	line("$name: RSS, RssAnon", sprintf('%.1f, %.1f MB', map { status($pid, $_) / 1024 } qw(VmRSS RssAnon)),
		'under 64 MB');
}

sub memory
{
	my ($session) = @_;
	stop($session);
	for (my $count = 0; $count < $opt{drained}; $count += $opt{backlog})
	{
		ask($session, 'INSERT INTO bench_outbox (key, value) SELECT key, value FROM bench_outbox_rows');
	}
	my $pid = start($session);
	drain($session);
	rss_line("relay that has drained $opt{drained} rows", $pid);
	stop($session);
	$pid = start($session);
	rss_line('relay at its start', $pid);
	stream(500, 6 * $opt{seconds});
	rss_line('after ' . 6 * $opt{seconds} . ' s of 500 rows/s', $pid);
}

my $VALUE = "'" . 'x' x 100 . "'::text";

# An ordinary table as outbox_row, with the same columns filled.
sub writer
{
	my ($session) = @_;
	stop($session);
	ask($session, 'CREATE TABLE bench_plain (LIKE kafka.outbox_row INCLUDING DEFAULTS)');
	ask($session, 'CREATE INDEX ON bench_plain (outbox, xid)');
	ask($session, 'CREATE SEQUENCE bench_plain_id');
	my %sql = (
		plain => 'INSERT INTO bench_plain (outbox, xid, id, created, topic, key, value) VALUES (1, pg_current_xact_id(), '
			. "nextval('bench_plain_id'), clock_timestamp(), 'bench_outbox', '\\x6b6579', convert_to($VALUE, 'UTF8'));",
		produce => "SELECT kafka.produce('bench_outbox', $VALUE, 'key', delivery => 'outbox');",
		INSERT => "INSERT INTO bench_outbox (key, value) VALUES ('key', $VALUE);");
	for my $fsync (qw(off on))
	{
		set($session, 'fsync', $fsync);
		my $took = interleaved(map {
			my $measure = Writing::sql_transactions($sql{$_}, $opt{transactions}, $WRITERS);
			$_ => sub { ask($session, 'CHECKPOINT'); return $measure->() }
		} keys %sql);
		line("$WRITERS writers, fsync $fsync, $_: transactions a second, p50",
			sprintf('%.0f, %.2f ms', @{ $took->{$_} }{qw(rate p50)}), '') for qw(plain produce INSERT);
		line("fsync $fsync, $_ against an ordinary table: time",
			sprintf('%.2f', $took->{plain}{rate} / $took->{$_}{rate}), 'at most 1.15') for qw(produce INSERT);
	}
	set($session, 'fsync', 'off');
	drain($session);
}

# CPU of all threads, ms.
sub all_ms
{
	my ($pid) = @_;
	my $ns = 0;
	for my $task (glob "/proc/$pid/task/*/schedstat")
	{
		open my $fh, '<', $task or next;
		$ns += (split ' ', readline($fh) // 0)[0];
	}
	return $ns / 1e6;
}

sub idle
{
	my ($session) = @_;
	drain($session);
	my $relay = start($session);
	# its WAL would be taken for the relay's
	set($session, 'autovacuum', 'off');
	my $launcher = 0 + ask($session, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'kafka_fdw launcher'");
	ask($session, 'CHECKPOINT');
	# what has not been told to the statistics or the log of running transactions yet
	sleep 15;
	my $seconds = 2 * $opt{seconds};
	my ($lsn, @before) = (ask($session, 'SELECT pg_current_wal_insert_lsn()') =~ s/\n//r, map { all_ms($_) } $relay, $launcher);
	sleep $seconds;
	my @after = map { all_ms($_) } $relay, $launcher;
	line("idle for $seconds s, relay, launcher: CPU of a core",
		sprintf('%.2f, %.2f %%', map { ($after[$_] - $before[$_]) / $seconds / 10 } 0, 1), 'under 0.5 %');
	line('the same: WAL', ask($session, "SELECT pg_current_wal_insert_lsn() - '$lsn'") =~ s/\n//r . ' bytes', 'none');
	set($session, 'autovacuum', 'on');
}

my $SIZES = <<'SQL';
SELECT sum(pg_total_relation_size(c.oid)) FILTER (WHERE relname ~ '^outbox_row_\d$'),
	sum(pg_total_relation_size(c.oid)) FILTER (WHERE relname = 'outbox_tick'),
	sum(pg_total_relation_size(c.oid)) FILTER (WHERE relname = 'outbox_lease')
FROM pg_class c WHERE relnamespace = 'kafka'::regnamespace AND relkind = 'r'
SQL

# Nothing is kept; sizes while rows go through.
sub bloat
{
	my ($session) = @_;
	set($session, 'kafka_fdw.outbox_retention', 0);
	drain($session);
	my $writer = fork // die "fork: $!\n";
	if ($writer == 0)
	{
		write_steadily($opt{bloat});
		POSIX::_exit(0);
	}
	my @samples;
	my $next = time;
	while (waitpid($writer, POSIX::WNOHANG()) == 0)
	{
		sleep max(0, ($next += 1) - time);
		push @samples, [ map { $_ / $MB } split /\|/, ask($session, $SIZES) ];
	}
	die "the writer failed\n" if $?;
	drain($session);
	# without the first seconds, in which nothing is old enough to go
	my @of = (splice(@samples, 0, min(15, int(@samples / 3))) , @samples);
	my $half = int(@samples / 2);
	for my $half (['first', @samples[0 .. $half - 1]], ['second', @samples[$half .. $#samples]])
	{
		my ($name, @sizes) = @$half;
		line("$opt{bloat} rows through, $name half: largest outbox_row, tick, lease",
			sprintf('%.0f, %.2f, %.2f MB', map { my $i = $_; max(map { $_->[$i] } @sizes) } 0 .. 2), 'flat');
	}
	set($session, 'kafka_fdw.outbox_retention', 3600);
}

sub run
{
	my $session = session();
	set_up($session);
	steady($session) if wanted('steady');
	backlog($session) if wanted('backlog');
	latency($session) if wanted('latency');
	memory($session) if wanted('memory');
	writer($session) if wanted('writer');
	idle($session) if wanted('idle');
	bloat($session) if wanted('bloat');
	finish($session);
	# PostgreSQL restarts: no session outlives it
	restart() if wanted('restart');
}

1;
