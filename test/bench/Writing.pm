# The section "writing" of make bench: statements of many rows, transactions of one row, many
# sessions, memory. Bare figures are those of bare_producer.c; that all messages arrived is
# checked by the topic's offsets.
package Writing;
use strict;
use warnings;
use Bench;
use List::Util qw(max sum0);
use Time::HiRes qw(sleep time);

my $WARM_UPS = 20;
my $VALUE = "'" . 'x' x 100 . "'::text";
my $bindir = `$ENV{PG_CONFIG} --bindir` =~ s/\s+$//r;

# --- set up ------------------------------------------------------------------------------

my @MODES = qw(immediate before_commit);

sub set_up
{
	my ($session) = @_;
	for my $topic (qw(bulk single calls))
	{
		ask($session, "SELECT kafka.create_topic('bench_$topic', $PARTITIONS)");
		ask($session, "CREATE FOREIGN TABLE bench_${topic}_$_ (value text) "
			. "SERVER kafka OPTIONS (topic 'bench_$topic', delivery '$_')") for @MODES;
	}
}

# The same rows as a table, warm and without hint bits to set, and as a file.
sub make_rows
{
	my ($session) = @_;
	ask($session, 'CREATE UNLOGGED TABLE bench_rows (value text)');
	ask($session, "INSERT INTO bench_rows SELECT rpad('row ' || i || ' ', 100, 'x') "
		. "FROM generate_series(1, $opt{messages}) AS i");
	ask($session, 'VACUUM (FREEZE, ANALYZE) bench_rows');
	ask($session, 'CHECKPOINT');
	ask($session, "COPY bench_rows TO '$work/rows'");
}

# No row of a function scan is kept, and the values are constant: nearly nothing but the sends.
sub insert_series
{
	my ($table, $count) = @_;
	return "INSERT INTO $table SELECT $VALUE FROM (SELECT generate_series(1, $count)) AS s";
}

sub calls_series
{
	my ($mode, $count) = @_;
	return "SELECT count(kafka.produce('bench_calls', $VALUE, delivery => '$mode')) "
		. "FROM (SELECT generate_series(1, $count)) AS s";
}

# --- measures ----------------------------------------------------------------------------

sub end_of
{
	my ($session, $topic) = @_;
	return 0 + ask($session, "SELECT sum(high) FROM kafka.watermarks('$topic')");
}

# A measure that must add count messages to the topic; a transaction's end is a message, too, and
# others may see it some ms late.
sub adding
{
	my ($session, $topic, $count, $measure) = @_;
	return sub {
		my $before = end_of($session, $topic);
		my $took = $measure->();
		my $deadline = time + 2;
		my $added;
		while (($added = end_of($session, $topic) - $before) < $count && time < $deadline) { sleep 0.01 }
		die "$added messages arrived in $topic, not $count\n"
			if $added < $count || $added > $count + $PARTITIONS;
		return $took;
	};
}

sub bare_bulk
{
	my ($topic, $call) = @_;
	return sub {
		my ($wall, $cpu) = split ' ', `$work/bare_producer bulk $brokers $topic $opt{messages} 100 $call`;
		die "bare_producer failed\n" if $?;
		return { wall => $wall, cpu => $cpu };
	};
}

# Transactions of one message: {p50, p99, max, rate}, ms and a second.
sub bare_transactions
{
	my ($count, $pause, $processes) = @_;
	return sub {
		my %took;
		@took{qw(p50 p99 max rate)} = split ' ',
			`$work/bare_producer transactions $brokers bench_single $count bench $pause $processes`;
		die "bare_producer failed\n" if $?;
		return \%took;
	};
}

# Runs a script with new logs.
sub pgbench
{
	my ($sql, @arguments) = @_;
	open my $fh, '>', "$work/script.sql" or die "script.sql: $!\n";
	print $fh "$sql\n";
	close $fh;
	unlink glob "$work/pgbench_log*";
	my $out = `$bindir/pgbench -n -M prepared -f $work/script.sql @arguments 2>&1`;
	die "pgbench failed: $out\n" if $?;
}

# The same by pgbench: count transactions in each session, after some to warm up.
sub sql_transactions
{
	my ($sql, $count, $sessions) = @_;
	return sub {
		pgbench($sql, '-c', $sessions, '-j', $sessions > 1 ? 2 : 1, '-t', $count + $WARM_UPS,
			"--log --log-prefix=$work/pgbench_log");
		my (@times, %begin, %end);
		for my $file (glob "$work/pgbench_log*")
		{
			open my $fh, '<', $file or die "$file: $!\n";
			while (readline $fh)
			{
				my ($client, $number, $us, undef, $s, $fraction) = split;
				my $at = $s + $fraction / 1e6;
				$end{$client} = $at;
				# pgbench counts from 0 or 1, by version
				if (++$begin{$client}{seen} <= $WARM_UPS) { $begin{$client}{at} = $at; next }
				push @times, $us / 1000;
			}
		}
		die "pgbench ran " . @times . " transactions\n" if @times != $count * $sessions;
		return { latencies(@times),
			rate => sum0(map { $count / ($end{$_} - $begin{$_}{at}) } keys %end) };
	};
}

sub latencies
{
	return (p50 => percentile(50, @_), p99 => percentile(99, @_), max => max(@_));
}

# The same with a pause after each, in psql, which takes the time itself.
sub paused_transactions
{
	my ($sql, $count, $pause) = @_;
	my $session = session();
	ask($session, "PREPARE send AS $sql");
	ask($session, "\\timing on\nSELECT 1");
	my $once = sub {
		print { $session->{in} } "EXECUTE send;\n";
		while (defined(my $line = readline $session->{out}))
		{
			return $1 if $line =~ /^Time: ([\d.]+) ms/;
		}
		die "failed: $sql\n";
	};
	return sub {
		my @times = map { sleep $pause / 1000; $once->() } 1 .. $count + $WARM_UPS;
		return { latencies(@times[$WARM_UPS .. $#times]), rate => 0 };
	};
}

# Highest private memory of the backend during a statement, MB, without shared buffers.
sub peak_memory
{
	my ($session, $sql) = @_;
	pipe my $stop, my $running or die "pipe: $!\n";
	my $sampler = open(my $result, '-|') // die "fork: $!\n";
	if ($sampler == 0)
	{
		close $running;
		my ($peak, $ready) = (0, '');
		do
		{
			$peak = max($peak, status($session->{backend}, 'VmRSS') - status($session->{backend}, 'RssShmem'));
			vec($ready, fileno $stop, 1) = 1;
		} until select $ready, undef, undef, 0.01;
		print "$peak\n";
		close STDOUT;
		require POSIX;
		POSIX::_exit(0);
	}
	close $stop;
	ask($session, $sql);
	close $running;
	my $peak = readline $result;
	close $result;
	return $peak / 1024;
}

# --- the figures -------------------------------------------------------------------------

my $SEND = 'SELECT kafka.produce(\'bench_single\', ' . $VALUE . ', delivery => \'%s\')';
my $INSERT = "INSERT INTO bench_single_%s VALUES ($VALUE)";

sub bulk
{
	my ($session) = @_;
	make_rows($session);
	my $add = sub { my ($measure) = @_; return adding($session, 'bench_bulk', $opt{messages}, $measure) };
	my $kcat = sub { return $add->(program("kcat -P -b $brokers -t bench_bulk -X $_[0] -l $work/rows")) };
	# bare with rd_kafka_produce, barev with rd_kafka_producev
	my %measure = (bare => bare_bulk('bench_bulk', 'produce'), barev => bare_bulk('bench_bulk', 'producev'),
		kcat => $kcat->('acks=all'), kcat_idempotent => $kcat->('enable.idempotence=true'));
	for my $mode (@MODES)
	{
		my $table = "bench_bulk_$mode";
		$measure{"$mode series"} = $add->(statement($session, insert_series($table, $opt{messages})));
		$measure{"$mode table"} = $add->(statement($session, "INSERT INTO $table SELECT value FROM bench_rows"));
		$measure{"$mode COPY"} = $add->(statement($session, "COPY $table FROM '$work/rows'"));
	}
	my $took = interleaved(%measure);
	for my $name ('bare', 'barev', 'kcat', 'kcat_idempotent', map { ("$_ series", "$_ table", "$_ COPY") } @MODES)
	{
		line("$name: CPU, wall", sprintf('%.0f, %.0f ms', @{ $took->{$name} }{qw(cpu wall)}), '');
	}
	my $rate = sub { sprintf '%.2f', $took->{ $_[1] }{wall} / $took->{ $_[0] }{wall} };
	for (['immediate', 0.8], ['before_commit', 0.6])
	{
		my ($mode, $target) = @$_;
		line("$mode, from a series: rate against bare", $rate->("$mode series", 'bare'), "at least $target");
		line("$mode, from a table: rate against bare", $rate->("$mode table", 'bare'), "at least $target");
	}
	line('immediate, from a table: rate against kcat', $rate->('immediate table', 'kcat'), 'at least 1');
	line('the same against kcat, idempotent', $rate->('immediate table', 'kcat_idempotent'), '');
	line("$_: rate of COPY against INSERT from a table", $rate->("$_ COPY", "$_ table"), 'at least 1') for @MODES;
}

sub memory
{
	for my $mode (@MODES)
	{
		my $session = session();
		ask($session, insert_series("bench_bulk_$mode", 10));
		my $idle = status($session->{backend}, 'VmRSS') - status($session->{backend}, 'RssShmem');
		my $begin = time;
		my $peak = peak_memory($session, insert_series("bench_bulk_$mode", $opt{rows}));
		line("$mode, INSERT of $opt{rows} rows: RSS before, peak",
			sprintf('%.0f, %.0f MB', $idle / 1024, $peak), 'under 100 MB');
		line('the same: time', sprintf('%.1f s', time - $begin), '');
		finish($session);
	}
}

sub latency_lines
{
	my ($took, $bare, @names) = @_;
	line("$_: p50, p99, max", sprintf('%.2f, %.2f, %.0f ms', @{ $took->{$_} }{qw(p50 p99 max)}), '')
		for $bare, @names;
	for my $name (grep { !/nothing|immediate/ } @names)
	{
		line("$name: p50 against bare", sprintf('%.2f', $took->{$name}{p50} / $took->{$bare}{p50}), 'at most 1.2');
		line("$name: p99 against bare", sprintf('%.2f', $took->{$name}{p99} / $took->{$bare}{p99}),
			$name =~ /apart/ ? '' : 'below 1');
	}
}

sub transactions
{
	my $took = interleaved('bare' => bare_transactions($opt{transactions}, 0, 1),
		'produce' => sql_transactions(sprintf("$SEND;", 'before_commit'), $opt{transactions}, 1),
		'INSERT' => sql_transactions(sprintf("$INSERT;", 'before_commit'), $opt{transactions}, 1),
		'produce, immediate' => sql_transactions(sprintf("$SEND;", 'immediate'), $opt{transactions}, 1),
		'nothing (SELECT 1)' => sql_transactions('SELECT 1;', $opt{transactions}, 1));
	latency_lines($took, 'bare', 'produce', 'INSERT', 'produce, immediate', 'nothing (SELECT 1)');
	$took = interleaved('bare, 2 ms apart' => bare_transactions($opt{transactions}, 2, 1),
		'produce, 2 ms apart' => paused_transactions(sprintf($SEND, 'before_commit'), $opt{transactions}, 2),
		'INSERT, 2 ms apart' => paused_transactions(sprintf($INSERT, 'before_commit'), $opt{transactions}, 2));
	latency_lines($took, 'bare, 2 ms apart', 'produce, 2 ms apart', 'INSERT, 2 ms apart');
}

sub sessions
{
	my ($n, $count) = ($opt{sessions}, max(50, int($opt{transactions} / 5)));
	my $took = interleaved(bare => bare_transactions($count, 0, $n),
		map { $_ => sql_transactions(sprintf("$SEND;", $_), $count, $n) } @MODES);
	line("$n sessions, $_: transactions a second, p50, p99",
		sprintf('%.0f, %.1f, %.1f ms', @{ $took->{$_} }{qw(rate p50 p99)}), '') for 'bare', @MODES;
	line('before_commit: rate against bare', sprintf('%.2f', $took->{before_commit}{rate} / $took->{bare}{rate}),
		'at least 0.8');
}

# What the extension costs transactions that do not send: in a session without it, one that has
# loaded it, one that has sent. CPU of transactions that run within the server: a client's time
# depends more on which core it wakes up on.
sub idle
{
	my %session = map { $_ => session() } qw(without loaded sent);
	ask($session{loaded}, q(LOAD '$libdir/kafka_fdw'));
	ask($session{sent}, sprintf($SEND, 'before_commit'));
	my $took = interleaved(map {
		$_ => statement($session{$_},
			"DO \$\$ BEGIN FOR i IN 1 .. $opt{idle} LOOP PERFORM 1; COMMIT; END LOOP; END \$\$")
	} keys %session);
	finish($_) for values %session;
	line('transaction without sends, without the extension: own CPU',
		sprintf('%.2f us', 1000 * $took->{without}{own} / $opt{idle}), '');
	line('with it against without', sprintf('%.2f', $took->{loaded}{own} / $took->{without}{own}), 'about 1');
	line('in a session that has sent', sprintf('%.2f', $took->{sent}{own} / $took->{without}{own}), 'about 1');
}

sub calls
{
	my ($session) = @_;
	my %count = (before_commit => $opt{calls}, immediate => max(100, int($opt{calls} / 10)));
	my $took = interleaved(map {
		$_ => adding($session, 'bench_calls', $count{$_}, statement($session, calls_series($_, $count{$_})))
	} @MODES);
	for my $mode (@MODES)
	{
		my @us = map { 1000 * $took->{$mode}{$_} / $count{$mode} } qw(wall own);
		line("$count{$mode} calls of produce, $mode: wall, own CPU", sprintf('%.2f, %.2f us', @us), '');
	}
}

sub run
{
	my ($session) = @_;
	set_up($session);
	bulk($session) if wanted('bulk');
	calls($session) if wanted('calls');
	transactions() if wanted('transactions');
	sessions() if wanted('sessions');
	idle() if wanted('idle');
	memory() if wanted('memory');
}

1;
