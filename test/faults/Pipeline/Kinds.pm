# The kinds of faults in the rounds of test/faults/pipeline. Whatever happens, each message is loaded
# once: nothing may be lost or duplicated after any of them.
package Pipeline::Kinds;

use strict;
use warnings;
use Carp qw(croak);
use Faults;
use KafkaFdwTest;
use Time::HiRes qw(time);

our @ISA = qw(Faults);

# A broker of one node that is killed can forget to end a transaction.
my %PLAIN = (chosen => { transactional => 0 });
my %WORKERS = (workers => 1);
my %POISON = (chosen => { poison => 20, on_error => 'dead_letter' });

# name => [what happens, function, needs the proxy, done before producers begin,
#          {chosen => not at random, small_disk => needs one, workers => needs them}]
my %KINDS = (
	none => [ 'nothing', sub { } ],

	# processes
	kill_worker => [ 'kill -9 of a worker', \&kill_worker ],
	kill_launcher => [ 'kill -9 of the launcher', sub { kill_process($_[0], 'launcher_pid') } ],
	kill_postmaster => [ 'kill -9 of the postmaster', \&kill_postmaster ],
	terminate_workers => [ 'pg_terminate_backend of workers', sub { signal_workers($_[0], 'terminate') } ],
	cancel_workers => [ 'pg_cancel_backend of workers', sub { signal_workers($_[0], 'cancel') } ],
	immediate => [ 'immediate shutdown and start', sub { restart($_[0], 'immediate') } ],
	fast => [ 'fast shutdown and start', sub { restart($_[0], 'fast') } ],
	freeze => [ 'a worker is stopped for seconds', \&freeze ],
	freeze_terminate => [ 'a worker is stopped, terminated, goes on', \&freeze_terminate ],
	zombie => [ 'a worker is stopped, the pipeline is changed, stopped and started, it goes on', \&zombie, 0, undef, \%WORKERS ],

	# Kafka, and the way to it
	kill_broker => [ 'kill -9 of a broker, start', \&kill_broker, 0, undef, \%PLAIN ],
	restart_broker => [ 'clean restart of a broker', \&restart_broker, 0, undef, \%PLAIN ],
	pause_broker => [ 'a broker is stopped for seconds', \&pause_broker, 0, undef, \%PLAIN ],
	cut => [ 'connections end, again and again', sub { flap($_[0], 'cut') }, 1 ],
	reset => [ 'connections are reset, again and again', sub { flap($_[0], 'reset') }, 1 ],
	delay => [ 'a slow network', \&delay, 1 ],
	black_hole => [ 'nothing gets through for seconds', \&black_hole, 1 ],
	lost_answer => [ 'requests arrive, their answers do not', \&lost_answer, 1 ],
	short_answer => [ 'connections end after some bytes of answers', sub { limit($_[0], 'downstream') }, 1 ],
	cut_at_step => [ 'a slow network is cut at some step', sub { at_step($_[0], \&cut) }, 1 ],
	kill_at_step => [ 'kill -9 of a worker in a slow network', sub { at_step($_[0], \&kill_worker) }, 1 ],
	broker_at_step => [ 'kill -9 of a broker in a slow network', sub { at_step($_[0], \&kill_broker) }, 1, undef, \%PLAIN ],
	add_partitions => [ 'the topic gets more partitions', \&add_partitions ],

	# a backlog
	kill_in_backlog => [ 'kill -9 of a worker while it loads a backlog', sub { in_backlog($_[0], \&kill_worker) }, 0, undef, \%WORKERS ],
	crash_in_backlog => [ 'immediate shutdown while a backlog is loaded',
		sub { in_backlog($_[0], sub { restart($_[0], 'immediate') }) }, 0, undef, \%WORKERS ],
	stop_in_backlog => [ 'stop_pipeline while a backlog is loaded', sub { in_backlog($_[0], \&stop_start) }, 0, undef, \%WORKERS ],

	# the pipeline
	alter => [ 'alter_pipeline, again and again', \&alter ],
	parallelism => [ 'more workers and fewer, again and again', \&parallelism ],
	handler_and_back => [ 'alter_pipeline from the table to a handler, and back', \&handler_and_back ],
	stop_start => [ 'stop_pipeline and start_pipeline', \&stop_start, 0, undef, \%WORKERS ],
	seek_here => [ 'seek_pipeline to where it stands', \&seek_here ],
	seek_back => [ 'seek_pipeline back, with the rows from there on removed', \&seek_back ],
	recreate => [ 'drop_pipeline, and create_pipeline at the offsets it had', \&recreate, 0, undef, \%WORKERS ],
	foreground => [ 'sessions that run it instead, of which some are killed', \&foreground, 0, undef, \%WORKERS ],

	alter_source => [ 'ALTER of the foreign table and of its server', \&alter_source ],

	# the target
	lock_target => [ 'the target is locked for seconds', \&lock_target ],
	alter_target => [ 'ALTER TABLE, CREATE INDEX, VACUUM FULL of the target', \&alter_target ],
	disk_full => [ 'the disk of the target is full for seconds', \&disk_full, 0, undef, { small_disk => 1 } ],
	poison_storm => [ 'half of the messages fail, then all', \&poison_storm, 0, undef, \%POISON ],
	on_error_stop => [ 'on_error is stop: somebody goes past each message that fails', sub { }, 0, undef,
		{ workers => 1, chosen => { poison => 5, on_error => 'stop', interval => '0', rate => 300 } } ],
	retry => [ 'retry_dead_letters, again and again', \&retry, 0, undef, \%POISON ],

	# copies of the server
	promote => [ 'a standby is promoted, the old primary runs', \&promote, 0, \&standby ],
	lagging => [ 'a standby that lagged is promoted', \&lagging, 0, \&standby ],
	copy_beside => [ 'a base backup is started beside the original', \&copy_beside ],
	cold_copy => [ 'the data directory is copied; both run', \&cold_copy ],
	restore => [ 'an older base backup takes the place of the original', \&restore ],
	dump => [ 'a dump is restored into another database, where it is started, too', \&dump, 0, undef, \%WORKERS ],
);

sub table { return \%KINDS; }

sub worker_pid { my ($round) = @_; return $round->stand->pipeline_pid($round->name); }

# --- processes

sub kill_worker
{
	my ($round) = @_;
	my $pid = worker_pid($round) or return $round->note('no worker');
	kill 'KILL', $pid;
	return;
}

sub signal_workers
{
	my ($round, $how) = @_;
	for (1 .. 4)
	{
		$round->stand->sql("SELECT pg_${how}_backend($_)") for $round->stand->pipeline_pids($round->name);
		$round->pump(between(0.1, 0.6));
	}
	return;
}

sub freeze
{
	my ($round) = @_;
	my $pid = worker_pid($round) or return $round->note('no worker');
	kill 'STOP', $pid;
	$round->pump(rand() < 0.2 ? 11 : between(1, 5));
	kill 'CONT', $pid;
	return;
}

sub freeze_terminate
{
	my ($round) = @_;
	my $pid = worker_pid($round) or return $round->note('no worker');
	kill 'STOP', $pid;
	$round->pump(between(0, 1));
	$round->stand->sql("SELECT pg_terminate_backend($pid)");
	$round->pump(between(0, 2));
	kill 'CONT', $pid;
	return;
}

# The statement waits where the worker is in the middle of a transaction that has stored its offsets.
sub zombie
{
	my ($round) = @_;
	my $pid = worker_pid($round) or return $round->note('no worker');
	kill 'STOP', $pid;
	$round->pump(between(0, 0.5));
	my $session = KafkaFdwTest::session($round->stand->node);
	my $name = $round->name;
	$session->send("SELECT kafka.alter_pipeline('$name', parallelism => 3);
		SELECT kafka.stop_pipeline('$name'); SELECT kafka.start_pipeline('$name')");
	$round->pump(between(0.5, 3));
	kill 'CONT', $pid;
	$session->result(60);
	croak $session->error if $session->error =~ /ERROR/;
	$session->kill;
	return;
}

# --- a backlog

# Messages are left to lie for a while; then it finds all of them.
sub in_backlog
{
	my ($round, $fault) = @_;
	my $name = $round->name;
	$round->stand->must("SELECT kafka.stop_pipeline('$name')");
	$round->pump(between(0.5, 1.5));
	$round->stand->must("SELECT kafka.start_pipeline('$name')");
	$round->pump(between(0, 0.5));
	$fault->($round);
	return;
}

sub add_partitions
{
	my ($round) = @_;
	my $more = 4 + int between(1, 4.99);
	KafkaFdwTest::add_partitions($round->stand->broker->bootstrap, $round->topic, $more);
	# Kafka tells of them a little later
	$round->pump(0.3);
	$round->writers->begin(undef, between(0.5, 2), partitions => $more, producers => 1);
	return;
}

# --- the pipeline is changed

sub _alter
{
	my ($round, $what) = @_;
	$round->stand->must('SELECT kafka.alter_pipeline(\'' . $round->name . "', $what)");
	return;
}

my @CHANGES = ('batch_rows => 2', 'batch_rows => 5000', 'batch_interval => \'0\'', 'batch_interval => \'500 ms\'', 'mode => \'insert\'',
	'columns => array[\'part\', \'offs\', \'id\', \'n\', \'kind\']', 'columns => \'{}\'', 'options => \'{"batch_bytes": 1000}\'');

sub alter
{
	my ($round) = @_;
	for (1 .. 5)
	{
		my @changes = grep { $round->{target_kind} ne 'handler' || !/columns|mode/ } @CHANGES;
		_alter($round, $changes[ rand @changes ]);
		$round->pump(between(0, 0.5));
	}
	return;
}

sub parallelism
{
	my ($round) = @_;
	for (1 .. 4)
	{
		_alter($round, 'parallelism => ' . int between(1, 5.99));
		$round->pump(between(0, 0.7));
	}
	return;
}

sub handler_and_back
{
	my ($round) = @_;
	for my $what ($round->to_handler, $round->to_target, $round->to_handler, $round->to_target)
	{
		_alter($round, $what);
		$round->pump(between(0, 0.6));
	}
	return;
}

# Nothing arrives once stop_pipeline is committed.
sub stop_start
{
	my ($round) = @_;
	my ($stand, $name) = ($round->stand, $round->name);
	my $count = 'SELECT count(*) FROM ' . $round->target;
	for (1 .. 2)
	{
		$stand->must("SELECT kafka.stop_pipeline('$name')");
		my $before = $stand->must($count);
		$round->pump(between(0.1, 0.7));
		my $after = $stand->must($count);
		croak "$before rows when it was stopped, $after later" if $before != $after;
		$stand->must("SELECT kafka.start_pipeline('$name')");
		$round->pump(between(0, 0.5));
	}
	return;
}

# The rows of its offsets, which no batch changes until the end of the transaction.
sub _positions { my ($round) = @_; return 'FROM kafka.pipeline_offset WHERE pipeline = (SELECT id FROM kafka.pipeline_definition WHERE name = \'' . $round->name . '\')'; }

sub seek_here
{
	my ($round) = @_;
	my ($name, $positions) = ($round->name, _positions($round));
	for (1 .. 3)
	{
		$round->stand->must("BEGIN; SELECT format('SELECT kafka.seek_pipeline(%L, %L, %s)', '$name', next_offset, partition) $positions FOR UPDATE \\gexec
			COMMIT");
		$round->pump(between(0, 0.6));
	}
	return;
}

sub seek_back
{
	my ($round) = @_;
	my ($name, $target, $positions) = ($round->name, $round->target, _positions($round));
	for (1 .. 2)
	{
		$round->stand->must(<<"SQL");
			BEGIN;
			CREATE TEMPORARY TABLE back AS
			  SELECT pipeline, partition, (random() * next_offset)::bigint AS o FROM (SELECT * $positions FOR UPDATE) p;
			DELETE FROM $target t USING back WHERE t.part = back.partition AND t.offs >= o;
			DELETE FROM kafka.dead_letter l USING back WHERE l.pipeline = back.pipeline AND l.partition = back.partition AND l."offset" >= o;
			SELECT format('SELECT kafka.seek_pipeline(%L, %L, %s)', '$name', o, partition) FROM back \\gexec
			DROP TABLE back;
			COMMIT
SQL
		$round->pump(between(0.1, 0.8));
	}
	return;
}

# In one transaction, or in several.
sub recreate
{
	my ($round) = @_;
	my ($name, $number, $positions) = ($round->name, $round->number, _positions($round));
	for my $one (1, 0)
	{
		my $sql = <<"SQL";
			SELECT kafka.stop_pipeline('$name');
			INSERT INTO kept_dead SELECT $number, l.partition, l."offset" FROM kafka.dead_letter l JOIN kafka.pipeline_definition d
			  ON d.id = l.pipeline WHERE d.name = '$name';
			SELECT jsonb_object_agg(partition, next_offset) AS start $positions \\gset
			SELECT kafka.drop_pipeline('$name', force => true);
			@{[ $round->create_sql(":'start'") ]};
			SELECT kafka.start_pipeline('$name');
SQL
		$round->stand->must($one ? "BEGIN; $sql COMMIT" : $sql, seconds => 30);
		$round->pump(between(0, 0.8));
	}
	return;
}

# Sessions take turns, where each that is ended leaves its batch.
sub foreground
{
	my ($round) = @_;
	my ($stand, $name) = ($round->stand, $round->name);
	$stand->must("SELECT kafka.stop_pipeline('$name')");
	for my $how (qw(terminate cancel none kill))
	{
		$stand->await_up;
		my $session = KafkaFdwTest::session($stand->node);
		$session->send("CALL kafka.run_pipeline('$name', '@{[ between(0.3, 1) ]} s')");
		$round->pump(between(0.1, 0.4));
		my $pid = $session->pid;
		if ($how eq 'kill') { kill 'KILL', $pid; }
		elsif ($how ne 'none') { $stand->sql("SELECT pg_${how}_backend($pid)"); }
		$session->result(30);
		$session->kill;
	}
	$stand->await_up;
	# with one that runs: refused, or a change of hands
	my $session = KafkaFdwTest::session($stand->node);
	$session->send("CALL kafka.run_pipeline('$name', '1 s')");
	$round->pump(between(0, 0.4));
	$stand->must("SELECT kafka.start_pipeline('$name')");
	$session->result(30);
	$session->kill;
	return;
}

# It is seen at the next batch; a client with other options is a new one.
sub alter_source
{
	my ($round) = @_;
	my $source = 'source_' . $round->number;
	for my $change ("FOREIGN TABLE $source ADD more text", 'SERVER kafka OPTIONS (ADD fetch_wait_max_ms \'50\')',
		"FOREIGN TABLE $source DROP more", 'SERVER kafka OPTIONS (DROP fetch_wait_max_ms)', "FOREIGN TABLE $source OPTIONS (ADD on_error 'error')")
	{
		$round->stand->must("ALTER $change");
		$round->pump(between(0, 0.5));
	}
	return;
}

# --- the target

sub lock_target
{
	my ($round) = @_;
	my $session = KafkaFdwTest::session($round->stand->node);
	for (1 .. 2)
	{
		$session->query_safe('BEGIN; LOCK TABLE ' . $round->target, 30);
		$round->pump(between(0.2, 2));
		$session->query_safe('COMMIT');
		$round->pump(between(0, 0.3));
	}
	$session->kill;
	return;
}

sub alter_target
{
	my ($round) = @_;
	my $target = $round->target;
	my @changes = ("ALTER TABLE $target ADD extra int DEFAULT 7", "ALTER TABLE $target ALTER n TYPE bigint", "VACUUM FULL $target",
		"CREATE INDEX ON $target (id)", "ALTER TABLE $target ADD third int; ALTER TABLE $target DROP third", "ALTER TABLE $target ADD CHECK (part < 1000)",
		"ANALYZE $target", "ALTER TABLE $target RENAME TO elsewhere; ALTER TABLE elsewhere RENAME TO $target");
	for my $change (@changes)
	{
		$round->stand->must($change, seconds => 30);
		$round->pump(between(0, 0.3));
	}
	return;
}

# The target is moved to a small disk, which is then filled.
sub disk_full
{
	my ($round) = @_;
	my ($stand, $target) = ($round->stand, $round->target);
	my $dir = "$ENV{FAULTS_SMALL_DISK}/" . $stand->node->name;
	mkdir $dir or croak "$dir: $!";
	my $move = sub { my ($tablespace) = @_; $stand->must("SELECT format('ALTER TABLE %s SET TABLESPACE $tablespace', coalesce(i, '$target'))
		FROM (SELECT 1) x LEFT JOIN pg_inherits ON inhparent = '$target'::regclass LEFT JOIN LATERAL (SELECT inhrelid::regclass AS i) y ON true \\gexec", seconds => 30) };
	$stand->must("CREATE TABLESPACE small LOCATION '$dir'");
	$move->('small');
	my $filler = "$ENV{FAULTS_SMALL_DISK}/filler";
	system "dd if=/dev/zero of='$filler' bs=4096 2>/dev/null";
	# enough for more pages than there is room in
	$round->writers->begin(undef, 1.5, producers => 1, rate => 1000);
	$round->pump(between(1.5, 3));
	my $state = $stand->sql('SELECT state, error FROM kafka.pipeline_state s JOIN kafka.pipeline_definition d ON d.id = s.pipeline WHERE d.name = \'' . $round->name . '\'');
	$round->note($state);
	unlink $filler or croak "$filler: $!";
	$round->pump(between(0, 0.5));
	$move->('pg_default');
	$stand->must('DROP TABLESPACE small');
	rmdir $dir or croak "$dir: $!";
	return;
}

sub poison_storm
{
	my ($round) = @_;
	$round->writers->begin(undef, 1, poison => 500, producers => 1);
	$round->pump(1.2);
	$round->writers->begin(undef, 0.7, poison => 1000, producers => 1);
	return;
}

# All of them fail again: none is lost, none loaded, and there is none twice.
sub retry
{
	my ($round) = @_;
	my $name = $round->name;
	for (1 .. 4)
	{
		$round->stand->must("SELECT kafka.retry_dead_letters('$name')", seconds => 30);
		$round->pump(between(0, 0.4));
	}
	return;
}

# --- copies of the server

# The old primary goes on, and each of them loads what it has not.
sub promote
{
	my ($round) = @_;
	my ($stand, $standby) = ($round->stand, $round->{standby});
	my $old = $stand->node;
	$standby->promote;
	$stand->succeed($standby);
	$round->also(node => $old);
	return;
}

# What the standby does not have it loads again.
sub lagging
{
	my ($round) = @_;
	my ($stand, $standby) = ($round->stand, $round->{standby});
	disconnect_standby($round);
	$round->pump(between(0.3, 1));
	$stand->node->stop('immediate') if rand() < 0.5;
	$standby->promote;
	if (defined $stand->node->{_pid}) { $round->also(node => $stand->node); }
	$stand->succeed($standby);
	return;
}

sub copy_beside
{
	my ($round) = @_;
	my $stand = $round->stand;
	my $copy = $stand->copy(backup => $stand->backup);
	$stand->retire($copy);
	$copy->start;
	$stand->run_on($copy);
	$round->also(node => $copy);
	return;
}

sub cold_copy
{
	my ($round) = @_;
	my $stand = $round->stand;
	my $old = $stand->node;
	$old->stop('fast');
	$old->backup_fs_cold('cold');
	my $copy = $stand->copy(backup => 'cold');
	$stand->retire($copy);
	$old->start;
	$copy->start;
	$stand->run_on($copy);
	$round->also(node => $copy);
	return;
}

sub restore
{
	my ($round) = @_;
	my $stand = $round->stand;
	my $backup = $stand->backup;
	$round->pump(between(0.2, 1));
	$stand->node->stop('immediate');
	$stand->restore($backup);
	return;
}

# Rows and offsets are of one snapshot.
sub dump
{
	my ($round) = @_;
	my ($stand, $name) = ($round->stand, $round->name);
	my $node = $stand->node;
	my $database = 'copy_' . $round->number;
	my ($dump, $restore) = map { $node->installed_command($_) } qw(pg_dump psql);
	$stand->must("CREATE DATABASE $database", seconds => 60);
	my $command = "'$dump' -d '" . $node->connstr('postgres') . "' | '$restore' -Xq -v ON_ERROR_STOP=1 -d '" . $node->connstr($database) . "' 2>&1 >/dev/null";
	my $error = `bash -c "set -o pipefail; $command"`;
	croak "the dump is not restored: $error" if $?;
	my $enabled = $stand->must("SELECT enabled FROM kafka.pipeline_definition WHERE name = '$name'", database => $database);
	croak 'the restored pipeline runs' if $enabled ne 'f';
	$stand->must("SELECT kafka.start_pipeline('$name')", database => $database);
	$round->also(database => $database);
	return;
}

1;
