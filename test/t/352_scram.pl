# Logging in by SCRAM-SHA-256 and SCRAM-SHA-512, with and without TLS. A refusal has a HINT
# where librdkafka is one that Kafka 4 refuses always; the broker here is older.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'kafka'");
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'scram');
KafkaFdwSecured::allow($broker, 'alice', 'topic scram*' => 'read write create delete', 'transactional_id kafka_fdw.*' => 'write');
my ($major, $minor, $patch) =
	$session->query_safe('SELECT detail FROM kafka.check(write => false)') =~ /librdkafka (\d+)\.(\d+)\.(\d+)/;
my $old = $major * 10000 + $minor * 100 + $patch < 20601;
diag "librdkafka $major.$minor.$patch";

for my $mechanism (qw(SCRAM-SHA-256 SCRAM-SHA-512))
{
	for my $listener (qw(SASL_PLAINTEXT SASL_SSL))
	{
		my $what = "$mechanism, $listener";
		KafkaFdwSecured::server(
			$session, $broker, 'scram',
			listener => $listener,
			mechanism => $mechanism,
			mapping => { KafkaFdwSecured::password('alice') });
		KafkaFdwSecured::tables($session, 'scram', 'scram');
		KafkaFdwSecured::works($session, 'scram', 'scram', $what);
		KafkaFdwSecured::mapping($session, 'scram', sasl_username => 'alice', sasl_password => 'wrong-one');
		KafkaFdwSecured::refused($session, 'scram', 'scram', '28000', qr/invalid credentials with SASL mechanism $mechanism/, "$what, wrong password");
		if ($old)
		{
			like($session->error, qr/HINT: .*librdkafka before 2\.6\.1/, "$what: librdkafka may be the reason");
		}
		else
		{
			unlike($session->error, qr/2\.6\.1/, "$what: librdkafka is not the reason");
		}
		$session->query_safe('DROP SERVER scram CASCADE');
	}
}
is(KafkaFdwTest::crashes($node), '', 'no crash');
done_testing;
