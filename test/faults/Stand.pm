# A PostgreSQL and a Kafka for rounds of faults, and what is asked of them. The PostgreSQL
# changes: a standby is promoted, a backup restored. "node" is the one that counts. What runs
# on them is added by Relay::Stand and Pipeline::Stand.
package Stand;

use strict;
use warnings;
use Carp qw(croak);
use File::Path qw(rmtree);
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use KafkaFdwTest;
use KafkaFdwFaults;

my $CONFIGURATION = <<'CONF';
restart_after_crash = on
log_statement = none
log_replication_commands = off
wal_retrieve_retry_interval = '100ms'
max_connections = 60
max_worker_processes = 16
shared_buffers = 32MB
kafka_fdw.connect_timeout = 3s
CONF

my $nodes_made = 0;

# new(nodes => 1, proxied => 1, foreground => 0), and what the class adds
sub new
{
	my ($class, %args) = @_;
	my $self = bless { retired => [], %args }, $class;
	$self->{broker} = KafkaFdwTest::broker(nodes => $args{nodes}, proxied => $args{proxied},
		set => { 'transaction.abort.timed.out.transaction.cleanup.interval.ms' => 1000 });
	$self->{proxy} = $args{proxied} ? KafkaFdwFaults::proxy($self->{broker}) : undef;
	my $node = $self->{node} = KafkaFdwFaults::node($self->{broker}, name => _name(),
		conf => $CONFIGURATION . $self->configuration, preload => !$args{foreground}, allows_streaming => 1);
	$node->safe_psql('postgres', "ALTER SERVER kafka OPTIONS (ADD reconnect_backoff_ms '20', ADD reconnect_backoff_max_ms '200')");
	$self->set_up;
	$self->run_on($node);
	$self->set_off;
	return $self;
}

# What a class adds: settings; what is in the database; what begins once it runs; on each server
# that becomes "node", what is no background worker.
sub configuration { return ''; }
sub set_up { return; }
sub set_off { return; }
sub run_on { return; }

sub _name { return sprintf 'n%d', ++$nodes_made; }

sub node { my ($self) = @_; return $self->{node}; }
sub broker { my ($self) = @_; return $self->{broker}; }
sub proxy { my ($self) = @_; return $self->{proxy}; }

# What a query gives, undef if it fails or there is no server:
# sql(TEXT, node => ..., database => 'postgres', seconds => 10)
sub sql
{
	my ($self, $text, %args) = @_;
	my ($out, $error, $timed_out) = ('', '', 0);
	my $node = $args{node} // $self->{node};
	my $status = eval {
		$node->psql($args{database} // 'postgres', $text, stdout => \$out, stderr => \$error,
			timeout => $args{seconds} // 10, timed_out => \$timed_out);
	};
	$self->{error} = $timed_out ? 'timed out' : $error;
	return defined $status && $status == 0 && !$timed_out ? $out : undef;
}

# The same, and an error is the round's.
sub must
{
	my ($self, $text, %args) = @_;
	return $self->sql($text, %args) // croak "$text: " . $self->error;
}

# The text of the last error.
sub error { my ($self) = @_; return $self->{error} // ''; }

sub await_up
{
	my ($self, $node) = @_;
	KafkaFdwTest::wait_until(sub { defined $self->sql('SELECT 1', node => $node) }, 60, 'the server is up');
	return;
}

# Process ids of the launcher, of a background worker: "relay".
sub launcher_pid { my ($self) = @_; return $self->worker_pid('launcher'); }

sub worker_pid
{
	my ($self, $kind) = @_;
	return $self->sql("SELECT pid FROM pg_stat_activity WHERE backend_type ~ 'kafka_fdw.*$kind' ORDER BY random() LIMIT 1");
}

# A statement again and again, as long as there is a server; by sessions called foreground.
sub loop
{
	my ($self, $node, $statement) = @_;
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0)
	{
		$ENV{PGAPPNAME} = 'foreground';
		exec 'sh', '-c', 'while sleep 0.1; do echo "$3" | "$1" -XAtq -d "$2"; done', 'sh',
			$node->installed_command('psql'), $node->connstr('postgres'), $statement or POSIX::_exit(127);
	}
	push @{ $self->{loops} }, $pid;
	return;
}

# The backend of such a session that is doing something.
sub loop_pid
{
	my ($self) = @_;
	return $self->sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'foreground' AND state <> 'idle' LIMIT 1");
}

sub end_loops
{
	my ($self) = @_;
	for my $pid (splice @{ $self->{loops} // [] })
	{
		kill 'KILL', $pid;
		waitpid $pid, 0;
	}
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local $? = 0;
	$self->end_loops;
	return;
}

# --- servers

sub kill_postmaster
{
	my ($self) = @_;
	$self->{node}->kill9;
	return;
}

# Starts the server, once what is left of its processes has gone.
sub start
{
	my ($self) = @_;
	my $node = $self->{node};
	KafkaFdwTest::wait_until(
		sub {
			# after a start that failed it holds what an old postmaster.pid says
			$node->{_pid} = undef;
			$node->start(fail_ok => 1);
		},
		60, 'the server starts');
	return;
}

# A copy of "node": a standby that follows it (standby => 1), or from a backup by that name.
sub copy
{
	my ($self, %args) = @_;
	my $name = _name();
	my $backup = $args{backup} // $self->backup;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($self->{node}, $backup, has_streaming => $args{standby}, standby => $args{standby});
	return $node;
}

sub backup
{
	my ($self) = @_;
	my $name = 'b' . ++$self->{backups};
	$self->{node}->backup($name);
	return $name;
}

# Puts the server back to a backup, in its own place.
sub restore
{
	my ($self, $backup) = @_;
	my $node = $self->{node};
	rmtree($node->data_dir);
	PostgreSQL::Test::RecursiveCopy::copypath($node->backup_dir . "/$backup", $node->data_dir);
	chmod 0700, $node->data_dir;
	$self->start;
	return;
}

# From now on this is the server; the one before is ended at the end of the round.
sub succeed
{
	my ($self, $node) = @_;
	push @{ $self->{retired} }, $self->{node};
	$self->{node} = $node;
	$self->run_on($node);
	return;
}

sub retire { my ($self, $node) = @_; push @{ $self->{retired} }, $node; return; }

sub clear_retired
{
	my ($self) = @_;
	for my $node (splice @{ $self->{retired} })
	{
		eval { $node->teardown_node; 1 } or warn $@;
		$node->clean_node;
	}
	# backups
	rmtree($_) for glob $self->{node}->backup_dir . '/*';
	return;
}

# All faults end: those of the network, of brokers, of the server.
sub heal
{
	my ($self) = @_;
	$self->{proxy}->heal if $self->{proxy};
	my $status = $self->{broker}->status;
	$self->{broker}->resume(node => $_) for $status =~ /^node (\d): \S+ paused/mg;
	$self->{broker}->start if $status =~ /stopped$/m;
	$self->start unless defined $self->{node}{_pid};
	return;
}

sub end
{
	my ($self) = @_;
	$self->retire($self->{node});
	$self->clear_retired;
	$self->end_loops;
	$self->{broker}->_end;
	return;
}

1;
