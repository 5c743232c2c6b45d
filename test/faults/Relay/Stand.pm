# The stand of test/faults/relay: an outbox, its relay, and what writers write into.
package Relay::Stand;

use strict;
use warnings;
use Carp qw(croak);
use KafkaFdwTest;
use Relay::Writers;
use Stand;

our @ISA = qw(Stand);

# The outbox's name: its server's.
my $OUTBOX = 'kafka';
my $TOPIC_PARTITIONS = 3;

# new(nodes => 1, delivery => 'outbox', proxied => 1, foreground => 0)
sub configuration { return "max_prepared_transactions = 64\nkafka_fdw.outbox_retention = 2s\n"; }

sub set_up
{
	my ($self) = @_;
	my $node = $self->node;
	$node->safe_psql('postgres', "ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms '2000')");
	$node->safe_psql('postgres', Relay::Writers::schema($self->{delivery}));
	return;
}

# From then on the outbox is somebody's, which a copy of the server has to see.
sub set_off
{
	my ($self) = @_;
	return unless $self->{delivery} eq 'outbox';
	$self->begin_round(0, 'faults_0', 10000);
	$self->published($self->last_row, 60) or croak 'the relay does not publish: ' . $self->error;
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

# Without workers.
sub run_on
{
	my ($self, $node) = @_;
	$self->loop($node, 'CALL kafka.relay()') if $self->{foreground};
	return;
}

# Process ids of the relay, of a session that writes.
sub relay_pid
{
	my ($self) = @_;
	return $self->worker_pid('relay') unless $self->{foreground};
	return $self->loop_pid;
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

1;
