# The kinds of faults in the rounds of test/faults/relay. What may be lost, duplicated or a ghost
# after it, a kind says with $round->allow.
package Relay::Kinds;

use strict;
use warnings;
use Carp qw(croak);
use Faults;
use KafkaFdwTest;

our @ISA = qw(Faults);

# name => [what happens, function, needs the proxy, done before writers begin]
my %KINDS = (
	none => [ 'nothing', sub { } ],
	kill_relay => [ 'kill -9 of the relay', sub { kill_process($_[0], 'relay_pid') } ],
	kill_launcher => [ 'kill -9 of the launcher', sub { kill_process($_[0], 'launcher_pid') } ],
	kill_backend => [ 'kill -9 of a session', sub { kill_process($_[0], 'backend_pid') } ],
	kill_postmaster => [ 'kill -9 of the postmaster', \&kill_postmaster ],
	terminate_relay => [ 'pg_terminate_backend of the relay', \&terminate_relay ],
	immediate => [ 'immediate shutdown and start', sub { restart($_[0], 'immediate') } ],
	fast => [ 'fast shutdown and start', sub { restart($_[0], 'fast') } ],
	stop_relay => [ 'stop_relay and start_relay', \&stop_relay ],
	kill_broker => [ 'kill -9 of a broker, start', \&kill_broker ],
	restart_broker => [ 'clean restart of a broker', \&restart_broker ],
	pause_broker => [ 'a broker is stopped for seconds', \&pause_broker ],
	zombie => [ 'the relay is stopped past its time-out, another one takes over, it goes on', \&zombie ],
	cut => [ 'connections end, again and again', sub { flap($_[0], 'cut') }, 1 ],
	reset => [ 'connections are reset, again and again', sub { flap($_[0], 'reset') }, 1 ],
	delay => [ 'a slow network', \&delay, 1 ],
	black_hole => [ 'nothing gets through for seconds', \&black_hole, 1 ],
	lost_answer => [ 'requests arrive, their answers do not', \&lost_answer, 1 ],
	lost_request => [ 'connections end after some bytes of requests', sub { limit($_[0], 'upstream') }, 1 ],
	short_answer => [ 'connections end after some bytes of answers', sub { limit($_[0], 'downstream') }, 1 ],
	cut_at_step => [ 'a slow network is cut at some step', sub { at_step($_[0], \&cut) }, 1 ],
	kill_at_step => [ 'kill -9 of the relay at some step in a slow network',
		sub { at_step($_[0], sub { kill_process($_[0], 'relay_pid') }) }, 1 ],
	crash_at_step => [ 'immediate shutdown at some step in a slow network',
		sub { at_step($_[0], sub { restart($_[0], 'immediate') }) }, 1 ],
	broker_at_step => [ 'kill -9 of a broker at some step in a slow network', sub { at_step($_[0], \&kill_broker) }, 1 ],
	kill_in_backlog => [ 'kill -9 of the relay while it publishes a backlog', sub { in_backlog($_[0], \&kill_relay) } ],
	cut_in_backlog => [ 'connections end while the relay publishes a backlog', sub { in_backlog($_[0], \&cut) }, 1 ],
	crash_in_backlog => [ 'immediate shutdown while the relay publishes a backlog',
		sub { in_backlog($_[0], sub { restart($_[0], 'immediate') }) } ],
	promote => [ 'a synchronous standby is promoted, the old primary runs', \&promote, 0, \&synchronous_standby ],
	lagging_republish => [ 'a standby that lagged is promoted; republish',
		sub { lagging($_[0], 'republish') }, 0, \&standby ],
	lagging_skip => [ 'a standby that lagged is promoted; skip', sub { lagging($_[0], 'skip') }, 0, \&standby ],
	restore_beside => [ 'an older base backup is started beside the original', \&restore_beside ],
	restore_republish => [ 'an older base backup takes the place of the original; republish',
		sub { restore($_[0], 'republish') } ],
	restore_skip => [ 'an older base backup takes the place of the original; skip', sub { restore($_[0], 'skip') } ],
	move => [ 'the data directory is moved; take_over', \&move ],
);

sub table { return \%KINDS; }

# --- processes of PostgreSQL

sub kill_relay { my ($round) = @_; return kill_process($round, 'relay_pid'); }

sub terminate_relay
{
	my ($round) = @_;
	for (1 .. 3)
	{
		my $pid = $round->stand->relay_pid or next;
		$round->stand->sql("SELECT pg_terminate_backend($pid)");
		$round->pump(between(0.1, 0.5));
	}
	return;
}

sub stop_relay
{
	my ($round) = @_;
	defined $round->stand->sql('SELECT kafka.stop_relay()') or croak 'stop_relay: ' . $round->stand->error;
	$round->stand->await_state('stopped', 15);
	$round->pump(between(0.1, 0.8));
	defined $round->stand->sql('SELECT kafka.start_relay()') or croak 'start_relay: ' . $round->stand->error;
	return;
}

# --- a backlog

# Rows are left to lie for a while; then the relay finds one tick with all of them.
sub in_backlog
{
	my ($round, $fault) = @_;
	my $stand = $round->stand;
	defined $stand->sql('SELECT kafka.stop_relay()') or croak 'stop_relay: ' . $stand->error;
	$round->pump(between(0.5, 1.2));
	defined $stand->sql('SELECT kafka.start_relay()') or croak 'start_relay: ' . $stand->error;
	$stand->proxy->latency(int between(1, 15)) if $stand->proxy;
	$round->pump(between(0, 0.6));
	$fault->($round);
	$stand->proxy->heal if $stand->proxy;
	return;
}

# --- two relays

sub zombie
{
	my ($round) = @_;
	my $stand = $round->stand;
	my $pid = $stand->relay_pid or return $round->note('no relay');
	kill 'STOP', $pid;
	# transaction_timeout_ms is 2000, and the broker looks each second
	$round->pump(between(1.5, 4));
	my $session = eval { KafkaFdwTest::session($stand->node) };
	if ($session)
	{
		$session->send("SELECT kafka.outbox_resolve('kafka', 'take_over');\nCALL kafka.relay('kafka')");
		$round->pump(between(0.5, 2.5));
	}
	kill 'CONT', $pid;
	if ($session)
	{
		$session->result(40);
		$round->note('the other: ' . ($session->error =~ s/\n.*//sr)) if $session->error ne '';
		$session->kill;
	}
	return;
}

# --- copies of the server

# The relay has said that it will not go on, and why.
sub unresolved
{
	my ($round, $node) = @_;
	my $lease = $round->stand->await_state('unresolved', 20, $node);
	croak 'unresolved without a reason' if $lease->{reason} eq '';
	$round->note($lease->{reason});
	return;
}

# Nothing is lost with a synchronous standby: what the old primary has published is there. The
# old primary goes on, and even commits alone from the moment that the new one has taken over.
sub promote
{
	my ($round) = @_;
	my ($stand, $standby) = ($round->stand, $round->{standby});
	my $old = $stand->node;
	my $automatic = rand() < 0.5;
	if ($automatic)
	{
		$standby->append_conf('postgresql.conf', "kafka_fdw.relay_takeover = 'newer_timeline'");
		$standby->reload;
	}
	$standby->promote;
	$round->writers->stop;
	$stand->succeed($standby);
	$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''\nkafka_fdw.relay_takeover = 'never'")
		unless $automatic;
	$round->write(2.5);
	if (!$automatic)
	{
		unresolved($round, $standby);
		$stand->resolve('take_over');
	}
	$stand->await_state('running', 30);
	$old->append_conf('postgresql.conf', "synchronous_standby_names = ''");
	$old->reload;
	$stand->sql("SELECT put(300)", node => $old);
	my $lease = $stand->await_state('unresolved|stopped', 30, $old);
	$round->note("old primary: $lease->{reason}");
	return;
}

# What the copy does not have is published.
sub publish_more
{
	my ($round) = @_;
	my $stand = $round->stand;
	$stand->published($stand->last_row, 20) or croak 'the original does not publish: ' . $stand->error;
	return;
}

# What was published is more than the standby has: each action costs what the manual says.
sub lagging
{
	my ($round, $action) = @_;
	my ($stand, $standby) = ($round->stand, $round->{standby});
	my $old = $stand->node;
	disconnect_standby($round);
	$round->pump(between(0.5, 1.2));
	$round->writers->stop;
	publish_more($round);
	my $before = $stand->ledger($round->number, $old);
	$old->stop('immediate');
	$standby->promote;
	$stand->succeed($standby);
	_resolve_lossy($round, $before, $action);
	return;
}

sub restore
{
	my ($round, $action) = @_;
	my $stand = $round->stand;
	my $backup = $stand->backup;
	$round->pump(between(0.5, 1.2));
	$round->writers->stop;
	publish_more($round);
	my $before = $stand->ledger($round->number);
	$stand->node->stop('immediate');
	$stand->restore($backup);
	_resolve_lossy($round, $before, $action);
	return;
}

# The server knows less than was published, of the rows in "before". Rows that are written before
# the relay is told what to do may be lost by skip, or there twice by republish, no others.
sub _resolve_lossy
{
	my ($round, $before, $action) = @_;
	my $stand = $round->stand;
	$round->write(1);
	unresolved($round);
	$round->await_writers;
	# what was prepared before, and committed since where it is lost, would be published a second time
	$stand->settle_prepared(all => 1) // croak 'prepared transactions do not end: ' . $stand->error;
	my $early = $stand->ledger($round->number);
	my @new = grep { !$before->{$_} } keys %$early;
	my @published = grep { my $id = $_->[3]{id}; !$before->{$id} } @{ $round->messages };
	croak scalar(@published) . ' messages were published while unresolved' if @published;
	$round->note(scalar(@new) . ' rows meanwhile');
	$round->allow($action eq 'skip' ? 'lost' : 'duplicated', keys %$early);
	$round->allow('ghosts', grep { !$early->{$_} } keys %$before);
	$stand->resolve($action);
	$stand->await_state('running', 30);
	$round->write(1.5);
	return;
}

# The copy stands aside; the original is not disturbed.
sub restore_beside
{
	my ($round) = @_;
	my $stand = $round->stand;
	my $backup = $stand->backup;
	$round->pump(between(0.2, 0.8));
	my $copy = $stand->copy(backup => $backup);
	$stand->retire($copy);
	$copy->start;
	$stand->run_on($copy);
	$stand->sql("SELECT put(300)", node => $copy);
	unresolved($round, $copy);
	$stand->sql("SELECT put(300)", node => $copy);
	return;
}

# Not a copy: the same data, elsewhere. Nothing is lost, and nothing there twice.
sub move
{
	my ($round) = @_;
	my $stand = $round->stand;
	my $old = $stand->node;
	$old->stop('fast');
	$old->backup_fs_cold('moved');
	my $new = $stand->copy(backup => 'moved');
	$new->start;
	$stand->succeed($new);
	$round->write(1);
	unresolved($round);
	$stand->resolve('take_over');
	$stand->await_state('running', 30);
	return;
}

1;
