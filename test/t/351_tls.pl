# TLS: client certificates in the user mapping, right and wrong ones, brokers that are not who
# they should be, and clients that do not speak the listener's protocol. Each is an error with
# its reason within 5 s, never a wait for the time-out.
use strict;
use warnings;
use IPC::Run ();
use Test::More;
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'kafka'");
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'tls');
KafkaFdwSecured::allow($broker, 'alice', 'topic tls*' => 'read write create delete', 'transactional_id kafka_fdw.*' => 'write');
my $failure = 'ERROR:  TLS negotiation with the Kafka cluster failed\n.*';

# --- client certificates

KafkaFdwSecured::server($session, $broker, 'ssl', listener => 'SSL', mapping => { KafkaFdwSecured::certificate($broker, 'alice') });
KafkaFdwSecured::tables($session, 'ssl', 'tls');
KafkaFdwSecured::works($session, 'ssl', 'tls', 'certificate');

my ($locked, $error) = ('', '');
IPC::Run::run([qw(openssl pkcs8 -topk8 -v2 aes128 -passout pass:key-secret)], '<', \$broker->tls('alice.key'), '>', \$locked, '2>', \$error)
	or die $error;
my %locked = (ssl_certificate_pem => $broker->tls('alice.pem'), ssl_key_pem => $locked);
KafkaFdwSecured::mapping($session, 'ssl', %locked, ssl_key_password => 'key-secret');
KafkaFdwSecured::works($session, 'ssl', 'tls', 'key with a password');
KafkaFdwSecured::mapping($session, 'ssl', %locked, ssl_key_password => 'wrong-one');
KafkaFdwSecured::refused($session, 'ssl', 'tls', '22023', qr/librdkafka says: ssl\.key\.pem failed/, 'wrong password of the key');

KafkaFdwSecured::mapping($session, 'ssl', KafkaFdwSecured::certificate($broker, 'bob'));
KafkaFdwSecured::failing($session, 'INSERT INTO ssl_before_commit VALUES (1)', '42501', qr/denies access to topic "tls"/, 'another principal');
for my $name (qw(expired stranger))
{
	KafkaFdwSecured::mapping($session, 'ssl', KafkaFdwSecured::certificate($broker, $name));
	KafkaFdwSecured::refused($session, 'ssl', 'tls', '28000', qr/${failure}certificate/, "certificate: $name");
}
KafkaFdwSecured::mapping($session, 'ssl', ssl_key_pem => $broker->tls('bob.key'), ssl_certificate_pem => $broker->tls('alice.pem'));
KafkaFdwSecured::failing($session, 'SELECT count(*) FROM ssl_immediate', '22023', qr/could not start a Kafka client/, 'key of another certificate');
$session->query_safe('DROP USER MAPPING FOR CURRENT_USER SERVER ssl');
KafkaFdwSecured::refused($session, 'ssl', 'tls', '28000', qr/${failure}certificate/, 'no certificate');

for my $option (qw(ssl_key_pem ssl_key_password))
{
	$session->query("ALTER SERVER ssl OPTIONS (ADD $option 'wrong-one')");
	is($session->state, 'HV00D', "$option does not belong to a server");
	unlike($session->error, qr/wrong-one/, "$option is not shown");
}
$session->query("CREATE USER MAPPING FOR CURRENT_USER SERVER ssl OPTIONS (ssl_key_pem 'wrong-one')");
unlike($session->error, qr/wrong-one/, 'what is no key is not shown');
$session->query('SELECT count(*) FROM ssl_immediate');
isnt($session->state, '00000', 'what is no key is no good');
unlike($session->error, qr/wrong-one/, 'what is no key is not shown when it is used');

# --- brokers that are not who they should be

my %alice = KafkaFdwSecured::password('alice');
KafkaFdwSecured::server($session, $broker, 'ca', listener => 'SASL_SSL', options => { ssl_ca_pem => $broker->tls('foreign.pem') }, mapping => {%alice});
KafkaFdwSecured::tables($session, 'ca', 'tls');
KafkaFdwSecured::refused($session, 'ca', 'tls', '28000', qr/${failure}certificate verify failed/, 'unknown CA');
KafkaFdwSecured::server($session, $broker, 'host', listener => 'MISNAMED', mapping => {%alice});
KafkaFdwSecured::tables($session, 'host', 'tls');
KafkaFdwSecured::refused($session, 'host', 'tls', '28000', qr/${failure}certificate verify failed/, 'another host');
$session->query_safe("ALTER SERVER host OPTIONS (ADD ssl_endpoint_identification_algorithm 'none')");
KafkaFdwSecured::works($session, 'host', 'tls', 'another host, not checked');

# --- the wrong protocol: a broker hangs up at once

my %protocols = (
	'plain text to TLS' => [ 'SSL', { security_protocol => 'plaintext', ssl_ca_pem => undef } ],
	'plain text to SASL' => [ 'SASL_PLAINTEXT', { security_protocol => 'plaintext', sasl_mechanisms => undef } ],
	'SASL to TLS' => [ 'SASL_SSL', { security_protocol => 'sasl_plaintext', ssl_ca_pem => undef } ],
	'TLS to plain text' => [ 'SASL_PLAINTEXT', { security_protocol => 'sasl_ssl', ssl_ca_pem => $broker->tls('ca.pem') } ]);
my @hung_up;
for my $what (sort keys %protocols)
{
	my ($listener, $options) = @{ $protocols{$what} };
	my $server = lc($what =~ s/\W/_/gr);
	KafkaFdwSecured::server($session, $broker, $server, listener => $listener, options => $options, mapping => {%alice});
	KafkaFdwSecured::tables($session, $server, 'tls');
	push @hung_up, map { [ KafkaFdwTest::session($node), $_, $what ] } (KafkaFdwSecured::statements($server, 'tls'))[ 1, 5 ];
}
# all at the same time, because each takes its seconds
my @sent = map { KafkaFdwSecured::send_failing(@$_[ 0, 1 ]) } @hung_up;
KafkaFdwSecured::failed(shift @sent, 'HV00N', qr/HINT:  The brokers hang up .*security_protocol/, $_->[2]) for @hung_up;
is(KafkaFdwTest::crashes($node), '', 'no crash');
done_testing;
