# What TAP tests need beside PostgreSQL::Test::Cluster: brokers to start, kill and
# pause (each drives test/broker/kafka, or is librdkafka's mock in a process of its
# own), nodes on which the extension and the server "kafka" exist, sessions that can
# be in the middle of a statement, and waits with a deadline.
#
#   my $broker = KafkaFdwTest::broker(nodes => 3, set => { 'num.partitions' => 2 });
#   my $node = KafkaFdwTest::node($broker->bootstrap);
#   my $session = KafkaFdwTest::session($node);
#   $session->send('SELECT count(*) FROM t');       # does not wait
#   $broker->kill(node => 2);
#   my ($out, $error) = $session->result(30);
package KafkaFdwTest;

use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More ();
use Time::HiRes qw(time sleep);

my $TEST_DIR = abs_path(dirname(__FILE__) . '/..');
my $DEADLINE = 60;
my @stop_at_end;

# prove ends a test by a signal; END has to run all the same, or brokers stay.
$SIG{$_} = sub { exit 128 } for qw(INT TERM HUP);

END
{
	my $status = $?;
	$_->_end for grep { defined } @stop_at_end;
	$? = $status;
}

# wait_until(CODE, SECONDS, WHAT): true as soon as CODE is. Fails the test with WHAT
# after SECONDS, so that a caller need not check.
sub wait_until
{
	my ($code, $seconds, $what) = @_;
	my $deadline = time + ($seconds // $DEADLINE);
	my $pause = 0.001;
	while (1)
	{
		my $value = $code->();
		return $value if $value;
		croak sprintf('%s: not within %g s', $what // 'condition', $seconds // $DEADLINE) if time > $deadline;
		sleep $pause;
		$pause = 1.5 * $pause if $pause < 0.05;
	}
}

# How many threads, how many open descriptors a process has.
sub threads_of { return scalar @{ [ glob "/proc/$_[0]/task/*" ] }; }
sub descriptors_of { return scalar @{ [ glob "/proc/$_[0]/fd/*" ] }; }

# broker(nodes => 1, set => {PROPERTY => VALUE}, start => 1, proxied => 0, secured => 0): a
# Kafka of the test's own. With proxied => 1 behind a fault proxy (see KafkaFdwFaults.pm);
# where there can be none, the whole test is skipped. With secured => 1 it has TLS, SASL and
# ACLs (see KafkaFdwSecured.pm).
sub broker
{
	my (%args) = @_;
	_need_proxy() if $args{proxied};
	my $self = bless { dir => PostgreSQL::Test::Utils::tempdir('kafka') }, 'KafkaFdwTest::Broker';
	push @stop_at_end, $self;
	$self->{options} = [ '--nodes', $args{nodes} // 1, $args{proxied} ? '--proxied' : (),
		$args{secured} ? '--secured' : () ];
	push @{ $self->{options} }, '--set', "$_=$args{set}{$_}" for sort keys %{ $args{set} // {} };
	$self->start if $args{start} // 1;
	return $self;
}

sub _need_proxy
{
	my $error = '';
	return if IPC::Run::run([ "$TEST_DIR/broker/proxy", 'path' ], '>', '/dev/null', '2>', \$error);
	Test::More::plan(skip_all => 'no fault proxy: ' . ($error =~ s/^.*proxy: |\n$//sgr));
	return;
}

# node(BOOTSTRAP, name => 'main', conf => 'text', preload => 1, allows_streaming => 1): a
# started PostgreSQL on which the extension and the server "kafka" exist in the database
# postgres. Background workers run only with preload.
sub node
{
	my ($bootstrap, %args) = @_;
	my $node = PostgreSQL::Test::Cluster->new($args{name} // 'main');
	$node->init(allows_streaming => $args{allows_streaming});
	# Where the extension is staged, not installed.
	if (my $file = $ENV{KAFKA_FDW_CONF})
	{
		open my $fh, '<', $file or croak "$file: $!";
		local $/ = undef;
		$node->append_conf('postgresql.conf', <$fh>);
		close $fh;
	}
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'kafka_fdw'\n") if $args{preload};
	$node->append_conf('postgresql.conf', "max_prepared_transactions = 5\n" . ($args{conf} // ''));
	$node->start;
	$bootstrap =~ s/'/''/g;
	$node->safe_psql('postgres',
		"CREATE EXTENSION kafka_fdw;
		 CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$bootstrap')");
	return $node;
}

# session(NODE, dbname => 'postgres', user => ...): a psql that waits for statements.
sub session
{
	my ($node, %args) = @_;
	return KafkaFdwTest::Session->new($node, %args);
}

# topic(SESSION, NAME, partitions => 1, server => 'kafka', config => '{}', options => "delivery '...'"):
# a new topic, and a foreign table NAME (id, pad, part, offs) on it.
sub topic
{
	my ($session, $name, %args) = @_;
	my $partitions = $args{partitions} // 1;
	my $config = $args{config} // '{}';
	my $server = $args{server} // 'kafka';
	my $options = join ', ', "topic '$name'", "format 'json'", $args{options} // ();
	$session->query_safe("SELECT kafka.create_topic('$name', $partitions, config => '$config', server => '$server')");
	$session->query_safe("CREATE FOREIGN TABLE $name (id int, pad text, part int OPTIONS (meta 'partition'),
		offs bigint OPTIONS (meta 'offset')) SERVER $server OPTIONS ($options)");
	return;
}

# Waits until the statement under way in a session waits: for SECONDS its backend has
# slept, but for the glances at interrupts.
sub await_blocked
{
	my ($session, $seconds) = @_;
	my $pid = $session->pid;
	my ($ticks, $since) = (-1000, 0);
	$seconds //= 0.3;
	wait_until(
		sub {
			croak 'the statement has ended' if $session->ready;
			open my $fh, '<', "/proc/$pid/task/$pid/stat" or croak "backend $pid is gone";
			my @field = split ' ', <$fh> =~ s/^.*\) //r;
			close $fh;
			# hundredths of a second of processor time
			my $now = $field[11] + $field[12];
			($ticks, $since) = ($now, time) if $now - $ticks > 1 + $seconds || $field[0] ne 'S';
			return time - $since >= $seconds;
		},
		$DEADLINE, 'the statement waits');
	return;
}

# Milliseconds from the call of pg_cancel_backend (or pg_terminate_backend) to the end of
# the statement, measured in the server; the statement's abort is within it.
sub reaction
{
	my ($control, $session, $function) = @_;
	$control->query_safe(<<'SQL');
		CREATE OR REPLACE FUNCTION pg_temp.reaction(backend int, terminate boolean) RETURNS numeric
		LANGUAGE plpgsql AS $$
		DECLARE
		  begun timestamptz := clock_timestamp();
		  ended timestamptz;
		BEGIN
		  IF terminate THEN
		    PERFORM pg_terminate_backend(backend);
		  ELSE
		    PERFORM pg_cancel_backend(backend);
		  END IF;
		  LOOP
		    PERFORM pg_stat_clear_snapshot();
		    SELECT CASE WHEN state <> 'active' THEN state_change END INTO ended
		      FROM pg_stat_activity WHERE pid = backend;
		    IF NOT FOUND THEN
		      ended := clock_timestamp();
		    END IF;
		    EXIT WHEN ended IS NOT NULL OR clock_timestamp() > begun + interval '60 s';
		    PERFORM pg_sleep(0.002);
		  END LOOP;
		  RETURN round(1000 * extract(epoch FROM coalesce(ended, 'infinity') - begun)::numeric, 1);
		END $$
SQL
	my $terminate = $function eq 'terminate' ? 'true' : 'false';
	return $control->query_safe('SELECT pg_temp.reaction(' . $session->pid . ", $terminate)", 90);
}

# Lines of a node's log that tell of a crash: empty, or the test has found one.
sub crashes
{
	my ($node) = @_;
	return join "\n",
		grep { /PANIC:|terminated by signal|terminating any other|reinitializing/ }
		split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile);
}

# mock_broker(brokers => 1, topic => 'slow:2', fill => 1000, rtt => 300): librdkafka's
# mock cluster, for what a real broker cannot be made to do, such as a long round trip.
sub mock_broker
{
	my (%args) = @_;
	my $self = bless { in => '', out => '', err => '' }, 'KafkaFdwTest::Mock';
	push @stop_at_end, $self;
	my @command = (_program('mock_broker'), map { ("--$_", $args{$_}) } sort keys %args);
	$self->{run} = IPC::Run::start(\@command, '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err});
	wait_until(
		sub {
			$self->{run}->pump_nb;
			croak "mock broker: $self->{err}" unless $self->{out} =~ /\n/ || $self->{run}->pumpable;
			return $self->{out} =~ /\n/;
		},
		$DEADLINE, 'the mock broker starts');
	return $self;
}

# Removes messages as retention does, at once: those of a partition before an offset.
sub delete_records
{
	my ($bootstrap, $topic, $partition, $before) = @_;
	my $error = '';
	IPC::Run::run([ _program('delete_records'), $bootstrap, $topic, $partition, $before ], '2>', \$error) or croak $error;
	return;
}

# Gives a topic more partitions, TOTAL in all.
sub add_partitions
{
	my ($bootstrap, $topic, $total) = @_;
	my $error = '';
	IPC::Run::run([ _program('add_partitions'), $bootstrap, $topic, $total ], '2>', \$error) or croak $error;
	return;
}

sub _program { my ($name) = @_; return program("mock/$name"); }

# The path of a program in C below test/, built when first needed, from the library the extension is
# linked with.
sub program
{
	my ($name) = @_;
	my ($program, $source) = map { "$TEST_DIR/$name$_" } '', '.c';
	if (!-x $program || -M $program > -M $source)
	{
		my $flags = `pkg-config --cflags --libs rdkafka 2>/dev/null` || '-lrdkafka';
		my $built = "$program.$$";
		system("cc -O -Wall -Wextra -Werror -o '$built' '$source' " . $flags =~ s/\n//r) == 0
			or croak "could not build $source";
		rename $built, $program or croak "$program: $!";
	}
	return $program;
}

package KafkaFdwTest::Broker;

use Carp qw(croak);

# Runs a verb of test/broker/kafka; its output. Fails the test if the verb failed.
sub _run
{
	my ($self, $verb, @options) = @_;
	my @command = ("$TEST_DIR/broker/kafka", $verb, '--dir', $self->{dir}, @options);
	my ($out, $err) = ('', '');
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err) or croak "@command: $out$err";
	return $out;
}

sub _verb
{
	my ($self, $verb, %args) = @_;
	$self->_run($verb, defined $args{node} ? ('--node', $args{node}) : ());
	return $self;
}

# All take node => K for one node of several. kill is SIGKILL, pause is SIGSTOP.
sub stop { my ($self, %args) = @_; return $self->_verb('stop', %args); }
sub kill { my ($self, %args) = @_; return $self->_verb('kill', %args); }
sub restart { my ($self, %args) = @_; return $self->_verb('restart', %args); }
sub pause { my ($self, %args) = @_; return $self->_verb('pause', %args); }
sub resume { my ($self, %args) = @_; return $self->_verb('resume', %args); }

sub start
{
	my ($self, %args) = @_;
	# The options make the stand; later starts find it made.
	$self->_run('start', splice(@{ $self->{options} }), defined $args{node} ? ('--node', $args{node}) : ());
	return $self;
}

sub env { my ($self) = @_; return $self->_run('env'); }

sub bootstrap
{
	my ($self) = @_;
	my ($brokers) = $self->env =~ /KAFKA_BROKERS=(\S+)/;
	return $brokers;
}

# The same brokers behind the proxy.
sub proxied
{
	my ($self) = @_;
	my ($brokers) = $self->env =~ /KAFKA_PROXIED=(\S+)/;
	return $brokers;
}

# Of a secured broker: the addresses of a listener, as SASL_SSL.
sub listener
{
	my ($self, $name) = @_;
	my ($brokers) = $self->env =~ /KAFKA_$name=(\S+)/ or croak "there is no listener $name";
	return $brokers;
}

# The text of a file in its directory of keys and certificates.
sub tls
{
	my ($self, $name) = @_;
	return PostgreSQL::Test::Utils::slurp_file("$self->{dir}/tls/$name");
}

# One line a node, as the verb prints them.
sub status
{
	my ($self) = @_;
	my @command = ("$TEST_DIR/broker/kafka", 'status', '--dir', $self->{dir});
	my $out = '';
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', '/dev/null');
	return $out;
}

# Runs a Java tool of Kafka's distribution, given by its class; what it prints.
sub tool { my ($self, @command) = @_; return $self->_run('tool', '--', @command); }

# The same as a command, for a tool that is to run beside the test.
sub tool_command
{
	my ($self, @command) = @_;
	return ("$TEST_DIR/broker/kafka", 'tool', '--dir', $self->{dir}, '--', @command);
}

# The files that hold the messages of a topic on the first node.
sub segments
{
	my ($self, $topic) = @_;
	return sort glob "$self->{dir}/node1/data/$topic-[0-9]*/*.log";
}

# The text of a node's log.
sub log
{
	my ($self, %args) = @_;
	open my $fh, '<', "$self->{dir}/node" . ($args{node} // 1) . '/log' or croak "log: $!";
	local $/ = undef;
	return scalar <$fh>;
}

# Its data goes with the test, so there is nothing to write in a clean stop.
sub _end
{
	my ($self) = @_;
	eval { $self->_run('end'); 1 } or warn $@ if -e "$self->{dir}/cluster";
	return;
}

package KafkaFdwTest::Mock;

sub bootstrap
{
	my ($self) = @_;
	return $self->{out} =~ s/\s.*//sr;
}

sub stop
{
	my ($self) = @_;
	my $run = delete $self->{run} or return;
	# The end of its input would end it too, but a server that was started meanwhile may
	# have inherited our end of the pipe.
	$run->kill_kill(grace => 0);
	return;
}

sub _end { my ($self) = @_; return $self->stop; }

package KafkaFdwTest::Session;

use Carp qw(croak);

# A psql fed through a pipe. After each statement it echoes a mark on both outputs,
# which tells where the statement's result ends.
sub new
{
	my ($class, $node, %args) = @_;
	my $connection = $node->connstr($args{dbname} // 'postgres');
	$connection .= " user='$args{user}'" if defined $args{user};
	my $self = bless { in => '', out => '', err => '', mark => 0, waiting => 0 }, $class;
	local $ENV{PGAPPNAME} = $args{name} // 'session';
	$self->{run} = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-d', $connection, '-f', '-' ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err});
	$self->{pid} = $self->query('SELECT pg_backend_pid()');
	croak "no session: $self->{error}" unless $self->{pid} =~ /^\d+$/;
	push @stop_at_end, $self;
	return $self;
}

# The process id of the backend.
sub pid { my ($self) = @_; return $self->{pid}; }

# The error text of the last result, '' if there was none; notices are in it too.
sub error { my ($self) = @_; return $self->{error}; }

# The SQLSTATE of the last result, '00000' after success, undef if the connection is gone.
sub state { my ($self) = @_; return $self->{state}; }

# Sends a statement, does not wait.
sub send
{
	my ($self, $sql) = @_;
	croak 'the last statement has not been waited for' if $self->{waiting};
	$self->{waiting} = 1;
	$self->{mark}++;
	$sql =~ s/[\s;]*$//;
	$self->{in} .= "$sql\n;\n\\echo mark $self->{mark} :SQLSTATE\n\\warn mark $self->{mark}\n";
	$self->{run}->pump_nb;
	return $self;
}

# True when the result of what was sent is there, or the connection is gone.
sub ready
{
	my ($self) = @_;
	my $mark = qr/^mark $self->{mark}\b.*$/m;
	return 1 if $self->{out} =~ $mark && $self->{err} =~ $mark;
	return 1 unless $self->{run}->pumpable;
	$self->{run}->pump_nb;
	return $self->{out} =~ $mark && $self->{err} =~ $mark;
}

# (output, error text) of what was sent, at most SECONDS later.
sub result
{
	my ($self, $seconds) = @_;
	croak 'nothing was sent' unless $self->{waiting};
	KafkaFdwTest::wait_until(sub { $self->ready }, $seconds, 'result of a statement');
	$self->{waiting} = 0;
	my ($out, $error) = @{$self}{qw(out err)};
	@{$self}{qw(out err)} = ('', '');
	$self->{state} = $out =~ /^mark \d+ (\w{5})$/m ? $1 : undef;
	s/^mark \d+\b.*\n//m, s/\n$// for $out, $error;
	# psql -f puts its input's name and line before each message.
	$error =~ s/^psql:<stdin>:\d+: //mg;
	$self->{error} = $error;
	return wantarray ? ($out, $error) : $out;
}

# Sends and waits; the output.
sub query
{
	my ($self, $sql, $seconds) = @_;
	return scalar $self->send($sql)->result($seconds);
}

# Sends and waits; fails the test on an error.
sub query_safe
{
	my ($self, $sql, $seconds) = @_;
	my $out = $self->query($sql, $seconds);
	croak "$sql: $self->{error}" if $self->{error} =~ /^(?:ERROR|FATAL|PANIC):/m;
	return $out;
}

# Ends the session as a person would.
sub quit
{
	my ($self) = @_;
	my $run = delete $self->{run} or return;
	$self->{in} .= "\\q\n";
	$run->finish;
	return;
}

# Ends psql at once, whatever its backend is doing.
sub kill
{
	my ($self) = @_;
	my $run = delete $self->{run} or return;
	$run->kill_kill(grace => 0);
	return;
}

sub _end { my ($self) = @_; return $self->kill; }

1;
