# The rounds of test/faults/relay: in each, sessions write while one fault strikes; when all is
# well again and the outbox is empty, what a reader of Kafka sees is compared with what
# PostgreSQL has committed.
package Relay::Rounds;

use strict;
use warnings;
use Relay::Kinds;
use Relay::Oracle;
use Relay::Stand;
use Relay::Writers;
use Rounds;

our @ISA = qw(Rounds);

sub kinds { return 'Relay::Kinds'; }
sub defaults { return (delivery => 'outbox'); }
sub make_round { return bless {}, 'Relay::Round'; }

sub make_stand
{
	my ($self) = @_;
	return Relay::Stand->new(map { ($_ => $self->{$_}) } qw(nodes delivery proxied foreground));
}

# The topic is looked at once more some rounds later, for what came late.
sub judged
{
	my ($self, $round) = @_;
	$self->_late(shift @{ $self->{done} }) if @{ $self->{done} // [] } > 3;
	push @{ $self->{done} }, { number => $round->number, kind => $round->{kind}, topic => $round->topic,
		isolation => $round->{isolation}, count => scalar @{ $round->{messages} } };
	return;
}

sub forget { my ($self) = @_; $self->{done} = []; return; }

sub finish { my ($self) = @_; $self->_late($_) for splice @{ $self->{done} }; return; }

# Messages that came after their round was judged: rows of it that were published again.
sub _late
{
	my ($self, $done) = @_;
	my $count = @{ Relay::Oracle::messages($self->stand->broker->bootstrap, $done->{topic}, $done->{isolation}) };
	return if $count == $done->{count};
	my $more = $count - $done->{count};
	$self->{sum}{ $more > 0 ? 'duplicated' : 'lost' } += abs $more;
	$self->{report}->("      round $done->{number} ($done->{kind}): $count messages later, $done->{count} at its end");
	return;
}

package Relay::Round;

use Carp qw(croak);
use Time::HiRes qw(sleep time);

our @ISA = qw(Rounds::Round);

sub what { my ($self) = @_; return sprintf 'batch %5d', $self->{batch} // 0; }

sub choose { my ($self) = @_; $self->{batch} = (2, 7, 50, 10000)[ rand 4 ]; return; }

sub make_writers
{
	my ($self) = @_;
	my $rounds = $self->{rounds};
	return Relay::Writers->new(dir => $rounds->{dir}, seed => $rounds->{seed} + 1000 * $self->{number}, delivery => $rounds->{delivery});
}

sub set_up
{
	my ($self) = @_;
	$self->stand->begin_round($self->{number}, $self->topic, $self->{batch});
	return;
}

# Prepared transactions end.
sub tick
{
	my ($self) = @_;
	return if time < ($self->{settle} //= time + 1);
	$self->stand->settle_prepared(seconds => 2) if $self->stand->node->{_pid};
	$self->{settle} = time + 1;
	return;
}

sub messages
{
	my ($self, $isolation) = @_;
	return Relay::Oracle::messages($self->stand->broker->bootstrap, $self->topic, $isolation);
}

sub sabotage
{
	my ($self, $how) = @_;
	Relay::Oracle::sabotage($self->stand->node, $how, $self->{number}, $self->topic);
	return;
}

# Compares the topic with what is committed.
sub judge
{
	my ($self, $truth) = @_;
	$self->{messages} = $self->messages($self->{isolation});
	$self->{found} = Relay::Oracle::compare($truth // $self->stand->ledger($self->{number}), $self->{messages});
	return;
}

# All that is committed has to be readable; when the relay says that it is, at once.
sub verify
{
	my ($self) = @_;
	my $stand = $self->stand;
	defined $stand->settle_prepared(all => 1) or croak 'prepared transactions do not end: ' . $stand->error;
	my $xid = $stand->last_row;
	$self->perhaps_sabotage;
	my $truth = $stand->ledger($self->{number});
	my $deadline = time + ($self->{rounds}{deadline} // $Rounds::DEADLINE_S);
	while (1)
	{
		my $published = $self->{rounds}{delivery} ne 'outbox' || $stand->published($xid, 5);
		my $why = $stand->error;
		$self->judge($truth);
		my $lost = @{ Rounds::sum_up($self->{found}, $self->{may})->{lost} };
		last if !$lost && $published;
		if ($published)
		{
			last if $self->_settled;
			$self->{rounds}{sum}{hanging}++;
			$self->note('the broker has left a transaction hanging');
			$self->allow('duplicated', keys %$truth);
			$self->{isolation} = 'read_uncommitted';
			$self->judge($truth);
			last;
		}
		if (time > $deadline)
		{
			my $lease = $stand->lease // {};
			croak scalar @{ $self->{found}{lost} } . " rows are not published; the relay is $lease->{state} ($lease->{reason}); $why";
		}
	}
	return;
}

# No Kafka transaction is open in the topic; then a reader sees all there is.
sub _settled
{
	my ($self) = @_;
	my $until = time + 10;
	my $open = 'SELECT count(*) FROM kafka.watermarks(\'' . $self->topic . '\', server => \'direct\') WHERE high <> last_stable';
	while (($self->stand->sql($open) // 1) > 0)
	{
		return 0 if time > $until;
		sleep 0.05;
	}
	$self->judge;
	return 1;
}

# --- what is kept of a round that went wrong

sub dumps
{
	return {
		status => 'SELECT * FROM kafka.outbox_status',
		lease => 'SELECT * FROM kafka.outbox_lease',
		definition => 'SELECT * FROM kafka.outbox_definition',
		ticks => 'SELECT * FROM kafka.outbox_tick ORDER BY outbox, tick DESC LIMIT 100',
		ring => 'SELECT * FROM kafka.outbox_ring',
		activity => 'SELECT * FROM pg_stat_activity',
		prepared => 'SELECT * FROM pg_prepared_xacts',
		locks => 'SELECT * FROM pg_locks' };
}

sub keep_of_node
{
	my ($self, $dir, $node) = @_;
	my $stand = $self->stand;
	Rounds::Round::keep_text("$dir/" . $node->name . '.rows', $stand->sql('SELECT o.tableoid::regclass, o.outbox, o.xid, o.id, o.created, o.topic,
		convert_from(o.key, \'UTF8\'), convert_from(o.value, \'UTF8\') FROM kafka.outbox_row o WHERE topic = \'' . $self->topic . '\' ORDER BY o.id', node => $node) // $stand->error);
	return;
}

sub keep_more
{
	my ($self, $dir) = @_;
	$self->keep_topic("$dir/topic", $self->topic);
	$self->keep_topic("$dir/position", $_)
		for split /\n/, $self->stand->sql('SELECT \'kafka_fdw.outbox.\' || uuid FROM kafka.outbox_definition') // '';
	return;
}

1;
