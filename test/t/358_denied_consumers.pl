# What the cluster's ACLs deny to consumers: 42501 within a few seconds, with the topic or group
# named; a consumer without a group needs no right on one. Right and wrong log-ins of consumers.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'kafka'");
my $session = KafkaFdwTest::session($node);

$session->query_safe("SELECT kafka.create_topic('members_$_')") for qw(open closed);
$session->query_safe("SELECT kafka.produce('members_$_', 'one', delivery => 'immediate')") for qw(open closed);
KafkaFdwSecured::allow($broker, 'alice', 'topic members_open' => 'read', 'group mine' => 'read');
KafkaFdwSecured::server($session, $broker, 'alice', mapping => { KafkaFdwSecured::password('alice') });
KafkaFdwSecured::server($session, $broker, 'wrong', mapping => { sasl_username => 'alice', sasl_password => 'no such password' });

# One of the statements fails so.
sub fails
{
	my ($state, $text, $what, @statements) = @_;
	my $begun = time;
	for my $statement (@statements)
	{
		$session->query($statement, 60);
		last if $session->state ne '00000';
	}
	my $seconds = time - $begun;
	is($session->state, $state, $what) or diag $session->error;
	like($session->error, $text, "$what: what it is about");
	unlike($session->error, qr/no such password/, "$what: no secret");
	cmp_ok($seconds, '<', 6, sprintf '%s: after %.2f s', $what, $seconds);
	$session->query('SELECT kafka.close_consumer(consumer) FROM kafka.consumers');
	return;
}

my $poll = "SELECT value FROM kafka.poll_text(10, '10s')";
fails('42501', qr/topic "members_closed"/, 'a topic', "SELECT kafka.subscribe('members_closed', 'mine', server => 'alice')", $poll);
for my $offsets (qw(kafka postgres transaction))
{
	fails('42501', qr/consumer group "yours"/, "a group, offsets '$offsets'",
		"SELECT kafka.subscribe('members_open', 'yours', offsets => '$offsets', server => 'alice')", $poll);
}
fails('28000', qr/authentication with the Kafka cluster failed/, 'a password',
	"SELECT kafka.subscribe('members_open', 'mine', server => 'wrong')", $poll);
fails('28000', qr/authentication with the Kafka cluster failed/, 'a password, with a pattern: no topic is looked up',
	"SELECT kafka.subscribe('^members_o.*', 'mine', server => 'wrong')", $poll);

$session->query_safe("SELECT kafka.subscribe('members_open', 'mine', start => 'earliest', server => 'alice')");
is($session->query_safe($poll), 'one', 'what is allowed is read');
is($session->query_safe('SELECT "offset" FROM kafka.committed()'), 1, 'and committed');
$session->query_safe('SELECT kafka.close_consumer()');
$session->query_safe("SELECT kafka.assign('members_open', server => 'alice')");
is($session->query_safe($poll), 'one', 'without a group no right on one is needed');
$session->query_safe('SELECT kafka.close_consumer()');

# a right that is taken away while a consumer works
$session->query_safe("SELECT kafka.subscribe('members_open', 'mine', server => 'alice')");
$session->query_safe("SELECT count(*) FROM kafka.poll(1, '2s')");
$session->query_safe('SELECT * FROM kafka.delete_acl(resource_type => \'group\', resource_name => \'mine\')');
KafkaFdwTest::wait_until(
	sub {
		$session->query_safe("SELECT kafka.produce('members_open', 'more', delivery => 'immediate')");
		$session->query($poll, 60);
		return $session->error =~ /denies access to consumer group|messages may come again/;
	},
	60, 'a consumer hears of a right that was taken away');
ok(1, 'a right that was taken away is told');
$session->quit;
done_testing();
