# What the tests of a secured broker need: servers and user mappings for its listeners, and
# ACLs. The broker denies what no ACL allows; its PLAINTEXT listener is for fixtures, a super
# user. test/broker/secured says which listeners, users and certificates there are.
#
#   my $broker = KafkaFdwTest::broker(secured => 1);
#   my $node = KafkaFdwTest::node($broker->bootstrap);          # server "kafka": as super user
#   KafkaFdwSecured::server($session, $broker, 'alice', listener => 'SASL_SSL',
#       mechanism => 'SCRAM-SHA-512', mapping => { sasl_username => 'alice', sasl_password => 'alice-secret' });
#   KafkaFdwSecured::allow($broker, 'alice', 'topic orders' => 'read write', 'group g*' => 'read');
package KafkaFdwSecured;

use strict;
use warnings;
use Carp qw(croak);
use IO::Socket::INET ();
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my %TYPE = (topic => 2, group => 3, cluster => 4, transactional_id => 5);
my %OPERATION = (
	all => 2, read => 3, write => 4, create => 5, delete => 6, alter => 7, describe => 8, cluster_action => 9,
	describe_configs => 10, alter_configs => 11, idempotent_write => 12);
my %PERMISSION = (deny => 2, allow => 3);
my ($DESCRIBE_ACLS, $CREATE_ACLS, $DELETE_ACLS) = (29, 30, 31);

my %PROTOCOL = (SSL => 'ssl', SASL_SSL => 'sasl_ssl', MISNAMED => 'sasl_ssl', PROXIED => 'sasl_ssl');

# --- servers

sub literal { return "'" . $_[0] =~ s/'/''/gr . "'"; }

# "OPTIONS (name 'value', ...)"; an undefined value leaves the option out.
sub options
{
	my (%options) = @_;
	my @set = map { "$_ " . literal($options{$_}) } grep { defined $options{$_} } sort keys %options;
	return @set ? 'OPTIONS (' . join(', ', @set) . ')' : '';
}

# server(SESSION, BROKER, NAME, listener => 'SASL_PLAINTEXT', mechanism => 'PLAIN', options =>
# {...}, mapping => {...}): a server by that listener, and a user mapping for the user that
# asks. Where TLS is spoken, it knows the broker's CA.
sub server
{
	my ($session, $broker, $name, %args) = @_;
	my $listener = $args{listener} // 'SASL_PLAINTEXT';
	my $protocol = $PROTOCOL{$listener} // 'sasl_plaintext';
	my %options = (
		bootstrap_servers => $broker->listener($listener),
		security_protocol => $protocol,
		$protocol =~ /ssl/ ? (ssl_ca_pem => $broker->tls('ca.pem')) : (),
		$protocol =~ /sasl/ ? (sasl_mechanisms => $args{mechanism} // 'PLAIN') : (),
		%{ $args{options} // {} });
	$session->query_safe("CREATE SERVER $name FOREIGN DATA WRAPPER kafka_fdw " . options(%options));
	mapping($session, $name, %{ $args{mapping} }) if $args{mapping};
	return;
}

# A user mapping for the user that asks, instead of the one there is.
sub mapping
{
	my ($session, $server, %options) = @_;
	$session->query_safe("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER $server");
	$session->query_safe("CREATE USER MAPPING FOR CURRENT_USER SERVER $server " . options(%options));
	return;
}

# What the user mapping of a user of PLAIN and SCRAM has in it.
sub password
{
	my ($user) = @_;
	return (sasl_username => $user, sasl_password => "$user-secret");
}

# The same with a client certificate: alice, bob, admin, expired, stranger.
sub certificate
{
	my ($broker, $name) = @_;
	return (ssl_key_pem => $broker->tls("$name.key"), ssl_certificate_pem => $broker->tls("$name.pem"));
}

# --- what a log-in is good for

our @MODES = qw(immediate before_commit after_commit);

# tables(SESSION, SERVER, TOPIC): a foreign table SERVER_MODE on it for each delivery mode.
sub tables
{
	my ($session, $server, $topic) = @_;
	for my $mode (@MODES)
	{
		$session->query_safe("CREATE FOREIGN TABLE ${server}_$mode (id int) SERVER $server
			OPTIONS (topic '$topic', format 'json', delivery '$mode')");
	}
	return;
}

# Statements of each kind, on what tables() has made.
sub statements
{
	my ($server, $topic) = @_;
	return ("SELECT count(*) FROM ${server}_immediate", (map { "INSERT INTO ${server}_$_ VALUES (1)" } @MODES),
		"SELECT kafka.produce('$topic', '{}', delivery => 'immediate', server => '$server')",
		"SELECT kafka.create_topic('${topic}_new', server => '$server')", "SELECT kafka.list_topics(server => '$server')");
}

# All of them work, and what is sent can be read.
sub works
{
	my ($session, $server, $topic, $what) = @_;
	my $count = $session->query_safe("SELECT count(*) FROM ${server}_immediate");
	for my $statement (statements($server, $topic))
	{
		$session->query($statement);
		is($session->state, '00000', "$what: $statement") or diag $session->error;
	}
	is($session->query("SELECT count(*) FROM ${server}_immediate"), $count + @MODES + 1, "$what: what was sent is read");
	$session->query_safe("SELECT kafka.delete_topic('${topic}_new', server => '$server')");
	return;
}

# failing(SESSION, STATEMENT, STATE, TEXT, WHAT): the error has that SQLSTATE, its text matches, it
# holds no secret, and it comes within 5 s.
sub failing
{
	my ($session, $statement, @expected) = @_;
	return failed(send_failing($session, $statement), @expected);
}

# The same in two parts, so that several can fail at the same time.
sub send_failing
{
	my ($session, $statement) = @_;
	$session->send($statement);
	return { session => $session, statement => $statement, begun => time };
}

sub failed
{
	my ($sent, $state, $text, $what) = @_;
	my ($session, $statement) = @{$sent}{qw(session statement)};
	$session->result(60);
	my $seconds = time - $sent->{begun};
	is($session->state, $state, "$what: $state from $statement") or diag $session->error;
	cmp_ok($seconds, '<', 5, sprintf '%s: after %.1f s', $what, $seconds);
	like($session->error, $text, "$what: the reason is told");
	unlike($session->error, qr/-secret|wrong-one|BEGIN /, "$what: no secret in it");
	return;
}

# None of them works.
sub refused
{
	my ($session, $server, $topic, $state, $text, $what) = @_;
	failing($session, $_, $state, $text, $what) for statements($server, $topic);
	return;
}

# --- ACLs, in Kafka's protocol: librdkafka before 2.6 has none for transactional ids

# Each ACL is an array of bytes: type, name, pattern, principal, host, operation, permission.
sub _acls
{
	my ($permission, $user, %acls) = @_;
	my @all;
	while (my ($resource, $operations) = each %acls)
	{
		my ($type, $name) = split / /, $resource, 2;
		$name //= 'kafka-cluster';
		my $pattern = length $name > 1 && $name =~ s/\*$// ? 4 : 3;
		for my $operation (split / /, $operations)
		{
			push @all, [
				$TYPE{$type} // croak("type $type"), $name, $pattern, "User:$user",
				$OPERATION{$operation} // croak("operation $operation"), $PERMISSION{$permission}
			];
		}
	}
	return @all;
}

sub _string { return pack 'n/a*', $_[0]; }

sub _encode
{
	my ($type, $name, $pattern, $principal, $operation, $permission) = @{ $_[0] };
	return pack('c', $type) . _string($name) . pack('c', $pattern) . _string($principal) . _string('*')
		. pack('cc', $operation, $permission);
}

sub _read
{
	my ($socket, $size) = @_;
	my $data = '';
	while (length $data < $size)
	{
		my $more = sysread $socket, $data, $size - length $data, length $data;
		croak 'the broker hung up' unless $more;
	}
	return $data;
}

# One request; the body of its answer, behind the throttle time.
sub _ask
{
	my ($socket, $api, $body) = @_;
	my $request = pack('nnN', $api, 1, 1) . _string('test') . $body;
	syswrite $socket, pack('N/a*', $request) or croak "request: $!";
	my ($size) = unpack 'N', _read($socket, 4);
	return substr _read($socket, $size), 8;
}

# True if the broker's authorizer has the ACL.
sub _known
{
	my ($socket, $acl) = @_;
	my $answer = _ask($socket, $DESCRIBE_ACLS, _encode($acl));
	my ($error, $message, $count) = unpack 'n n/a N', $answer =~ s/^(..)\xff\xff/$1\0\0/sr;
	croak "DescribeAcls: error $error" if $error;
	return $count > 0;
}

sub _change
{
	my ($broker, $api, $wanted, @acls) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $broker->bootstrap =~ s/,.*//r) or croak "broker: $!";
	my $answer = _ask($socket, $api, pack('N', scalar @acls) . join '', map { _encode($_) } @acls);
	my ($count, $error) = unpack 'N n', $answer;
	croak "ACLs: error $error" if $count != @acls || $error;
	for my $acl (@acls)
	{
		KafkaFdwTest::wait_until(sub { _known($socket, $acl) == $wanted }, 20, 'the authorizer knows the ACL');
	}
	close $socket;
	return;
}

# allow(BROKER, USER, 'TYPE NAME' => 'OPERATION ...', ...): TYPE is topic, group,
# transactional_id, or cluster without a name; a NAME with * at its end is a prefix.
sub allow { my ($broker, @rest) = @_; return _change($broker, $CREATE_ACLS, 1, _acls('allow', @rest)); }

sub deny { my ($broker, @rest) = @_; return _change($broker, $CREATE_ACLS, 1, _acls('deny', @rest)); }

# Takes back what allow gave.
sub revoke { my ($broker, @rest) = @_; return _change($broker, $DELETE_ACLS, '', _acls('allow', @rest)); }

1;
