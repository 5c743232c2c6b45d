# The PostgreSQL and the Kafka of test/faults/relay, and what is asked of them. The PostgreSQL
# changes: a standby is promoted, a backup restored. "node" is the one that counts.
package Stand;

use strict;
use warnings;
use Carp qw(croak);
use File::Path qw(rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);
use POSIX ();
use KafkaFdwTest;
use KafkaFdwFaults;
use Writers;

# The outbox's name: its server's.
my $OUTBOX = 'kafka';
my $TOPIC_PARTITIONS = 3;

my $CONFIGURATION = <<'CONF';
restart_after_crash = on
log_statement = none
log_replication_commands = off
wal_retrieve_retry_interval = '100ms'
max_connections = 60
max_worker_processes = 16
max_prepared_transactions = 64
shared_buffers = 32MB
kafka_fdw.connect_timeout = 3s
kafka_fdw.outbox_retention = 2s
CONF

my $nodes_made = 0;

# new(nodes => 1, delivery => 'outbox', proxied => 1, foreground => 0)
sub new
{
	my ($class, %args) = @_;
	my $self = bless { retired => [], %args }, $class;
	$self->{broker} = KafkaFdwTest::broker(nodes => $args{nodes}, proxied => $args{proxied},
		set => { 'transaction.abort.timed.out.transaction.cleanup.interval.ms' => 1000 });
	$self->{proxy} = $args{proxied} ? KafkaFdwFaults::proxy($self->{broker}) : undef;
	my $node = $self->{node} = KafkaFdwFaults::node($self->{broker}, name => _name(), conf => $CONFIGURATION,
		preload => !$args{foreground}, allows_streaming => 1);
	$node->safe_psql('postgres', 'ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms \'2000\',
		ADD reconnect_backoff_ms \'20\', ADD reconnect_backoff_max_ms \'200\')');
	$node->safe_psql('postgres', Writers::schema($args{delivery}));
	$self->relay_in_foreground($node);
	$self->_first_row if $args{delivery} eq 'outbox';
	return $self;
}

# From then on the outbox is somebody's, which a copy of the server has to see.
sub _first_row
{
	my ($self) = @_;
	$self->begin_round(0, 'faults_0', 10000);
	$self->published($self->last_row, 60) or croak 'the relay does not publish: ' . $self->error;
	return;
}

sub _name { return sprintf 'n%d', ++$nodes_made; }

sub node { my ($self) = @_; return $self->{node}; }
sub broker { my ($self) = @_; return $self->{broker}; }
sub proxy { my ($self) = @_; return $self->{proxy}; }

# What a query gives, undef if it fails or there is no server: sql(TEXT, node => ..., seconds => 10)
sub sql
{
	my ($self, $text, %args) = @_;
	my ($out, $error, $timed_out) = ('', '', 0);
	my $node = $args{node} // $self->{node};
	my $status = eval {
		$node->psql('postgres', $text, stdout => \$out, stderr => \$error, timeout => $args{seconds} // 10, timed_out => \$timed_out);
	};
	$self->{error} = $timed_out ? 'timed out' : $error;
	return defined $status && $status == 0 && !$timed_out ? $out : undef;
}

# The text of the last error.
sub error { my ($self) = @_; return $self->{error} // ''; }

sub await_up
{
	my ($self, $node) = @_;
	KafkaFdwTest::wait_until(sub { defined $self->sql('SELECT 1', node => $node) }, 60, 'the server is up');
	return;
}

# A topic of the round's own, to which writers write from now on; and how many rows the relay puts
# into one transaction at most: with few, a tick takes several.
sub begin_round
{
	my ($self, $round, $topic, $batch) = @_;
	$self->{node}->safe_psql('postgres', "ALTER SYSTEM SET kafka_fdw.relay_batch_rows = $batch");
	$self->{node}->safe_psql('postgres', "SELECT pg_reload_conf(); SELECT kafka.create_topic('$topic', $TOPIC_PARTITIONS, server => 'direct');
		ALTER FOREIGN TABLE event OPTIONS (SET topic '$topic');
		UPDATE round_now SET round = $round, topic = '$topic'");
	return;
}

# {id => [key, number]} of the rows of a round that were committed.
sub ledger
{
	my ($self, $round, $node) = @_;
	my $rows = $self->sql("SELECT id, k, n FROM ledger WHERE round = $round", node => $node, seconds => 60)
		// croak 'the ledger cannot be read: ' . $self->error;
	return { map { my ($id, $k, $n) = split /\|/; ($id => [ $k, $n ]) } split /\n/, $rows };
}

# Commits or rolls back prepared transactions of so many seconds ago; of those that were left to
# lie only with all => 1.
sub settle_prepared
{
	my ($self, %args) = @_;
	my $which = $args{all} ? 'true' : "gid LIKE 'p%' AND prepared < now() - interval '1 s' OR random() < 0.05";
	return $self->sql("SELECT format('%s PREPARED %L', CASE WHEN random() < 0.6 THEN 'COMMIT' ELSE 'ROLLBACK' END, gid)
		FROM pg_prepared_xacts WHERE $which \\gexec", %args);
}

# --- the relay

# What the lease says: state, reason, pid; undef while there is none.
sub lease
{
	my ($self, $node) = @_;
	my $row = $self->sql("SELECT l.state, coalesce(l.pid, 0), coalesce(l.reason, '') FROM kafka.outbox_lease l
		JOIN kafka.outbox_definition d ON d.id = l.outbox WHERE d.name = '$OUTBOX'", node => $node);
	return undef unless $row;
	my ($state, $pid, $reason) = split /\|/, $row, 3;
	return { state => $state, pid => $pid, reason => $reason };
}

sub await_state
{
	my ($self, $wanted, $seconds, $node) = @_;
	my $lease;
	my $there = eval {
		KafkaFdwTest::wait_until(sub { ($lease = $self->lease($node)) && $lease->{state} =~ /^(?:$wanted)$/ }, $seconds, 'state');
	};
	croak sprintf 'after %d s the relay is %s (%s), not %s', $seconds, $lease->{state} // 'not there', $lease->{reason} // '', $wanted
		unless $there;
	return $lease;
}

# Without workers: calls the procedure again and again, as long as there is a server.
sub relay_in_foreground
{
	my ($self, $node) = @_;
	return unless $self->{foreground};
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0)
	{
		$ENV{PGAPPNAME} = 'foreground';
		exec 'sh', '-c', 'while sleep 0.1; do "$1" -Xq -d "$2" -c "CALL kafka.relay()"; done', 'sh',
			$node->installed_command('psql'), $node->connstr('postgres') or POSIX::_exit(127);
	}
	push @{ $self->{loops} }, $pid;
	return;
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

# Process ids of the relay, of the launcher.
sub relay_pid
{
	my ($self) = @_;
	return $self->_worker('relay') unless $self->{foreground};
	return $self->sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'foreground' AND state <> 'idle'");
}
sub launcher_pid { my ($self) = @_; return $self->_worker('launcher'); }

sub _worker
{
	my ($self, $kind) = @_;
	my $pid = $self->sql("SELECT pid FROM pg_stat_activity WHERE backend_type ~ 'kafka_fdw.*$kind' LIMIT 1");
	return $pid;
}

sub backend_pid
{
	my ($self) = @_;
	return $self->sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench' ORDER BY random() LIMIT 1");
}

sub resolve
{
	my ($self, $action) = @_;
	defined $self->sql("SELECT kafka.outbox_resolve('$OUTBOX', '$action')") or croak "outbox_resolve($action): " . $self->error;
	return;
}

# Writes a last row; the transaction that did. Who sees it sees all that was committed before.
sub last_row
{
	my ($self) = @_;
	return ($self->sql("BEGIN; SELECT put(300); SELECT pg_current_xact_id(); COMMIT") // "") =~ /(\d+)\s*\z/
		? $1 : croak 'the last row cannot be written: ' . $self->error;
}

# Waits until the relay says that a transaction is published; false, with error, if it does not.
sub published
{
	my ($self, $xid, $seconds) = @_;
	return defined $self->sql("SELECT kafka.wait_for_relay('$seconds s', '$xid')", seconds => $seconds + 20);
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
	$self->relay_in_foreground($node);
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
