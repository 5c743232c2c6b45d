# Logging in by SASL PLAIN, with and without TLS: with the right password everything works
# that the ACLs allow; with a wrong one each kind of statement fails with 28000 within 5 s.
# A password that is changed in the user mapping is noticed by the running session.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'kafka'");
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'sasl');
KafkaFdwSecured::allow($broker, 'alice', 'topic sasl*' => 'read write create delete', 'transactional_id kafka_fdw.*' => 'write');
my $refusal = qr/^ERROR:  authentication with the Kafka cluster failed\n.*Invalid username or password/m;

for my $listener (qw(SASL_PLAINTEXT SASL_SSL))
{
	KafkaFdwSecured::server($session, $broker, 'plain', listener => $listener, mapping => { KafkaFdwSecured::password('alice') });
	KafkaFdwSecured::tables($session, 'plain', 'sasl');
	KafkaFdwSecured::works($session, 'plain', 'sasl', "$listener, right password");

	$session->query_safe("ALTER USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (SET sasl_password 'wrong-one')");
	KafkaFdwSecured::refused($session, 'plain', 'sasl', '28000', $refusal, "$listener, changed to a wrong password");
	$session->query_safe("ALTER USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (SET sasl_password 'alice-secret')");
	KafkaFdwSecured::works($session, 'plain', 'sasl', "$listener, changed back");

	my $fresh = KafkaFdwTest::session($node);
	KafkaFdwSecured::mapping($session, 'plain', sasl_username => 'nobody', sasl_password => 'wrong-one');
	KafkaFdwSecured::refused($fresh, 'plain', 'sasl', '28000', $refusal, "$listener, unknown user, new session");
	$fresh->quit;

	$session->query_safe('DROP USER MAPPING FOR CURRENT_USER SERVER plain');
	KafkaFdwSecured::refused($session, 'plain', 'sasl', '22023', qr/must be set\nHINT:  Credentials are options of the user mapping/, "$listener, no mapping");
	$session->query_safe('DROP SERVER plain CASCADE');
}

# A mechanism that the broker does not have.
KafkaFdwSecured::server(
	$session, $broker, 'other',
	mechanism => 'OAUTHBEARER',
	options => { enable_sasl_oauthbearer_unsecure_jwt => 'true' },
	mapping => { sasl_oauthbearer_config => 'principal=alice' });
KafkaFdwSecured::tables($session, 'other', 'sasl');
KafkaFdwSecured::refused($session, 'other', 'sasl', '28000', qr/supported mechanisms: .*SCRAM-SHA-512/, 'unknown mechanism');

# What a wrong password has to do with one session is no matter of another.
KafkaFdwSecured::server($session, $broker, 'plain', mapping => { KafkaFdwSecured::password('alice') });
KafkaFdwSecured::tables($session, 'plain', 'sasl');
KafkaFdwSecured::works($session, 'plain', 'sasl', 'after all that');
is(KafkaFdwTest::crashes($node), '', 'no crash');
done_testing;
