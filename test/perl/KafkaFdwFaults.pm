# What the tests of faults in sending need: the proxy that stands before a broker, ledgers
# (a table and a topic that are written in the same transactions), and an oracle that
# compares the two. The oracle reads the topic with kcat, not with our own scan.
#
#   my $broker = KafkaFdwTest::broker(proxied => 1);
#   my $proxy = KafkaFdwFaults::proxy($broker);
#   my $node = KafkaFdwFaults::node($broker);
#   $proxy->black_hole; ...; $proxy->heal;
#
#   KafkaFdwFaults::ledger($session, 'orders', partitions => 2);
#   $session->query('CALL orders_load(1, 100)');      # transactions 1 to 100
#   KafkaFdwFaults::holds($session, $broker->bootstrap, 'orders', 'after the fault');
package KafkaFdwFaults;

use strict;
use warnings;
use Carp qw(croak);
use IPC::Run ();
use Test::More;
use KafkaFdwTest;

# The delivery modes with a transaction in Kafka; tests loop over them.
our @MODES = qw(before_commit after_commit);

# Messages of a transaction in a ledger; message I of transaction T has the id $STEP T + I.
our $EACH = 3;
our $STEP = 1000;

sub proxy
{
	my ($broker) = @_;
	my ($api) = $broker->env =~ /KAFKA_PROXY_API=(\S+)/ or croak 'the broker is not proxied';
	return bless { api => $api, broker => $broker }, 'KafkaFdwFaults::Proxy';
}

# node(BROKER, as KafkaFdwTest::node): its server "kafka" goes through the proxy, if the
# broker has one; its server "direct" never does.
sub node
{
	my ($broker, %args) = @_;
	my ($direct, $proxied) = ($broker->bootstrap, $broker->proxied);
	my $node = KafkaFdwTest::node($proxied // $direct, %args, conf => "kafka_fdw.server = 'kafka'\n" . ($args{conf} // ''));
	$node->safe_psql('postgres', "CREATE SERVER direct FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$direct')");
	return $node;
}

# What a topic holds, its control records too, whatever the proxy does.
sub high
{
	my ($session, $topic) = @_;
	return $session->query_safe("SELECT sum(high) FROM kafka.watermarks('$topic', server => 'direct')");
}

# ledger(SESSION, NAME, partitions => 2, server => 'kafka', delivery => undef): topic and
# foreign table NAME, table NAME_rows, and a procedure NAME_load(first, n) that commits n
# transactions of $EACH rows with their messages, up to the first error.
sub ledger
{
	my ($session, $name, %args) = @_;
	my $partitions = $args{partitions} // 2;
	my $turn = turn($name, 't', $partitions);
	KafkaFdwTest::topic($session, $name, %args, partitions => $partitions,
		$args{delivery} ? (options => "delivery '$args{delivery}'") : ());
	$session->query_safe(<<"SQL");
		CREATE TABLE ${name}_rows (id int);
		CREATE PROCEDURE ${name}_load(first int, n int) LANGUAGE plpgsql AS \$\$
		BEGIN
		  FOR t IN first .. first + n - 1 LOOP
		    $turn;
		    COMMIT;
		  END LOOP;
		END \$\$
SQL
	return;
}

# What transaction T of a ledger runs.
sub turn
{
	my ($name, $t, $partitions) = @_;
	$partitions //= 2;
	return "INSERT INTO ${name}_rows SELECT $STEP * $t + i FROM generate_series(1, $EACH) i; "
		. "INSERT INTO $name (id, pad, part) SELECT $STEP * $t + i, repeat('x', 100), i % $partitions "
		. "FROM generate_series(1, $EACH) i";
}

# The values of a topic as a read_committed reader sees them, in order within partitions.
sub committed
{
	my ($bootstrap, $topic, $isolation) = @_;
	my ($out, $error) = ('', '');
	my @command = (qw(kcat -C -e -q -o beginning -f), "%s\n", '-b', $bootstrap, '-t', $topic,
		'-X', 'isolation.level=' . ($isolation // 'read_committed'));
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$error, IPC::Run::timeout(60)) or croak "@command: $error";
	return split /\n/, $out;
}

# Waits until no transaction is open in a topic; false if one stays open.
sub settled
{
	my ($session, $topic, $seconds) = @_;
	return eval {
		KafkaFdwTest::wait_until(
			sub {
				$session->query("SELECT bool_and(high = last_stable) FROM kafka.watermarks('$topic', server => 'direct')", 60) eq 't';
			},
			$seconds // 20, 'no transaction is open');
	};
}

# compare([ids of rows], [ids of messages]): what is lost, extra, there twice (ids), and of
# which transactions a part is visible.
sub compare
{
	my ($rows, $messages) = @_;
	my (%row, %message, %count);
	$row{$_}++ for @$rows;
	$message{$_}++ for @$messages;
	$count{ int $_ / $STEP }++ for keys %message;
	my $sorted = sub { return [ sort { $a <=> $b } @_ ] };
	return {
		rows => scalar @$rows,
		messages => scalar @$messages,
		lost => $sorted->(grep { !$message{$_} } keys %row),
		extra => $sorted->(grep { !$row{$_} } keys %message),
		twice => $sorted->(grep { $message{$_} > 1 } keys %message),
		partial => $sorted->(grep { $count{$_} != $EACH } keys %count) };
}

# Rows and messages of a ledger, compared. A broker of one node that was killed can forget
# to end a transaction (see t/050_commit_hook.pl); what is behind it is read uncommitted.
sub oracle
{
	my ($session, $bootstrap, $name, @more) = @_;
	my $settled = settled($session, $name);
	diag "$name: the broker has left a transaction hanging" unless $settled;
	my @rows = split /\n/, join "\n", map { $_->query_safe("SELECT id FROM ${name}_rows", 60) } $session, @more;
	my @messages = map { /"id":\s*(\d+)/ ? $1 : croak "not of the ledger: $_" }
		committed($bootstrap, $name, $settled ? 'read_committed' : 'read_uncommitted');
	my $found = compare(\@rows, \@messages);
	$found->{settled} = $settled;
	return $found;
}

# holds(SESSION, BOOTSTRAP, NAME, WHAT, extra => {T => 1}, lost => {T => 1}, more => [SESSION]):
# tests that each transaction of a ledger is in Kafka once and as a whole if it is in
# PostgreSQL; of those in "extra" it may be in Kafka only, of those in "lost" nowhere there.
sub holds
{
	my ($session, $bootstrap, $name, $what, %may) = @_;
	my $found = oracle($session, $bootstrap, $name, @{ $may{more} // [] });
	my $not = sub { my ($kind) = @_; return [ grep { !$may{$kind}{ int $_ / $STEP } } @{ $found->{$kind} } ] };
	is_deeply($not->('lost'), [], "$what: each committed row has its message");
	is_deeply($not->('extra'), [], "$what: no message without its row");
	is_deeply($found->{twice}, [], "$what: none is there twice");
	is_deeply($found->{partial}, [], "$what: each transaction is visible as a whole") if $found->{settled};
	note sprintf '%s: %d rows, %d messages, %d without a row, %d rows without a message', $what,
		$found->{rows}, $found->{messages}, scalar @{ $found->{extra} }, scalar @{ $found->{lost} };
	return $found;
}

# The transactional ids of the extension that a broker knows, with their states.
sub transactional_ids
{
	my ($broker) = @_;
	return map { /^(kafka_fdw\.\S+)\s+\S+\s+\S+\s+(\S+)/ ? [ $1, $2 ] : () }
		split /\n/, $broker->tool('org.apache.kafka.tools.TransactionsCommand', '--bootstrap-server', '@BROKERS@', 'list');
}

# The toxics of toxiproxy, and its switches, through its HTTP interface.
package KafkaFdwFaults::Proxy;

use Carp qw(croak);
use HTTP::Tiny;
use JSON::PP ();

sub _call
{
	my ($self, $method, $path, $content) = @_;
	my $answer = HTTP::Tiny->new(timeout => 20)->request($method, "$self->{api}$path",
		{ headers => { 'Content-Type' => 'application/json' }, content => $content ? JSON::PP::encode_json($content) : '' });
	croak "proxy: $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $method eq 'GET' ? JSON::PP::decode_json($answer->{content}) : undef;
}

sub _nodes
{
	my ($self, %args) = @_;
	return defined $args{node} ? "node$args{node}" : sort keys %{ $self->_call('GET', '/proxies') };
}

# Each fault takes node => K for one node of several, and direction => 'upstream' (what
# clients send), 'downstream' (what brokers answer) or 'both', the default.
sub _toxic
{
	my ($self, $type, $attributes, %args) = @_;
	my $direction = $args{direction} // 'both';
	for my $node ($self->_nodes(%args))
	{
		for my $stream ($direction eq 'both' ? qw(upstream downstream) : $direction)
		{
			$self->_call('POST', "/proxies/$node/toxics", { type => $type, stream => $stream,
				name => "${type}_$stream", toxicity => 1, attributes => $attributes });
		}
	}
	return $self;
}

# Nothing gets through, connections stay; heal breaks those that lost something. What a
# latency holds back at that moment gets through yet (toxiproxy lets it go): cut loses it.
sub black_hole { my ($self, %args) = @_; return $self->_toxic('timeout', { timeout => 0 }, %args); }

# Each piece arrives so many ms later; both directions add up.
sub latency { my ($self, $ms, %args) = @_; return $self->_toxic('latency', { latency => 0 + $ms, jitter => 0 }, %args); }

# So many KB/s in each connection.
sub bandwidth { my ($self, $rate, %args) = @_; return $self->_toxic('bandwidth', { rate => 0 + $rate }, %args); }

# Each connection ends after so many bytes.
sub limit { my ($self, $bytes, %args) = @_; return $self->_toxic('limit_data', { bytes => 0 + $bytes }, %args); }

# Connections are reset, new ones too.
sub reset { my ($self, %args) = @_; return $self->_toxic('reset_peer', { timeout => 0 }, %args); }

# Connections end, new ones are refused.
sub cut
{
	my ($self, %args) = @_;
	$self->_call('POST', "/proxies/$_", { enabled => JSON::PP::false() }) for $self->_nodes(%args);
	return $self;
}

# All faults end.
sub heal { my ($self) = @_; $self->_call('POST', '/reset'); return $self; }

1;
